// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sim.c - the simulated backend: creation, controls, counters and mappings
 */
#include "sim_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const sim_hook_names[SIM_NR_HOOKS] = {
	[SIM_UNMAP_HOST] = "unmap_host",
	[SIM_CHECK_PINS] = "check_pins",
	[SIM_INVALIDATE_BEGIN] = "invalidate_begin",
	[SIM_ZAP_GUEST] = "zap_guest",
	[SIM_APPLY] = "apply",
	[SIM_UNDO] = "undo",
	[SIM_INVALIDATE_END] = "invalidate_end",
	[SIM_PREPARE] = "prepare",
	[SIM_FOLIO_ALLOC] = "folio_alloc",
	[SIM_FOLIO_FREE] = "folio_free",
	[SIM_FOLIO_SPLIT] = "folio_split",
	[SIM_FOLIO_MERGE] = "folio_merge",
	[SIM_BLOCK_FREED] = "block_freed",
};

const char *sim_hook_name(enum sim_hook hook)
{
	return (unsigned int)hook < SIM_NR_HOOKS ? sim_hook_names[hook] : "map";
}

static int sim_create_trees(struct sim *sim)
{
	const struct sim_opts *opts = &sim->opts;
	struct gms_rtree **const empty[] = {&sim->prepared, &sim->begun, &sim->applied,
					    &sim->zapped[0], &sim->zapped[1]};
	int ret;

	ret = gms_rtree_create(opts->nr_pages, opts->init_private ? GMS_RTREE_ALL : GMS_RTREE_NONE,
			       NULL, &sim->private);
	for (size_t i = 0; !ret && i < sizeof(empty) / sizeof(*empty); i++)
		ret = gms_rtree_create(opts->nr_pages, GMS_RTREE_NONE, NULL, empty[i]);
	if (!ret)
		ret = sizes_init(&sim->folios, opts->nr_pages);
	for (int i = 0; !ret && i < 2; i++)
		ret = sizes_init(&sim->maps[i], opts->nr_pages);
	return ret;
}

int sim_create(const struct sim_opts *opts, struct sim **out)
{
	struct sim *sim;
	int ret;

	if (!opts->nr_pages || opts->nr_pages > GMS_MAX_PAGES ||
	    !gms_order_is_valid(opts->folio_order))
		return -EINVAL;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	pthread_mutex_init(&sim->lock, NULL);
	sim->opts = *opts;
	sim->ops = sim_hooks;
	sim->ops.flags = opts->flags;
	sim->used = calloc(gms_order_up(opts->nr_pages - 1, GMS_ORDER_1G) >> GMS_ORDER_1G, 1);
	sim->calls = opts->record ? calloc(opts->record, sizeof(*sim->calls)) : NULL;
	ret = sim_create_trees(sim);
	if (!ret && (!sim->used || (opts->record && !sim->calls)))
		ret = -ENOMEM;
	if (ret) {
		sim_destroy(sim);
		return ret;
	}
	*out = sim;
	return 0;
}

void sim_destroy(struct sim *sim)
{
	if (!sim)
		return;
	gms_rtree_destroy(sim->private);
	gms_rtree_destroy(sim->prepared);
	gms_rtree_destroy(sim->begun);
	gms_rtree_destroy(sim->applied);
	for (int i = 0; i < 2; i++) {
		gms_rtree_destroy(sim->zapped[i]);
		sizes_fini(&sim->maps[i]);
	}
	sizes_fini(&sim->folios);
	free(sim->used);
	free(sim->pins);
	free(sim->calls);
	pthread_mutex_destroy(&sim->lock);
	free(sim);
}

struct gms_backend_ops *sim_ops(struct sim *sim)
{
	return &sim->ops;
}

void sim_refuse(struct sim *sim, unsigned int hooks, uint64_t skip, uint64_t count, int err)
{
	pthread_mutex_lock(&sim->lock);
	sim->refusal.hooks = hooks;
	sim->refusal.skip = skip;
	sim->refusal.count = count;
	sim->refusal.err = err;
	pthread_mutex_unlock(&sim->lock);
}

void sim_refuse_after(struct sim *sim, uint64_t nr_pages)
{
	pthread_mutex_lock(&sim->lock);
	sim->refusal.after = nr_pages;
	pthread_mutex_unlock(&sim->lock);
}

bool sim_in_object(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages && start < sim->opts.nr_pages && nr_pages <= sim->opts.nr_pages - start;
}

bool sim_find_pin(const struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *index)
{
	bool found = false;

	for (size_t i = 0; i < sim->nr_pins; i++) {
		const struct sim_range *pin = &sim->pins[i];
		gms_pgoff_t first = pin->start > start ? pin->start : start;

		if (pin->start >= start + nr_pages || pin->start + pin->nr_pages <= start)
			continue;
		if (!found || first < *index)
			*index = first;
		found = true;
	}
	return found;
}

int sim_pin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages)
{
	struct sim_range *pins;
	int ret = -EINVAL;

	pthread_mutex_lock(&sim->lock);
	if (sim_in_object(sim, start, nr_pages)) {
		pins = reallocarray(sim->pins, sim->nr_pins + 1, sizeof(*pins));
		ret = pins ? 0 : -ENOMEM;
		if (pins) {
			sim->pins = pins;
			pins[sim->nr_pins++] = (struct sim_range) {start, nr_pages};
		}
	}
	pthread_mutex_unlock(&sim->lock);
	return ret;
}

int sim_unpin(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages)
{
	int ret = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	for (size_t i = 0; ret && i < sim->nr_pins; i++) {
		if (sim->pins[i].start != start || sim->pins[i].nr_pages != nr_pages)
			continue;
		sim->pins[i] = sim->pins[--sim->nr_pins];
		ret = 0;
	}
	pthread_mutex_unlock(&sim->lock);
	return ret;
}

void sim_on_call(struct sim *sim, void (*fn)(void *arg, const struct sim_call *call), void *arg)
{
	pthread_mutex_lock(&sim->lock);
	sim->on_call = fn;
	sim->on_call_arg = arg;
	pthread_mutex_unlock(&sim->lock);
}

const struct sim_call *sim_calls(struct sim *sim, size_t *count)
{
	*count = sim->nr_calls;
	return sim->calls;
}

void sim_forget(struct sim *sim)
{
	pthread_mutex_lock(&sim->lock);
	sim->nr_calls = 0;
	pthread_mutex_unlock(&sim->lock);
}

void sim_totals(struct sim *sim, struct sim_totals *totals)
{
	const uint64_t *folios = sim->folios.nr_pages;

	pthread_mutex_lock(&sim->lock);
	*totals = sim->totals;
	totals->vmemmap_bytes = 0;
	for (int level = 0; level < SIZES_NR_LEVELS; level++)
		totals->vmemmap_bytes += sim_vmemmap(folios[level], sizes_level_order(level));
	for (int i = 0; i < 2; i++) {
		const struct sizes *maps = &sim->maps[i == 0 ? GMS_GUEST : GMS_HOST];

		memcpy(totals->mapped_pages[i], maps->nr_pages, sizeof(maps->nr_pages));
	}
	pthread_mutex_unlock(&sim->lock);
}

const char *sim_check(struct sim *sim)
{
	const char *broken;

	pthread_mutex_lock(&sim->lock);
	broken = *sim->broken ? sim->broken : NULL;
	pthread_mutex_unlock(&sim->lock);
	return broken;
}

/* Returns the rule that a mapping of a block breaks, or NULL. */
static const char *sim_check_map(const struct sim *sim, const struct sim_call *call, int level,
				 enum gms_accessor accessor)
{
	enum gms_rtree_fill fill;

	if (level == SIZES_LEVEL_NONE || (unsigned int)accessor > GMS_GUEST ||
	    !sim_in_object(sim, call->start, call->nr_pages))
		return "not a block of the object";
	fill = gms_rtree_fill_range(sim->private, call->start, call->nr_pages);
	if (accessor == GMS_HOST && fill != GMS_RTREE_NONE)
		return "the host maps a private page";
	if (fill == GMS_RTREE_MIXED)
		return "one mapping of shared and private pages";
	if (gms_rtree_fill_range(sim->folios.at_least[0], call->start, call->nr_pages) !=
	    GMS_RTREE_ALL)
		return "part of the range is not allocated";
	if (accessor == GMS_GUEST && fill == GMS_RTREE_ALL &&
	    gms_rtree_fill_range(sim->prepared, call->start, call->nr_pages) != GMS_RTREE_ALL)
		return "part of the range is private and not prepared";
	if (gms_rtree_fill_range(sim->begun, call->start, call->nr_pages) != GMS_RTREE_NONE)
		return "part of the range is being invalidated";
	return NULL;
}

int sim_map(struct sim *sim, gms_pgoff_t index, unsigned int order, enum gms_accessor accessor)
{
	int level = sizes_order_level(order), ret = 0;
	struct sim_call call = {.hook = SIM_NR_HOOKS, .from = accessor, .to = order};
	const char *rule;

	call.start = level == SIZES_LEVEL_NONE ? index : gms_order_down(index, order);
	call.nr_pages = level == SIZES_LEVEL_NONE ? 1 : gms_order_pages(order);
	pthread_mutex_lock(&sim->lock);
	rule = sim_check_map(sim, &call, level, accessor);
	if (rule) {
		sim_broke(sim, &call, rule);
		ret = -EINVAL;
	} else if (sizes_level(&sim->maps[accessor], index) < level) {
		ret = sizes_set(&sim->maps[accessor], call.start, call.nr_pages, level);
		sim->totals.work[SIM_WORK_FAULT]++;
	}
	pthread_mutex_unlock(&sim->lock);
	return ret;
}

/* Returns where the run of pages ends that are in a set or not, as @set says; or @start. */
static gms_pgoff_t sim_run_end(const struct gms_rtree *tree, gms_pgoff_t start, gms_pgoff_t end,
			       bool set)
{
	struct gms_rtree_run run;

	if (!gms_rtree_next(tree, start, end, &run) || run.set != set)
		return start;
	return start + run.nr_pages;
}

int sim_map_like(struct sim *sim, gms_pgoff_t index, gms_pgoff_t end, enum gms_accessor accessor,
		 uint64_t *nr_pages)
{
	struct sizes *maps = &sim->maps[accessor];
	const gms_pgoff_t start = index + 1;
	struct sizes_run folios;
	bool is_private;
	int ret = 0;

	*nr_pages = 0;
	pthread_mutex_lock(&sim->lock);
	is_private = gms_rtree_test(sim->private, index);
	sizes_next(&sim->folios, index, end, &folios);
	end = folios.level ? gms_order_cut(index, GMS_ORDER_2M, end) : index + folios.nr_pages;
	end = sim_run_end(maps->at_least[0], start, end, false);
	end = sim_run_end(sim->private, start, end, is_private);
	if (is_private)
		end = sim_run_end(sim->prepared, start, end, true);
	if (start < end) {
		*nr_pages = end - start;
		ret = sizes_set(maps, start, *nr_pages, 0);
		sim->totals.work[SIM_WORK_FAULT] += *nr_pages;
	}
	pthread_mutex_unlock(&sim->lock);
	return ret;
}

bool sim_next_unmapped(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t from,
		       gms_pgoff_t end, gms_pgoff_t *index)
{
	struct gms_rtree_run run;
	bool found = false;

	pthread_mutex_lock(&sim->lock);
	while (!found && gms_rtree_next(sim->maps[accessor].at_least[0], from, end, &run)) {
		found = !run.set;
		*index = run.start;
		from += run.nr_pages;
	}
	pthread_mutex_unlock(&sim->lock);
	return found;
}

unsigned int sim_mapped_order(struct sim *sim, enum gms_accessor accessor, gms_pgoff_t index)
{
	int level;

	pthread_mutex_lock(&sim->lock);
	level = sizes_level(&sim->maps[accessor], index);
	pthread_mutex_unlock(&sim->lock);
	return level == SIZES_LEVEL_NONE ? 0 : sizes_level_order(level);
}

int sim_set(struct sim *sim, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	int ret;

	pthread_mutex_lock(&sim->lock);
	ret = to == GMS_PRIVATE ? gms_rtree_set(sim->private, start, nr_pages)
				: gms_rtree_clear(sim->private, start, nr_pages);
	if (!ret)
		ret = gms_rtree_clear(sim->prepared, start, nr_pages);
	pthread_mutex_unlock(&sim->lock);
	return ret;
}
