/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_counts.c - peer: a flat bitmap and beside it counters for each 2M and 1G block
 */
#include "counts_ops.h"

#define PEER_NAME "bitmap+counts"
#define PEER_SYMBOL bench_peer_bitmap_counts
#define P_HAS_ORDER
#define P_HAS_RUNS

typedef struct counts p_obj;

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	return counts_create(nr_pages, set);
}

static bench_noinline void p_destroy(p_obj *o)
{
	counts_destroy(o);
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	counts_store(o, start, nr, true);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	counts_store(o, start, nr, false);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return map_test(o->map, i);
}

static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	return counts_order(o, i);
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
