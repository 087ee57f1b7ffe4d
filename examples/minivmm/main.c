// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * minivmm - a VMM with the library in it: a real guest, real private memory
 *
 * What a VMM has to do is in four places:
 *
 *  vm_create()         memory from gms_kvm, a state over it, bindings, a listener (vm.c)
 *  convert()           the guest asks for pages to be shared or private: gms_convert()
 *  device_starts()     whoever uses the guest's memory for a while pins it
 *  save_and_restore()  freeze, save, and load into another VM
 *
 * Below these are the loop around KVM_RUN, and the story: at each step of the guest the host looks
 * whether all is as it should be. To touch private memory raises SIGBUS, and that is shown, too.
 * Times are of what the line says, the exit from the guest not counted. The last line says
 * whether everything held, and so does the exit status; 77: there is no KVM for this.
 *
 *	vm.c       a machine, its memory, the state     guest.c  what runs on it
 *	machine.c  its vCPUs                            guest.h  what guest and host agreed on
 *	mirror.c   the listener                         check.c  output, checks, SIGBUS
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "vm.h"

static uint64_t sum_words(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	const uint64_t *words = vm_host(vm, gfn);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < nr_pages * GUEST_PAGE_SIZE / 8; i++)
		sum += words[i];
	return sum;
}

static bool all_zero(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	const char *bytes = vm_host(vm, gfn);

	return !*bytes && !memcmp(bytes, bytes + 1, nr_pages * GUEST_PAGE_SIZE - 1);
}

static void check_conversion(const struct vm *vm, gms_pgoff_t index, uint64_t gfn,
			     uint64_t nr_pages, enum gms_shareability to)
{
	hold(gms_range_is(vm->state, index, nr_pages, to), "the pages are what was asked for");
	/* In place it may still be there: a guest that shares wipes first. */
	if (to == GMS_SHARED && gms_kvm_get_way(vm->kvm) != GMS_KVM_IN_PLACE)
		hold(all_zero(vm, gfn, nr_pages), "the host finds nothing of a secret");
}

static void check_refusal(const struct vm *vm, gms_pgoff_t index, uint64_t nr_pages,
			  gms_pgoff_t err_index)
{
	gms_pgoff_t pinned = 0;

	hold(gms_first_pin(vm->state, index, nr_pages, &pinned) && pinned == err_index,
	     "the page that is named is the first that is pinned");
	hold(gms_range_is(vm->state, index, nr_pages, GMS_SHARED),
	     "where a page is pinned none becomes private");
}

/* What the guest asked for by port or by hypercall. What is returned is the guest's answer. */
static int convert(struct vm *vm, uint64_t gfn, uint64_t nr_pages, enum gms_shareability to)
{
	const char *name = to == GMS_SHARED ? "shared" : "private";
	gms_pgoff_t index = 0, err_index = 0;
	double begin = now_us();
	int rc = vm_find(vm, gfn, nr_pages, &index);

	if (!rc)
		rc = gms_convert(vm->state, index, nr_pages, to, 0, &err_index);
	say(now_us() - begin, "guest asks: %" PRIu64 " pages at gfn %#" PRIx64 " to %s: %s",
	    nr_pages, gfn, name, rc ? strerror(-rc) : "done");

	if (!rc) {
		say(NO_TIME, "mirror: has %" PRIu64 " pages", mirror_pages(&vm->mirror));
		check_conversion(vm, index, gfn, nr_pages, to);
	} else if (rc == -EAGAIN) {
		/* No need to guess what is in the way: the guest is told, and asks again later. */
		vm->box->pinned_gfn = gfn + (err_index - index);
		say(NO_TIME, "index %#" PRIx64 " is pinned, gfn %#" PRIx64, err_index,
		    vm->box->pinned_gfn);
		check_refusal(vm, index, nr_pages, err_index);
	} else {
		hold(false, "what the guest asks for can be done");
	}
	hold(mirror_agrees(&vm->mirror, vm->state), "the mirror has what is shared");
	hold(mirror_pages(&vm->mirror) == gms_count(vm->state, 0, GUEST_PAGES, GMS_SHARED),
	     "the mirror counts as the state does");
	return rc;
}

/* A device is given pages to read: as long as it has them they have to stay shared. */
static void device_starts(struct vm *vm)
{
	double begin = now_us();
	gms_pgoff_t index;
	int rc = vm_find(vm, BUFFER_GFN, BUFFER_PAGES, &index);

	if (!rc)
		rc = gms_pin(vm->state, index, BUFFER_PAGES, NULL);
	say(now_us() - begin, "device: has %llu pages at gfn %#llx, pinned", BUFFER_PAGES,
	    BUFFER_GFN);
	hold(!rc, "shared pages can be pinned");
	vm->device_busy = !rc;
}

static void device_ends(struct vm *vm)
{
	gms_pgoff_t index = 0;
	uint64_t sum;

	vm->device_busy = false;
	say(NO_TIME, "guest: waits for gfn %#" PRIx64, vm->box->waits_for_gfn);
	hold(vm->box->waits_for_gfn == BUFFER_GFN, "the guest knows what it waits for");
	sum = sum_words(vm, BUFFER_GFN, BUFFER_PAGES);
	say(NO_TIME, "device: has read %#" PRIx64 ", lets go", sum);
	hold(sum == vm->box->value, "what was refused left the device its data");
	hold(!vm_find(vm, BUFFER_GFN, BUFFER_PAGES, &index), "the buffer is bound");
	gms_unpin(vm->state, index, BUFFER_PAGES);
}

/* The host tries to read and to write each page: it must get SIGBUS every time. */
static void prove_private(const struct vm *vm, uint64_t gfn, uint64_t nr_pages)
{
	double begin = now_us();
	uint64_t raised = count_sigbus(vm_host(vm, gfn), nr_pages);

	say(now_us() - begin,
	    "host reads and writes %" PRIu64 " pages at gfn %#" PRIx64 ": SIGBUS %" PRIu64 " times",
	    nr_pages, gfn, raised);
	hold(raised == 2 * nr_pages, "private memory is out of the host's reach");
}

/*
 * A short look at shared memory: the lock keeps it shared, should another vCPU ask. Who takes
 * longer than that pins, as the device does.
 */
static void answer_letter(struct vm *vm)
{
	struct letter *letter = vm_host(vm, MESSAGE_GFN);
	gms_pgoff_t index;

	if (vm_find(vm, MESSAGE_GFN, 1, &index) || gms_lock_shared(vm->state, index, 1)) {
		hold(false, "the page of the letter can be locked");
		return;
	}
	hold(!gms_is_private(vm->state, index), "the letter is shared");
	say(NO_TIME, "host reads gfn %#llx: \"%.*s\"", MESSAGE_GFN, (int)sizeof(letter->text) - 1,
	    letter->text);
	hold(letter->number == LETTER_NUMBER && !strncmp(letter->text, "Dear host,", 10),
	     "the host reads what the guest wrote");
	letter->number++;
	gms_unlock_shared(vm->state, index, 1);
}

static int run_guest(struct vm *vm);

/*
 * What shared pages hold goes along; what private ones hold only the firmware could move, sealed.
 * The new guest reads the former, and writes secrets of its own.
 */
static void restore(const struct vm *vm, const void *snapshot, size_t size)
{
	struct vm other = {0};
	struct gms_iter iter;
	struct gms_run run;
	double begin = now_us();
	size_t again_size = 0;
	void *again = malloc(size);
	int rc = vm_create(&other, snapshot, size);

	say(now_us() - begin, "a second VM is made from that: %s", rc ? strerror(-rc) : "done");
	hold(!rc, "a VM can be made from the snapshot");
	if (!rc) {
		hold(mirror_agrees(&vm->mirror, other.state), "what is shared is what was shared");
		hold(mirror_agrees(&other.mirror, other.state), "the second mirror has it, too");
		rc = gms_snapshot_save(other.state, again, size, &again_size);
		hold(!rc && again_size == size && !memcmp(again, snapshot, size),
		     "saved once more it is the same, byte by byte");

		gms_iter_init(&iter, other.state, 0, GUEST_PAGES);
		while (gms_iter_next(&iter, &run))
			if (run.shareability == GMS_SHARED)
				memcpy((char *)gms_kvm_host(other.kvm) +
					       run.start * GUEST_PAGE_SIZE,
				       (char *)gms_kvm_host(vm->kvm) + run.start * GUEST_PAGE_SIZE,
				       run.nr_pages * GUEST_PAGE_SIZE);
		hold(!run_guest(&other), "the second VM runs");
	}
	vm_destroy(&other);
	free(again);
}

static void save_and_restore(struct vm *vm)
{
	double begin = now_us();
	void *buf = NULL;
	size_t size = 0;
	int rc = gms_freeze(vm->state);

	/* Frozen, it stays the same size, too. */
	if (!rc)
		rc = gms_snapshot_save(vm->state, NULL, 0, &size);
	if (!rc)
		buf = malloc(size);
	if (buf)
		rc = gms_snapshot_save(vm->state, buf, size, NULL);
	say(now_us() - begin,
	    "freeze, and save the state, %" PRIu64 " pages of it shared: %zu bytes",
	    gms_count(vm->state, 0, GUEST_PAGES, GMS_SHARED), size);
	hold(buf && !rc, "the state can be saved");

	rc = gms_convert(vm->state, 0, 1, GMS_SHARED, 0, NULL);
	say(NO_TIME, "a conversion meanwhile: %s", strerror(-rc));
	hold(rc == -EPERM, "frozen means frozen");
	if (buf)
		restore(vm, buf, size);
	hold(!gms_thaw(vm->state), "it can be thawed");
	free(buf);
}

/* What the guest has written with fill(), as it would have summed it up. */
static uint64_t expected_sum(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t sum = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++)
		for (uint64_t word = 0; word < GUEST_PAGE_SIZE / 8; word++)
			sum += pattern(at, word);
	return sum;
}

static void check_postcards(const struct vm *vm, uint64_t guests_sum)
{
	uint64_t expected = 0, hosts_sum = 0;

	for (uint64_t i = 0; i < POSTCARDS; i++) {
		expected += expected_sum(POSTCARD_GFN(i), POSTCARD_PAGES);
		hosts_sum += sum_words(vm, POSTCARD_GFN(i), POSTCARD_PAGES);
	}
	hold(hosts_sum == expected, "the host reads the postcards");
	hold(guests_sum == expected, "the second guest reads the postcards");
}

/* The guest has done something: look at it. True: there is nothing more to come. */
static bool on_step(struct vm *vm, uint64_t step)
{
	uint64_t value = vm->box->value;

	hold(step == vm->next_step++, "the guest takes one step after the other");
	switch (step) {
	case STEP_SECRETS:
		say(NO_TIME, "guest: has written secrets, %llu pages", SECRET_PAGES);
		prove_private(vm, SECRET_GFN, SECRET_PAGES);
		break;
	case STEP_LETTER:
		answer_letter(vm);
		break;
	case STEP_ANSWER:
		say(NO_TIME, "guest: the host's answer is %#" PRIx64, value);
		hold(value == LETTER_NUMBER + 1, "the guest reads what the host wrote");
		break;
	case STEP_BUFFER:
		hold(value == expected_sum(BUFFER_GFN, BUFFER_PAGES), "the guest fills the buffer");
		device_starts(vm);
		break;
	case STEP_TAKEN_BACK:
		say(NO_TIME, "guest: it took %" PRIu64 " requests", value);
		hold(value == 2,
		     "the request was refused while the pages were pinned, and then granted");
		prove_private(vm, SECRET_GFN, SECRET_PAGES);
		break;
	case STEP_POSTCARDS:
		save_and_restore(vm);
		break;
	case STEP_RESTORED:
		say(NO_TIME, "second guest: has read what was shared, and written secrets");
		check_postcards(vm, value);
		prove_private(vm, SECRET_GFN, SECRET_PAGES);
		return true;
	case STEP_DONE:
		say(NO_TIME, "guest: %" PRIu64 " of %llu pages of secrets are intact", value,
		    SECRET_PAGES);
		hold(value == SECRET_PAGES, "nothing touched what is private");
		return true;
	default: /* out of order, too */
		return true;
	}
	return false;
}

/* The loop of a VMM. 0: the guest came to its end. */
static int run_guest(struct vm *vm)
{
	struct mailbox *box = vm->box;
	struct machine_exit exit;
	int rc;

	for (;;) {
		rc = machine_run(&vm->machine.vcpu, &exit);
		if (rc == -EINTR)
			continue;
		if (rc)
			return rc;
		if (exit.kind == MACHINE_OUT && exit.port == PORT_CONVERT) {
			box->result = convert(vm, box->gfn, box->nr_pages,
					      box->to_private ? GMS_PRIVATE : GMS_SHARED);
		} else if (exit.kind == MACHINE_HYPERCALL && exit.value == HC_MAP_GPA_RANGE) {
			rc = convert(vm, exit.args[0] / GUEST_PAGE_SIZE, exit.args[1],
				     exit.args[2] & MAP_GPA_RANGE_PRIVATE ? GMS_PRIVATE
									  : GMS_SHARED);
			machine_answer(&vm->machine.vcpu, (uint64_t)rc);
		} else if (exit.kind == MACHINE_OUT && exit.port == PORT_STEP) {
			if (on_step(vm, exit.value))
				return 0;
		} else if (exit.kind == MACHINE_IN && exit.port == PORT_WAIT && vm->device_busy) {
			device_ends(vm);
			machine_answer(&vm->machine.vcpu, 0);
		} else {
			/* MACHINE_MEMORY_FAULT: a guest of TDX or SNP would ask by that. */
			say(NO_TIME, "the guest is stuck: exit %d, port %#x, gpa %#" PRIx64,
			    exit.kind, exit.port, exit.gpa);
			return -EIO;
		}
	}
}

static void tell_story(struct vm *vm)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	unsigned int low, high;

	say(NO_TIME, "conversions by %s; the guest asks by %s",
	    gms_kvm_way_name(gms_kvm_get_way(vm->kvm)), vm->box->hypercalls ? "hypercall" : "port");
	hold(!gms_gfn_max_order(vm->state, GUEST_GFN + 512, &low) && low == GMS_ORDER_2M &&
		     !gms_gfn_max_order(vm->state, GUEST_GFN_HIGH + 512, &high) && !high,
	     "where gfn and index disagree modulo 2M there is no mapping of 2M");
	hold(!run_guest(vm), "the guest comes to its end");

	gms_stats_read(vm->state, &stats);
	say(NO_TIME, "%" PRIu64 " conversions, %" PRIu64 " pages, %" PRIu64 " refused for a pin",
	    stats.conversions, stats.pages_converted, stats.refused_pinned);
	hold(stats.refused_pinned == 1 && stats.conversions == 2 + 2 * POSTCARDS,
	     "the statistics say what happened");
	hold(gms_range_is(vm->state, 0, GUEST_PAGES, GMS_PRIVATE), "all is private in the end");
}

static bool has_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(void)
{
	struct vm vm = {0};
	double begin = now_us();
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	catch_sigbus();
	if (!has_kvm()) {
		printf("skipped: no /dev/kvm\n");
		return 77;
	}
	rc = vm_create(&vm, NULL, 0);
	if (rc == -EOPNOTSUPP && !vm.kvm) {
		printf("skipped: this KVM has no guest_memfd that will do\n");
		vm_destroy(&vm);
		return 77;
	}
	say(now_us() - begin, "a VM with %llu pages, all private: %s", GUEST_PAGES,
	    rc ? strerror(-rc) : "done");
	hold(!rc, "the VM can be made");
	if (!rc)
		tell_story(&vm);
	vm_destroy(&vm);
	return verdict();
}
