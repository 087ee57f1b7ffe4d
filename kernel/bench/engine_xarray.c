// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * engine_xarray.c - peer: the XArray under the locks that KVM_SET_MEMORY_ATTRIBUTES takes
 *
 * KVM holds its slots_lock, a mutex, for the whole call. It takes its mmu_lock for writing twice:
 * before and after it stores. What else KVM does there is left out: it updates the summaries of
 * blocks (lpage_info), walks over memslots, and unmaps.
 */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"
#include "xarray.h"

struct engine_xarray {
	struct mutex slots_lock; /* is held over a conversion */
	rwlock_t mmu_lock;
	u64 invalidate_seq;
	struct xarray xa;
};

static void engine_xarray_bump(struct engine_xarray *e)
{
	write_lock(&e->mmu_lock);
	e->invalidate_seq++;
	write_unlock(&e->mmu_lock);
}

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	void *const entry = private ? XARRAY_PRIVATE : NULL;
	const u64 end = start + nr_pages;
	struct engine_xarray *e = o;

	mutex_lock(&e->slots_lock);
	if (!xarray_range_has(&e->xa, start, end, entry)) {
		WARN_ON_ONCE(xarray_reserve(&e->xa, start, end));
		engine_xarray_bump(e);
		WARN_ON_ONCE(xarray_store(&e->xa, start, end, entry));
		engine_xarray_bump(e);
	}
	mutex_unlock(&e->slots_lock);
}

static bool peer_load(void *o, u64 page)
{
	return xa_load(&((struct engine_xarray *)o)->xa, page);
}

#include "rows.h"

static void *engine_xarray_create(u64 nr_pages, bool private)
{
	struct engine_xarray *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	mutex_init(&e->slots_lock);
	rwlock_init(&e->mmu_lock);
	xa_init(&e->xa);
	if (private)
		peer_store(e, 0, nr_pages, true);
	return e;
}

static void *engine_xarray_create_rcu(u64 nr_pages)
{
	return engine_xarray_create(nr_pages, true);
}

static void engine_xarray_destroy(void *o)
{
	struct engine_xarray *e = o;

	xa_destroy(&e->xa);
	kfree(e);
}

const struct bench_peer bench_engine_xarray = {
	.name = "XArray, KVM's locks",
	.lacks_1t = true,
	.create = engine_xarray_create,
	.create_rcu = engine_xarray_create_rcu,
	.destroy = engine_xarray_destroy,
	.store = rows_store,
	.load = rows_load,
};
