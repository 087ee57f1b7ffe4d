// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab.c - replays a log under one policy, on the simulated backend
 */
#include "lab.h"

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An access of the host whose pages are pinned. */
struct lab_pin {
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint64_t until_us;
};

/**
 * struct lab - one run
 * @used: pages that the guest uses
 * @split: numbers of the folios of the backing's order that were split at least once
 * @pins: a ring of LAB_MAX_PINS
 * @first_pin: position of the oldest pin in @pins
 * @nr_pins: number of pins in @pins
 * @nr_pinned: number of pages of all pins
 * @now_us: time of the current event; never goes back
 * @started_us: time of the first event
 * @maintained_us: time of the last gms_maintain()
 * @weighted: mapped pages times microseconds, by accessor and level
 */
struct lab {
	const struct lab_opts *opts;
	struct lab_result *result;
	struct gms_state *state;
	struct sim *sim;
	struct gms_rtree *used;
	struct gms_rtree *split;
	struct lab_pin *pins;
	size_t first_pin;
	size_t nr_pins;
	uint64_t nr_pinned;
	uint64_t now_us;
	uint64_t started_us;
	uint64_t maintained_us;
	double weighted[2][3];
};

static uint64_t lab_clock_ns(void *ctx)
{
	const struct lab *lab = ctx;
	uint64_t us = lab->now_us - lab->started_us;

	return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

static void lab_note_split(void *arg, const struct sim_call *call)
{
	struct lab *lab = arg;

	/* If there is no memory, nr_split becomes too low. That is no reason to fail the run. */
	if (call->hook == SIM_FOLIO_SPLIT && call->from == lab->opts->folio_order)
		gms_rtree_set(lab->split, call->start >> call->from, 1);
}

static void lab_unpin_oldest(struct lab *lab)
{
	struct lab_pin *pin = &lab->pins[lab->first_pin];

	gms_unpin(lab->state, pin->start, pin->nr_pages);
	lab->nr_pinned -= pin->nr_pages;
	lab->first_pin = (lab->first_pin + 1) % LAB_MAX_PINS;
	lab->nr_pins--;
}

/* Drops the pins that overlap a range. Goes once round the ring, and keeps its order. */
static void lab_unpin_range(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	size_t nr = lab->nr_pins;

	while (nr--) {
		struct lab_pin pin = lab->pins[lab->first_pin];

		if (pin.start < end && pin.start + pin.nr_pages > start) {
			lab_unpin_oldest(lab);
			continue;
		}
		lab->first_pin = (lab->first_pin + 1) % LAB_MAX_PINS;
		lab->pins[(lab->first_pin + lab->nr_pins - 1) % LAB_MAX_PINS] = pin;
	}
}

/*
 * Drops the pins that may have refused a call. Returns true if there were any, so that the call
 * may succeed now.
 */
static bool lab_unpin_blocking(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	const uint64_t had = lab->nr_pins;
	gms_pgoff_t end = start + nr_pages;

	if (lab->opts->pins_by_folio) {
		unsigned int first = gms_folio_order(lab->state, start);
		unsigned int last = gms_folio_order(lab->state, end - 1);

		start = gms_order_down(start, first);
		end = gms_order_up(end - 1, last);
	}
	lab_unpin_range(lab, start, end);
	lab->result->nr_pinned_retries++;
	return lab->nr_pins < had;
}

static int lab_guest_fault(struct lab *lab, gms_pgoff_t index)
{
	struct gms_fault fault;
	int ret;

	ret = gms_fault_begin(lab->state, index, GMS_GUEST, &fault);
	if (ret)
		return ret;
	if (!fault.prepared)
		ret = gms_fault_prepare(lab->state, &fault);
	if (!ret)
		ret = sim_map(lab->sim, index, fault.max_order, GMS_GUEST);
	gms_fault_end(lab->state, &fault);
	return ret;
}

/* Faults in the pages of a range that the guest uses and has not mapped. */
static int lab_touch_used(struct lab *lab, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run run;
	int ret = 0;

	for (gms_pgoff_t at = start; gms_rtree_next(lab->used, at, end, &run); at += run.nr_pages) {
		gms_pgoff_t page = run.start, run_end = run.start + run.nr_pages;

		if (!run.set)
			continue;
		while (sim_next_unmapped(lab->sim, GMS_GUEST, page, run_end, &page)) {
			ret = lab_guest_fault(lab, page);
			if (ret)
				return ret;
		}
	}
	return ret;
}

/*
 * Faults in the used pages that a change of a range may have unmapped: those of all folios that
 * the range touches.
 */
static int lab_touch_again(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	const unsigned int order = lab->opts->folio_order;

	return lab_touch_used(lab, gms_order_down(start, order),
			      gms_order_up(start + nr_pages - 1, order));
}

/* Lets the guest use a range from now on. */
static int lab_use(struct lab *lab, gms_pgoff_t start, uint64_t nr_pages)
{
	int ret = gms_rtree_set(lab->used, start, nr_pages);

	return ret ? ret : lab_touch_used(lab, start, start + nr_pages);
}

static int lab_convert(struct lab *lab, const struct event *event)
{
	const enum gms_shareability to = event_converts_to(event->op);
	int ret;

	do
		ret = gms_convert(lab->state, event->start, event->nr_pages, to, 0, NULL);
	while (ret == -EAGAIN && lab_unpin_blocking(lab, event->start, event->nr_pages));
	if (!ret && to == GMS_SHARED && event->nr_pages == lab->opts->nr_pages)
		ret = gms_rtree_clear(lab->used, event->start, event->nr_pages);
	if (!ret)
		ret = lab_touch_again(lab, event->start, event->nr_pages);
	return ret;
}

static int lab_punch(struct lab *lab, const struct event *event)
{
	int ret;

	do
		ret = gms_punch_hole(lab->state, event->start, event->nr_pages, NULL);
	while (ret == -EAGAIN && lab_unpin_blocking(lab, event->start, event->nr_pages));
	if (!ret)
		ret = gms_rtree_clear(lab->used, event->start, event->nr_pages);
	if (!ret)
		ret = lab_touch_again(lab, event->start, event->nr_pages);
	return ret;
}

static int lab_host_access(struct lab *lab, const struct event *event)
{
	gms_pgoff_t page = event->start, end = event->start + event->nr_pages;
	struct gms_fault fault;
	int ret;

	while (lab->nr_pins &&
	       (lab->nr_pins == LAB_MAX_PINS || lab->nr_pinned + event->nr_pages > LAB_MAX_PINNED))
		lab_unpin_oldest(lab);
	ret = gms_pin(lab->state, event->start, event->nr_pages, NULL);
	if (ret)
		return ret;
	lab->pins[(lab->first_pin + lab->nr_pins++) % LAB_MAX_PINS] = (struct lab_pin) {
		event->start, event->nr_pages,
		lab->now_us > UINT64_MAX - LAB_PIN_US ? UINT64_MAX : lab->now_us + LAB_PIN_US};
	lab->nr_pinned += event->nr_pages;
	while (!ret && sim_next_unmapped(lab->sim, GMS_HOST, page, end, &page)) {
		ret = gms_fault_begin(lab->state, page, GMS_HOST, &fault);
		if (ret)
			break;
		ret = sim_map(lab->sim, page, fault.max_order, GMS_HOST);
		gms_fault_end(lab->state, &fault);
	}
	/* A fault of the host may have split a folio that the guest had mapped as a whole. */
	return ret ? ret : lab_touch_again(lab, event->start, event->nr_pages);
}

/* Advances to the time of an event: weighs the mapped pages until then, and drops old pins. */
static void lab_advance(struct lab *lab, uint64_t time_us)
{
	struct sim_totals totals;
	double passed;

	if (time_us <= lab->now_us)
		return;
	sim_totals(lab->sim, &totals);
	passed = (double)(time_us - lab->now_us);
	for (int accessor = 0; accessor < 2; accessor++) {
		for (int level = 0; level < 3; level++)
			lab->weighted[accessor][level] +=
				passed * (double)totals.mapped_pages[accessor][level];
	}
	lab->now_us = time_us;
	while (lab->nr_pins && lab->pins[lab->first_pin].until_us <= time_us)
		lab_unpin_oldest(lab);
}

static int lab_maintain(struct lab *lab)
{
	if (lab->now_us - lab->maintained_us < LAB_MAINTAIN_US)
		return 0;
	lab->maintained_us = lab->now_us;
	if (!gms_maintain(lab->state, (lab->opts->nr_pages >> GMS_ORDER_1G) + 1))
		return 0;
	return lab_touch_used(lab, 0, lab->opts->nr_pages);
}

static bool lab_in_reach(const struct lab *lab, const struct event *event)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	bool dma = event->op == EVENT_HOST_READ || event->op == EVENT_HOST_WRITE;

	return event->start < nr_pages && event->nr_pages <= nr_pages - event->start &&
	       (!dma || event->nr_pages <= LAB_MAX_PINNED);
}

static int lab_apply(struct lab *lab, const struct event *event)
{
	int ret;

	switch (event->op) {
	case EVENT_TO_SHARED:
	case EVENT_TO_PRIVATE:
		return lab_convert(lab, event);
	case EVENT_ACCEPT:
		ret = lab_convert(lab, event);
		return ret ? ret : lab_use(lab, event->start, event->nr_pages);
	case EVENT_HOST_READ:
	case EVENT_HOST_WRITE:
		return lab_host_access(lab, event);
	case EVENT_GUEST_TOUCH:
		return lab_use(lab, event->start, event->nr_pages);
	case EVENT_FREE:
		if (lab->opts->punch)
			return lab_punch(lab, event);
		lab->result->nr_ignored++;
		break;
	}
	return 0;
}

static int lab_step(struct lab *lab, const struct event *event)
{
	int ret;

	lab_advance(lab, event->time_us);
	ret = lab_maintain(lab);
	if (ret)
		return ret;
	if (!event_is_conversion(event->op) && !lab_in_reach(lab, event)) {
		lab->result->nr_out_of_reach++;
		return 0;
	}
	ret = lab_apply(lab, event);
	if (ret == -ENOMEM)
		return ret;
	if (ret == -EACCES)
		lab->result->nr_denied++;
	else if (ret)
		lab->result->nr_refused++;
	return 0;
}

/* Applies all events. */
static int lab_replay(struct lab *lab, const struct log *log)
{
	int ret = 0;

	if (log->nr_events)
		lab->now_us = lab->started_us = lab->maintained_us = log->events[0].time_us;
	for (size_t i = 0; !ret && i < log->nr_events; i++) {
		ret = lab_step(lab, &log->events[i]);
		if (!ret && !i && log->format != LOG_CSV)
			ret = lab_use(lab, 0, lab->opts->nr_pages);
	}
	return ret;
}

static int lab_create(struct lab *lab)
{
	const struct lab_opts *opts = lab->opts;
	struct sim_opts sim_opts = {
		.nr_pages = opts->nr_pages,
		.folio_order = opts->folio_order,
		.init_private = opts->init_private,
		.arch = SIM_SNP,
		.flags = opts->pins_by_folio ? GMS_BACKEND_PINS_BY_FOLIO : 0,
	};
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	int ret;

	ret = sim_create(&sim_opts, &lab->sim);
	if (!ret)
		ret = gms_rtree_create(opts->nr_pages, GMS_RTREE_NONE, NULL, &lab->used);
	lab->result->nr_folios = opts->nr_pages >> opts->folio_order;
	if (!ret)
		ret = gms_rtree_create((opts->nr_pages >> opts->folio_order) + 1, GMS_RTREE_NONE,
				       NULL, &lab->split);
	lab->pins = calloc(LAB_MAX_PINS, sizeof(*lab->pins));
	if (!ret && !lab->pins)
		ret = -ENOMEM;
	if (ret)
		return ret;
	sim_on_call(lab->sim, lab_note_split, lab);
	state_opts.nr_pages = opts->nr_pages;
	state_opts.folio_order = opts->folio_order;
	state_opts.flags = opts->init_private ? GMS_INIT_PRIVATE : 0;
	state_opts.policy = opts->policy;
	state_opts.backend = sim_ops(lab->sim);
	state_opts.backend_ctx = lab->sim;
	state_opts.clock_ns = lab_clock_ns;
	state_opts.clock_ctx = lab;
	return gms_state_create(&state_opts, &lab->state);
}

static void lab_finish(struct lab *lab)
{
	struct lab_result *result = lab->result;
	const double passed = (double)(lab->now_us - lab->started_us);
	const char *broken = sim_check(lab->sim);

	result->stats.struct_size = sizeof(result->stats);
	gms_stats_read(lab->state, &result->stats);
	sim_totals(lab->sim, &result->totals);
	result->nr_split = gms_rtree_count(lab->split, 0, result->nr_folios);
	for (int accessor = 0; accessor < 2; accessor++) {
		for (int level = 0; level < 3; level++)
			result->average_pages[accessor][level] =
				passed > 0 ? lab->weighted[accessor][level] / passed
					   : (double)result->totals.mapped_pages[accessor][level];
	}
	if (broken)
		snprintf(result->broken, sizeof(result->broken), "%s", broken);
}

int lab_run(struct lab_result *result, const struct log *log, const struct lab_opts *opts)
{
	struct lab lab = {.opts = opts, .result = result};
	int ret;

	memset(result, 0, sizeof(*result));
	ret = lab_create(&lab);
	if (!ret)
		ret = lab_replay(&lab, log);
	if (!ret)
		lab_finish(&lab);
	while (lab.state && lab.nr_pins)
		lab_unpin_oldest(&lab);
	gms_state_destroy(lab.state);
	sim_destroy(lab.sim);
	gms_rtree_destroy(lab.used);
	gms_rtree_destroy(lab.split);
	free(lab.pins);
	return ret;
}
