// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - conversion as a transaction
 *
 * The steps, each of which may fail until the state is committed:
 *
 *	convert locks
 *	  which pages change                        none: done
 *	  prepare: the tree of private pages, quarantine, records, the list of runs
 *	  to private: listeners let go              undo: give back, the last first
 *	  invalidate locks, exclusively; sequence numbers odd
 *	    prepare: the tree of prepared pages
 *	    to private: unmap from the host, look for pins
 *	    split what the policy wants split       undo: merge
 *	    invalidate begin, zap the guest         undo: invalidate end
 *	    apply, run by run                       undo: undo, the last run first
 *	    commit ---------------------------------- nothing fails or allocates from here on
 *	    invalidate end, merge what the policy wants merged
 *	  sequence numbers even, unlock
 *	  to shared: listeners are given            undo: take back, and convert back
 *
 * Where undo fails, nobody knows what the pages are: they are quarantined, and memory for that was
 * made ready with the rest.
 */
#include "state_priv.h"

struct conversion {
	struct gms_state *s;
	gms_pgoff_t start, end;
	enum gms_shareability to;
	bool heard; /* by a listener */
	struct gms_told told;
	struct gms_ask ask;
	struct gms_spans spans; /* of what changes */
	bool whole; /* all of the range changes */
	struct gms_block *journal; /* blocks with splits */
	bool undone; /* something was taken back */
	struct gms_rtree_reserve *undo; /* of private; NULL: once committed, it stays */
	bool clear_prepared;
	bool can_quarantine;
	struct gms_quarantine quarantine; /* from the first span to the last */
	bool quarantined; /* it is */
};

static enum gms_shareability other(enum gms_shareability to)
{
	return to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

/* ---- before the invalidate lock ---- */

static int prepare_quarantine(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	gms_pgoff_t first, last;

	c->can_quarantine = c->heard || (c->s->backend.hooked && c->s->backend.ops.undo);
	if (!c->can_quarantine)
		return 0;
	first = c->spans.kept[0].start;
	last = c->spans.kept[c->spans.nr - 1].end;
	return gms_quarantine_prepare(c->s, &c->quarantine, first, last);
}

static int prepare(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;
	const bool keep = s->backend.hooked || c->heard;
	int err;

	c->undo = c->heard && c->to == GMS_SHARED ? &s->shard[gms_shard_of(c->start)].undo : NULL;
	err = gms_rtree_prepare(s->private, c->start, c->end - c->start, c->undo);
	if (err)
		return err;
	if (c->whole)
		gms_spans_one(&c->spans, c->start, c->end);
	else
		err = gms_spans_init(s, &c->spans, s->private, c->to == GMS_SHARED, c->start,
				     c->end, keep);
	if (err)
		return err;
	err = gms_history_prepare(s, c->start, c->end);
	if (!err)
		err = prepare_quarantine(c);
	if (err)
		gms_spans_fini(s, &c->spans);
	return err;
}

static void release(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	gms_spans_fini(c->s, &c->spans);
	if (c->undo)
		gms_rtree_release(c->s->private, c->undo);
}

/* ---- under it ---- */

/*
 * Ask the policy about each folio that changes: once for a 2M block that is split. *merge: it
 * would like some to be larger.
 */
static int settle(struct conversion *c, bool *merge) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	struct gms_span_at at = {0};
	gms_pgoff_t index = 0; /* a folio in which several spans end is asked about once */

	*merge = false;
	if (!s->folios.order)
		return 0;
	while (gms_spans_next(&c->spans, &at)) {
		if (index < at.span.start)
			index = at.span.start;
		while (gms_folios_next(&s->folios, &index, at.span.end)) {
			struct gms_folio folio;
			unsigned int above;
			int err;

			err = gms_settle(s, &c->ask, index, &folio, &above);
			if (err && err != GMS_BUSY) /* put off to the next fault */
				return err;
			*merge |= above;
			index = folio.order ? gms_folio_end(folio)
					    : gms_order_down(index, GMS_ORDER_2M) +
						      gms_order_pages(GMS_ORDER_2M);
		}
	}
	return 0;
}

/* Take back what was applied of the kept spans below @nr, and @done pages of the one at @nr. */
static void unapply(struct conversion *c, size_t nr, uint64_t done)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	int err = 0;

	c->undone |= nr || done;
	for (size_t i = nr + 1; i--;) {
		const struct gms_span span = c->spans.kept[i];
		const uint64_t nr_pages = i == nr ? done : span.end - span.start;

		if (nr_pages && gms_backend_undo(&s->backend, span.start, nr_pages, other(c->to)))
			err = -ENOTRECOVERABLE;
	}
	if (err) {
		gms_quarantine_commit_locked(s, &c->quarantine);
		c->quarantined = true;
	}
}

/* *err_index and *stop are set on -EAGAIN: the backend has found a page that is in use. */
static int apply(struct conversion *c, gms_pgoff_t *err_index, gms_pgoff_t *stop)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	uint64_t done;
	int err = 0;

	if (!s->backend.hooked)
		return 0;
	gms_spans_begin(s, &c->spans);
	gms_spans_zap(s, &c->spans, other(c->to));
	for (size_t i = 0; !err && i < c->spans.nr; i++) {
		const struct gms_span span = c->spans.kept[i];

		err = gms_backend_apply(&s->backend, span.start, span.end - span.start, c->to,
					&done);
		if (!err)
			continue;
		unapply(c, i, done);
		if (err == -EAGAIN && !c->quarantined && span.start + done < span.end)
			*err_index = *stop = span.start + done;
	}
	if (err)
		gms_spans_end(s, &c->spans);
	return err;
}

/* ---- the transaction ---- */

static int prepare_locked(struct conversion *c) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_rtree *prepared = c->s->folios.prepared;
	const uint64_t nr_pages = c->end - c->start;

	c->clear_prepared = c->to == GMS_SHARED &&
			    gms_rtree_fill_range(prepared, c->start, nr_pages) != GMS_RTREE_NONE;
	return c->clear_prepared ? gms_rtree_prepare(prepared, c->start, nr_pages, NULL) : 0;
}

/* The range is @to now. Merge what the policy wants merged. */
static void merge_settled(struct conversion *c, enum gms_shareability to)
	GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_ask ask = c->ask;

	ask.to = to;
	ask.start = ask.end; /* as it is now */
	gms_settle_up(c->s, &ask, c->start, c->end);
}

static void commit(struct conversion *c, bool merge)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;

	gms_history(s, c->start, c->end, false);
	/* first: nothing that is shared is prepared, whoever looks */
	if (c->clear_prepared)
		gms_rtree_commit(s->folios.prepared, c->start, c->end - c->start, false, NULL);
	gms_rtree_commit(s->private, c->start, c->end - c->start, c->to == GMS_PRIVATE, c->undo);
	gms_event_locked(s, c->start);
	gms_history(s, c->start, c->end, true);
	if (s->backend.hooked)
		gms_spans_end(s, &c->spans);
	if (merge)
		merge_settled(c, c->to);
}

/* With the invalidate locks. *err_index and *stop are set on -EAGAIN. */
static int convert_locked(struct conversion *c, gms_pgoff_t *err_index, gms_pgoff_t *stop)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	bool merge;
	int err;

	err = prepare_locked(c);
	if (err)
		return err;
	if (c->to == GMS_PRIVATE) {
		err = gms_spans_unmap_host(s, &c->spans, false);
		if (!err)
			err = gms_spans_pinned(s, &c->spans, err_index, stop);
	}
	if (!err) {
		err = settle(c, &merge);
		if (!err)
			err = apply(c, err_index, stop);
		if (!err)
			commit(c, merge);
		else
			gms_folios_unsplit(&s->folios, c->journal);
		c->undone |= err && c->journal;
		gms_folios_forget(c->journal);
	}
	return err;
}

/* ---- listeners ---- */

/* Back to private what a listener would not have. False: that cannot be done. */
static bool convert_back(struct conversion *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	const struct gms_span last = c->spans.kept[c->spans.nr - 1];

	if (gms_spans_unmap_host(s, &c->spans, true) || gms_spans_any_pinned(s, &c->spans))
		return false;
	gms_spans_begin(s, &c->spans);
	gms_spans_zap(s, &c->spans, GMS_SHARED);
	unapply(c, c->spans.nr - 1, last.end - last.start);
	if (!c->quarantined) {
		gms_history(s, c->start, c->end, false);
		gms_rtree_revert(s->private, c->undo);
		gms_event_locked(s, c->start);
		gms_history(s, c->start, c->end, true);
	}
	gms_spans_end(s, &c->spans);
	if (!c->quarantined)
		merge_settled(c, GMS_PRIVATE);
	return !c->quarantined;
}

/* Quarantines the range and withdraws it from all listeners. */
static void give_up(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	if (!c->quarantined)
		gms_quarantine_commit(c->s, &c->quarantine);
	c->quarantined = true;
	if (c->to == GMS_SHARED)
		gms_listeners_drop_gaps(c->s, &c->spans);
}

/* They are shared. */
static int deliver(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(c->start, c->end);
	bool back = false;
	int err;

	err = gms_listeners_tell(c->s, &c->spans, GMS_SHARED, &c->told);
	if (!err)
		return 0;
	c->undone = true;
	if (!c->told.broken) {
		gms_shards_lock(c->s, shards);
		back = convert_back(c);
		gms_shards_unlock(c->s, shards);
	}
	if (!back)
		give_up(c);
	return err;
}

/* Let go of what goes private. */
static int withdraw(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	const int err = gms_listeners_tell(c->s, &c->spans, GMS_PRIVATE, &c->told);

	if (c->told.broken)
		give_up(c);
	return err;
}

/* Give back what did not go private. */
static void restore(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	gms_listeners_give_back(c->s, &c->spans, &c->told);
	if (c->told.broken)
		give_up(c);
}

static int transact(struct conversion *c, gms_pgoff_t *err_index, gms_pgoff_t *stop)
	GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(c->start, c->end);
	struct gms_state *s = c->s;
	int err = 0;

	if (c->heard && c->to == GMS_PRIVATE)
		err = withdraw(c);
	if (!err) {
		gms_shards_lock(s, shards);
		err = convert_locked(c, err_index, stop);
		gms_shards_unlock(s, shards);
		if (c->heard && c->to == GMS_SHARED && !err) {
			err = deliver(c);
		} else if (c->heard && c->quarantined) {
			give_up(c);
		} else if (c->heard && c->to == GMS_PRIVATE && err) {
			restore(c);
		}
	}
	c->undone |= c->told.any;
	if (err && c->undone)
		gms_count_add(&s->counters, GMS_UNDONE, 1);
	return err;
}

/* The first quarantined page of a range; its end where there is none. */
static gms_pgoff_t first_quarantined(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;

	if (!gms_load_relaxed(&s->quarantined))
		return end;
	if (gms_rtree_next(s->quarantine, start, end, &run) && !run.set)
		start = run.start + run.nr_pages;
	return start;
}

/*
 * All of [start, end), or nothing. *err_index: as gms_convert() says for atomic mode; *stop: what
 * comes before it might be converted. *changed: pages.
 */
static int convert(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
		   enum gms_shareability to, gms_pgoff_t *err_index, gms_pgoff_t *stop,
		   uint64_t *changed) GMS_REQUIRES(gms_convert_lock)
{
	struct conversion c;
	uint64_t nr;
	int err;

	*changed = 0;
	*err_index = *stop = start;
	err = gms_frozen(s);
	if (err)
		return err;
	*err_index = *stop = first_quarantined(s, start, end);
	if (*stop < end)
		return -ENOTRECOVERABLE;
	*err_index = *stop = start;
	nr = gms_rtree_count(s->private, start, end - start);
	if (to == GMS_PRIVATE)
		nr = end - start - nr;
	if (!nr)
		return 0;
	c.s = s;
	c.start = start;
	c.end = end;
	c.to = to;
	c.whole = nr == end - start;
	c.heard = gms_listeners_hear(s, start, end);
	c.told = (struct gms_told) {0};
	c.journal = NULL;
	c.undone = false;
	c.quarantined = false;
	c.ask = (struct gms_ask) {.event = GMS_EV_CONVERT,
				  .start = start,
				  .end = end,
				  .to = to,
				  .cap = GMS_ORDER_1G,
				  .journal = &c.journal};
	err = prepare(&c);
	if (err)
		return err;
	err = transact(&c, err_index, stop);
	release(&c);
	if (!err)
		*changed = nr;
	if (err != -EAGAIN)
		*err_index = start;
	if (err != -EAGAIN || c.quarantined) /* what comes before is not what it was either */
		*stop = start;
	return err;
}

/* Under the convert lock of the shard: an ordinary addition will do. */
static void count(struct gms_state *s, gms_pgoff_t start, uint64_t changed, int err)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(start)];
	uint64_t *const which = changed ? &shard->conversions : &shard->noops;

	if (err && !changed)
		return;
	gms_store_relaxed(which, *which + 1);
	gms_store_relaxed(&shard->pages_converted, shard->pages_converted + changed);
}

static int convert_atomic(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			  enum gms_shareability to, gms_pgoff_t *err_index)
{
	const gms_shards shards = gms_shards_of(start, end);
	gms_pgoff_t stop;
	uint64_t changed;
	int err;

	gms_shards_lock_convert(s, shards);
	err = convert(s, start, end, to, err_index, &stop, &changed);
	count(s, start, changed, err);
	gms_shards_unlock_convert(s, shards);
	return err;
}

/*
 * As much of [start, end) as there is before the first page that is in the way: it may take some
 * tries to find that. *err_index: the first page that is not converted.
 */
static int convert_block(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			 enum gms_shareability to, gms_pgoff_t *err_index, uint64_t *changed)
	GMS_REQUIRES(gms_convert_lock)
{
	gms_pgoff_t stop, ignored;
	int err, in_the_way = 0;

	for (;;) {
		err = convert(s, start, end, to, &ignored, &stop, changed);
		*err_index = err ? start : end;
		if (!err || stop == start)
			return err ? err : in_the_way;
		in_the_way = err;
		end = stop;
	}
}

static int convert_resumable(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			     enum gms_shareability to, gms_pgoff_t *err_index)
{
	uint64_t changed = 0, more;
	gms_pgoff_t next;
	int err = 0;

	for (gms_pgoff_t at = start; !err && at < end; at = next) {
		const gms_shards shard = gms_shards_of(at, at + 1);

		next = gms_order_down(at, GMS_ORDER_1G) + gms_order_pages(GMS_ORDER_1G);
		if (next > end)
			next = end;
		gms_shards_lock_convert(s, shard);
		err = convert_block(s, at, next, to, err_index, &more);
		gms_shards_unlock_convert(s, shard);
		changed += more;
	}
	gms_shards_lock_convert(s, gms_shards_of(start, start + 1));
	count(s, start, changed, err);
	gms_shards_unlock_convert(s, gms_shards_of(start, start + 1));
	return err;
}

int gms_convert(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		unsigned int flags, gms_pgoff_t *err_index)
{
	gms_pgoff_t failed = start;
	int err;

	if (!gms_state_range_ok(s, start, nr_pages) || (to != GMS_SHARED && to != GMS_PRIVATE) ||
	    (flags & ~GMS_CONVERT_RESUMABLE))
		err = -EINVAL;
	else if (gms_backend_inside(&s->backend))
		err = -EDEADLK;
	else if (flags & GMS_CONVERT_RESUMABLE)
		err = convert_resumable(s, start, start + nr_pages, to, &failed);
	else
		err = convert_atomic(s, start, start + nr_pages, to, &failed);
	if (err && err_index)
		*err_index = failed;
	return err ? gms_refused(s, err) : 0;
}
