// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hooks.c - the hooks of the simulated backend: their effects, their work and their rules
 *
 * Invariants:
 *  1. Rules are checked before a call is refused, so that a refused call can break a rule.
 *  2. A refused call changes nothing and is no work, with two exceptions: a refused apply may do a
 *     part of its work, and after a refused undo its range counts as not applied.
 */
#include "sim_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sim_broke(struct sim *sim, const struct sim_call *call, const char *rule)
{
	if (!*sim->broken)
		snprintf(sim->broken, sizeof(sim->broken),
			 "%s [0x%" PRIx64 ", 0x%" PRIx64 ") %u %u: %s", sim_hook_name(call->hook),
			 call->start, call->start + call->nr_pages, call->from, call->to, rule);
}

void sim_mark(struct sim *sim, const struct sim_call *call, struct gms_rtree *tree, bool set)
{
	int ret = set ? gms_rtree_set(tree, call->start, call->nr_pages)
		      : gms_rtree_clear(tree, call->start, call->nr_pages);

	if (ret)
		sim_broke(sim, call, "the simulation is out of memory");
}

static void hooks_count(struct sim *sim, enum sim_work work, uint64_t units)
{
	sim->totals.work[work] += units;
}

/* Returns what a call of a hook has to return: 0, or the error of sim_refuse(). */
static int hooks_refusal(struct sim *sim, enum sim_hook hook)
{
	struct sim_refusal *r = &sim->refusal;

	if (!(r->hooks & 1U << hook))
		return 0;
	if (r->skip) {
		r->skip--;
		return 0;
	}
	if (!r->count)
		return 0;
	r->count--;
	return r->err;
}

/*
 * Begins a call, and takes the lock until hooks_leave(). Sets @call->ret, which is not 0 if the
 * call is refused. Returns false if the range of the call is invalid.
 */
static bool hooks_enter(struct sim *sim, struct sim_call *call)
{
	void (*on_call)(void *arg, const struct sim_call *call);
	void *arg;

	pthread_mutex_lock(&sim->lock);
	on_call = sim->on_call;
	arg = sim->on_call_arg;
	if (on_call) {
		pthread_mutex_unlock(&sim->lock);
		on_call(arg, call);
		pthread_mutex_lock(&sim->lock);
	}
	sim->totals.calls[call->hook]++;
	call->ret = hooks_refusal(sim, call->hook);
	if (sim_in_object(sim, call->start, call->nr_pages))
		return true;
	sim_broke(sim, call, "outside the object");
	call->ret = -EINVAL;
	return false;
}

static int hooks_leave(struct sim *sim, const struct sim_call *call)
{
	if (sim->nr_calls < sim->opts.record)
		sim->calls[sim->nr_calls++] = *call;
	pthread_mutex_unlock(&sim->lock);
	return call->ret;
}

static enum gms_rtree_fill hooks_fill(const struct gms_rtree *tree, const struct sim_call *call)
{
	return gms_rtree_fill_range(tree, call->start, call->nr_pages);
}

/*
 * Returns true if no page of the set adjoins the range of a call. Pages of other 1G blocks do not
 * count: they may belong to another conversion, or to the next step of this one.
 */
static bool hooks_stands_alone(const struct gms_rtree *tree, const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;

	return (gms_order_is_start(call->start, GMS_ORDER_1G) ||
		!gms_rtree_test(tree, call->start - 1)) &&
	       (gms_order_is_start(end, GMS_ORDER_1G) || !gms_rtree_test(tree, end));
}

static void hooks_check_begun(struct sim *sim, const struct sim_call *call)
{
	if (hooks_fill(sim->begun, call) != GMS_RTREE_ALL)
		sim_broke(sim, call, "outside of invalidate_begin and invalidate_end");
	else if (!hooks_stands_alone(sim->begun, call))
		sim_broke(sim, call, "another range than that of invalidate_begin");
}

/* Returns how many entries of 4K and 2M cover the range of a call. */
static uint64_t hooks_nr_entries(const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;
	const gms_pgoff_t first = gms_order_is_start(call->start, GMS_ORDER_2M)
					  ? call->start
					  : gms_order_up(call->start, GMS_ORDER_2M);
	const gms_pgoff_t last = gms_order_down(end, GMS_ORDER_2M);

	if (last <= first)
		return call->nr_pages;
	return call->nr_pages - (last - first) + ((last - first) >> GMS_ORDER_2M);
}

static void hooks_count_apply(struct sim *sim, const struct sim_call *call)
{
	hooks_count(sim, SIM_WORK_CONVERT, 1);
	hooks_count(sim, SIM_WORK_APPLY, hooks_nr_entries(call));
}

/* Removes the mappings of level @min_level or larger that the range of a call touches. */
static void hooks_drop_maps(struct sim *sim, const struct sim_call *call,
			    enum gms_accessor accessor, int min_level)
{
	uint64_t nr = 0;

	if (sizes_drop(&sim->maps[accessor], call->start, call->nr_pages, min_level, &nr))
		sim_broke(sim, call, "the simulation is out of memory");
	hooks_count(sim, SIM_WORK_ZAP, nr);
}

/* Returns true if a mapping lies partly, but not wholly, in the range of a call. */
static bool hooks_cuts_map(const struct sizes *maps, const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;
	int first = sizes_level(maps, call->start), last = sizes_level(maps, end - 1);

	return (first > 0 && !gms_order_is_start(call->start, sizes_level_order(first))) ||
	       (last > 0 && !gms_order_is_start(end, sizes_level_order(last)));
}

static int hooks_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct sim_call call = {SIM_UNMAP_HOST, start, nr_pages, 0, 0, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (hooks_cuts_map(&sim->maps[GMS_HOST], &call))
			sim_broke(sim, &call,
				  "the range cuts a mapping of the host: whole folios must be "
				  "unmapped");
		if (!call.ret)
			hooks_drop_maps(sim, &call, GMS_HOST, 0);
	}
	return hooks_leave(sim, &call);
}

static int hooks_check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	struct sim_call call = {SIM_CHECK_PINS, start, nr_pages, 0, 0, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (call.ret == -EAGAIN)
			*pinned = start;
		else if (!call.ret && sim_find_pin(sim, start, nr_pages, pinned))
			call.ret = -EAGAIN;
	}
	return hooks_leave(sim, &call);
}

static void hooks_invalidate_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct sim_call call = {SIM_INVALIDATE_BEGIN, start, nr_pages, 0, 0, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (hooks_fill(sim->begun, &call) != GMS_RTREE_NONE)
			sim_broke(sim, &call, "part of the range has begun already");
		else if (!hooks_stands_alone(sim->begun, &call))
			sim_broke(sim, &call,
				  "the range adjoins another run: runs must be coalesced");
		sim->nr_begun++;
		sim_mark(sim, &call, sim->begun, true);
	}
	call.ret = 0;
	hooks_leave(sim, &call);
}

static void hooks_zap_guest(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			    enum gms_shareability only)
{
	struct sim_call call = {SIM_ZAP_GUEST, start, nr_pages, 0, only, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		struct gms_rtree_run run;

		hooks_check_begun(sim, &call);
		/* All pages of a mapping have one shareability, so this unmaps no other page. */
		for (uint64_t at = start; gms_rtree_next(sim->private, at, start + nr_pages, &run);
		     at += run.nr_pages) {
			struct sim_call part = call;

			part.start = run.start;
			part.nr_pages = run.nr_pages;
			if (run.set == (only == GMS_PRIVATE))
				hooks_drop_maps(sim, &part, GMS_GUEST, 0);
		}
		sim_mark(sim, &call, sim->zapped[only == GMS_PRIVATE], true);
	}
	call.ret = 0;
	hooks_leave(sim, &call);
}

static void hooks_check_apply(struct sim *sim, const struct sim_call *call)
{
	const bool to_private = call->to == GMS_PRIVATE;
	gms_pgoff_t pinned;

	hooks_check_begun(sim, call);
	if (hooks_fill(sim->private, call) != (to_private ? GMS_RTREE_NONE : GMS_RTREE_ALL))
		sim_broke(sim, call, "part of the range is converted already");
	if (hooks_fill(sim->zapped[!to_private], call) != GMS_RTREE_ALL)
		sim_broke(sim, call, "part of the range was not zapped before");
	if (!to_private)
		return;
	if (hooks_fill(sim->maps[GMS_HOST].at_least[0], call) != GMS_RTREE_NONE)
		sim_broke(sim, call, "the host maps part of the range");
	if (sim_find_pin(sim, call->start, call->nr_pages, &pinned))
		sim_broke(sim, call, "part of the range is pinned");
}

static int hooks_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		       gms_pgoff_t *failed)
{
	struct sim_call call = {SIM_APPLY, start, nr_pages, 0, to, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		struct sim_call done = call;

		hooks_check_apply(sim, &call);
		if (call.ret) {
			if (done.nr_pages > sim->refusal.after)
				done.nr_pages = sim->refusal.after;
			*failed = start + done.nr_pages;
		}
		if (done.nr_pages) {
			sim_mark(sim, &done, sim->private, to == GMS_PRIVATE);
			sim_mark(sim, &done, sim->applied, true);
			hooks_count_apply(sim, &done);
		}
	}
	return hooks_leave(sim, &call);
}

static int hooks_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
		      enum gms_shareability back_to)
{
	struct sim_call call = {SIM_UNDO, start, nr_pages, 0, back_to, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		const bool to_private = back_to == GMS_PRIVATE;
		const gms_pgoff_t end = start + nr_pages;
		struct sim_call later = call;

		later.start = end;
		later.nr_pages = gms_order_up(end - 1, GMS_ORDER_1G) - end;
		if (hooks_fill(sim->begun, &call) != GMS_RTREE_ALL)
			sim_broke(sim, &call, "outside of invalidate_begin and invalidate_end");
		if (hooks_fill(sim->private, &call) !=
		    (to_private ? GMS_RTREE_NONE : GMS_RTREE_ALL))
			sim_broke(sim, &call,
				  hooks_fill(sim->applied, &call) != GMS_RTREE_ALL
					  ? "part of the range was not applied"
					  : "part of the range is converted already");
		if (hooks_fill(sim->applied, &later) != GMS_RTREE_NONE)
			sim_broke(sim, &call, "a later run must be undone first");
		/* Even if the undo is refused, the library goes on to undo the runs before it. */
		sim_mark(sim, &call, sim->applied, false);
		if (!call.ret) {
			sim_mark(sim, &call, sim->private, to_private);
			hooks_count_apply(sim, &call);
		}
	}
	return hooks_leave(sim, &call);
}

/* Makes shared pages not prepared, at the end of a conversion, when no undo can follow. */
static void hooks_unprepare_shared(struct sim *sim, const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;
	struct gms_rtree_run run;

	for (gms_pgoff_t at = call->start; gms_rtree_next(sim->private, at, end, &run);
	     at += run.nr_pages) {
		struct sim_call part = *call;

		part.start = run.start;
		part.nr_pages = run.nr_pages;
		if (!run.set)
			sim_mark(sim, &part, sim->prepared, false);
	}
}

static void hooks_invalidate_end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct sim_call call = {SIM_INVALIDATE_END, start, nr_pages, 0, 0, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		hooks_check_begun(sim, &call);
		if (!sim->nr_begun)
			sim_broke(sim, &call, "more often than invalidate_begin");
		else
			sim->nr_begun--;
		hooks_unprepare_shared(sim, &call);
		sim_mark(sim, &call, sim->begun, false);
		sim_mark(sim, &call, sim->applied, false);
		for (int i = 0; i < 2; i++)
			sim_mark(sim, &call, sim->zapped[i], false);
	}
	call.ret = 0;
	hooks_leave(sim, &call);
}

/* Returns a call for one block. If an order or the index is invalid, the call has no pages. */
static struct sim_call hooks_block_call(enum sim_hook hook, gms_pgoff_t index, unsigned int order,
					unsigned int from, unsigned int to)
{
	const bool good = gms_order_is_valid(order) && gms_order_is_start(index, order) &&
			  gms_order_is_valid(from) && gms_order_is_valid(to);

	return (struct sim_call) {hook, index, good ? gms_order_pages(order) : 0, from, to, 0};
}

static int hooks_prepare(void *ctx, gms_pgoff_t start, unsigned int order)
{
	struct sim_call call = hooks_block_call(SIM_PREPARE, start, order, order, 0);
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (hooks_fill(sim->private, &call) != GMS_RTREE_ALL)
			sim_broke(sim, &call, "part of the range is not private");
		if (sizes_level(&sim->folios, start) < sizes_order_level(order))
			sim_broke(sim, &call, "the block is not allocated, or in a smaller folio");
		if (hooks_fill(sim->begun, &call) != GMS_RTREE_NONE)
			sim_broke(sim, &call, "part of the range is being invalidated");
		if (!call.ret) {
			sim_mark(sim, &call, sim->prepared, true);
			hooks_count(sim, SIM_WORK_PREPARE, hooks_nr_entries(&call));
		}
	}
	return hooks_leave(sim, &call);
}

static void hooks_set_folios(struct sim *sim, const struct sim_call *call, int level)
{
	if (sizes_set(&sim->folios, call->start, call->nr_pages, level))
		sim_broke(sim, call, "the simulation is out of memory");
}

/* Returns true if the 1G block of a call has no folio. */
static bool hooks_block_is_free(const struct sim *sim, const struct sim_call *call)
{
	return gms_rtree_fill(sim->folios.at_least[0], call->start, GMS_ORDER_1G) == GMS_RTREE_NONE;
}

static int hooks_folio_alloc(void *ctx, gms_pgoff_t index, unsigned int order)
{
	struct sim_call call = hooks_block_call(SIM_FOLIO_ALLOC, index, order, order, 0);
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (order > sim->opts.folio_order)
			sim_broke(sim, &call, "the order is larger than the backing's");
		if (hooks_fill(sim->folios.at_least[0], &call) != GMS_RTREE_NONE)
			sim_broke(sim, &call, "part of the range is allocated");
		if (sim->used[index >> GMS_ORDER_1G] && hooks_block_is_free(sim, &call))
			sim_broke(sim, &call,
				  "the 1G block became free, and block_freed was not called");
		if (!call.ret) {
			hooks_set_folios(sim, &call, sizes_order_level(order));
			sim->used[index >> GMS_ORDER_1G] = 1;
			hooks_count(sim, SIM_WORK_ALLOC, 1);
			hooks_count(sim, SIM_WORK_CLEAR, call.nr_pages);
		}
	}
	return hooks_leave(sim, &call);
}

/*
 * Checks that a folio is neither mapped nor pinned when it is punched out. A folio that is freed
 * when the object is destroyed may be both.
 */
static void hooks_check_hole(struct sim *sim, const struct sim_call *call)
{
	gms_pgoff_t pinned;

	if (hooks_fill(sim->begun, call) == GMS_RTREE_NONE)
		return;
	for (int i = 0; i < 2; i++) {
		if (hooks_fill(sim->maps[i].at_least[0], call) != GMS_RTREE_NONE)
			sim_broke(sim, call, "part of the range is mapped");
	}
	if (sim_find_pin(sim, call->start, call->nr_pages, &pinned))
		sim_broke(sim, call, "part of the range is pinned");
}

static void hooks_folio_free(void *ctx, gms_pgoff_t index, unsigned int order)
{
	struct sim_call call = hooks_block_call(SIM_FOLIO_FREE, index, order, order, 0);
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (!sizes_all(&sim->folios, index, call.nr_pages, sizes_order_level(order)))
			sim_broke(sim, &call, "there is no such folio");
		hooks_check_hole(sim, &call);
		hooks_set_folios(sim, &call, SIZES_LEVEL_NONE);
		sim_mark(sim, &call, sim->prepared, false);
		hooks_drop_maps(sim, &call, GMS_GUEST, 0);
		hooks_drop_maps(sim, &call, GMS_HOST, 0);
		hooks_count(sim, SIM_WORK_FREE, 1);
	}
	call.ret = 0;
	hooks_leave(sim, &call);
}

/* Counts a split of a folio, which restores @bytes of struct pages. */
static void hooks_count_split(struct sim *sim, unsigned int from, uint64_t bytes)
{
	sim->totals.vmemmap_given_back += bytes;
	if (from == GMS_ORDER_2M)
		hooks_count(sim, SIM_WORK_SPLIT_2M, 1);
	else
		hooks_count(sim, SIM_WORK_SPLIT_1G, bytes / SIM_VMEMMAP_PAGE);
}

static int hooks_folio_split(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct sim_call call = hooks_block_call(SIM_FOLIO_SPLIT, index, from, from, to);
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		const int level = sizes_order_level(to);
		gms_pgoff_t pinned;

		if (to >= from)
			sim_broke(sim, &call, "the order is not smaller");
		else if (!sizes_all(&sim->folios, index, call.nr_pages, sizes_order_level(from)))
			sim_broke(sim, &call, "there is no such folio");
		if (sim_find_pin(sim, index, call.nr_pages, &pinned))
			sim_broke(sim, &call, "part of the range is pinned");
		if (!call.ret && to < from) {
			hooks_set_folios(sim, &call, level);
			/* No mapping is larger than its folio. */
			hooks_drop_maps(sim, &call, GMS_GUEST, level + 1);
			hooks_drop_maps(sim, &call, GMS_HOST, level + 1);
			hooks_count_split(sim, from,
					  sim_vmemmap(call.nr_pages, to) - SIM_VMEMMAP_PAGE);
		}
	}
	return hooks_leave(sim, &call);
}

static void hooks_check_merge(struct sim *sim, const struct sim_call *call)
{
	const gms_pgoff_t end = call->start + call->nr_pages;
	struct sizes_run run;
	bool smallest = false;
	gms_pgoff_t pinned;

	if (call->to <= call->from || call->to > sim->opts.folio_order)
		sim_broke(sim, call,
			  "the new order is not above the old one, or above the backing's");
	for (gms_pgoff_t at = call->start; sizes_next(&sim->folios, at, end, &run);
	     at += run.nr_pages) {
		if (run.level < sizes_order_level(call->from) ||
		    run.level >= sizes_order_level(call->to))
			sim_broke(sim, call, "part of the range is in no folio of these orders");
		smallest |= run.level == sizes_order_level(call->from);
	}
	if (!smallest)
		sim_broke(sim, call, "no folio of the smaller order in the range");
	if (sim_find_pin(sim, call->start, call->nr_pages, &pinned))
		sim_broke(sim, call, "part of the range is pinned");
}

/* Makes one folio of a block, and counts that as work. */
static void hooks_merge(struct sim *sim, const struct sim_call *call)
{
	uint64_t small = sim->folios.nr_pages[0];

	hooks_set_folios(sim, call, sizes_order_level(call->to));
	small -= sim->folios.nr_pages[0]; /* the pages of the block that were in folios of 4K */
	if (call->to == GMS_ORDER_2M)
		hooks_count(sim, SIM_WORK_MERGE_2M, 1);
	else
		hooks_count(sim, SIM_WORK_MERGE_1G,
			    (sim_vmemmap(small, 0) + sim_vmemmap(call->nr_pages - small, 9)) /
					    SIM_VMEMMAP_PAGE -
				    1);
	/* Smaller mappings are removed, so that later faults make larger ones. */
	hooks_drop_maps(sim, call, GMS_GUEST, 0);
	hooks_drop_maps(sim, call, GMS_HOST, 0);
}

static int hooks_folio_merge(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	struct sim_call call = hooks_block_call(SIM_FOLIO_MERGE, index, to, from, to);
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		hooks_check_merge(sim, &call);
		if (!call.ret)
			hooks_merge(sim, &call);
	}
	return hooks_leave(sim, &call);
}

static void hooks_block_freed(void *ctx, gms_pgoff_t index)
{
	struct sim_call call = {SIM_BLOCK_FREED, index, 1, 0, 0, 0};
	struct sim *sim = ctx;

	if (hooks_enter(sim, &call)) {
		if (!gms_order_is_start(index, GMS_ORDER_1G))
			sim_broke(sim, &call, "not the first page of a 1G block");
		if (!hooks_block_is_free(sim, &call))
			sim_broke(sim, &call, "the block still has folios");
		else if (!sim->used[index >> GMS_ORDER_1G])
			sim_broke(sim, &call, "the block had no folios");
		sim->used[index >> GMS_ORDER_1G] = 0;
	}
	call.ret = 0;
	hooks_leave(sim, &call);
}

const struct gms_backend_ops sim_hooks = {
	.struct_size = sizeof(sim_hooks),
	.unmap_host = hooks_unmap_host,
	.check_pins = hooks_check_pins,
	.invalidate_begin = hooks_invalidate_begin,
	.zap_guest = hooks_zap_guest,
	.apply = hooks_apply,
	.undo = hooks_undo,
	.invalidate_end = hooks_invalidate_end,
	.prepare = hooks_prepare,
	.folio_alloc = hooks_folio_alloc,
	.folio_free = hooks_folio_free,
	.folio_split = hooks_folio_split,
	.folio_merge = hooks_folio_merge,
	.block_freed = hooks_block_freed,
};
