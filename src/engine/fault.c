// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fault.c - faults: which folio, how large a mapping, ready for the guest or not
 *
 * A fault holds the invalidate lock of its shard, shared, from begin to end: the state of the
 * page cannot change under it. On the common path, where the folio is there and the policy is
 * content, it takes no other lock and writes nothing but counters of its own thread. What it
 * may have to do - allocate, split, prepare - is done under the folio lock, after another look:
 * two threads that fault in one folio do it once.
 */
#include "core/core.h"

struct gms_may_alias fault {
	gms_pgoff_t index;
	uint32_t accessor;
};

_Static_assert(sizeof(struct fault) <= sizeof(((struct gms_fault *)0)->priv), "the fault's size");

static inline struct fault *fault_of(struct gms_fault *fault)
{
	return (struct fault *)(void *)fault->priv;
}

static inline unsigned int min_order(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* The largest block at an index, not above @order, with no page in the set. */
static unsigned int free_order(const struct gms_rtree *set, gms_pgoff_t index, unsigned int order)
{
	while (order && gms_rtree_fill(set, index, order) != GMS_RTREE_NONE)
		order = gms_order_below(order);
	return order;
}

/* What attributes and inhibits leave of @order. */
static unsigned int guest_order(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	const unsigned int nr_attrs = gms_load_acquire(&s->nr_attrs);

	for (unsigned int i = 0; order && i < nr_attrs; i++)
		order = min_order(order, gms_rtree_uniform_order(s->attr[i], index));
	if (gms_likely(!order || !gms_load_relaxed(&s->inhibited)))
		return order;
	if (order == GMS_ORDER_1G && gms_rtree_fill(s->inhibit[1], index, order) != GMS_RTREE_NONE)
		order = GMS_ORDER_2M;
	if (gms_rtree_fill(s->inhibit[0], index, GMS_ORDER_2M) != GMS_RTREE_NONE)
		order = GMS_ORDER_4K;
	return order;
}

/* The folio at an index, there and settled. */
static int find_folio(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
		      const struct gms_rtree_look *look, struct gms_fault *fault)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_ask ask = {
		.event = GMS_EV_FAULT, .accessor = accessor, .cap = GMS_ORDER_1G, .look = look};
	struct gms_folio folio;
	unsigned int above;
	int err = 0;

	fault->fresh = false;
	if (gms_unlikely(!gms_rtree_test(s->folios.allocated, index)))
		err = gms_populate(s, index, accessor, &fault->fresh);
	if (err)
		return err;
	folio = gms_folio_at(&s->folios, index);
	if (folio.order && gms_policy_minds(s, GMS_EV_FAULT, accessor))
		err = gms_settle(s, &ask, index, &folio, &above);
	fault->folio_index = folio.index;
	fault->folio_order = folio.order;
	return err == GMS_BUSY ? 0 : err; /* a split is put off to the next fault */
}

/* The largest complete block at an index that is uniform. */
static unsigned int look_order(const struct gms_state *s, gms_pgoff_t index,
			       const struct gms_rtree_look *look)
{
	unsigned int order = GMS_ORDER_1G;

	if (look->fill_1g == GMS_RTREE_MIXED)
		order = look->fill_2m == GMS_RTREE_MIXED ? GMS_ORDER_4K : GMS_ORDER_2M;
	while (order && gms_order_down(index, order) + gms_order_pages(order) > s->nr_pages)
		order = gms_order_below(order);
	return order;
}

/*
 * Rule 21, but for the folio and the blocks that are uniform, which are in @order: what quarantine,
 * the binding, attributes and inhibits leave of it. @b: NULL where the page is in no binding.
 */
static inline unsigned int mapping_order(const struct gms_state *s, gms_pgoff_t index,
					 enum gms_accessor accessor, const struct gms_binding *b,
					 unsigned int order)
{
	if (gms_unlikely(gms_load_relaxed(&s->quarantined)))
		order = free_order(s->quarantine, index, order);
	if (accessor == GMS_HOST)
		return order;
	if (b)
		order = gms_binding_order(b, index, order);
	return guest_order(s, index, order);
}

static int begin_locked(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
			struct gms_fault *fault) GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	struct gms_binding b;
	struct gms_rtree_look look;
	bool bound;
	int err;

	if (gms_unlikely(gms_load_relaxed(&s->quarantined)) && gms_is_quarantined(s, index))
		return -ENOTRECOVERABLE;
	look = gms_rtree_look(s->private, index);
	if (accessor == GMS_HOST && look.set)
		return -EACCES;
	err = find_folio(s, index, accessor, &look, fault);
	if (!err && accessor == GMS_HOST)
		err = gms_folios_expose(&s->folios, fault->folio_index,
					fault->folio_index + gms_order_pages(fault->folio_order),
					fault->folio_order);
	if (err)
		return err;
	fault->max_order = min_order(fault->folio_order, look_order(s, index, &look));
	/* a page is in one binding at most */
	bound = accessor == GMS_GUEST && fault->max_order &&
		gms_binding_find(s, GMS_BY_INDEX, index, &b);
	fault->max_order = mapping_order(s, index, accessor, bound ? &b : NULL, fault->max_order);
	fault->prepared =
		accessor == GMS_GUEST &&
		gms_rtree_fill(s->folios.prepared, index, fault->max_order) == GMS_RTREE_ALL;
	/* who prepared it may have limited the guest's mappings since they were looked at */
	if (fault->prepared && gms_unlikely(gms_load_relaxed(&s->inhibited)))
		fault->max_order = guest_order(s, index, fault->max_order);
	fault->seq = gms_load_relaxed(&s->shard[gms_shard_of(index)].seq);
	fault_of(fault)->index = index;
	fault_of(fault)->accessor = accessor;
	return 0;
}

/* *gfn has to be bound to the index: else GMS_MOVED, and nothing is held. */
#define GMS_MOVED 1
static int begin(struct gms_state *s, gms_pgoff_t index, const uint64_t *gfn,
		 enum gms_accessor accessor, struct gms_fault *fault) GMS_NO_TSA
{
	gms_pgoff_t now = index;
	int err = -EINVAL;

	if (gms_likely(accessor == GMS_HOST || accessor == GMS_GUEST))
		err = gms_enter_shared(s, GMS_ENTER_FROZEN, index, 1);
	if (gms_unlikely(err))
		return gms_refused(s, err);
	if (gfn && (gms_gfn_to_index(s, *gfn, &now) || now != index)) {
		gms_leave_shared(s, index, 1, 0);
		return GMS_MOVED;
	}
	err = begin_locked(s, index, accessor, fault);
	if (gms_unlikely(err))
		return gms_leave_shared(s, index, 1, err);
	gms_count_add(&s->counters, accessor == GMS_HOST ? GMS_FAULTS_HOST : GMS_FAULTS_GUEST, 1);
	return 0;
}

int gms_fault_begin(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
		    struct gms_fault *fault) GMS_NO_TSA
{
	return begin(s, index, NULL, accessor, fault);
}

int gms_fault_begin_gfn(struct gms_state *s, uint64_t gfn, enum gms_accessor accessor,
			struct gms_fault *fault) GMS_NO_TSA
{
	gms_pgoff_t index;
	int err;

	do {
		err = gms_gfn_to_index(s, gfn, &index);
		if (err)
			return gms_refused(s, err);
		err = begin(s, index, &gfn, accessor, fault);
	} while (err == GMS_MOVED);
	return err;
}

void gms_fault_end(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	(void)gms_leave_shared(s, fault_of(fault)->index, 1, 0);
}

int gms_gfn_max_order(const struct gms_state *s, uint64_t gfn, unsigned int *order)
{
	struct gms_binding b;
	gms_pgoff_t index;

	/* one look: the binding may be gone at the next */
	if (!gms_binding_find(s, GMS_BY_GFN, gfn, &b))
		return -ENOENT;
	index = b.key[GMS_BY_INDEX] + (gfn - b.key[GMS_BY_GFN]);
	*order = mapping_order(s, index, GMS_GUEST, &b, gms_rtree_uniform_order(s->private, index));
	return 0;
}

/* ---- preparing ---- */

/*
 * The block that the backend was last asked to prepare. If it answers that the guest's mappings are
 * limited there, that takes places in the sets of inhibits, and those are not allocated under the
 * folio lock: the answer is kept until they are there.
 */
struct prepared_block {
	gms_pgoff_t start;
	unsigned int order;
	unsigned int at_most; /* of a mapping in it */
	bool waits; /* for places */
};

#define GMS_NO_PLACES 1 /* beside 0 and -errno */

/* The sets of inhibits from the returned one on hold what is limited to @order. */
static unsigned int first_inhibit(unsigned int order)
{
	return order == GMS_ORDER_4K ? 0 : order == GMS_ORDER_2M ? 1 : GMS_NR_INHIBITS;
}

static int make_places(struct gms_state *s, const struct prepared_block *b)
{
	int err = 0;

	for (unsigned int i = first_inhibit(b->at_most); !err && i < GMS_NR_INHIBITS; i++)
		err = gms_rtree_prepare(s->inhibit[i], b->start, gms_order_pages(b->order), NULL);
	return err;
}

static bool has_places(const struct gms_state *s, const struct prepared_block *b)
{
	for (unsigned int i = first_inhibit(b->at_most); i < GMS_NR_INHIBITS; i++)
		if (!gms_rtree_is_prepared(s->inhibit[i], b->start, gms_order_pages(b->order)))
			return false;
	return true;
}

static int prepare_block(struct gms_state *s, gms_pgoff_t start, unsigned int order,
			 struct prepared_block *b)
{
	int err = 0;

	if (!b->waits || b->start != start || b->order != order) {
		b->start = start;
		b->order = order;
		err = gms_backend_prepare(&s->backend, start, order, &b->at_most);
	}
	if (err)
		return err;
	b->waits = !has_places(s, b);
	if (b->waits)
		return GMS_NO_PLACES;
	if (b->at_most < GMS_ORDER_1G)
		gms_store_relaxed(&s->inhibited, true);
	/* the larger limit first: what is held to 4K is held to 2M, whoever looks */
	for (unsigned int i = GMS_NR_INHIBITS; i-- > first_inhibit(b->at_most);)
		gms_folios_commit(&s->folios, s->inhibit[i], start, gms_order_pages(order), true);
	gms_folios_commit(&s->folios, s->folios.prepared, start, gms_order_pages(order), true);
	gms_count_add(&s->counters, GMS_PREPARES, 1);
	return 0;
}

/* All that is not prepared in [start, end), in the largest blocks that lie in it. */
static int prepare_run(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
		       struct prepared_block *b)
{
	int err = 0;

	while (!err && start < end) {
		unsigned int order = GMS_ORDER_1G;

		while (order && (start != gms_order_down(start, order) ||
				 gms_order_pages(order) > end - start))
			order = gms_order_below(order);
		err = prepare_block(s, start, order, b);
		start += gms_order_pages(order);
	}
	return err;
}

/*
 * The places for [start, end) are there, and so are those for each store here: where a run ends
 * inside a block, that block is mixed.
 */
static int prepare_locked(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			  struct prepared_block *b) GMS_REQUIRES_SHARED(gms_invalidate_lock)
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
 * Locks the folio of a fault, with places in the tree for what is to be prepared. Allocates before
 * it locks; if the folio was split meanwhile, it does so again for the smaller order.
 */
static int lock_to_prepare(struct gms_state *s, struct gms_fault *fault,
			   struct gms_folio *folio) GMS_NO_TSA
{
	const gms_pgoff_t index = fault_of(fault)->index;
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

static int prepare(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	struct prepared_block b = {.waits = false};
	struct gms_folio folio;
	gms_pgoff_t start;
	int err;

	do {
		err = lock_to_prepare(s, fault, &folio);
		if (err)
			break;
		start = gms_order_down(fault_of(fault)->index, fault->max_order);
		err = prepare_locked(s, start, start + gms_order_pages(fault->max_order), &b);
		gms_folio_unlock(&s->folios, folio);
		if (err != GMS_NO_PLACES)
			break;
		err = make_places(s, &b);
	} while (!err);
	return err;
}

int gms_fault_prepare(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	const struct fault *f = fault_of(fault);
	int err;

	if (f->accessor != GMS_GUEST)
		return gms_refused(s, -EINVAL);
	if (gms_unlikely(gms_backend_in_hook(&s->backend)))
		return gms_refused(s, -EDEADLK);
	if (fault->prepared || !gms_rtree_test(s->private, f->index))
		return 0;
	err = gms_frozen(s);
	if (!err)
		err = prepare(s, fault);
	if (err)
		return gms_refused(s, err);
	fault->prepared = true;
	fault->max_order = guest_order(s, f->index, fault->max_order);
	return 0;
}
