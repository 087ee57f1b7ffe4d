/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_lpage.c - peer: a flat bitmap, and a byte for each 2M and 1G block
 *
 * The byte says whether the block is mixed, as KVM's lpage_info does. As in KVM, it is recomputed
 * after a change from the pages of the block. This peer recomputes as little as possible: only the
 * blocks at the two ends of the range, because the blocks between them are uniform; and a 1G block
 * only if the change can have made it uniform.
 */
#include "bitmap_ops.h"

#define PEER_NAME "bitmap+lpage"
#define PEER_SYMBOL bench_peer_bitmap_lpage
#define PEER_HAS_ORDER
#define PEER_HAS_RUNS

typedef struct {
	uint64_t *map;
	uint8_t *mixed_2m, *mixed_1g;
	uint64_t nr_pages;
} peer_obj;

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	peer_obj *o = bench_alloc(sizeof(*o), 8);

	o->map = bitmap_create(nr_pages, set);
	o->mixed_2m = bench_zalloc(nr_pages / BENCH_PAGES_2M, 64);
	o->mixed_1g = bench_zalloc(nr_pages / BENCH_PAGES_1G, 64);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	bench_free(o->map, o->nr_pages / 8, 64);
	bench_free(o->mixed_2m, o->nr_pages / BENCH_PAGES_2M, 64);
	bench_free(o->mixed_1g, o->nr_pages / BENCH_PAGES_1G, 64);
	bench_free(o, sizeof(*o), 8);
}

/* Returns true if a 2M block of the 1G block is mixed, or if the first pages of two differ. */
static bool lpage_find_mixed_1g(const peer_obj *o, uint64_t block)
{
	const uint64_t *w = o->map + block * (BENCH_PAGES_1G / 64), first = w[0] & 1;

	if (memchr(o->mixed_2m + block * 512, 1, 512))
		return true;
	for (unsigned int i = 1; i < 512; i++) {
		if ((w[i * 8] & 1) != first)
			return true;
	}
	return false;
}

static inline void lpage_recompute_2m(peer_obj *o, uint64_t block)
{
	o->mixed_2m[block] = !bitmap_uniform_2m(o->map, block);
}

static inline void lpage_recompute_1g(peer_obj *o, uint64_t block, bool mixed)
{
	o->mixed_1g[block] = mixed || lpage_find_mixed_1g(o, block);
}

static inline void peer_store(peer_obj *o, uint64_t start, uint64_t nr, bool set)
{
	uint64_t end = start + nr, first = start >> GMS_ORDER_2M, last, b;

	bitmap_fill(o->map, start, nr, set);
	last = (end - 1) >> GMS_ORDER_2M;
	lpage_recompute_2m(o, first);
	if (last != first) {
		memset(o->mixed_2m + first + 1, 0, last - first - 1);
		lpage_recompute_2m(o, last);
	}
	b = start >> GMS_ORDER_1G;
	lpage_recompute_1g(o, b, o->mixed_2m[first]);
	if (b != (end - 1) >> GMS_ORDER_1G) {
		for (b++; b < (end - 1) >> GMS_ORDER_1G; b++)
			o->mixed_1g[b] = 0;
		lpage_recompute_1g(o, b, o->mixed_2m[last]);
	}
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, true);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, false);
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	if (!o->mixed_1g[i >> GMS_ORDER_1G])
		return GMS_ORDER_1G;
	return o->mixed_2m[i >> GMS_ORDER_2M] ? 0 : GMS_ORDER_2M;
}

#include "bitmap_rows.h"
