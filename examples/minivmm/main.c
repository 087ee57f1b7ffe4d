// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - minivmm: a VMM with the library in it, a real guest, and real private memory
 *
 *	minivmm [--way in-place|attributes|memslots]
 *
 * Without --way the memory is converted in the first of these modes that KVM offers.
 *
 * The VMM's use of the library is in five places:
 *
 *  vm_create()                  memory from gms_kvm, a state over it, bindings, a listener (vm.c)
 *  minivmm_convert()            the guest requests shared or private pages: gms_convert()
 *  minivmm_start_device()       a device that uses the guest's memory for a while pins it
 *  minivmm_save_and_restore()   freeze, save, and load into another VM
 *  pair_run()                   two vCPUs convert while both run (pair.c)
 *
 * The rest is the loop around KVM_RUN, and checks: after each step of the guest the host checks
 * what should hold then. A touch of private memory raises SIGBUS, and the checks count that, too.
 * A time in the output is that of the step that its line names, without the exit from the guest.
 * The last line and the exit status say whether all checks held. Exit status 77: there is no
 * suitable KVM. 2: the options are wrong.
 *
 *	vm.c       a machine, its memory, the state     guest.c  the program in the VM
 *	machine.c  the machine's vCPUs                  guest.h  the protocol of guest and host
 *	vcpus.c    several vCPUs, and stopping them     check.c  output, checks, SIGBUS
 *	mirror.c   the listener                         pair.c   two vCPUs at once
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "pair.h"
#include "vm.h"

static uint64_t minivmm_sum_words(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	const uint64_t *words = vm_host(vm, gfn);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < nr_pages * GUEST_PAGE_WORDS; i++)
		sum += words[i];
	return sum;
}

static bool minivmm_all_zero(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	const char *bytes = vm_host(vm, gfn);

	return !*bytes && !memcmp(bytes, bytes + 1, nr_pages * GUEST_PAGE_SIZE - 1);
}

static void minivmm_check_conversion(const struct vm *vm, gms_pgoff_t index, uint64_t gfn,
				     uint64_t nr_pages, enum gms_shareability to)
{
	check_hold(gms_range_is(vm->state, index, nr_pages, to),
		   "the pages are what the guest requested");
	/* In place a page keeps what it holds: a guest wipes its secrets before it shares. */
	if (to == GMS_SHARED && gms_kvm_get_way(vm->kvm) != GMS_KVM_IN_PLACE)
		check_hold(minivmm_all_zero(vm, gfn, nr_pages),
			   "the host finds no secret in a shared page");
}

static void minivmm_check_refusal(const struct vm *vm, gms_pgoff_t index, uint64_t nr_pages,
				  gms_pgoff_t err_index)
{
	gms_pgoff_t pinned = 0;

	check_hold(gms_first_pin(vm->state, index, nr_pages, &pinned) && pinned == err_index,
		   "the page that is named is the first pinned page");
	check_hold(gms_range_is(vm->state, index, nr_pages, GMS_SHARED),
		   "with a pinned page no page becomes private");
}

/* Converts what the guest requested. Returns the guest's answer. */
static int minivmm_convert(struct vm *vm, const struct vm_request *request)
{
	const uint64_t gfn = request->gfn, nr_pages = request->nr_pages;
	const enum gms_shareability to = request->to;
	const char *name = to == GMS_SHARED ? "shared" : "private";
	gms_pgoff_t index = 0, err_index = 0;
	double begin = check_now_us();
	/* The guest learns which page is pinned, and repeats its request later. */
	int rc = gms_convert_gfn(vm->state, gfn, nr_pages, to, 0, &vm->box->pinned_gfn);

	check_say(check_now_us() - begin,
		  "guest asks: %" PRIu64 " pages at gfn %#" PRIx64 " to %s: %s", nr_pages, gfn,
		  name, rc ? strerror(-rc) : "done");
	check_hold(!vm_find(vm, gfn, nr_pages, &index), "this guest asks for pages of one binding");

	if (!rc) {
		check_say(CHECK_NO_TIME, "mirror: has %" PRIu64 " pages",
			  mirror_pages(&vm->mirror));
		minivmm_check_conversion(vm, index, gfn, nr_pages, to);
	} else if (rc == -EAGAIN) {
		err_index = index + (vm->box->pinned_gfn - gfn);
		check_say(CHECK_NO_TIME, "index %#" PRIx64 " is pinned, gfn %#" PRIx64, err_index,
			  vm->box->pinned_gfn);
		minivmm_check_refusal(vm, index, nr_pages, err_index);
	} else {
		check_hold(false, "the conversion succeeds");
	}
	check_hold(mirror_agrees(&vm->mirror, vm->state), "the mirror has the shared pages");
	check_hold(mirror_pages(&vm->mirror) == gms_count(vm->state, 0, GUEST_PAGES, GMS_SHARED),
		   "the mirror counts as the state does");
	return rc;
}

/* Starts a device that reads pages. The pin keeps them shared until the device is done. */
static void minivmm_start_device(struct vm *vm)
{
	double begin = check_now_us();
	gms_pgoff_t index;
	int rc = vm_find(vm, GUEST_BUFFER_GFN, GUEST_BUFFER_PAGES, &index);

	if (!rc)
		rc = gms_pin(vm->state, index, GUEST_BUFFER_PAGES, NULL);
	check_say(check_now_us() - begin, "device: has %llu pages at gfn %#llx, pinned",
		  GUEST_BUFFER_PAGES, GUEST_BUFFER_GFN);
	check_hold(!rc, "shared pages can be pinned");
	vm->device_busy = !rc;
}

static void minivmm_end_device(struct vm *vm)
{
	gms_pgoff_t index = 0;
	uint64_t sum;

	vm->device_busy = false;
	check_say(CHECK_NO_TIME, "guest: waits for gfn %#" PRIx64, vm->box->waits_for_gfn);
	check_hold(vm->box->waits_for_gfn == GUEST_BUFFER_GFN,
		   "the guest waits for the pinned page");
	sum = minivmm_sum_words(vm, GUEST_BUFFER_GFN, GUEST_BUFFER_PAGES);
	check_say(CHECK_NO_TIME, "device: has read %#" PRIx64 ", unpins", sum);
	check_hold(sum == vm->box->value, "the refused conversion did not change the buffer");
	check_hold(!vm_find(vm, GUEST_BUFFER_GFN, GUEST_BUFFER_PAGES, &index),
		   "the buffer is bound");
	gms_unpin(vm->state, index, GUEST_BUFFER_PAGES);
}

/* Checks that each read and each write of the pages by the host raises SIGBUS. */
static void minivmm_check_private(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	double begin = check_now_us();
	uint64_t raised = check_count_sigbus(vm_host(vm, gfn), nr_pages);

	check_say(check_now_us() - begin,
		  "host reads and writes %" PRIu64 " pages at gfn %#" PRIx64 ": SIGBUS %" PRIu64
		  " times",
		  nr_pages, gfn, raised);
	check_hold(raised == 2 * nr_pages, "the host cannot touch private memory");
}

/*
 * Reads and answers the letter. For a short access gms_lock_shared() keeps the page shared,
 * whatever another vCPU requests. A longer access pins the page, as the device does.
 */
static void minivmm_answer_letter(struct vm *vm)
{
	struct guest_letter *letter = vm_host(vm, GUEST_LETTER_GFN);
	gms_pgoff_t index;

	if (vm_find(vm, GUEST_LETTER_GFN, 1, &index) || gms_lock_shared(vm->state, index, 1)) {
		check_hold(false, "the page of the letter can be locked");
		return;
	}
	check_hold(!gms_is_private(vm->state, index), "the letter is shared");
	check_say(CHECK_NO_TIME, "host reads gfn %#llx: \"%.*s\"", GUEST_LETTER_GFN,
		  (int)sizeof(letter->text) - 1, letter->text);
	check_hold(letter->number == GUEST_LETTER_NUMBER &&
			   !strncmp(letter->text, "Dear host,", 10),
		   "the host reads what the guest wrote");
	letter->number++;
	gms_unlock_shared(vm->state, index, 1);
}

static int minivmm_run_guest(struct vm *vm);

/*
 * Makes a second VM from a snapshot, and copies the contents of the shared pages. (Only firmware
 * could move the contents of private pages, encrypted.) The second guest reads the shared pages,
 * and writes secrets of its own.
 */
static void minivmm_restore(const struct vm *vm, const void *snapshot, size_t size)
{
	struct vm other = {.way = vm->way};
	struct gms_iter iter;
	struct gms_run run;
	double begin = check_now_us();
	size_t again_size = 0;
	void *again = malloc(size);
	int rc = vm_create(&other, snapshot, size);

	check_say(check_now_us() - begin, "a second VM from the snapshot: %s",
		  rc ? strerror(-rc) : "done");
	check_hold(!rc, "a VM can be made from the snapshot");
	if (!rc) {
		check_hold(mirror_agrees(&vm->mirror, other.state),
			   "the second VM has the same shared pages");
		check_hold(mirror_agrees(&other.mirror, other.state),
			   "the second mirror has them, too");
		rc = gms_snapshot_save(other.state, again, size, &again_size);
		check_hold(!rc && again_size == size && !memcmp(again, snapshot, size),
			   "the second VM saves the same snapshot, byte by byte");

		gms_iter_init(&iter, other.state, 0, GUEST_PAGES);
		while (gms_iter_next(&iter, &run))
			if (run.shareability == GMS_SHARED)
				memcpy((char *)gms_kvm_host(other.kvm) +
					       run.start * GUEST_PAGE_SIZE,
				       (char *)gms_kvm_host(vm->kvm) + run.start * GUEST_PAGE_SIZE,
				       run.nr_pages * GUEST_PAGE_SIZE);
		check_hold(!minivmm_run_guest(&other), "the second VM runs");
	}
	vm_destroy(&other);
	free(again);
}

static void minivmm_save_and_restore(struct vm *vm)
{
	double begin = check_now_us();
	void *buf = NULL;
	size_t size = 0;
	int rc = gms_freeze(vm->state);

	/* The state is frozen, so the size does not change between the two calls. */
	if (!rc)
		rc = gms_snapshot_save(vm->state, NULL, 0, &size);
	if (!rc)
		buf = malloc(size);
	if (buf)
		rc = gms_snapshot_save(vm->state, buf, size, NULL);
	check_say(check_now_us() - begin,
		  "the state is frozen and saved, %" PRIu64 " of its pages shared: %zu bytes",
		  gms_count(vm->state, 0, GUEST_PAGES, GMS_SHARED), size);
	check_hold(buf && !rc, "the state can be saved");

	rc = gms_convert(vm->state, 0, 1, GMS_SHARED, 0, NULL);
	check_say(CHECK_NO_TIME, "a conversion of the frozen state: %s", strerror(-rc));
	check_hold(rc == -EPERM, "a frozen state refuses conversions");
	if (buf)
		minivmm_restore(vm, buf, size);
	check_hold(!gms_thaw(vm->state), "the state can be thawed");
	free(buf);
}

/* Returns the sum that guest_fill() returns. */
static uint64_t minivmm_expected_sum(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t sum = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++)
		for (uint64_t word = 0; word < GUEST_PAGE_WORDS; word++)
			sum += guest_pattern(at, word);
	return sum;
}

static void minivmm_check_postcards(const struct vm *vm, uint64_t guests_sum)
{
	uint64_t expected = 0, hosts_sum = 0;

	for (uint64_t i = 0; i < GUEST_POSTCARDS; i++) {
		expected += minivmm_expected_sum(GUEST_POSTCARD_GFN(i), GUEST_POSTCARD_PAGES);
		hosts_sum += minivmm_sum_words(vm, GUEST_POSTCARD_GFN(i), GUEST_POSTCARD_PAGES);
	}
	check_hold(hosts_sum == expected, "the host reads the postcards");
	check_hold(guests_sum == expected, "the second guest reads the postcards");
}

/* Checks what should hold after a step of the guest. Returns true after the last step. */
static bool minivmm_on_step(struct vm *vm, uint64_t step)
{
	uint64_t value = vm->box->value;

	check_hold(step == vm->next_step++, "the guest's steps are in order");
	switch (step) {
	case GUEST_STEP_SECRETS:
		check_say(CHECK_NO_TIME, "guest: has written secrets, %llu pages",
			  GUEST_SECRET_PAGES);
		minivmm_check_private(vm, GUEST_SECRET_GFN, GUEST_SECRET_PAGES);
		break;
	case GUEST_STEP_LETTER:
		minivmm_answer_letter(vm);
		break;
	case GUEST_STEP_ANSWER:
		check_say(CHECK_NO_TIME, "guest: the host's answer is %#" PRIx64, value);
		check_hold(value == GUEST_LETTER_NUMBER + 1, "the guest reads what the host wrote");
		break;
	case GUEST_STEP_BUFFER:
		check_hold(value == minivmm_expected_sum(GUEST_BUFFER_GFN, GUEST_BUFFER_PAGES),
			   "the guest fills the buffer");
		minivmm_start_device(vm);
		break;
	case GUEST_STEP_WINDOW:
		check_say(CHECK_NO_TIME, "guest: closed its window with %" PRIu64 " requests",
			  value);
		check_hold(value == 2,
			   "the request was refused while a page was pinned, and then granted");
		minivmm_check_private(vm, GUEST_SECRET_GFN, GUEST_SECRET_PAGES);
		break;
	case GUEST_STEP_POSTCARDS:
		minivmm_save_and_restore(vm);
		break;
	case GUEST_STEP_RESTORED:
		check_say(CHECK_NO_TIME,
			  "second guest: has read the shared pages, and written secrets");
		minivmm_check_postcards(vm, value);
		minivmm_check_private(vm, GUEST_SECRET_GFN, GUEST_SECRET_PAGES);
		return true;
	case GUEST_STEP_DONE:
		check_say(CHECK_NO_TIME, "guest: %" PRIu64 " of %llu pages of secrets are intact",
			  value, GUEST_SECRET_PAGES);
		check_hold(value == GUEST_SECRET_PAGES, "private pages did not change");
		return true;
	default: /* the check above has failed, too */
		return true;
	}
	return false;
}

/* Runs the guest until its last step: the loop of a VMM. Returns 0 or -errno. */
static int minivmm_run_guest(struct vm *vm)
{
	struct vm_request request;
	struct machine_exit exit;
	char why[200];
	int rc;

	for (;;) {
		rc = vcpus_run(&vm->vcpus, 0, &exit);
		if (rc == -EINTR)
			continue;
		if (rc)
			return rc;
		if (vm_is_request(vm, 0, &exit, &request)) {
			vm_answer(vm, 0, &exit, minivmm_convert(vm, &request));
		} else if (exit.kind == MACHINE_OUT && exit.port == GUEST_PORT_STEP) {
			if (minivmm_on_step(vm, exit.value))
				return 0;
		} else if (exit.kind == MACHINE_IN && exit.port == GUEST_PORT_WAIT &&
			   vm->device_busy) {
			minivmm_end_device(vm);
			machine_answer(&vm->machine.vcpu, 0);
		} else {
			/* A VMM for TDX or SNP converts at MACHINE_MEMORY_FAULT. */
			machine_explain(&exit, why, sizeof(why));
			check_say(CHECK_NO_TIME, "the guest is stuck: %s", why);
			return -EIO;
		}
	}
}

static void minivmm_run(struct vm *vm)
{
	struct gms_stats stats = GMS_STATS_INIT;
	unsigned int low, high;

	check_say(CHECK_NO_TIME, "conversions by %s; the guest asks by %s",
		  gms_kvm_way_name(gms_kvm_get_way(vm->kvm)),
		  vm->box->hypercalls ? "hypercall" : "port");
	check_hold(!gms_gfn_max_order(vm->state, GUEST_GFN + 512, &low) && low == GMS_ORDER_2M &&
			   !gms_gfn_max_order(vm->state, GUEST_GFN_HIGH + 512, &high) && !high,
		   "where gfn and index disagree modulo 2M there is no mapping of 2M");
	check_hold(!minivmm_run_guest(vm), "the guest reaches its last step");

	gms_stats_read(vm->state, &stats);
	check_say(CHECK_NO_TIME,
		  "%" PRIu64 " conversions, %" PRIu64 " pages, %" PRIu64 " refused for a pin",
		  stats.conversions, stats.pages_converted, stats.refused_pinned);
	check_hold(stats.refused_pinned == 1 && stats.conversions == 2 + 2 * GUEST_POSTCARDS,
		   "the statistics count each conversion");
	pair_run(vm);
	check_hold(gms_range_is(vm->state, 0, GUEST_PAGES, GMS_PRIVATE),
		   "all pages are private at the end");
}

static bool minivmm_has_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Parses the command line. Returns 0 or -EINVAL. */
static int minivmm_parse(int argc, char **argv, enum gms_kvm_way *way)
{
	static const char *const names[] = {
		[GMS_KVM_ANY] = "any",
		[GMS_KVM_IN_PLACE] = "in-place",
		[GMS_KVM_ATTRIBUTES] = "attributes",
		[GMS_KVM_MEMSLOTS] = "memslots",
	};

	if (argc == 1)
		return 0;
	if (argc != 3 || strcmp(argv[1], "--way"))
		return -EINVAL;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(argv[2], names[i])) {
			*way = (enum gms_kvm_way)i;
			return 0;
		}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct vm vm = {0};
	double begin = check_now_us();
	int rc;

	if (minivmm_parse(argc, argv, &vm.way)) {
		fprintf(stderr, "usage: minivmm [--way in-place|attributes|memslots]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_catch_sigbus();
	if (!minivmm_has_kvm()) {
		printf("skipped: no /dev/kvm\n");
		return 77;
	}
	rc = vm_create(&vm, NULL, 0);
	if (rc == -EOPNOTSUPP && !vm.kvm) {
		printf("skipped: this KVM offers no mode of conversion\n");
		vm_destroy(&vm);
		return 77;
	}
	check_say(check_now_us() - begin, "a VM with %llu pages, all private: %s", GUEST_PAGES,
		  rc ? strerror(-rc) : "done");
	check_hold(!rc, "the VM can be made");
	if (!rc)
		minivmm_run(&vm);
	vm_destroy(&vm);
	return check_verdict();
}
