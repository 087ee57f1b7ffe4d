// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maple.c - peer: the kernel's maple tree, with its own spinlock
 *
 * For readers beside a writer the tree is in RCU mode, which makes stores slower.
 */
#include <linux/slab.h>

#include "bench.h"
#include "maple.h"

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	struct maple_tree *tree = o;

	mtree_lock(tree);
	WARN_ON_ONCE(maple_store_locked(tree, start, start + nr_pages - 1, private));
	mtree_unlock(tree);
}

static bool peer_load(void *o, u64 page)
{
	return mtree_load(o, page) == MAPLE_PRIVATE;
}

#include "rows.h"

static struct maple_tree *maple_create_with(u64 nr_pages, bool private, unsigned int flags)
{
	struct maple_tree *tree = kzalloc(sizeof(*tree), GFP_KERNEL);

	if (!tree)
		return NULL;
	mt_init_flags(tree, flags);
	peer_store(tree, 0, nr_pages, private);
	return tree;
}

static void *maple_create(u64 nr_pages, bool private)
{
	return maple_create_with(nr_pages, private, 0);
}

static void *maple_create_rcu(u64 nr_pages)
{
	return maple_create_with(nr_pages, true, MT_FLAGS_USE_RCU);
}

/* No reader is left, so the nodes are freed at once, as the kernel does with the tree of an mm. */
static void maple_destroy(void *o)
{
	struct maple_tree *tree = o;

	synchronize_rcu();
	mt_clear_in_rcu(tree);
	mtree_destroy(tree);
	kfree(tree);
}

const struct bench_peer bench_maple = {
	.name = "maple tree",
	.create = maple_create,
	.create_rcu = maple_create_rcu,
	.destroy = maple_destroy,
	.store = rows_store,
	.load = rows_load,
};
