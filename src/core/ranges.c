// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * spans.c - runs of pages, and what conversions and holes have in common: both take pages
 * from the host and the guest before they do anything else
 */
#include "core/core.h"

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
	spans->unmapped = start;
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

/* The next span, as far as it lies before @limit. */
static bool next_before(const struct gms_spans *spans, struct gms_span_at *at, gms_pgoff_t limit,
			struct gms_span *span)
{
	if (!gms_spans_next(spans, at) || at->span.start >= limit)
		return false;
	*span = at->span;
	if (span->end > limit)
		span->end = limit;
	return true;
}

static int unmap_one(struct gms_state *s, struct gms_span span, bool undo)
	GMS_REQUIRES(gms_invalidate_lock)
{
	int err = gms_backend_unmap_host(&s->backend, span.start, span.end - span.start);

	if (!err)
		gms_folios_unexpose(&s->folios, span.start, span.end, undo);
	return err;
}

/*
 * Unmaps what lies before @limit. A backend that keeps the host's view itself is called for each
 * span; another one for the exposed folios that the spans touch, each once.
 */
static int unmap_before(struct gms_state *s, struct gms_spans *spans, gms_pgoff_t limit, bool undo)
	GMS_REQUIRES(gms_invalidate_lock)
{
	const bool by_folio = s->folios.order && !s->backend.ops.map_host;
	struct gms_span_at at = {0};
	struct gms_span wide = {0}, span;
	gms_pgoff_t end = 0; /* of the spans in @wide */
	int err = 0;

	while (!err && next_before(spans, &at, limit, &span)) {
		const gms_pgoff_t span_end = span.end;

		if (by_folio)
			gms_folios_widen(&s->folios, &span.start, &span.end);
		if (span.start < wide.end) { /* in a folio with the last one */
			wide.end = span.end > wide.end ? span.end : wide.end;
			end = span_end;
			continue;
		}
		if (wide.end) {
			spans->unmapped = end;
			err = unmap_one(s, wide, undo);
		}
		wide = span;
		end = span_end;
	}
	if (err || !wide.end)
		return err;
	spans->unmapped = end;
	return unmap_one(s, wide, undo);
}

/* The first page of a span that is pinned. Returns 0; -EAGAIN; the backend's error. */
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

/* The first page of the spans with a pin that the library counts; their end where there is none. */
static gms_pgoff_t first_counted(struct gms_state *s, const struct gms_spans *spans)
{
	struct gms_span_at at = {0};
	gms_pgoff_t pinned;

	while (gms_spans_next(spans, &at))
		if (gms_first_pin(s, at.span.start, at.span.end - at.span.start, &pinned))
			return pinned;
	return spans->end;
}

/* Pins by page. */
static int isolate_pages(struct gms_state *s, struct gms_spans *spans, gms_pgoff_t *pinned)
	GMS_REQUIRES(gms_invalidate_lock)
{
	const gms_pgoff_t counted = first_counted(s, spans);
	struct gms_span_at at = {0};
	struct gms_span span;
	gms_pgoff_t theirs;
	int err = unmap_before(s, spans, counted, false);

	if (err)
		return err;
	while (s->backend.ops.check_pins && next_before(spans, &at, counted, &span)) {
		err = gms_backend_check_pins(&s->backend, span.start, span.end - span.start,
					     &theirs);
		if (err) {
			*pinned = theirs;
			return err;
		}
	}
	if (counted == spans->end)
		return 0;
	*pinned = counted;
	return -EAGAIN;
}

/* Pins by folio. All is unmapped first, as mappings count as references there. */
static int isolate_folios(struct gms_state *s, struct gms_spans *spans, gms_pgoff_t *pinned,
			  gms_pgoff_t *stop) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_span_at at = {0};
	gms_pgoff_t done = 0; /* what lies below was looked at with a folio before */
	int err = unmap_before(s, spans, spans->end, false);

	if (err)
		return err;
	while (!err && gms_spans_next(spans, &at)) {
		struct gms_span span = {
			.start = gms_folio_at(&s->folios, at.span.start).index,
			.end = gms_folio_end(gms_folio_at(&s->folios, at.span.end - 1)),
		};

		span.start = span.start < done ? done : span.start;
		done = span.end;
		if (span.start < span.end)
			err = first_pinned(s, span, pinned);
	}
	if (err != -EAGAIN)
		return err;
	*stop = gms_folio_at(&s->folios, *pinned).index;
	if (*stop < at.span.start)
		*stop = at.span.start;
	/* what is named changes, though another page of its folio may be pinned, too */
	at = (struct gms_span_at) {0};
	while (gms_spans_next(spans, &at))
		if (first_pinned(s, at.span, pinned) == -EAGAIN)
			return -EAGAIN;
	*pinned = spans->start;
	return -EAGAIN;
}

int gms_spans_isolate(struct gms_state *s, struct gms_spans *spans, gms_pgoff_t *pinned,
		      gms_pgoff_t *stop)
{
	int err;

	if (gms_backend_by_folio(&s->backend))
		return isolate_folios(s, spans, pinned, stop);
	err = isolate_pages(s, spans, pinned);
	if (err == -EAGAIN)
		*stop = *pinned;
	return err;
}

bool gms_spans_isolate_undo(struct gms_state *s, struct gms_spans *spans)
{
	struct gms_span_at at = {0};
	gms_pgoff_t pinned;
	int err = unmap_before(s, spans, spans->end, true);

	while (!err && gms_spans_next(spans, &at))
		err = first_pinned(s, at.span, &pinned);
	return !err;
}

/* What is shared in a span, and not quarantined. */
static int map_shared(struct gms_state *s, struct gms_span span) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_rtree_run run, lost;
	int err = 0;

	for (gms_pgoff_t at = span.start; !err && gms_rtree_next(s->private, at, span.end, &run);
	     at += run.nr_pages) {
		const gms_pgoff_t end = run.start + run.nr_pages;

		for (gms_pgoff_t from = run.start;
		     !err && !run.set && gms_rtree_next(s->quarantine, from, end, &lost);
		     from += lost.nr_pages)
			if (!lost.set)
				err = gms_backend_map_host(&s->backend, lost.start, lost.nr_pages);
	}
	return err;
}

int gms_spans_map_host(struct gms_state *s, const struct gms_spans *spans)
{
	struct gms_span_at at = {0};
	struct gms_span span;
	int err = 0;

	if (!s->backend.ops.map_host)
		return 0;
	while (!err && next_before(spans, &at, spans->unmapped, &span))
		err = map_shared(s, span);
	return err;
}

void gms_range_unmap(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_spans spans;

	gms_spans_one(&spans, start, end);
	(void)unmap_before(s, &spans, end, true);
	gms_spans_begin(s, &spans);
	gms_spans_zap(s, &spans, GMS_SHARED);
	gms_spans_zap(s, &spans, GMS_PRIVATE);
	gms_spans_end(s, &spans);
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
