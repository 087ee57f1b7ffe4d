// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pageset.c - setting pages in the trees that limit the guest's mappings: see pageset.h
 */
#include "pageset.h"

#include "core/entry.h"
#include "core/mappings.h"

static int pageset_store_locked(struct gms_state *s, struct gms_rtree *const trees[],
				unsigned int nr_trees, gms_pgoff_t start, gms_pgoff_t end, bool set,
				bool zap) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_ranges ranges;
	int err;

	gms_ranges_one(&ranges, start, end);
	if (zap) {
		err = gms_ranges_init(s, &ranges, trees[0], !set, start, end, true);
		if (err)
			return err;
		gms_mappings_invalidate_begin(s, &ranges, GMS_ZAP_BOTH);
	}
	for (unsigned int i = nr_trees; i--;)
		gms_rtree_commit(trees[i], start, end - start, set, NULL);
	if (zap)
		gms_mappings_invalidate_end(s, &ranges);
	gms_ranges_fini(s, &ranges);
	return 0;
}

int gms_pageset_store(struct gms_state *s, struct gms_rtree *const trees[], unsigned int nr_trees,
		      gms_pgoff_t start, gms_pgoff_t end, bool set, bool zap)
{
	const enum gms_rtree_fill done = set ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	/* If nothing changes in this tree, nothing changes in the others. */
	const struct gms_rtree *const decisive = trees[set ? 0 : nr_trees - 1];
	const gms_shards shards = gms_shards_of(start, end);
	int err = 0;

	if (gms_rtree_fill_range(decisive, start, end - start) == done)
		return 0;
	/*
	 * Prepares all trees, also those in which nothing would change now: until the invalidate
	 * locks are taken a guest fault may add inhibits.
	 */
	for (unsigned int i = 0; !err && i < nr_trees; i++)
		err = gms_rtree_prepare(trees[i], start, end - start, NULL);
	if (err)
		return err;
	gms_shards_lock_exclusive(s, shards);
	err = pageset_store_locked(s, trees, nr_trees, start, end, set, zap && s->backend.hooked);
	gms_shards_unlock_exclusive(s, shards);
	return err;
}
