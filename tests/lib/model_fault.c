// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_fault.c - faults, allocation and pins as fault.h describes them
 */
#include "model.h"
#include "test.h"

/* Splits as the policy says. A split that a pin prevents is deferred, and is no error. */
static int split(struct model *model, uint64_t index, enum gms_event event,
		 enum gms_accessor accessor)
{
	const struct model_event what = {
		event, accessor, (enum gms_shareability)model->private[index], GMS_ORDER_1G};
	int ret = model_split(model, index, &what);

	return ret == -EAGAIN ? 0 : ret;
}

/* Splits each part of [start, end), which has just been allocated, as the policy says. */
static int split_fresh(struct model *model, uint64_t start, uint64_t end,
		       enum gms_accessor accessor)
{
	unsigned int order;
	int ret = 0;

	for (; start < end && !ret && !model->why; start += 1ULL << order) {
		ret = split(model, start, GMS_EV_ALLOCATE, accessor);
		order = model->order[start];
	}
	return ret;
}

/* Allocates the folio at a page, if there is none, and splits it as the policy says. */
static int allocate_at(struct model *model, uint64_t index, enum gms_accessor accessor, bool *fresh)
{
	unsigned int order = model->order[index];
	uint64_t start = index >> order << order;
	int ret;

	*fresh = false;
	if (model->allocated[index])
		return 0;
	ret = model_hook(model, SIM_FOLIO_ALLOC, start, 1ULL << order, order, 0);
	if (ret || model->why)
		return ret;
	*fresh = true;
	model->stats.folios_allocated++;
	memset(model->allocated + start, 1, 1ULL << order);
	return split_fresh(model, start, start + (1ULL << order), accessor);
}

static int refuse(const struct model *model, uint64_t index, enum gms_accessor accessor)
{
	if (model->quarantined[index])
		return -ENOTRECOVERABLE;
	return accessor == GMS_HOST && model->private[index] ? -EACCES : 0;
}

/*
 * Records that the host may map the folio at @index. It may have mapped a larger folio before. If
 * not, it touches the pages of the folio from @index to @end.
 */
static void expose(struct model *model, uint64_t index, uint64_t end)
{
	unsigned int order = model->order[index];
	uint64_t i = index >> order << order;
	uint64_t next = i + (1ULL << order);
	bool fresh = false;

	for (; i < next; i++) {
		if (model->mapped[i] > order)
			continue;
		model->mapped[i] = (uint8_t)(1 + order);
		fresh = true;
	}
	if (fresh)
		model_rent_touch(model, index, next < end ? next : end);
}

/* Returns true if the guest may map the block of this order. */
static bool guest_may(const struct model *model, uint64_t index, unsigned int order)
{
	uint64_t start = index >> order << order;
	uint64_t end = start + (1ULL << order);
	uint64_t i;

	if (end > model->nr_pages || model_summary(model, index, order) == GMS_MIXED ||
	    !model_is_all(model->attrs, start, end, model->attrs[index]))
		return false;
	for (i = start; i < end; i++) {
		if (model->limit[i] < order)
			return false;
	}
	return true;
}

static bool host_may(const struct model *model, uint64_t index, unsigned int order)
{
	return model_is_complete(model, index, order) &&
	       model_summary(model, index, order) == GMS_ALL_SHARED;
}

/* Returns true if a mapping of this order would cover a quarantined page. */
static bool is_partly_quarantined(const struct model *model, uint64_t index, unsigned int order)
{
	uint64_t start = index >> order << order;
	uint64_t end = start + (1ULL << order);

	return model_find(model->quarantined, start, end, 1) < end;
}

static void fill_in(const struct model *model, uint64_t index, enum gms_accessor accessor,
		    struct gms_fault *fault)
{
	unsigned int order = model->order[index];
	uint64_t start;

	fault->folio_order = order;
	fault->folio_index = index >> order << order;
	while (order && (is_partly_quarantined(model, index, order) ||
			 !(accessor == GMS_HOST ? host_may(model, index, order)
						: guest_may(model, index, order))))
		order -= GMS_ORDER_2M;
	fault->max_order = order;
	start = index >> order << order;
	fault->prepared = model->private[index] &&
			  model_is_all(model->prepared, start, start + (1ULL << order), 1);
}

int model_fault_begin(struct model *model, uint64_t index, int accessor, struct gms_fault *fault)
{
	bool fresh;
	int ret;

	if (index >= model->nr_pages || (accessor != GMS_HOST && accessor != GMS_GUEST))
		return model_result(model, -EINVAL);
	ret = refuse(model, index, (enum gms_accessor)accessor);
	if (!ret)
		ret = allocate_at(model, index, (enum gms_accessor)accessor, &fresh);
	if (!ret)
		ret = split(model, index, GMS_EV_FAULT, (enum gms_accessor)accessor);
	if (ret)
		return model_result(model, ret);
	if (accessor == GMS_HOST) {
		expose(model, index, index + 1);
		model->stats.faults_host++;
	} else {
		model->stats.faults_guest++;
	}
	fill_in(model, index, (enum gms_accessor)accessor, fault);
	fault->fresh = fresh;
	return 0;
}

/* Returns the order of the largest block that begins here and has no prepared page. */
static unsigned int unprepared_order(const struct model *model, uint64_t start, unsigned int most)
{
	unsigned int order;

	for (order = most; order; order -= GMS_ORDER_2M) {
		if (start % (1ULL << order) == 0 &&
		    model_is_all(model->prepared, start, start + (1ULL << order), 0))
			break;
	}
	return order;
}

int model_fault_prepare(struct model *model, uint64_t index, int accessor, struct gms_fault *fault)
{
	uint64_t i = index >> fault->max_order << fault->max_order;
	uint64_t end = i + (1ULL << fault->max_order);
	uint64_t nr;
	int ret;

	if (accessor == GMS_HOST)
		return model_result(model, -EINVAL);
	if (!model->private[index])
		return 0;
	for (; i < end; i += nr) {
		unsigned int order = unprepared_order(model, i, fault->max_order);

		nr = 1ULL << order;
		if (model->prepared[i])
			continue;
		ret = model_hook(model, SIM_PREPARE, i, nr, order, 0);
		if (ret || model->why)
			return model_result(model, ret);
		memset(model->prepared + i, 1, nr);
		model->stats.prepares++;
	}
	fault->prepared = true;
	return 0;
}

int model_allocate(struct model *model, uint64_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	uint64_t i;
	bool fresh;
	int ret;

	*err_index = start;
	if (!model_good_range(model, start, nr_pages))
		return model_result(model, -EINVAL);
	for (i = start; i < start + nr_pages; i++) {
		ret = allocate_at(model, i, GMS_HOST, &fresh);
		if (ret || model->why) {
			*err_index = i;
			return model_result(model, ret);
		}
	}
	return 0;
}

/* Touches the pages of a pin in one 1G block: allocates them all, then splits their folios. */
static int touch(struct model *model, uint64_t start, uint64_t end, gms_pgoff_t *err_index)
{
	uint64_t i;
	bool fresh;
	int ret;

	for (i = start; i < end; i++) {
		*err_index = i;
		ret = allocate_at(model, i, GMS_HOST, &fresh);
		if (ret || model->why)
			return ret;
	}
	/* The policy is queried once for each folio. */
	for (i = start; i < end; i = ((i >> model->order[i]) + 1) << model->order[i]) {
		*err_index = i;
		ret = split(model, i, GMS_EV_FAULT, GMS_HOST);
		if (ret || model->why)
			return ret;
	}
	for (i = start; i < end; i = ((i >> model->order[i]) + 1) << model->order[i])
		expose(model, i, end);
	return 0;
}

int model_pin(struct model *model, uint64_t start, uint64_t nr_pages, gms_pgoff_t *err_index)
{
	uint64_t end = start + nr_pages;
	uint64_t i, next;
	int ret;

	*err_index = start;
	if (!model_good_range(model, start, nr_pages))
		return model_result(model, -EINVAL);
	for (i = start; i < end; i++) {
		*err_index = i;
		ret = refuse(model, i, GMS_HOST);
		if (ret)
			return model_result(model, ret);
	}
	for (i = start; i < end; i = next) {
		next = (i / MODEL_1G + 1) * MODEL_1G;
		ret = touch(model, i, next < end ? next : end, err_index);
		if (ret || model->why)
			return model_result(model, ret);
	}
	for (i = start; i < end; i++) {
		model->pins[i]++;
		model->pinned[i] = 1;
	}
	return 0;
}

void model_unpin(struct model *model, uint64_t start, uint64_t nr_pages)
{
	uint64_t i;

	if (!model_good_range(model, start, nr_pages)) {
		model->stats.surplus_unpins++;
		return;
	}
	for (i = start; i < start + nr_pages; i++) {
		if (model->pins[i])
			model->pins[i]--;
		else
			model->stats.surplus_unpins++;
		model->pinned[i] = model->pins[i] != 0;
	}
}
