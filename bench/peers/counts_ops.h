/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * counts_ops.h - a flat bitmap with counters for each 2M and 1G block, for peers that have one
 *
 * A 2M block counts its pages that are set, a 1G block those of its 2M blocks that are
 * mixed, and those that are all set. A change of a page adds or takes one, so
 * nothing is looked at again; a range is counted anew at its two ends only.
 */
#ifndef BENCH_COUNTS_OPS_H
#define BENCH_COUNTS_OPS_H

#include "bitmap_ops.h"

struct count_1g {
	uint16_t mixed, full;
};

struct counts {
	uint64_t *map;
	uint16_t *in_2m;
	struct count_1g *in_1g;
	uint64_t nr_pages;
};

static inline struct counts *counts_create(uint64_t nr_pages, bool set)
{
	uint64_t nr_2m = nr_pages / BENCH_PAGES_2M, nr_1g = nr_pages / BENCH_PAGES_1G, i;
	struct counts *o = bench_alloc(sizeof(*o), 8);

	o->map = map_create(nr_pages, set);
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

static inline void recount_2m(struct counts *o, uint64_t block, uint16_t now)
{
	struct count_1g *g = &o->in_1g[block / 512];
	uint16_t was = o->in_2m[block];

	o->in_2m[block] = now;
	g->full += (now == 512) - (was == 512);
	g->mixed += (now % 512 != 0) - (was % 512 != 0);
}

/* Whether the page changes is for no processor to foresee: no branch depends on it. */
static inline void store_page(struct counts *o, uint64_t i, bool set)
{
	uint64_t *word = &o->map[i / 64], old = *word, bit = 1ULL << (i % 64);
	uint16_t was = o->in_2m[i / 512], now = was + set - (old >> (i % 64) & 1);

	map_merge(word, bit, set);
	if (was - 2u < 509u)
		o->in_2m[i / 512] = now; /* mixed before and after */
	else
		recount_2m(o, i / 512, now);
}

/* part of one 2M block */
static void store_part(struct counts *o, uint64_t start, uint64_t nr, bool set)
{
	const uint64_t *w = o->map + start / 512 * 8;
	unsigned int i;
	int now = 0;

	map_fill(o->map, start, nr, set);
	for (i = 0; i < 8; i++)
		now += __builtin_popcountll(w[i]);
	recount_2m(o, start / 512, now);
}

/* some 2M blocks of one 1G block, whole ones */
static void store_blocks(struct counts *o, uint64_t first, uint64_t nr, bool set)
{
	struct count_1g *g = &o->in_1g[first / 512];
	uint16_t *n = o->in_2m + first, full = 0, mixed = 0;
	unsigned int i;

	if (nr == 512) {
		*g = (struct count_1g) {0, set ? 512 : 0};
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
	map_fill(o->map, first * 512, nr * 512, set);
}

static inline void counts_store(struct counts *o, uint64_t start, uint64_t nr, bool set)
{
	uint64_t end = start + nr, stop, left;

	if (nr == 1) {
		store_page(o, start, set);
		return;
	}
	if (start % 512) {
		stop = (start / 512 + 1) * 512;
		stop = stop < end ? stop : end;
		store_part(o, start, stop - start, set);
		start = stop;
	}
	for (left = (end - start) / 512; left; left = (end - start) / 512) {
		stop = 512 - start / 512 % 512;
		stop = stop < left ? stop : left;
		store_blocks(o, start / 512, stop, set);
		start += stop * 512;
	}
	if (start < end)
		store_part(o, start, end - start, set);
}

static inline unsigned int counts_order(const struct counts *o, uint64_t i)
{
	struct count_1g g = o->in_1g[i >> BENCH_ORDER_1G];

	if (!g.mixed && g.full % 512 == 0)
		return BENCH_ORDER_1G;
	return o->in_2m[i >> BENCH_ORDER_2M] % 512 ? 0 : BENCH_ORDER_2M;
}
#endif /* BENCH_COUNTS_OPS_H */
