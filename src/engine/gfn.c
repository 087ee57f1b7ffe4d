// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gfn.c - what the guest sees at a gfn: queries, which take no lock
 */
#include "limit.h"

int gms_gfn_to_index(const struct gms_state *s, uint64_t gfn, gms_pgoff_t *index)
{
	struct gms_binding b;

	if (!gms_bindings_find(&s->bindings, GMS_BY_GFN, gfn, &b))
		return gms_because(-ENOENT, NULL);
	*index = gms_binding_index(&b, gfn);
	return 0;
}

int gms_gfn_max_order(const struct gms_state *s, uint64_t gfn, unsigned int *order)
{
	struct gms_binding b;
	gms_pgoff_t index;

	/* The binding is looked up once: a second lookup might find another one, or none. */
	if (!gms_bindings_find(&s->bindings, GMS_BY_GFN, gfn, &b))
		return gms_because(-ENOENT, NULL);
	index = gms_binding_index(&b, gfn);
	*order = gms_limit_quarantine(s, index, gms_rtree_uniform_order(s->private, index));
	*order = gms_binding_order(&b, index, *order);
	*order = gms_limit_attributes(s, index, *order);
	return 0;
}
