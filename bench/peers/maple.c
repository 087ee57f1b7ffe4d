/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maple.c - peer: the kernel's maple tree, one entry a run of private pages
 *
 * The tree itself is compiled in here, so that its functions can be inlined like those
 * of the other peers. Storing merges equal neighbours, which the tree does by itself for
 * empty ranges only. RCU mode is for the row with two threads: elsewhere it would only
 * make stores slower.
 */
#include "kshim.h"

#include "shared.h"

#include <linux/init.h>

#include "lib/maple_tree.c"

#define PEER_NAME "maple"
#define PEER_SYMBOL bench_peer_maple
#define P_HAS_ORDER
#define P_HAS_RUNS
#define P_SIZE_MAX BENCH_16T
#define P_CONCURRENT
#define P_CREATE_CONCURRENT p_create_rcu

#define ENTRY xa_mk_value(1)

typedef struct {
	struct maple_tree tree;
	uint64_t nr_pages;
} p_obj;

static p_obj *create(uint64_t nr_pages, bool set, unsigned int flags)
{
	p_obj *o = bench_alloc(sizeof(*o), 64);

	if (!maple_node_cache)
		maple_tree_init();
	mt_init_flags(&o->tree, MT_FLAGS_ALLOC_RANGE | flags);
	o->nr_pages = nr_pages;
	if (set)
		mtree_store_range(&o->tree, 0, nr_pages - 1, ENTRY, GFP_KERNEL);
	return o;
}

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	return create(nr_pages, set, 0);
}

static bench_noinline p_obj *p_create_rcu(uint64_t nr_pages, bool set)
{
	return create(nr_pages, set, MT_FLAGS_USE_RCU);
}

static bench_noinline void p_destroy(p_obj *o)
{
	mtree_destroy(&o->tree);
	bench_free(o, sizeof(*o), 64);
}

/* Returns false where there is nothing to do; else widens [*lo, *hi] to what is alike. */
static bool widen(struct ma_state *mas, unsigned long *lo, unsigned long *hi, void *entry)
{
	void *was = mas_walk(mas);

	if (was == entry && mas->last >= *hi)
		return false;
	if (!entry)
		return true;
	if (was == entry) {
		*lo = mas->index;
	} else if (mas->index == *lo && *lo) {
		struct ma_state prev = *mas;

		if (mas_prev_range(&prev, 0) == entry)
			*lo = prev.index;
	}
	if (mas->last > *hi)
		return true;
	if (mas->last < *hi) {
		mas_set(mas, *hi);
		was = mas_walk(mas);
	}
	if (was == entry)
		*hi = mas->last;
	else if (mas->last == *hi && mas_next_range(mas, ULONG_MAX) == entry)
		*hi = mas->last;
	return true;
}

static inline void p_store(p_obj *o, uint64_t start, uint64_t nr, void *entry)
{
	unsigned long lo = start, hi = start + nr - 1;
	MA_STATE(mas, &o->tree, lo, lo);

	mtree_lock(&o->tree);
	if (widen(&mas, &lo, &hi, entry)) {
		mas_set_range(&mas, lo, hi);
		mas_store_gfp(&mas, entry, GFP_KERNEL);
	}
	mtree_unlock(&o->tree);
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, ENTRY);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, NULL);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return mtree_load(&o->tree, i);
}

static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	uint64_t at_1g = i & ~(BENCH_PAGES_1G - 1), at_2m = i & ~(BENCH_PAGES_2M - 1);
	unsigned int order = 0;
	MA_STATE(mas, &o->tree, i, i);

	rcu_read_lock();
	mas_walk(&mas);
	if (mas.last >= o->nr_pages)
		mas.last = o->nr_pages - 1;
	if (mas.index <= at_1g && at_1g + BENCH_PAGES_1G - 1 <= mas.last)
		order = BENCH_ORDER_1G;
	else if (mas.index <= at_2m && at_2m + BENCH_PAGES_2M - 1 <= mas.last)
		order = BENCH_ORDER_2M;
	rcu_read_unlock();
	return order;
}

struct p_cursor {
	struct ma_state mas;
	uint64_t end;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	mas_init(&c->mas, &o->tree, 0);
	c->end = o->nr_pages;
}

static bench_noinline bool p_next(struct p_cursor *c, struct bench_run *run)
{
	uint64_t last;
	void *entry;

	if (mas_is_start(&c->mas))
		entry = mas_walk(&c->mas);
	else if (c->mas.last >= c->end - 1)
		return false;
	else
		entry = mas_next_range(&c->mas, c->end - 1);
	last = c->mas.last < c->end ? c->mas.last : c->end - 1;
	run->start = c->mas.index;
	run->nr_pages = last + 1 - c->mas.index;
	run->set = entry;
	return true;
}

#include "rows.h"
