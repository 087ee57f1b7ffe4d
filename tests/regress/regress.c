// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * regress.c - bugs that were found by review: each test fails without the fix
 *
 * Those that need threads are in threads.c.
 */
#include "rig.h"

static const struct rig_opts in_2m = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};
static const struct rig_opts in_1g = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};
static const struct rig_opts private_2m = {
	.nr_pages = T_1G,
	.folio_order = GMS_ORDER_2M,
	.init_private = true,
};

/* ---- a policy that wants one thing at one event, else nothing ---- */

struct wish {
	enum gms_event event;
	enum gms_accessor accessor;
	unsigned int order;
	bool uniform;
	unsigned int asked; /* at that event */
};

static void decide(void *ctx, const struct gms_policy_view *view,
		   struct gms_policy_verdict *verdict)
{
	struct wish *wish = ctx;

	if (view->event != wish->event || view->accessor != wish->accessor)
		return;
	wish->asked++;
	verdict->order = wish->order;
	verdict->uniform = wish->uniform;
}

static const struct gms_policy_ops wishful = {
	.struct_size = sizeof(wishful), .name = "wishful", .decide = decide};

static void init_wishful(struct rig *rig, const struct rig_opts *like, struct wish *wish)
{
	struct rig_opts opts = *like;

	opts.policy = &wishful;
	opts.policy_ctx = wish;
	rig_init(rig, &opts);
}

static void init_eager(struct rig *rig)
{
	struct rig_opts opts = in_2m;

	opts.policy = gms_policy_eager();
	rig_init(rig, &opts);
}

/* ---- quarantine ---- */

/*
 * Rules 21 and 39 were broken: host or guest got a mapping of 2M with a quarantined page in it,
 * and it was prepared.
 */
static void no_mapping_over_a_quarantined_page(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &in_2m);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig.sim, 2);
	rig_convert_fails(&rig, 4, 4, GMS_PRIVATE, 0, -EIO, 4);
	assert_true(gms_is_quarantined(rig.state, 4));
	rig_faults(&rig, 100, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_4K);
	rig_faults(&rig, T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);

	rig_init(&rig, &private_2m);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig.sim, 2);
	rig_convert_fails(&rig, 4, 4, GMS_SHARED, 0, -EIO, 4);
	rig_faults(&rig, 100, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	assert_true(gms_is_prepared(rig.state, 100));
	assert_false(gms_is_prepared(rig.state, 4));
	assert_false(gms_is_prepared(rig.state, 101));
	rig_fini(&rig);
}

/* [0, 21) is quarantined, and page 10, which was shared, is exposed as part of a 2M. */
static void init_quarantined(struct rig *rig)
{
	rig_init(rig, &in_2m);
	rig_convert(rig, 0, 1, GMS_PRIVATE);
	rig_convert(rig, 20, 1, GMS_PRIVATE);
	rig_pin(rig, 10, 1);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	rig_convert_fails(rig, 0, 21, GMS_SHARED, 0, -EIO, 0);
	assert_true(gms_is_quarantined(rig->state, 10));
}

/* Rule 39 was broken: a repair made pages private that the host had mapped or pinned. */
static void repair_to_private_unmaps_and_looks_for_pins(void **unused)
{
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EAGAIN);
	gms_unpin(rig.state, 10, 1);
	assert_int_equal(sim_pin(rig.sim, 10, 1), 0);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EAGAIN);
	assert_int_equal(sim_unpin(rig.sim, 10, 1), 0);
	sim_refuse(rig.sim, 1U << SIM_UNMAP_HOST, 0, 1, -EIO);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EIO);
	assert_true(gms_is_quarantined(rig.state, 10));
	assert_false(gms_is_private(rig.state, 10));
	rig_forget(&rig);
	rig_repair(&rig, 0, 21, GMS_PRIVATE);
	rig_expect_calls(&rig, 0, UNMAP(0, 21), PINS(0, 21), BEGIN(0, 21), ZAP(0, 21, GMS_SHARED),
			 ZAP(0, 21, GMS_PRIVATE), END(0, 21));
	rig_fini(&rig);
}

/* ---- what a backend refuses with -EAGAIN ---- */

/*
 * Rules 21 and 28 were broken: -EAGAIN was taken for a pin, and the fault was answered with a
 * folio that was not allocated.
 */
static void a_fault_returns_eagain_of_folio_alloc(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &in_2m);
	rig_convert(&rig, T_2M, T_2M, GMS_PRIVATE);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 2, -EAGAIN);
	rig_forget(&rig);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), -EAGAIN);
	assert_int_equal(rig_fault(&rig, T_2M, GMS_GUEST, &fault), -EAGAIN);
	rig_expect_calls(&rig, 0, ALLOC(0, GMS_ORDER_2M), ALLOC(T_2M, GMS_ORDER_2M));
	assert_false(gms_is_allocated(rig.state, 5));
	assert_false(gms_is_prepared(rig.state, T_2M));
	/* Nor is it exposed: no more than the page is unmapped. */
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 5, 2));
	rig_fini(&rig);
}

/*
 * Rule 16 was broken: -EAGAIN was taken for a pin, and the conversion went on without the split.
 */
static void eagain_of_folio_split_is_passed_through(void **unused)
{
	struct gms_fault fault;
	gms_pgoff_t at = 0x77;
	struct rig_opts opts = private_2m;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager();
	rig_init(&rig, &opts);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EAGAIN);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, 0, -EAGAIN, 5);
	assert_true(gms_is_private(rig.state, 5));
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EAGAIN);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, GMS_CONVERT_RESUMABLE, -EAGAIN, 5);
	assert_int_equal(rig_stats(&rig).splits_deferred, 0);
	rig_fini(&rig);

	init_eager(&rig);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 2, -EAGAIN);
	assert_int_equal(gms_allocate(rig.state, 5, T_2M, &at), -EAGAIN);
	assert_int_equal(at, 5);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), -EAGAIN);
	rig_fini(&rig);
}

/* ---- what the host has mapped ---- */

/*
 * Rule 28 was broken: a deferred split was made under a mapping of 2M, of which a conversion then
 * unmapped one page only.
 */
static void a_mapping_outlives_a_split_that_was_put_off(void **unused)
{
	struct rig rig;

	(void)unused;
	init_eager(&rig);
	assert_int_equal(sim_pin(rig.sim, 100, 1), 0);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(sim_unpin(rig.sim, 100, 1), 0);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	/* It is gone, and what comes is of single pages. */
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 7, 1, GMS_PRIVATE);
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 7, 2));
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 6, 2));
	rig_fini(&rig);
}

/* Rule 28 was broken without a pin, too: here a fault of the guest splits under the mapping. */
static void a_mapping_outlives_a_split_by_the_guest(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_GUEST, GMS_ORDER_4K, true, 0};
	struct rig rig;

	(void)unused;
	init_wishful(&rig, &in_2m, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, 7, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	rig_fini(&rig);
}

/*
 * Rule 28 was broken: the mapping is of 1G, whether the folio has been split to 4K or 2M, or the
 * 2M of the page has been merged since.
 */
static void a_mapping_of_1g_outlives_splits_and_merges(void **unused)
{
	static const struct {
		unsigned int order;
		bool merged;
	} splits[] = {{GMS_ORDER_2M, false}, {GMS_ORDER_4K, false}, {GMS_ORDER_4K, true}};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(splits); i++) {
		struct wish wish = {GMS_EV_FAULT, GMS_GUEST, splits[i].order, true, 0};
		struct rig rig;

		init_wishful(&rig, &in_1g, &wish);
		rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_faults(&rig, 7, GMS_GUEST, splits[i].order, splits[i].order);
		wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_2M, true, 0};
		if (splits[i].merged)
			assert_int_equal(gms_maintain(rig.state, 1), T_FANOUT);
		rig_forget(&rig);
		rig_convert(&rig, 5, 1, GMS_PRIVATE);
		assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_1G));
		rig_faults(&rig, T_2M, GMS_HOST, gms_folio_order(rig.state, T_2M),
			   gms_folio_order(rig.state, T_2M));
		rig_forget(&rig);
		rig_convert(&rig, T_2M, 1, GMS_PRIVATE);
		assert_false(rig_covered(&rig, SIM_UNMAP_HOST, T_2M - 1, 2));
		assert_false(rig_covered(&rig, SIM_UNMAP_HOST, T_2M, T_2M + 1));
		rig_fini(&rig);
	}
}

/* ---- what the policy is asked ---- */

/*
 * Rule 25 was broken: a policy was queried once for each run, so a heuristic that counts counted
 * the runs.
 */
static void a_folio_with_many_runs_is_asked_about_once(void **unused)
{
	struct wish wish = {GMS_EV_CONVERT, GMS_HOST, GMS_ORDER_1G, true, 0};
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_wishful(&rig, &in_1g, &wish);
	assert_int_equal(gms_allocate(rig.state, 0, 1, NULL), 0);
	for (i = 0; i < 64; i += 2)
		rig_convert(&rig, i, 1, GMS_PRIVATE);
	wish.asked = 0;
	rig_convert(&rig, 0, 64, GMS_PRIVATE);
	assert_int_equal(wish.asked, 1);
	rig_fini(&rig);
}

/*
 * Rule 31 was broken: where the 1G could not be merged, no attempt was made for its 511 blocks of
 * 2M without a pin.
 */
static void a_pinned_2m_does_not_keep_others_from_being_merged(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_HOST, GMS_ORDER_4K, true, 0};
	struct rig rig;

	(void)unused;
	init_wishful(&rig, &in_1g, &wish);
	rig_pin(&rig, 5, 1);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_4K);
	wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_1G, true, 0};
	assert_int_equal(gms_maintain(rig.state, 1), T_FANOUT - 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	gms_unpin(rig.state, 5, 1);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	rig_fini(&rig);
}

/*
 * Rule 32 was broken: a policy that left the folio alone, with uniform set, had all of the 1G
 * split to 4K for one page.
 */
static void a_small_hole_splits_no_more_than_it_needs(void **unused)
{
	struct wish wish = {GMS_EV_PUNCH, GMS_HOST, GMS_ORDER_1G, true, 0};
	struct rig rig;

	(void)unused;
	init_wishful(&rig, &in_1g, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	assert_int_equal(gms_punch_hole(rig.state, 5, 1, NULL), 0);
	rig_expect_calls(&rig, ~(1U << SIM_FOLIO_SPLIT), SPLIT(0, GMS_ORDER_1G, GMS_ORDER_2M),
			 SPLIT(0, GMS_ORDER_2M, GMS_ORDER_4K));
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	assert_true(wish.asked > 0);
	rig_fini(&rig);
}

/*
 * Rule 16 was broken: the undo merged the 1G in one step, and forgot the splits of its 2M folios.
 */
static void undo_of_splits_in_two_steps_restores_the_counters(void **unused)
{
	struct wish wish = {GMS_EV_CONVERT, GMS_HOST, GMS_ORDER_4K, false, 0};
	struct rig rig;

	(void)unused;
	init_wishful(&rig, &in_1g, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EIO);
	rig_convert_fails(&rig, 0, T_1G, GMS_PRIVATE, 0, -EIO, 0);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT), 1 + T_FANOUT);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).splits_1g, 0);
	assert_int_equal(rig_stats(&rig).splits_2m, 0);
	rig_fini(&rig);
}

/* ---- resumable conversions ---- */

/*
 * Rule 17 was broken: the pages before the pin had failed to convert, and err_index was the pin.
 */
static void resumable_says_what_failed_before_the_pin(void **unused)
{
	struct rig_opts opts = in_2m;
	struct rig rig;

	(void)unused;
	opts.nr_pages = 2 * T_1G;
	rig_init(&rig, &opts);
	rig_pin(&rig, T_1G + 100, 1);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 1, 1, -EIO);
	rig_convert_fails(&rig, 9, T_1G + T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EIO, T_1G);
	assert_true(gms_range_is(rig.state, 9, T_1G - 9, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, T_1G, T_1G, GMS_SHARED));
	assert_int_equal(rig_stats(&rig).refused_backend, 1);
	assert_int_equal(rig_stats(&rig).refused_pinned, 0);
	gms_unpin(rig.state, T_1G + 100, 1);
	rig_fini(&rig);
}

/*
 * Rule 17 was broken: of a pin and a quarantine the nearer one was found last, and no page before
 * it was converted.
 */
static void resumable_converts_up_to_a_pin_before_a_quarantine(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &in_2m);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig.sim, 2);
	rig_convert_fails(&rig, 200, 10, GMS_PRIVATE, 0, -EIO, 200);
	rig_pin(&rig, 100, 1);
	rig_convert_fails(&rig, 0, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 100);
	assert_true(gms_range_is(rig.state, 0, 100, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, 100, T_2M - 100, GMS_SHARED));
	gms_unpin(rig.state, 100, 1);
	rig_convert_fails(&rig, 0, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -ENOTRECOVERABLE, 200);
	assert_true(gms_range_is(rig.state, 0, 200, GMS_PRIVATE));
	rig_fini(&rig);
}

/* Rule 30: a call of gms_maintain() looks once at each block that stays split, and no more. */
static void maintain_of_all_blocks_ends(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_HOST, GMS_ORDER_4K, true, 0};
	struct rig_opts opts = in_2m;
	struct rig rig;

	(void)unused;
	opts.nr_pages = 2 * T_1G;
	init_wishful(&rig, &opts, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_4K, true, 0};
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	assert_int_equal(wish.asked, 2);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mapping_over_a_quarantined_page),
		cmocka_unit_test(repair_to_private_unmaps_and_looks_for_pins),
		cmocka_unit_test(a_fault_returns_eagain_of_folio_alloc),
		cmocka_unit_test(eagain_of_folio_split_is_passed_through),
		cmocka_unit_test(a_mapping_outlives_a_split_that_was_put_off),
		cmocka_unit_test(a_mapping_outlives_a_split_by_the_guest),
		cmocka_unit_test(a_mapping_of_1g_outlives_splits_and_merges),
		cmocka_unit_test(a_folio_with_many_runs_is_asked_about_once),
		cmocka_unit_test(a_pinned_2m_does_not_keep_others_from_being_merged),
		cmocka_unit_test(a_small_hole_splits_no_more_than_it_needs),
		cmocka_unit_test(undo_of_splits_in_two_steps_restores_the_counters),
		cmocka_unit_test(resumable_says_what_failed_before_the_pin),
		cmocka_unit_test(resumable_converts_up_to_a_pin_before_a_quarantine),
		cmocka_unit_test(maintain_of_all_blocks_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
