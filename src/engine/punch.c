// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * punch.c - punching holes: freeing the memory of a range
 *
 *	convert and invalidate locks, exclusively; sequence numbers odd
 *	  prepare: quarantine
 *	  unmap from the host, look for pins           undo: map
 *	  prepare: the trees
 *	  split the folios that cross an end           undo: merge
 *	  invalidate begin, zap the guest
 *	  merge and free the folios ------------------ nothing fails from here on but map_host
 *	  commit, invalidate end, notify of 1G blocks that are free, map what is shared
 *	sequence numbers even, unlock
 *
 * Hooks are called for the allocated pages of the hole only. If map_host fails, on either path,
 * the hole is withdrawn from listeners and quarantined.
 */
#include "core/entry.h"
#include "core/history.h"
#include "core/mappings.h"
#include "core/quarantine.h"
#include "core/rent.h"
#include "core/restructure.h"
#include "listener/listener.h"

struct punch_hole {
	struct gms_state *s;
	gms_pgoff_t start, end;
	struct gms_ranges ranges; /* the allocated pages of the hole */
	struct gms_block *journal; /* blocks in which folios were split */
	/* Those of the trees prepared, mapped and allocated that have pages in the hole. */
	struct gms_rtree *tree[3];
	unsigned int nr_trees;
	struct gms_quarantine quarantine; /* of the hole; prepared if there is a map_host */
	bool lost; /* map_host failed, so the hole has to be quarantined */
};

/* Returns true if the folio at @index is allocated, and crosses an end of the hole. */
static bool punch_crosses(const struct punch_hole *h, gms_pgoff_t index)
{
	const struct gms_folio folio = gms_folio_at(&h->s->folios, index);

	return gms_rtree_test(h->s->folios.allocated, index) &&
	       (folio.index < h->start || gms_folio_end(folio) > h->end);
}

/* Makes the records of the splits at @index, up to an end of the hole at @edge, ahead of them. */
static int punch_prepare_end(const struct punch_hole *h, gms_pgoff_t index, gms_pgoff_t edge)
{
	const struct gms_folio folio = gms_folio_at(&h->s->folios, index);
	const bool in_2m = !gms_order_is_start(edge, GMS_ORDER_2M);
	const struct gms_folio block = {gms_order_down(index, GMS_ORDER_2M), GMS_ORDER_2M};

	if (!folio.order || !punch_crosses(h, index))
		return 0;
	return in_2m ? gms_rents_make(h->s, block, GMS_ORDER_4K)
		     : gms_rents_make(h->s, folio, GMS_ORDER_2M);
}

/* Splits the folio at @index if it crosses the end of the hole at @edge. */
static int punch_split_at(struct punch_hole *h, gms_pgoff_t index, gms_pgoff_t edge)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	const struct gms_policy_query query = {
		.event = GMS_EV_PUNCH,
		.cap = gms_order_is_start(edge, GMS_ORDER_2M) ? GMS_ORDER_2M : GMS_ORDER_4K,
		.journal = &h->journal,
	};
	struct gms_folio folio = gms_folio_at(&s->folios, index);
	unsigned int above;
	int err;

	if (!punch_crosses(h, index))
		return 0;
	err = gms_restructure_split(s, &query, index, &folio, &above);
	return err == GMS_BUSY ? -EAGAIN : err;
}

/*
 * Prepares those trees that the hole changes, and the records of the 2M blocks that it may split.
 * Returns 0 or -ENOMEM.
 */
static int punch_prepare(struct punch_hole *h) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_folios *f = &h->s->folios;
	/* In this order, no reader sees a page that is prepared or mapped and not allocated. */
	struct gms_rtree *const tree[] = {f->prepared, f->mapped, f->allocated};
	const uint64_t nr_pages = h->end - h->start;
	int err;

	err = punch_prepare_end(h, h->start, h->start);
	if (!err)
		err = punch_prepare_end(h, h->end - 1, h->end);
	if (err)
		return err;
	for (unsigned int i = 0; i < 3; i++) {
		if (gms_rtree_fill_range(tree[i], h->start, nr_pages) == GMS_RTREE_NONE)
			continue;
		err = gms_rtree_prepare(tree[i], h->start, nr_pages, NULL);
		if (err)
			return err;
		h->tree[h->nr_trees++] = tree[i];
	}
	return 0;
}

/* Notifies the backend of each 1G block that had a folio and has none now. */
static void punch_notify_freed(struct punch_hole *h)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_folios *f = &h->s->folios;
	struct gms_ranges_walk walk = {0};
	gms_pgoff_t done = 0; /* all 1G blocks before this page were looked at */

	while (gms_ranges_next(&h->ranges, &walk)) {
		const gms_pgoff_t first = gms_order_down(walk.range.start, GMS_ORDER_1G);

		for (done = first > done ? first : done; done < walk.range.end;
		     done += gms_order_pages(GMS_ORDER_1G))
			if (gms_rtree_fill(f->allocated, done, GMS_ORDER_1G) == GMS_RTREE_NONE)
				gms_folios_notify_freed(f, done);
	}
}

static void punch_commit(struct punch_hole *h) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;

	gms_folios_free(&s->folios, h->start, h->end);
	for (unsigned int i = 0; i < h->nr_trees; i++)
		gms_rtree_commit(h->tree[i], h->start, h->end - h->start, false, NULL);
	gms_folios_reset(&s->folios, h->start, h->end);
	gms_history_tick(s, h->start);
	gms_rents_free(s, h->start, h->end);
	gms_mappings_invalidate_end(s, &h->ranges);
	punch_notify_freed(h);
}

/* Punches a hole whose allocated pages are h->ranges. On failure undoes what it did. */
static int punch_ranges(struct punch_hole *h, gms_pgoff_t *err_index)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	gms_pgoff_t stop;
	int err = 0;

	if (s->backend.ops.map_host)
		err = gms_quarantine_prepare(s, &h->quarantine, h->start, h->end);
	if (err)
		return err;
	err = gms_mappings_isolate(s, &h->ranges, err_index, &stop);
	if (!err)
		err = punch_prepare(h);
	if (!err)
		err = punch_split_at(h, h->start, h->start);
	if (!err)
		err = punch_split_at(h, h->end - 1, h->end);
	if (err)
		goto undo;
	gms_mappings_invalidate_begin(s, &h->ranges, GMS_ZAP_BOTH);
	punch_commit(h);
	h->lost = gms_mappings_restore_host(s, &h->ranges) != 0;
	gms_folios_forget_splits(h->journal);
	return 0;

undo:
	if (h->journal) {
		gms_folios_unsplit(&s->folios, h->journal);
		gms_folios_forget_splits(h->journal);
		gms_count_add(&s->counters, GMS_UNDONE, 1);
	}
	h->lost = gms_mappings_restore_host(s, &h->ranges) != 0;
	return err;
}

/*
 * Lists the allocated pages of the hole, and frees them. Faults allocate under the shared
 * invalidate lock, so the list is made under the exclusive lock.
 */
static int punch_locked(struct punch_hole *h, gms_pgoff_t *err_index)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	int err;

	if (gms_rtree_fill_range(s->folios.allocated, h->start, h->end - h->start) ==
	    GMS_RTREE_NONE)
		return 0;
	err = gms_ranges_init(s, &h->ranges, s->folios.allocated, true, h->start, h->end, true);
	if (err)
		return err;
	err = punch_ranges(h, err_index);
	gms_ranges_fini(s, &h->ranges);
	return err;
}

int gms_punch_hole(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   gms_pgoff_t *err_index)
{
	struct punch_hole h = {.s = s, .start = start, .end = start + nr_pages};
	gms_pgoff_t failed = start;
	gms_shards shards;
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err) {
		gms_refused(s, err);
		goto out;
	}
	shards = gms_shards_of(start, start + nr_pages);
	gms_shards_lock_exclusive(s, shards);
	err = punch_locked(&h, &failed);
	gms_shards_unlock_exclusive(s, shards);
	if (h.lost) {
		gms_listeners_withdraw(s, h.start, h.end);
		gms_quarantine_commit(s, &h.quarantine);
	}
	gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
out:
	if (err && err_index)
		*err_index = err == -EAGAIN ? failed : start;
	return err;
}
