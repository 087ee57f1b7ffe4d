/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap.c - peer: a flat bitmap and nothing else, as a VMM keeps it
 *
 * Without summaries: how large a uniform block is, it finds out by scanning that block.
 * In the row with two threads its stores are atomic read-modify-writes of a word.
 */
#include "bitmap_ops.h"

#define PEER_NAME "bitmap"
#define PEER_SYMBOL bench_peer_bitmap
#define P_HAS_ORDER
#define P_HAS_RUNS
#define P_CONCURRENT
#define P_SET_ATOMIC p_set_atomic
#define P_CLEAR_ATOMIC p_clear_atomic

typedef struct {
	uint64_t *map;
	uint64_t nr_pages;
} p_obj;

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	p_obj *o = bench_alloc(sizeof(*o), 8);

	o->map = map_create(nr_pages, set);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void p_destroy(p_obj *o)
{
	bench_free(o->map, o->nr_pages / 8, 64);
	bench_free(o, sizeof(*o), 8);
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	map_fill(o->map, start, nr, true);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	map_fill(o->map, start, nr, false);
}

/* of one page, which is all that the row needs */
static bench_noinline void p_set_atomic(p_obj *o, uint64_t i, uint64_t nr)
{
	(void)nr;
	__atomic_fetch_or(&o->map[i / 64], 1ULL << (i % 64), __ATOMIC_RELAXED);
}

static bench_noinline void p_clear_atomic(p_obj *o, uint64_t i, uint64_t nr)
{
	(void)nr;
	__atomic_fetch_and(&o->map[i / 64], ~(1ULL << (i % 64)), __ATOMIC_RELAXED);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return map_test(o->map, i);
}

static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	uint64_t start = i & ~(BENCH_PAGES_1G - 1), end = start + BENCH_PAGES_1G;

	if (!map_uniform_2m(o->map, i / BENCH_PAGES_2M))
		return 0;
	if (map_next_not(o->map, start, end, map_test(o->map, i)) < end)
		return BENCH_ORDER_2M;
	return BENCH_ORDER_1G;
}

struct p_cursor {
	struct map_cursor c;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	c->c = (struct map_cursor) {o->map, 0, o->nr_pages};
}

static bench_noinline bool p_next(struct p_cursor *c, struct bench_run *run)
{
	return map_next_run(&c->c, run);
}

#include "rows.h"
