/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * restructure.h - splitting and merging folios as the policy decides
 *
 * A policy query is one call of the policy about one folio. A split is one step, after which the
 * policy is queried about the folio that is at the index then: 1G goes to 2M first, and the 2M at
 * the index to 4K if need be. Only a split of all of a 1G to 4K (verdict.uniform) is one step.
 *
 * A pin keeps a folio from being split. Where a function here says "deferred", such a split is
 * counted and left to the next fault.
 */
#ifndef GMS_CORE_RESTRUCTURE_H
#define GMS_CORE_RESTRUCTURE_H

#include "ranges.h"

/**
 * struct gms_policy_query - what the policy is queried about
 * @event: what happens
 * @accessor: GMS_EV_FAULT and GMS_EV_ALLOCATE: which side faults
 * @start: GMS_EV_CONVERT before the commit: the range that is converted; else empty
 * @end: the end of that range
 * @to: GMS_EV_CONVERT: what the range is converted to
 * @cap: GMS_EV_PUNCH: the largest order that the folio at the index may have; else 18
 * @journal: where splits are noted, so that they can be undone; NULL: they stay
 * @look: GMS_EV_FAULT: the page and its blocks, where the caller knows them; else NULL
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

/* Returns true if the policy decides about an event. */
static inline bool gms_policy_wants(const struct gms_state *s, enum gms_event event,
				    enum gms_accessor accessor)
{
	const unsigned int events = s->policy.events;

	return !events ||
	       ((events >> event & 1) && !(event == GMS_EV_FAULT && accessor == GMS_GUEST &&
					   (events & GMS_POLICY_HOST_FAULTS)));
}

/*
 * Splits the folio at an index until the policy wants it no smaller. *folio is what gms_folio_at()
 * says before, and what it says afterwards. *above is the order that the policy wants, if that is
 * larger than the folio's, else 0. Returns 0; GMS_BUSY: deferred; the backend's error.
 */
int gms_restructure_split(struct gms_state *s, const struct gms_policy_query *query,
			  gms_pgoff_t index, struct gms_folio *folio, unsigned int *above)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/*
 * Splits the folio at an index for a fault or an allocation, if the policy decides about those.
 * *folio is what is there afterwards. Returns 0, also where the split is deferred; or the
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
 * Splits the folios in the ranges. The policy is queried about each folio of order 9 or 18, and
 * once about the folios of order 0 in a 2M block. *merge is set if it wants any of them larger.
 * Returns 0, also where a split is deferred; or the backend's error.
 */
int gms_restructure_split_ranges(struct gms_state *s, const struct gms_policy_query *query,
				 const struct gms_ranges *ranges, bool *merge)
	GMS_REQUIRES(gms_invalidate_lock);

/* Merges the folios in the ranges that the policy wants larger. Returns how many it merged. */
uint64_t gms_restructure_merge_ranges(struct gms_state *s, const struct gms_policy_query *query,
				      const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_invalidate_lock);

#endif /* GMS_CORE_RESTRUCTURE_H */
