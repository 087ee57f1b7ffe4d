// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * axioms.c - the machine against the axioms, on random programs
 *
 * RC11 is defined by axioms over graphs. Here all graphs of a straight-line program are made, by
 * brute force: each load reads from each store, the stores of each variable come in each order. Those
 * that the axioms allow must be the ones that the machine produces, each exactly once. This checks
 * machine.c, and that explore.c leaves out nothing.
 *
 *	sw	a release store, or a release fence and a later store; then rmws that read from it,
 *		each from the one before; then an acquire load that reads from the last, or a load
 *		and a later acquire fence
 *	hb	program order and sw, transitively; initial values come first
 *	rb	from a load to the stores after the one that it reads from
 *	eco	reads-from, modification order and rb, transitively
 *
 *	Coherence	hb; eco? is irreflexive, so is hb
 *	Atomicity	an rmw is in modification order right behind the store that it reads from
 *	No thin air	program order and reads-from have no cycle
 *
 * An rmw is one event, which loads and stores.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litmus.h"

#define EVENTS 12u /* the initial stores included */
#define GRAPHS 65536u

struct event {
	enum weak_op op;
	enum weak_order order;
	unsigned int var;
	unsigned int thread; /* LITMUS_THREADS: initial */
	unsigned int name; /* as in litmus_source */
	unsigned int value, old;
	bool succeeds; /* WEAK_CMPXCHG: assumed, and checked in the end */
};

typedef bool relation[EVENTS][EVENTS];

static struct event event[EVENTS];
static unsigned int nr_events;
static unsigned int from[EVENTS]; /* the store that a load reads from */
static unsigned int order[LITMUS_VARS][EVENTS], nr_order[LITMUS_VARS];
static relation hb, eco, porf;

static uint64_t allowed[GRAPHS], seen[GRAPHS];
static unsigned int nr_allowed, nr_seen;

static bool loads(unsigned int e)
{
	return event[e].op != WEAK_STORE && event[e].op != WEAK_FENCE;
}

static bool stores(unsigned int e)
{
	return event[e].op == WEAK_STORE || event[e].op == WEAK_ADD || event[e].succeeds;
}

static void close_relation(relation r)
{
	for (unsigned int k = 0; k < nr_events; k++)
		for (unsigned int i = 0; i < nr_events; i++)
			for (unsigned int j = 0; r[i][k] && j < nr_events; j++)
				r[i][j] |= r[k][j];
}

static bool po(unsigned int a, unsigned int b)
{
	if (event[a].thread == LITMUS_THREADS)
		return event[b].thread != LITMUS_THREADS;
	return event[a].thread == event[b].thread && a < b;
}

static bool is_fence(unsigned int e, enum weak_order part)
{
	return event[e].op == WEAK_FENCE && event[e].order & part;
}

/* Store @w is read by @r: adds the sw edges into @r and later fences from @w and earlier ones. */
static void add_sw(unsigned int w, unsigned int r)
{
	for (unsigned int a = 0; a < nr_events; a++) {
		if (!(a == w && event[a].order & WEAK_RELEASE) &&
		    !(is_fence(a, WEAK_RELEASE) && po(a, w)))
			continue;
		for (unsigned int b = 0; b < nr_events; b++)
			if ((b == r && event[b].order & WEAK_ACQUIRE) ||
			    (is_fence(b, WEAK_ACQUIRE) && po(r, b)))
				hb[a][b] = true;
	}
}

static void make_hb(void)
{
	for (unsigned int i = 0; i < nr_events; i++)
		for (unsigned int j = 0; j < nr_events; j++)
			hb[i][j] = porf[i][j] = po(i, j);
	for (unsigned int r = 0; r < nr_events; r++) {
		if (!loads(r))
			continue;
		porf[from[r]][r] = true;
		/* back along the release sequence; a cycle of reads-from is left to porf */
		for (unsigned int w = from[r], n = 0; n < nr_events; w = from[w], n++) {
			add_sw(w, r);
			if (!loads(w))
				break;
		}
	}
	close_relation(hb);
	close_relation(porf);
}

static unsigned int place_of(unsigned int store)
{
	const unsigned int v = event[store].var;

	for (unsigned int i = 0; i < nr_order[v]; i++)
		if (order[v][i] == store)
			return i;
	abort();
}

static void make_eco(void)
{
	memset(eco, 0, sizeof(eco));
	for (unsigned int v = 0; v < LITMUS_VARS; v++)
		for (unsigned int i = 0; i < nr_order[v]; i++)
			for (unsigned int j = i + 1; j < nr_order[v]; j++)
				eco[order[v][i]][order[v][j]] = true;
	for (unsigned int r = 0; r < nr_events; r++) {
		if (!loads(r))
			continue;
		eco[from[r]][r] = true;
		for (unsigned int w = 0; w < nr_events; w++)
			if (stores(w) && event[w].var == event[r].var && w != r &&
			    place_of(w) > place_of(from[r]))
				eco[r][w] = true;
	}
	close_relation(eco);
}

/* There is no cycle of reads-from. */
static unsigned int value_of(unsigned int store)
{
	if (event[store].op == WEAK_ADD)
		return value_of(from[store]) + event[store].value;
	return event[store].value;
}

static bool is_allowed(void)
{
	for (unsigned int e = 0; e < nr_events; e++)
		if (loads(e) && stores(e) && place_of(e) != place_of(from[e]) + 1)
			return false;
	make_hb();
	make_eco();
	for (unsigned int i = 0; i < nr_events; i++) {
		if (hb[i][i] || porf[i][i])
			return false;
		for (unsigned int j = 0; j < nr_events; j++)
			if (hb[i][j] && eco[j][i])
				return false;
	}
	for (unsigned int e = 0; e < nr_events; e++)
		if (event[e].op == WEAK_CMPXCHG &&
		    (value_of(from[e]) == event[e].old) != event[e].succeeds)
			return false;
	return true;
}

/* ---- a graph as a number: what each load reads, then each modification order ---- */

static uint64_t append(uint64_t graph, unsigned int name)
{
	return graph * 31 + name;
}

static void note_allowed(void)
{
	uint64_t graph = 0;

	if (!is_allowed())
		return;
	for (unsigned int e = 0; e < nr_events; e++)
		if (loads(e))
			graph = append(graph, event[from[e]].name);
	for (unsigned int v = 0; v < LITMUS_VARS; v++)
		for (unsigned int i = 1; i < nr_order[v]; i++)
			graph = append(graph, event[order[v][i]].name);
	if (nr_allowed < GRAPHS)
		allowed[nr_allowed++] = graph;
}

static void note_seen(void)
{
	uint64_t graph = 0;

	for (unsigned int i = 0; i < litmus_nr_values; i++)
		graph = append(graph, litmus_source[i]);
	for (unsigned int v = 0; v < LITMUS_VARS; v++) {
		unsigned int found[EVENTS];
		const unsigned int n = litmus_order(v, found);

		for (unsigned int i = 0; i < n; i++)
			graph = append(graph, found[i]);
	}
	if (nr_seen < GRAPHS)
		seen[nr_seen++] = graph;
}

/* ---- all graphs ---- */

static void choose_sources(unsigned int e)
{
	while (e < nr_events && !loads(e))
		e++;
	if (e == nr_events) {
		note_allowed();
		return;
	}
	for (unsigned int w = 0; w < nr_events; w++) {
		if (w == e || !stores(w) || event[w].var != event[e].var)
			continue;
		from[e] = w;
		choose_sources(e + 1);
	}
}

static void choose_order(unsigned int v, unsigned int done)
{
	if (v == LITMUS_VARS) {
		choose_sources(0);
		return;
	}
	if (done == nr_order[v]) {
		choose_order(v + 1, 1);
		return;
	}
	for (unsigned int i = done; i < nr_order[v]; i++) {
		const unsigned int a = order[v][done], b = order[v][i];

		order[v][done] = b;
		order[v][i] = a;
		choose_order(v, done + 1);
		order[v][done] = a;
		order[v][i] = b;
	}
}

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Bit i of @succeeds: the i-th compare-and-swap does. Returns how many there are. */
static unsigned int make_events(const struct litmus *l, unsigned int succeeds)
{
	unsigned int nr_swaps = 0;

	nr_events = 0;
	for (unsigned int v = 0; v < LITMUS_VARS; v++) {
		event[nr_events] = (struct event) {
			.op = WEAK_STORE, .var = v, .thread = LITMUS_THREADS, .name = 0};
		nr_order[v] = 1;
		order[v][0] = nr_events++;
	}
	for (unsigned int t = 0; t < l->nr_threads; t++)
		for (unsigned int i = 0; i < l->nr_ops[t]; i++) {
			const struct litmus_op *op = &l->op[t][i];

			event[nr_events] = (struct event) {.op = op->op,
							   .order = op->order,
							   .var = op->var,
							   .thread = t,
							   .name = 1 + t * LITMUS_OPS + i,
							   .value = op->value,
							   .old = op->old};
			if (op->op == WEAK_CMPXCHG)
				event[nr_events].succeeds = succeeds >> nr_swaps++ & 1;
			if (stores(nr_events))
				order[op->var][nr_order[op->var]++] = nr_events;
			nr_events++;
		}
	return nr_swaps;
}

static void make_graphs(const struct litmus *l)
{
	const unsigned int nr_swaps = make_events(l, 0);

	nr_allowed = 0;
	for (unsigned int succeeds = 0; succeeds < 1U << nr_swaps; succeeds++) {
		make_events(l, succeeds);
		choose_order(0, 1);
	}
	qsort(allowed, nr_allowed, sizeof(*allowed), by_number);
}

/* ---- random programs ---- */

static uint64_t random_state;

static unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)(random_state >> 33) % n;
}

static struct litmus_op random_op(unsigned int vars)
{
	static const enum weak_order load[] = {WEAK_RELAXED, WEAK_ACQUIRE};
	static const enum weak_order store[] = {WEAK_RELAXED, WEAK_RELEASE};
	struct litmus_op op = {.var = (uint8_t)below(vars), .value = (uint8_t)(1 + below(2))};

	switch (below(8)) {
	case 0:
		op.op = WEAK_FENCE;
		op.order = (enum weak_order)(1 + below(3));
		op.var = op.value = 0;
		break;
	case 1:
		op.op = WEAK_CMPXCHG;
		op.order = (enum weak_order)below(4);
		op.old = (uint8_t)below(3);
		break;
	case 2:
		op.op = WEAK_ADD;
		op.order = (enum weak_order)below(4);
		break;
	case 3:
	case 4:
		op.op = WEAK_STORE;
		op.order = store[below(2)];
		break;
	default:
		op.op = WEAK_LOAD;
		op.value = 0;
		op.order = load[below(2)];
	}
	return op;
}

static void random_litmus(struct litmus *l)
{
	unsigned int ops = 5 + below(3), vars = 1 + below(3);

	memset(l, 0, sizeof(*l));
	l->nr_threads = 2 + below(3);
	for (unsigned int i = 0; i < ops; i++) {
		const unsigned int t = i < l->nr_threads ? i : below(l->nr_threads);

		if (l->nr_ops[t] < LITMUS_OPS)
			l->op[t][l->nr_ops[t]++] = random_op(vars);
	}
}

static void print_litmus(const struct litmus *l)
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

static bool explore_and_compare(const struct litmus *l, enum weak_reduction reduction)
{
	struct weak_program program = litmus_program("random", l, note_seen);
	struct weak_result result;

	nr_seen = 0;
	weak_explore(&program, UINT64_MAX, reduction, &result);
	qsort(seen, nr_seen, sizeof(*seen), by_number);
	if (!result.failed && nr_seen < GRAPHS && nr_allowed < GRAPHS && nr_seen == nr_allowed &&
	    !memcmp(seen, allowed, nr_seen * sizeof(*seen)))
		return true;
	printf("random: %u graphs, of which the axioms allow %u %s\n", nr_seen, nr_allowed,
	       result.failed ? result.why : "");
	print_litmus(l);
	return false;
}

bool litmus_random(unsigned int rounds)
{
	uint64_t graphs = 0;

	random_state = 0x9e3779b97f4a7c15ULL;
	for (unsigned int i = 0; i < rounds; i++) {
		struct litmus l;

		random_litmus(&l);
		make_graphs(&l);
		if (!explore_and_compare(&l, WEAK_REDUCED) || !explore_and_compare(&l, WEAK_EAGER))
			return false;
		graphs += nr_allowed;
	}
	printf("litmus: %u random programs, %llu graphs, the same as by the axioms\n", rounds,
	       (unsigned long long)graphs);
	return true;
}
