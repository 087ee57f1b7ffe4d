/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state_trees.h - the trees of a state object, one after the other
 */
#ifndef GMS_STATE_TREES_H
#define GMS_STATE_TREES_H

#include "core/core.h"

/* Returns the tree with a number, from 0 on; NULL behind the last one. */
static inline const struct gms_rtree *gms_state_tree(const struct gms_state *s, unsigned int i)
{
	const struct gms_rtree *const trees[] = {
		s->private,          s->quarantine,      s->inhibit[0],    s->inhibit[1],
		s->folios.allocated, s->folios.prepared, s->folios.mapped,
	};
	const unsigned int nr = sizeof(trees) / sizeof(trees[0]);

	if (i < nr)
		return trees[i];
	return i - nr < gms_load_acquire(&s->nr_attrs) ? s->attr[i - nr] : NULL;
}

#endif /* GMS_STATE_TREES_H */
