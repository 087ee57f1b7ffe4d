// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * adaptive.c - proves when the policy adaptive merges folios, and what gms_maintain() visits
 *
 * Tests rule 30.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};

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

static uint64_t read_clock(void *ctx)
{
	return *(uint64_t *)ctx;
}

/*
 * Advances the clock by 200. After 100 the first 1G becomes mixed and is split, and after 200 it
 * is uniform again: it flips every 100.
 */
static void flip_twice(struct rig *rig, uint64_t *clock)
{
	*clock += 100;
	rig_convert(rig, 8 * T_2M, 7, GMS_PRIVATE);
	rig_faults(rig, 9 * T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(rig, 8 * T_2M + 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	*clock += 100;
	rig_convert(rig, 8 * T_2M, 7, GMS_SHARED);
}

/*
 * Rule 30: adaptive merges a block that was uniform for twice the average time between its flips.
 */
static void rule_30_adaptive_merges_a_block_at_rest(void **unused)
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

/* Rule 30: adaptive leaves a block split that goes back and forth. */
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

/* Rule 30: without a clock, changes of other blocks count as time. */
static void rule_30_adaptive_counts_changes_without_a_clock(void **unused)
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

/*
 * Each call of gms_maintain() goes on where the last one stopped, among the blocks that are
 * split.
 */
static void rule_30_maintain_goes_on_where_it_stopped(void **unused)
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
	/* A pin keeps one block split. The others are merged all the same. */
	rig_pin(&rig, 4 * T_1G, 1);
	clock += 1000;
	assert_int_equal(gms_maintain(rig.state, 1) + gms_maintain(rig.state, 1) +
				 gms_maintain(rig.state, 1),
			 2);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, 4 * T_1G), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_1G), GMS_ORDER_1G);
	/* the merge to 1G was refused, and then that to 2M */
	assert_int_equal(rig_stats(&rig).merges_refused, 2);
	gms_unpin(rig.state, 4 * T_1G, 1);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	rig_fini(&rig);
}

/* gms_maintain() ends, although one block is merged and another stays split. */
static void rule_30_maintain_ends(void **unused)
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
		cmocka_unit_test(rule_30_adaptive_merges_a_block_at_rest),
		cmocka_unit_test(rule_30_adaptive_leaves_a_ping_pong_split),
		cmocka_unit_test(rule_30_adaptive_counts_changes_without_a_clock),
		cmocka_unit_test(rule_30_maintain_goes_on_where_it_stopped),
		cmocka_unit_test(rule_30_maintain_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
