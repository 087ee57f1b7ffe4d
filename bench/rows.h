/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows.h - the body of every row, to be included once by each peer, C or C++
 *
 * Before that the peer defines, each as a function that is not inlined, or as a macro
 * that names a function of a library:
 *
 *	p_obj					the type of its object
 *	p_create(nr_pages, set)			an object with every page set, or none
 *	p_destroy(obj)
 *	p_set(obj, start, nr_pages)
 *	p_clear(obj, start, nr_pages)
 *	p_test(obj, index)
 *
 * and, as far as it can,
 *
 *	PEER_NAME, PEER_SYMBOL	the column's name; the name of its struct bench_peer
 *	P_HAS_ORDER		p_order(obj, index): largest uniform block, 0, 9 or 18
 *	P_HAS_RUNS		struct p_cursor, p_first(obj, &cursor), p_next(&cursor, &run)
 *	P_SIZE_MAX		log2 of the largest guest to try, in pages
 *	P_RANGE_BITS		the guest for large ranges, where not 256G
 *	P_RANGE_BATCH		how many large ranges between two looks at the clock
 *	P_HAS_PREP		p_set_prep(obj, start, nr_pages), p_clear_prep: stores in steps
 *	P_SETTLE(obj)		called when a pattern has been built
 *	P_BYTES(obj, allocated)	what an object takes, where it can tell; else what was allocated
 *	P_COUNT(bench, obj)	more counters for the memory rows
 *	P_CONCURRENT		one reader and one writer may run side by side; then also
 *	P_SET_ATOMIC, P_CLEAR_ATOMIC, P_CREATE_CONCURRENT, P_THREAD_BEGIN(),
 *	P_THREAD_END(), P_QUIESCE()	where that takes something special
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cold.h"

#ifndef P_SIZE_MAX
#define P_SIZE_MAX BENCH_1T
#endif
#ifndef P_RANGE_BITS
#define P_RANGE_BITS BENCH_256G
#define P_RANGE_BATCH 64
#endif
#ifndef P_SETTLE
#define P_SETTLE(obj) ((void)(obj))
#endif

/* Batches of 64 chunks of 4 MiB: all of the guest made private, and shared again. */
#define P_ACCEPT_BITS (P_SIZE_MAX < BENCH_1T ? P_SIZE_MAX : BENCH_1T)
#define P_ACCEPT_BURN (2ULL << (P_ACCEPT_BITS - 16))

#ifndef P_COUNT
#define P_COUNT(bench, obj) ((void)(obj))
#endif
#ifndef P_BYTES
#define P_BYTES(obj, allocated) (allocated)
#endif

/*
 * What the rows work on. Built when first used and kept: Google Benchmark calls a row's
 * function several times. A row that changes its object has one of its own, and goes on
 * from where it was.
 */
enum p_fixture {
	P_UNIFORM_16G,
	P_10_16G,
	P_ALT_16G,
	P_UNIFORM_1T,
	P_01_1T,
	P_10_1T,
	P_100_1T,
	P_CONVERT,
	P_CONVERT_OUT,
	P_FLIP,
	P_ACCEPT,
	P_BOUNCE,
	P_BOUNCE_OUT,
	P_ALIGNED_2M,
	P_ALIGNED_1G,
	P_UNALIGNED,
	P_UNALIGNED_16T,
	P_RW,
	P_FIXTURES
};

struct p_fix {
	p_obj *obj;
	uint64_t bytes; /* allocated for obj, when just built */
	uint64_t x; /* the random sequence goes on from call to call */
	uint64_t at;
	bool set, burnt;
};

static struct p_fix p_fixes[P_FIXTURES];

static p_obj *p_build_mixed(unsigned int bits, unsigned int per_mille)
{
	const struct bench_mixed *m = bench_mixed_of(bits, per_mille);
	p_obj *o = p_create((uint64_t)1 << bits, true);

	for (uint64_t n = 0; n < m->nr_blocks; n++) {
		const uint32_t i = m->order[n];

		p_clear(o, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i]);
	}
	P_SETTLE(o);
	return o;
}

static p_obj *p_build_alternating(void)
{
	p_obj *o = p_create((uint64_t)1 << BENCH_16G, false);

	for (uint64_t n = 0; n < (uint64_t)1 << (BENCH_16G - 1); n++)
		p_set(o, 2 * bench_nth(n, BENCH_16G - 1), 1);
	P_SETTLE(o);
	return o;
}

static p_obj *p_build(enum p_fixture id)
{
	switch (id) {
	case P_UNIFORM_16G:
	case P_CONVERT_OUT:
	case P_FLIP:
		return p_create((uint64_t)1 << BENCH_16G, true);
	case P_10_16G:
	case P_CONVERT:
		return p_build_mixed(BENCH_16G, 100);
	case P_ALT_16G:
		return p_build_alternating();
	case P_UNIFORM_1T:
		return p_create((uint64_t)1 << BENCH_1T, true);
	case P_01_1T:
		return p_build_mixed(BENCH_1T, 1);
	case P_10_1T:
		return p_build_mixed(BENCH_1T, 100);
	case P_100_1T:
		return p_build_mixed(BENCH_1T, 1000);
	case P_ACCEPT:
		return p_create((uint64_t)1 << P_ACCEPT_BITS, false);
	case P_BOUNCE:
	case P_BOUNCE_OUT:
		/* A peer that cannot hold 1T of private pages has none but the pool's. */
		return p_create((uint64_t)1 << BENCH_1T, P_SIZE_MAX >= BENCH_1T);
	case P_ALIGNED_2M:
	case P_ALIGNED_1G:
	case P_UNALIGNED:
		return p_create((uint64_t)1 << P_RANGE_BITS, false);
	case P_UNALIGNED_16T:
		return p_create((uint64_t)1 << BENCH_16T, false);
	default:
		return NULL;
	}
}

static struct p_fix *p_get(enum p_fixture id)
{
	struct p_fix *f = &p_fixes[id];
	uint64_t before;

	if (!f->obj) {
		before = bench_allocated();
		f->obj = p_build(id);
		f->bytes = bench_allocated() - before;
		f->x = 1;
		f->set = true;
	}
	return f;
}

/* create: one object, made and destroyed again */
static inline void p_row_create(struct bench *bench, unsigned int bits)
{
	while (bench_more(bench, 4)) {
		for (int i = 0; i < 4; i++)
			p_destroy(p_create((uint64_t)1 << bits, true));
	}
}

/* So many queries come before those that are measured. */
#define P_WARM 16384

static inline uint64_t p_loads(p_obj *o, uint64_t x, unsigned int bits, int nr)
{
	uint64_t last = 0;

	for (int i = 0; i < nr; i++) {
		x = bench_next(x);
		last = p_test(o, x >> (64 - bits) ^ last);
	}
	bench_use(last);
	return x;
}

/* load: where to look next depends on the last answer */
static inline void p_row_load(struct bench *bench, enum p_fixture id, unsigned int bits)
{
	struct p_fix *f = p_get(id);
	uint64_t x = p_loads(f->obj, f->x, bits, P_WARM);

	while (bench_more(bench, 1024))
		x = p_loads(f->obj, x, bits, 1024);
	f->x = x;
}

/* cold_load: one page anywhere */
static void p_row_cold_load(struct bench *bench)
{
	struct p_fix *f = p_get(P_10_16G);
	struct bench_cold cold;
	p_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		f->x = bench_next(f->x);
		BENCH_COLD(&cold, bench_use(p_test(o, f->x >> (64 - BENCH_16G))));
	}
	bench_cold_report(bench, &cold);
}

/*
 * first_touch: the first pages that are shared in a new guest, one in each block of 2M or 128 MiB,
 * blocks in random order; the object is made from memory that was never touched
 */
#define P_TOUCHES 8192
static inline void p_row_touch(struct bench *bench, unsigned int bits)
{
	const uint64_t block = ((uint64_t)1 << bits) / P_TOUCHES;

	while (bench_more(bench, P_TOUCHES)) {
		uint64_t x = 1;
		p_obj *o;

		bench_pause(bench, true);
		bench_fresh(true);
		o = p_create((uint64_t)1 << bits, true);
		bench_pause(bench, false);
		for (uint64_t n = 0; n < P_TOUCHES; n++) {
			x = bench_next(x);
			p_clear(o, bench_nth(n, 13) * block + bench_below(x, block), 1);
		}
		bench_pause(bench, true);
		p_destroy(o);
		bench_fresh(false);
		bench_pause(bench, false);
	}
}

/* What the rows that change something work on: see rows_store.h. */

/* A page of a mixed block, anywhere in it. */
static inline uint64_t p_mixed_page(const struct bench_mixed *m, uint64_t x)
{
	return m->block[bench_below(x, m->nr_blocks)] * BENCH_PAGES_2M + ((x >> 22) & 511);
}

/* 1 to 2^20 pages anywhere, cut at the guest's end. */
static inline uint64_t p_range(uint64_t x, unsigned int bits, uint64_t *start, uint64_t *nr)
{
	uint64_t left;

	x = bench_next(x);
	*start = x >> (64 - bits);
	left = ((uint64_t)1 << bits) - *start;
	x = bench_next(x);
	*nr = 1 + (x >> (64 - 20));
	*nr = *nr < left ? *nr : left;
	return x;
}

/* A pool of 64 MiB below 3G. */
#define P_POOL_BITS 14
#define P_POOL (3 * BENCH_PAGES_1G - ((uint64_t)1 << P_POOL_BITS))

/* How many pages are shared at any time, in all of the guest and in the pool. */
#define P_OUTSTANDING 4096
#define P_POOL_OUTSTANDING 256

#define P_SET p_set
#define P_CLEAR p_clear
#define P_VARIANT(name) name
#include "rows_store.h"
#ifdef P_HAS_PREP
#undef P_SET
#undef P_CLEAR
#undef P_VARIANT
#define P_PREP_ONLY
#define P_SET p_set_prep
#define P_CLEAR p_clear_prep
#define P_VARIANT(name) name##_prep
#include "rows_store.h"
#endif

/* memory: nothing is timed; what the object takes when just built */
static inline void p_row_memory(struct bench *bench, enum p_fixture id)
{
	struct p_fix *f = p_get(id);

	while (bench_more(bench, 1))
		;
	bench_counter(bench, "bytes", (double)P_BYTES(f->obj, f->bytes));
	bench_counter(bench, "allocated", (double)f->bytes);
	P_COUNT(bench, f->obj);
}

/* build: every other page of a shared guest made private, ascending */
#define P_BUILD_OPS ((uint64_t)1 << (BENCH_16G - 1))
static p_obj *p_build_ascending(void)
{
	p_obj *o = p_create((uint64_t)1 << BENCH_16G, false);

	for (uint64_t i = 0; i < P_BUILD_OPS; i++)
		p_set(o, 2 * i, 1);
	return o;
}

static void p_row_build(struct bench *bench)
{
	/* The first one is not measured: later ones find its memory. */
	p_obj *o = p_build_ascending();

	p_destroy(o);
	while (bench_more(bench, P_BUILD_OPS)) {
		o = p_build_ascending();
		bench_pause(bench, true);
		p_destroy(o);
		bench_pause(bench, false);
	}
}

#ifdef P_HAS_ORDER
static inline uint64_t p_orders(p_obj *o, uint64_t x, int nr)
{
	uint64_t sum = 0;

	for (int i = 0; i < nr; i++) {
		x = bench_next(x);
		sum += p_order(o, x >> (64 - BENCH_1T));
	}
	bench_use(sum);
	return x;
}

/* order: the largest uniform block at a page anywhere; one answer does not wait for another */
static void p_row_order(struct bench *bench)
{
	struct p_fix *f = p_get(P_10_1T);
	uint64_t x = p_orders(f->obj, f->x, P_WARM);

	while (bench_more(bench, 1024))
		x = p_orders(f->obj, x, 1024);
	f->x = x;
}

/* cold_order: at one page anywhere */
static void p_row_cold_order(struct bench *bench)
{
	struct p_fix *f = p_get(P_10_16G);
	struct bench_cold cold;
	p_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		f->x = bench_next(f->x);
		BENCH_COLD(&cold, bench_use(p_order(o, f->x >> (64 - BENCH_16G))));
	}
	bench_cold_report(bench, &cold);
}
#endif

#ifdef P_HAS_RUNS
static uint64_t p_walk(p_obj *o)
{
	struct p_cursor c;
	struct bench_run run;
	uint64_t nr = 0;

	for (p_first(o, &c); p_next(&c, &run);) {
		bench_use(run.start);
		nr++;
	}
	return nr;
}

/* iterate: all runs from the first page to the last; an operation is one run */
static inline void p_row_iterate(struct bench *bench, enum p_fixture id)
{
	struct p_fix *f = p_get(id);
	uint64_t nr = p_walk(f->obj);

	while (bench_more(bench, nr))
		p_walk(f->obj);
	bench_counter(bench, "runs", (double)nr);
}

static uint64_t p_iterate(void *obj, void (*visit)(void *ctx, const struct bench_run *run),
			  void *ctx)
{
	struct p_cursor c;
	struct bench_run run;
	uint64_t nr = 0;

	for (p_first((p_obj *)obj, &c); p_next(&c, &run); nr++)
		visit(ctx, &run);
	return nr;
}
#endif

#include "rows_rw.h"
#include "rows_table.h"
