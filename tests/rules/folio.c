// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * folio.c - proves the rules of the four policies: rules 26, 27 and 30
 *
 * Of which order a folio is, when it is split and merged under each policy, and how it goes.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

#define ALL_BUT(hook) (~(1U << (hook)))
#define BUT_FOLIOS                                                                \
	(~(1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_SPLIT | \
	   1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED))

static void init_with(struct rig *rig, const struct rig_opts *opts,
		      const struct gms_policy_ops *policy)
{
	struct rig_opts with = *opts;

	with.policy = policy;
	rig_init(rig, &with);
}

/* Pages [start, end) belong to folios of @order. */
static void expect_orders(const struct rig *rig, uint64_t start, uint64_t end, unsigned int order)
{
	for (; start < end; start++)
		assert_int_equal(gms_folio_order(rig->state, start), order);
}

/* ---- eager ---- */

/* Rule 26: allocation in a block that is not all private splits at once, all of it. */
static void rule_26_eager_splits_what_it_allocates_in_shared_blocks(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_eager());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(0, 18), SPLIT(0, 18, 0));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	rig_convert(&rig, T_1G, T_1G - 1, GMS_PRIVATE);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	expect_orders(&rig, T_1G, 2 * T_1G, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 2);
	assert_int_equal(rig_stats(&rig).splits_2m, 0);
	rig_fini(&rig);
}

/* Rule 26: to shared splits the folio that is affected, whole; to private merges it. */
static void rule_26_eager_splits_to_shared_and_merges_to_private(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, 9 * T_2M, T_2M + 1, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 0));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	rig_forget(&rig);
	/* Only the 2M is all private: as large as it can be. */
	rig_convert(&rig, 9 * T_2M, T_2M, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(9 * T_2M, 0, 9));
	expect_orders(&rig, 9 * T_2M, 10 * T_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, 10 * T_2M, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).merges_1g, 1);
	assert_int_equal(rig_stats(&rig).merges_2m, 1);
	rig_fini(&rig);
}

/* Rule 26: a folio that stays all private is left alone; where there is none, none is split. */
static void rule_26_eager_leaves_others_alone(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	init_with(&rig, &opts, gms_policy_eager());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, T_2M, 9, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS);
	rig_faults(&rig, 6, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_2M + 9, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- lazy ---- */

/*
 * Rule 27, and what this policy was proposed for: a guest that accepts its memory 4 MiB at a
 * time, in a 1G that the host has filled, keeps the folio, and 2M mappings.
 */
static void rule_27_lazy_accepting_4m_leaves_1g_whole(void **unused)
{
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_lazy());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 8 * T_2M, 2 * T_2M, GMS_PRIVATE);
	rig_faults(&rig, 8 * T_2M + 3, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 9 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	for (i = 0; i < T_1G; i += 2 * T_2M)
		rig_convert(&rig, i, 2 * T_2M, GMS_PRIVATE);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_MERGE), 0);
	rig_fini(&rig);
}

/* Rule 27: a host touch of a shared page in a mixed 1G whose 2M is all shared: 2M, not 4K. */
static void rule_27_lazy_host_touch_splits_to_2m(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 8 * T_2M, T_2M, GMS_SHARED);
	rig_forget(&rig);
	rig_faults(&rig, 8 * T_2M + 3, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 9));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_2M);
	rig_faults(&rig, 9, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rule 27: where that 2M is mixed it becomes 4K, and all others stay 2M. */
static void rule_27_lazy_host_touch_of_a_mixed_2m(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_convert(&rig, 99 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M + 3, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(0, 18), SPLIT(0, 18, 9), SPLIT(8 * T_2M, 9, 0));
	expect_orders(&rig, 0, 8 * T_2M, GMS_ORDER_2M);
	expect_orders(&rig, 8 * T_2M, 9 * T_2M, GMS_ORDER_4K);
	expect_orders(&rig, 9 * T_2M, T_1G, GMS_ORDER_2M);
	rig_faults(&rig, 99 * T_2M + 3, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	rig_faults(&rig, 99 * T_2M + 3, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(rig_stats(&rig).splits_2m, 2);
	rig_fini(&rig);
}

/* Rule 27: guest faults never split, whatever is mixed; nor do conversions, nor merge. */
static void rule_27_lazy_guests_and_conversions_never_split(void **unused)
{
	static const unsigned int numbers[] = {2, 3}; /* lazy, and adaptive until it is asked */
	uint64_t i, j;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct gms_fault fault;
		struct rig rig;

		init_with(&rig, &all_shared, rig_policy(numbers[i]));
		for (j = 0; j < 40; j++) {
			rig_convert(&rig, j * j * 100, 300, j % 3 ? GMS_PRIVATE : GMS_SHARED);
			assert_int_equal(rig_fault(&rig, j * j * 90, GMS_GUEST, &fault), 0);
		}
		rig_convert(&rig, 0, NR_PAGES, GMS_PRIVATE);
		rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
		assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
		assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_MERGE), 0);
		/* No part of it mixed: the host's first access need not split either. */
		rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_fini(&rig);
	}
}

/* Rule 27: merging happens at cleanup only. */
static void rule_27_lazy_merges_at_cleanup_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_convert(&rig, 8 * T_2M, 7, GMS_PRIVATE);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_4K);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	rig_forget(&rig);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18), FREE(0, 18), FREED(0));
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 27: teardown merges and frees what there is. */
static void rule_27_teardown_merges_and_frees(void **unused)
{
	struct sim_totals totals;
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 2 * T_1G + 8, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_check(&rig);
	rig_forget(&rig);
	rig.ending = true;
	gms_state_destroy(rig.state);
	rig_expect_calls(&rig, BUT_FOLIOS | 1U << SIM_BLOCK_FREED, MERGE(0, 0, 18), FREE(0, 18),
			 FREE(2 * T_1G, 9));
	assert_fine(sim_check(rig.sim));
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.vmemmap_bytes, 0);
	sim_destroy(rig.sim);
	assert_int_equal(rig.talloc.live_blocks, 0);
}

/* ---- eager-nonuniform ---- */

/* Rule 30: 1G to 2M, and only the mixed 2M to 4K; merged as soon as it is uniform. */
static void rule_30_nonuniform_splits_what_is_mixed(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager_nonuniform());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 100, 3 * T_2M, GMS_SHARED);
	expect_orders(&rig, 0, T_2M, GMS_ORDER_4K);
	expect_orders(&rig, T_2M, 3 * T_2M, GMS_ORDER_2M);
	expect_orders(&rig, 3 * T_2M, 4 * T_2M, GMS_ORDER_4K);
	expect_orders(&rig, 4 * T_2M, T_1G, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, 0, 100, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 9));
	rig_forget(&rig);
	rig_convert(&rig, 3 * T_2M, 100, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(3 * T_2M, 0, 9));
	rig_forget(&rig);
	rig_convert(&rig, 0, 3 * T_2M, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 9, 18));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 30: what it allocates is as large as the block is uniform, be it shared. */
static void rule_30_nonuniform_allocates_as_large_as_uniform(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_eager_nonuniform());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, T_1G + 3, 1, GMS_PRIVATE);
	rig_faults(&rig, T_1G + T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- adaptive ---- */

static uint64_t read_clock(void *ctx)
{
	return *(uint64_t *)ctx;
}

/* Splits the first 1G at @then + 100, and makes it uniform at @then + 200: it flips each 100. */
static void flip_twice(struct rig *rig, uint64_t *clock)
{
	*clock += 100;
	rig_convert(rig, 8 * T_2M, 7, GMS_PRIVATE);
	rig_faults(rig, 9 * T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(rig, 8 * T_2M + 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	*clock += 100;
	rig_convert(rig, 8 * T_2M, 7, GMS_SHARED);
}

/* Rule 30: adaptive merges what was uniform for twice as long as it went between flips. */
static void rule_30_adaptive_merges_what_came_to_rest(void **unused)
{
	uint64_t clock = 7777777;
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.clock_ns = read_clock;
	opts.clock_ctx = &clock;
	init_with(&rig, &opts, gms_policy_adaptive());
	flip_twice(&rig, &clock);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	clock += 199;
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_4K);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_MERGE), 0);
	clock += 1;
	assert_int_equal(gms_maintain(rig.state, 0), 0);
	rig_forget(&rig);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18));
	assert_int_equal(rig_stats(&rig).merges_1g, 1);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	rig_fini(&rig);
}

/* Rule 30: it does not split and merge one that ping-pongs. */
static void rule_30_adaptive_leaves_a_ping_pong_split(void **unused)
{
	uint64_t clock = 0, i;
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.clock_ns = read_clock;
	opts.clock_ctx = &clock;
	init_with(&rig, &opts, gms_policy_adaptive());
	flip_twice(&rig, &clock);
	for (i = 0; i < 50; i++) {
		clock += 90;
		assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
		rig_convert(&rig, 8 * T_2M, 7, GMS_PRIVATE);
		clock += 100;
		rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	}
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(rig_stats(&rig).merges_1g, 0);
	clock += 201;
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 1);
	rig_fini(&rig);
}

/* Rule 30: without a clock, what changes elsewhere is the time that goes by. */
static void rule_30_adaptive_without_a_clock(void **unused)
{
	uint64_t i, no_clock = 0;
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_adaptive());
	flip_twice(&rig, &no_clock);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	for (i = 0; i < 100; i++)
		rig_convert(&rig, T_1G + i, 1, GMS_PRIVATE);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 1);
	assert_int_equal(gms_folio_order(rig.state, 0), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Each call of gms_maintain() goes on where the last one stopped, among blocks that are split. */
static void rule_30_maintain_goes_round(void **unused)
{
	struct rig_opts opts = {.nr_pages = 9 * T_1G, .folio_order = GMS_ORDER_1G};
	static const unsigned int split[] = {1, 4, 8};
	uint64_t clock = 0;
	struct rig rig;
	size_t i;

	(void)unused;
	opts.clock_ns = read_clock;
	opts.clock_ctx = &clock;
	init_with(&rig, &opts, gms_policy_adaptive());
	for (i = 0; i < ARRAY_SIZE(split); i++) {
		clock += 10;
		rig_convert(&rig, split[i] * T_1G + 5, 1, GMS_PRIVATE);
		rig_faults(&rig, split[i] * T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
		rig_convert(&rig, split[i] * T_1G + 5, 1, GMS_SHARED);
	}
	/* A pin keeps one as it is; the others get their turn all the same. */
	rig_pin(&rig, 4 * T_1G, 1);
	clock += 1000;
	assert_int_equal(gms_maintain(rig.state, 1) + gms_maintain(rig.state, 1) +
				 gms_maintain(rig.state, 1),
			 2);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, 4 * T_1G), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_1G), GMS_ORDER_1G);
	/* neither the 1G nor the 2M that was split */
	assert_int_equal(rig_stats(&rig).merges_refused, 2);
	gms_unpin(rig.state, 4 * T_1G, 1);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	rig_fini(&rig);
}

/* It ends, too, however many it may look at, where one is merged and another stays split. */
static void rule_30_maintain_goes_round_once(void **unused)
{
	uint64_t clock = 0;
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.clock_ns = read_clock;
	opts.clock_ctx = &clock;
	init_with(&rig, &opts, gms_policy_adaptive());
	flip_twice(&rig, &clock);
	rig_convert(&rig, T_1G + 9, 1, GMS_PRIVATE);
	rig_faults(&rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	clock += 1000;
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 1);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_4K);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_26_eager_splits_what_it_allocates_in_shared_blocks),
		cmocka_unit_test(rule_26_eager_splits_to_shared_and_merges_to_private),
		cmocka_unit_test(rule_26_eager_leaves_others_alone),
		cmocka_unit_test(rule_27_lazy_accepting_4m_leaves_1g_whole),
		cmocka_unit_test(rule_27_lazy_host_touch_splits_to_2m),
		cmocka_unit_test(rule_27_lazy_host_touch_of_a_mixed_2m),
		cmocka_unit_test(rule_27_lazy_guests_and_conversions_never_split),
		cmocka_unit_test(rule_27_lazy_merges_at_cleanup_only),
		cmocka_unit_test(rule_27_teardown_merges_and_frees),
		cmocka_unit_test(rule_30_nonuniform_splits_what_is_mixed),
		cmocka_unit_test(rule_30_nonuniform_allocates_as_large_as_uniform),
		cmocka_unit_test(rule_30_adaptive_merges_what_came_to_rest),
		cmocka_unit_test(rule_30_adaptive_leaves_a_ping_pong_split),
		cmocka_unit_test(rule_30_adaptive_without_a_clock),
		cmocka_unit_test(rule_30_maintain_goes_round),
		cmocka_unit_test(rule_30_maintain_goes_round_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
