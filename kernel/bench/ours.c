// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ours.c - peer: the range tree, with a spinlock of the caller's around each store
 *
 * The maple tree and the XArray have a spinlock of their own. The tree has none, so its caller
 * prepares a store, which may allocate, and commits it under a spinlock.
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <gmemstate/rtree.h>

#include "bench.h"

struct ours {
	spinlock_t lock; /* around commits */
	struct gms_rtree *tree;
};

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	struct ours *ours = o;

	if (WARN_ON_ONCE(gms_rtree_prepare(ours->tree, start, nr_pages, NULL)))
		return;
	spin_lock(&ours->lock);
	gms_rtree_commit(ours->tree, start, nr_pages, private, NULL);
	spin_unlock(&ours->lock);
}

static bool peer_load(void *o, u64 page)
{
	return gms_rtree_test(((struct ours *)o)->tree, page);
}

#include "rows.h"

static void *ours_create(u64 nr_pages, bool private)
{
	struct ours *ours = kzalloc(sizeof(*ours), GFP_KERNEL);
	const enum gms_rtree_fill fill = private ? GMS_RTREE_ALL : GMS_RTREE_NONE;

	if (!ours)
		return NULL;
	spin_lock_init(&ours->lock);
	if (!gms_rtree_create(nr_pages, fill, NULL, &ours->tree))
		return ours;
	kfree(ours);
	return NULL;
}

static void *ours_create_rcu(u64 nr_pages)
{
	return ours_create(nr_pages, true);
}

static void ours_destroy(void *o)
{
	struct ours *ours = o;

	gms_rtree_destroy(ours->tree);
	kfree(ours);
}

const struct bench_peer bench_ours = {
	.name = "ours",
	.create = ours_create,
	.create_rcu = ours_create_rcu,
	.destroy = ours_destroy,
	.store = rows_store,
	.load = rows_load,
};
