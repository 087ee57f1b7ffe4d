/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pageset.h - setting pages in the trees that limit the guest's mappings: attributes and inhibits
 */
#ifndef GMS_ENGINE_PAGESET_H
#define GMS_ENGINE_PAGESET_H

#include "core/ranges.h"

/*
 * Sets or clears a range in all of the trees, or in none. The pages of each tree are also in the
 * tree that follows. @zap: zaps the guest's mappings of the pages that change in the first tree,
 * because they may be larger than the change allows. Returns 0 or -ENOMEM.
 */
int gms_pageset_store(struct gms_state *s, struct gms_rtree *const trees[], unsigned int nr_trees,
		      gms_pgoff_t start, gms_pgoff_t end, bool set, bool zap)
	GMS_REQUIRES(gms_convert_lock);

#endif /* GMS_ENGINE_PAGESET_H */
