/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap.c - peer: a flat bitmap and nothing else, as a VMM keeps it
 *
 * It has no summaries: it finds the size of a uniform block by scanning the block. In the row with
 * two threads its stores are atomic read-modify-writes of a word.
 */
#include "bitmap_ops.h"

#define PEER_NAME "bitmap"
#define PEER_SYMBOL bench_peer_bitmap
#define PEER_HAS_ORDER
#define PEER_HAS_RUNS
#define PEER_CONCURRENT
#define PEER_SET_ATOMIC peer_set_atomic
#define PEER_CLEAR_ATOMIC peer_clear_atomic

typedef struct {
	uint64_t *map;
	uint64_t nr_pages;
} peer_obj;

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	peer_obj *o = bench_alloc(sizeof(*o), 8);

	o->map = bitmap_create(nr_pages, set);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	bench_free(o->map, o->nr_pages / 8, 64);
	bench_free(o, sizeof(*o), 8);
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	bitmap_fill(o->map, start, nr, true);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	bitmap_fill(o->map, start, nr, false);
}

/* The row with two threads stores single pages only. */
static bench_noinline void peer_set_atomic(peer_obj *o, uint64_t i, uint64_t nr)
{
	(void)nr;
	__atomic_fetch_or(&o->map[i / 64], 1ULL << (i % 64), __ATOMIC_RELAXED);
}

static bench_noinline void peer_clear_atomic(peer_obj *o, uint64_t i, uint64_t nr)
{
	(void)nr;
	__atomic_fetch_and(&o->map[i / 64], ~(1ULL << (i % 64)), __ATOMIC_RELAXED);
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	uint64_t start = gms_order_down(i, GMS_ORDER_1G), end = gms_order_up(i, GMS_ORDER_1G);

	if (!bitmap_uniform_2m(o->map, i / BENCH_PAGES_2M))
		return 0;
	if (bitmap_next_not(o->map, start, end, bitmap_test(o->map, i)) < end)
		return GMS_ORDER_2M;
	return GMS_ORDER_1G;
}

#include "bitmap_rows.h"
