/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * restructure.h - splitting and merging folios as the policy decides
 *
 * A policy query is one call of the policy about one folio. A folio is split step by step, and the
 * policy is queried again after each step, about the folio that is at the index then. One step
 * splits a 1G to 2M, or a 2M to 4K. If the verdict is 4K for all of a 1G (verdict.uniform), one
 * step splits the 1G to 4K.
 *
 * A pin keeps a folio from being split. Such a split is deferred: it is left to the next fault,
 * and counted, unless the object is frozen.
 */
#ifndef GMS_CORE_RESTRUCTURE_H
#define GMS_CORE_RESTRUCTURE_H

#include "ranges.h"

/**
 * struct gms_policy_query - what the policy is queried about
 * @event: why the policy is queried
 * @accessor: at GMS_EV_FAULT and GMS_EV_ALLOCATE the side that faults
 * @start: at GMS_EV_CONVERT, before the commit, the first page of the range that is converted. At
 *         all other times @start equals @end: the trees have the state after the event
 * @end: the first page behind that range
 * @to: at GMS_EV_CONVERT what the range is converted to
 * @cap: at GMS_EV_PUNCH the largest order that the folio at the index may keep; else 18
 * @journal: where splits are noted, so that they can be undone; NULL: they stay
 * @look: at GMS_EV_FAULT what gms_rtree_look() of the private pages says at the index, if the
 *        caller has called it; else NULL
 */
struct gms_policy_query {
	enum gms_event event;
	enum gms_accessor accessor;
	gms_pgoff_t start, end;
	enum gms_shareability to;
	unsigned int cap;
	struct gms_block **journal;
	const struct gms_rtree_look *look;
};

/* Returns true if the policy decides about an event. @accessor counts at GMS_EV_FAULT only. */
static inline bool gms_policy_wants(const struct gms_state *s, enum gms_event event,
				    enum gms_accessor accessor)
{
	const unsigned int events = s->policy.events;

	return !events ||
	       ((events >> event & 1) && !(event == GMS_EV_FAULT && accessor == GMS_GUEST &&
					   (events & GMS_POLICY_HOST_FAULTS)));
}

/*
 * Splits the folio at an index until the policy wants it no smaller. The caller sets *folio to the
 * folio at the index; afterwards it is the folio that is there then. *above is the order that the
 * policy wants, if that is above the order of the folio, else 0. Returns 0; GMS_BUSY: the split is
 * deferred; -EPERM: frozen; or the backend's error.
 */
int gms_restructure_split(struct gms_state *s, const struct gms_policy_query *query,
			  gms_pgoff_t index, struct gms_folio *folio, unsigned int *above)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/*
 * Splits the folio at an index as the policy decides, for a fault or an allocation. *folio is the
 * folio that is there afterwards. Returns 0, also if the split is deferred; -EPERM: frozen; or the
 * backend's error.
 */
static inline int gms_restructure_fault(struct gms_state *s, const struct gms_policy_query *query,
					gms_pgoff_t index, struct gms_folio *folio)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	unsigned int above;
	int err = 0;

	*folio = gms_folio_at(&s->folios, index);
	if (folio->order && gms_policy_wants(s, query->event, query->accessor))
		err = gms_restructure_split(s, query, index, folio, &above);
	return err == GMS_BUSY ? 0 : err;
}

/*
 * Splits the folios in the ranges as the policy decides. Queries the policy about each folio of
 * order 9 or 18, and once for all folios of order 0 in a 2M block. Sets *merge if the policy wants
 * one of them larger. Returns 0, also if a split is deferred; or the backend's error, and in *at
 * the first page of the ranges in the folio that it did not split.
 */
int gms_restructure_split_ranges(struct gms_state *s, const struct gms_policy_query *query,
				 const struct gms_ranges *ranges, bool *merge, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/*
 * Merges the folios in the ranges that the policy wants larger, as far as they can be merged.
 * Returns the number of merges.
 */
uint64_t gms_restructure_merge_ranges(struct gms_state *s, const struct gms_policy_query *query,
				      const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

#endif /* GMS_CORE_RESTRUCTURE_H */
