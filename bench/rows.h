/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows.h - the body of every row. Each peer includes this file once, in C or C++.
 *
 * Before that, the peer defines these names. A function must not be inlined, unless all that it
 * does is call a library:
 *
 *	PEER_NAME, PEER_SYMBOL		the name of the column, and of its struct bench_peer
 *	peer_obj			the type of an object
 *	peer_create(nr_pages, set)	makes an object with every page set, or none
 *	peer_destroy(obj)
 *	peer_set(obj, start, nr_pages)
 *	peer_clear(obj, start, nr_pages)
 *	peer_test(obj, index)
 *
 * A peer may also define
 *
 *	PEER_HAS_ORDER			there is peer_order(obj, index): the order of the largest
 *					uniform block, 0, 9 or 18
 *	PEER_HAS_RUNS			there are struct peer_cursor, peer_first(obj, &cursor) and
 *					peer_next(&cursor, &run)
 *	PEER_HAS_PREP			there are peer_set_prep(obj, start, nr_pages) and
 *					peer_clear_prep(): stores that are prepared and committed
 *	PEER_SIZE_MAX			log2 of the largest guest to try, in pages
 *	PEER_RANGE_BITS			log2 of the guest for large ranges, if not 256G
 *	PEER_RANGE_BATCH		the number of large ranges in a batch
 *	PEER_COMPACT(obj)		called when a pattern has been built
 *	PEER_BYTES(obj, allocated)	the bytes of an object, if not those that were allocated
 *	PEER_COUNT(bench, obj)		adds counters to the memory rows
 *	PEER_CONCURRENT			one reader and one writer may run at the same time
 *
 * A peer with PEER_CONCURRENT that needs special functions for two threads also defines
 * PEER_SET_ATOMIC, PEER_CLEAR_ATOMIC, PEER_CREATE_CONCURRENT, PEER_THREAD_BEGIN(),
 * PEER_THREAD_END() and PEER_QUIESCE(), as far as it needs them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cold.h"

#ifndef PEER_SIZE_MAX
#define PEER_SIZE_MAX BENCH_1T
#endif
#ifndef PEER_RANGE_BITS
#define PEER_RANGE_BITS BENCH_256G
#define PEER_RANGE_BATCH 64
#endif
#ifndef PEER_COMPACT
#define PEER_COMPACT(obj) ((void)(obj))
#endif

/* A batch has 64 chunks of 4 MiB. PEER_ACCEPT_BURN batches make all pages private, then shared. */
#define PEER_ACCEPT_BITS (PEER_SIZE_MAX < BENCH_1T ? PEER_SIZE_MAX : BENCH_1T)
#define PEER_ACCEPT_BURN (2ULL << (PEER_ACCEPT_BITS - 16))

#ifndef PEER_COUNT
#define PEER_COUNT(bench, obj) ((void)(obj))
#endif
#ifndef PEER_BYTES
#define PEER_BYTES(obj, allocated) (allocated)
#endif

/*
 * The objects of the rows. An object is built when it is first used, and then kept, because Google
 * Benchmark calls the function of a row several times. A row that changes its object has an object
 * of its own, and goes on where it stopped.
 */
enum peer_fixture {
	PEER_UNIFORM_16G,
	PEER_10_16G,
	PEER_ALT_16G,
	PEER_UNIFORM_1T,
	PEER_01_1T,
	PEER_10_1T,
	PEER_100_1T,
	PEER_CONVERT,
	PEER_CONVERT_OUT,
	PEER_FLIP,
	PEER_ACCEPT,
	PEER_BOUNCE,
	PEER_BOUNCE_OUT,
	PEER_ALIGNED_2M,
	PEER_ALIGNED_1G,
	PEER_UNALIGNED,
	PEER_UNALIGNED_16T,
	PEER_RW,
	PEER_FIXTURES
};

struct peer_fix {
	peer_obj *obj;
	uint64_t bytes; /* allocated for obj when it was built */
	uint64_t x; /* the random sequence, which goes on from call to call */
	uint64_t at;
	bool set, burnt;
};

static struct peer_fix peer_fixes[PEER_FIXTURES];

static peer_obj *peer_build_mixed(unsigned int bits, unsigned int per_mille)
{
	const struct bench_mixed *m = bench_mixed_of(bits, per_mille);
	peer_obj *o = peer_create((uint64_t)1 << bits, true);

	for (uint64_t n = 0; n < m->nr_blocks; n++) {
		const uint32_t i = m->order[n];

		peer_clear(o, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i]);
	}
	PEER_COMPACT(o);
	return o;
}

static peer_obj *peer_build_alternating(void)
{
	peer_obj *o = peer_create((uint64_t)1 << BENCH_16G, false);

	for (uint64_t n = 0; n < (uint64_t)1 << (BENCH_16G - 1); n++)
		peer_set(o, 2 * bench_nth(n, BENCH_16G - 1), 1);
	PEER_COMPACT(o);
	return o;
}

static peer_obj *peer_build(enum peer_fixture id)
{
	switch (id) {
	case PEER_UNIFORM_16G:
	case PEER_CONVERT_OUT:
	case PEER_FLIP:
		return peer_create((uint64_t)1 << BENCH_16G, true);
	case PEER_10_16G:
	case PEER_CONVERT:
		return peer_build_mixed(BENCH_16G, 100);
	case PEER_ALT_16G:
		return peer_build_alternating();
	case PEER_UNIFORM_1T:
		return peer_create((uint64_t)1 << BENCH_1T, true);
	case PEER_01_1T:
		return peer_build_mixed(BENCH_1T, 1);
	case PEER_10_1T:
		return peer_build_mixed(BENCH_1T, 100);
	case PEER_100_1T:
		return peer_build_mixed(BENCH_1T, 1000);
	case PEER_ACCEPT:
		return peer_create((uint64_t)1 << PEER_ACCEPT_BITS, false);
	case PEER_BOUNCE:
	case PEER_BOUNCE_OUT:
		/* If a peer cannot hold 1T of private pages, only the pool has private pages. */
		return peer_create((uint64_t)1 << BENCH_1T, PEER_SIZE_MAX >= BENCH_1T);
	case PEER_ALIGNED_2M:
	case PEER_ALIGNED_1G:
	case PEER_UNALIGNED:
		return peer_create((uint64_t)1 << PEER_RANGE_BITS, false);
	case PEER_UNALIGNED_16T:
		return peer_create((uint64_t)1 << BENCH_16T, false);
	default:
		return NULL;
	}
}

static struct peer_fix *peer_get(enum peer_fixture id)
{
	struct peer_fix *f = &peer_fixes[id];
	uint64_t before;

	if (!f->obj) {
		before = bench_allocated();
		f->obj = peer_build(id);
		f->bytes = bench_allocated() - before;
		f->x = 1;
		f->set = true;
	}
	return f;
}

/* create: makes an object and destroys it. */
static inline void peer_row_create(struct bench *bench, unsigned int bits)
{
	while (bench_more(bench, 4)) {
		for (int i = 0; i < 4; i++)
			peer_destroy(peer_create((uint64_t)1 << bits, true));
	}
}

/* The number of queries before those that are measured. */
#define PEER_WARM 16384

static inline uint64_t peer_loads(peer_obj *o, uint64_t x, unsigned int bits, int nr)
{
	uint64_t last = 0;

	for (int i = 0; i < nr; i++) {
		x = bench_next(x);
		last = peer_test(o, x >> (64 - bits) ^ last);
	}
	bench_use(last);
	return x;
}

/* load: the next index depends on the last answer. */
static inline void peer_row_load(struct bench *bench, enum peer_fixture id, unsigned int bits)
{
	struct peer_fix *f = peer_get(id);
	uint64_t x = peer_loads(f->obj, f->x, bits, PEER_WARM);

	while (bench_more(bench, 1024))
		x = peer_loads(f->obj, x, bits, 1024);
	f->x = x;
}

/* cold_load: loads one page anywhere, with empty caches. */
static void peer_row_cold_load(struct bench *bench)
{
	struct peer_fix *f = peer_get(PEER_10_16G);
	struct bench_cold cold;
	peer_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		f->x = bench_next(f->x);
		BENCH_COLD(&cold, bench_use(peer_test(o, f->x >> (64 - BENCH_16G))));
	}
	bench_cold_report(bench, &cold);
}

/*
 * first_touch: converts one page of each block of 2M or 128 MiB of a new guest to shared, in
 * random order. The object is made of memory that was never touched.
 */
#define PEER_TOUCHES 8192

static inline void peer_row_touch(struct bench *bench, unsigned int bits)
{
	const uint64_t block = ((uint64_t)1 << bits) / PEER_TOUCHES;

	while (bench_more(bench, PEER_TOUCHES)) {
		uint64_t x = 1;
		peer_obj *o;

		bench_pause(bench, true);
		bench_fresh(true);
		o = peer_create((uint64_t)1 << bits, true);
		bench_pause(bench, false);
		for (uint64_t n = 0; n < PEER_TOUCHES; n++) {
			x = bench_next(x);
			peer_clear(o, bench_nth(n, 13) * block + bench_below(x, block), 1);
		}
		bench_pause(bench, true);
		peer_destroy(o);
		bench_fresh(false);
		bench_pause(bench, false);
	}
}

/* ---- for the rows that store: see rows_store.h ---- */

/* Returns a page anywhere in one of the mixed blocks. */
static inline uint64_t peer_mixed_page(const struct bench_mixed *m, uint64_t x)
{
	return m->block[bench_below(x, m->nr_blocks)] * BENCH_PAGES_2M + ((x >> 22) & 511);
}

/* Makes a range of 1 to 2^20 pages anywhere, cut at the end of the guest. */
static inline uint64_t peer_range(uint64_t x, unsigned int bits, uint64_t *start, uint64_t *nr)
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
#define PEER_POOL_BITS 14
#define PEER_POOL (3 * BENCH_PAGES_1G - ((uint64_t)1 << PEER_POOL_BITS))

/* The number of pages that are shared at any time, in the guest and in the pool. */
#define PEER_OUTSTANDING 4096
#define PEER_POOL_OUTSTANDING 256

#define PEER_SET peer_set
#define PEER_CLEAR peer_clear
#define PEER_VARIANT(name) name
#include "rows_store.h"
#ifdef PEER_HAS_PREP
#undef PEER_SET
#undef PEER_CLEAR
#undef PEER_VARIANT
#define PEER_PREP_ONLY
#define PEER_SET peer_set_prep
#define PEER_CLEAR peer_clear_prep
#define PEER_VARIANT(name) name##_prep
#include "rows_store.h"
#endif

/* memory: reports the bytes of an object that has just been built. Times nothing. */
static inline void peer_row_memory(struct bench *bench, enum peer_fixture id)
{
	struct peer_fix *f = peer_get(id);

	while (bench_more(bench, 1))
		;
	bench_counter(bench, "bytes", (double)PEER_BYTES(f->obj, f->bytes));
	bench_counter(bench, "allocated", (double)f->bytes);
	PEER_COUNT(bench, f->obj);
}

/* build: makes every other page of a shared guest private, ascending. */
#define PEER_BUILD_OPS ((uint64_t)1 << (BENCH_16G - 1))
static peer_obj *peer_build_ascending(void)
{
	peer_obj *o = peer_create((uint64_t)1 << BENCH_16G, false);

	for (uint64_t i = 0; i < PEER_BUILD_OPS; i++)
		peer_set(o, 2 * i, 1);
	return o;
}

static void peer_row_build(struct bench *bench)
{
	/* The first object is not measured. Later ones are built in its memory. */
	peer_obj *o = peer_build_ascending();

	peer_destroy(o);
	while (bench_more(bench, PEER_BUILD_OPS)) {
		o = peer_build_ascending();
		bench_pause(bench, true);
		peer_destroy(o);
		bench_pause(bench, false);
	}
}

#ifdef PEER_HAS_ORDER
static inline uint64_t peer_orders(peer_obj *o, uint64_t x, int nr)
{
	uint64_t sum = 0;

	for (int i = 0; i < nr; i++) {
		x = bench_next(x);
		sum += peer_order(o, x >> (64 - BENCH_1T));
	}
	bench_use(sum);
	return x;
}

/* order: the largest uniform block at a page anywhere. No answer depends on another. */
static void peer_row_order(struct bench *bench)
{
	struct peer_fix *f = peer_get(PEER_10_1T);
	uint64_t x = peer_orders(f->obj, f->x, PEER_WARM);

	while (bench_more(bench, 1024))
		x = peer_orders(f->obj, x, 1024);
	f->x = x;
}

/* cold_order: the largest uniform block at a page anywhere, with empty caches. */
static void peer_row_cold_order(struct bench *bench)
{
	struct peer_fix *f = peer_get(PEER_10_16G);
	struct bench_cold cold;
	peer_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 1)) {
		f->x = bench_next(f->x);
		BENCH_COLD(&cold, bench_use(peer_order(o, f->x >> (64 - BENCH_16G))));
	}
	bench_cold_report(bench, &cold);
}
#endif

#ifdef PEER_HAS_RUNS
static uint64_t peer_walk(peer_obj *o)
{
	struct peer_cursor c;
	struct bench_run run;
	uint64_t nr = 0;

	for (peer_first(o, &c); peer_next(&c, &run);) {
		bench_use(run.start);
		nr++;
	}
	return nr;
}

/* iterate: visits all runs from the first page to the last. An operation is one run. */
static inline void peer_row_iterate(struct bench *bench, enum peer_fixture id)
{
	struct peer_fix *f = peer_get(id);
	uint64_t nr = peer_walk(f->obj);

	while (bench_more(bench, nr))
		peer_walk(f->obj);
	bench_counter(bench, "runs", (double)nr);
}

static uint64_t peer_iterate(void *obj, void (*visit)(void *ctx, const struct bench_run *run),
			     void *ctx)
{
	struct peer_cursor c;
	struct bench_run run;
	uint64_t nr = 0;

	for (peer_first((peer_obj *)obj, &c); peer_next(&c, &run); nr++)
		visit(ctx, &run);
	return nr;
}
#endif

#include "rows_rw.h"
#include "rows_table.h"
