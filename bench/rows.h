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
 *	P_SETTLE(obj)		called when a pattern has been built
 *	P_COUNT(bench, obj)	more counters for the memory rows
 *	P_CONCURRENT		one reader and one writer may run side by side; then also
 *	P_SET_ATOMIC, P_CLEAR_ATOMIC, P_CREATE_CONCURRENT, P_THREAD_BEGIN(),
 *	P_THREAD_END(), P_QUIESCE()	where that takes something special
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

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

#ifndef P_COUNT
#define P_COUNT(bench, obj) ((void)(obj))
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
	P_01_1T,
	P_10_1T,
	P_100_1T,
	P_CONVERT,
	P_FLIP,
	P_ACCEPT,
	P_BOUNCE,
	P_ALIGNED_2M,
	P_ALIGNED_1G,
	P_UNALIGNED,
	P_UNALIGNED_16T,
	P_RW,
	P_FIXTURES
};

struct p_fix {
	p_obj *obj;
	uint64_t bytes; /* what obj takes, when just built */
	uint64_t x; /* the random sequence goes on from call to call */
	uint64_t at;
	bool set, burnt;
};

static struct p_fix p_fixes[P_FIXTURES];

static p_obj *p_build_mixed(unsigned int bits, unsigned int per_mille)
{
	const struct bench_mixed *m = bench_mixed_of(bits, per_mille);
	p_obj *o = p_create((uint64_t)1 << bits, true);

	for (uint64_t i = 0; i < m->nr_blocks; i++)
		p_clear(o, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i]);
	P_SETTLE(o);
	return o;
}

static p_obj *p_build_alternating(void)
{
	p_obj *o = p_create((uint64_t)1 << BENCH_16G, false);
	uint64_t i;

	for (i = 0; i < (uint64_t)1 << BENCH_16G; i += 2)
		p_set(o, i, 1);
	P_SETTLE(o);
	return o;
}

static p_obj *p_build(enum p_fixture id)
{
	switch (id) {
	case P_UNIFORM_16G:
	case P_FLIP:
		return p_create((uint64_t)1 << BENCH_16G, true);
	case P_10_16G:
	case P_CONVERT:
		return p_build_mixed(BENCH_16G, 100);
	case P_ALT_16G:
		return p_build_alternating();
	case P_01_1T:
		return p_build_mixed(BENCH_1T, 1);
	case P_10_1T:
		return p_build_mixed(BENCH_1T, 100);
	case P_100_1T:
		return p_build_mixed(BENCH_1T, 1000);
	case P_ACCEPT:
		return p_create((uint64_t)1 << (P_SIZE_MAX < BENCH_1T ? P_SIZE_MAX : BENCH_1T),
				false);
	case P_BOUNCE:
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

/* load: where to look next depends on the last answer */
static inline void p_row_load(struct bench *bench, enum p_fixture id, unsigned int bits)
{
	struct p_fix *f = p_get(id);
	p_obj *o = f->obj;
	uint64_t x = f->x, last = 0;

	while (bench_more(bench, 1024)) {
		for (int i = 0; i < 1024; i++) {
			x = bench_next(x);
			last = p_test(o, x >> (64 - bits) ^ last);
		}
	}
	bench_use(last);
	f->x = x;
}

/*
 * The rows that change something. Each stores by turns, private and shared, so that which
 * it is can be predicted by the processor, as it can not which page. Before it is
 * measured a fixture is brought to where it stays in the long run: burn stores.
 */
#define P_STORE_ROW(name, id, batch, burn)                                   \
	static void p_row_##name(struct bench *bench)                        \
	{                                                                    \
		struct p_fix *f = p_get(id);                                 \
		p_obj *o = f->obj;                                           \
		uint64_t x = f->x;                                           \
                                                                             \
		for (uint64_t i = f->burnt ? (burn) : 0; i < (burn); i += 2) \
			x = p_do_##name(o, x);                               \
		f->burnt = true;                                             \
		while (bench_more(bench, batch)) {                           \
			for (int i = 0; i < (batch); i += 2)                 \
				x = p_do_##name(o, x);                       \
		}                                                            \
		f->x = x;                                                    \
	}

/* convert: single pages inside the mixed blocks */
static inline uint64_t p_mixed_page(const struct bench_mixed *m, uint64_t x)
{
	return m->block[bench_below(x, m->nr_blocks)] * BENCH_PAGES_2M + ((x >> 22) & 511);
}

static inline uint64_t p_do_convert(p_obj *o, uint64_t x)
{
	const struct bench_mixed *m = bench_mixed_16g;

	x = bench_next(x);
	p_set(o, p_mixed_page(m, x), 1);
	x = bench_next(x);
	p_clear(o, p_mixed_page(m, x), 1);
	return x;
}
P_STORE_ROW(convert, P_CONVERT, 256, 1000000)

/* flip: one page of a uniform guest shared, and private again: two operations */
static inline uint64_t p_do_flip(p_obj *o, uint64_t x)
{
	x = bench_next(x);
	p_clear(o, x >> (64 - BENCH_16G), 1);
	p_set(o, x >> (64 - BENCH_16G), 1);
	return x;
}
P_STORE_ROW(flip, P_FLIP, 256, 1000)

/* bounce: single pages of a pool of 64 MiB below 3G, all else untouched */
#define P_POOL (3 * BENCH_PAGES_1G - 64 * 256)
static inline uint64_t p_do_bounce(p_obj *o, uint64_t x)
{
	x = bench_next(x);
	p_clear(o, P_POOL + (x >> (64 - 14)), 1);
	x = bench_next(x);
	p_set(o, P_POOL + (x >> (64 - 14)), 1);
	return x;
}
P_STORE_ROW(bounce, P_BOUNCE, 256, 1 << 16)

/* aligned: whole blocks anywhere */
static inline uint64_t p_do_aligned(p_obj *o, uint64_t x, unsigned int order)
{
	x = bench_next(x);
	p_set(o, x >> (64 - P_RANGE_BITS + order) << order, (uint64_t)1 << order);
	x = bench_next(x);
	p_clear(o, x >> (64 - P_RANGE_BITS + order) << order, (uint64_t)1 << order);
	return x;
}
#define p_do_aligned_2m(o, x) p_do_aligned(o, x, BENCH_ORDER_2M)
#define p_do_aligned_1g(o, x) p_do_aligned(o, x, BENCH_ORDER_1G)
P_STORE_ROW(aligned_2m, P_ALIGNED_2M, P_RANGE_BATCH, 4 << (P_RANGE_BITS - BENCH_ORDER_2M))
P_STORE_ROW(aligned_1g, P_ALIGNED_1G, P_RANGE_BATCH, 4 << (P_RANGE_BITS - BENCH_ORDER_1G))

/* unaligned: 1 to 2^20 pages anywhere, cut at the guest's end */
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

static inline uint64_t p_do_unaligned(p_obj *o, uint64_t x, unsigned int bits)
{
	uint64_t start, nr;

	x = p_range(x, bits, &start, &nr);
	p_set(o, start, nr);
	x = p_range(x, bits, &start, &nr);
	p_clear(o, start, nr);
	return x;
}
#define p_do_unaligned_256g(o, x) p_do_unaligned(o, x, P_RANGE_BITS)
#define p_do_unaligned_16t(o, x) p_do_unaligned(o, x, BENCH_16T)
P_STORE_ROW(unaligned_256g, P_UNALIGNED, P_RANGE_BATCH, 4 << (P_RANGE_BITS - 19))
#if P_SIZE_MAX >= BENCH_16T
P_STORE_ROW(unaligned_16t, P_UNALIGNED_16T, 64, 4 << (BENCH_16T - 19))
#endif

/* accept: chunks of 4 MiB from the bottom to the top; then all back again likewise */
static void p_row_accept(struct bench *bench)
{
	const uint64_t nr = (uint64_t)1 << (P_SIZE_MAX < BENCH_1T ? P_SIZE_MAX : BENCH_1T);
	struct p_fix *f = p_get(P_ACCEPT);
	p_obj *o = f->obj;
	uint64_t at = f->at;

	while (bench_more(bench, 64)) {
		if (f->set) {
			for (int i = 0; i < 64; i++, at += 1024)
				p_set(o, at, 1024);
		} else {
			for (int i = 0; i < 64; i++, at += 1024)
				p_clear(o, at, 1024);
		}
		if (at == nr) {
			at = 0;
			f->set = !f->set;
		}
	}
	f->at = at;
}

/* memory: nothing is timed; what jemalloc says of the object when just built */
static inline void p_row_memory(struct bench *bench, enum p_fixture id)
{
	struct p_fix *f = p_get(id);

	while (bench_more(bench, 1))
		;
	bench_counter(bench, "bytes", (double)f->bytes);
	P_COUNT(bench, f->obj);
}

/* build: every other page of a shared guest made private, ascending */
#define P_BUILD_OPS ((uint64_t)1 << (BENCH_16G - 1))
static void p_row_build(struct bench *bench)
{
	p_obj *o = NULL;

	while (bench_more(bench, P_BUILD_OPS)) {
		if (o)
			p_destroy(o);
		o = p_create((uint64_t)1 << BENCH_16G, false);
		for (uint64_t i = 0; i < P_BUILD_OPS; i++)
			p_set(o, 2 * i, 1);
	}
	if (o)
		p_destroy(o);
}

#ifdef P_HAS_ORDER
/* order: the largest uniform block at a page anywhere; one answer does not wait for another */
static void p_row_order(struct bench *bench)
{
	struct p_fix *f = p_get(P_10_1T);
	p_obj *o = f->obj;
	uint64_t x = f->x, sum = 0;

	while (bench_more(bench, 1024)) {
		for (int i = 0; i < 1024; i++) {
			x = bench_next(x);
			sum += p_order(o, x >> (64 - BENCH_1T));
		}
	}
	bench_use(sum);
	f->x = x;
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

#ifdef P_CONCURRENT
#ifndef P_SET_ATOMIC
#define P_SET_ATOMIC p_set
#define P_CLEAR_ATOMIC p_clear
#endif
#ifndef P_CREATE_CONCURRENT
#define P_CREATE_CONCURRENT p_create
#endif
#ifndef P_QUIESCE
#define P_THREAD_BEGIN() ((void)0)
#define P_THREAD_END() ((void)0)
#define P_QUIESCE() ((void)0)
#endif

struct p_writer {
	p_obj *obj;
	uint64_t stores;
	bool running, stop;
};

static void *p_writer_main(void *arg)
{
	struct p_writer *w = (struct p_writer *)arg;
	uint64_t x = 1, stores = 0;

	P_THREAD_BEGIN();
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i += 2) {
			x = bench_next(x);
			P_SET_ATOMIC(w->obj, p_mixed_page(bench_mixed_16g, x), 1);
			x = bench_next(x);
			P_CLEAR_ATOMIC(w->obj, p_mixed_page(bench_mixed_16g, x), 1);
		}
		stores += 64;
		__atomic_store_n(&w->stores, stores, __ATOMIC_RELAXED);
		__atomic_store_n(&w->running, true, __ATOMIC_RELAXED);
		P_QUIESCE();
	}
	P_THREAD_END();
	return NULL;
}

static p_obj *p_build_rw(void)
{
	p_obj *o = P_CREATE_CONCURRENT((uint64_t)1 << BENCH_16G, true);
	uint64_t x = 1;

	for (int i = 0; i < 1000000; i += 2)
		x = p_do_convert(o, x);
	return o;
}

static double p_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* rw: load anywhere while another thread converts without pause as in "convert" */
static void p_row_rw(struct bench *bench)
{
	struct p_fix *f = &p_fixes[P_RW];
	struct p_writer w = {NULL, 0, false, false};
	uint64_t x = 1, sum = 0, stores;
	pthread_t thread;
	double begin;

	if (!f->obj)
		f->obj = p_build_rw();
	w.obj = f->obj;
	P_THREAD_BEGIN();
	if (pthread_create(&thread, NULL, p_writer_main, &w))
		abort();
	while (!__atomic_load_n(&w.running, __ATOMIC_RELAXED))
		P_QUIESCE();
	begin = p_now();
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED);
	while (bench_more(bench, 1024)) {
		for (int j = 0; j < 16; j++) {
			for (int i = 0; i < 64; i++) {
				x = bench_next(x);
				sum += p_test(f->obj, x >> (64 - BENCH_16G));
			}
			P_QUIESCE();
		}
	}
	begin = p_now() - begin;
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED) - stores;
	if (stores)
		bench_counter(bench, "writer_ns", begin / (double)stores);
	bench_use(sum);
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	P_THREAD_END();
	pthread_join(thread, NULL);
}
#endif /* P_CONCURRENT */

#include "rows_table.h"
