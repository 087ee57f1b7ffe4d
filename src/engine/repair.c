// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * repair.c - ending a quarantine
 *
 *	all convert locks
 *	  withdraw from listeners that are stuck
 *	  invalidate locks, exclusively; sequence numbers odd
 *	    to private: unmap, look for pins
 *	    invalidate begin, zap the guest, the backend's repair
 *	    commit ---------------------------------- nothing fails from here on
 *	    invalidate end
 *	  sequence numbers even, unlock
 *	  notify listeners of what is shared          refused: quarantine again
 */
#include "core/entry.h"
#include "core/history.h"
#include "core/mappings.h"
#include "listener/listener.h"

/*
 * Makes the pages private or shared, and ends their quarantine. @lifted: NULL, or the reserve that
 * can revert the end of the quarantine.
 */
static int repair_change(struct gms_state *s, const struct gms_ranges *ranges, bool private,
			 struct gms_rtree_reserve *lifted)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	const gms_pgoff_t start = ranges->start, end = ranges->end;
	const uint64_t nr_pages = end - start;
	int err;

	err = gms_history_prepare(s, start, end);
	if (!err)
		err = gms_rtree_prepare(s->folios.prepared, start, nr_pages, NULL);
	if (!err)
		err = gms_rtree_prepare(s->private, start, nr_pages, NULL);
	if (err)
		return err;
	/* The guest may have mapped the pages in either state before they were quarantined. */
	gms_mappings_invalidate_begin(s, ranges, GMS_ZAP_BOTH);
	err = gms_backend_repair(&s->backend, start, nr_pages, private ? GMS_PRIVATE : GMS_SHARED);
	if (err)
		goto end;
	gms_history_before(s, start, end);
	gms_rtree_commit(s->folios.prepared, start, nr_pages, false, NULL);
	gms_rtree_commit(s->private, start, nr_pages, private, NULL);
	/* The quarantine goes last: no query finds a page in its old state and not quarantined. */
	gms_rtree_commit(s->quarantine, start, nr_pages, false, lifted);
	gms_add_relaxed(&s->quarantined, -nr_pages);
	gms_history_after(s, start, end);
end:
	gms_mappings_invalidate_end(s, ranges);
	return err;
}

static int repair_locked(struct gms_state *s, struct gms_ranges *ranges, bool private,
			 struct gms_rtree_reserve *lifted)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	gms_pgoff_t pinned, stop;
	int err = 0;

	/*
	 * Whatever the tree says of the pages, the host may have mapped and pinned them. On
	 * failure they stay quarantined, so the host gets no mapping again.
	 */
	if (private)
		err = gms_mappings_isolate(s, ranges, &pinned, &stop);
	return err ? err : repair_change(s, ranges, private, lifted);
}

/* Notifies listeners of what is shared. If a listener refuses, quarantines the range again. */
static int repair_notify(struct gms_state *s, const struct gms_ranges *ranges,
			 struct gms_rtree_reserve *lifted) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(ranges->start, ranges->end);
	struct gms_notified notified = {0};
	int err;

	err = gms_listeners_notify(s, ranges, GMS_SHARED, &notified);
	if (!err) {
		gms_listeners_clear_stuck(s);
		return 0;
	}
	gms_shards_lock_exclusive(s, shards);
	gms_mappings_drop(s, ranges->start, ranges->end);
	gms_rtree_revert(s->quarantine, lifted);
	gms_add_relaxed(&s->quarantined, ranges->end - ranges->start);
	gms_shards_unlock_exclusive(s, shards);
	return err;
}

static int repair_range(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool private)
	GMS_REQUIRES(gms_convert_lock)
{
	/* Only a listener can refuse a repair. Without one nothing has to be reverted. */
	struct gms_rtree_reserve *lifted = gms_listeners_undo_reserve(s, start);
	const gms_shards shards = gms_shards_of(start, end);
	struct gms_ranges ranges;
	int err;

	if (gms_rtree_fill_range(s->quarantine, start, end - start) != GMS_RTREE_ALL)
		return gms_because(-EINVAL, "a page of the range is not quarantined");
	err = gms_listeners_retry_stuck(s, start, end);
	if (!err)
		err = gms_rtree_prepare(s->quarantine, start, end - start, lifted);
	if (err)
		return err;
	gms_ranges_one(&ranges, start, end);
	gms_shards_lock_exclusive(s, shards);
	err = repair_locked(s, &ranges, private, lifted);
	gms_shards_unlock_exclusive(s, shards);
	if (!err)
		err = repair_notify(s, &ranges, lifted);
	if (lifted)
		gms_rtree_release(s->quarantine, lifted);
	return err;
}

int gms_repair(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
	       enum gms_shareability shareability)
{
	int err;

	if (shareability != GMS_SHARED && shareability != GMS_PRIVATE)
		return gms_refused(s, gms_because(-EINVAL, "the shareability is unknown"));
	/* Enters all shards, because a listener is stuck for all of its range: see listener.h. */
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = repair_range(s, start, start + nr_pages, shareability == GMS_PRIVATE);
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}
