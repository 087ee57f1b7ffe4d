// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inhibit.c - inhibiting large mappings of the guest
 *
 * The first tree of inhibits has the pages that are limited to 4K. The second one has these, too,
 * and the pages that are limited to 2M.
 */
#include "core/entry.h"
#include "limit.h"
#include "pageset.h"

/* Sets or clears a range in the trees from number @first on. */
static int inhibit_store(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			 unsigned int first, bool set)
{
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	if (set) /* first, because faults look at the trees only if this is true */
		gms_store_relaxed(&s->inhibited, true);
	err = gms_pageset_store(s, &s->inhibit[first], GMS_NR_INHIBITS - first, start,
				start + nr_pages, set, set);
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

int gms_inhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, unsigned int order)
{
	if (order != GMS_ORDER_4K && order != GMS_ORDER_2M)
		return gms_refused(s, gms_because(-EINVAL, "the order is neither 0 nor 9"));
	return inhibit_store(s, start, nr_pages, gms_limit_first_inhibit(order), true);
}

int gms_uninhibit(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	return inhibit_store(s, start, nr_pages, 0, false);
}
