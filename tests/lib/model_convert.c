// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_convert.c - gms_convert() as the public headers describe it
 *
 * A transaction changes a part of the range: all of it, or in resumable mode the pages of one 1G
 * block. The pages of a part have their new value already while the hooks are called. A failure
 * restores the old value.
 */
#include "model.h"
#include "test.h"

struct part {
	uint64_t start, end;
	int to;
	bool resumable;
	uint64_t err_index;
};

static bool changes(const struct model *model, uint64_t index)
{
	return model->private[index] != model->old_private[index];
}

/* Finds the next run of pages that change. */
static bool next_run(const struct model *model, uint64_t from, uint64_t end, uint64_t *start,
		     uint64_t *nr_pages)
{
	uint64_t i = from;

	while (i < end && !changes(model, i))
		i++;
	*start = i;
	while (i < end && changes(model, i))
		i++;
	*nr_pages = i - *start;
	return *nr_pages != 0;
}

#define for_each_run(model, part, start, nr)    \
	for ((start) = (part)->start, (nr) = 0; \
	     next_run(model, (start) + (nr), (part)->end, &(start), &(nr));)

/* Returns the index of the next policy query: one for each huge folio, or 2M of 4K folios. */
static uint64_t next_place(const struct model *model, uint64_t index)
{
	unsigned int order = model->order[index] ? model->order[index] : GMS_ORDER_2M;

	return ((index >> order) + 1) << order;
}

static uint64_t folio_start(const struct model *model, uint64_t index)
{
	return index >> model->order[index] << model->order[index];
}

static uint64_t folio_end(const struct model *model, uint64_t index)
{
	return folio_start(model, index) + (1ULL << model->order[index]);
}

/* Returns the end of the folio at a page, or the end of the part if that comes first. */
static uint64_t end_in_part(const struct model *model, const struct part *part, uint64_t index)
{
	uint64_t end = folio_end(model, index);

	return end < part->end ? end : part->end;
}

static bool any_changes(const struct model *model, uint64_t start, uint64_t end)
{
	return memcmp(model->private + start, model->old_private + start, end - start);
}

/*
 * Returns the first page of the part that cannot change because of a pin. With pins by folio that
 * is the first page of the pinned folio in the part.
 */
static uint64_t first_obstacle(const struct model *model, const struct part *part)
{
	uint64_t i, next;

	if (!model->opts.pins_by_folio)
		return model_first_pin(model, part->start, part->end);
	for (i = part->start; i < part->end; i = next) {
		uint64_t end = folio_end(model, i);

		next = end_in_part(model, part, i);
		if (any_changes(model, i, next) &&
		    model_first_pin(model, folio_start(model, i), end) < end)
			break;
	}
	return i;
}

/* Returns true if the folio was exposed before this call, by a host fault or a pin. */
static bool was_exposed(const struct model *model, uint64_t index)
{
	uint64_t first = folio_start(model, index), end = folio_end(model, index);

	return !model_is_all(model->old_mapped, first, end, 0) ||
	       model_first_pin(model, first, end) < end;
}

/*
 * Expects unmap_host for a page that changes, and for the rest of a folio that is exposed. The
 * folio counts with the order that it had when the host faulted it.
 */
static void expect_unmapped(struct model *model, uint64_t index, bool exposed)
{
	unsigned int order = exposed ? model->order[index] : 0;

	if (model->old_mapped[index] > order + 1)
		order = model->old_mapped[index] - 1U;
	memset(model->expected + (index >> order << order), 1, 1ULL << order);
}

/*
 * Checks the pages that unmap_host was called for. With pins by page, the engine searches for
 * pins first, and leaves the pages behind a pinned page alone.
 */
static void check_unmapped(struct model *model, const struct part *part)
{
	uint64_t i, next, end = part->end;
	bool exposed;

	if (!model->opts.pins_by_folio)
		end = model_first_pin(model, part->start, part->end);
	memset(model->expected, 0, model->nr_pages);
	for (i = part->start; i < end;) {
		exposed = was_exposed(model, i);
		for (next = end_in_part(model, part, i); i < next && i < end; i++) {
			if (changes(model, i) && !model->expected[i])
				expect_unmapped(model, i, exposed);
		}
	}
	for (i = 0; i < model->nr_pages; i++) {
		if (model->covered[i] != model->expected[i]) {
			model_differs(model,
				      "page %#llx was unmapped from the host: %d, should be %d",
				      (unsigned long long)i, model->covered[i], model->expected[i]);
			break;
		}
	}
}

static void restore(struct model *model, const struct part *part)
{
	memcpy(model->private + part->start, model->old_private + part->start,
	       part->end - part->start);
}

static int split_all(struct model *model, const struct part *part, bool *merge)
{
	const struct model_event event = {GMS_EV_CONVERT, GMS_HOST, (enum gms_shareability)part->to,
					  GMS_ORDER_1G};
	uint64_t i;
	int ret;

	*merge = false;
	for (i = part->start; i < part->end; i++) {
		if (!changes(model, i) || !model->allocated[i])
			continue;
		ret = model_split(model, i, &event);
		if ((ret && ret != -EAGAIN) || model->why)
			return ret;
		*merge = *merge || model_wants_merge(model, i, &event);
		i = next_place(model, i) - 1;
	}
	return 0;
}

/* If the policy wants a merge, the engine queries it again for each folio that changed. */
static void merge_all(struct model *model, const struct part *part)
{
	const struct model_event event = {GMS_EV_CONVERT, GMS_HOST, (enum gms_shareability)part->to,
					  GMS_ORDER_1G};
	uint64_t merges = 0;
	uint64_t i = part->start;

	model->no_1g = 0;
	while (i < part->end) {
		if (model->allocated[i] && changes(model, i))
			i = model_merge(model, i, &event, &merges);
		else
			i++;
	}
}

static void each_run(struct model *model, const struct part *part, enum sim_hook hook,
		     unsigned int to)
{
	uint64_t start, nr;

	for_each_run(model, part, start, nr) model_hook(model, hook, start, nr, 0, to);
}

/* Undoes the runs that begin before @end, the last one first. Returns false if one fails. */
static bool undo_applied(struct model *model, const struct part *part, uint64_t end)
{
	bool failed = false;
	uint64_t start;

	while (end > part->start) {
		if (!changes(model, end - 1)) {
			end--;
			continue;
		}
		for (start = end - 1; start > part->start && changes(model, start - 1); start--)
			;
		model->called_undo = true;
		if (model_hook(model, SIM_UNDO, start, end - start, 0, (unsigned int)!part->to))
			failed = true;
		end = start;
	}
	return !failed;
}

/* Quarantines the pages from the first run to the last, and unmaps them from host and guest. */
static void quarantine(struct model *model, const struct part *part)
{
	uint64_t low = part->end, high = part->start;
	uint64_t start, nr;

	for_each_run(model, part, start, nr)
	{
		low = low < start ? low : start;
		high = start + nr;
	}
	model_take(model, 1U << SIM_UNMAP_HOST);
	model_hook(model, SIM_INVALIDATE_BEGIN, low, high - low, 0, 0);
	model_hook(model, SIM_ZAP_GUEST, low, high - low, 0, GMS_SHARED);
	model_hook(model, SIM_ZAP_GUEST, low, high - low, 0, GMS_PRIVATE);
	model_hook(model, SIM_INVALIDATE_END, low, high - low, 0, 0);
	model->stats.quarantined_pages += high - low;
	memset(model->quarantined + low, 1, high - low);
}

/* Zaps and applies all runs. Sets *lost if that failed, and the undo failed as well. */
static int change_all(struct model *model, const struct part *part, bool *lost)
{
	uint64_t start, nr, done;
	int ret;

	each_run(model, part, SIM_INVALIDATE_BEGIN, 0);
	each_run(model, part, SIM_ZAP_GUEST, (unsigned int)!part->to);
	for_each_run(model, part, start, nr)
	{
		ret = model_hook(model, SIM_APPLY, start, nr, 0, (unsigned int)part->to);
		if (!ret)
			continue;
		done = model->refuse_after < nr ? model->refuse_after : nr;
		*lost = !undo_applied(model, part, start + done);
		each_run(model, part, SIM_INVALIDATE_END, 0);
		return ret;
	}
	return 0;
}

/* Changes the part. Returns 0, or an error after which no page of the part has changed. */
static int change_part(struct model *model, const struct part *part)
{
	uint64_t splits = model->stats.splits_1g + model->stats.splits_2m;
	uint64_t start, nr;
	bool merge, lost = false;
	int ret;

	model->called_undo = false;
	memcpy(model->old_order, model->order, model->nr_pages);
	ret = split_all(model, part, &merge);
	if (!ret)
		ret = change_all(model, part, &lost);
	if (ret) {
		if (model->called_undo || model->stats.splits_1g + model->stats.splits_2m != splits)
			model->stats.undone++;
		model_undo_splits(model);
		if (lost)
			quarantine(model, part);
		return ret;
	}
	for_each_run(model, part, start, nr)
	{
		model->stats.pages_converted += nr;
		if (part->to == GMS_SHARED)
			memset(model->prepared + start, 0, nr);
	}
	model_flips_after(model, part->start, part->end);
	each_run(model, part, SIM_INVALIDATE_END, 0);
	if (merge)
		merge_all(model, part);
	return 0;
}

/*
 * Unmaps the part from the host and searches for pins, before a change to private. In resumable
 * mode the part ends at a pinned page.
 */
static int search_pins(struct model *model, struct part *part)
{
	uint64_t obstacle;
	bool blind;
	int ret;

	memset(model->covered, 0, model->nr_pages);
	memcpy(model->old_mapped, model->mapped, model->nr_pages);
	ret = model_take(model, 1U << SIM_UNMAP_HOST);
	if (ret)
		return ret;
	check_unmapped(model, part);
	ret = model_take(model, 1U << SIM_CHECK_PINS);
	obstacle = first_obstacle(model, part);
	/*
	 * After a pin was found, the engine may call check_pins again, to name the first pinned
	 * page. If that call fails the result is still -EAGAIN, and err_index is the start.
	 */
	blind = ret && obstacle < part->end && model->engine_ret == -EAGAIN;
	if (ret && !blind)
		return ret;
	/* In resumable mode the engine tries the pages before the pinned one again. */
	ret = part->resumable ? model_take(model, 1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS) : 0;
	if (ret && !blind)
		return ret;
	if (obstacle == part->end)
		return 0;
	part->err_index = obstacle;
	if (part->resumable) {
		memcpy(model->private + obstacle, model->old_private + obstacle,
		       part->end - obstacle);
		part->end = obstacle;
		return -EAGAIN;
	}
	part->err_index = model_first_pin(model, part->start, part->end);
	if (part->err_index == part->end || blind)
		part->err_index = part->start;
	return -EAGAIN;
}

/* Makes one transaction. Sets *changed if a page has changed. */
static int convert_part(struct model *model, struct part *part, bool *changed)
{
	uint64_t quarantined = model_find(model->quarantined, part->start, part->end, 1);
	uint64_t start, nr;
	int pending = 0;
	int ret = 0;

	part->err_index = part->start;
	if (quarantined < part->end) {
		part->err_index = quarantined;
		if (!part->resumable)
			return -ENOTRECOVERABLE;
		pending = -ENOTRECOVERABLE;
		part->end = quarantined;
	}
	if (model_is_all(model->private, part->start, part->end, (uint8_t)part->to))
		return pending;
	memcpy(model->old_private, model->private, model->nr_pages);
	model_flips_before(model, part->start, part->end);
	memset(model->private + part->start, part->to, part->end - part->start);
	if (part->to == GMS_PRIVATE)
		ret = search_pins(model, part);
	if (ret && (ret != -EAGAIN || !part->resumable)) {
		restore(model, part);
		if (ret != -EAGAIN)
			part->err_index = part->start;
		return ret;
	}
	if (ret)
		pending = ret;
	if (!next_run(model, part->start, part->end, &start, &nr))
		return pending;
	ret = change_part(model, part);
	if (ret) {
		restore(model, part);
		part->err_index = part->start;
		return ret;
	}
	*changed = true;
	return pending;
}

int model_convert(struct model *model, uint64_t start, uint64_t nr_pages, int to,
		  unsigned int flags, gms_pgoff_t *err_index)
{
	bool resumable = flags & GMS_CONVERT_RESUMABLE;
	struct part part = {.end = start, .resumable = resumable, .to = to};
	uint64_t end = start + nr_pages;
	bool changed = false;
	int ret;

	if (!model_good_range(model, start, nr_pages) || (to != GMS_SHARED && to != GMS_PRIVATE) ||
	    flags & ~GMS_CONVERT_RESUMABLE) {
		*err_index = start;
		return model_result(model, -EINVAL);
	}
	do {
		part.start = part.end;
		part.end = resumable ? (part.start / MODEL_1G + 1) * MODEL_1G : end;
		if (part.end > end)
			part.end = end;
		ret = convert_part(model, &part, &changed);
	} while (!ret && part.end < end);
	if (changed)
		model->stats.conversions++;
	else if (!ret)
		model->stats.noops++;
	if (ret)
		*err_index = part.err_index;
	return model_result(model, ret);
}
