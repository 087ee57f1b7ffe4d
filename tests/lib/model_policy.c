// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_policy.c - the policies a second time, and the splits and merges that they cause
 */
#include "model.h"
#include "test.h"

/* Returns the order of the largest block that is all private, or with @shared_too uniform. */
static unsigned int largest(const struct gms_policy_view *view, bool shared_too)
{
	if (view->s1g == GMS_ALL_PRIVATE || (shared_too && view->s1g == GMS_ALL_SHARED))
		return GMS_ORDER_1G;
	if (view->s2m == GMS_ALL_PRIVATE || (shared_too && view->s2m == GMS_ALL_SHARED))
		return GMS_ORDER_2M;
	return 0;
}

static unsigned int larger(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}

/* Returns true if the block of this order at the page is all private. */
static bool all_private(const struct gms_policy_view *view, unsigned int order)
{
	if (order == GMS_ORDER_4K)
		return view->to == GMS_PRIVATE;
	return (order == GMS_ORDER_1G ? view->s1g : view->s2m) == GMS_ALL_PRIVATE;
}

/* A folio that is not all private is split to 4K, at any event, and only a whole one is made. */
static struct gms_policy_verdict eager_rfc(const struct gms_policy_view *view)
{
	struct gms_policy_verdict verdict = {view->folio_order, true, true};

	if (view->event == GMS_EV_MAINTAIN)
		return verdict;
	if (view->folio_order && !all_private(view, view->folio_order))
		verdict.order = 0;
	else if (view->event == GMS_EV_CONVERT && all_private(view, view->backing_order))
		verdict.order = view->backing_order;
	return verdict;
}

/* A folio that is not all private is split until it is, or is of 4K, at any event. */
static struct gms_policy_verdict eager(const struct gms_policy_view *view)
{
	struct gms_policy_verdict verdict = {view->folio_order, false, false};

	if (view->event == GMS_EV_MAINTAIN)
		return verdict;
	if (largest(view, false) < view->folio_order || view->event == GMS_EV_CONVERT)
		verdict.order = largest(view, false);
	return verdict;
}

static struct gms_policy_verdict eager_nonuniform(const struct gms_policy_view *view)
{
	struct gms_policy_verdict verdict = {view->folio_order, false, false};

	if (view->event == GMS_EV_MAINTAIN)
		return verdict;
	if (largest(view, true) < view->folio_order || view->event == GMS_EV_CONVERT)
		verdict.order = largest(view, true);
	return verdict;
}

static struct gms_policy_verdict lazy_4k(const struct gms_policy_view *view)
{
	const bool touch = view->event == GMS_EV_FAULT && view->accessor == GMS_HOST;

	return (struct gms_policy_verdict) {touch ? 0 : view->folio_order, true, false};
}

static struct gms_policy_verdict lazy(const struct gms_policy_view *view)
{
	struct gms_policy_verdict verdict = {view->folio_order, false, false};
	bool mixed =
		view->folio_order == GMS_ORDER_1G ? view->s1g == GMS_MIXED : view->s2m == GMS_MIXED;

	if (view->event == GMS_EV_FAULT && view->accessor == GMS_HOST && mixed)
		verdict.order = view->s2m == GMS_ALL_SHARED ? GMS_ORDER_2M : 0;
	return verdict;
}

static struct gms_policy_verdict adaptive(const struct gms_policy_view *view)
{
	bool waited_2m = view->s2m == GMS_ALL_PRIVATE && view->rest_2m >= view->wait_2m,
	     waited_1g = view->s1g == GMS_ALL_PRIVATE && view->rest_1g >= view->wait_1g;
	struct gms_policy_verdict verdict = {view->folio_order, false, !waited_2m};

	if (view->event != GMS_EV_MAINTAIN)
		return lazy(view);
	verdict.order = larger(view->folio_order, waited_2m ? GMS_ORDER_2M : 0);
	if (waited_1g)
		verdict.order = GMS_ORDER_1G;
	return verdict;
}

/* Queries the policy about a page. */
static struct gms_policy_verdict decide(struct model *model, uint64_t index,
					const struct model_event *event)
{
	static struct gms_policy_verdict (*const policies[])(const struct gms_policy_view *) = {
		eager_rfc, eager, eager_nonuniform, lazy_4k, lazy, adaptive,
	};
	const struct model_block *block = &model->blocks[index / MODEL_1G];
	unsigned int order = model->order[index];
	struct gms_policy_verdict verdict;
	struct gms_policy_view view = {
		.event = event->event,
		.accessor = event->accessor,
		.to = event->to,
		.index = index,
		.folio_index = index >> order << order,
		.folio_order = order,
		.s2m = model_summary(model, index, GMS_ORDER_2M),
		.s1g = model_summary(model, index, GMS_ORDER_1G),
		.flips = block->flips,
		.now = model->now,
		.since = block->since,
		.backing_order = model_natural(model, index),
	};

	model_rent_view(model, index, &view);
	if (model->opts.policy == MODEL_ADAPTIVE) /* no other one decides GMS_EV_MAINTAIN */
		model_rent_note(&model->views, &view);

	verdict = policies[model->opts.policy](&view);
	if (verdict.order > event->cap) {
		verdict.order = event->cap;
		verdict.uniform = false;
	}
	return verdict;
}

static void split_to(struct model *model, uint64_t index, unsigned int order)
{
	unsigned int from = model->order[index];
	uint64_t start = index >> from << from;

	model_rent_split(model, start, from, order);
	memset(model->order + start, (int)order, 1ULL << from);
	if (from == GMS_ORDER_1G)
		model->stats.splits_1g++;
	else
		model->stats.splits_2m++;
}

/*
 * Splits the folio at a page until the policy wants no further split. Returns 0, -EAGAIN if a pin
 * prevents a split, or the error of the hook.
 */
int model_split(struct model *model, uint64_t index, const struct model_event *event)
{
	for (;;) {
		unsigned int from = model->order[index];
		uint64_t start = index >> from << from;
		uint64_t end = start + (1ULL << from);
		struct gms_policy_verdict verdict;
		int ret = -EAGAIN;

		if (!model->allocated[index] || !from)
			return 0;
		verdict = decide(model, index, event);
		if (verdict.order >= from)
			return 0;
		model->blocks[index / MODEL_1G].visit = model->opts.policy == MODEL_ADAPTIVE;
		if (model_first_pin(model, start, end) == end)
			ret = model_take(model, 1U << SIM_CHECK_PINS);
		if (ret == -EAGAIN)
			model->stats.splits_deferred++;
		/* A non-uniform split of a 1G goes to 2M first. */
		if (from == GMS_ORDER_1G && !verdict.uniform)
			verdict.order = GMS_ORDER_2M;
		if (!ret)
			ret = model_hook(model, SIM_FOLIO_SPLIT, start, 1ULL << from, from,
					 verdict.order);
		if (ret || model->why)
			return ret;
		split_to(model, index, verdict.order);
	}
}

/* Returns true if the policy wants a larger folio at the page. */
bool model_wants_merge(struct model *model, uint64_t index, const struct model_event *event)
{
	return model->allocated[index] && decide(model, index, event).order > model->order[index];
}

/*
 * Merges the splits of a call that failed. The order of the merges is not specified. A merge that
 * is refused leaves the folios split.
 */
void model_undo_splits(struct model *model)
{
	bool refused = false;

	for (; model->next < model->nr_calls && model->calls[model->next].hook == SIM_FOLIO_MERGE;
	     model->next++) {
		const struct sim_call *call = &model->calls[model->next];

		if (call->ret) {
			refused = true;
			model->stats.merges_refused++;
			continue;
		}
		model_set_order(model, call->start, call->to);
		/* The split no longer counts. */
		if (call->to == GMS_ORDER_1G)
			model->stats.splits_1g--;
		else
			model->stats.splits_2m--;
	}
	if (!refused && memcmp(model->order, model->old_order, model->nr_pages))
		model_differs(model, "folios are still split after a failure");
}

/* Merges the block to one folio, if it is allocated, no page is pinned, and the hook agrees. */
int model_merge_to(struct model *model, uint64_t index, unsigned int order)
{
	uint64_t start = index >> order << order;
	uint64_t end = start + (1ULL << order);
	unsigned int from;

	if (order > model_natural(model, index) || !model_is_all(model->allocated, start, end, 1))
		return -ENOENT;
	from = model_is_all(model->order, start, end, GMS_ORDER_2M) ? GMS_ORDER_2M : 0;
	if (model_first_pin(model, start, end) < end ||
	    model_hook(model, SIM_FOLIO_MERGE, start, 1ULL << order, from, order)) {
		model->stats.merges_refused++;
		return -EBUSY;
	}
	model_set_order(model, index, order);
	if (order == GMS_ORDER_1G)
		model->stats.merges_1g++;
	else
		model->stats.merges_2m++;
	return 0;
}

/*
 * Merges the folios at a page as far as the policy wants and as far as they are allocated.
 * Returns the end of the merged folio; without a merge, the end of the huge folio or 2M.
 */
uint64_t model_merge(struct model *model, uint64_t index, const struct model_event *event,
		     uint64_t *merges)
{
	unsigned int order = model->order[index];
	struct gms_policy_verdict verdict = {order, false, false};
	unsigned int want;
	int ret = -ENOENT;

	if (model->allocated[index])
		verdict = decide(model, index, event);
	for (want = verdict.order; want > order; want -= GMS_ORDER_2M) {
		/* A merge to 1G that fails is not tried again in the pass. */
		if (want < GMS_ORDER_1G || model->no_1g != index / MODEL_1G + 1)
			ret = model_merge_to(model, index, want);
		if (ret && want == GMS_ORDER_1G)
			model->no_1g = index / MODEL_1G + 1;
		if (!ret || verdict.exact)
			break;
	}
	*merges += !ret;
	if (!ret)
		order = want;
	if (order < GMS_ORDER_2M)
		order = GMS_ORDER_2M;
	return ((index >> order) + 1) << order;
}
