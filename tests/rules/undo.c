// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undo.c - proves that a conversion is undone if a hook fails, and quarantined if the undo fails
 *
 * Tests rules 14, 16, 31 and 39. Under each policy, each call of each hook fails in turn, if the
 * hook may fail. The steps before are undone in reverse, and nothing has changed. If the undo
 * fails as well, the range is quarantined until it is repaired.
 */
#include "rig.h"

#define NR_PAGES (T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};

/* Makes an object in which [10, 20), [30, 40) and [1000, 1600) are private. */
static void init_with_private_runs(struct rig *rig)
{
	rig_init(rig, &all_shared);
	rig_convert(rig, 10, 10, GMS_PRIVATE);
	rig_convert(rig, 30, 10, GMS_PRIVATE);
	rig_convert(rig, 1000, 600, GMS_PRIVATE);
	rig_forget(rig);
}

/* Rule 16: the runs that were applied are undone, the last first, before invalidate_end. */
static void rule_16_applied_runs_are_undone_in_reverse(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	init_with_private_runs(&rig);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 2, 1, -EFAULT);
	rig_convert_fails(&rig, 0, 2000, GMS_PRIVATE, 0, -EFAULT, 0);
	rig_expect_calls(&rig, 1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS | 1U << SIM_ZAP_GUEST,
			 BEGIN(0, 10), BEGIN(20, 10), BEGIN(40, 960), BEGIN(1600, 400),
			 APPLY(0, 10, GMS_PRIVATE), APPLY(20, 10, GMS_PRIVATE),
			 APPLY(40, 960, GMS_PRIVATE), UNDO(20, 10, GMS_SHARED),
			 UNDO(0, 10, GMS_SHARED), END(0, 10), END(20, 10), END(40, 960),
			 END(1600, 400));
	rig_image_same(&image, &rig);
	assert_int_equal(rig_stats(&rig).undone, 1);
	assert_int_equal(rig_stats(&rig).refused_backend, 1);
	assert_int_equal(rig_stats(&rig).conversions, 3);
	rig_convert(&rig, 0, 2000, GMS_PRIVATE);
	rig_image_free(&image);
	rig_fini(&rig);
}

/* Rule 16: of a run that was applied in part, that part is undone. */
static void rule_16_a_run_applied_in_part_is_undone_in_part(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	init_with_private_runs(&rig);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 2, 1, -EFAULT);
	sim_refuse_after(rig.sim, 7);
	rig_convert_fails(&rig, 0, 2000, GMS_PRIVATE, 0, -EFAULT, 0);
	rig_expect_calls(&rig, ~(1U << SIM_UNDO), UNDO(40, 7, GMS_SHARED), UNDO(20, 10, GMS_SHARED),
			 UNDO(0, 10, GMS_SHARED));
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

static void init_two_folios(struct rig *rig)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = GMS_ORDER_2M,
		.init_private = true,
		.policy = gms_policy_eager(),
	};

	rig_init(rig, &opts);
	rig_faults(rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(rig, T_2M, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_forget(rig);
}

/* Rule 16: folios that were split are merged, the last first, after invalidate_end. */
static void rule_16_splits_are_undone_in_reverse(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	init_two_folios(&rig);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EFAULT);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, 0, -EFAULT, T_2M - 8);
	rig_expect_calls(&rig, 1U << SIM_CHECK_PINS, SPLIT(0, 9, 0), SPLIT(T_2M, 9, 0),
			 BEGIN(T_2M - 8, 16), ZAP(T_2M - 8, 16, GMS_PRIVATE),
			 APPLY(T_2M - 8, 16, GMS_SHARED), END(T_2M - 8, 16), MERGE(T_2M, 0, 9),
			 MERGE(0, 0, 9));
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	assert_int_equal(rig_stats(&rig).undone, 1);
	rig_fini(&rig);
}

/* Rule 16: if a split is refused, the splits before it are merged. Nothing else was begun. */
static void rule_16_a_refused_split_undoes_those_before_it(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	init_two_folios(&rig);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 1, 1, -ENOSPC);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, 0, -ENOSPC, T_2M - 8);
	rig_expect_calls(&rig, 1U << SIM_CHECK_PINS, SPLIT(0, 9, 0), SPLIT(T_2M, 9, 0),
			 MERGE(0, 0, 9));
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

/* Rule 17: the folio that cannot be split because it is in use is named, as a pinned page is. */
static void rule_17_a_folio_in_use_is_named(void **unused)
{
	struct rig rig;

	(void)unused;
	init_two_folios(&rig);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EAGAIN);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, 0, -EAGAIN, T_2M - 8);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 1, 1, -EAGAIN);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, 0, -EAGAIN, T_2M);
	assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_PRIVATE));
	/* a resumable conversion converts the pages before it */
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 1, 1, -EAGAIN);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, GMS_CONVERT_RESUMABLE, -EAGAIN, T_2M);
	assert_true(gms_range_is(rig.state, T_2M - 8, 8, GMS_SHARED));
	assert_true(gms_range_is(rig.state, T_2M, T_2M, GMS_PRIVATE));
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rules 16 and 31: if the backend refuses to merge a folio again, the folio stays split. */
static void rule_16_a_refused_merge_is_no_quarantine(void **unused)
{
	struct rig rig;

	(void)unused;
	init_two_folios(&rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_FOLIO_MERGE, 0, 3, -EFAULT);
	rig_convert_fails(&rig, T_2M - 8, 16, GMS_SHARED, 0, -EFAULT, T_2M - 8);
	assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_PRIVATE));
	assert_int_equal(gms_folio_order(rig.state, 0), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).merges_refused, 2);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
	rig_fini(&rig);
}

/* ---- positive values ---- */

static int range_is_7(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx, (void)start, (void)nr_pages;
	return 7;
}

static int pins_are_7(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	(void)ctx, (void)start, (void)nr_pages, (void)pinned;
	return 7;
}

static int apply_is_7(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	(void)ctx, (void)start, (void)nr_pages, (void)to, (void)failed;
	return 7;
}

static int block_is_7(void *ctx, gms_pgoff_t start, unsigned int order)
{
	(void)ctx, (void)start, (void)order;
	return 7;
}

static int change_is_7(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)ctx, (void)index, (void)from, (void)to;
	return 7;
}

static void tune_unmap(struct gms_backend_ops *ops)
{
	ops->unmap_host = range_is_7;
}

static void tune_pins(struct gms_backend_ops *ops)
{
	ops->check_pins = pins_are_7;
}

static void tune_apply(struct gms_backend_ops *ops)
{
	ops->apply = apply_is_7;
}

static void tune_alloc(struct gms_backend_ops *ops)
{
	ops->folio_alloc = block_is_7;
}

static void tune_prepare(struct gms_backend_ops *ops)
{
	ops->prepare = block_is_7;
}

static void tune_split(struct gms_backend_ops *ops)
{
	ops->folio_split = change_is_7;
}

/* Rule 16 and backend.h: a positive value of any hook counts as -EIO. */
static void rule_16_a_positive_value_is_eio(void **unused)
{
	static void (*const conversions[])(struct gms_backend_ops * ops) = {tune_unmap, tune_pins,
									    tune_apply};
	struct rig_opts opts = all_shared;
	struct gms_fault fault;
	struct rig rig;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(conversions); i++) {
		opts.tune = conversions[i];
		rig_init(&rig, &opts);
		rig_convert_fails(&rig, 5, T_1G, GMS_PRIVATE, 0, -EIO, 5);
		assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_SHARED));
		assert_int_equal(rig_stats(&rig).refused_backend, 1);
		rig_fini(&rig);
	}
	opts.tune = tune_alloc;
	rig_init(&rig, &opts);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), -EIO);
	assert_false(gms_is_allocated(rig.state, 5));
	rig_fini(&rig);
	opts.init_private = true;
	opts.policy = gms_policy_eager();
	opts.tune = tune_prepare;
	rig_init(&rig, &opts);
	assert_int_equal(rig_fault(&rig, 5, GMS_GUEST, &fault), -EIO);
	assert_false(gms_is_prepared(rig.state, 5));
	rig_fini(&rig);
	opts.tune = tune_split;
	rig_init(&rig, &opts);
	assert_int_equal(rig_fault(&rig, 5, GMS_GUEST, &fault), 0);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, 0, -EIO, 5);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* ---- each call fails in turn ---- */

/*
 * Makes an object in which a conversion of [5, NR_PAGES) changes four runs. Its blocks are
 * uniform and mixed, with and without folios.
 */
static void init_big(struct rig *rig, const struct gms_policy_ops *policy, unsigned int order,
		     enum gms_shareability to)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = order,
		.init_private = to == GMS_SHARED,
		.policy = policy,
	};
	enum gms_accessor accessor = to == GMS_SHARED ? GMS_GUEST : GMS_HOST;
	struct gms_fault fault;
	const uint64_t faults[] = {0, 9 * T_2M + 7, T_1G + 1, T_1G + T_2M};
	size_t i;

	rig_init(rig, &opts);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		assert_int_equal(rig_fault(rig, faults[i], accessor, &fault), 0);
	rig_convert(rig, 10, 10, to);
	rig_convert(rig, 3 * T_2M + 5, T_2M + 4, to);
	rig_convert(rig, T_1G + 3, 4, to);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		assert_int_equal(rig_fault(rig, faults[i], accessor, &fault), 0);
	rig_check(rig);
	rig_forget(rig);
}

#define BIG_START 5ULL
#define BIG_PAGES (NR_PAGES - BIG_START)
#define BIG_RUNS 4U

static const struct {
	uint64_t start, end;
} big_runs[BIG_RUNS] = {
	{BIG_START, 10},
	{20, 3 * T_2M + 5},
	{4 * T_2M + 9, T_1G + 3},
	{T_1G + 7, NR_PAGES},
};

/* Valgrind runs some of the cases only. */
static unsigned int slower(unsigned int step, unsigned int on_valgrind)
{
	return test_on_valgrind() ? on_valgrind : step;
}

/* Returns the hook that failed with @err. */
static enum sim_hook refused(struct rig *rig, int err)
{
	const struct sim_call *calls;
	size_t count, i;

	calls = sim_calls(rig->sim, &count);
	for (i = 0; i < count; i++) {
		if (calls[i].ret == err)
			return calls[i].hook;
	}
	fail_msg("no hook has failed");
	return SIM_NR_HOOKS;
}

/* Makes each hook of the conversion fail in turn. Returns the hooks that failed. */
static unsigned int fail_each_call(const struct gms_policy_ops *policy, unsigned int order,
				   enum gms_shareability to)
{
	uint64_t skip, stride = slower(1, 3);
	unsigned int hooks = 0;
	struct rig_image image;
	struct gms_stats before, after;
	struct rig rig;

	init_big(&rig, policy, order, to);
	rig_image_take(&image, &rig);
	before = rig_stats(&rig);
	for (skip = 0;; skip += stride) {
		gms_pgoff_t err_index = UINT64_MAX;
		int rc;

		sim_refuse(rig.sim, RIG_FALLIBLE, skip, 1, -ENXIO);
		rc = gms_convert(rig.state, BIG_START, BIG_PAGES, to, 0, &err_index);
		if (!rc)
			break;
		assert_int_equal(rc, -ENXIO);
		assert_int_equal(err_index, BIG_START);
		hooks |= 1U << refused(&rig, -ENXIO);
		rig_image_same(&image, &rig);
		rig_check(&rig);
		rig_forget(&rig);
	}
	after = rig_stats(&rig);
	assert_int_equal(after.refused_backend - before.refused_backend, skip / stride);
	assert_int_equal(after.conversions - before.conversions, 1);
	assert_int_equal(after.quarantined_pages, 0);
	assert_true(gms_range_is(rig.state, BIG_START, BIG_PAGES, to));
	rig_image_free(&image);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	rig_fini(&rig);
	return hooks;
}

/* Rules 14 and 16: if any hook of a conversion to private fails, nothing has changed. */
static void rule_16_any_failed_hook_to_private_changes_nothing(void **unused)
{
	unsigned int i, hooks = 0;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i += slower(1, 2)) {
		hooks |= fail_each_call(rig_policy(i), GMS_ORDER_1G, GMS_PRIVATE);
		hooks |= fail_each_call(rig_policy(i), GMS_ORDER_2M, GMS_PRIVATE);
	}
	/* No policy splits a block that becomes all private. */
	assert_int_equal(hooks & ~(1U << SIM_FOLIO_SPLIT), RIG_FALLIBLE & ~(1U << SIM_FOLIO_SPLIT));
}

/* Rules 14 and 16: if any hook of a conversion to shared fails, nothing has changed. */
static void rule_16_any_failed_hook_to_shared_changes_nothing(void **unused)
{
	unsigned int i, hooks = 0;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i += slower(1, 2)) {
		hooks |= fail_each_call(rig_policy(i), GMS_ORDER_1G, GMS_SHARED);
		hooks |= fail_each_call(rig_policy(i), GMS_ORDER_2M, GMS_SHARED);
	}
	if (!test_on_valgrind())
		assert_int_equal(hooks, RIG_FALLIBLE & ~(1U << SIM_UNMAP_HOST));
}

/*
 * Repairs the range to the state of the simulation, where @nr runs and @part pages of the next
 * one were applied.
 */
static void repair_big(struct rig *rig, enum gms_shareability to, unsigned int nr, uint64_t part)
{
	enum gms_shareability from = to == GMS_SHARED ? GMS_PRIVATE : GMS_SHARED;
	unsigned int i;

	for (i = 0; i < BIG_RUNS; i++) {
		uint64_t start = big_runs[i].start, end = big_runs[i].end;
		uint64_t done = i < nr ? end : i == nr ? start + part : start;

		if (i)
			rig_repair(rig, big_runs[i - 1].end, start - big_runs[i - 1].end, to);
		if (done > start)
			rig_repair(rig, start, done - start, to);
		if (end > done)
			rig_repair(rig, done, end - done, from);
	}
}

/* The apply numbered @nr fails after @part pages, and so does each undo. */
static void fail_undo(const struct gms_policy_ops *policy, unsigned int order,
		      enum gms_shareability to, unsigned int nr, uint64_t part)
{
	struct rig_image image;
	struct rig rig;

	init_big(&rig, policy, order, to);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, nr, UINT64_MAX, -ENXIO);
	sim_refuse_after(rig.sim, part);
	rig_convert_fails(&rig, BIG_START, BIG_PAGES, to, 0, -ENXIO, BIG_START);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	if (!nr && !part) {
		assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
		rig_image_same(&image, &rig);
	} else {
		assert_int_equal(rig_stats(&rig).quarantined_pages, BIG_PAGES);
		assert_false(gms_is_quarantined(rig.state, BIG_START - 1));
		assert_true(gms_is_quarantined(rig.state, BIG_START));
		assert_true(gms_is_quarantined(rig.state, NR_PAGES - 1));
		rig_check(&rig);
		rig_convert_fails(&rig, 0, NR_PAGES, to, 0, -ENOTRECOVERABLE, BIG_START);
		repair_big(&rig, to, nr, part);
		assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
	}
	rig_check(&rig);
	rig_convert(&rig, BIG_START, BIG_PAGES, to);
	rig_convert(&rig, BIG_START, BIG_PAGES, to == GMS_SHARED ? GMS_PRIVATE : GMS_SHARED);
	rig_image_free(&image);
	rig_fini(&rig);
}

/* Rules 16 and 39: if the undo fails, the range is quarantined. After a repair it converts. */
static void rule_39_any_failed_undo_quarantines(void **unused)
{
	unsigned int i, nr;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i += slower(1, 2)) {
		const struct gms_policy_ops *policy = rig_policy(i);

		for (nr = 0; nr < BIG_RUNS; nr += slower(1, 3)) {
			fail_undo(policy, GMS_ORDER_1G, GMS_PRIVATE, nr, 0);
			fail_undo(policy, GMS_ORDER_2M, GMS_PRIVATE, nr, 3);
			fail_undo(policy, GMS_ORDER_1G, GMS_SHARED, nr, 3);
			fail_undo(policy, GMS_ORDER_2M, GMS_SHARED, nr, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_16_applied_runs_are_undone_in_reverse),
		cmocka_unit_test(rule_16_a_run_applied_in_part_is_undone_in_part),
		cmocka_unit_test(rule_16_splits_are_undone_in_reverse),
		cmocka_unit_test(rule_16_a_refused_split_undoes_those_before_it),
		cmocka_unit_test(rule_17_a_folio_in_use_is_named),
		cmocka_unit_test(rule_16_a_refused_merge_is_no_quarantine),
		cmocka_unit_test(rule_16_a_positive_value_is_eio),
		cmocka_unit_test(rule_16_any_failed_hook_to_private_changes_nothing),
		cmocka_unit_test(rule_16_any_failed_hook_to_shared_changes_nothing),
		cmocka_unit_test(rule_39_any_failed_undo_quarantines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
