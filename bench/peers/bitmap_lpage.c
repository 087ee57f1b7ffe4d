/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_lpage.c - peer: a flat bitmap and beside it a byte for each 2M and 1G block
 *
 * The bytes say whether the block is mixed, as KVM's lpage_info does, and like there
 * they are found anew after a change by looking at what the block holds. Its best form:
 * only blocks at the ends of the range are looked at (those inside are uniform), and
 * a 1G block only if the change could have made it uniform.
 */
#include "bitmap_ops.h"

#define PEER_NAME "bitmap+lpage"
#define PEER_SYMBOL bench_peer_bitmap_lpage
#define P_HAS_ORDER
#define P_HAS_RUNS

typedef struct {
	uint64_t *map;
	uint8_t *mixed_2m, *mixed_1g;
	uint64_t nr_pages;
} p_obj;

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	p_obj *o = bench_alloc(sizeof(*o), 8);

	o->map = map_create(nr_pages, set);
	o->mixed_2m = bench_zalloc(nr_pages / BENCH_PAGES_2M, 64);
	o->mixed_1g = bench_zalloc(nr_pages / BENCH_PAGES_1G, 64);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void p_destroy(p_obj *o)
{
	bench_free(o->map, o->nr_pages / 8, 64);
	bench_free(o->mixed_2m, o->nr_pages / BENCH_PAGES_2M, 64);
	bench_free(o->mixed_1g, o->nr_pages / BENCH_PAGES_1G, 64);
	bench_free(o, sizeof(*o), 8);
}

/* No 2M block in it is mixed and all are alike: the first page of each tells. */
static bool find_mixed_1g(const p_obj *o, uint64_t block)
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

static inline void recompute_2m(p_obj *o, uint64_t block)
{
	o->mixed_2m[block] = !map_uniform_2m(o->map, block);
}

static inline void recompute_1g(p_obj *o, uint64_t block, bool mixed)
{
	o->mixed_1g[block] = mixed || find_mixed_1g(o, block);
}

static inline void p_store(p_obj *o, uint64_t start, uint64_t nr, bool set)
{
	uint64_t end = start + nr, first = start >> BENCH_ORDER_2M, last, b;

	map_fill(o->map, start, nr, set);
	last = (end - 1) >> BENCH_ORDER_2M;
	recompute_2m(o, first);
	if (last != first) {
		memset(o->mixed_2m + first + 1, 0, last - first - 1);
		recompute_2m(o, last);
	}
	b = start >> BENCH_ORDER_1G;
	recompute_1g(o, b, o->mixed_2m[first]);
	if (b != (end - 1) >> BENCH_ORDER_1G) {
		for (b++; b < (end - 1) >> BENCH_ORDER_1G; b++)
			o->mixed_1g[b] = 0;
		recompute_1g(o, b, o->mixed_2m[last]);
	}
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, true);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, false);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return map_test(o->map, i);
}

static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	if (!o->mixed_1g[i >> BENCH_ORDER_1G])
		return BENCH_ORDER_1G;
	return o->mixed_2m[i >> BENCH_ORDER_2M] ? 0 : BENCH_ORDER_2M;
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
