// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab.c - replays a log under one policy: the events, one by one
 */
#include "lab_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long the time behind the log is, in multiples of what adaptive waits at most. */
#define LAB_SETTLE_WAITS 12
#define LAB_SETTLE_MIN_US 1000000ULL
#define LAB_SETTLE_MAX_US 1000000000000ULL

/* How many events there are between two calls of lab_opts.progress. */
#define LAB_PROGRESS_EVENTS 1024

static uint64_t lab_clock_ns(void *ctx)
{
	const struct lab *lab = ctx;
	const uint64_t us = lab->now_us - lab->started_us;

	return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

int lab_spend(struct lab *lab, uint64_t nr)
{
	if (nr > lab->steps)
		return -E2BIG;
	lab->steps -= nr;
	return 0;
}

double lab_exclusive(const struct lab *lab)
{
	const enum costs_id apply = COSTS_APPLY + lab->opts->arch;
	struct lab_sum sum;

	lab_add_up(lab, &sum);
	return sum.part[COSTS_SPLIT_1G] + sum.part[COSTS_SPLIT_2M] + sum.part[COSTS_MERGE_1G] +
	       sum.part[COSTS_MERGE_2M] + sum.part[COSTS_ZAP] + sum.part[COSTS_CONVERT] +
	       sum.part[apply];
}

/* ---- events ---- */

/*
 * Converts, or with @punch frees, and waits for the pins that are in the way. Notes how long the
 * exclusive part is, if the guest has used the memory before.
 */
static int lab_change(struct lab *lab, const struct event *event, enum gms_shareability to,
		      bool punch)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	const unsigned int order = lab->opts->folio_order;
	const gms_pgoff_t start = gms_order_down(event->start, order);
	const gms_pgoff_t end = gms_order_cut(event->start + event->nr_pages - 1, order, nr_pages);
	const bool in_use = start < end &&
			    gms_rtree_fill_range(lab->used, start, end - start) != GMS_RTREE_NONE;
	double before;
	int ret;

	do {
		before = lab_exclusive(lab);
		if (punch)
			ret = gms_punch_hole(lab->state, event->start, event->nr_pages, NULL);
		else
			ret = gms_convert(lab->state, event->start, event->nr_pages, to, 0, NULL);
	} while (ret == -EAGAIN && lab_pins_wait(lab, event->start, event->nr_pages));
	if (!ret && in_use && lab_exclusive(lab) - before > lab->result->stall_convert)
		lab->result->stall_convert = lab_exclusive(lab) - before;
	return ret;
}

static int lab_convert(struct lab *lab, const struct event *event)
{
	const enum gms_shareability to = event_converts_to(event->op);
	const gms_pgoff_t start = event->start;
	const uint64_t put_off = lab_pins_put_off(lab);
	int ret = lab_change(lab, event, to, false);

	if (!ret)
		lab_pins_note_put_off(lab, start, event->nr_pages, put_off);
	if (!ret && lab->opts->rmp_sticky)
		ret = lab_rent_break(lab, start, event->nr_pages);
	if (!ret && to == GMS_SHARED && event->nr_pages == lab->opts->nr_pages)
		ret = gms_rtree_clear(lab->used, start, event->nr_pages);
	if (!ret && to == GMS_SHARED && lab->opts->host_all)
		ret = lab_host_touch(lab, start, event->nr_pages, false);
	if (!ret && event->op == EVENT_ACCEPT)
		return lab_use(lab, start, event->nr_pages);
	return ret ? ret : lab_changed(lab, start, event->nr_pages);
}

static int lab_punch(struct lab *lab, const struct event *event)
{
	int ret = lab_change(lab, event, GMS_SHARED, true);

	if (!ret)
		ret = gms_rtree_clear(lab->used, event->start, event->nr_pages);
	return ret ? ret : lab_changed(lab, event->start, event->nr_pages);
}

static int lab_host_access(struct lab *lab, const struct event *event)
{
	int ret = lab_host_touch(lab, event->start, event->nr_pages, true);

	return ret ? ret : lab_use(lab, event->start, event->nr_pages);
}

static bool lab_in_reach(const struct lab *lab, const struct event *event)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	const bool dma = event->op == EVENT_HOST_READ || event->op == EVENT_HOST_WRITE;

	return event->start < nr_pages && event->nr_pages <= nr_pages - event->start &&
	       (!dma || event->nr_pages <= LAB_MAX_PINNED);
}

static int lab_apply(struct lab *lab, const struct event *event)
{
	switch (event->op) {
	case EVENT_TO_SHARED:
	case EVENT_TO_PRIVATE:
	case EVENT_ACCEPT:
		return lab_convert(lab, event);
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

static const char *lab_reason(const struct lab *lab, const struct event *event, int error)
{
	const uint64_t nr_pages = lab->opts->nr_pages;

	if (event->start >= nr_pages || event->nr_pages > nr_pages - event->start)
		return "the range ends past the object";
	return error == -EAGAIN ? "a pin is in the way" : "the library refuses it";
}

static int lab_step(struct lab *lab, const struct event *event)
{
	struct lab_result *result = lab->result;
	int ret;

	result->last_line = event->line;
	/* An event may split every 1G to 2M, so it takes no fewer steps with folios of 1G. */
	ret = lab_spend(lab, (event->nr_pages >> (lab->opts->folio_order ? GMS_ORDER_2M : 0)) + 1);
	if (!ret && event->time_us > lab->now_us)
		ret = lab_pass_until(lab, event->time_us);
	if (ret)
		return ret;
	if (!event_is_conversion(event->op) && !lab_in_reach(lab, event)) {
		result->nr_out_of_reach++;
		return 0;
	}
	ret = lab_apply(lab, event);
	if (ret == -ENOMEM || ret == -E2BIG)
		return ret;
	if (ret == -EACCES)
		result->nr_denied++;
	else if (ret)
		return log_refuse(
			&result->refused,
			&(struct log_refusal) {event->line, lab_reason(lab, event, ret), false});
	return 0;
}

/* Lets the guest use all RAM. */
static int lab_use_ram(struct lab *lab)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	struct gms_rtree_run run;
	int ret;

	/* There is a fault in each folio at least. If there are too many, the run ends here. */
	ret = lab_spend(lab, gms_rtree_count(lab->ram, 0, nr_pages) >> lab->opts->folio_order);
	for (gms_pgoff_t at = 0; !ret && gms_rtree_next(lab->ram, at, nr_pages, &run);
	     at += run.nr_pages) {
		if (run.set)
			ret = lab_use(lab, run.start, run.nr_pages);
	}
	return ret;
}

/* Applies all events. */
static int lab_replay(struct lab *lab, const struct log *log)
{
	const struct lab_opts *opts = lab->opts;
	int ret = 0;

	if (log->nr_events)
		lab->now_us = lab->started_us = lab->maintained_us = log->events[0].time_us;
	for (size_t i = 0; !ret && i < log->nr_events; i++) {
		if (opts->progress && i % LAB_PROGRESS_EVENTS == 0)
			opts->progress(opts->progress_arg, i);
		ret = lab_step(lab, &log->events[i]);
		if (!ret && !i && opts->guest_all)
			ret = lab_use_ram(lab);
	}
	return ret;
}

/* ---- the run ---- */

static int lab_create_trees(struct lab *lab)
{
	const struct lab_opts *opts = lab->opts;
	const uint64_t nr_pages = opts->nr_pages;
	int ret;

	ret = gms_rtree_create(nr_pages, opts->nr_ram ? GMS_RTREE_NONE : GMS_RTREE_ALL, NULL,
			       &lab->ram);
	for (unsigned int i = 0; !ret && i < opts->nr_ram; i++)
		ret = gms_rtree_set(lab->ram, opts->ram[i].start,
				    opts->ram[i].end - opts->ram[i].start);
	if (!ret)
		ret = gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &lab->used);
	if (!ret)
		ret = gms_rtree_create(((nr_pages - 1) >> opts->folio_order) + 1, GMS_RTREE_NONE,
				       NULL, &lab->split);
	if (!ret)
		ret = gms_rtree_create((nr_pages >> GMS_ORDER_2M) + 1, GMS_RTREE_NONE, NULL,
				       &lab->put_off);
	return ret;
}

/* Returns how long adaptive is told that a rent takes to cost as much as a merge and a split. */
static uint64_t lab_wait_ns(const struct lab_opts *opts, unsigned int order)
{
	const uint64_t ns = costs_wait_ns(opts->costs, order);

	if (opts->told <= 0 || ns == UINT64_MAX)
		return ns;
	return (double)ns / opts->told < 1 ? 1 : (uint64_t)((double)ns / opts->told);
}

static int lab_create(struct lab *lab)
{
	const struct lab_opts *opts = lab->opts;
	struct sim_opts sim_opts = {
		.nr_pages = opts->nr_pages,
		.folio_order = opts->folio_order,
		.init_private = opts->init_private,
		.flags = opts->pins_by_folio ? GMS_BACKEND_PINS_BY_FOLIO : 0,
	};
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	int ret;

	ret = sim_create(&sim_opts, &lab->sim);
	if (!ret)
		ret = lab_create_trees(lab);
	if (!ret)
		ret = lab_pins_init(lab);
	if (!ret)
		ret = lab_rent_init(lab);
	if (ret)
		return ret;
	sim_on_call(lab->sim, lab_note_call, lab);
	state_opts.nr_pages = opts->nr_pages;
	state_opts.folio_order = opts->folio_order;
	state_opts.flags = opts->init_private ? GMS_INIT_PRIVATE : 0;
	state_opts.policy = opts->policy;
	state_opts.backend = sim_ops(lab->sim);
	state_opts.backend_ctx = lab->sim;
	state_opts.clock_ns = lab_clock_ns;
	state_opts.clock_ctx = lab;
	state_opts.merge_wait_2m = lab_wait_ns(opts, GMS_ORDER_2M);
	state_opts.merge_wait_1g = lab_wait_ns(opts, GMS_ORDER_1G);
	return gms_state_create(&state_opts, &lab->state);
}

/* Counts the complete folios of the backing's order in RAM. */
static uint64_t lab_count_folios(const struct lab *lab)
{
	const uint64_t nr_pages = lab->opts->nr_pages;
	const unsigned int order = lab->opts->folio_order;
	struct gms_rtree_run run;
	uint64_t nr = 0;

	for (gms_pgoff_t at = 0; gms_rtree_next(lab->ram, at, nr_pages, &run); at += run.nr_pages) {
		const gms_pgoff_t first = (run.start + gms_order_pages(order) - 1) >> order;
		const gms_pgoff_t end = (run.start + run.nr_pages) >> order;

		nr += run.set && first < end ? end - first : 0;
	}
	return nr;
}

/* Stores what there is by the last event. */
static void lab_finish(struct lab *lab)
{
	struct lab_result *result = lab->result;
	const double passed = (double)(lab->now_us - lab->started_us);

	result->stats.struct_size = sizeof(result->stats);
	gms_stats_read(lab->state, &result->stats);
	result->stats.faults_guest += lab->like_faults[LAB_GUEST];
	result->stats.faults_host += lab->like_faults[LAB_HOST];
	sim_totals(lab->sim, &result->totals);
	result->nr_folios = lab_count_folios(lab);
	result->nr_split = gms_rtree_count(
		lab->split, 0, ((lab->opts->nr_pages - 1) >> lab->opts->folio_order) + 1);
	result->nr_put_off =
		gms_rtree_count(lab->put_off, 0, (lab->opts->nr_pages >> GMS_ORDER_2M) + 1);
	lab_add_up(lab, &result->at_end);
	for (int accessor = 0; accessor < 2; accessor++) {
		for (int level = 0; level < 3; level++)
			result->average_pages[accessor][level] =
				passed > 0 ? lab->weighted[accessor][level] / passed
					   : (double)result->totals.mapped_pages[accessor][level];
	}
}

/* Lets a quiet time pass behind the log. It has one length under all policies. */
static int lab_settle(struct lab *lab)
{
	const struct costs *costs = lab->opts->costs;
	const uint64_t waits[2] = {costs_wait_ns(costs, GMS_ORDER_2M) / 1000,
				   costs_wait_ns(costs, GMS_ORDER_1G) / 1000};
	uint64_t us = LAB_SETTLE_MIN_US;
	int ret;

	for (int i = 0; i < 2; i++) {
		if (waits[i] < LAB_SETTLE_MAX_US / LAB_SETTLE_WAITS &&
		    us < waits[i] * LAB_SETTLE_WAITS)
			us = waits[i] * LAB_SETTLE_WAITS;
	}
	ret = lab_pass_until(lab, lab->now_us > UINT64_MAX - us ? UINT64_MAX : lab->now_us + us);
	lab_add_up(lab, &lab->result->settled);
	lab_rent_rate(lab, lab->result->rate);
	return ret;
}

int lab_run(struct lab_result *result, const struct log *log, const struct lab_opts *opts)
{
	struct lab lab = {.opts = opts,
			  .result = result,
			  .steps = LAB_MAX_STEPS,
			  .merging = LAB_MERGING_NONE};
	const char *broken;
	int ret;

	memset(result, 0, sizeof(*result));
	ret = lab_create(&lab);
	if (!ret)
		ret = lab_replay(&lab, log);
	if (!ret) {
		lab_finish(&lab);
		ret = lab_settle(&lab);
	}
	broken = lab.sim ? sim_check(lab.sim) : NULL;
	if (broken)
		snprintf(result->broken, sizeof(result->broken), "%s", broken);
	lab_pins_fini(&lab);
	gms_state_destroy(lab.state);
	sim_destroy(lab.sim);
	lab_rent_fini(&lab);
	gms_rtree_destroy(lab.ram);
	gms_rtree_destroy(lab.used);
	gms_rtree_destroy(lab.split);
	gms_rtree_destroy(lab.put_off);
	free(lab.changed.list);
	return ret;
}

double lab_sum_rent(const struct lab_sum *sum)
{
	return sum->part[COSTS_RENT_2M] + sum->part[COSTS_RENT_1G];
}

double lab_sum_work(const struct lab_sum *sum)
{
	double cycles = 0;

	for (int id = 0; id < COSTS_NR; id++)
		if (id != COSTS_RENT_2M && id != COSTS_RENT_1G)
			cycles += sum->part[id];
	return cycles;
}

double lab_result_stall(const struct lab_result *result)
{
	return result->stall_convert > result->stall_fault ? result->stall_convert
							   : result->stall_fault;
}

void lab_result_fini(struct lab_result *result)
{
	free(result->refused.list);
}
