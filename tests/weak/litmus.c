// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * litmus.c - the classic litmus tests: the machine must allow their outcomes, and no others
 *
 * A thread is a list of accesses, with blanks between them:
 *
 *	x=1	store			x	load
 *	x+1	add (an rmw)		x?01	compare-and-swap, from 0 to 1
 *	F	fence
 *
 * Each is followed by its order: nothing for relaxed, a for acquire, r for release, ar for both.
 * An outcome lists the values that all loads and rmws found, in the order of threads; after a bar,
 * if there is one, the last values of x and y. A test lists all of its outcomes.
 */
#include <stdio.h>
#include <string.h>

#include "litmus.h"
#include "machine.h"

uint64_t litmus_value[LITMUS_THREADS * LITMUS_OPS];
unsigned int litmus_source[LITMUS_THREADS * LITMUS_OPS];
unsigned int litmus_nr_values;

static const struct litmus *current;
static uint64_t var[LITMUS_VARS];
/* By thread and op; 0 if the op is no load. */
static uint64_t read_value[LITMUS_THREADS][LITMUS_OPS];
static unsigned int read_source[LITMUS_THREADS][LITMUS_OPS];
static void (*after)(void);

/*
 * Returns the number of a store, as in litmus_source. Each access and fence of a thread is one
 * event.
 */
static unsigned int litmus_store_of(const struct weak_message *m)
{
	return m->thread == WEAK_SETUP ? 0 : 1 + m->thread * LITMUS_OPS + m->event - 1;
}

static void litmus_run_thread(unsigned int t)
{
	for (unsigned int i = 0; i < current->nr_ops[t]; i++) {
		const struct litmus_op *op = &current->op[t][i];
		uint64_t *p = &var[op->var];

		switch (op->op) {
		case WEAK_LOAD:
			read_value[t][i] = weak_get(p, op->order);
			break;
		case WEAK_ADD:
			read_value[t][i] = weak_add(p, sizeof(*p), op->value, op->order, NULL);
			break;
		case WEAK_CMPXCHG:
			read_value[t][i] =
				weak_cmpxchg(p, sizeof(*p), op->old, op->value, op->order, NULL);
			break;
		case WEAK_STORE:
			weak_set(p, op->value, op->order);
			continue;
		default:
			weak_fence(op->order, NULL);
			continue;
		}
		read_source[t][i] = litmus_store_of(&weak.message[weak.last_read]);
	}
}

static void litmus_thread0(void)
{
	litmus_run_thread(0);
}

static void litmus_thread1(void)
{
	litmus_run_thread(1);
}

static void litmus_thread2(void)
{
	litmus_run_thread(2);
}

static void litmus_thread3(void)
{
	litmus_run_thread(3);
}

static void litmus_setup(void)
{
	memset(var, 0, sizeof(var));
}

static void litmus_end(void)
{
	litmus_nr_values = 0;
	for (unsigned int t = 0; t < current->nr_threads; t++)
		for (unsigned int i = 0; i < current->nr_ops[t]; i++) {
			const enum weak_op op = current->op[t][i].op;

			if (op == WEAK_STORE || op == WEAK_FENCE)
				continue;
			litmus_value[litmus_nr_values] = read_value[t][i];
			litmus_source[litmus_nr_values++] = read_source[t][i];
		}
	after();
}

unsigned int litmus_order(unsigned int v, unsigned int *stores)
{
	for (unsigned int i = 0; i < weak.nr_locations; i++) {
		const struct weak_location *l = &weak.location[i];

		if ((void *)l->p != &var[v])
			continue;
		for (unsigned int pos = 1; pos < l->nr; pos++)
			stores[pos - 1] = litmus_store_of(&weak.message[l->order[pos]]);
		return l->nr - 1u;
	}
	return 0;
}

uint64_t litmus_final(unsigned int v)
{
	return var[v];
}

struct weak_program litmus_program(const char *name, const struct litmus *litmus,
				   void (*end_of)(void))
{
	current = litmus;
	after = end_of;
	return (struct weak_program) {
		.name = name,
		.nr_threads = litmus->nr_threads,
		.setup = litmus_setup,
		.thread = {litmus_thread0, litmus_thread1, litmus_thread2, litmus_thread3},
		.end = litmus_end};
}

/* ---- the classics ---- */

/* clang-format off */
static const struct litmus_classic {
	const char *name;
	const char *thread[LITMUS_THREADS];
	const char *outcomes;
	unsigned int executions; /* 0: not checked */
} classics[] = {
	{"MP, relaxed", {"x=1 y=1", "y x"},
	 "00 01 10 11", 4},
	{"MP, release only", {"x=1 y=1r", "y x"},
	 "00 01 10 11", 4},
	{"MP, acquire only", {"x=1 y=1", "ya x"},
	 "00 01 10 11", 4},
	{"MP, release and acquire", {"x=1 y=1r", "ya x"},
	 "00 01 11", 3},
	{"MP, fences", {"x=1 Fr y=1", "y Fa x"},
	 "00 01 11", 3},
	{"MP, release fence and acquire", {"x=1 Fr y=1", "ya x"},
	 "00 01 11", 3},
	{"MP, release and acquire fence", {"x=1 y=1r", "y Fa x"},
	 "00 01 11", 3},
	{"MP, release fence too late", {"x=1 y=1 Fr", "ya x"},
	 "00 01 10 11", 4},
	{"MP, acquire fence too early", {"x=1 y=1r", "Fa y x"},
	 "00 01 10 11", 4},
	{"SB", {"x=1r ya", "y=1r xa"},
	 "00 01 10 11", 4},
	{"LB is excluded", {"x y=1", "y x=1"},
	 "00 01 10", 3},
	{"CoRR", {"x=1 x=2", "x x"},
	 "00 01 02 11 12 22", 6},
	{"CoRR of two writers", {"x=1", "x=2", "x x", "x x"},
	 "0000 0001 0002 0011 0012 0021 0022 0100 0101 0102 0111 0112 0121 0122 0200 0201 0202 "
	 "0211 0212 0221 0222 1100 1101 1102 1111 1112 1121 1122 1200 1201 1202 1211 1212 1222 "
	 "2100 2101 2102 2111 2121 2122 2200 2201 2202 2211 2212 2221 2222", 0},
	{"CoWR", {"x=1 x", "x=2"},
	 "1 2", 3},
	{"CoRW", {"x x=1", "x=2"},
	 "0|20 0|10 2|10", 3},
	{"CoWW", {"x=1 x=2", "x"},
	 "0|20 1|20 2|20", 3},
	{"IRIW", {"x=1r", "y=1r", "xa ya", "ya xa"},
	 "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101 1110 1111", 16},
	{"2+2W", {"x=1 y=2", "y=1 x=2"},
	 "|11 |12 |21 |22", 4},
	{"2+2W, release", {"x=1r y=2r", "y=1r x=2r"},
	 "|11 |12 |21 |22", 4},
	{"release sequence through an rmw", {"x=1 y=1r", "y+1", "ya x"},
	 "000 001 010 011 100 101 111 121", 0},
	{"release sequence broken by a store", {"x=1 y=1r y=2", "ya x"},
	 "00 01 11 20 21", 5},
	{"release sequence mended by a fence", {"x=1 y=1r Fr y=2", "ya x"},
	 "00 01 11 21", 4},
	{"release sequence broken by a store of another thread", {"x=1 y=1r", "y=2", "ya x"},
	 "00 01 11 20 21", 0},
	{"ISA2", {"x=1 y=1r", "ya z=1r", "za x"},
	 "000 001 010 011 100 101 111", 0},
	{"ISA2, a relaxed store between", {"x=1 y=1r", "ya z=1", "za x"},
	 "000 001 010 011 100 101 110 111", 8},
	{"WRC", {"x=1", "x y=1r", "ya x"},
	 "000 001 010 011 100 101 111", 0},
	{"WRC, relaxed", {"x=1", "x y=1", "y x"},
	 "000 001 010 011 100 101 110 111", 8},
	{"adds are atomic", {"x+1", "x+1", "x+1"},
	 "012 021 102 120 201 210", 6},
	{"adds and a store", {"x+1", "x+1", "x=5"},
	 "01|50 10|50 05|60 50|60 56|70 65|70", 6},
	{"one compare-and-swap wins", {"x?01", "x?02"},
	 "01 20", 2},
	{"a compare-and-swap that fails acquires", {"y=1 x?01r", "x?02a y"},
	 "011 200 201", 3},
};
/* clang-format on */

static bool litmus_parse_op(const char **p, struct litmus_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op = **p == 'F' ? WEAK_FENCE : WEAK_LOAD;
	if (**p != 'F')
		op->var = (uint8_t)(**p - 'x');
	++*p;
	if (**p == '=' || **p == '+') {
		op->op = **p == '=' ? WEAK_STORE : WEAK_ADD;
		op->value = (uint8_t)((*p)[1] - '0');
		*p += 2;
	}
	if (**p == '?') {
		op->op = WEAK_CMPXCHG;
		op->old = (uint8_t)((*p)[1] - '0');
		op->value = (uint8_t)((*p)[2] - '0');
		*p += 3;
	}
	for (; **p == 'a' || **p == 'r'; ++*p)
		op->order |= **p == 'a' ? WEAK_ACQUIRE : WEAK_RELEASE;
	while (**p == ' ')
		++*p;
	return op->var < LITMUS_VARS;
}

static bool litmus_parse(const struct litmus_classic *c, struct litmus *l)
{
	memset(l, 0, sizeof(*l));
	for (const char *p; l->nr_threads < LITMUS_THREADS; l->nr_threads++) {
		const unsigned int t = l->nr_threads;

		p = c->thread[t];
		if (!p)
			return true;
		while (*p)
			if (l->nr_ops[t] == LITMUS_OPS ||
			    !litmus_parse_op(&p, &l->op[t][l->nr_ops[t]++]))
				return false;
	}
	return true;
}

static const struct litmus_classic *test;
static char outcomes[64][24];
static unsigned int nr_outcomes;

static void litmus_note_outcome(void)
{
	char s[24];
	unsigned int n = 0;

	for (; n < litmus_nr_values; n++)
		s[n] = (char)('0' + litmus_value[n]);
	if (strchr(test->outcomes, '|')) {
		s[n++] = '|';
		s[n++] = (char)('0' + litmus_final(0));
		s[n++] = (char)('0' + litmus_final(1));
	}
	s[n] = '\0';
	for (unsigned int i = 0; i < nr_outcomes; i++)
		if (!strcmp(outcomes[i], s))
			return;
	weak_check(nr_outcomes < 64, "the test has no room for more outcomes");
	strcpy(outcomes[nr_outcomes++], s);
}

/* Returns true if every word of @words is an outcome, and every outcome a word. */
static bool litmus_compare(const char *words)
{
	bool seen[64] = {false}, ok = true;
	char word[24];
	int n;

	for (; sscanf(words, "%23s%n", word, &n) == 1; words += n) {
		unsigned int i = 0;

		while (i < nr_outcomes && strcmp(outcomes[i], word))
			i++;
		if (i < nr_outcomes) {
			seen[i] = true;
			continue;
		}
		printf("%s: %s was not seen\n", test->name, word);
		ok = false;
	}
	for (unsigned int i = 0; i < nr_outcomes; i++) {
		if (seen[i])
			continue;
		printf("%s: %s was seen\n", test->name, outcomes[i]);
		ok = false;
	}
	return ok;
}

static bool litmus_run_classic(const struct litmus_classic *c)
{
	struct weak_program program;
	struct weak_result lazy, eager;
	struct litmus litmus;
	bool ok = litmus_parse(c, &litmus);

	test = c;
	nr_outcomes = 0;
	program = litmus_program(c->name, &litmus, litmus_note_outcome);
	weak_explore(&program, UINT64_MAX, WEAK_REDUCED, &lazy);
	weak_explore(&program, UINT64_MAX, WEAK_EAGER, &eager);
	if (lazy.failed) {
		printf("%s: %s\n", c->name, lazy.why);
		ok = false;
	}
	if (lazy.executions != eager.executions) {
		printf("%s: %llu executions, but %llu without the reduction\n", c->name,
		       (unsigned long long)lazy.executions, (unsigned long long)eager.executions);
		ok = false;
	}
	if (c->executions && lazy.executions != c->executions) {
		printf("%s: %llu executions, not %u\n", c->name,
		       (unsigned long long)lazy.executions, c->executions);
		ok = false;
	}
	return litmus_compare(c->outcomes) && ok;
}

bool litmus_classics(void)
{
	bool ok = true;

	for (size_t i = 0; i < sizeof(classics) / sizeof(*classics); i++)
		ok &= litmus_run_classic(&classics[i]);
	printf("litmus: %zu classics\n", sizeof(classics) / sizeof(*classics));
	return ok;
}
