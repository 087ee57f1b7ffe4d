/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maple.c - peer: the kernel's maple tree, with one entry for each run of private pages
 *
 * The tree is compiled in this file, so that its functions can be inlined like those of other
 * peers. peer_store() merges a range with equal neighbours, because the tree itself merges empty
 * ranges only. The tree is in RCU mode in the row with two threads only, because that mode makes
 * stores slower.
 */
#include "kshim.h"

#include "shared.h"

#include <linux/init.h>

#include "lib/maple_tree.c"

#define PEER_NAME "maple"
#define PEER_SYMBOL bench_peer_maple
#define PEER_HAS_ORDER
#define PEER_HAS_RUNS
#define PEER_SIZE_MAX BENCH_16T
#define PEER_CONCURRENT
#define PEER_CREATE_CONCURRENT peer_create_rcu

#define MAPLE_PRIVATE xa_mk_value(1)

typedef struct {
	struct maple_tree tree;
	uint64_t nr_pages;
} peer_obj;

static peer_obj *maple_create(uint64_t nr_pages, bool set, unsigned int flags)
{
	peer_obj *o = bench_alloc(sizeof(*o), 64);

	if (!maple_node_cache)
		maple_tree_init();
	mt_init_flags(&o->tree, MT_FLAGS_ALLOC_RANGE | flags);
	o->nr_pages = nr_pages;
	if (set)
		mtree_store_range(&o->tree, 0, nr_pages - 1, MAPLE_PRIVATE, GFP_KERNEL);
	return o;
}

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	return maple_create(nr_pages, set, 0);
}

static bench_noinline peer_obj *peer_create_rcu(uint64_t nr_pages, bool set)
{
	return maple_create(nr_pages, set, MT_FLAGS_USE_RCU);
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	mtree_destroy(&o->tree);
	bench_free(o, sizeof(*o), 64);
}

/*
 * Returns false if the range has the entry already. Else returns true, and widens [*lo, *hi] by
 * neighbours with the same entry, unless @entry is NULL.
 */
static bool maple_widen(struct ma_state *mas, unsigned long *lo, unsigned long *hi, void *entry)
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

static inline void peer_store(peer_obj *o, uint64_t start, uint64_t nr, void *entry)
{
	unsigned long lo = start, hi = start + nr - 1;
	MA_STATE(mas, &o->tree, lo, lo);

	mtree_lock(&o->tree);
	if (maple_widen(&mas, &lo, &hi, entry)) {
		mas_set_range(&mas, lo, hi);
		mas_store_gfp(&mas, entry, GFP_KERNEL);
	}
	mtree_unlock(&o->tree);
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, MAPLE_PRIVATE);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, NULL);
}

static bench_noinline bool peer_test(peer_obj *o, uint64_t i)
{
	return mtree_load(&o->tree, i);
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	unsigned int order = GMS_ORDER_1G;
	MA_STATE(mas, &o->tree, i, i);

	rcu_read_lock();
	mas_walk(&mas);
	if (mas.last >= o->nr_pages)
		mas.last = o->nr_pages - 1;
	while (order &&
	       (gms_order_down(i, order) < mas.index || gms_order_up(i, order) - 1 > mas.last))
		order = gms_order_below(order);
	rcu_read_unlock();
	return order;
}

struct peer_cursor {
	struct ma_state mas;
	uint64_t end;
};

static inline void peer_first(peer_obj *o, struct peer_cursor *c)
{
	mas_init(&c->mas, &o->tree, 0);
	c->end = o->nr_pages;
}

static bench_noinline bool peer_next(struct peer_cursor *c, struct bench_run *run)
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
