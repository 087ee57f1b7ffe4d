// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * xarray.c - peer: the kernel's XArray, page by page
 */
#include <linux/slab.h>

#include "bench.h"
#include "xarray.h"

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	void *const entry = private ? XARRAY_PRIVATE : NULL;
	const u64 end = start + nr_pages;

	if (xarray_range_has(o, start, end, entry))
		return;
	WARN_ON_ONCE(xarray_reserve(o, start, end));
	WARN_ON_ONCE(xarray_store(o, start, end, entry));
}

static bool peer_load(void *o, u64 page)
{
	return xa_load(o, page);
}

#include "rows.h"

static void *xarray_create(u64 nr_pages, bool private)
{
	struct xarray *xa = kzalloc(sizeof(*xa), GFP_KERNEL);

	if (!xa)
		return NULL;
	xa_init(xa);
	if (private)
		peer_store(xa, 0, nr_pages, true);
	return xa;
}

static void *xarray_create_rcu(u64 nr_pages)
{
	return xarray_create(nr_pages, true);
}

static void xarray_destroy(void *o)
{
	xa_destroy(o);
	kfree(o);
}

const struct bench_peer bench_xarray = {
	.name = "XArray",
	.lacks_1t = true,
	.create = xarray_create,
	.create_rcu = xarray_create_rcu,
	.destroy = xarray_destroy,
	.store = rows_store,
	.load = rows_load,
};
