// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * spans.c - runs of pages, and what conversions and holes have in common: both take pages
 * from the host and the guest before they do anything else
 */
#include "state_priv.h"

bool gms_spans_next_in_tree(const struct gms_spans *spans, struct gms_span_at *at)
{
	gms_pgoff_t from = at->next++ ? at->span.end : spans->start;
	struct gms_rtree_run run;

	for (; gms_rtree_next(spans->tree, from, spans->end, &run);
	     from = run.start + run.nr_pages) {
		if (run.set != spans->set)
			continue;
		at->span = (struct gms_span) {run.start, run.start + run.nr_pages};
		return true;
	}
	return false;
}

/* Go through them once; keep the first @room. */
static size_t keep_spans(const struct gms_spans *spans, struct gms_span *kept, size_t room)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	size_t nr = 0;

	gms_rtree_cursor_init(&cursor, spans->tree, spans->start, spans->end);
	while (gms_rtree_cursor_next(&cursor, &run)) {
		if (run.set != spans->set)
			continue;
		if (nr < room)
			kept[nr] = (struct gms_span) {run.start, run.start + run.nr_pages};
		nr++;
	}
	return nr;
}

int gms_spans_init(struct gms_state *s, struct gms_spans *spans, const struct gms_rtree *tree,
		   bool set, gms_pgoff_t start, gms_pgoff_t end, bool keep)
{
	const struct gms_allocator *a = &s->allocator;
	struct gms_span *kept = spans->few;

	spans->tree = tree;
	spans->set = set;
	spans->start = start;
	spans->end = end;
	spans->kept = NULL;
	if (!keep)
		return 0;
	spans->nr = keep_spans(spans, kept, GMS_SPANS_INLINE);
	if (spans->nr > GMS_SPANS_INLINE) {
		kept = a->alloc(a->ctx, spans->nr * sizeof(*kept), sizeof(void *));
		if (!kept)
			return -ENOMEM;
		keep_spans(spans, kept, spans->nr);
	}
	spans->kept = kept;
	return 0;
}

void gms_spans_fini(struct gms_state *s, struct gms_spans *spans)
{
	const struct gms_allocator *a = &s->allocator;

	if (spans->kept && spans->kept != spans->few)
		a->free(a->ctx, spans->kept, spans->nr * sizeof(*spans->kept), sizeof(void *));
}

/* ---- the host's mappings, and pins ---- */

static int unmap_host(struct gms_state *s, struct gms_span span, bool undo)
	GMS_REQUIRES(gms_invalidate_lock)
{
	int err = gms_backend_unmap_host(&s->backend, span.start, span.end - span.start);

	if (!err)
		gms_folios_unexpose(&s->folios, span.start, span.end, undo);
	return err;
}

int gms_spans_unmap_host(struct gms_state *s, const struct gms_spans *spans, bool undo)
{
	struct gms_span_at at = {0};
	struct gms_span wide = {0};
	int err = 0;

	while (!err && gms_spans_next(spans, &at)) {
		struct gms_span span = at.span;

		gms_folios_widen(&s->folios, &span.start, &span.end);
		if (span.start < wide.end) { /* in a folio with the last one */
			wide.end = span.end > wide.end ? span.end : wide.end;
			continue;
		}
		if (wide.end)
			err = unmap_host(s, wide, undo);
		wide = span;
	}
	return !err && wide.end ? unmap_host(s, wide, undo) : err;
}

/* The first page of a span that somebody has pinned. 0; -EAGAIN; the backend's error. */
static int first_pinned(struct gms_state *s, struct gms_span span, gms_pgoff_t *pinned)
{
	uint64_t nr_pages = span.end - span.start;
	const bool ours = gms_first_pin(s, span.start, nr_pages, pinned);
	gms_pgoff_t theirs;
	int err = 0;

	if (ours)
		nr_pages = *pinned - span.start;
	if (nr_pages)
		err = gms_backend_check_pins(&s->backend, span.start, nr_pages, &theirs);
	if (err)
		*pinned = theirs;
	return err ? err : ours ? -EAGAIN : 0;
}

int gms_spans_pinned(struct gms_state *s, const struct gms_spans *spans, gms_pgoff_t *pinned,
		     gms_pgoff_t *stop)
{
	const bool by_folio = gms_backend_by_folio(&s->backend);
	struct gms_span_at at = {0};
	gms_pgoff_t done = 0; /* what lies below was looked at with a folio before */
	int err = 0;

	while (!err && gms_spans_next(spans, &at)) {
		struct gms_span span = at.span;

		if (by_folio) {
			span.start = gms_folio_at(&s->folios, span.start).index;
			span.start = span.start < done ? done : span.start;
			span.end = gms_folio_end(gms_folio_at(&s->folios, span.end - 1));
			done = span.end;
		}
		if (span.start < span.end)
			err = first_pinned(s, span, pinned);
	}
	if (err != -EAGAIN)
		return err;
	*stop = by_folio ? gms_folio_at(&s->folios, *pinned).index : *pinned;
	if (*stop < at.span.start)
		*stop = at.span.start;
	/* what is named lies in the range, though another page of its folio may be pinned, too */
	if (by_folio &&
	    first_pinned(s, (struct gms_span) {spans->start, spans->end}, pinned) != -EAGAIN)
		*pinned = spans->start;
	return -EAGAIN;
}

bool gms_spans_any_pinned(struct gms_state *s, const struct gms_spans *spans)
{
	struct gms_span_at at = {0};
	gms_pgoff_t pinned;
	int err = 0;

	while (!err && gms_spans_next(spans, &at))
		err = first_pinned(s, at.span, &pinned);
	return err;
}

/* ---- the guest's mappings ---- */

void gms_spans_begin(struct gms_state *s, const struct gms_spans *spans)
{
	struct gms_span_at at = {0};

	while (gms_spans_next(spans, &at))
		gms_backend_invalidate_begin(&s->backend, at.span.start,
					     at.span.end - at.span.start);
}

void gms_spans_zap(struct gms_state *s, const struct gms_spans *spans, enum gms_shareability only)
{
	struct gms_span_at at = {0};

	while (gms_spans_next(spans, &at))
		gms_backend_zap_guest(&s->backend, at.span.start, at.span.end - at.span.start,
				      only);
}

void gms_spans_end(struct gms_state *s, const struct gms_spans *spans)
{
	struct gms_span_at at = {0};

	while (gms_spans_next(spans, &at))
		gms_backend_invalidate_end(&s->backend, at.span.start, at.span.end - at.span.start);
}
