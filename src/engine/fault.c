// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fault.c - faults: which folio, and how large a mapping
 *
 * A fault holds the invalidate lock of its shard, shared, from begin to end, so the state of the
 * page cannot change meanwhile. On the common path the folio is allocated, the policy wants it no
 * smaller, and a host fault finds it exposed. Then a fault takes no other lock, and writes nothing
 * but counters in the slot of its thread. To allocate, split or prepare, a fault takes the folio
 * lock and looks again: of two threads that fault in one folio, one does the work.
 */
#include "fault.h"

#include "core/entry.h"
#include "core/rent.h"
#include "limit.h"
#include "populate.h"
#include "trace.h"

/* Finds the folio at an index: allocates it if it is not, and splits it as the policy decides. */
static int fault_find_folio(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
			    const struct gms_rtree_look *look, struct gms_fault *fault)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_policy_query query = {
		.event = GMS_EV_FAULT, .accessor = accessor, .cap = GMS_ORDER_1G, .look = look};
	struct gms_folio folio;
	int err = 0;

	fault->fresh = false;
	if (gms_unlikely(!gms_rtree_test(s->folios.allocated, index)))
		err = gms_populate(s, index, accessor, &fault->fresh);
	if (err)
		return err;
	err = gms_restructure_fault(s, &query, index, &folio);
	fault->folio_index = folio.index;
	fault->folio_order = folio.order;
	return err;
}

static int fault_begin_locked(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
			      struct gms_fault *fault) GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const bool guest = accessor == GMS_GUEST;
	struct gms_rtree_look look;
	bool fresh = false;
	unsigned int order;
	int err;

	if (gms_unlikely(gms_load_relaxed(&s->quarantined)) && gms_rtree_test(s->quarantine, index))
		return -ENOTRECOVERABLE;
	look = gms_rtree_look(s->private, index);
	if (!guest && look.set)
		return -EACCES;
	err = fault_find_folio(s, index, accessor, &look, fault);
	if (!err && !guest)
		err = gms_folios_expose(&s->folios, fault->folio_index,
					fault->folio_index + gms_order_pages(fault->folio_order),
					fault->folio_order, &fresh);
	if (err)
		return err;
	if (gms_unlikely(fresh))
		gms_rents_touch(s, index, index + 1);
	order = gms_limit_fault(s, index, accessor, &look, fault->folio_order);
	fault->prepared =
		guest && gms_rtree_fill(s->folios.prepared, index, order) == GMS_RTREE_ALL;
	/* The thread that prepared the page may have added inhibits after they were read above. */
	if (fault->prepared && gms_unlikely(gms_load_relaxed(&s->inhibited)))
		order = gms_limit_attributes(s, index, order);
	fault->max_order = order;
	fault->seq = gms_load_relaxed(&s->shard[gms_shard_of(index)].seq);
	fault_priv(fault)->index = index;
	fault_priv(fault)->accessor = accessor;
	return 0;
}

#define FAULT_MOVED 1 /* beside 0 and -errno */

/* Begins a fault. @gfn: NULL, or a gfn; if it is not bound to @index now, returns FAULT_MOVED. */
static int fault_begin(struct gms_state *s, gms_pgoff_t index, const uint64_t *gfn,
		       enum gms_accessor accessor, struct gms_fault *fault) GMS_NO_TSA
{
	gms_pgoff_t now = index;
	int err;

	if (gms_likely(accessor == GMS_HOST || accessor == GMS_GUEST))
		err = gms_enter_shared(s, GMS_ENTER_FROZEN, index, 1);
	else
		err = gms_because(-EINVAL, "the accessor is unknown");
	if (gms_unlikely(err))
		return gms_refused(s, err);
	/* The lock keeps the binding as it is. It may have changed before the lock was taken. */
	if (gfn && (gms_gfn_to_index(s, *gfn, &now) || now != index))
		err = FAULT_MOVED;
	else
		err = fault_begin_locked(s, index, accessor, fault);
	if (gms_unlikely(err)) {
		(void)gms_leave_shared(s, index, 1, 0);
		return err == FAULT_MOVED ? err : gms_refused(s, err);
	}
	gms_trace_fault(&s->folios, index, accessor, fault->max_order);
	gms_count_add(&s->counters, accessor == GMS_HOST ? GMS_FAULTS_HOST : GMS_FAULTS_GUEST, 1);
	return 0;
}

int gms_fault_begin(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor,
		    struct gms_fault *fault) GMS_NO_TSA
{
	return fault_begin(s, index, NULL, accessor, fault);
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
		err = fault_begin(s, index, &gfn, accessor, fault);
	} while (err == FAULT_MOVED);
	return err;
}

void gms_fault_end(struct gms_state *s, struct gms_fault *fault) GMS_NO_TSA
{
	(void)gms_leave_shared(s, fault_priv(fault)->index, 1, 0);
}
