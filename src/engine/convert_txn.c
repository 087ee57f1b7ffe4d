// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert_txn.c - conversion as a transaction: see convert.h
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
 * A call converts one part, which is its range; or several, if the gfns of its range are in
 * several bindings. The ranges are those pieces of the parts that change (core/ranges.h). If an
 * undo fails, the state of their pages is unknown, and all pages from the first range to the last
 * are quarantined.
 */
#include "convert.h"

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
	const struct gms_range *parts; /* what the call converts: they ascend, and no two touch */
	const struct gms_range *parts_end;
	gms_pgoff_t start, end; /* from the first part to the last */
	enum gms_shareability to;
	bool whole; /* there is one part, and all of its pages change */
	bool has_listener; /* a listener overlaps a part, or pages between parts */
	bool queried; /* the policy decides about conversions */
	bool merge; /* the policy wants some folios larger */
	bool clear_prepared; /* some of the pages that become shared are prepared */
	bool undone; /* a hook or a listener had to undo something */
	bool broken; /* an undo failed: the ranges have to be quarantined */
	bool quarantined; /* the ranges are quarantined */
	bool named; /* err_index is a page that is in the way */
	gms_pgoff_t err_index, stop; /* on failure: see convert_range() */
	uint64_t changed; /* how many pages were converted; 0 on failure */
	struct gms_notified notified;
	struct gms_block *journal; /* blocks in which folios were split */
	/*
	 * Reverts the commit in the tree of private pages. NULL: no listener can refuse it, or
	 * there are several parts; then the ranges are committed back.
	 */
	struct gms_rtree_reserve *undo;
	struct gms_quarantine quarantine; /* from the first range to the last */
	struct gms_policy_query query;
	struct gms_ranges ranges; /* the pages that change */
};

static enum gms_shareability convert_opposite(enum gms_shareability to)
{
	return to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;
}

static inline bool convert_is_single(const struct convert_txn *c)
{
	return gms_likely(c->parts + 1 == c->parts_end);
}

#define convert_for_each_part(c, part) \
	for (const struct gms_range *part = (c)->parts; part < (c)->parts_end; part++)

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
	int err = 0;

	c->undo = NULL;
	if (c->has_listener && c->to == GMS_SHARED && convert_is_single(c))
		c->undo = gms_listeners_undo_reserve(s, c->start);
	convert_for_each_part(c, part) {
		err = gms_rtree_prepare(s->private, part->start, part->end - part->start, c->undo);
		if (err)
			return err;
	}
	if (c->whole)
		gms_ranges_one(&c->ranges, c->start, c->end);
	else
		err = gms_ranges_init_parts(s, &c->ranges, s->private, c->to == GMS_SHARED,
					    c->parts, (size_t)(c->parts_end - c->parts), keep);
	if (err)
		return err;
	convert_for_each_part(c, part)
		err = err ? err : gms_history_prepare(s, part->start, part->end);
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
	int err = 0;

	c->clear_prepared = false;
	if (c->to == GMS_SHARED)
		convert_for_each_part(c, part)
			c->clear_prepared |=
				gms_rtree_fill_range(prepared, part->start,
						     part->end - part->start) != GMS_RTREE_NONE;
	if (c->clear_prepared)
		convert_for_each_part(c, part)
			err = err ? err
				  : gms_rtree_prepare(prepared, part->start,
						      part->end - part->start, NULL);
	return err;
}

/*
 * Splits folios in the ranges as the policy decides. The policy is queried for part after part, as
 * if the others were not converted.
 */
static int convert_split(struct convert_txn *c) GMS_REQUIRES(gms_invalidate_lock)
{
	struct gms_ranges *ranges = &c->ranges;
	struct gms_range *const kept = ranges->kept;
	const size_t nr = ranges->nr;
	size_t first = 0;
	int err = 0;

	/* Parts may complete a block together: the queries after the commit see that. */
	c->merge = !convert_is_single(c);
	convert_for_each_part(c, part) {
		size_t next = first;

		while (next < nr && kept[next].start < part->end)
			next++;
		if (err || next == first)
			continue;
		c->query.start = part->start;
		c->query.end = part->end;
		ranges->kept = kept + first;
		ranges->nr = next - first;
		err = gms_restructure_split_ranges(c->s, &c->query, ranges, &c->merge, &c->stop);
		first = next;
	}
	ranges->kept = kept;
	ranges->nr = nr;
	return err;
}

/* Merges the folios in the ranges, which are @to now, that the policy wants larger. */
static void convert_merge(struct convert_txn *c, enum gms_shareability to)
	GMS_REQUIRES(gms_invalidate_lock)
{
	c->query.to = to;
	c->query.start = c->query.end; /* the tree has the new state already */
	(void)gms_restructure_merge_ranges(c->s, &c->query, &c->ranges);
}

/* Notes the history of several parts. Parts in one 1G are one change. */
static void convert_note_parts(struct convert_txn *c, bool after) GMS_REQUIRES(gms_invalidate_lock)
{
	const struct gms_range *part = c->parts;

	while (part < c->parts_end) {
		struct gms_range all = *part++;

		while (part < c->parts_end && gms_order_down(part->start, GMS_ORDER_1G) < all.end)
			all.end = (part++)->end;
		if (after)
			gms_history_after(c->s, all.start, all.end);
		else
			gms_history_before(c->s, all.start, all.end);
	}
}

/* Notes the history before a change of the parts, or after it. */
static gms_always_inline void convert_note_history(struct convert_txn *c, bool after)
	GMS_REQUIRES(gms_invalidate_lock)
{
	if (!convert_is_single(c))
		convert_note_parts(c, after);
	else if (after)
		gms_history_after(c->s, c->start, c->end);
	else
		gms_history_before(c->s, c->start, c->end);
}

static void convert_commit(struct convert_txn *c)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = c->s;

	convert_note_history(c, false);
	convert_for_each_part(c, part) {
		const uint64_t nr_pages = part->end - part->start;

		/* PREPARED goes first: no reader sees a page that is shared and prepared. */
		if (c->clear_prepared)
			gms_rtree_commit(s->folios.prepared, part->start, nr_pages, false, NULL);
		gms_rtree_commit(s->private, part->start, nr_pages, c->to == GMS_PRIVATE, c->undo);
	}
	convert_note_history(c, true);
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
		err = convert_split(c);
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
	c->named = true;
	if (!c->broken && c->to == GMS_PRIVATE)
		c->broken = gms_mappings_restore_host(s, &c->ranges) != 0;
	if (c->broken) {
		gms_quarantine_commit_locked(s, &c->quarantine);
		c->quarantined = true;
	}
	return err;
}

/* ---- listeners ---- */

/* Reverts the commit in the tree. The places of the ranges exist, so nothing is allocated. */
static void convert_revert(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	if (c->undo) {
		gms_rtree_revert(c->s->private, c->undo);
		return;
	}
	for (size_t i = 0; i < c->ranges.nr; i++) {
		const struct gms_range range = c->ranges.kept[i];

		gms_rtree_commit(c->s->private, range.start, range.end - range.start,
				 c->to == GMS_SHARED, NULL);
	}
}

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
		convert_note_history(c, false);
		convert_revert(c);
		convert_note_history(c, true);
	}
	gms_mappings_invalidate_end(s, &c->ranges);
	if (!c->broken && c->queried)
		convert_merge(c, GMS_PRIVATE);
	return !c->broken;
}

/*
 * Quarantines all from the first range to the last, unless that was done. Listeners have had the
 * granules of the ranges withdrawn before. Pages between the ranges may be shared, too, in a
 * conversion to shared or between parts, so their granules are withdrawn here.
 */
static void convert_quarantine(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	if (!c->quarantined)
		gms_quarantine_commit(c->s, &c->quarantine);
	c->quarantined = true;
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
static void convert_begin(struct convert_txn *c, struct gms_state *s, const struct gms_range *parts,
			  size_t nr_parts, enum gms_shareability to)
{
	c->s = s;
	c->parts = parts;
	c->parts_end = parts + nr_parts;
	c->start = parts[0].start;
	c->end = parts[nr_parts - 1].end;
	c->to = to;
	c->stop = c->start;
	c->err_index = c->start;
	c->named = false;
	c->changed = 0;
}

/* Sets the rest of a transaction, which changes @nr_changes pages. */
static void convert_begin_change(struct convert_txn *c, uint64_t nr_changes)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_state *s = c->s;

	c->whole = convert_is_single(c) && nr_changes == c->end - c->start;
	c->has_listener = gms_listeners_overlap(s, c->start, c->end);
	c->queried = s->folios.order && gms_policy_wants(s, GMS_EV_CONVERT, GMS_HOST);
	c->merge = false;
	c->undone = false;
	c->broken = false;
	c->quarantined = false;
	c->notified = (struct gms_notified) {0};
	c->journal = NULL;
	c->query = (struct gms_policy_query) {
		.event = GMS_EV_CONVERT, .to = c->to, .cap = GMS_ORDER_1G, .journal = &c->journal};
}

/* Returns how many pages of [start, end) change. */
static gms_always_inline uint64_t convert_count_in(const struct convert_txn *c, gms_pgoff_t start,
						   gms_pgoff_t end)
{
	const struct gms_rtree *private = c->s->private;
	const uint64_t nr_pages = end - start;
	uint64_t nr;

	if (nr_pages == 1)
		nr = gms_rtree_test(private, start);
	else
		nr = gms_rtree_count(private, start, nr_pages);
	return c->to == GMS_PRIVATE ? nr_pages - nr : nr;
}

/* Returns how many pages of the parts change. */
static uint64_t convert_count_changes(const struct convert_txn *c)
{
	uint64_t changes = 0;

	if (convert_is_single(c))
		return convert_count_in(c, c->start, c->end);
	convert_for_each_part(c, part)
		changes += convert_count_in(c, part->start, part->end);
	return changes;
}

/*
 * Converts all of the parts, or nothing. On failure c->err_index is what gms_convert()
 * reports in atomic mode, and nothing is known to be in the way of the pages before c->stop.
 */
static int convert_range(struct convert_txn *c) GMS_REQUIRES(gms_convert_lock)
{
	/*
	 * Between parts, too: a failed undo would quarantine all up to the last range, and a page
	 * must not be quarantined twice, because listeners do not hold it any more.
	 */
	const gms_pgoff_t quarantined = gms_quarantine_first(c->s, c->start, c->end);
	uint64_t nr;
	int err;

	if (quarantined < c->end) {
		c->stop = quarantined;
		c->err_index = quarantined;
		c->named = true;
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

int gms_convert_parts(struct gms_state *s, const struct gms_range *parts, size_t nr_parts,
		      enum gms_shareability to, struct gms_converted *done)
{
	struct convert_txn txn, *const c = &txn;
	int err;

	convert_begin(c, s, parts, nr_parts, to);
	err = convert_range(c);
	*done = (struct gms_converted) {c->changed, c->err_index, c->stop, c->named};
	return err;
}
