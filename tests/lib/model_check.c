// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model_check.c - compares the engine with the model
 */
#include "model.h"
#include "test.h"
#include "twin.h"

#define differs(index, what, got, want)                                                         \
	twin_say("page %#llx: %s is %llu, should be %llu", (unsigned long long)(index), (what), \
		 (unsigned long long)(got), (unsigned long long)(want))

static const char *compare_page(const struct model *model, const struct gms_state *state,
				uint64_t i)
{
	const struct {
		const char *what;
		uint64_t got, want;
	} answers[] = {
		{"is_private", gms_is_private(state, i), model->private[i]},
		{"is_allocated", gms_is_allocated(state, i), model->allocated[i]},
		{"is_prepared", gms_is_prepared(state, i), model->prepared[i]},
		{"folio_order", gms_folio_order(state, i), model->order[i]},
		{"is_quarantined", gms_is_quarantined(state, i), model->quarantined[i]},
		{"first_pin", gms_first_pin(state, i, 1, NULL), model->pins[i] != 0},
		{"attr_test(0)", gms_attr_test(state, 0, i), model->attrs[i] & 1U},
		{"attr_test(1)", gms_attr_test(state, 1, i), model->attrs[i] >> 1 & 1U},
	};
	size_t k;

	for (k = 0; k < ARRAY_SIZE(answers); k++) {
		if (answers[k].got != answers[k].want)
			return differs(i, answers[k].what, answers[k].got, answers[k].want);
	}
	return NULL;
}

static const char *compare_block(const struct model *model, const struct gms_state *state,
				 uint64_t i)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	size_t k;

	for (k = 0; k < ARRAY_SIZE(orders); k++) {
		enum gms_summary got = gms_summary(state, i, orders[k]);
		enum gms_summary want = model_summary(model, i, orders[k]);

		if (got != want)
			return differs(i, "summary", got, want);
	}
	if (gms_max_order(state, i) != model_max_order(model, i))
		return differs(i, "max_order", gms_max_order(state, i), model_max_order(model, i));
	return NULL;
}

static const char *compare_pins(const struct model *model, const struct gms_state *state,
				uint64_t start, uint64_t end)
{
	gms_pgoff_t got = end;
	uint64_t want = model_first_pin(model, start, end);

	if (gms_first_pin(state, start, end - start, &got) != (want < end) || got != want)
		return differs(start, "first_pin of a range", got, want);
	return NULL;
}

static const char *compare_counts(const struct model *model, const struct gms_state *state,
				  uint64_t start, uint64_t end)
{
	uint64_t got = gms_count(state, start, end - start, GMS_PRIVATE);
	uint64_t want = 0;
	uint64_t i;

	for (i = start; i < end; i++)
		want += model->private[i];
	if (got != want)
		return differs(start, "count", got, want);
	if (gms_count(state, start, end - start, GMS_SHARED) != end - start - want)
		return differs(start, "count of shared pages",
			       gms_count(state, start, end - start, GMS_SHARED),
			       end - start - want);
	if (gms_range_is(state, start, end - start, GMS_PRIVATE) != (want == end - start))
		return differs(start, "range_is", want != end - start, want == end - start);
	return NULL;
}

/* The runs of a range must ascend, leave no gap, and be as long as possible. */
static const char *compare_runs(const struct model *model, const struct gms_state *state,
				uint64_t start, uint64_t end)
{
	struct gms_iter iter;
	struct gms_run run;
	uint64_t next;

	gms_iter_init(&iter, state, start, end - start);
	for (; start < end; start = next) {
		next = model_find(model->private, start, end, !model->private[start]);
		if (!gms_iter_next(&iter, &run))
			return differs(start, "a missing run", 0, next - start);
		if (run.start != start || run.nr_pages != next - start ||
		    run.shareability != model->private[start])
			return differs(start, "a run", run.nr_pages, next - start);
	}
	return gms_iter_next(&iter, &run) ? "a run past the end" : NULL;
}

/* Compares three pages at each end of the range, and at each end of each 2M in and around it. */
const char *model_compare_near(const struct model *model, struct gms_state *state, uint64_t start,
			       uint64_t nr_pages)
{
	uint64_t end = nr_pages > model->nr_pages - start ? model->nr_pages : start + nr_pages;
	uint64_t low = start / MODEL_2M * MODEL_2M;
	uint64_t high = end + MODEL_2M < model->nr_pages ? end + MODEL_2M : model->nr_pages;
	const char *why = NULL;
	uint64_t i;

	for (i = low; i < high && !why; i++) {
		bool edge = i % MODEL_2M < 3 || i % MODEL_2M > MODEL_2M - 4;

		if (!edge && (i + 3 < start || i > start + 3) && (i + 3 < end || i > end + 3))
			continue;
		why = compare_page(model, state, i);
		if (!why && (i == start || i + 1 == end))
			why = compare_block(model, state, i);
	}
	if (!why)
		why = compare_counts(model, state, start, end);
	if (!why)
		why = compare_pins(model, state, start, end);
	return why ? why : compare_runs(model, state, low, high);
}

const char *model_compare_all(const struct model *model, struct gms_state *state)
{
	const char *why = NULL;
	uint64_t i;

	for (i = 0; i < model->nr_pages && !why; i++)
		why = compare_page(model, state, i);
	for (i = 0; i < model->nr_pages && !why; i += MODEL_2M)
		why = compare_block(model, state, i);
	if (!why)
		why = compare_counts(model, state, 0, model->nr_pages);
	if (!why)
		why = compare_pins(model, state, 0, model->nr_pages);
	return why ? why : compare_runs(model, state, 0, model->nr_pages);
}

/* Compares what neither an operation on other pages nor gms_state_destroy() changes. */
static const char *compare_kept(const struct model *model, const struct gms_state *state,
				uint64_t i)
{
	if (gms_is_private(state, i) != model->private[i])
		return differs(i, "is_private, in a hook", !model->private[i], model -> private[i]);
	if (gms_is_quarantined(state, i) != model->quarantined[i])
		return differs(i, "is_quarantined, in a hook", !model->quarantined[i],
			       model->quarantined[i]);
	for (unsigned int id = 0; id < MODEL_NR_ATTRS; id++) {
		const bool want = model->attrs[i] >> id & 1U;

		if (gms_attr_test(state, id, i) != want)
			return differs(i, "attr_test, in a hook", !want, want);
	}
	if (gms_first_pin(state, i, 1, NULL) != (model->pins[i] != 0))
		return differs(i, "first_pin, in a hook", !model->pins[i], model->pins[i] != 0);
	return NULL;
}

const char *model_compare_inside(const struct model *model, const struct gms_state *state,
				 uint64_t start, uint64_t nr_pages)
{
	const char *why = NULL;

	if (!model_good_range(model, start, nr_pages))
		return NULL;
	if (start)
		why = compare_kept(model, state, start - 1);
	if (!why && start + nr_pages < model->nr_pages)
		why = compare_kept(model, state, start + nr_pages);
	return why;
}

const char *model_compare_ending(const struct model *model, const struct gms_state *state,
				 const struct sim_call *call)
{
	const uint64_t block = call->start / MODEL_1G * MODEL_1G;
	const uint64_t freed = call->hook == SIM_BLOCK_FREED ? block + MODEL_1G : block;
	const uint64_t start = call->start / MODEL_2M * MODEL_2M;
	const uint64_t end =
		start + MODEL_2M < model->nr_pages ? start + MODEL_2M : model->nr_pages;
	const char *why = compare_kept(model, state, call->start);

	if (!why)
		why = compare_block(model, state, call->start);
	if (!why)
		why = compare_counts(model, state, start, end);
	if (!why)
		why = compare_pins(model, state, start, end);
	if (!why)
		why = compare_runs(model, state, start, end);
	/* 1G blocks are freed in ascending order: pages behind the current one are allocated. */
	for (uint64_t i = 0; i < model->nr_pages && !why; i += i < freed ? 61 : 4099) {
		const bool want = i >= freed && model->allocated[i];

		if ((i < freed || i >= block + MODEL_1G) && gms_is_allocated(state, i) != want)
			why = differs(i, "is_allocated, at the end", !want, want);
		else if (i < freed && gms_folio_order(state, i) != model_natural(model, i))
			why = differs(i, "folio_order, at the end", gms_folio_order(state, i),
				      model_natural(model, i));
	}
	return why;
}

#define FIELD(name)                                     \
	{                                               \
#name, offsetof(struct gms_stats, name) \
	}

/* clang-format off */
static const struct {
	const char *name;
	size_t at;
} fields[] = {
	FIELD(conversions), FIELD(pages_converted), FIELD(noops),
	FIELD(refused_inval), FIELD(refused_nomem), FIELD(refused_access),
	FIELD(refused_pinned), FIELD(refused_quarantined), FIELD(refused_deadlock),
	FIELD(refused_backend), FIELD(faults_host), FIELD(faults_guest),
	FIELD(folios_allocated), FIELD(folios_freed), FIELD(blocks_freed), FIELD(prepares),
	FIELD(splits_1g), FIELD(splits_2m), FIELD(merges_1g), FIELD(merges_2m),
	FIELD(splits_deferred), FIELD(merges_refused), FIELD(undone),
	FIELD(quarantined_pages), FIELD(surplus_unpins),
};
/* clang-format on */

const char *model_compare_stats(const struct model *model, const struct gms_state *state)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	uint64_t got, want;
	size_t k;

	gms_stats_read(state, &stats);
	for (k = 0; k < ARRAY_SIZE(fields); k++) {
		memcpy(&got, (const char *)&stats + fields[k].at, sizeof(got));
		memcpy(&want, (const char *)&model->stats + fields[k].at, sizeof(want));
		if (got != want)
			return twin_say("stats: %s is %llu, should be %llu", fields[k].name,
					(unsigned long long)got, (unsigned long long)want);
	}
	return NULL;
}
