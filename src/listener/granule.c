// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * granule.c - a walk over the granules that a notification is about: see granule.h
 */
#include "granule.h"

#define GRANULE_2M gms_order_pages(GMS_ORDER_2M)

/* Returns the first page of the granule at an index. The size of a granule is a power of two. */
static inline gms_pgoff_t granule_down(const struct gms_listener *l, gms_pgoff_t at)
{
	return at & ~(l->granule - 1);
}

/* Returns the first page of the next granule, or @at if a granule begins there. */
static inline gms_pgoff_t granule_up(const struct gms_listener *l, gms_pgoff_t at)
{
	return granule_down(l, at + l->granule - 1);
}

/* ---- candidates ---- */

/* Finds the next granules that the ranges touch: one, and those that follow without a gap. */
static bool granule_next_touched(struct gms_granule_walk *w, struct gms_range *g)
{
	for (g->start = g->end = 0; w->more; w->more = gms_ranges_next(w->what.ranges, &w->at)) {
		const struct gms_range range = w->at.range;
		const gms_pgoff_t first = granule_down(w->l, range.start);

		if (g->end && first > g->end)
			break;
		if (!g->end)
			g->start = first;
		g->end = granule_up(w->l, range.end);
	}
	return g->end;
}

/* Finds the next granules that lie between two ranges, and that neither touches. */
static bool granule_next_between(struct gms_granule_walk *w, struct gms_range *g)
{
	bool found = false;

	while (!found && w->more) {
		g->start = granule_up(w->l, w->at.range.end);
		w->more = gms_ranges_next(w->what.ranges, &w->at);
		if (!w->more)
			break;
		g->end = granule_down(w->l, w->at.range.start);
		found = g->start < g->end;
	}
	return found;
}

/* Lets the walk go on at a page of the candidates, or at their end. */
static void granule_continue_at(struct gms_granule_walk *w, gms_pgoff_t at)
{
	w->candidates.start = at;
	gms_rtree_cursor_init(&w->cursor, w->s->private, at, w->candidates.end);
}

/* Finds the next candidates in the part of the walk. Returns false if there are none. */
static bool granule_next_candidates(struct gms_granule_walk *w)
{
	struct gms_range *g = &w->candidates;

	while (w->what.which == GMS_GRANULES_TOUCHED ? granule_next_touched(w, g)
						     : granule_next_between(w, g)) {
		g->start = g->start < w->part.start ? w->part.start : g->start;
		g->end = g->end > w->part.end ? w->part.end : g->end;
		if (g->start < g->end) {
			granule_continue_at(w, g->start);
			return true;
		}
	}
	g->start = 0;
	g->end = 0;
	return false;
}

/* ---- shared runs, by page ---- */

/* Finds the next run of shared pages in the candidates. */
static bool granule_next_pages(struct gms_granule_walk *w, struct gms_range *run)
{
	struct gms_rtree_run r;

	while (gms_rtree_cursor_next(&w->cursor, &r)) {
		if (r.set)
			continue;
		*run = (struct gms_range) {r.start, r.start + r.nr_pages};
		return true;
	}
	return false;
}

/* ---- shared runs, by 2M block ---- */

/* Returns which 2M blocks are wholly shared. Bit 0 is block @i; the last block is @i | 63. */
static inline uint64_t granule_mask_at(struct gms_granule_walk *w, uint64_t i)
{
	if (!w->has_shared || w->shared_at != i / 64) {
		w->shared = gms_rtree_fill_mask(w->s->private, i << GMS_ORDER_2M, GMS_RTREE_NONE);
		w->shared_at = i / 64;
		w->has_shared = true;
	}
	return w->shared >> (i % 64);
}

/* Returns how many bits are set from bit 0 on, up to the first that is not. */
static inline unsigned int granule_run_length(uint64_t shared)
{
	return ~shared ? gms_ctz(~shared) : 64;
}

/* Finds the next run of wholly shared 2M blocks in the candidates. */
static bool granule_next_2m(struct gms_granule_walk *w, struct gms_range *run)
{
	const uint64_t end = w->candidates.end >> GMS_ORDER_2M;
	uint64_t i = w->candidates.start >> GMS_ORDER_2M, shared = 0, first;

	while (i < end && !(shared = granule_mask_at(w, i)))
		i = (i | 63) + 1;
	if (i >= end)
		return false;
	first = i + gms_ctz(shared);
	i = first + granule_run_length(shared >> (first - i));
	/* A run that reaches the end of a mask may go on in the next one. */
	while (i < end && i % 64 == 0 && (shared = granule_mask_at(w, i)) & 1)
		i += granule_run_length(shared);
	i = i < end ? i : end;
	w->candidates.start = i << GMS_ORDER_2M;
	*run = (struct gms_range) {first << GMS_ORDER_2M, i << GMS_ORDER_2M};
	return first < i;
}

size_t gms_granule_walk_2m(struct gms_granule_walk *w, enum gms_shareability to,
			   struct gms_run *runs, size_t room)
{
	size_t nr = 0;

	while (nr < room &&
	       (w->candidates.start < w->candidates.end || granule_next_candidates(w))) {
		const uint64_t end = w->candidates.end >> GMS_ORDER_2M;
		uint64_t i = w->candidates.start >> GMS_ORDER_2M, shared = granule_mask_at(w, i);

		if (end - i < 64)
			shared &= (1ULL << (end - i)) - 1;
		for (; shared && nr < room; shared &= shared - 1)
			runs[nr++] = (struct gms_run) {(i + gms_ctz(shared)) << GMS_ORDER_2M,
						       GRANULE_2M, to};
		i = shared ? i + gms_ctz(shared) : (i | 63) + 1;
		w->candidates.start = (i < end ? i : end) << GMS_ORDER_2M;
	}
	return nr;
}

/* ---- runs of granules ---- */

/*
 * Ends a run before its first granule that has a quarantined page. The walk goes on at that
 * granule, or behind it if the run is empty now.
 */
static void granule_cut_quarantined(struct gms_granule_walk *w, struct gms_range *run)
{
	struct gms_rtree_run q;
	gms_pgoff_t next;

	if (!gms_load_relaxed(&w->s->quarantined) || w->quarantined ||
	    !gms_rtree_next(w->s->quarantine, run->start, run->end, &q))
		return;
	if (q.set) {
		next = granule_up(w->l, q.start + q.nr_pages);
		run->end = run->start;
	} else if (q.nr_pages < run->end - run->start) {
		run->end = granule_down(w->l, q.start + q.nr_pages);
		next = run->end > run->start ? run->end : run->start + w->l->granule;
	} else {
		return;
	}
	granule_continue_at(w, next);
}

/* Finds the next run of wholly shared granules in the candidates. */
static bool granule_next_shared(struct gms_granule_walk *w, struct gms_range *run)
{
	const bool by_2m = w->l->granule >= GRANULE_2M;

	while (by_2m ? granule_next_2m(w, run) : granule_next_pages(w, run)) {
		run->start = granule_up(w->l, run->start);
		run->end = granule_down(w->l, run->end);
		if (run->start >= run->end)
			continue;
		granule_cut_quarantined(w, run);
		if (run->start < run->end)
			return true;
	}
	return false;
}

bool gms_granule_walk_next(struct gms_granule_walk *w, struct gms_range *run)
{
	while (!granule_next_shared(w, run)) /* a walk begins without candidates */
		if (!granule_next_candidates(w))
			return false;
	return true;
}
