// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * axioms.c - compares the machine with the axioms, on random programs
 *
 * RC11 is defined by axioms over graphs. This file makes all graphs of a straight-line program by
 * brute force: each load reads from every store to its variable, and the stores to each variable
 * come in every order.
 * The machine must produce exactly the graphs that the axioms allow, each of them once. This
 * checks that machine.c is right, and that explore.c leaves out no execution.
 *
 *	sw	begins at a release store, or at a release fence before a store. It goes on
 *		through rmws, each of which reads from the one before. It ends at an acquire load,
 *		or at an acquire fence behind a load, where the load reads from the last of them.
 *	hb	program order and sw, transitively. Initial values come first.
 *	rb	goes from a load to the stores after the one that the load reads from
 *	eco	reads-from, modification order and rb, transitively
 *
 *	Coherence	hb is irreflexive, and so is hb followed by eco
 *	Atomicity	an rmw is in modification order right behind the store that it reads from
 *	No thin air	program order and reads-from have no cycle
 *
 * An rmw is one event, which loads and stores.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litmus.h"

#define AXIOMS_EVENTS 12u /* the initial stores included */
#define AXIOMS_GRAPHS 65536u

struct axioms_event {
	enum weak_op op;
	enum weak_order order;
	unsigned int var;
	unsigned int thread; /* LITMUS_THREADS: initial */
	unsigned int name; /* as in litmus_source */
	unsigned int value, old;
	bool succeeds; /* WEAK_CMPXCHG: assumed at first, then checked */
};

typedef bool axioms_relation[AXIOMS_EVENTS][AXIOMS_EVENTS];

static struct axioms_event event[AXIOMS_EVENTS];
static unsigned int nr_events;
static unsigned int from[AXIOMS_EVENTS]; /* the store that a load reads from */
static unsigned int order[LITMUS_VARS][AXIOMS_EVENTS], nr_order[LITMUS_VARS];
static axioms_relation hb, eco, porf;

static uint64_t allowed[AXIOMS_GRAPHS], seen[AXIOMS_GRAPHS];
static unsigned int nr_allowed, nr_seen;

static bool axioms_loads(unsigned int e)
{
	return event[e].op != WEAK_STORE && event[e].op != WEAK_FENCE;
}

static bool axioms_stores(unsigned int e)
{
	return event[e].op == WEAK_STORE || event[e].op == WEAK_ADD || event[e].succeeds;
}

static void axioms_close(axioms_relation r)
{
	for (unsigned int k = 0; k < nr_events; k++)
		for (unsigned int i = 0; i < nr_events; i++)
			for (unsigned int j = 0; r[i][k] && j < nr_events; j++)
				r[i][j] |= r[k][j];
}

static bool axioms_po(unsigned int a, unsigned int b)
{
	if (event[a].thread == LITMUS_THREADS)
		return event[b].thread != LITMUS_THREADS;
	return event[a].thread == event[b].thread && a < b;
}

static bool axioms_is_fence(unsigned int e, enum weak_order part)
{
	return event[e].op == WEAK_FENCE && event[e].order & part;
}

/*
 * Load @r reads from store @w. Adds sw from @w, and from the fences before @w, to @r and to the
 * fences behind @r.
 */
static void axioms_add_sw(unsigned int w, unsigned int r)
{
	for (unsigned int a = 0; a < nr_events; a++) {
		if (!(a == w && event[a].order & WEAK_RELEASE) &&
		    !(axioms_is_fence(a, WEAK_RELEASE) && axioms_po(a, w)))
			continue;
		for (unsigned int b = 0; b < nr_events; b++)
			if ((b == r && event[b].order & WEAK_ACQUIRE) ||
			    (axioms_is_fence(b, WEAK_ACQUIRE) && axioms_po(r, b)))
				hb[a][b] = true;
	}
}

static void axioms_make_hb(void)
{
	for (unsigned int i = 0; i < nr_events; i++)
		for (unsigned int j = 0; j < nr_events; j++)
			hb[i][j] = porf[i][j] = axioms_po(i, j);
	for (unsigned int r = 0; r < nr_events; r++) {
		if (!axioms_loads(r))
			continue;
		porf[from[r]][r] = true;
		/* Goes back along the release sequence. A cycle of reads-from shows up in porf. */
		for (unsigned int w = from[r], n = 0; n < nr_events; w = from[w], n++) {
			axioms_add_sw(w, r);
			if (!axioms_loads(w))
				break;
		}
	}
	axioms_close(hb);
	axioms_close(porf);
}

static unsigned int axioms_place_of(unsigned int store)
{
	const unsigned int v = event[store].var;

	for (unsigned int i = 0; i < nr_order[v]; i++)
		if (order[v][i] == store)
			return i;
	abort();
}

static void axioms_make_eco(void)
{
	memset(eco, 0, sizeof(eco));
	for (unsigned int v = 0; v < LITMUS_VARS; v++)
		for (unsigned int i = 0; i < nr_order[v]; i++)
			for (unsigned int j = i + 1; j < nr_order[v]; j++)
				eco[order[v][i]][order[v][j]] = true;
	for (unsigned int r = 0; r < nr_events; r++) {
		if (!axioms_loads(r))
			continue;
		eco[from[r]][r] = true;
		for (unsigned int w = 0; w < nr_events; w++)
			if (axioms_stores(w) && event[w].var == event[r].var && w != r &&
			    axioms_place_of(w) > axioms_place_of(from[r]))
				eco[r][w] = true;
	}
	axioms_close(eco);
}

/* Returns the value that a store writes. The caller has excluded cycles of reads-from. */
static unsigned int axioms_value_of(unsigned int store)
{
	if (event[store].op == WEAK_ADD)
		return axioms_value_of(from[store]) + event[store].value;
	return event[store].value;
}

static bool axioms_is_allowed(void)
{
	for (unsigned int e = 0; e < nr_events; e++)
		if (axioms_loads(e) && axioms_stores(e) &&
		    axioms_place_of(e) != axioms_place_of(from[e]) + 1)
			return false;
	axioms_make_hb();
	axioms_make_eco();
	for (unsigned int i = 0; i < nr_events; i++) {
		if (hb[i][i] || porf[i][i])
			return false;
		for (unsigned int j = 0; j < nr_events; j++)
			if (hb[i][j] && eco[j][i])
				return false;
	}
	for (unsigned int e = 0; e < nr_events; e++)
		if (event[e].op == WEAK_CMPXCHG &&
		    (axioms_value_of(from[e]) == event[e].old) != event[e].succeeds)
			return false;
	return true;
}

/* ---- a graph as a number: what each load reads, then each modification order ---- */

static uint64_t axioms_append(uint64_t graph, unsigned int name)
{
	return graph * 31 + name;
}

static void axioms_note_allowed(void)
{
	uint64_t graph = 0;

	if (!axioms_is_allowed())
		return;
	for (unsigned int e = 0; e < nr_events; e++)
		if (axioms_loads(e))
			graph = axioms_append(graph, event[from[e]].name);
	for (unsigned int v = 0; v < LITMUS_VARS; v++)
		for (unsigned int i = 1; i < nr_order[v]; i++)
			graph = axioms_append(graph, event[order[v][i]].name);
	if (nr_allowed < AXIOMS_GRAPHS)
		allowed[nr_allowed++] = graph;
}

static void axioms_note_seen(void)
{
	uint64_t graph = 0;

	for (unsigned int i = 0; i < litmus_nr_values; i++)
		graph = axioms_append(graph, litmus_source[i]);
	for (unsigned int v = 0; v < LITMUS_VARS; v++) {
		unsigned int found[AXIOMS_EVENTS];
		const unsigned int n = litmus_order(v, found);

		for (unsigned int i = 0; i < n; i++)
			graph = axioms_append(graph, found[i]);
	}
	if (nr_seen < AXIOMS_GRAPHS)
		seen[nr_seen++] = graph;
}

/* ---- all graphs ---- */

static void axioms_choose_sources(unsigned int e)
{
	while (e < nr_events && !axioms_loads(e))
		e++;
	if (e == nr_events) {
		axioms_note_allowed();
		return;
	}
	for (unsigned int w = 0; w < nr_events; w++) {
		if (w == e || !axioms_stores(w) || event[w].var != event[e].var)
			continue;
		from[e] = w;
		axioms_choose_sources(e + 1);
	}
}

static void axioms_choose_order(unsigned int v, unsigned int done)
{
	if (v == LITMUS_VARS) {
		axioms_choose_sources(0);
		return;
	}
	if (done == nr_order[v]) {
		axioms_choose_order(v + 1, 1);
		return;
	}
	for (unsigned int i = done; i < nr_order[v]; i++) {
		const unsigned int a = order[v][done], b = order[v][i];

		order[v][done] = b;
		order[v][i] = a;
		axioms_choose_order(v, done + 1);
		order[v][done] = a;
		order[v][i] = b;
	}
}

static int axioms_compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Bit i of @succeeds says that compare-and-swap i succeeds. Returns the number of these. */
static unsigned int axioms_make_events(const struct litmus *l, unsigned int succeeds)
{
	unsigned int nr_swaps = 0;

	nr_events = 0;
	for (unsigned int v = 0; v < LITMUS_VARS; v++) {
		event[nr_events] = (struct axioms_event) {
			.op = WEAK_STORE, .var = v, .thread = LITMUS_THREADS, .name = 0};
		nr_order[v] = 1;
		order[v][0] = nr_events++;
	}
	for (unsigned int t = 0; t < l->nr_threads; t++)
		for (unsigned int i = 0; i < l->nr_ops[t]; i++) {
			const struct litmus_op *op = &l->op[t][i];

			event[nr_events] = (struct axioms_event) {.op = op->op,
								  .order = op->order,
								  .var = op->var,
								  .thread = t,
								  .name = 1 + t * LITMUS_OPS + i,
								  .value = op->value,
								  .old = op->old};
			if (op->op == WEAK_CMPXCHG)
				event[nr_events].succeeds = succeeds >> nr_swaps++ & 1;
			if (axioms_stores(nr_events))
				order[op->var][nr_order[op->var]++] = nr_events;
			nr_events++;
		}
	return nr_swaps;
}

static void axioms_make_graphs(const struct litmus *l)
{
	const unsigned int nr_swaps = axioms_make_events(l, 0);

	nr_allowed = 0;
	for (unsigned int succeeds = 0; succeeds < 1U << nr_swaps; succeeds++) {
		axioms_make_events(l, succeeds);
		axioms_choose_order(0, 1);
	}
	qsort(allowed, nr_allowed, sizeof(*allowed), axioms_compare);
}

/* ---- random programs ---- */

static uint64_t axioms_random_state;

static unsigned int axioms_below(unsigned int n)
{
	axioms_random_state ^= axioms_random_state << 13;
	axioms_random_state ^= axioms_random_state >> 7;
	axioms_random_state ^= axioms_random_state << 17;
	return (unsigned int)(axioms_random_state >> 33) % n;
}

static struct litmus_op axioms_random_op(unsigned int vars)
{
	static const enum weak_order load[] = {WEAK_RELAXED, WEAK_ACQUIRE};
	static const enum weak_order store[] = {WEAK_RELAXED, WEAK_RELEASE};
	struct litmus_op op = {.var = (uint8_t)axioms_below(vars),
			       .value = (uint8_t)(1 + axioms_below(2))};

	switch (axioms_below(8)) {
	case 0:
		op.op = WEAK_FENCE;
		op.order = (enum weak_order)(1 + axioms_below(3));
		op.var = op.value = 0;
		break;
	case 1:
		op.op = WEAK_CMPXCHG;
		op.order = (enum weak_order)axioms_below(4);
		op.old = (uint8_t)axioms_below(3);
		break;
	case 2:
		op.op = WEAK_ADD;
		op.order = (enum weak_order)axioms_below(4);
		break;
	case 3:
	case 4:
		op.op = WEAK_STORE;
		op.order = store[axioms_below(2)];
		break;
	default:
		op.op = WEAK_LOAD;
		op.value = 0;
		op.order = load[axioms_below(2)];
	}
	return op;
}

static void axioms_random_litmus(struct litmus *l)
{
	unsigned int ops = 5 + axioms_below(3), vars = 1 + axioms_below(3);

	memset(l, 0, sizeof(*l));
	l->nr_threads = 2 + axioms_below(3);
	for (unsigned int i = 0; i < ops; i++) {
		const unsigned int t = i < l->nr_threads ? i : axioms_below(l->nr_threads);

		if (l->nr_ops[t] < LITMUS_OPS)
			l->op[t][l->nr_ops[t]++] = axioms_random_op(vars);
	}
}

static void axioms_print(const struct litmus *l)
{
	static const char *const order_name[] = {"", "a", "r", "ar"};

	for (unsigned int t = 0; t < l->nr_threads; t++) {
		printf("  T%u:", t);
		for (unsigned int i = 0; i < l->nr_ops[t]; i++) {
			const struct litmus_op *op = &l->op[t][i];
			static const char *const name[] = {[WEAK_LOAD] = "",
							   [WEAK_STORE] = "=",
							   [WEAK_ADD] = "+",
							   [WEAK_CMPXCHG] = "?"};

			if (op->op == WEAK_FENCE)
				printf(" F");
			else
				printf(" %c%s", 'x' + op->var, name[op->op]);
			if (op->op == WEAK_CMPXCHG)
				printf("%u", op->old);
			if (op->value)
				printf("%u", op->value);
			printf("%s", order_name[op->order]);
		}
		printf("\n");
	}
}

static bool axioms_agree(const struct litmus *l, enum weak_reduction reduction)
{
	struct weak_program program = litmus_program("random", l, axioms_note_seen);
	struct weak_result result;

	nr_seen = 0;
	weak_explore(&program, UINT64_MAX, reduction, &result);
	qsort(seen, nr_seen, sizeof(*seen), axioms_compare);
	if (!result.failed && nr_seen < AXIOMS_GRAPHS && nr_allowed < AXIOMS_GRAPHS &&
	    nr_seen == nr_allowed && !memcmp(seen, allowed, nr_seen * sizeof(*seen)))
		return true;
	printf("random: %u graphs, of which the axioms allow %u %s\n", nr_seen, nr_allowed,
	       result.failed ? result.why : "");
	axioms_print(l);
	return false;
}

bool litmus_random(unsigned int rounds)
{
	uint64_t graphs = 0;

	axioms_random_state = 0x9e3779b97f4a7c15ULL;
	for (unsigned int i = 0; i < rounds; i++) {
		struct litmus l;

		axioms_random_litmus(&l);
		axioms_make_graphs(&l);
		if (!axioms_agree(&l, WEAK_REDUCED) || !axioms_agree(&l, WEAK_EAGER))
			return false;
		graphs += nr_allowed;
	}
	printf("litmus: %u random programs, %llu graphs, the same as by the axioms\n", rounds,
	       (unsigned long long)graphs);
	return true;
}
