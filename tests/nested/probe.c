// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * probe.c - touches pages as the guest and as the host
 */
#include "probe.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

/* A read of the guest from an address without a memslot returns this. */
#define NOTHING_THERE 0xdeadULL

struct command {
	uint64_t gpa;
	uint64_t count;
	uint64_t next;
	uint64_t stamp;
	uint64_t mode;
	uint64_t unused[3];
	struct words results[PROBE_MAX];
};

_Static_assert(offsetof(struct command, next) == COMMAND_NEXT, "guest.S uses this offset");
_Static_assert(offsetof(struct command, results) == COMMAND_RESULTS, "guest.S uses this offset");
_Static_assert(MACHINE_LOW_FREE + sizeof(struct command) <= MACHINE_LOW_SIZE, "the command fits");

extern const unsigned char guest_begin[], guest_end[];

static const char *const answer_names[ANSWER_NR] = {
	[ANSWER_DATA] = "data",
	[ANSWER_FAULT_PRIVATE] = "KVM_EXIT_MEMORY_FAULT, private",
	[ANSWER_FAULT_SHARED] = "KVM_EXIT_MEMORY_FAULT, shared",
	[ANSWER_MMIO] = "no memory",
	[ANSWER_EFAULT] = "EFAULT",
	[ANSWER_SIGBUS] = "SIGBUS",
	[ANSWER_SIGSEGV] = "SIGSEGV",
};

const char *answer_name(enum answer answer)
{
	return answer_names[answer];
}

struct words probe_written(uint64_t stamp, size_t i)
{
	return (struct words) {stamp + i, ~(stamp + i)};
}

static int guest_restart(struct machine *m)
{
	return machine_start(m, &m->vcpu, MACHINE_LOW_FREE);
}

int guest_start(struct machine *m)
{
	volatile struct command *command = (void *)(m->low + MACHINE_LOW_FREE);

	int err = machine_load(m, guest_begin, (size_t)(guest_end - guest_begin));

	command->count = command->next = 0;
	return err ? err : guest_restart(m);
}

static uint64_t mode_bits(enum probe_mode mode)
{
	switch (mode) {
	case PROBE_READ_WRITE:
		return COMMAND_WRITE_BIT;
	case PROBE_WRITE_READ:
		return COMMAND_WRITE_BIT | COMMAND_WRITE_FIRST_BIT;
	default:
		return 0;
	}
}

/* Makes the guest step over its page, and records the answer. */
static int guest_skip(struct machine *m, volatile struct command *command, struct seen *seen,
		      enum answer answer)
{
	uint64_t at = command->next;

	if (at >= command->count)
		return -EIO;
	seen[at].answer = answer;
	command->next = at + 1;
	return guest_restart(m);
}

/* Handles an exit in the middle of a row. Returns 0 if the guest is to run again. */
static int guest_stopped(struct machine *m, volatile struct command *command,
			 const struct machine_exit *why, struct seen *seen)
{
	uint64_t at = command->next, page = command->gpa + at * PROBE_PAGE;
	bool here = at < command->count && why->gpa >= page && why->gpa < page + PROBE_PAGE;
	char text[200];

	if (why->kind == MACHINE_MMIO && here) {
		seen[at].answer = ANSWER_MMIO;
		if (!why->is_write)
			machine_answer(&m->vcpu, NOTHING_THERE);
		return 0;
	}
	if (why->kind == MACHINE_MEMORY_FAULT && here)
		return guest_skip(m, command, seen,
				  why->private ? ANSWER_FAULT_PRIVATE : ANSWER_FAULT_SHARED);
	machine_explain(why, text, sizeof(text));
	fprintf(stderr, "the guest stopped at page %llu of %llu: %s\n", (unsigned long long)at,
		(unsigned long long)command->count, text);
	return -EIO;
}

int guest_probe(struct machine *m, uint64_t gpa, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen)
{
	volatile struct command *command = (void *)(m->low + MACHINE_LOW_FREE);
	struct machine_exit why;
	int err;

	if (count > PROBE_MAX)
		return -EINVAL;
	memset(seen, 0, count * sizeof(*seen));
	command->gpa = gpa;
	command->next = 0;
	command->count = count;
	command->stamp = stamp;
	command->mode = mode_bits(mode);

	for (;;) {
		err = machine_run(&m->vcpu, &why);
		if (err == -EINTR)
			continue;
		if (!err && why.kind == MACHINE_OUT && why.port == COMMAND_PORT &&
		    command->next == count)
			break;
		if (err == -EFAULT)
			err = guest_skip(m, command, seen, ANSWER_EFAULT);
		else if (!err)
			err = guest_stopped(m, command, &why, seen);
		if (err)
			return err;
	}
	for (size_t i = 0; i < count; i++)
		if (seen[i].answer == ANSWER_DATA) {
			seen[i].words.first = command->results[i].first;
			seen[i].words.last = command->results[i].last;
		}
	return 0;
}

/* Where a probe continues after a signal, and the page that it touches at the moment. */
static _Thread_local sigjmp_buf host_jump;
static _Thread_local unsigned char *volatile host_page;

static void host_signal(int signo, siginfo_t *info, void *context)
{
	unsigned char *at = info->si_addr, *page = host_page;

	(void)context;
	if (!page || at < page || at >= page + PROBE_PAGE) {
		/* not a probe's signal: it ends the program */
		signal(signo, SIG_DFL);
		return;
	}
	siglongjmp(host_jump, signo);
}

int host_start(void)
{
	/* SA_NODEFER: the jump out of the handler needs to restore no signal mask */
	struct sigaction action = {
		.sa_sigaction = host_signal,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) || sigaction(SIGSEGV, &action, NULL))
		return -errno;
	return 0;
}

static void host_touch(unsigned char *page, enum probe_mode mode, struct words write,
		       struct seen *seen)
{
	volatile uint64_t *first = (void *)page, *last = first + PROBE_PAGE / sizeof(*last) - 1;

	if (mode == PROBE_WRITE_READ)
		*first = write.first;
	seen->words.first = *first;
	seen->words.last = *last;
	if (mode != PROBE_READ) {
		*first = write.first;
		*last = write.last;
	}
}

void host_probe(unsigned char *at, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen)
{
	volatile size_t i = 0;
	int signo = sigsetjmp(host_jump, 0);

	if (signo) {
		seen[i].answer = signo == SIGBUS ? ANSWER_SIGBUS : ANSWER_SIGSEGV;
		i = i + 1;
	}
	for (; i < count; i = i + 1) {
		seen[i].answer = ANSWER_DATA;
		host_page = at + i * PROBE_PAGE;
		host_touch(host_page, mode, probe_written(stamp, i), &seen[i]);
	}
	host_page = NULL;
}

enum answer host_touch_by(unsigned char *page, void (*touch)(unsigned char *page, void *ctx),
			  void *ctx)
{
	int signo = sigsetjmp(host_jump, 0);

	if (!signo) {
		host_page = page;
		touch(page, ctx);
	}
	host_page = NULL;
	return !signo ? ANSWER_DATA : signo == SIGBUS ? ANSWER_SIGBUS : ANSWER_SIGSEGV;
}
