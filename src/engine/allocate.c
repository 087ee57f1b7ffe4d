// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * allocate.c - giving memory to pages, at a fault or ahead of it
 */
#include "core/core.h"

int gms_populate(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor, bool *fresh)
{
	const struct gms_ask ask = {
		.event = GMS_EV_ALLOCATE, .accessor = accessor, .cap = GMS_ORDER_1G};
	struct gms_folio folio;
	unsigned int above;
	int err;

	err = gms_frozen(s);
	if (err)
		return err;
	err = gms_folio_populate(&s->folios, index, fresh);
	if (err || !*fresh)
		return err;
	gms_event(s, index);
	folio = gms_folio_at(&s->folios, index);
	if (!folio.order || !gms_policy_minds(s, GMS_EV_ALLOCATE, accessor))
		return 0;
	err = gms_settle(s, &ask, index, &folio, &above);
	return err == GMS_BUSY ? 0 : err; /* put off to the next fault */
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
	for (; gms_rtree_next(s->folios.allocated, *at, end, &run);) {
		if (run.set) {
			*at += run.nr_pages;
		} else if (gms_folios_are_pages(&s->folios)) {
			err = gms_folios_populate_pages(&s->folios, *at, run.nr_pages, &nr);
			if (err)
				return err;
			gms_event(s, *at);
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

int gms_allocate(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	const gms_pgoff_t end = start + nr_pages;
	gms_pgoff_t at = start, next;
	int err;

	if (!gms_state_range_ok(s, start, nr_pages)) {
		err = gms_refused(s, -EINVAL);
		goto out;
	}
	do {
		const gms_pgoff_t first = at;

		next = gms_order_down(at, GMS_ORDER_1G) + gms_order_pages(GMS_ORDER_1G);
		if (next > end)
			next = end;
		err = gms_enter_shared(s, GMS_ENTER_RANGE, first, next - first);
		if (err) {
			gms_refused(s, err);
			break;
		}
		err = gms_populate_range(s, first, next, &at);
		gms_leave_shared(s, first, next - first, err);
		if (!err)
			at = next;
	} while (!err && at < end);
out:
	if (err && err_index)
		*err_index = at;
	return err;
}
