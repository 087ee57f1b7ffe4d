// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iter.c - walking over runs of shared and private pages
 */
#include "core/core.h"

_Static_assert(sizeof(struct gms_rtree_cursor) <= sizeof(struct gms_iter),
	       "a cursor fits into an iterator");

/* Returns the cursor over the tree of private pages, which is all that an iterator holds. */
static struct gms_rtree_cursor *iter_cursor(struct gms_iter *iter)
{
	return (void *)iter;
}

void gms_iter_init(struct gms_iter *iter, const struct gms_state *s, gms_pgoff_t start,
		   uint64_t nr_pages)
{
	const gms_pgoff_t end = nr_pages > UINT64_MAX - start ? UINT64_MAX : start + nr_pages;

	gms_rtree_cursor_init(iter_cursor(iter), s->private, start, end);
}

bool gms_iter_next(struct gms_iter *iter, struct gms_run *run)
{
	struct gms_rtree_run r;

	if (!gms_rtree_cursor_next(iter_cursor(iter), &r))
		return false;
	*run = (struct gms_run) {
		.start = r.start,
		.nr_pages = r.nr_pages,
		.shareability = r.set ? GMS_PRIVATE : GMS_SHARED,
	};
	return true;
}
