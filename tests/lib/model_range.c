// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_range.c - holes, maintenance, repair, attributes and inhibits
 *
 * The model does not say which mappings are zapped. The simulated backend checks that no stale
 * mapping is left.
 */
#include "model.h"
#include "test.h"

#define MAPPING_HOOKS                                                               \
	(1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS | 1U << SIM_INVALIDATE_BEGIN | \
	 1U << SIM_ZAP_GUEST | 1U << SIM_INVALIDATE_END)

struct hole {
	uint64_t start, end;
};

static bool partly_in(const struct model *model, const struct hole *hole, uint64_t index)
{
	unsigned int order = model->order[index];
	uint64_t first = index >> order << order;

	return model->allocated[index] &&
	       (first < hole->start || first + (1ULL << order) > hole->end);
}

/* Splits a folio that crosses an end of the hole, as the policy says, until none crosses it. */
static int split_end(struct model *model, const struct hole *hole, uint64_t index, uint64_t edge)
{
	const struct model_event event = {
		.event = GMS_EV_PUNCH,
		.to = (enum gms_shareability)model->private[index],
		.cap = edge % MODEL_2M ? 0 : GMS_ORDER_2M,
	};

	return partly_in(model, hole, index) ? model_split(model, index, &event) : 0;
}

/* Merges the folios that begin here as far as they lie in the hole. */
static void merge_in_hole(struct model *model, const struct hole *hole, uint64_t index)
{
	unsigned int order;

	for (order = model_natural(model, index); order > model->order[index]; order -= 9) {
		if (index % (1ULL << order) == 0 && index + (1ULL << order) <= hole->end &&
		    !model_merge_to(model, index, order))
			return;
	}
}

/* A block without allocated pages has the order of a new object again. */
static void forget_splits(struct model *model, const struct hole *hole)
{
	unsigned int order;
	uint64_t i, next;

	for (i = hole->start; i < hole->end; i = next) {
		next = (i / MODEL_2M + 1) * MODEL_2M;
		for (order = GMS_ORDER_2M; order <= model_natural(model, i); order += 9) {
			uint64_t first = i >> order << order;

			if (model_is_all(model->allocated, first, first + (1ULL << order), 0))
				model_set_order(model, i, order);
		}
	}
}

static void free_all(struct model *model, const struct hole *hole)
{
	uint64_t i, nr;

	for (i = hole->start; i < hole->end; i += nr) {
		nr = 1;
		if (!model->allocated[i])
			continue;
		merge_in_hole(model, hole, i);
		nr = 1ULL << model->order[i];
		model_hook(model, SIM_FOLIO_FREE, i, nr, model->order[i], 0);
		model->stats.folios_freed++;
		memset(model->allocated + i, 0, nr);
		memset(model->prepared + i, 0, nr);
		memset(model->mapped + i, 0, nr);
	}
}

static bool has_folios(const struct model *model, uint64_t block)
{
	uint64_t end = (block + 1) * MODEL_1G;

	if (end > model->nr_pages)
		end = model->nr_pages;
	return model_find(model->allocated, block * MODEL_1G, end, 1) < end;
}

/* Returns true if the folio at either end of the hole has a pinned page. */
static bool pinned_beside(const struct model *model, const struct hole *hole)
{
	const uint64_t ends[] = {hole->start, hole->end - 1};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		unsigned int order = model->order[ends[i]];
		uint64_t first = ends[i] >> order << order;

		if (model_first_pin(model, first, first + (1ULL << order)) <
		    first + (1ULL << order))
			return true;
	}
	return false;
}

static int punch(struct model *model, const struct hole *hole, gms_pgoff_t *err_index)
{
	uint64_t pinned = model_first_pin(model, hole->start, hole->end);
	uint64_t block;
	int ret;

	*err_index = hole->start;
	ret = model_take(model, 1U << SIM_UNMAP_HOST);
	if (ret)
		return ret;
	ret = model_take(model, 1U << SIM_CHECK_PINS);
	/* The engine may call check_pins again, as in a conversion: see model_convert.c. */
	if (ret && model->engine_ret != -EAGAIN)
		return ret;
	if (pinned < hole->end) {
		*err_index = ret ? hole->start : pinned;
		return -EAGAIN;
	}
	if (model->opts.pins_by_folio && pinned_beside(model, hole))
		return -EAGAIN;
	if (ret)
		return ret;
	model->loose = MAPPING_HOOKS;
	ret = split_end(model, hole, hole->start, hole->start);
	if (!ret)
		ret = split_end(model, hole, hole->end - 1, hole->end);
	if (ret)
		return ret;
	for (block = hole->start / MODEL_1G; block <= (hole->end - 1) / MODEL_1G; block++)
		model->blocks[block].had_folios = has_folios(model, block);
	free_all(model, hole);
	forget_splits(model, hole);
	model_rent_free(model, hole->start, hole->end);
	for (block = hole->start / MODEL_1G; block <= (hole->end - 1) / MODEL_1G; block++) {
		if (!model->blocks[block].had_folios || has_folios(model, block))
			continue;
		model_hook(model, SIM_BLOCK_FREED, block * MODEL_1G, MODEL_1G, GMS_ORDER_1G, 0);
		model->stats.blocks_freed++;
	}
	return 0;
}

int model_punch_hole(struct model *model, uint64_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	struct hole hole = {start, start + nr_pages};
	uint64_t splits = model->stats.splits_1g + model->stats.splits_2m;
	int ret;

	if (!model_good_range(model, start, nr_pages)) {
		*err_index = start;
		return model_result(model, -EINVAL);
	}
	if (model_find(model->allocated, start, hole.end, 1) == hole.end) {
		model->loose = MAPPING_HOOKS;
		return 0;
	}
	memcpy(model->old_order, model->order, model->nr_pages);
	ret = punch(model, &hole, err_index);
	if (ret) {
		model->stats.undone += model->stats.splits_1g + model->stats.splits_2m != splits;
		model_undo_splits(model);
	}
	return model_result(model, ret);
}

/* Returns true if a folio is smaller than the backing, as in any incomplete block. */
static bool is_split(const struct model *model, uint64_t block)
{
	uint64_t end = (block + 1) * MODEL_1G;
	uint64_t i;

	if (end > model->nr_pages)
		end = model->nr_pages;
	for (i = block * MODEL_1G; i < end; i++) {
		if (model->order[i] < model->opts.folio_order)
			return true;
	}
	return false;
}

static uint64_t maintain_block(struct model *model, uint64_t block)
{
	const struct model_event event = {.event = GMS_EV_MAINTAIN, .cap = GMS_ORDER_1G};
	uint64_t end = (block + 1) * MODEL_1G;
	uint64_t merged = 0;
	uint64_t i = block * MODEL_1G;

	model->no_1g = 0;

	if (end > model->nr_pages)
		end = model->nr_pages;
	model_rent_settle(model, i, end);
	while (i < end) {
		if (model->allocated[i])
			i = model_merge(model, i, &event, &merged);
		else
			i++;
	}
	return merged;
}

/* Visits each block at most once. Blocks that were never split do not count. */
uint64_t model_maintain(struct model *model, uint64_t max_blocks)
{
	uint64_t merged = 0;
	uint64_t i;

	model->loose = MAPPING_HOOKS;
	for (i = 0; i < model->nr_blocks && max_blocks && model->opts.folio_order; i++) {
		if (is_split(model, model->cursor) || model->blocks[model->cursor].visit) {
			merged += maintain_block(model, model->cursor);
			max_blocks--;
		}
		model->cursor = (model->cursor + 1) % model->nr_blocks;
	}
	return merged;
}

/* Returns true if a pin prevents a page from becoming private. */
static bool pinned_for_repair(const struct model *model, uint64_t start, uint64_t end)
{
	uint64_t i;

	for (i = start; i < end; i++) {
		unsigned int order = model->opts.pins_by_folio ? model->order[i] : 0;
		uint64_t first = i >> order << order;

		if (!model->private[i] && model_first_pin(model, first, first + (1ULL << order)) <
						  first + (1ULL << order))
			return true;
	}
	return false;
}

int model_repair(struct model *model, uint64_t start, uint64_t nr_pages, int shareability)
{
	uint64_t end = start + nr_pages;

	model->loose = 1U << SIM_INVALIDATE_BEGIN | 1U << SIM_ZAP_GUEST | 1U << SIM_INVALIDATE_END;
	if (!model_good_range(model, start, nr_pages) ||
	    (shareability != GMS_SHARED && shareability != GMS_PRIVATE) ||
	    model_find(model->quarantined, start, end, 0) < end)
		return model_result(model, -EINVAL);
	if (shareability == GMS_PRIVATE) {
		const bool pinned = pinned_for_repair(model, start, end);
		int ret = model_take(model, 1U << SIM_UNMAP_HOST);

		if (!ret)
			ret = model_take(model, 1U << SIM_CHECK_PINS);
		/* If a page is pinned, check_pins is called only for the pages before it. */
		if (pinned && (!ret || model->engine_ret == -EAGAIN))
			ret = -EAGAIN;
		if (ret)
			return model_result(model, ret);
	}
	model_flips_before(model, start, end);
	memset(model->private + start, shareability, nr_pages);
	memset(model->prepared + start, 0, nr_pages);
	memset(model->quarantined + start, 0, nr_pages);
	model_flips_after(model, start, end);
	model->stats.quarantined_pages -= nr_pages;
	return 0;
}

int model_inhibit(struct model *model, uint64_t start, uint64_t nr_pages, unsigned int order)
{
	uint64_t i;

	model->loose = MAPPING_HOOKS;
	if (!model_good_range(model, start, nr_pages) || (order && order != GMS_ORDER_2M))
		return model_result(model, -EINVAL);
	for (i = start; i < start + nr_pages; i++) {
		if (order < model->limit[i])
			model->limit[i] = (uint8_t)order;
	}
	return 0;
}

int model_uninhibit(struct model *model, uint64_t start, uint64_t nr_pages)
{
	model->loose = MAPPING_HOOKS;
	if (!model_good_range(model, start, nr_pages))
		return model_result(model, -EINVAL);
	memset(model->limit + start, GMS_ORDER_1G, nr_pages);
	return 0;
}

int model_attr_set(struct model *model, unsigned int id, uint64_t start, uint64_t nr_pages,
		   bool set)
{
	uint64_t i;

	model->loose = MAPPING_HOOKS;
	if (!model_good_range(model, start, nr_pages) || id >= MODEL_NR_ATTRS)
		return model_result(model, -EINVAL);
	for (i = start; i < start + nr_pages; i++) {
		model->attrs[i] &= (uint8_t) ~(1U << id);
		model->attrs[i] |= (uint8_t)((unsigned int)set << id);
	}
	return 0;
}
