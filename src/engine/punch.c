// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * punch.c - giving memory back
 *
 *	convert and invalidate locks, exclusively; sequence numbers odd
 *	  look for pins, unmap from the host           undo: map
 *	  prepare: the trees
 *	  split the folios that cross an end           undo: merge
 *	  invalidate begin, zap the guest
 *	  merge and free the folios ------------------ nothing fails from here on
 *	  commit, invalidate end, tell of blocks that are free, map what is shared
 *	sequence numbers even, unlock
 *
 * Hooks hear of the pages that are allocated.
 */
#include "core/core.h"

struct hole {
	struct gms_state *s;
	gms_pgoff_t start, end;
	struct gms_spans spans; /* what is allocated */
	struct gms_block *journal;
	/* of prepared, mapped and allocated; those with nothing in the hole are left alone */
	struct gms_rtree *tree[3];
	unsigned int nr_trees;
	struct gms_quarantine quarantine;
	bool lost; /* the host could not have again what is shared of it */
};

/* Split the folio at @index, which crosses the end of the hole at @edge. */
static int split_at(struct hole *h, gms_pgoff_t index, gms_pgoff_t edge)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	const struct gms_ask ask = {
		.event = GMS_EV_PUNCH,
		.cap = edge == gms_order_down(edge, GMS_ORDER_2M) ? GMS_ORDER_2M : GMS_ORDER_4K,
		.journal = &h->journal,
	};
	struct gms_folio folio = gms_folio_at(&s->folios, index);
	unsigned int above;
	int err;

	if (!gms_rtree_test(s->folios.allocated, index) ||
	    (folio.index >= h->start && gms_folio_end(folio) <= h->end))
		return 0;
	err = gms_settle(s, &ask, index, &folio, &above);
	return err == GMS_BUSY ? -EAGAIN : err;
}

static int prepare(struct hole *h) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_folios *f = &h->s->folios;
	/* in this order: what is prepared or mapped is allocated, whoever looks */
	struct gms_rtree *const tree[] = {f->prepared, f->mapped, f->allocated};
	const uint64_t nr_pages = h->end - h->start;
	int err;

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

static void commit(struct hole *h) GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	struct gms_span_at at = {0};
	gms_pgoff_t told = 0; /* of the blocks below */

	gms_folios_free(&s->folios, h->start, h->end);
	for (unsigned int i = 0; i < h->nr_trees; i++)
		gms_rtree_commit(h->tree[i], h->start, h->end - h->start, false, NULL);
	gms_folios_reset(&s->folios, h->start, h->end);
	gms_event(s, h->start);
	gms_spans_end(s, &h->spans);
	while (gms_spans_next(&h->spans, &at)) {
		const gms_pgoff_t first = gms_order_down(at.span.start, GMS_ORDER_1G);

		for (told = first > told ? first : told; told < at.span.end;
		     told += gms_order_pages(GMS_ORDER_1G))
			if (gms_rtree_fill(s->folios.allocated, told, GMS_ORDER_1G) ==
			    GMS_RTREE_NONE)
				gms_folios_notify_freed(&s->folios, told);
	}
}

static int punch_locked(struct hole *h, gms_pgoff_t *err_index)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	gms_pgoff_t stop;
	int err = 0;

	if (s->backend.ops.map_host)
		err = gms_quarantine_prepare(s, &h->quarantine, h->start, h->end);
	if (err)
		return err;
	err = gms_spans_isolate(s, &h->spans, err_index, &stop);
	if (!err)
		err = prepare(h);
	if (!err)
		err = split_at(h, h->start, h->start);
	if (!err)
		err = split_at(h, h->end - 1, h->end);
	if (err)
		goto undo;
	gms_spans_begin(s, &h->spans);
	gms_spans_zap(s, &h->spans, GMS_SHARED);
	gms_spans_zap(s, &h->spans, GMS_PRIVATE);
	commit(h);
	h->lost = gms_spans_map_host(s, &h->spans);
	gms_folios_forget_splits(h->journal);
	return 0;

undo:
	if (h->journal) {
		gms_folios_unsplit(&s->folios, h->journal);
		gms_folios_forget_splits(h->journal);
		gms_count_add(&s->counters, GMS_UNDONE, 1);
	}
	h->lost = gms_spans_map_host(s, &h->spans);
	return err;
}

/* Under the exclusive lock, because what is allocated changes under the shared one. */
static int punch(struct hole *h, gms_pgoff_t *err_index)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock)
{
	struct gms_state *s = h->s;
	int err;

	if (gms_rtree_fill_range(s->folios.allocated, h->start, h->end - h->start) ==
	    GMS_RTREE_NONE)
		return 0;
	err = gms_spans_init(s, &h->spans, s->folios.allocated, true, h->start, h->end, true);
	if (err)
		return err;
	err = punch_locked(h, err_index);
	gms_spans_fini(s, &h->spans);
	return err;
}

int gms_punch_hole(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   gms_pgoff_t *err_index)
{
	struct hole h = {.s = s, .start = start, .end = start + nr_pages};
	gms_pgoff_t failed = start;
	gms_shards shards;
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err) {
		gms_refused(s, err);
		goto out;
	}
	shards = gms_shards_of(start, start + nr_pages);
	gms_shards_lock(s, shards);
	err = punch(&h, &failed);
	gms_shards_unlock(s, shards);
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
