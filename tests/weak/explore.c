// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * explore.c - runs a program once in each way that the memory model allows
 *
 * Two things determine an execution: which message each load reads (a message is a store, as
 * loads see it: see machine.h), and where each store goes in modification order. The order in
 * which threads run does not determine it, because a program cannot see that order. So the
 * threads run one after another, the lowest number first, each as far as it can. There is a
 * choice point
 *
 *	at a load	with a choice for each message that may be read, and "wait" (see below)
 *	at a store	with a choice for each place in modification order, if there are several
 *
 * The choices of an execution are a path from the root of a tree. The tree is searched depth
 * first. Each path is run from the start: except for the choices, the program is deterministic.
 *
 * Waiting. A load may also read a message that is made after the thread has come to the load. So a
 * load has one more choice: to wait for another message. The other threads then go on. When a
 * message of the location comes, the load has a choice point again: the new messages, and "wait".
 * Except with WEAK_EAGER and in a replay, "wait" is tried only if an execution was seen in which
 *
 *  - another thread made a store to the location later,
 *  - no chain of program order and reads-from leads from the load to the store, and
 *  - the load could have read the store's message: in modification order it is newer than the
 *    oldest message that the load was allowed to read.
 *
 * It is enough to wait under these three conditions: no result is missed. Proof. Take an
 * execution in which the load reads from a store that is made later. Program order and reads-from
 * have no cycle, so no chain of them leads from the load to the store. Leave out every event that
 * such a chain reaches from the load. The load and the store stay. The events that stay do not
 * depend on what the load reads. So they are also in an execution in which the load reads a
 * message that already existed when the loading thread came to the load. Then let the threads
 * whose events were left out go on to their ends. Each of their loads reads a message that exists
 * when its thread comes to that load. In this new execution fewer loads read a message that is
 * made later. By induction on the number of such loads, the search sees it. In it the store is
 * made, the three conditions hold, and the search tries the wait.
 *
 * Rmws need two more rules, because only one rmw can read a given message.
 *
 *  - If the store is part of an rmw, that rmw may read a different message when the load waits.
 *    So for the store of an rmw the second condition ignores a chain whose last step is the
 *    reads-from into that rmw.
 *  - If the load is part of an rmw, that rmw may have taken the message that a compare-and-swap
 *    of another thread needed. So a compare-and-swap that failed counts as a store. It has no
 *    message, so the third condition does not apply to it.
 *
 * No execution is seen twice. At the choice point that separates two paths, a load reads a
 * different message in each, or a store takes a different place among the same messages. A load
 * that waits reads a message made after the choice point, which no other choice there can read. A
 * path is abandoned ("blocked") if a load waits and no message comes.
 *
 * A thread that stores nothing should have the highest number: all messages exist when it runs,
 * and its loads never wait, except with WEAK_EAGER.
 *
 * Threads are coroutines. Each has a stack, on which one function waits for work. If a thread is
 * abandoned, its coroutine starts again in that function in the next execution.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "machine.h"

#define EXPLORE_NODES 4096u
#define EXPLORE_STACK (256u << 10)
#define EXPLORE_OUTSIDE WEAK_THREADS /* the coroutine of setup() and end() */

struct explore_node {
	uint8_t nr; /* of choices */
	uint8_t choice;
	bool can_wait; /* the choice point of a load */
	bool want_wait;
	bool waits;
};

struct explore_coroutine {
	void (*run)(void);
	jmp_buf start, resume;
	bool started; /* has run some of its function */
	bool done;
};

static struct explore_node node[EXPLORE_NODES];
static unsigned int nr_nodes; /* of the path */
static unsigned int at; /* number of nodes that this execution has passed */
static bool eager;
static const char *replayed;

static unsigned char stack[WEAK_THREADS + 1][EXPLORE_STACK] __attribute__((aligned(64)));
static struct explore_coroutine coroutine[WEAK_THREADS + 1];
static struct explore_coroutine *running;
static jmp_buf scheduler;
static ucontext_t first_scheduler, first_context;

static struct weak_result *result;

/* ---- choices ---- */

/* Returns the choice that a replay names for node @i, or 0, the first choice, if it names none. */
static unsigned int explore_replayed_choice(unsigned int i)
{
	const char *p = replayed;

	while (p && *p) {
		char *end;
		const unsigned long index = strtoul(p, &end, 10);

		if (index == i && *end == ':')
			return end[1] == 'w' ? WEAK_WAIT : (unsigned int)strtoul(end + 1, NULL, 10);
		p = strchr(end, ',');
		p = p ? p + 1 : NULL;
	}
	return 0;
}

unsigned int weak_choose(unsigned int n, uint16_t *where)
{
	struct explore_node *c = &node[at];

	if (at == EXPLORE_NODES || n >= WEAK_WAIT)
		weak_fail("the checker has no room for more choices");
	if (at == nr_nodes) {
		*c = (struct explore_node) {
			.nr = (uint8_t)n, .can_wait = where, .want_wait = where && eager};
		nr_nodes++;
		if (replayed) {
			const unsigned int choice = explore_replayed_choice(at);

			c->waits = choice == WEAK_WAIT;
			c->choice = c->waits || choice >= n ? 0 : (uint8_t)choice;
		}
	}
	if (c->nr != n || c->can_wait != (where != NULL))
		weak_fail("the program is not deterministic");
	if (where)
		*where = (uint16_t)at;
	at++;
	return c->waits ? WEAK_WAIT : c->choice;
}

void weak_want_wait(uint16_t where)
{
	node[where].want_wait = true;
}

/* Moves on to the next path. Returns false if there is none. */
static bool explore_next_path(void)
{
	nr_nodes = at;
	for (; nr_nodes; nr_nodes--) {
		struct explore_node *c = &node[nr_nodes - 1];

		if (!c->waits && c->choice + 1u < c->nr) {
			c->choice++;
			return true;
		}
		if (!c->waits && c->want_wait) {
			c->waits = true;
			return true;
		}
	}
	return false;
}

static void explore_write_choices(char *to, size_t size)
{
	size_t length = 0;

	to[0] = '\0';
	for (unsigned int i = 0; i < at && length + 16 < size; i++) {
		if (!node[i].waits && !node[i].choice)
			continue;
		length +=
			(size_t)snprintf(to + length, size - length, "%s%u:", length ? "," : "", i);
		if (node[i].waits)
			length += (size_t)snprintf(to + length, size - length, "w");
		else
			length +=
				(size_t)snprintf(to + length, size - length, "%u", node[i].choice);
	}
	if (!length)
		snprintf(to, size, "0:0");
}

/* ---- coroutines ---- */

static void explore_leave(void)
{
	_longjmp(scheduler, 1);
}

/*
 * The function of a coroutine, on a stack of its own. In each execution explore_resume() jumps to
 * c->start, and the function then calls run(): a thread, setup() or end().
 */
static void explore_wait_for_work(void)
{
	struct explore_coroutine *c = running;

	if (!_setjmp(c->start))
		swapcontext(&first_context, &first_scheduler);
	c = running;
	c->run();
	c->done = true;
	explore_leave();
}

static void explore_make_coroutine(struct explore_coroutine *c, unsigned char *p)
{
	running = c;
	getcontext(&first_context);
	first_context.uc_stack.ss_sp = p;
	first_context.uc_stack.ss_size = EXPLORE_STACK;
	first_context.uc_link = NULL;
	makecontext(&first_context, explore_wait_for_work, 0);
	swapcontext(&first_scheduler, &first_context);
}

static void explore_make_coroutines(void)
{
	static bool made;

	if (made)
		return;
	for (unsigned int i = 0; i <= WEAK_THREADS; i++)
		explore_make_coroutine(&coroutine[i], stack[i]);
	made = true;
}

static void explore_resume(struct explore_coroutine *c)
{
	running = c;
	if (!_setjmp(scheduler)) {
		if (c->started)
			_longjmp(c->resume, 1);
		c->started = true;
		_longjmp(c->start, 1);
	}
	running = NULL;
}

static void explore_begin(struct explore_coroutine *c, void (*run)(void))
{
	c->run = run;
	c->started = c->done = false;
}

void weak_yield(void)
{
	if (!_setjmp(running->resume))
		explore_leave();
}

static void explore_note_failure(const char *format, va_list args)
{
	result->failed = true;
	vsnprintf(result->why, sizeof(result->why), format, args);
	explore_write_choices(result->choices, sizeof(result->choices));
	explore_leave();
	abort();
}

void weak_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	explore_note_failure(format, args);
	va_end(args);
	abort();
}

void weak_check(bool ok, const char *format, ...)
{
	va_list args;

	if (ok)
		return;
	va_start(args, format);
	explore_note_failure(format, args);
	va_end(args);
}

/* ---- executions ---- */

static bool explore_run_outside(void (*run)(void))
{
	if (!run)
		return true;
	explore_begin(&coroutine[EXPLORE_OUTSIDE], run);
	explore_resume(&coroutine[EXPLORE_OUTSIDE]);
	return !result->failed;
}

/* Runs threads until no thread can go on. */
static void explore_run_threads(void)
{
	for (unsigned int i = 0; i < weak.nr_threads;) {
		struct weak_thread *t = &weak.thread[i];

		if (!weak_can_run(t)) {
			i++;
			continue;
		}
		weak.self = t;
		explore_resume(&coroutine[i]);
		weak.self = NULL;
		if (result->failed)
			return;
		if (coroutine[i].done)
			t->state = WEAK_DONE;
		i = 0;
	}
}

static void explore_deadlock(void)
{
	weak_fail("deadlock");
}

static void explore_run_once(const struct weak_program *program)
{
	bool all_done = true, waiting = false;

	at = 0;
	weak_memory_reset();
	weak_machine_reset(program->nr_threads);
	weak.describe = program->describe;
	if (!explore_run_outside(program->setup))
		return;
	for (unsigned int i = 0; i < program->nr_threads; i++)
		explore_begin(&coroutine[i], program->thread[i]);
	explore_run_threads();
	if (result->failed)
		return;
	for (unsigned int i = 0; i < program->nr_threads; i++) {
		all_done &= weak.thread[i].state == WEAK_DONE;
		waiting |= weak.thread[i].state == WEAK_WAITING;
	}
	if (waiting) {
		result->blocked++;
		return;
	}
	if (explore_run_outside(all_done ? program->end : explore_deadlock))
		result->executions++;
}

void weak_explore(const struct weak_program *program, uint64_t limit, enum weak_reduction reduction,
		  struct weak_result *r)
{
	explore_make_coroutines();
	memset(r, 0, sizeof(*r));
	result = r;
	eager = reduction == WEAK_EAGER;
	replayed = NULL;
	weak.tracing = false;
	nr_nodes = 0;
	do {
		if (r->executions + r->blocked == limit) {
			r->bounded = true;
			return;
		}
		explore_run_once(program);
	} while (!r->failed && explore_next_path());
}

bool weak_replay(const struct weak_program *program, const char *choices, struct weak_result *r)
{
	if (choices[strspn(choices, "0123456789:,w")])
		return false;
	explore_make_coroutines();
	memset(r, 0, sizeof(*r));
	result = r;
	eager = false;
	replayed = choices;
	weak.tracing = true;
	nr_nodes = 0;
	explore_run_once(program);
	weak.tracing = false;
	return true;
}
