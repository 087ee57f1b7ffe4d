// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - conversion as a transaction
 *
 * Every step before the commit may fail. The right column is how its effect is undone.
 *
 *	convert locks
 *	  count the pages that change               none: the call is done
 *	  prepare: the tree of private pages, the list of ranges, records, quarantine
 *	  to private: withdraw from listeners       restore, the last listener first
 *	  invalidate locks, exclusively; sequence numbers odd
 *	    prepare: the tree of prepared pages
 *	    to private: unmap, look for pins        map
 *	    split as the policy decides             merge
 *	    invalidate begin, zap the guest         invalidate end
 *	    apply, range by range                   undo, the last range first
 *	    commit ---------------------------------- nothing fails or allocates from here on
 *	    invalidate end, merge as the policy decides
 *	  sequence numbers even, unlock
 *	  to shared: notify listeners               withdraw, and convert back
 *
 * The ranges are the parts of the call's range that change (core/ranges.h). If an undo fails, the
 * state of their pages is unknown, and all pages from the first range to the last are quarantined.
 */
#include "core/entry.h"
#include "core/history.h"
#include "core/mappings.h"
#include "core/quarantine.h"
#include "core/restructure.h"
#include "listener/listener.h"
#include "trace.h"

/*
 * A conversion that is under way. It is on the stack, which is in the caches: when it was a part
 * of the shard, a conversion with cold caches took an eighth longer. No frame may exceed 512
 * bytes, which the build checks (-Wframe-larger-than).
 */
struct convert_txn {
	struct gms_state *s;
	gms_pgoff_t start, end;
	enum gms_shareability to;
	bool whole; /* all pages of the call's range change */
	bool has_listener; /* a listener overlaps the call's range */
	bool queried; /* the policy decides about conversions */
	bool merge; /* the policy wants some folios larger */
	bool clear_prepared; /* some of the pages that become shared are prepared */
	bool undone; /* a hook or a listener had to undo something */
	bool broken; /* an undo failed: the ranges have to be quarantined */
	bool quarantined; /* the ranges are quarantined */
	gms_pgoff_t err_index, stop; /* on failure: see convert_range() */
	uint64_t changed; /* how many pages were converted; 0 on failure */
	struct gms_notified notified;
	struct gms_block *journal; /* blocks in which folios were split */
	/* Reverts the commit in the tree of private pages; NULL: no listener can refuse it. */
	struct gms_rtree_reserve *undo;
	struct gms_quarantine quarantine; /* from the first range to the last */
	struct gms_policy_query query;
	struct gms_ranges ranges; /* the pages that change */
};

static enum gms_shareability convert_opposite(enum gms_shareability to)
{
	return to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

/* ---- prepare: under the convert locks ---- */

/* Prepares to quarantine the ranges, if there is an undo that could fail. Returns 0 or -ENOMEM. */
static int convert_prepare_quarantine(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	const struct gms_backend_ops *ops = &c->s->backend.ops;

	if (!c->has_listener && !ops->undo && !ops->map_host)
		return 0;
	return gms_quarantine_prepare(c->s, &c->quarantine, c->ranges.kept[0].start,
				      gms_ranges_last_end(&c->ranges));
}

static int convert_prepare(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;
	const bool keep = s->backend.hooked || c->has_listener || c->queried;
	int err;

	c->undo = NULL;
	if (c->has_listener && c->to == GMS_SHARED)
		c->undo = gms_listeners_undo_reserve(s, c->start);
	err = gms_rtree_prepare(s->private, c->start, c->end - c->start, c->undo);
	if (err)
		return err;
	if (c->whole)
		gms_ranges_one(&c->ranges, c->start, c->end);
	else
		err = gms_ranges_init(s, &c->ranges, s->private, c->to == GMS_SHARED, c->start,
				      c->end, keep);
	if (err)
		return err;
	err = gms_history_prepare(s, c->start, c->end);
	if (!err)
		err = convert_prepare_quarantine(c);
	if (err)
		gms_ranges_fini(s, &c->ranges);
	return err;
}

static void convert_release(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	gms_ranges_fini(c->s, &c->ranges);
	if (c->undo)
		gms_rtree_release(c->s->private, c->undo);
}

/* ---- apply: under the invalidate locks ---- */

/* Undoes the apply of the kept ranges below @nr, and of @done pages of the range at @nr. */
static void convert_undo(struct convert_txn *c, size_t nr, uint64_t done)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	c->undone |= nr || done;
	for (size_t i = nr + 1; i--;) {
		const struct gms_range range = c->ranges.kept[i];
		const uint64_t nr_pages = i == nr ? done : range.end - range.start;

		if (nr_pages && gms_backend_undo(&c->s->backend, range.start, nr_pages,
						 convert_opposite(c->to)))
			c->broken = true;
	}
}

static int convert_apply(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	uint64_t done;
	int err = 0;

	if (!s->backend.hooked)
		return 0;
	gms_mappings_invalidate_begin(s, &c->ranges, 1U << convert_opposite(c->to));
	for (size_t i = 0; !err && i < c->ranges.nr; i++) {
		const struct gms_range range = c->ranges.kept[i];

		err = gms_backend_apply(&s->backend, range.start, range.end - range.start, c->to,
					&done);
		if (!err)
			continue;
		convert_undo(c, i, done);
		/* If the error is -EAGAIN, the first page that was not applied is in use. */
		if (!c->broken && range.start + done < range.end) {
			c->stop = range.start + done;
			c->err_index = c->stop;
		}
	}
	if (err)
		gms_mappings_invalidate_end(s, &c->ranges);
	return err;
}

/* ---- the exclusive part ---- */

/*
 * Prepares to clear PREPARED of the pages that become shared, if one has it. Faults set PREPARED
 * under the shared invalidate lock, so this is done under the exclusive lock.
 */
static int convert_prepare_clear(struct convert_txn *c) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_rtree *prepared = c->s->folios.prepared;
	const uint64_t nr_pages = c->end - c->start;

	c->clear_prepared = c->to == GMS_SHARED &&
			    gms_rtree_fill_range(prepared, c->start, nr_pages) != GMS_RTREE_NONE;
	return c->clear_prepared ? gms_rtree_prepare(prepared, c->start, nr_pages, NULL) : 0;
}

/* Merges the folios in the ranges, which are @to now, that the policy wants larger. */
static void convert_merge(struct convert_txn *c, enum gms_shareability to)
	GMS_REQUIRES(gms_invalidate_lock)
{
	c->query.to = to;
	c->query.start = c->query.end; /* the tree has the new state already */
	(void)gms_restructure_merge_ranges(c->s, &c->query, &c->ranges);
}

static void convert_commit(struct convert_txn *c)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;

	gms_history_before(s, c->start, c->end);
	/* PREPARED goes first: no reader sees a page that is shared and prepared. */
	if (c->clear_prepared)
		gms_rtree_commit(s->folios.prepared, c->start, c->end - c->start, false, NULL);
	gms_rtree_commit(s->private, c->start, c->end - c->start, c->to == GMS_PRIVATE, c->undo);
	gms_history_after(s, c->start, c->end);
	if (s->backend.hooked)
		gms_mappings_invalidate_end(s, &c->ranges);
	if (c->merge)
		convert_merge(c, c->to);
}

/* Makes the steps under the exclusive invalidate locks. On failure undoes them. */
static int convert_locked(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	int err;

	err = convert_prepare_clear(c);
	if (err)
		return err;
	if (c->to == GMS_PRIVATE)
		err = gms_mappings_isolate(s, &c->ranges, &c->err_index, &c->stop);
	if (err)
		goto map_host;
	if (c->queried)
		err = gms_restructure_split_ranges(s, &c->query, &c->ranges, &c->merge, &c->stop);
	if (err)
		c->err_index = c->stop; /* counts if the error is -EAGAIN: the folio is in use */
	else
		err = convert_apply(c);
	if (err)
		goto unsplit;
	convert_commit(c);
	gms_folios_forget_splits(c->journal);
	return 0;

unsplit:
	if (c->journal)
		c->undone = true;
	gms_folios_unsplit(&s->folios, c->journal);
	gms_folios_forget_splits(c->journal);
map_host:
	if (!c->broken && c->to == GMS_PRIVATE)
		c->broken = gms_mappings_restore_host(s, &c->ranges) != 0;
	if (c->broken) {
		gms_quarantine_commit_locked(s, &c->quarantine);
		c->quarantined = true;
	}
	return err;
}

/* ---- listeners ---- */

/* Converts the ranges, which a listener refused, back to private. Returns false if that fails. */
static bool convert_back(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;
	const struct gms_range last = c->ranges.kept[c->ranges.nr - 1];

	if (!gms_mappings_isolate_undo(s, &c->ranges))
		return false;
	gms_mappings_invalidate_begin(s, &c->ranges, GMS_ZAP_SHARED);
	convert_undo(c, c->ranges.nr - 1, last.end - last.start);
	if (!c->broken) {
		gms_history_before(s, c->start, c->end);
		gms_rtree_revert(s->private, c->undo);
		gms_history_after(s, c->start, c->end);
	}
	gms_mappings_invalidate_end(s, &c->ranges);
	if (!c->broken && c->queried)
		convert_merge(c, GMS_PRIVATE);
	return !c->broken;
}

/*
 * Quarantines all from the first range to the last, unless that was done. Listeners have had the
 * granules of the ranges withdrawn before. In a conversion to shared the pages between the ranges
 * are shared as well, so their granules are withdrawn here.
 */
static void convert_quarantine(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	if (!c->quarantined)
		gms_quarantine_commit(c->s, &c->quarantine);
	c->quarantined = true;
	if (c->to == GMS_SHARED)
		gms_listeners_withdraw_gaps(c->s, &c->ranges);
}

/* Notifies listeners of the ranges, which are shared now. Converts back if a listener refuses. */
static int convert_notify(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(c->start, c->end);
	bool back = false;
	int err;

	err = gms_listeners_notify(c->s, &c->ranges, GMS_SHARED, &c->notified);
	if (!err)
		return 0;
	c->undone = true;
	if (!c->notified.broken) {
		gms_shards_lock_exclusive(c->s, shards);
		back = convert_back(c);
		gms_shards_unlock_exclusive(c->s, shards);
	}
	if (!back)
		convert_quarantine(c);
	return err;
}

/* Withdraws the ranges, which are about to go private, from listeners. */
static int convert_withdraw(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	const int err = gms_listeners_notify(c->s, &c->ranges, GMS_PRIVATE, &c->notified);

	if (c->notified.broken)
		convert_quarantine(c);
	return err;
}

/* Restores the ranges, which did not go private, to listeners. */
static void convert_restore(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	gms_listeners_restore(c->s, &c->ranges, &c->notified);
	if (c->notified.broken)
		convert_quarantine(c);
}

/* ---- the transaction ---- */

static int convert_transact(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(c->start, c->end);
	struct gms_state *s = c->s;
	int err = 0;

	if (c->has_listener && c->to == GMS_PRIVATE)
		err = convert_withdraw(c);
	if (err)
		goto out;
	gms_shards_lock_exclusive(s, shards);
	err = convert_locked(c);
	gms_shards_unlock_exclusive(s, shards);
	if (!c->has_listener)
		goto out;
	if (!err && c->to == GMS_SHARED)
		err = convert_notify(c);
	else if (c->quarantined) /* by convert_locked(), which cannot call listeners */
		convert_quarantine(c);
	else if (err && c->to == GMS_PRIVATE)
		convert_restore(c);
out:
	c->undone |= c->notified.any;
	if (err && c->undone)
		gms_count_add(&s->counters, GMS_UNDONE, 1);
	return err;
}

/* Sets what a transaction needs even if nothing changes. */
static void convert_begin(struct convert_txn *c, struct gms_state *s, gms_pgoff_t start,
			  gms_pgoff_t end, enum gms_shareability to)
{
	c->s = s;
	c->start = start;
	c->end = end;
	c->to = to;
	c->stop = start;
	c->err_index = start;
	c->changed = 0;
}

/* Sets the rest of a transaction, which changes @nr_changes pages. */
static void convert_begin_change(struct convert_txn *c, uint64_t nr_changes)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;

	c->whole = nr_changes == c->end - c->start;
	c->has_listener = gms_listeners_overlap(s, c->start, c->end);
	c->queried = s->folios.order && gms_policy_wants(s, GMS_EV_CONVERT, GMS_HOST);
	c->merge = false;
	c->undone = false;
	c->broken = false;
	c->quarantined = false;
	c->notified = (struct gms_notified) {0};
	c->journal = NULL;
	c->query = (struct gms_policy_query) {.event = GMS_EV_CONVERT,
					      .start = c->start,
					      .end = c->end,
					      .to = c->to,
					      .cap = GMS_ORDER_1G,
					      .journal = &c->journal};
}

/* Returns how many pages of the range change. */
static uint64_t convert_count_changes(const struct convert_txn *c)
{
	const struct gms_rtree *private = c->s->private;
	const uint64_t nr_pages = c->end - c->start;
	uint64_t nr;

	if (nr_pages == 1)
		nr = gms_rtree_test(private, c->start);
	else
		nr = gms_rtree_count(private, c->start, nr_pages);
	return c->to == GMS_PRIVATE ? nr_pages - nr : nr;
}

/*
 * Converts all of the call's range, or nothing. On failure c->err_index is what gms_convert()
 * reports in atomic mode, and nothing is known to be in the way of the pages before c->stop.
 */
static int convert_range(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	const gms_pgoff_t quarantined = gms_quarantine_first(c->s, c->start, c->end);
	uint64_t nr;
	int err;

	if (quarantined < c->end) {
		c->stop = quarantined;
		c->err_index = quarantined;
		return -ENOTRECOVERABLE;
	}
	nr = convert_count_changes(c);
	if (!nr)
		return 0;
	convert_begin_change(c, nr);
	err = convert_prepare(c);
	if (err)
		return err;
	err = convert_transact(c);
	convert_release(c);
	if (!err)
		c->changed = nr;
	if (err != -EAGAIN)
		c->err_index = c->start;
	if (err != -EAGAIN || c->quarantined) /* the quarantine covers pages before c->stop, too */
		c->stop = c->start;
	return err;
}

/*
 * Counts a call that begins at @start. The convert lock of that shard is held, so no other thread
 * counts there, and the additions need not be atomic.
 */
static void convert_count_call(struct gms_state *s, gms_pgoff_t start, uint64_t changed, int err)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(start)];
	uint64_t *const which = changed ? &shard->conversions : &shard->noops;

	if (err && !changed)
		return;
	gms_store_relaxed(which, *which + 1);
	gms_store_relaxed(&shard->pages_converted, shard->pages_converted + changed);
}

/* ---- the two modes ---- */

static int convert_atomic(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability to, gms_pgoff_t *err_index)
{
	struct convert_txn txn, *const c = &txn;
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	convert_begin(c, s, start, start + nr_pages, to);
	err = convert_range(c);
	convert_count_call(s, start, c->changed, err);
	*err_index = c->err_index;
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

/*
 * Converts a range in one 1G block up to the first page that is pinned, in use or quarantined. A
 * try that meets such a page converts nothing, so the pages before it are tried again. Returns 0,
 * or the error of that page, or another error. *next is the first page that is not converted.
 */
static int convert_up_to_obstacle(struct convert_txn *c, struct gms_state *s, gms_pgoff_t start,
				  gms_pgoff_t end, enum gms_shareability to, gms_pgoff_t *next)
	GMS_REQUIRES(gms_convert_lock)
{
	int err, in_the_way = 0;

	for (;;) {
		convert_begin(c, s, start, end, to);
		err = convert_range(c);
		*next = err ? start : end;
		if (!err || c->stop == start)
			return err ? err : in_the_way;
		in_the_way = err;
		end = c->stop;
	}
}

static int convert_resumable(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			     enum gms_shareability to, gms_pgoff_t *err_index)
{
	const gms_pgoff_t end = start + nr_pages;
	struct convert_txn txn, *const c = &txn;
	uint64_t changed = 0;
	int err = 0;

	if (!gms_state_range_ok(s, start, nr_pages))
		return gms_refused(
			s, gms_because(-EINVAL, gms_range_why(s->nr_pages, start, nr_pages)));
	gms_for_each_1g(at, next, start, end) {
		*err_index = at;
		err = gms_enter(s, GMS_ENTER_RANGE, at, next - at);
		if (err) {
			gms_refused(s, err);
			break;
		}
		err = convert_up_to_obstacle(c, s, at, next, to, err_index);
		changed += c->changed;
		err = gms_leave(s, GMS_ENTER_RANGE, at, next - at, err);
		if (err)
			break;
	}
	/* The call counts once, in its first shard. */
	if (!gms_enter(s, GMS_ENTER_FROZEN, start, 1)) {
		convert_count_call(s, start, changed, err);
		(void)gms_leave(s, GMS_ENTER_FROZEN, start, 1, 0);
	}
	return err;
}

int gms_convert(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		unsigned int flags, gms_pgoff_t *err_index)
{
	gms_pgoff_t failed = start;
	int err;

	if (to != GMS_SHARED && to != GMS_PRIVATE)
		err = gms_refused(s, gms_because(-EINVAL, "the shareability is unknown"));
	else if (flags & ~GMS_CONVERT_RESUMABLE)
		err = gms_refused(s, gms_because(-EINVAL, "a flag is unknown"));
	else if (flags & GMS_CONVERT_RESUMABLE)
		err = convert_resumable(s, start, nr_pages, to, &failed);
	else
		err = convert_atomic(s, start, nr_pages, to, &failed);
	gms_trace_convert(&s->folios, start, nr_pages, to, err);
	if (err && err_index)
		*err_index = failed;
	return err;
}
