// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_walk.c - which granules a listener is told of: see listener.c
 *
 * Candidates are the granules that the spans touch, or those between the spans. Of these a walk
 * gives the ones that are wholly shared. With granules of 2M or more it reads the summaries of the
 * 2M blocks, 64 at a time, and no leaf.
 */
#include "listener_priv.h"

#define PAGES_2M gms_order_pages(GMS_ORDER_2M)

/* Granules are counted off from page 0: a granule is a power of two. */
static inline gms_pgoff_t down(const struct gms_listener *l, gms_pgoff_t at)
{
	return at & ~(l->granule - 1);
}

static inline gms_pgoff_t up(const struct gms_listener *l, gms_pgoff_t at)
{
	return down(l, at + l->granule - 1);
}

/* ---- candidates ---- */

/* The next granules that the spans touch: as many as are neighbours. */
static bool next_touched(struct gms_granule_walk *w, struct gms_span *g)
{
	for (g->start = g->end = 0; w->more; w->more = gms_spans_next(w->what.spans, &w->span)) {
		const struct gms_span span = w->span.span;
		const gms_pgoff_t first = down(w->l, span.start);

		if (g->end && first > g->end)
			break;
		if (!g->end)
			g->start = first;
		g->end = up(w->l, span.end);
	}
	return g->end;
}

/* The next granules between two spans. */
static bool next_between(struct gms_granule_walk *w, struct gms_span *g)
{
	bool found = false;

	while (!found && w->more) {
		g->start = up(w->l, w->span.span.end);
		w->more = gms_spans_next(w->what.spans, &w->span);
		if (!w->more)
			break;
		g->end = down(w->l, w->span.span.start);
		found = g->start < g->end;
	}
	return found;
}

/* Continues the walk at @at. */
static void go_on_at(struct gms_granule_walk *w, gms_pgoff_t at)
{
	w->granules.start = at;
	gms_rtree_cursor_init(&w->cursor, w->s->private, at, w->granules.end);
}

static bool next_candidates(struct gms_granule_walk *w)
{
	struct gms_span *g = &w->granules;

	while (w->what.which == GMS_GRANULES_TOUCHED ? next_touched(w, g) : next_between(w, g)) {
		g->start = g->start < w->part.start ? w->part.start : g->start;
		g->end = g->end > w->part.end ? w->part.end : g->end;
		if (g->start < g->end) {
			go_on_at(w, g->start);
			return true;
		}
	}
	g->start = g->end = 0;
	return false;
}

/* ---- shared runs, by page ---- */

static bool next_shared_pages(struct gms_granule_walk *w, struct gms_span *run)
{
	struct gms_rtree_run r;

	while (gms_rtree_cursor_next(&w->cursor, &r)) {
		if (r.set)
			continue;
		*run = (struct gms_span) {r.start, r.start + r.nr_pages};
		return true;
	}
	return false;
}

/* ---- shared runs, by 2M block; no thread changes the range during a walk ---- */

/* Which 2M blocks from number @i up to the next multiple of 64 are wholly shared? @i is bit 0. */
static inline uint64_t shared_from(struct gms_granule_walk *w, uint64_t i)
{
	if (!w->has_shared || w->shared_at != i / 64) {
		w->shared = gms_rtree_fill_mask(w->s->private, i << GMS_ORDER_2M, GMS_RTREE_NONE);
		w->shared_at = i / 64;
		w->has_shared = true;
	}
	return w->shared >> (i % 64);
}

/* How many blocks from bit 0 on are shared. */
static inline unsigned int length_of(uint64_t shared)
{
	return ~shared ? gms_ctz(~shared) : 64;
}

static bool next_shared_2m(struct gms_granule_walk *w, struct gms_span *run)
{
	const uint64_t end = w->granules.end >> GMS_ORDER_2M;
	uint64_t i = w->granules.start >> GMS_ORDER_2M, shared = 0, first;

	while (i < end && !(shared = shared_from(w, i)))
		i = (i | 63) + 1;
	if (i >= end)
		return false;
	first = i + gms_ctz(shared);
	i = first + length_of(shared >> (first - i));
	/* a run that reaches the end of a mask may go on in the next */
	while (i < end && i % 64 == 0 && (shared = shared_from(w, i)) & 1)
		i += length_of(shared);
	i = i < end ? i : end;
	w->granules.start = i << GMS_ORDER_2M;
	*run = (struct gms_span) {first << GMS_ORDER_2M, i << GMS_ORDER_2M};
	return first < i;
}

size_t gms_granule_walk_2m(struct gms_granule_walk *w, enum gms_shareability to,
			   struct gms_run *runs, size_t room)
{
	size_t nr = 0;

	while (nr < room && (w->granules.start < w->granules.end || next_candidates(w))) {
		const uint64_t end = w->granules.end >> GMS_ORDER_2M;
		uint64_t i = w->granules.start >> GMS_ORDER_2M, shared = shared_from(w, i);

		if (end - i < 64)
			shared &= (1ULL << (end - i)) - 1;
		for (; shared && nr < room; shared &= shared - 1)
			runs[nr++] = (struct gms_run) {(i + gms_ctz(shared)) << GMS_ORDER_2M,
						       PAGES_2M, to};
		i = shared ? i + gms_ctz(shared) : (i | 63) + 1;
		w->granules.start = (i < end ? i : end) << GMS_ORDER_2M;
	}
	return nr;
}

/* ---- runs of granules ---- */

/* Leaves out quarantined granules: *run, of whole granules, ends where such a granule begins. */
static void cut_quarantined(struct gms_granule_walk *w, struct gms_span *run)
{
	struct gms_rtree_run q;
	gms_pgoff_t next;

	if (!gms_load_relaxed(&w->s->quarantined) || w->quarantined ||
	    !gms_rtree_next(w->s->quarantine, run->start, run->end, &q))
		return;
	if (q.set) {
		next = up(w->l, q.start + q.nr_pages);
		run->end = run->start;
	} else if (q.nr_pages < run->end - run->start) {
		run->end = down(w->l, q.start + q.nr_pages);
		next = run->end > run->start ? run->end : run->start + w->l->granule;
	} else {
		return;
	}
	go_on_at(w, next);
}

/* The next run of wholly shared granules in the candidates. */
static bool next_shared(struct gms_granule_walk *w, struct gms_span *run)
{
	const bool by_2m = w->l->granule >= PAGES_2M;

	while (by_2m ? next_shared_2m(w, run) : next_shared_pages(w, run)) {
		run->start = up(w->l, run->start);
		run->end = down(w->l, run->end);
		if (run->start >= run->end)
			continue;
		cut_quarantined(w, run);
		if (run->start < run->end)
			return true;
	}
	return false;
}

bool gms_granule_walk_next(struct gms_granule_walk *w, struct gms_span *run)
{
	while (!next_shared(w, run)) /* at first there are no candidates */
		if (!next_candidates(w))
			return false;
	return true;
}
