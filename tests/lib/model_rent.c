// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_rent.c - the rent of split blocks under seven rules, and the rule that the policy adaptive
 * follows, as policy.h describes them
 *
 * Each 2M and each 1G block has a struct model_rent, whether it was ever split or not.
 */
#include "model.h"
#include "test.h"

static const uint64_t tenths[MODEL_NR_RULES] = {0, 1, 3, 10, 30, 100, 0};

/* Returns how long a rule waits before it merges. */
static uint64_t wait_of(unsigned int big, unsigned int rule)
{
	if (rule == MODEL_NR_RULES - 1)
		return UINT64_MAX;
	return (big ? MODEL_MERGE_1G : MODEL_MERGE_2M) * tenths[rule] / 10;
}

static struct model_rent *rent_of(const struct model *model, uint64_t index, unsigned int big)
{
	return big ? &model->rents_1g[index / MODEL_1G] : &model->rents_2m[index / MODEL_2M];
}

static unsigned int order_of(unsigned int big)
{
	return big ? GMS_ORDER_1G : GMS_ORDER_2M;
}

/* Lets the open period of a block count until now, under each rule. */
static void settle(struct model *model, struct model_rent *rent, unsigned int big)
{
	uint64_t time = model->now - rent->since;
	unsigned int i;

	if (!rent->open)
		return;
	rent->since = model->now;
	rent->rested += time;
	for (i = 0; i < MODEL_NR_RULES; i++) {
		const uint64_t wait = wait_of(big, i);

		if (rent->whole[i])
			continue;
		rent->waited[i] += time;
		model->rent_cost[big][i] += time;
		if (rent->waited[i] < wait)
			continue;
		/* merged when it had waited, which may be a while ago */
		model->rent_cost[big][i] -= rent->waited[i] - wait;
		model->rent_cost[big][i] += big ? MODEL_MERGE_1G : MODEL_MERGE_2M;
		rent->whole[i] = true;
	}
}

static void touch_rules(struct model_rent *rent)
{
	unsigned int i;

	for (i = 0; i < MODEL_NR_RULES; i++) {
		if (rent->whole[i])
			rent->waited[i] = 0;
		rent->whole[i] = false;
	}
}

static bool is_private(const struct model *model, uint64_t index, unsigned int big)
{
	return model_summary(model, index, order_of(big)) == GMS_ALL_PRIVATE;
}

static void split(struct model *model, uint64_t index, unsigned int big)
{
	struct model_rent *rent = rent_of(model, index, big);

	touch_rules(rent);
	rent->used = true;
	rent->rested = 0;
	rent->since = model->now;
	rent->open = is_private(model, index, big);
}

void model_rent_split(struct model *model, uint64_t start, unsigned int from, unsigned int to)
{
	uint64_t i;

	if (model->opts.policy != MODEL_ADAPTIVE)
		return;
	if (from == GMS_ORDER_1G)
		split(model, start, 1);
	for (i = start; !to && i < start + (1ULL << from); i += MODEL_2M)
		split(model, i, 0);
}

void model_rent_touch(struct model *model, uint64_t start, uint64_t end)
{
	unsigned int big;
	uint64_t i;

	for (i = start; i < end; i = (i / MODEL_2M + 1) * MODEL_2M)
		for (big = 0; big < 2; big++)
			if (model_summary(model, i, order_of(big)) == GMS_MIXED)
				rent_of(model, i, big)->touched = true;
}

static void change(struct model *model, uint64_t index, unsigned int big)
{
	struct model_rent *rent = rent_of(model, index, big);
	const bool private = is_private(model, index, big);

	if (!rent->used) {
		rent->touched = false;
		return;
	}
	if (rent->open && !private)
		settle(model, rent, big);
	if (!rent->open && private) {
		if (rent->touched)
			touch_rules(rent);
		rent->touched = false;
		rent->since = model->now;
	}
	rent->open = private;
}

/* Calls a function for the 2M blocks and the 1G blocks of a range. */
static void for_each(struct model *model, uint64_t start, uint64_t end,
		     void (*fn)(struct model *model, uint64_t index, unsigned int big))
{
	uint64_t i;

	for (i = start; i < end; i = (i / MODEL_2M + 1) * MODEL_2M)
		fn(model, i, 0);
	for (i = start; i < end; i = (i / MODEL_1G + 1) * MODEL_1G)
		fn(model, i, 1);
}

void model_rent_change(struct model *model, uint64_t start, uint64_t end)
{
	for_each(model, start, end, change);
}

static void free_block(struct model *model, uint64_t index, unsigned int big)
{
	uint64_t start = index >> order_of(big) << order_of(big);
	uint64_t end = start + (1ULL << order_of(big));
	struct model_rent *rent = rent_of(model, index, big);

	if (end > model->nr_pages)
		end = model->nr_pages;
	if (!rent->used || model_find(model->allocated, start, end, 1) < end)
		return;
	settle(model, rent, big);
	memset(rent->whole, 1, sizeof(rent->whole));
	rent->touched = false;
}

void model_rent_free(struct model *model, uint64_t start, uint64_t end)
{
	for_each(model, start, end, free_block);
}

static void settle_block(struct model *model, uint64_t index, unsigned int big)
{
	settle(model, rent_of(model, index, big), big);
}

void model_rent_settle(struct model *model, uint64_t start, uint64_t end)
{
	unsigned int big, i;

	if (model->opts.policy != MODEL_ADAPTIVE)
		return;
	for_each(model, start, end, settle_block);
	for (big = 0; big < 2; big++) {
		const uint64_t *cost = model->rent_cost[big];
		unsigned int best = MODEL_RULE_1;

		for (i = 0; i < MODEL_NR_RULES; i++)
			if (cost[i] < cost[best])
				best = i;
		model->rent_best[big] = best;
	}
}

void model_rent_view(const struct model *model, uint64_t index, struct gms_policy_view *view)
{
	const struct model_rent *small = rent_of(model, index, 0),
				*large = rent_of(model, index, 1);

	view->wait_2m = wait_of(0, model->rent_best[0]);
	view->wait_1g = wait_of(1, model->rent_best[1]);
	view->rest_2m = small->rested + (small->open ? model->now - small->since : 0);
	view->rest_1g = large->rested + (large->open ? model->now - large->since : 0);
}

void model_rent_note(uint64_t *views, const struct gms_policy_view *view)
{
	const uint64_t said[] = {view->index,   view->rest_2m, view->wait_2m,
				 view->rest_1g, view->wait_1g, view->folio_order};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(said) && view->event == GMS_EV_MAINTAIN; i++)
		*views = (*views ^ said[i]) * 0x9e3779b97f4a7c15ULL;
}
