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
 *	    to private: look for pins, unmap        undo: map
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
#include "core/core.h"

/*
 * A conversion that is under way. On the stack, and so in the cache: kept in the record of a shard
 * it made a conversion with cold caches an eighth slower. No frame may exceed 512 bytes: the build
 * warns of those that do.
 */
struct conversion {
	struct gms_state *s;
	gms_pgoff_t start, end;
	enum gms_shareability to;
	bool whole; /* all of the range changes */
	bool heard; /* by a listener */
	bool policy_minds; /* the policy is to be asked */
	bool merge; /* the policy would like some folios to be larger */
	bool clear_prepared;
	bool undone; /* something was taken back */
	bool broken; /* something could not be taken back: the range is to be quarantined */
	bool quarantined; /* the range is */
	/* on failure: what gms_convert() says; the pages before @stop might be converted */
	gms_pgoff_t err_index, stop;
	uint64_t changed; /* pages, on success */
	struct gms_told told;
	struct gms_block *journal; /* blocks with splits */
	struct gms_rtree_reserve *undo; /* of private; NULL: once committed, it stays */
	struct gms_quarantine quarantine; /* from the first span to the last */
	struct gms_ask ask;
	struct gms_spans spans; /* of what changes */
};

static enum gms_shareability other(enum gms_shareability to)
{
	return to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

/* ---- before the invalidate lock ---- */

static int prepare_quarantine(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	const struct gms_backend *b = &c->s->backend;
	gms_pgoff_t first, last;

	if (!c->heard && !b->ops.undo && !b->ops.map_host)
		return 0;
	first = c->spans.kept[0].start;
	last = c->spans.kept[c->spans.nr - 1].end;
	return gms_quarantine_prepare(c->s, &c->quarantine, first, last);
}

static int prepare(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;
	const bool keep = s->backend.hooked || c->heard || c->policy_minds;
	int err;

	c->undo = c->heard && c->to == GMS_SHARED ? &s->listeners.room[gms_shard_of(c->start)].undo
						  : NULL;
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

/* Ask the policy about each folio that changes: once for a 2M block that is split. */
static int settle(struct conversion *c) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	struct gms_span_at at = {0};
	gms_pgoff_t index = 0; /* a folio in which several spans end is asked about once */

	while (c->policy_minds && gms_spans_next(&c->spans, &at)) {
		if (index < at.span.start)
			index = at.span.start;
		while (gms_folios_next(&s->folios, &index, at.span.end)) {
			struct gms_folio folio = gms_folio_at(&s->folios, index);
			unsigned int above;
			int err;

			err = gms_settle(s, &c->ask, index, &folio, &above);
			if (err && err != GMS_BUSY) /* put off to the next fault */
				return err;
			c->merge |= above;
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
	c->undone |= nr || done;
	for (size_t i = nr + 1; i--;) {
		const struct gms_span span = c->spans.kept[i];
		const uint64_t nr_pages = i == nr ? done : span.end - span.start;

		if (nr_pages &&
		    gms_backend_undo(&c->s->backend, span.start, nr_pages, other(c->to)))
			c->broken = true;
	}
}

static int apply(struct conversion *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
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
		if (!c->broken && span.start + done < span.end) /* -EAGAIN: in use */
			c->err_index = c->stop = span.start + done;
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

/* What has changed is @to now. Merge what the policy wants merged of it. */
static void merge_settled(struct conversion *c, enum gms_shareability to)
	GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_span_at at = {0};
	struct gms_settled settled = GMS_SETTLED_NOTHING;

	c->ask.to = to;
	c->ask.start = c->ask.end; /* as it is now */
	while (gms_spans_next(&c->spans, &at))
		gms_settle_up(c->s, &c->ask, at.span.start, at.span.end, &settled);
}

static void commit(struct conversion *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
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
	if (c->merge)
		merge_settled(c, c->to);
}

static int convert_locked(struct conversion *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	int err;

	err = prepare_locked(c);
	if (err)
		return err;
	if (c->to == GMS_PRIVATE)
		err = gms_spans_isolate(s, &c->spans, &c->err_index, &c->stop);
	if (err)
		goto map_host;
	err = settle(c);
	if (!err)
		err = apply(c);
	if (err)
		goto unsplit;
	commit(c);
	gms_folios_forget_splits(c->journal);
	return 0;

unsplit:
	c->undone |= c->journal != NULL;
	gms_folios_unsplit(&s->folios, c->journal);
	gms_folios_forget_splits(c->journal);
map_host:
	if (!c->broken && c->to == GMS_PRIVATE)
		c->broken = gms_spans_map_host(s, &c->spans);
	if (c->broken) {
		gms_quarantine_commit_locked(s, &c->quarantine);
		c->quarantined = true;
	}
	return err;
}

/* ---- listeners ---- */

/* Back to private what a listener would not have. False: that cannot be done. */
static bool convert_back(struct conversion *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	const struct gms_span last = c->spans.kept[c->spans.nr - 1];

	if (!gms_spans_isolate_undo(s, &c->spans))
		return false;
	gms_spans_begin(s, &c->spans);
	gms_spans_zap(s, &c->spans, GMS_SHARED);
	unapply(c, c->spans.nr - 1, last.end - last.start);
	if (!c->broken) {
		gms_history(s, c->start, c->end, false);
		gms_rtree_revert(s->private, c->undo);
		gms_event_locked(s, c->start);
		gms_history(s, c->start, c->end, true);
	}
	gms_spans_end(s, &c->spans);
	if (!c->broken && c->policy_minds)
		merge_settled(c, GMS_PRIVATE);
	return !c->broken;
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

static int transact(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(c->start, c->end);
	struct gms_state *s = c->s;
	int err = 0;

	if (c->heard && c->to == GMS_PRIVATE)
		err = withdraw(c);
	if (err)
		goto out;
	gms_shards_lock(s, shards);
	err = convert_locked(c);
	gms_shards_unlock(s, shards);
	if (!c->heard)
		goto out;
	if (!err && c->to == GMS_SHARED)
		err = deliver(c);
	else if (c->quarantined)
		give_up(c);
	else if (err && c->to == GMS_PRIVATE)
		restore(c);
out:
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

static void begin(struct conversion *c, struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
		  enum gms_shareability to)
{
	c->s = s;
	c->start = start;
	c->end = end;
	c->to = to;
	c->err_index = c->stop = start;
	c->changed = 0;
}

/* What is to change does, all of it: the rest of the record. */
static void begin_change(struct conversion *c, uint64_t nr) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;

	c->whole = nr == c->end - c->start;
	c->heard = gms_listeners_hear(s, c->start, c->end);
	c->policy_minds = s->folios.order && gms_policy_minds(s, GMS_EV_CONVERT, GMS_HOST);
	c->merge = c->undone = c->broken = c->quarantined = false;
	c->told = (struct gms_told) {0};
	c->journal = NULL;
	c->ask = (struct gms_ask) {.event = GMS_EV_CONVERT,
				   .start = c->start,
				   .end = c->end,
				   .to = c->to,
				   .cap = GMS_ORDER_1G,
				   .journal = &c->journal};
}

/*
 * All of the range, or nothing. On failure c->err_index is as gms_convert() says for atomic mode,
 * and what comes before c->stop might be converted.
 */
static int convert(struct conversion *c) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;
	const gms_pgoff_t quarantined = first_quarantined(s, c->start, c->end);
	uint64_t nr;
	int err;

	if (quarantined < c->end) {
		c->err_index = c->stop = quarantined;
		return -ENOTRECOVERABLE;
	}
	if (c->end - c->start == 1)
		nr = gms_rtree_test(s->private, c->start);
	else
		nr = gms_rtree_count(s->private, c->start, c->end - c->start);
	if (c->to == GMS_PRIVATE)
		nr = c->end - c->start - nr;
	if (!nr)
		return 0;
	begin_change(c, nr);
	err = prepare(c);
	if (err)
		return err;
	err = transact(c);
	release(c);
	if (!err)
		c->changed = nr;
	if (err != -EAGAIN)
		c->err_index = c->start;
	if (err != -EAGAIN || c->quarantined) /* what comes before is not what it was either */
		c->stop = c->start;
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

static int convert_atomic(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability to, gms_pgoff_t *err_index)
{
	struct conversion txn, *const c = &txn;
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	begin(c, s, start, start + nr_pages, to);
	err = convert(c);
	count(s, start, c->changed, err);
	*err_index = c->err_index;
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

/*
 * As much of a range in one 1G block as there is before the first page that is in the way: it may
 * take some tries to find that. *next: the first page that is not converted.
 */
static int convert_block(struct conversion *c, struct gms_state *s, gms_pgoff_t start,
			 gms_pgoff_t end, enum gms_shareability to, gms_pgoff_t *next)
	GMS_REQUIRES(gms_convert_lock)
{
	int err, in_the_way = 0;

	for (;;) {
		begin(c, s, start, end, to);
		err = convert(c);
		*next = err ? start : end;
		if (!err || c->stop == start)
			return err ? err : in_the_way;
		in_the_way = err;
		end = c->stop;
	}
}

/* A resumable call counts once, in its first shard. */
static void count_call(struct gms_state *s, gms_pgoff_t start, uint64_t changed, int call_err)
{
	int err = gms_enter(s, GMS_ENTER_FROZEN, start, 1);

	if (err)
		return;
	count(s, start, changed, call_err);
	(void)gms_leave(s, GMS_ENTER_FROZEN, start, 1, 0);
}

static int convert_resumable(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			     enum gms_shareability to, gms_pgoff_t *err_index)
{
	const gms_pgoff_t end = start + nr_pages;
	struct conversion txn, *const c = &txn;
	uint64_t changed = 0;
	gms_pgoff_t next;
	int err = 0;

	if (!gms_state_range_ok(s, start, nr_pages))
		return gms_refused(s, -EINVAL);
	for (gms_pgoff_t at = start; !err && at < end; at = next) {
		next = gms_order_down(at, GMS_ORDER_1G) + gms_order_pages(GMS_ORDER_1G);
		if (next > end)
			next = end;
		*err_index = at;
		err = gms_enter(s, GMS_ENTER_RANGE, at, next - at);
		if (err) {
			gms_refused(s, err);
			break;
		}
		err = convert_block(c, s, at, next, to, err_index);
		changed += c->changed;
		err = gms_leave(s, GMS_ENTER_RANGE, at, next - at, err);
	}
	count_call(s, start, changed, err);
	return err;
}

int gms_convert(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		unsigned int flags, gms_pgoff_t *err_index)
{
	gms_pgoff_t failed = start;
	int err;

	if ((to != GMS_SHARED && to != GMS_PRIVATE) || (flags & ~GMS_CONVERT_RESUMABLE))
		err = gms_refused(s, -EINVAL);
	else if (flags & GMS_CONVERT_RESUMABLE)
		err = convert_resumable(s, start, nr_pages, to, &failed);
	else
		err = convert_atomic(s, start, nr_pages, to, &failed);
	if (err && err_index)
		*err_index = failed;
	return err;
}
