// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_rent.c - how large the mappings of the guest could be, and what that costs: see lab.h
 *
 * Only private pages that the guest uses count. A 2M entry can map a 2M block if its folio has 2M
 * or more, all of it is private, and its RMP entry is whole. A 1G entry can map a 1G block if its
 * folio has 1G, all of it is private, and all of its RMP entries are whole.
 *
 * Invariant: after lab_rent_update() of every range that changed, the sums are those of a recount.
 * Cost: a few queries for each 2M block that changed, and for each 1G block with such a block.
 */
#include "lab_priv.h"

#include <errno.h>
#include <stdlib.h>

int lab_rent_init(struct lab *lab)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	const uint64_t nr_2m = (nr_pages >> GMS_ORDER_2M) + 1;

	lab->rent.used = calloc(nr_2m, sizeof(*lab->rent.used));
	lab->rent.used_1g = calloc((nr_pages >> GMS_ORDER_1G) + 1, sizeof(*lab->rent.used_1g));
	if (!lab->rent.used || !lab->rent.used_1g)
		return -ENOMEM;
	return gms_rtree_create(nr_2m, GMS_RTREE_NONE, NULL, &lab->rent.broken);
}

/* Counts the pages of a block that the guest uses and that are private. */
static uint64_t rent_count_used(const struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;
	uint64_t nr = 0;

	if (gms_summary(lab->state, start, GMS_ORDER_2M) == GMS_ALL_SHARED)
		return 0;
	for (gms_pgoff_t at = start; gms_rtree_next(lab->used, at, end, &run); at += run.nr_pages) {
		if (run.set)
			nr += gms_count(lab->state, run.start, run.nr_pages, GMS_PRIVATE);
	}
	return nr;
}

static void rent_update_2m(struct lab *lab, gms_pgoff_t start)
{
	const gms_pgoff_t end = gms_order_cut(start, GMS_ORDER_2M, lab->opts->nr_pages);
	const uint64_t nr = start >> GMS_ORDER_2M;
	struct lab_rent *rent = &lab->rent;
	const uint16_t old = rent->used[nr];
	uint16_t now = (uint16_t)rent_count_used(lab, start, end);

	if (gms_folio_order(lab->state, start) < GMS_ORDER_2M ||
	    gms_summary(lab->state, start, GMS_ORDER_2M) != GMS_ALL_PRIVATE ||
	    gms_rtree_test(rent->broken, nr))
		now |= LAB_RENT_SMALL;
	rent->pages_4k += now & LAB_RENT_SMALL ? now & ~LAB_RENT_SMALL : 0U;
	rent->pages_4k -= old & LAB_RENT_SMALL ? old & ~LAB_RENT_SMALL : 0U;
	rent->used[nr] = now;
	rent->used_1g[start >> GMS_ORDER_1G] +=
		(uint32_t)(now & ~LAB_RENT_SMALL) - (uint32_t)(old & ~LAB_RENT_SMALL);
}

static bool rent_is_whole_1g(const struct lab *lab, gms_pgoff_t start)
{
	return gms_folio_order(lab->state, start) == GMS_ORDER_1G &&
	       gms_summary(lab->state, start, GMS_ORDER_1G) == GMS_ALL_PRIVATE &&
	       gms_rtree_fill_range(lab->rent.broken, start >> GMS_ORDER_2M,
				    gms_order_pages(GMS_ORDER_1G - GMS_ORDER_2M)) == GMS_RTREE_NONE;
}

void lab_rent_update(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	struct lab_rent *rent = &lab->rent;

	gms_for_each_1g(at, next, start, end) {
		uint32_t *used = &rent->used_1g[at >> GMS_ORDER_1G];

		rent->pages_2m -= *used & LAB_RENT_WHOLE ? 0 : *used;
		*used &= ~LAB_RENT_WHOLE;
		for (gms_pgoff_t block = gms_order_down(at, GMS_ORDER_2M); block < next;
		     block += gms_order_pages(GMS_ORDER_2M))
			rent_update_2m(lab, block);
		if (rent_is_whole_1g(lab, gms_order_down(at, GMS_ORDER_1G)))
			*used |= LAB_RENT_WHOLE;
		rent->pages_2m += *used & LAB_RENT_WHOLE ? 0 : *used;
	}
}

int lab_rent_break(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	const gms_pgoff_t end = start + nr_pages;
	const gms_pgoff_t ends[2] = {start, end};
	const gms_pgoff_t from =
		gms_order_is_start(start, GMS_ORDER_2M) ? start : gms_order_up(start, GMS_ORDER_2M);
	const gms_pgoff_t to = gms_order_down(end, GMS_ORDER_2M);
	int ret = 0;

	for (int i = 0; !ret && i < 2; i++) {
		const gms_pgoff_t block = gms_order_down(ends[i], GMS_ORDER_2M);
		const gms_pgoff_t last = gms_order_cut(block, GMS_ORDER_2M, lab->opts->nr_pages);

		if (ends[i] == block || ends[i] == last)
			continue;
		ret = gms_rtree_set(lab->rent.broken, block >> GMS_ORDER_2M, 1);
		if (!ret)
			ret = gms_inhibit(lab->state, block, last - block, GMS_ORDER_4K);
	}
	if (!ret && from < to) {
		ret = gms_rtree_clear(lab->rent.broken, from >> GMS_ORDER_2M,
				      (to - from) >> GMS_ORDER_2M);
		if (!ret)
			ret = gms_uninhibit(lab->state, from, to - from);
	}
	return ret;
}

void lab_rent_rate(const struct lab *lab, double *rate)
{
	const struct costs_item *item = lab->opts->costs->item;

	rate[0] = (double)lab->rent.pages_4k / 512 * item[COSTS_RENT_2M].value;
	rate[1] = (double)lab->rent.pages_2m / (512 * 512) * item[COSTS_RENT_1G].value;
}

void lab_rent_fini(struct lab *lab)
{
	free(lab->rent.used);
	free(lab->rent.used_1g);
	gms_rtree_destroy(lab->rent.broken);
}
