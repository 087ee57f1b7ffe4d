// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mappings.c - what conversions, holes and repairs do to mappings: see mappings.h
 */
#include "mappings.h"

/*
 * Makes the next range of the list the current one, and cuts it at @limit. Returns false if there
 * is none that begins before @limit.
 */
static inline bool mappings_next_before(const struct gms_ranges *ranges,
					struct gms_ranges_walk *walk, gms_pgoff_t limit)
{
	if (!gms_ranges_next(ranges, walk) || walk->range.start >= limit)
		return false;
	if (walk->range.end > limit)
		walk->range.end = limit;
	return true;
}

/* ---- the host's mappings ---- */

static int mappings_unmap(struct gms_state *s, struct gms_range range, bool undo)
	GMS_REQUIRES(gms_invalidate_lock)
{
	int err = gms_backend_unmap_host(&s->backend, range.start, range.end - range.start);

	if (!err)
		gms_folios_unexpose(&s->folios, range.start, range.end, undo);
	return err;
}

/*
 * Unmaps the ranges before @limit. Calls the backend once for ranges that share an exposed folio.
 * @undo: allocates nothing.
 */
static int mappings_unmap_before(struct gms_state *s, struct gms_ranges *ranges, gms_pgoff_t limit,
				 bool undo) GMS_REQUIRES(gms_invalidate_lock)
{
	const bool by_folio = s->folios.order && !s->backend.ops.map_host;
	struct gms_ranges_walk walk = {0};
	struct gms_range wide = {0}; /* for the next call of the backend; empty at first */
	gms_pgoff_t end = 0; /* where the last of the ranges in @wide ends */
	int err = 0;

	while (!err && mappings_next_before(ranges, &walk, limit)) {
		struct gms_range range = walk.range;

		if (by_folio)
			gms_folios_widen(&s->folios, &range.start, &range.end);
		if (range.start < wide.end) {
			wide.end = range.end > wide.end ? range.end : wide.end;
			end = walk.range.end;
			continue;
		}
		if (wide.end) {
			ranges->unmapped = end;
			err = mappings_unmap(s, wide, undo);
		}
		wide = range;
		end = walk.range.end;
	}
	if (err || !wide.end)
		return err;
	ranges->unmapped = end;
	return mappings_unmap(s, wide, undo);
}

/* Maps for the host the pages of a range that are shared and not quarantined. */
static int mappings_map_shared(struct gms_state *s, struct gms_range range)
	GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_rtree_run run, quarantined;
	int err = 0;

	for (gms_pgoff_t at = range.start; !err && gms_rtree_next(s->private, at, range.end, &run);
	     at += run.nr_pages) {
		const gms_pgoff_t end = run.start + run.nr_pages;

		for (gms_pgoff_t from = run.start;
		     !err && !run.set && gms_rtree_next(s->quarantine, from, end, &quarantined);
		     from += quarantined.nr_pages)
			if (!quarantined.set)
				err = gms_backend_map_host(&s->backend, quarantined.start,
							   quarantined.nr_pages);
	}
	return err;
}

int gms_mappings_restore_host(struct gms_state *s, const struct gms_ranges *ranges)
{
	struct gms_ranges_walk walk = {0};
	int err = 0;

	if (!s->backend.ops.map_host)
		return 0;
	while (!err && mappings_next_before(ranges, &walk, ranges->unmapped))
		err = mappings_map_shared(s, walk.range);
	return err;
}

/* ---- pins ---- */

/*
 * Finds the first pinned page of a range, whether the library or the backend counts the pin.
 * Returns 0: there is none; -EAGAIN: *pinned is that page; or the backend's error.
 */
static int mappings_first_pin(struct gms_state *s, struct gms_range range, gms_pgoff_t *pinned)
{
	const bool counted = gms_folios_first_pin(&s->folios, range.start, range.end, pinned);
	gms_pgoff_t found;
	int err = 0;

	if (counted)
		range.end = *pinned;
	if (range.start < range.end)
		err = gms_backend_check_pins(&s->backend, range.start, range.end - range.start,
					     &found);
	if (err)
		*pinned = found;
	return err ? err : counted ? -EAGAIN : 0;
}

/* Returns the first page of the ranges with a pin of gms_pin(); ranges->end if there is none. */
static gms_pgoff_t mappings_first_counted(struct gms_state *s, const struct gms_ranges *ranges)
{
	struct gms_ranges_walk walk = {0};
	gms_pgoff_t pinned;

	while (gms_ranges_next(ranges, &walk))
		if (gms_folios_first_pin(&s->folios, walk.range.start, walk.range.end, &pinned))
			return pinned;
	return ranges->end;
}

/* Does gms_mappings_isolate() for a backend whose pins are on pages. */
static int mappings_isolate_pages(struct gms_state *s, struct gms_ranges *ranges,
				  gms_pgoff_t *pinned) GMS_REQUIRES(gms_invalidate_lock)
{
	const gms_pgoff_t counted = mappings_first_counted(s, ranges);
	struct gms_ranges_walk walk = {0};
	gms_pgoff_t found;
	int err = mappings_unmap_before(s, ranges, counted, false);

	if (err)
		return err;
	while (s->backend.ops.check_pins && mappings_next_before(ranges, &walk, counted)) {
		err = gms_backend_check_pins(&s->backend, walk.range.start,
					     walk.range.end - walk.range.start, &found);
		if (err) {
			*pinned = found;
			return err;
		}
	}
	if (counted == ranges->end)
		return 0;
	*pinned = counted;
	return -EAGAIN;
}

/*
 * Stores the first pinned page of the ranges in *pinned. If only pages outside of the ranges are
 * pinned, in a folio that the ranges touch, stores ranges->start.
 */
static void mappings_name_pinned(struct gms_state *s, const struct gms_ranges *ranges,
				 gms_pgoff_t *pinned) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_ranges_walk walk = {0};

	while (gms_ranges_next(ranges, &walk))
		if (mappings_first_pin(s, walk.range, pinned) == -EAGAIN)
			return;
	*pinned = ranges->start;
}

/*
 * Does gms_mappings_isolate() for a backend whose pins are on folios. Such a backend counts
 * references, and each mapping of the host is one. So all ranges are unmapped first.
 */
static int mappings_isolate_folios(struct gms_state *s, struct gms_ranges *ranges,
				   gms_pgoff_t *pinned, gms_pgoff_t *stop)
	GMS_REQUIRES(gms_invalidate_lock)
{
	const struct gms_folios *f = &s->folios;
	struct gms_ranges_walk walk = {0};
	gms_pgoff_t done = 0; /* all folios before this page were looked at */
	int err = mappings_unmap_before(s, ranges, ranges->end, false);

	while (!err && gms_ranges_next(ranges, &walk)) {
		struct gms_range folios = {
			.start = gms_folio_at(f, walk.range.start).index,
			.end = gms_folio_end(gms_folio_at(f, walk.range.end - 1)),
		};

		folios.start = folios.start < done ? done : folios.start;
		done = folios.end;
		if (folios.start >= folios.end)
			continue;
		err = mappings_first_pin(s, folios, pinned);
		if (err != -EAGAIN)
			continue;
		*stop = gms_folio_at(f, *pinned).index;
		if (*stop < walk.range.start)
			*stop = walk.range.start;
		mappings_name_pinned(s, ranges, pinned);
	}
	return err;
}

int gms_mappings_isolate(struct gms_state *s, struct gms_ranges *ranges, gms_pgoff_t *pinned,
			 gms_pgoff_t *stop)
{
	int err;

	if (gms_backend_pins_by_folio(&s->backend))
		return mappings_isolate_folios(s, ranges, pinned, stop);
	err = mappings_isolate_pages(s, ranges, pinned);
	if (err == -EAGAIN)
		*stop = *pinned;
	return err;
}

bool gms_mappings_isolate_undo(struct gms_state *s, struct gms_ranges *ranges)
{
	struct gms_ranges_walk walk = {0};
	gms_pgoff_t pinned;
	int err = mappings_unmap_before(s, ranges, ranges->end, true);

	while (!err && gms_ranges_next(ranges, &walk))
		err = mappings_first_pin(s, walk.range, &pinned);
	return !err;
}

/* ---- the guest's mappings ---- */

static void mappings_zap(struct gms_state *s, const struct gms_ranges *ranges,
			 enum gms_shareability only)
{
	struct gms_ranges_walk walk = {0};

	while (gms_ranges_next(ranges, &walk))
		gms_backend_zap_guest(&s->backend, walk.range.start,
				      walk.range.end - walk.range.start, only);
}

void gms_mappings_invalidate_begin(struct gms_state *s, const struct gms_ranges *ranges,
				   unsigned int zap)
{
	struct gms_ranges_walk walk = {0};

	while (gms_ranges_next(ranges, &walk))
		gms_backend_invalidate_begin(&s->backend, walk.range.start,
					     walk.range.end - walk.range.start);
	if (zap & GMS_ZAP_SHARED)
		mappings_zap(s, ranges, GMS_SHARED);
	if (zap & GMS_ZAP_PRIVATE)
		mappings_zap(s, ranges, GMS_PRIVATE);
}

void gms_mappings_invalidate_end(struct gms_state *s, const struct gms_ranges *ranges)
{
	struct gms_ranges_walk walk = {0};

	while (gms_ranges_next(ranges, &walk))
		gms_backend_invalidate_end(&s->backend, walk.range.start,
					   walk.range.end - walk.range.start);
}

void gms_mappings_drop(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_ranges ranges;

	gms_ranges_one(&ranges, start, end);
	(void)mappings_unmap_before(s, &ranges, end, true);
	gms_mappings_invalidate_begin(s, &ranges, GMS_ZAP_BOTH);
	gms_mappings_invalidate_end(s, &ranges);
}
