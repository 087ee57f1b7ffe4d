// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state.c - proves rules 1 to 6 and 9 to 11 for shareability and conversions
 *
 * Each test names its rule. tests/tree has the tests of the range tree. Here are the tests of the
 * parts that the state object adds: shared and private, conversions as transactions, counters and
 * the iterator.
 */
#include <gmemstate/state.h>

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)

static struct gms_state *create(uint64_t nr_pages, uint64_t flags)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.flags = flags;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	return state;
}

static void destroy(struct gms_state *state)
{
	const char *reason;

	if (!gms_state_verify(state, &reason))
		fail_msg("%s", reason);
	gms_state_destroy(state);
}

static void convert(struct gms_state *state, uint64_t start, uint64_t nr, int to)
{
	gms_pgoff_t err_index = 0x77;

	assert_int_equal(gms_convert(state, start, nr, (enum gms_shareability)to, 0, &err_index),
			 0);
	/* a conversion that succeeds does not write err_index */
	assert_int_equal(err_index, 0x77);
}

static struct gms_stats stats_of(const struct gms_state *state)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(state, &stats);
	return stats;
}

static void test_rule1_a_new_object_is_shared(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + BLOCK_2M + 1;
	struct gms_state *state = create(nr_pages, 0);

	(void)unused;
	assert_int_equal(gms_state_nr_pages(state), nr_pages);
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_SHARED), nr_pages);
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_PRIVATE), 0);
	assert_true(gms_range_is(state, 0, nr_pages, GMS_SHARED));
	assert_false(gms_is_private(state, 0));
	assert_false(gms_is_private(state, nr_pages - 1));
	assert_int_equal(gms_summary(state, 0, GMS_ORDER_1G), GMS_ALL_SHARED);
	destroy(state);
	gms_state_destroy(NULL);
}

static void test_rule1_a_new_object_may_be_private(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + BLOCK_2M + 1;
	struct gms_state *state = create(nr_pages, GMS_INIT_PRIVATE);

	(void)unused;
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_PRIVATE), nr_pages);
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_SHARED), 0);
	assert_true(gms_range_is(state, 0, nr_pages, GMS_PRIVATE));
	assert_true(gms_is_private(state, nr_pages - 1));
	assert_int_equal(gms_summary(state, nr_pages - 1, GMS_ORDER_1G), GMS_ALL_PRIVATE);
	convert(state, 5, 1, GMS_SHARED);
	assert_false(gms_is_private(state, 5));
	assert_true(gms_is_private(state, 6));
	destroy(state);
}

static void test_rule2_create_costs_in_proportion_to_1g_blocks(void **unused)
{
	static const uint64_t sizes[] = {1, BLOCK_1G, 1ULL << 28, GMS_MAX_PAGES};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
		uint64_t blocks = (sizes[i] + BLOCK_1G - 1) / BLOCK_1G;
		struct gms_state *state;
		struct talloc talloc;

		talloc_init(&talloc);
		opts.nr_pages = sizes[i];
		opts.flags = i % 2 ? GMS_INIT_PRIVATE : 0;
		opts.allocator = &talloc.ops;
		assert_int_equal(gms_state_create(&opts, &state), 0);
		assert_in_range(talloc.total_bytes, blocks, 24 * blocks + 32768);
		assert_in_range(talloc.allocs, 1, 32);
		assert_int_equal(gms_count(state, 0, sizes[i], GMS_PRIVATE), i % 2 ? sizes[i] : 0);
		gms_state_destroy(state);
		assert_int_equal(talloc.live_blocks, 0);
		assert_fine(talloc_check(&talloc));
	}
}

static void test_rule2_the_largest_object_works(void **unused)
{
	struct gms_state *state = create(GMS_MAX_PAGES, GMS_INIT_PRIVATE);
	uint64_t last = GMS_MAX_PAGES - 1;

	(void)unused;
	convert(state, last, 1, GMS_SHARED);
	convert(state, 0, 1, GMS_SHARED);
	assert_int_equal(gms_count(state, 0, GMS_MAX_PAGES, GMS_SHARED), 2);
	assert_int_equal(gms_summary(state, last, GMS_ORDER_1G), GMS_MIXED);
	assert_true(gms_range_is(state, 1, GMS_MAX_PAGES - 2, GMS_PRIVATE));
	convert(state, 0, GMS_MAX_PAGES, GMS_SHARED);
	assert_int_equal(gms_count(state, 0, GMS_MAX_PAGES, GMS_SHARED), GMS_MAX_PAGES);
	assert_int_equal(stats_of(state).pages_converted, GMS_MAX_PAGES);
	destroy(state);
}

static void expect_runs(const struct gms_state *state, const struct gms_run *want, size_t count)
{
	struct gms_iter iter;
	struct gms_run run;
	size_t i;

	gms_iter_init(&iter, state, 0, UINT64_MAX);
	for (i = 0; i < count; i++) {
		assert_true(gms_iter_next(&iter, &run));
		assert_int_equal(run.start, want[i].start);
		assert_int_equal(run.nr_pages, want[i].nr_pages);
		assert_int_equal(run.shareability, want[i].shareability);
	}
	assert_false(gms_iter_next(&iter, &run));
	assert_false(gms_iter_next(&iter, &run));
}

static void test_rule3_equal_neighbours_are_one_run(void **unused)
{
	uint64_t nr_pages = 3 * BLOCK_1G;
	struct gms_state *state = create(nr_pages, 0);
	const struct gms_run pieces[] = {
		{0, 100, GMS_SHARED},
		{100, BLOCK_1G, GMS_PRIVATE},
		{BLOCK_1G + 100, 2 * BLOCK_1G - 100, GMS_SHARED},
	};
	const struct gms_run whole[] = {{0, nr_pages, GMS_SHARED}};

	(void)unused;
	/* parts that are converted one by one become one run */
	convert(state, 100, 412, GMS_PRIVATE);
	convert(state, BLOCK_1G, 100, GMS_PRIVATE);
	convert(state, 600, BLOCK_1G - 600, GMS_PRIVATE);
	convert(state, 512, 88, GMS_PRIVATE);
	expect_runs(state, pieces, ARRAY_SIZE(pieces));
	convert(state, 100, BLOCK_1G, GMS_SHARED);
	expect_runs(state, whole, ARRAY_SIZE(whole));
	destroy(state);
}

static void test_rule3_a_reversed_change_leaves_no_cost(void **unused)
{
	struct gms_state *state = create(4 * BLOCK_1G, 0);
	struct gms_stats before, mixed, after;
	uint64_t at;

	(void)unused;
	convert(state, 7, 1, GMS_PRIVATE);
	before = stats_of(state);
	for (at = 0; at < BLOCK_1G; at += 300)
		convert(state, at + 8, 1, GMS_PRIVATE);
	mixed = stats_of(state);
	assert_true(mixed.nodes > before.nodes);
	assert_true(mixed.bytes_in_use > before.bytes_in_use);
	for (at = 0; at < BLOCK_1G; at += 300)
		convert(state, at + 8, 1, GMS_SHARED);
	after = stats_of(state);
	assert_int_equal(after.nodes, before.nodes);
	assert_int_equal(after.bytes_in_use, before.bytes_in_use);
	assert_true(after.bytes_pooled > before.bytes_pooled);
	destroy(state);
}

static void test_rule4_mixed_ends_with_the_last_page(void **unused)
{
	struct gms_state *state = create(2 * BLOCK_1G, GMS_INIT_PRIVATE);
	uint64_t at;

	(void)unused;
	convert(state, BLOCK_2M, BLOCK_2M, GMS_SHARED);
	convert(state, BLOCK_1G, 1, GMS_SHARED);
	for (at = BLOCK_2M; at < 2 * BLOCK_2M; at++) {
		int want = at == BLOCK_2M ? GMS_ALL_SHARED : GMS_MIXED;

		assert_int_equal(gms_summary(state, BLOCK_2M, GMS_ORDER_2M), want);
		assert_int_equal(gms_summary(state, BLOCK_2M, GMS_ORDER_1G), GMS_MIXED);
		convert(state, at, 1, GMS_PRIVATE);
	}
	assert_int_equal(gms_summary(state, BLOCK_2M, GMS_ORDER_2M), GMS_ALL_PRIVATE);
	assert_int_equal(gms_summary(state, BLOCK_2M, GMS_ORDER_1G), GMS_ALL_PRIVATE);
	assert_int_equal(gms_summary(state, BLOCK_1G, GMS_ORDER_1G), GMS_MIXED);
	convert(state, BLOCK_1G, 1, GMS_PRIVATE);
	assert_int_equal(gms_summary(state, BLOCK_1G, GMS_ORDER_1G), GMS_ALL_PRIVATE);
	assert_int_equal(stats_of(state).nodes, 0);
	destroy(state);
}

static void compare(const struct gms_state *state, const struct oracle *oracle, uint64_t at)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	size_t i;

	assert_int_equal(gms_is_private(state, at), oracle_test(oracle, at));
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		assert_int_equal(gms_summary(state, at, orders[i]),
				 oracle_fill(oracle, at, orders[i]));
	assert_int_equal(gms_max_order(state, at), oracle_uniform_order(oracle, at));
}

static void compare_all(const struct gms_state *state, const struct oracle *oracle)
{
	struct gms_rtree_run want;
	struct gms_iter iter;
	struct gms_run run;
	uint64_t at;

	gms_iter_init(&iter, state, 0, oracle->nr_pages);
	for (at = 0; oracle_next(oracle, at, UINT64_MAX, &want); at += want.nr_pages) {
		assert_true(gms_iter_next(&iter, &run));
		assert_int_equal(run.start, want.start);
		assert_int_equal(run.nr_pages, want.nr_pages);
		assert_int_equal(run.shareability, want.set ? GMS_PRIVATE : GMS_SHARED);
		compare(state, oracle, at);
	}
	assert_false(gms_iter_next(&iter, &run));
	for (at = 0; at < oracle->nr_pages; at += BLOCK_2M)
		compare(state, oracle, at);
	assert_int_equal(stats_of(state).nodes, oracle_nodes(oracle));
}

static void compare_range(const struct gms_state *state, const struct oracle *oracle,
			  uint64_t start, uint64_t nr)
{
	uint64_t set = oracle_count(oracle, start, nr);

	assert_int_equal(gms_count(state, start, nr, GMS_PRIVATE), set);
	assert_int_equal(gms_count(state, start, nr, GMS_SHARED), nr - set);
	assert_int_equal(gms_range_is(state, start, nr, GMS_PRIVATE), set == nr);
	assert_int_equal(gms_range_is(state, start, nr, GMS_SHARED), set == 0);
}

static void test_rule5_summaries_equal_a_recount(void **unused)
{
	uint64_t nr_pages = 3 * BLOCK_1G + 5 * BLOCK_2M + 17;
	struct gms_state *state = create(nr_pages, 0);
	uint64_t rounds = test_iters(1500);
	struct oracle oracle;
	struct prng prng;
	uint64_t i;

	(void)unused;
	oracle_init(&oracle, nr_pages, false);
	prng_init(&prng, test_seed());
	for (i = 0; i < rounds; i++) {
		uint64_t start = prng_below(&prng, nr_pages);
		uint64_t most = prng_chance(&prng, 70) ? BLOCK_2M : nr_pages;
		uint64_t nr =
			1 + prng_below(&prng, most < nr_pages - start ? most : nr_pages - start);
		bool set = prng_chance(&prng, 50);

		convert(state, start, nr, set ? GMS_PRIVATE : GMS_SHARED);
		oracle_store(&oracle, start, nr, set);
		compare(state, &oracle, start);
		compare(state, &oracle, start + nr - 1);
		compare_range(state, &oracle, start, nr);
		compare_range(state, &oracle, start / 2, nr_pages - start);
		if (i % 128 == 0)
			compare_all(state, &oracle);
	}
	compare_all(state, &oracle);
	oracle_fini(&oracle);
	destroy(state);
}

static void test_rule6_incomplete_last_blocks_are_not_offered(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + 2 * BLOCK_2M + 3;
	struct gms_state *state = create(nr_pages, 0);

	(void)unused;
	convert(state, BLOCK_1G, nr_pages - BLOCK_1G, GMS_PRIVATE);
	/* The summary counts only the pages that exist. */
	assert_int_equal(gms_summary(state, BLOCK_1G, GMS_ORDER_1G), GMS_ALL_PRIVATE);
	assert_int_equal(gms_summary(state, nr_pages - 1, GMS_ORDER_2M), GMS_ALL_PRIVATE);
	/* The order of an incomplete block is not offered. */
	assert_int_equal(gms_max_order(state, BLOCK_1G), GMS_ORDER_2M);
	assert_int_equal(gms_max_order(state, nr_pages - 1), GMS_ORDER_4K);
	assert_int_equal(gms_max_order(state, 0), GMS_ORDER_1G);
	convert(state, nr_pages - 1, 1, GMS_SHARED);
	assert_int_equal(gms_summary(state, BLOCK_1G, GMS_ORDER_1G), GMS_MIXED);
	assert_int_equal(gms_summary(state, nr_pages - 2, GMS_ORDER_2M), GMS_MIXED);
	assert_int_equal(gms_summary(state, BLOCK_1G, GMS_ORDER_2M), GMS_ALL_PRIVATE);
	destroy(state);
}

static void test_rule9_a_conversion_with_nothing_to_do_changes_nothing(void **unused)
{
	struct gms_state *state = create(2 * BLOCK_1G, 0);
	struct gms_stats stats;
	uint64_t seq;

	(void)unused;
	convert(state, 5, BLOCK_1G, GMS_PRIVATE);
	seq = gms_seq_read(state, 5);
	convert(state, 5, BLOCK_1G, GMS_PRIVATE);
	convert(state, 6, 1, GMS_PRIVATE);
	convert(state, 0, 5, GMS_SHARED);
	stats = stats_of(state);
	assert_int_equal(stats.conversions, 1);
	assert_int_equal(stats.noops, 3);
	assert_int_equal(stats.pages_converted, BLOCK_1G);
	/* Nothing changed, so readers need not retry. */
	assert_false(gms_seq_retry(state, 5, seq));
	assert_true(gms_range_is(state, 5, BLOCK_1G, GMS_PRIVATE));
	destroy(state);
}

static void test_rule10_a_partly_converted_range_becomes_uniform(void **unused)
{
	struct gms_state *state = create(2 * BLOCK_1G, 0);
	struct gms_stats stats;

	(void)unused;
	convert(state, 10, 5, GMS_PRIVATE);
	convert(state, BLOCK_2M, BLOCK_2M, GMS_PRIVATE);
	convert(state, 8, 2 * BLOCK_2M, GMS_PRIVATE);
	assert_true(gms_range_is(state, 8, 2 * BLOCK_2M, GMS_PRIVATE));
	assert_int_equal(gms_count(state, 0, 2 * BLOCK_1G, GMS_PRIVATE), 2 * BLOCK_2M);
	stats = stats_of(state);
	assert_int_equal(stats.conversions, 3);
	/* Only pages that changed are counted, and each changed once. */
	assert_int_equal(stats.pages_converted, 2 * BLOCK_2M);
	destroy(state);
}

static void refuse(struct gms_state *state, uint64_t start, uint64_t nr, int to, unsigned int flags)
{
	gms_pgoff_t err_index = ~start;

	assert_int_equal(
		gms_convert(state, start, nr, (enum gms_shareability)to, flags, &err_index),
		-EINVAL);
	assert_int_equal(err_index, start);
	assert_int_equal(gms_convert(state, start, nr, (enum gms_shareability)to, flags, NULL),
			 -EINVAL);
}

static void test_rule11_bad_conversions_are_refused(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + 3;
	struct gms_state *state = create(nr_pages, 0);
	struct gms_stats stats;
	uint64_t seq;
	unsigned int bit;

	(void)unused;
	convert(state, 5, 3, GMS_PRIVATE);
	seq = gms_seq_read(state, 0);
	refuse(state, 0, 0, GMS_PRIVATE, 0);
	refuse(state, nr_pages, 0, GMS_PRIVATE, 0);
	refuse(state, nr_pages, 1, GMS_PRIVATE, 0);
	refuse(state, 0, nr_pages + 1, GMS_PRIVATE, 0);
	refuse(state, nr_pages - 1, 2, GMS_SHARED, 0);
	refuse(state, 5, UINT64_MAX, GMS_SHARED, 0);
	refuse(state, UINT64_MAX, 1, GMS_SHARED, 0);
	refuse(state, UINT64_MAX, UINT64_MAX, GMS_SHARED, 0);
	refuse(state, 0, 1, 2, 0);
	refuse(state, 0, 1, -1, 0);
	for (bit = 1; bit < 32; bit++) /* bit 0 is GMS_CONVERT_RESUMABLE */
		refuse(state, 0, 1, GMS_PRIVATE, 1U << bit);
	stats = stats_of(state);
	assert_int_equal(stats.refused_inval, 2 * (10 + 31));
	assert_int_equal(stats.conversions, 1);
	assert_int_equal(stats.noops, 0);
	assert_int_equal(gms_seq_read(state, 0), seq);
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_PRIVATE), 3);
	destroy(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule1_a_new_object_is_shared),
		cmocka_unit_test(test_rule1_a_new_object_may_be_private),
		cmocka_unit_test(test_rule2_create_costs_in_proportion_to_1g_blocks),
		cmocka_unit_test(test_rule2_the_largest_object_works),
		cmocka_unit_test(test_rule3_equal_neighbours_are_one_run),
		cmocka_unit_test(test_rule3_a_reversed_change_leaves_no_cost),
		cmocka_unit_test(test_rule4_mixed_ends_with_the_last_page),
		cmocka_unit_test(test_rule5_summaries_equal_a_recount),
		cmocka_unit_test(test_rule6_incomplete_last_blocks_are_not_offered),
		cmocka_unit_test(test_rule9_a_conversion_with_nothing_to_do_changes_nothing),
		cmocka_unit_test(test_rule10_a_partly_converted_range_becomes_uniform),
		cmocka_unit_test(test_rule11_bad_conversions_are_refused),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
