// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * query.c - queries: they take no lock, write nothing and never wait
 *
 * Each query of this file reads one tree, or the record of one block. So its answer for a page or
 * a block was true at some time during the call (R1).
 */
#include "core/entry.h"

bool gms_is_private(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->private, index) || index >= s->nr_pages;
}

bool gms_range_is(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		  enum gms_shareability shareability)
{
	return gms_state_range_ok(s, start, nr_pages) &&
	       (shareability == GMS_SHARED || shareability == GMS_PRIVATE) &&
	       (unsigned int)gms_rtree_fill_range(s->private, start, nr_pages) ==
		       (unsigned int)shareability;
}

/* The library casts between the two: a summary is the fill of the block in the private pages. */
_Static_assert((int)GMS_ALL_SHARED == (int)GMS_RTREE_NONE, "a summary is a fill");
_Static_assert((int)GMS_ALL_PRIVATE == (int)GMS_RTREE_ALL, "a summary is a fill");
_Static_assert((int)GMS_MIXED == (int)GMS_RTREE_MIXED, "a summary is a fill");

enum gms_summary gms_summary(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	if (!gms_order_is_valid(order))
		return GMS_MIXED;
	if (index >= s->nr_pages)
		return GMS_ALL_PRIVATE;
	return (enum gms_summary)gms_rtree_fill(s->private, index, order);
}

unsigned int gms_max_order(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_uniform_order(s->private, index);
}

uint64_t gms_count(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   enum gms_shareability shareability)
{
	uint64_t private;

	if (start >= s->nr_pages || (shareability != GMS_SHARED && shareability != GMS_PRIVATE))
		return 0;
	if (nr_pages > s->nr_pages - start)
		nr_pages = s->nr_pages - start;
	private = gms_rtree_count(s->private, start, nr_pages);
	return shareability == GMS_PRIVATE ? private : nr_pages - private;
}

bool gms_is_allocated(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->folios.allocated, index);
}

bool gms_is_prepared(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->folios.prepared, index);
}

bool gms_is_quarantined(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->quarantine, index);
}

bool gms_quarantine_next(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			 gms_pgoff_t *first, uint64_t *count)
{
	const uint64_t rest = start < s->nr_pages ? s->nr_pages - start : 0;
	const gms_pgoff_t end = start + (nr_pages < rest ? nr_pages : rest);
	struct gms_rtree_run run;

	if (!gms_load_relaxed(&s->quarantined))
		return false;
	for (; gms_rtree_next(s->quarantine, start, end, &run); start = run.start + run.nr_pages) {
		if (!run.set)
			continue;
		*first = run.start;
		*count = run.nr_pages;
		return true;
	}
	return false;
}

unsigned int gms_folio_order(const struct gms_state *s, gms_pgoff_t index)
{
	return index < s->nr_pages ? gms_folio_at(&s->folios, index).order : 0;
}
