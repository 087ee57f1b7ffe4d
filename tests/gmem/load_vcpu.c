// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_vcpu.c - the vCPUs' threads, and what the host asks of the guest (load_command.h)
 *
 * The guest runs by itself, and leaves KVM_RUN only when it is told to stop, or finds something
 * wrong. A vCPU's thread repeats KVM_RUN after exits that the guest did not cause: the page has
 * just been converted (KVM_EXIT_MEMORY_FAULT), or an allocation failed.
 */
#include "load.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

struct command {
	_Atomic uint64_t stop;
	_Atomic uint64_t cursor, end;
	_Atomic uint64_t focus, focus_nr;
	uint64_t nr_pages, nr_vcpus, me;
	uint64_t next, rng;
	_Atomic uint64_t checks;
	uint64_t records, pages;
	uint64_t bad_page, bad_word, bad_got, bad_want;
};

_Static_assert(offsetof(struct command, cursor) == LOAD_CURSOR, "load_guest.S uses this offset");
_Static_assert(offsetof(struct command, focus_nr) == LOAD_FOCUS_NR, "load_guest.S uses this, too");
_Static_assert(offsetof(struct command, me) == LOAD_ME, "load_guest.S uses this, too");
_Static_assert(offsetof(struct command, checks) == LOAD_CHECKS, "load_guest.S uses this, too");
_Static_assert(offsetof(struct command, bad_want) == LOAD_BAD_WANT, "load_guest.S uses this, too");
_Static_assert(sizeof(struct load_record) == 1 << LOAD_RECORD_SHIFT, "load_guest.S uses this size");
_Static_assert(offsetof(struct load_record, host) == LOAD_RECORD_HOST, "load_guest.S uses this");

#define COMMAND_SIZE 4096ULL
#define RECORDS (MACHINE_LOW_FREE + LOAD_VCPUS_MAX * COMMAND_SIZE)

_Static_assert(RECORDS + (LOAD_BLOCKS_MAX * BLOCK << LOAD_RECORD_SHIFT) <= MACHINE_LOW_SIZE,
	       "the records fit");

#define MAX_EXITS 100000 /* that the guest did not cause, before it checks another page */
#define MAX_WAIT 120.0 /* seconds for a request */

extern const unsigned char load_guest_begin[], load_guest_end[];

/* A vCPU's thread. There is one load at a time. */
static struct vcpu {
	struct load *l;
	unsigned int i;
	pthread_t thread;
	bool started;
} vcpus[LOAD_VCPUS_MAX];

static uint64_t command_gpa(unsigned int i)
{
	return MACHINE_LOW_FREE + i * COMMAND_SIZE;
}

static struct command *command_of(const struct load *l, unsigned int i)
{
	return (void *)(l->g.m.low + command_gpa(i));
}

static struct machine_vcpu *vcpu_of(struct load *l, unsigned int i)
{
	return i ? &l->added[i] : &l->g.m.vcpu;
}

int load_vcpus_create(struct load *l, uint64_t seed)
{
	int err = machine_load(&l->g.m, load_guest_begin,
			       (size_t)(load_guest_end - load_guest_begin));

	l->records = (void *)(l->g.m.low + RECORDS);
	for (unsigned int i = 1; i < LOAD_VCPUS_MAX; i++)
		l->added[i].fd = -1;
	for (unsigned int i = 0; !err && i < l->options->vcpus; i++) {
		struct command *command = command_of(l, i);

		if (i)
			err = machine_add_vcpu(&l->g.m, i, &l->added[i]);
		if (!err)
			err = machine_start(&l->g.m, vcpu_of(l, i), command_gpa(i));
		command->nr_pages = l->nr_pages;
		command->nr_vcpus = l->options->vcpus;
		command->me = i;
		command->next = i;
		command->rng = seed + i;
		command->records = RECORDS;
		command->pages = MAIN_GPA;
	}
	return err;
}

void load_vcpus_destroy(struct load *l)
{
	for (unsigned int i = 1; i < LOAD_VCPUS_MAX; i++)
		if (l->added[i].fd >= 0)
			machine_remove_vcpu(&l->added[i]);
}

static void report_bad(struct load *l, unsigned int i)
{
	const struct command *command = command_of(l, i);
	const uint64_t page = command->bad_page;
	const uint32_t side = page < l->nr_pages ? atomic_load(&l->sides[page]) : 0;

	load_mismatch(l, "page %llu (%s%s), word %llu: vCPU %u reads 0x%llx, and not 0x%llx",
		      (unsigned long long)page, side & LOAD_PRIVATE ? "private" : "shared",
		      side & LOAD_MOVING ? ", being converted" : "",
		      (unsigned long long)command->bad_word, i,
		      (unsigned long long)command->bad_got, (unsigned long long)command->bad_want);
	load_page_explain(l, page, command->bad_word, command->bad_got);
}

/* Handles the end of a KVM_RUN. Returns 0: run again; 1: the guest has stopped; -errno. */
static int handle(struct load *l, unsigned int i, int err, const struct machine_exit *why)
{
	char text[200];

	if (err == -EINTR)
		return 0;
	/* -EFAULT: get_user_pages() of the low memory failed twice */
	if (err == -ENOMEM || err == -EFAULT ||
	    (!err && why->kind == MACHINE_MEMORY_FAULT && why->err == -ENOMEM)) {
		atomic_fetch_add(&l->tally->enomem, 1);
		return 0;
	}
	if (err) {
		load_mismatch(l, "KVM_RUN of vCPU %u returns %d", i, err);
		return err;
	}
	if (why->kind == MACHINE_MEMORY_FAULT) {
		atomic_fetch_add(&l->tally->memory_faults, 1);
		return 0;
	}
	if (why->kind == MACHINE_OUT && why->port == LOAD_DONE_PORT)
		return 1;
	if (why->kind == MACHINE_OUT && why->port == LOAD_BAD_PORT) {
		report_bad(l, i);
		return 1;
	}
	machine_explain(why, text, sizeof(text));
	load_mismatch(l, "vCPU %u: %s", i, text);
	return -EIO;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct load *l = vcpu->l;
	struct command *command = command_of(l, vcpu->i);
	struct machine_exit why;
	unsigned int exits = 0;
	struct load_fail fail;
	uint64_t checks = 0;
	int rc = load_fail_open(&fail);

	if (!rc)
		load_fail_by_chance(&fail, true);
	while (!rc) {
		int err = machine_run(vcpu_of(l, vcpu->i), &why);

		rc = handle(l, vcpu->i, err, &why);
		if (command->checks != checks)
			exits = 0;
		checks = command->checks;
		if (!rc && ++exits > MAX_EXITS) {
			load_mismatch(l, "vCPU %u does not get on", vcpu->i);
			rc = -EIO;
		}
	}
	load_fail_close(&fail);
	if (rc < 0)
		atomic_store(&l->err, rc);
	return NULL;
}

int load_vcpus_start(struct load *l)
{
	for (unsigned int i = 0; i < l->options->vcpus; i++) {
		int err;

		vcpus[i] = (struct vcpu) {.l = l, .i = i};
		err = pthread_create(&vcpus[i].thread, NULL, vcpu_thread, &vcpus[i]);
		if (err)
			return -err;
		vcpus[i].started = true;
	}
	return 0;
}

void load_vcpus_end(struct load *l)
{
	for (unsigned int i = 0; i < l->options->vcpus; i++)
		atomic_store(&command_of(l, i)->stop, 1);
	for (unsigned int i = 0; i < l->options->vcpus; i++) {
		if (vcpus[i].started)
			pthread_join(vcpus[i].thread, NULL);
		vcpus[i].started = false;
		atomic_fetch_add(&l->tally->guest, command_of(l, i)->checks);
	}
}

void load_vcpus_focus(struct load *l, uint64_t page, uint64_t nr_pages)
{
	for (unsigned int i = 0; i < l->options->vcpus; i++) {
		struct command *command = command_of(l, i);

		atomic_store(&command->focus, page);
		atomic_store(&command->focus_nr, nr_pages);
	}
}

int load_vcpus_check(struct load *l, uint64_t page, uint64_t nr_pages)
{
	const uint64_t nr = l->options->vcpus, end = page + nr_pages;
	const double limit = load_now() + MAX_WAIT;

	for (unsigned int i = 0; i < nr; i++) {
		struct command *command = command_of(l, i);

		/* the guest looks at the end last */
		atomic_store(&command->end, 0);
		atomic_store(&command->cursor, page + (nr + i - page % nr) % nr);
		atomic_store(&command->end, end);
	}
	for (unsigned int i = 0; i < nr; i++)
		while (atomic_load(&command_of(l, i)->cursor) < end) {
			if (load_failed(l))
				return 0; /* the guest may have stopped */
			if (load_now() > limit) {
				load_mismatch(l, "vCPU %u is stuck", i);
				return -EIO;
			}
			usleep(50);
		}
	return 0;
}
