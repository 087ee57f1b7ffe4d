/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * counts_ops.h - a flat bitmap with counters for each 2M and 1G block, for the peers that have one
 *
 * A 2M block counts its pages that are set. A 1G block counts its 2M blocks that are mixed, and
 * those that are full. A change of one page adds or subtracts one. A change of a range counts
 * again in the 2M blocks at its two ends only.
 */
#ifndef BENCH_COUNTS_OPS_H
#define BENCH_COUNTS_OPS_H

#include "bitmap_ops.h"

struct counts_1g {
	uint16_t mixed, full;
};

struct counts {
	uint64_t *map;
	uint16_t *in_2m;
	struct counts_1g *in_1g;
	uint64_t nr_pages;
};

static inline struct counts *counts_create(uint64_t nr_pages, bool set)
{
	uint64_t nr_2m = nr_pages / BENCH_PAGES_2M, nr_1g = nr_pages / BENCH_PAGES_1G, i;
	struct counts *o = bench_alloc(sizeof(*o), 8);

	o->map = bitmap_create(nr_pages, set);
	o->in_2m = bench_zalloc(nr_2m * sizeof(*o->in_2m), 64);
	o->in_1g = bench_zalloc(nr_1g * sizeof(*o->in_1g), 64);
	o->nr_pages = nr_pages;
	for (i = 0; set && i < nr_2m; i++)
		o->in_2m[i] = 512;
	for (i = 0; set && i < nr_1g; i++)
		o->in_1g[i].full = 512;
	return o;
}

static inline void counts_destroy(struct counts *o)
{
	bench_free(o->map, o->nr_pages / 8, 64);
	bench_free(o->in_2m, o->nr_pages / BENCH_PAGES_2M * sizeof(*o->in_2m), 64);
	bench_free(o->in_1g, o->nr_pages / BENCH_PAGES_1G * sizeof(*o->in_1g), 64);
	bench_free(o, sizeof(*o), 8);
}

static inline void counts_recount_2m(struct counts *o, uint64_t block, uint16_t now)
{
	struct counts_1g *g = &o->in_1g[block / 512];
	uint16_t was = o->in_2m[block];

	o->in_2m[block] = now;
	g->full += (now == 512) - (was == 512);
	g->mixed += (now % 512 != 0) - (was % 512 != 0);
}

/* No branch depends on whether the page changes, because no processor can predict that. */
static inline void counts_store_page(struct counts *o, uint64_t i, bool set)
{
	uint64_t *word = &o->map[i / 64], old = *word, bit = 1ULL << (i % 64);
	uint16_t was = o->in_2m[i / 512], now = was + set - (old >> (i % 64) & 1);

	bitmap_merge(word, bit, set);
	if (was - 2u < 509u)
		o->in_2m[i / 512] = now; /* mixed before and after */
	else
		counts_recount_2m(o, i / 512, now);
}

/* Stores a part of one 2M block. */
static void counts_store_part(struct counts *o, uint64_t start, uint64_t nr, bool set)
{
	const uint64_t *w = o->map + start / 512 * 8;
	unsigned int i;
	int now = 0;

	bitmap_fill(o->map, start, nr, set);
	for (i = 0; i < 8; i++)
		now += __builtin_popcountll(w[i]);
	counts_recount_2m(o, start / 512, now);
}

/* Stores @nr whole 2M blocks of one 1G block. */
static void counts_store_blocks(struct counts *o, uint64_t first, uint64_t nr, bool set)
{
	struct counts_1g *g = &o->in_1g[first / 512];
	uint16_t *n = o->in_2m + first, full = 0, mixed = 0;
	unsigned int i;

	if (nr == 512) {
		*g = (struct counts_1g) {0, set ? 512 : 0};
	} else {
		for (i = 0; i < nr; i++) {
			full += n[i] == 512;
			mixed += n[i] % 512 != 0;
		}
		g->full += (set ? nr : 0) - full;
		g->mixed -= mixed;
	}
	for (i = 0; i < nr; i++)
		n[i] = set ? 512 : 0;
	bitmap_fill(o->map, first * 512, nr * 512, set);
}

static inline void counts_store(struct counts *o, uint64_t start, uint64_t nr, bool set)
{
	const uint64_t end = start + nr, whole = gms_order_down(end, GMS_ORDER_2M);
	uint64_t stop;

	if (nr == 1) {
		counts_store_page(o, start, set);
		return;
	}
	if (!gms_order_is_start(start, GMS_ORDER_2M)) {
		stop = gms_order_cut(start, GMS_ORDER_2M, end);
		counts_store_part(o, start, stop - start, set);
		start = stop;
	}
	gms_for_each_1g(at, next, start, whole)
		counts_store_blocks(o, at / 512, (next - at) / 512, set);
	start = start > whole ? start : whole;
	if (start < end)
		counts_store_part(o, start, end - start, set);
}

static inline unsigned int counts_order(const struct counts *o, uint64_t i)
{
	struct counts_1g g = o->in_1g[i >> GMS_ORDER_1G];

	if (!g.mixed && g.full % 512 == 0)
		return GMS_ORDER_1G;
	return o->in_2m[i >> GMS_ORDER_2M] % 512 ? 0 : GMS_ORDER_2M;
}
#endif /* BENCH_COUNTS_OPS_H */
