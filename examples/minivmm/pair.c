// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pair.c - two vCPUs that convert while both run
 *
 * Each vCPU has a thread. It shares a piece of memory, writes to it, waits until the host has read
 * the piece and answered, and makes it private again. The pieces of the two are neighbours in the
 * same 2M. In place and by attributes a vCPU stays in KVM_RUN while the other converts. By
 * memslots the backend stops it (vcpus.h).
 *
 * A conversion may return -EAGAIN for a moment: somebody has a page that is to become private. The
 * guest asks again.
 */
#include "pair.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "check.h"

#define PAIR 2U

struct pair_vcpu {
	struct vm *vm;
	unsigned int number;
	pthread_t thread;
	uint64_t conversions, again;
	uint64_t beside; /* conversions that began while the other vCPU was running */
	uint64_t answers; /* pieces that the host has read and answered */
	uint64_t intact; /* what the guest says at its end */
	char why[200]; /* what went wrong, or "" */
};

static int pair_convert(struct pair_vcpu *vcpu, const struct vm_request *request)
{
	struct vm *vm = vcpu->vm;
	const bool beside = vcpus_is_running(&vm->vcpus, !vcpu->number);
	const int rc =
		gms_convert_gfn(vm->state, request->gfn, request->nr_pages, request->to, 0, NULL);

	vcpu->again += rc == -EAGAIN;
	vcpu->conversions += !rc;
	vcpu->beside += !rc && beside;
	return rc;
}

/* Reads a shared piece, and answers in its first word. Returns false if it holds other words. */
static bool pair_answer(struct vm *vm, uint64_t gfn)
{
	uint64_t *words = vm_host(vm, gfn);
	bool right = true;
	gms_pgoff_t index;

	if (vm_find(vm, gfn, GUEST_PAIR_PAGES, &index) ||
	    gms_lock_shared(vm->state, index, GUEST_PAIR_PAGES))
		return false;
	for (uint64_t i = 0; i < GUEST_PAIR_PAGES * GUEST_PAGE_WORDS; i++)
		right &=
			words[i] == guest_pattern(gfn + i / GUEST_PAGE_WORDS, i % GUEST_PAGE_WORDS);
	words[0]++;
	gms_unlock_shared(vm->state, index, GUEST_PAIR_PAGES);
	return right;
}

/* Handles an exit. Returns false if the vCPU is done or stuck. */
static bool pair_handle(struct pair_vcpu *vcpu, const struct machine_exit *exit)
{
	struct vm *vm = vcpu->vm;
	const uint64_t value = vm_box(vm, vcpu->number)->value;
	struct vm_request request;

	if (vm_is_request(vm, vcpu->number, exit, &request)) {
		vm_answer(vm, vcpu->number, exit, pair_convert(vcpu, &request));
		return true;
	}
	if (exit->kind == MACHINE_OUT && exit->port == GUEST_PORT_STEP) {
		if (exit->value == GUEST_STEP_PIECE && pair_answer(vm, value)) {
			vcpu->answers++;
			return true;
		}
		if (exit->value == GUEST_STEP_PAIR) {
			vcpu->intact = value;
			return false;
		}
	}
	machine_explain(exit, vcpu->why, sizeof(vcpu->why));
	return false;
}

static void *pair_thread(void *arg)
{
	struct pair_vcpu *vcpu = arg;
	struct machine_exit exit;
	int rc;

	do
		rc = vcpus_run(&vcpu->vm->vcpus, vcpu->number, &exit);
	while (rc == -EINTR || (!rc && pair_handle(vcpu, &exit)));
	if (rc)
		strcpy(vcpu->why, strerror(-rc));
	return NULL;
}

/* Starts a vCPU at the beginning of the guest's code, in the role of one of two. */
static int pair_start(struct vm *vm, struct pair_vcpu *vcpu, unsigned int number)
{
	struct guest_mailbox *box = vm_box(vm, number);

	*vcpu = (struct pair_vcpu) {.vm = vm, .number = number};
	*box = (struct guest_mailbox) {
		.hypercalls = vm->box->hypercalls,
		.role = GUEST_PAIR,
		.number = number,
	};
	return machine_start(&vm->machine, vm->vcpus.cpu[number].vcpu,
			     MACHINE_LOW_FREE + number * sizeof(*box));
}

static void pair_check(const struct pair_vcpu *vcpu)
{
	const uint64_t pieces = GUEST_PAIR_ROUNDS * GUEST_PAIR_PIECES;

	check_say(CHECK_NO_TIME,
		  "vCPU %u: %" PRIu64 " conversions, %" PRIu64
		  " while the other ran; asked again %" PRIu64 " times%s%s",
		  vcpu->number, vcpu->conversions, vcpu->beside, vcpu->again,
		  *vcpu->why ? "; stopped at " : "", vcpu->why);
	check_hold(!*vcpu->why, "the vCPU reaches its last step");
	check_hold(vcpu->conversions == 2 * pieces, "each request is granted in the end");
	check_hold(vcpu->answers == pieces, "the host reads what the vCPU wrote");
	check_hold(vcpu->intact == GUEST_PAIR_PIECES * GUEST_PAIR_PAGES,
		   "the vCPU reads the answers, and what the other does leaves its pages alone");
}

void pair_run(struct vm *vm)
{
	struct machine_vcpu second;
	struct pair_vcpu vcpus[PAIR];
	unsigned int started = 0;
	double begin;
	int rc = machine_add_vcpu(&vm->machine, 1, &second);

	check_hold(!rc, "a second vCPU can be added");
	if (rc)
		return;
	vcpus_add(&vm->vcpus, &second);
	for (unsigned int i = 0; !rc && i < PAIR; i++)
		rc = pair_start(vm, &vcpus[i], i);
	begin = check_now_us();
	while (!rc && started < PAIR) {
		rc = -pthread_create(&vcpus[started].thread, NULL, pair_thread, &vcpus[started]);
		started += !rc;
	}
	for (unsigned int i = 0; i < started; i++)
		pthread_join(vcpus[i].thread, NULL);
	check_say(check_now_us() - begin, "two vCPUs share pages and take them back");
	check_hold(!rc, "both vCPUs can be started");
	for (unsigned int i = 0; !rc && i < PAIR; i++)
		pair_check(&vcpus[i]);
	check_hold(mirror_agrees(&vm->mirror, vm->state), "the mirror has the shared pages");
	vm->vcpus.nr--;
	machine_remove_vcpu(&second);
}
