// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine.c - quarantine and repair of pages whose state is unknown
 *
 * A range is quarantined where an undo failed. An undo does not allocate, so the memory was made
 * ready before anything began: spare leaf pages, two a shard, because a quarantine is rare. The
 * trees keep their last state of the pages; faults and conversions are refused, and listeners have
 * let go.
 */
#include "core/core.h"

bool gms_is_quarantined(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->quarantine, index);
}

int gms_quarantine_prepare(struct gms_state *s, struct gms_quarantine *q, gms_pgoff_t start,
			   gms_pgoff_t end)
{
	q->start = start;
	q->end = end;
	return gms_rtree_spare_fill(s->quarantine, start, end - start,
				    &s->shard[gms_shard_of(start)].spare);
}

void gms_quarantine_commit_locked(struct gms_state *s, const struct gms_quarantine *q)
{
	const uint64_t nr_pages = q->end - q->start;

	gms_range_unmap(s, q->start, q->end);
	gms_add_relaxed(&s->quarantined,
			nr_pages - gms_rtree_count(s->quarantine, q->start, nr_pages));
	gms_rtree_spare_spend(s->quarantine, q->start, nr_pages,
			      &s->shard[gms_shard_of(q->start)].spare);
	gms_rtree_commit(s->quarantine, q->start, nr_pages, true, NULL);
}

void gms_quarantine_commit(struct gms_state *s, const struct gms_quarantine *q)
{
	const gms_shards shards = gms_shards_of(q->start, q->end);

	gms_shards_lock(s, shards);
	gms_quarantine_commit_locked(s, q);
	gms_shards_unlock(s, shards);
}

/* ---- repair ---- */

/* The pages are @private from now on, and quarantined no more: *lifted. */
static int repair_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool private,
			 struct gms_rtree_reserve *lifted)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	const uint64_t nr_pages = end - start;
	int err;

	err = gms_history_prepare(s, start, end);
	if (!err)
		err = gms_rtree_prepare(s->folios.prepared, start, nr_pages, NULL);
	if (!err)
		err = gms_rtree_prepare(s->private, start, nr_pages, NULL);
	if (err)
		return err;
	gms_backend_invalidate_begin(&s->backend, start, nr_pages);
	/* the guest may have mapped them in either state before they were quarantined */
	gms_backend_zap_guest(&s->backend, start, nr_pages, GMS_SHARED);
	gms_backend_zap_guest(&s->backend, start, nr_pages, GMS_PRIVATE);
	err = gms_backend_repair(&s->backend, start, nr_pages, private ? GMS_PRIVATE : GMS_SHARED);
	if (err)
		goto end;
	gms_history(s, start, end, false);
	gms_rtree_commit(s->folios.prepared, start, nr_pages, false, NULL);
	gms_rtree_commit(s->private, start, nr_pages, private, NULL);
	/* the quarantine goes last */
	gms_rtree_commit(s->quarantine, start, nr_pages, false, lifted);
	gms_add_relaxed(&s->quarantined, -nr_pages);
	gms_event_locked(s, start);
	gms_history(s, start, end, true);
end:
	gms_backend_invalidate_end(&s->backend, start, nr_pages);
	return err;
}

static int unmap_and_repair(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool private,
			    struct gms_rtree_reserve *lifted)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	gms_pgoff_t pinned, stop;
	struct gms_spans all;
	int err = 0;

	if (private) {
		/* whatever the tree calls them, the host may have mapped and pinned them all along */
		gms_spans_one(&all, start, end);
		err = gms_spans_isolate(s, &all, &pinned, &stop);
	}
	return err ? err : repair_locked(s, start, end, private, lifted);
}

/* Notifies listeners of what is shared there. If one refuses, the range is quarantined again. */
static int tell(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
		struct gms_rtree_reserve *lifted) GMS_REQUIRES(gms_convert_lock)
{
	const gms_shards shards = gms_shards_of(start, end);
	struct gms_told told = {0};
	struct gms_spans spans;
	int err;

	gms_spans_one(&spans, start, end);
	err = gms_listeners_tell(s, &spans, GMS_SHARED, &told);
	if (!err) {
		gms_listeners_repaired(s);
		return 0;
	}
	gms_shards_lock(s, shards);
	gms_range_unmap(s, start, end);
	gms_rtree_revert(s->quarantine, lifted);
	gms_add_relaxed(&s->quarantined, end - start);
	gms_shards_unlock(s, shards);
	return err;
}

static int repair(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool private)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_listening *room = s->listeners.room;
	/* only a listener may refuse what is repaired */
	struct gms_rtree_reserve *lifted = room ? &room[gms_shard_of(start)].undo : NULL;
	const gms_shards shards = gms_shards_of(start, end);
	int err;

	if (gms_rtree_fill_range(s->quarantine, start, end - start) != GMS_RTREE_ALL)
		return -EINVAL;
	err = gms_listeners_unstick(s, start, end);
	if (!err)
		err = gms_rtree_prepare(s->quarantine, start, end - start, lifted);
	if (err)
		return err;
	gms_shards_lock(s, shards);
	err = unmap_and_repair(s, start, end, private, lifted);
	gms_shards_unlock(s, shards);
	if (!err)
		err = tell(s, start, end, lifted);
	if (lifted)
		gms_rtree_release(s->quarantine, lifted);
	return err;
}

int gms_repair(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
	       enum gms_shareability shareability)
{
	int err;

	if (shareability != GMS_SHARED && shareability != GMS_PRIVATE)
		return gms_refused(s, -EINVAL);
	/* all shards: what a listener may be stuck with is looked at everywhere */
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = repair(s, start, start + nr_pages, shareability == GMS_PRIVATE);
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}
