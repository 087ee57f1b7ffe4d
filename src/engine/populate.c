// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * populate.c - allocating folios: see populate.h
 */
#include "populate.h"

#include "core/entry.h"
#include "core/history.h"

/* Splits what has just been allocated in a place as the policy decides. */
static int populate_split(struct gms_state *s, struct gms_folio place, enum gms_accessor accessor)
	GMS_REQUIRES_SHARED(gms_invalidate_lock)
{
	const struct gms_policy_query query = {
		.event = GMS_EV_ALLOCATE, .accessor = accessor, .cap = GMS_ORDER_1G};
	struct gms_ranges ranges;
	bool merge = false;

	if (!place.order || !gms_policy_wants(s, GMS_EV_ALLOCATE, accessor))
		return 0;
	gms_ranges_one(&ranges, place.index, gms_folio_end(place));
	return gms_restructure_split_ranges(s, &query, &ranges, &merge, &place.index);
}

int gms_populate(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor, bool *fresh)
{
	/* What is not allocated yet is not split either, so this is what will be allocated. */
	const struct gms_folio place = gms_folio_at(&s->folios, index);
	int err;

	err = gms_check_frozen(s);
	if (err)
		return err;
	err = gms_folio_populate(&s->folios, index, fresh);
	if (err || !*fresh)
		return err;
	gms_history_tick(s, index);
	return populate_split(s, place, accessor);
}

int gms_populate_range(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
{
	struct gms_rtree_run run;
	uint64_t nr;
	bool fresh;
	int err;

	*at = start;
	if (gms_likely(gms_rtree_fill_range(s->folios.allocated, start, end - start) ==
		       GMS_RTREE_ALL))
		return 0;
	while (gms_rtree_next(s->folios.allocated, *at, end, &run)) {
		gms_cond_resched();
		if (run.set) {
			*at += run.nr_pages;
		} else if (gms_folios_are_pages(&s->folios)) {
			err = gms_folios_populate_pages(&s->folios, *at, run.nr_pages, &nr);
			if (err)
				return err;
			gms_history_tick(s, *at);
			*at += run.nr_pages;
		} else {
			err = gms_populate(s, *at, GMS_HOST, &fresh);
			if (err)
				return err;
			*at = gms_folio_end(gms_folio_at(&s->folios, *at));
		}
	}
	return 0;
}
