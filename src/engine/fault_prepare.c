// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fault_prepare.c - preparing for the guest what a fault covers
 *
 * PREPARED is set under the folio lock and the shared invalidate lock. Nothing is allocated under
 * the folio lock: the trees are prepared before it is taken, and where that turns out not to be
 * enough, it is released and the work begins again.
 */
#include "core/entry.h"
#include "core/limit.h"
#include "fault.h"

/*
 * The block that the backend was last asked to prepare. If the backend answers with a limit of the
 * guest's mappings, the block needs places in the trees of inhibits. If these are missing, the
 * answer is kept here until they were made.
 */
struct prepare_block {
	gms_pgoff_t start;
	unsigned int order;
	unsigned int at_most; /* the largest order of the guest's mappings in the block */
	bool waits; /* for places */
};

#define PREPARE_NO_PLACES 1 /* beside 0 and -errno */

/* Returns the first of the trees of inhibits that hold what is limited to @order. */
static unsigned int prepare_first_inhibit(unsigned int order)
{
	return order == GMS_ORDER_4K ? 0 : order == GMS_ORDER_2M ? 1 : GMS_NR_INHIBITS;
}

static int prepare_make_places(struct gms_state *s, const struct prepare_block *b)
{
	int err = 0;

	for (unsigned int i = prepare_first_inhibit(b->at_most); !err && i < GMS_NR_INHIBITS; i++)
		err = gms_rtree_prepare(s->inhibit[i], b->start, gms_order_pages(b->order), NULL);
	return err;
}

static bool prepare_has_places(const struct gms_state *s, const struct prepare_block *b)
{
	for (unsigned int i = prepare_first_inhibit(b->at_most); i < GMS_NR_INHIBITS; i++)
		if (!gms_rtree_is_prepared(s->inhibit[i], b->start, gms_order_pages(b->order)))
			return false;
	return true;
}

/*
 * Calls the backend for one block, and sets PREPARED. Returns 0, PREPARE_NO_PLACES, or an error.
 */
static int prepare_one(struct gms_state *s, gms_pgoff_t start, unsigned int order,
		       struct prepare_block *b)
{
	int err = 0;

	if (!b->waits || b->start != start || b->order != order) {
		b->start = start;
		b->order = order;
		err = gms_backend_prepare(&s->backend, start, order, &b->at_most);
	}
	if (err)
		return err;
	b->waits = !prepare_has_places(s, b);
	if (b->waits)
		return PREPARE_NO_PLACES;
	if (b->at_most < GMS_ORDER_1G)
		gms_store_relaxed(&s->inhibited, true);
	/* The larger limit first: no reader sees a page that is limited to 4K and not to 2M. */
	for (unsigned int i = GMS_NR_INHIBITS; i-- > prepare_first_inhibit(b->at_most);)
		gms_folios_commit(&s->folios, s->inhibit[i], start, gms_order_pages(order), true);
	gms_folios_commit(&s->folios, s->folios.prepared, start, gms_order_pages(order), true);
	gms_count_add(&s->counters, GMS_PREPARES, 1);
	return 0;
}

/* Prepares [start, end), in the largest blocks that lie in it. */
static int prepare_run(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
		       struct prepare_block *b)
{
	int err = 0;

	while (!err && start < end) {
		unsigned int order = GMS_ORDER_1G;

		while (order &&
		       (!gms_order_is_start(start, order) || gms_order_pages(order) > end - start))
			order = gms_order_below(order);
		err = prepare_one(s, start, order, b);
		start += gms_order_pages(order);
	}
	return err;
}

/*
 * Prepares what is not prepared in [start, end). The range was prepared in the tree, so each
 * commit here has its places: a run that ends inside a block ends inside a mixed block.
 */
static int prepare_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			  struct prepare_block *b) GMS_REQUIRES_SHARED(gms_invalidate_lock)
	GMS_REQUIRES(gms_folio_locks)
{
	struct gms_rtree_run run;
	int err = 0;

	for (; !err && gms_rtree_next(s->folios.prepared, start, end, &run);
	     start = run.start + run.nr_pages)
		if (!run.set)
			err = prepare_run(s, run.start, run.start + run.nr_pages, b);
	return err;
}

/*
 * Locks the folio of a fault, and prepares the tree for what will be set in it. It allocates
 * before it locks. If the folio was split meanwhile, it starts again with the smaller order.
 */
static int prepare_lock_folio(struct gms_state *s, struct gms_fault *fault,
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

static int prepare_fault(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	const gms_pgoff_t index = fault_priv(fault)->index;
	struct prepare_block b = {.waits = false};
	struct gms_folio folio;
	int err;

	do {
		err = prepare_lock_folio(s, fault, &folio);
		if (err)
			break;
		err = prepare_locked(s, gms_order_down(index, fault->max_order),
				     gms_order_up(index, fault->max_order), &b);
		gms_folio_unlock(&s->folios, folio);
		if (err != PREPARE_NO_PLACES)
			break;
		err = prepare_make_places(s, &b);
	} while (!err);
	return err;
}

int gms_fault_prepare(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	const struct fault_priv *f = fault_priv(fault);
	int err;

	if (f->accessor != GMS_GUEST)
		return gms_refused(s, -EINVAL);
	if (gms_unlikely(gms_backend_in_hook(&s->backend)))
		return gms_refused(s, -EDEADLK);
	if (fault->prepared || !gms_rtree_test(s->private, f->index))
		return 0;
	err = gms_frozen(s);
	if (!err)
		err = prepare_fault(s, fault);
	if (err)
		return gms_refused(s, err);
	fault->prepared = true;
	fault->max_order = gms_limit_attributes(s, f->index, fault->max_order);
	return 0;
}
