// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_touch.c - faults of the guest and of the host: see lab.h
 */
#include "lab_priv.h"

#include <errno.h>
#include <stdlib.h>

/* Begins a fault, and notes how long it splits. */
static int touch_begin(struct lab *lab, gms_pgoff_t index, enum gms_accessor accessor,
		       struct gms_fault *fault)
{
	const double before = lab_exclusive(lab);
	double stall;
	int ret = lab_spend(lab, 1);

	if (!ret)
		ret = gms_fault_begin(lab->state, index, accessor, fault);
	stall = lab_exclusive(lab) - before;
	if (stall > lab->result->stall_fault)
		lab->result->stall_fault = stall;
	return ret;
}

/*
 * Faults in what follows a page that a fault has mapped by 4K, at once: the library and the policy
 * answer those faults as they answered that one, because the view of a policy is that of the 2M
 * block and of the folio. A step is a 2M block here. (A split of 1G to 4K is followed by a quarter
 * of a million faults.)
 */
static int touch_like(struct lab *lab, gms_pgoff_t index, gms_pgoff_t end,
		      enum gms_accessor accessor)
{
	uint64_t nr_pages;
	int ret = sim_map_like(lab->sim, index, end, accessor, &nr_pages);

	lab->like_faults[accessor == GMS_GUEST ? LAB_GUEST : LAB_HOST] += nr_pages;
	return ret ? ret : lab_spend(lab, nr_pages >> GMS_ORDER_2M);
}

/* ---- the guest ---- */

static int touch_guest_fault(struct lab *lab, gms_pgoff_t index, gms_pgoff_t end)
{
	struct gms_fault fault;
	int ret = touch_begin(lab, index, GMS_GUEST, &fault);

	if (ret)
		return ret;
	if (!fault.prepared)
		ret = gms_fault_prepare(lab->state, &fault);
	if (!ret)
		ret = sim_map(lab->sim, index, fault.max_order, GMS_GUEST);
	gms_fault_end(lab->state, &fault);
	return ret || fault.max_order ? ret : touch_like(lab, index, end, GMS_GUEST);
}

int lab_guest_touch(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	int ret = 0;

	while (!ret && sim_next_unmapped(lab->sim, GMS_GUEST, start, end, &start))
		ret = touch_guest_fault(lab, start, end);
	return ret;
}

/* Faults in the pages of a range that the guest uses and has not mapped, of one shareability. */
static int touch_used_run(struct lab *lab, const struct gms_run *run)
{
	const gms_pgoff_t end = run->start + run->nr_pages;
	struct gms_rtree_run used;
	int ret = 0;

	if (run->shareability == GMS_SHARED && !lab->opts->guest_all)
		return 0;
	for (gms_pgoff_t at = run->start; !ret && gms_rtree_next(lab->used, at, end, &used);
	     at += used.nr_pages) {
		if (used.set)
			ret = lab_guest_touch(lab, used.start, used.start + used.nr_pages);
	}
	return ret;
}

/* Lets the guest touch again what it uses of a range. */
static int touch_again(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_iter iter;
	struct gms_run run;
	int ret = 0;

	gms_iter_init(&iter, lab->state, start, nr_pages);
	while (!ret && gms_iter_next(&iter, &run))
		ret = touch_used_run(lab, &run);
	return ret;
}

int lab_use(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	int ret = gms_rtree_set(lab->used, start, nr_pages);

	if (!ret)
		ret = lab_guest_touch(lab, start, start + nr_pages);
	return ret ? ret : lab_changed(lab, start, nr_pages);
}

/* ---- what has changed ---- */

/* Notes that the guest may lose its mappings of a range. */
static void touch_note_change(struct lab_changed *c, gms_pgoff_t start, gms_pgoff_t end)
{
	if (c->nr == c->capacity) {
		const size_t capacity = c->capacity ? c->capacity * 2 : 64;
		struct lab_range *list = reallocarray(c->list, capacity, sizeof(*list));

		if (!list) {
			c->lost = true;
			return;
		}
		c->list = list;
		c->capacity = capacity;
	}
	c->list[c->nr++] = (struct lab_range) {start, end - start};
}

void lab_note_call(void *arg, const struct sim_call *call)
{
	gms_pgoff_t start = call->start, end = start + call->nr_pages;
	struct lab *lab = arg;

	switch (call->hook) {
	case SIM_FOLIO_SPLIT:
		if (call->from == lab->opts->folio_order &&
		    gms_rtree_set(lab->split, start >> call->from, 1))
			lab->changed.lost = true;
		break;
	case SIM_FOLIO_MERGE:
		lab_note_merge(lab, start);
		break;
	case SIM_ZAP_GUEST:
		/* A zap removes the whole of a mapping of which it covers a part. */
		start = gms_order_down(start, sim_mapped_order(lab->sim, GMS_GUEST, start));
		end = gms_order_up(end - 1, sim_mapped_order(lab->sim, GMS_GUEST, end - 1));
		break;
	default:
		return;
	}
	touch_note_change(&lab->changed, start, end);
}

int lab_changed(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	struct lab_changed *c = &lab->changed;
	int ret = c->lost ? -ENOMEM : 0;

	/* The faults below may split, and so make the list longer. */
	for (size_t i = 0; !ret && i < c->nr; i++) {
		const struct lab_range range = c->list[i];

		ret = touch_again(lab, range.start, range.nr_pages);
		lab_rent_update(lab, range.start, range.start + range.nr_pages);
	}
	c->nr = 0;
	lab_rent_update(lab, start, start + nr_pages);
	return ret;
}

/* ---- the host ---- */

static int touch_host_fault(struct lab *lab, gms_pgoff_t index, gms_pgoff_t end)
{
	const uint64_t put_off = lab_pins_put_off(lab);
	struct gms_fault fault;
	int ret = touch_begin(lab, index, GMS_HOST, &fault);

	if (ret)
		return ret;
	ret = sim_map(lab->sim, index, fault.max_order, GMS_HOST);
	gms_fault_end(lab->state, &fault);
	lab_pins_note_put_off(lab, index, 1, put_off);
	return ret || fault.max_order ? ret : touch_like(lab, index, end, GMS_HOST);
}

int lab_host_touch(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages, bool pin)
{
	const gms_pgoff_t end = start + nr_pages;
	int ret = 0;

	for (gms_pgoff_t at = start; !ret && sim_next_unmapped(lab->sim, GMS_HOST, at, end, &at);)
		ret = touch_host_fault(lab, at, end);
	if (!ret && pin)
		ret = lab_pins_add(lab, start, nr_pages);
	return ret;
}
