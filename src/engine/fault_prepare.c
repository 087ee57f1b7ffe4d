// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fault_prepare.c - preparing for the guest what a fault covers
 *
 * Pages are prepared by the backend, and marked as PREPARED in a tree. This is done under the
 * folio lock and the shared invalidate lock. Nothing is allocated under the folio lock: the
 * memory that a commit in a tree needs (its places) is made by gms_rtree_prepare() before the
 * lock is taken. If places are missing all the same, the lock is released, and the work begins
 * again.
 */
#include "core/entry.h"
#include "fault.h"
#include "limit.h"

/*
 * The block that the backend has prepared last. If the answer of the backend limits the guest's
 * mappings (GMS_PREPARED_AT()), the block needs places in trees of inhibits. If these are missing,
 * the answer is kept here until they are made, and the backend is not called again.
 */
struct fault_prepare_block {
	gms_pgoff_t start;
	unsigned int order;
	unsigned int at_most; /* the largest order of the guest's mappings in the block */
	bool waits; /* the block is not marked as PREPARED yet, because places are missing */
};

#define FAULT_PREPARE_NO_PLACES 1 /* beside 0 and -errno */

/* Makes the places of a block in the trees of inhibits. Returns 0 or -ENOMEM. */
static int fault_prepare_make_places(struct gms_state *s, const struct fault_prepare_block *b)
{
	int err = 0;

	for (unsigned int i = gms_limit_first_inhibit(b->at_most); !err && i < GMS_NR_INHIBITS; i++)
		err = gms_rtree_prepare(s->inhibit[i], b->start, gms_order_pages(b->order), NULL);
	return err;
}

/* Returns true if a block has all of its places in the trees of inhibits. */
static bool fault_prepare_has_places(const struct gms_state *s, const struct fault_prepare_block *b)
{
	for (unsigned int i = gms_limit_first_inhibit(b->at_most); i < GMS_NR_INHIBITS; i++)
		if (!gms_rtree_is_prepared(s->inhibit[i], b->start, gms_order_pages(b->order)))
			return false;
	return true;
}

/*
 * Calls the backend for one block, unless it has answered already, and marks the block as
 * PREPARED. Returns 0, FAULT_PREPARE_NO_PLACES, or the backend's error.
 */
static int fault_prepare_one(struct gms_state *s, gms_pgoff_t start, unsigned int order,
			     struct fault_prepare_block *b)
{
	int err = 0;

	if (!b->waits || b->start != start || b->order != order) {
		b->start = start;
		b->order = order;
		err = gms_backend_prepare(&s->backend, start, order, &b->at_most);
	}
	if (err)
		return err;
	b->waits = !fault_prepare_has_places(s, b);
	if (b->waits)
		return FAULT_PREPARE_NO_PLACES;
	if (b->at_most < GMS_ORDER_1G)
		gms_store_relaxed(&s->inhibited, true);
	/* The tree of the larger limit comes first: no reader finds a page in the other alone. */
	for (unsigned int i = GMS_NR_INHIBITS; i-- > gms_limit_first_inhibit(b->at_most);)
		gms_folios_commit(&s->folios, s->inhibit[i], start, gms_order_pages(order), true);
	gms_folios_commit(&s->folios, s->folios.prepared, start, gms_order_pages(order), true);
	gms_count_add(&s->counters, GMS_PREPARES, 1);
	return 0;
}

/* Prepares all of [start, end), in the largest blocks that lie in it. */
static int fault_prepare_run(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			     struct fault_prepare_block *b)
{
	int err = 0;

	while (!err && start < end) {
		unsigned int order = GMS_ORDER_1G;

		while (order &&
		       (!gms_order_is_start(start, order) || gms_order_pages(order) > end - start))
			order = gms_order_below(order);
		err = fault_prepare_one(s, start, order, b);
		start += gms_order_pages(order);
	}
	return err;
}

/*
 * Prepares those pages of [start, end) that are not prepared. The range has its places in the
 * tree. So has each run, because inside the range it ends inside a mixed block or between blocks.
 */
static int fault_prepare_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
				struct fault_prepare_block *b)
	GMS_REQUIRES_SHARED(gms_invalidate_lock) GMS_REQUIRES(gms_folio_locks)
{
	struct gms_rtree_run run;
	int err = 0;

	for (; !err && gms_rtree_next(s->folios.prepared, start, end, &run);
	     start = run.start + run.nr_pages)
		if (!run.set)
			err = fault_prepare_run(s, run.start, run.start + run.nr_pages, b);
	return err;
}

/*
 * Makes the places for PREPARED that a fault needs, and then locks the folio of the fault. If the
 * folio was split meanwhile, lowers the order of the fault and begins again.
 */
static int fault_prepare_lock_folio(struct gms_state *s, struct gms_fault *fault,
				    struct gms_folio *folio) GMS_NO_TSA
{
	const gms_pgoff_t index = fault_priv(fault)->index;
	int err;

	for (;;) {
		const unsigned int order = fault->max_order;

		err = gms_rtree_prepare(s->folios.prepared, gms_order_down(index, order),
					gms_order_pages(order), NULL);
		if (err)
			return err;
		*folio = gms_folio_lock(&s->folios, index);
		if (folio->order >= order)
			return 0;
		gms_folio_unlock(&s->folios, *folio);
		fault->max_order = folio->order;
	}
}

/* Prepares what a fault covers. Returns 0, -ENOMEM, or the backend's error. */
static int fault_prepare(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	const gms_pgoff_t index = fault_priv(fault)->index;
	struct fault_prepare_block b = {.waits = false};
	struct gms_folio folio;
	int err;

	do {
		err = fault_prepare_lock_folio(s, fault, &folio);
		if (err)
			break;
		err = fault_prepare_locked(s, gms_order_down(index, fault->max_order),
					   gms_order_up(index, fault->max_order), &b);
		gms_folio_unlock(&s->folios, folio);
		if (err != FAULT_PREPARE_NO_PLACES)
			break;
		err = fault_prepare_make_places(s, &b);
	} while (!err);
	return err;
}

int gms_fault_prepare(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	const struct fault_priv *f = fault_priv(fault);
	int err;

	if (f->accessor != GMS_GUEST)
		return gms_refused(s, gms_because(-EINVAL, "a fault of the host prepares nothing"));
	(void)gms_because(0, NULL);
	if (gms_unlikely(gms_backend_in_hook(&s->backend)))
		return gms_refused(s, -EDEADLK);
	if (fault->prepared || !gms_rtree_test(s->private, f->index))
		return 0;
	err = gms_check_frozen(s);
	if (!err)
		err = fault_prepare(s, fault);
	if (err)
		return gms_refused(s, err);
	fault->prepared = true;
	fault->max_order = gms_limit_attributes(s, f->index, fault->max_order);
	return 0;
}
