// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ours.c - peer: the range tree, as its users call it
 */
#include <gmemstate/rtree.h>

#include <linux/compiler.h>

#include "bench.h"

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	if (private)
		gms_rtree_set(o, start, nr_pages);
	else
		gms_rtree_clear(o, start, nr_pages);
}

static bool peer_load(void *o, u64 page)
{
	return gms_rtree_test(o, page);
}

#include "rows.h"

static void *ours_create(u64 nr_pages, bool private)
{
	struct gms_rtree *t;

	if (gms_rtree_create(nr_pages, private ? GMS_RTREE_ALL : GMS_RTREE_NONE, NULL, &t))
		return NULL;
	return t;
}

static void *ours_create_rcu(u64 nr_pages)
{
	return ours_create(nr_pages, true);
}

static void ours_destroy(void *o)
{
	gms_rtree_destroy(o);
}

const struct bench_peer bench_ours = {
	.name = "ours",
	.create = ours_create,
	.create_rcu = ours_create_rcu,
	.destroy = ours_destroy,
	.store = rows_store,
	.load = rows_load,
};
