// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * explore.c - runs a program in each way that the memory allows, once
 *
 * An execution is determined by what each load reads and where each store goes in modification
 * order. (The order in which threads run is not a part of it: a program cannot see that.) So the threads run one after
 * another, the lowest number first, each as far as it can, and there is a choice point
 *
 *	at a load	for each message that may be read; and "wait", see below
 *	at a store	for each place in modification order, if there is more than one
 *
 * The choices of an execution are a path from the root of a tree, which is searched depth first.
 * Each path is run from the start: the program is deterministic but for the choices.
 *
 * Waiting. A load must also be offered the messages that are made after it came up. So at a load
 * there is one more choice: none of the messages that are there; wait for another. The other
 * threads then go on. When a message of the location comes, the load has a choice point again,
 * between the new ones and to wait on. To wait is tried only where an execution was seen in which
 *
 *  - a store to the location was made later, by another thread,
 *  - the store does not come after the load in program order and reads-from, and
 *  - the message could have been read by the load: it is newer than the thread's view was.
 *
 * That is enough. Take an execution in which the load reads from a store that is made later. Leave
 * out all that comes after the load in program order and reads-from; the store stays. What is left
 * could happen as well if the load had read a message that was there. The search sees all
 * executions of that kind, this one among them; there it finds the store, and asks for the wait.
 * (With rmws one more step is needed: a load that is part of an rmw can prevent the rmw of another
 * thread from reading the same message. So the second thread's rmw counts before it chooses, and a
 * compare-and-swap counts also where it failed, against loads that were part of rmws.)
 *
 * No execution is seen twice: of two paths that differ, the first choice that differs has a load
 * read from different messages, or puts a store in different places among the same messages. Some
 * paths are abandoned, where a load waits and no message comes ("blocked").
 *
 * A thread that stores nothing belongs last: all messages are there when it runs, and no load of
 * it ever waits.
 *
 * Threads are coroutines. Each has a stack, on which one function waits for work; a thread that is
 * abandoned is resumed at that function.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "machine.h"

#define NODES 4096u
#define STACK (256u << 10)
#define OUTSIDE WEAK_THREADS /* the coroutine of setup() and end() */

struct node {
	uint8_t nr; /* of choices */
	uint8_t choice;
	bool can_wait; /* a load */
	bool want_wait;
	bool waits;
};

struct coroutine {
	void (*run)(void);
	jmp_buf start, resume;
	bool started; /* has run some of its function */
	bool done;
};

static struct node node[NODES];
static unsigned int nr_nodes; /* the path */
static unsigned int at; /* how far this execution followed it */
static bool eager;
static const char *replayed;

static unsigned char stack[WEAK_THREADS + 1][STACK] __attribute__((aligned(64)));
static struct coroutine coroutine[WEAK_THREADS + 1];
static struct coroutine *running;
static jmp_buf scheduler;
static ucontext_t first_scheduler, first_context;

static struct weak_result *result;

/* ---- choices ---- */

/* The choice at node @i that a replay asks for. Where it does not say, the first. */
static unsigned int replayed_choice(unsigned int i)
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
	struct node *c = &node[at];

	if (at == NODES || n >= WEAK_WAIT)
		weak_fail("more choices than the checker has room for");
	if (at == nr_nodes) {
		*c = (struct node) {
			.nr = (uint8_t)n, .can_wait = where, .want_wait = where && eager};
		nr_nodes++;
		if (replayed) {
			const unsigned int choice = replayed_choice(at);

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

/* Moves on to the next path; false: there is none. */
static bool next_path(void)
{
	nr_nodes = at;
	for (; nr_nodes; nr_nodes--) {
		struct node *c = &node[nr_nodes - 1];

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

static void write_choices(char *to, size_t size)
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

static void leave(void)
{
	_longjmp(scheduler, 1);
}

/* Runs on a stack of its own, for all executions. */
static void wait_for_work(void)
{
	struct coroutine *c = running;

	if (!_setjmp(c->start))
		swapcontext(&first_context, &first_scheduler);
	c = running;
	c->run();
	c->done = true;
	leave();
}

static void make_coroutine(struct coroutine *c, unsigned char *p)
{
	running = c;
	getcontext(&first_context);
	first_context.uc_stack.ss_sp = p;
	first_context.uc_stack.ss_size = STACK;
	first_context.uc_link = NULL;
	makecontext(&first_context, wait_for_work, 0);
	swapcontext(&first_scheduler, &first_context);
}

static void make_coroutines(void)
{
	static bool made;

	if (made)
		return;
	for (unsigned int i = 0; i <= WEAK_THREADS; i++)
		make_coroutine(&coroutine[i], stack[i]);
	made = true;
}

static void resume(struct coroutine *c)
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

static void begin(struct coroutine *c, void (*run)(void))
{
	c->run = run;
	c->started = c->done = false;
}

void weak_yield(void)
{
	if (!_setjmp(running->resume))
		leave();
}

static void note_failure(const char *format, va_list args)
{
	result->failed = true;
	vsnprintf(result->why, sizeof(result->why), format, args);
	write_choices(result->choices, sizeof(result->choices));
	leave();
	abort();
}

void weak_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_failure(format, args);
	va_end(args);
	abort();
}

void weak_check(bool ok, const char *format, ...)
{
	va_list args;

	if (ok)
		return;
	va_start(args, format);
	note_failure(format, args);
	va_end(args);
}

/* ---- executions ---- */

static bool run_outside(void (*run)(void))
{
	if (!run)
		return true;
	begin(&coroutine[OUTSIDE], run);
	resume(&coroutine[OUTSIDE]);
	return !result->failed;
}

/* Runs threads until none can go on. */
static void run_threads(void)
{
	for (unsigned int i = 0; i < weak.nr_threads;) {
		struct weak_thread *t = &weak.thread[i];

		if (!weak_can_run(t)) {
			i++;
			continue;
		}
		weak.self = t;
		resume(&coroutine[i]);
		weak.self = NULL;
		if (result->failed)
			return;
		if (coroutine[i].done)
			t->state = WEAK_DONE;
		i = 0;
	}
}

static void deadlock(void)
{
	weak_fail("a deadlock");
}

static void run_once(const struct weak_program *program)
{
	bool all_done = true, waiting = false;

	at = 0;
	weak_memory_reset();
	weak_machine_reset(program->nr_threads);
	weak.describe = program->describe;
	if (!run_outside(program->setup))
		return;
	for (unsigned int i = 0; i < program->nr_threads; i++)
		begin(&coroutine[i], program->thread[i]);
	run_threads();
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
	if (run_outside(all_done ? program->end : deadlock))
		result->executions++;
}

void weak_explore(const struct weak_program *program, uint64_t limit, enum weak_reduction reduction,
		  struct weak_result *r)
{
	make_coroutines();
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
		run_once(program);
	} while (!r->failed && next_path());
}

bool weak_replay(const struct weak_program *program, const char *choices, struct weak_result *r)
{
	if (choices[strspn(choices, "0123456789:,w")])
		return false;
	make_coroutines();
	memset(r, 0, sizeof(*r));
	result = r;
	eager = false;
	replayed = choices;
	weak.tracing = true;
	nr_nodes = 0;
	run_once(program);
	weak.tracing = false;
	return true;
}
