// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attr.c - attributes: sets of pages whose meaning is the caller's; each is a range tree
 */
#include "core/entry.h"
#include "pageset.h"

int gms_attr_create(struct gms_state *s, unsigned int *id)
{
	int err;

	err = gms_enter(s, GMS_ENTER_WHOLE, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	if (s->nr_attrs == GMS_MAX_ATTRS)
		err = -ENOSPC;
	else
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, &s->allocator,
				       &s->attr[s->nr_attrs]);
	if (!err) {
		*id = s->nr_attrs;
		gms_store_release(&s->nr_attrs, s->nr_attrs + 1);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, 0, s->nr_pages, err);
}

int gms_attr_set(struct gms_state *s, unsigned int id, gms_pgoff_t start, uint64_t nr_pages,
		 bool set)
{
	int err;

	if (id >= gms_load_acquire(&s->nr_attrs))
		return gms_refused(s, gms_because(-EINVAL, "no attribute has this number"));
	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = gms_pageset_store(s, &s->attr[id], 1, start, start + nr_pages, set, true);
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

bool gms_attr_test(const struct gms_state *s, unsigned int id, gms_pgoff_t index)
{
	return id < gms_load_acquire(&s->nr_attrs) && gms_rtree_test(s->attr[id], index);
}
