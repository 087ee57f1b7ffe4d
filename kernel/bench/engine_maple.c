// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * engine_maple.c - peer: the maple tree under an invalidate lock, as in a guest_memfd (v13)
 *
 * A store holds the rw_semaphore exclusively, which is the external lock of the tree: the tree's
 * spinlock is not used. Readers take no lock: the tree is in RCU mode. A conversion of the series
 * also invalidates KVM's mappings, which is left out.
 */
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "bench.h"
#include "maple.h"

struct engine_maple {
	struct rw_semaphore invalidate;
	struct maple_tree tree;
};

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	struct engine_maple *e = o;

	down_write(&e->invalidate);
	WARN_ON_ONCE(maple_store_locked(&e->tree, start, start + nr_pages - 1, private));
	up_write(&e->invalidate);
}

static bool peer_load(void *o, u64 page)
{
	return mtree_load(&((struct engine_maple *)o)->tree, page) == MAPLE_PRIVATE;
}

#include "rows.h"

static void *engine_maple_create(u64 nr_pages, bool private)
{
	struct engine_maple *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	init_rwsem(&e->invalidate);
	mt_init_flags(&e->tree, MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&e->tree, &e->invalidate);
	peer_store(e, 0, nr_pages, private);
	return e;
}

static void *engine_maple_create_rcu(u64 nr_pages)
{
	return engine_maple_create(nr_pages, true);
}

static void engine_maple_destroy(void *o)
{
	struct engine_maple *e = o;

	synchronize_rcu();
	down_write(&e->invalidate);
	mt_clear_in_rcu(&e->tree);
	__mt_destroy(&e->tree);
	up_write(&e->invalidate);
	kfree(e);
}

const struct bench_peer bench_engine_maple = {
	.name = "maple, invalidate lock",
	.create = engine_maple_create,
	.create_rcu = engine_maple_create_rcu,
	.destroy = engine_maple_destroy,
	.store = rows_store,
	.load = rows_load,
};
