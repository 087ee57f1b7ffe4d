// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state_api.c - proves the contract of the state object at its edges: bad options and ranges,
 * queries past the end, failed allocations, and memory
 *
 * Tests rules 2, 3, 11, 14 and 15.
 */
#include <gmemstate/state.h>

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)

static struct gms_state *create_with(uint64_t nr_pages, struct talloc *talloc)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.allocator = talloc ? &talloc->ops : NULL;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	return state;
}

static void destroy_with(struct gms_state *state, const struct talloc *talloc)
{
	const char *reason;

	if (!gms_state_verify(state, &reason))
		fail_msg("%s", reason);
	assert_true(gms_state_verify(state, NULL));
	gms_state_destroy(state);
	if (talloc) {
		assert_int_equal(talloc->live_blocks, 0);
		assert_fine(atomic_load(&talloc->broken));
	}
}

static void refuse_opts(const struct gms_state_opts *opts)
{
	struct gms_state *state = (void *)0x77;

	assert_int_equal(gms_state_create(opts, &state), -EINVAL);
	assert_ptr_equal(state, (void *)0x77);
}

/* Rule 11: bad sizes, flags, orders and contexts are refused, and no object is made. */
static void test_bad_options_are_refused(void **unused)
{
	const struct gms_state_opts good = {.struct_size = sizeof(good), .nr_pages = 1};
	struct gms_state_opts opts;
	unsigned int i;

	(void)unused;
	opts = good, opts.nr_pages = 0, refuse_opts(&opts);
	opts = good, opts.nr_pages = GMS_MAX_PAGES + 1, refuse_opts(&opts);
	opts = good, opts.nr_pages = UINT64_MAX, refuse_opts(&opts);
	for (i = 1; i < 64; i++)
		opts = good, opts.flags = 1ULL << i, refuse_opts(&opts);
	for (i = 0; i < 40; i++) {
		opts = good, opts.folio_order = i;
		if (i != GMS_ORDER_4K && i != GMS_ORDER_2M && i != GMS_ORDER_1G)
			refuse_opts(&opts);
	}
	/* a context without functions that use it is refused */
	opts = good, opts.policy_ctx = &opts, refuse_opts(&opts);
	opts = good, opts.backend_ctx = &opts, refuse_opts(&opts);
	opts = good, opts.clock_ctx = &opts, refuse_opts(&opts);
}

/*
 * Rule 11: a policy without a function or a name is refused, and so is an unknown flag of a
 * backend.
 */
static void test_bad_policies_and_backends_are_refused(void **unused)
{
	struct gms_backend_ops backend = {.struct_size = sizeof(backend), .flags = 2};
	struct gms_state_opts good = GMS_STATE_OPTS_INIT, opts;
	struct gms_policy_ops policy;

	(void)unused;
	good.nr_pages = 1;
	good.policy = &policy;
	policy = *gms_policy_lazy(), opts = good, policy.decide = NULL, refuse_opts(&opts);
	policy = *gms_policy_lazy(), opts = good, policy.name = NULL, refuse_opts(&opts);
	good.policy = NULL;
	good.backend = &backend;
	opts = good, refuse_opts(&opts);
}

static void test_all_folio_orders_are_accepted(void **unused)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	struct gms_state *state;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

		opts.nr_pages = BLOCK_1G + 1;
		opts.folio_order = orders[i];
		assert_int_equal(gms_state_create(&opts, &state), 0);
		assert_int_equal(gms_max_order(state, 0), GMS_ORDER_1G);
		gms_state_destroy(state);
	}
}

/* Rule 11: an allocator that lacks a function is refused, and not called. */
static void test_bad_allocators_are_refused(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct talloc talloc;

	(void)unused;
	opts.nr_pages = 1;
	opts.allocator = &talloc.ops;
	talloc_init(&talloc), talloc.ops.alloc = NULL, refuse_opts(&opts);
	talloc_init(&talloc), talloc.ops.free = NULL, refuse_opts(&opts);
	assert_int_equal(talloc.allocs, 0);
}

/* Rule 11: queries past the end have the safe answer. */
static void test_rule11_queries_past_the_end_have_answers(void **unused)
{
	static const uint64_t past[] = {0, 1, BLOCK_2M, BLOCK_1G, 1ULL << 41, 1ULL << 62};
	uint64_t nr_pages = BLOCK_1G + 3;
	struct gms_state *state = create_with(nr_pages, NULL);
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(past); i++) {
		uint64_t index = nr_pages + past[i];

		assert_true(gms_is_private(state, index));
		assert_false(gms_range_is(state, index, 1, GMS_PRIVATE));
		assert_false(gms_range_is(state, index, 1, GMS_SHARED));
		assert_int_equal(gms_summary(state, index, GMS_ORDER_4K), GMS_ALL_PRIVATE);
		assert_int_equal(gms_summary(state, index, GMS_ORDER_2M), GMS_ALL_PRIVATE);
		assert_int_equal(gms_summary(state, index, GMS_ORDER_1G), GMS_ALL_PRIVATE);
		assert_int_equal(gms_max_order(state, index), 0);
		assert_int_equal(gms_count(state, index, UINT64_MAX, GMS_SHARED), 0);
		assert_int_equal(gms_count(state, index, 1, GMS_PRIVATE), 0);
		assert_int_equal(gms_seq_read(state, index), 0);
	}
	assert_true(gms_is_private(state, UINT64_MAX));
	assert_int_equal(gms_summary(state, UINT64_MAX, GMS_ORDER_1G), GMS_ALL_PRIVATE);
	destroy_with(state, NULL);
}

/* Rule 11: queries of ranges that pass the end, wrap around or are empty have an answer. */
static void test_queries_of_ranges_past_the_end_have_answers(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + 3;
	struct gms_state *state = create_with(nr_pages, NULL);

	(void)unused;
	/* A range that passes the end is neither shared nor private. */
	assert_false(gms_range_is(state, 0, nr_pages + 1, GMS_SHARED));
	assert_false(gms_range_is(state, nr_pages - 1, 2, GMS_SHARED));
	assert_false(gms_range_is(state, 1, UINT64_MAX, GMS_SHARED));
	assert_false(gms_range_is(state, 2, UINT64_MAX - 1, GMS_SHARED));
	assert_false(gms_range_is(state, 0, 0, GMS_SHARED));
	assert_false(gms_range_is(state, 0, 0, GMS_PRIVATE));
	assert_true(gms_range_is(state, 0, nr_pages, GMS_SHARED));
	assert_false(gms_range_is(state, 0, nr_pages, GMS_PRIVATE));
	/* Its count is that of the pages that exist. */
	assert_int_equal(gms_count(state, 0, UINT64_MAX, GMS_SHARED), nr_pages);
	assert_int_equal(gms_count(state, 5, UINT64_MAX, GMS_SHARED), nr_pages - 5);
	assert_int_equal(gms_count(state, 5, UINT64_MAX - 5, GMS_PRIVATE), 0);
	assert_int_equal(gms_count(state, nr_pages - 1, 2, GMS_SHARED), 1);
	assert_int_equal(gms_count(state, 5, 0, GMS_SHARED), 0);
	destroy_with(state, NULL);
}

/* Rule 11: the summary of a block of an unknown order is mixed. */
static void test_blocks_of_unknown_orders_are_mixed(void **unused)
{
	struct gms_state *state = create_with(BLOCK_1G, NULL);
	unsigned int order;

	(void)unused;
	for (order = 0; order < 70; order++) {
		bool known =
			order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G;

		assert_int_equal(gms_summary(state, 5, order), known ? GMS_ALL_SHARED : GMS_MIXED);
	}
	assert_int_equal(gms_summary(state, 5, UINT32_MAX), GMS_MIXED);
	destroy_with(state, NULL);
}

static void expect_iter(const struct gms_state *state, uint64_t start, uint64_t nr,
			const struct gms_run *want, size_t count)
{
	struct gms_iter iter;
	struct gms_run run;
	size_t i;

	memset(&iter, 0x5a, sizeof(iter));
	gms_iter_init(&iter, state, start, nr);
	for (i = 0; i < count; i++) {
		assert_true(gms_iter_next(&iter, &run));
		assert_int_equal(run.start, want[i].start);
		assert_int_equal(run.nr_pages, want[i].nr_pages);
		assert_int_equal(run.shareability, want[i].shareability);
	}
	run = (struct gms_run) {77, 78, GMS_SHARED};
	assert_false(gms_iter_next(&iter, &run));
	assert_int_equal(run.start, 77);
	assert_int_equal(run.nr_pages, 78);
}

/* Rule 3: each run is as long as the range of the walk allows. */
static void test_iterators_keep_to_their_range(void **unused)
{
	uint64_t nr_pages = 2 * BLOCK_1G + 3;
	struct gms_state *state = create_with(nr_pages, NULL);
	const struct gms_run all[] = {
		{0, 100, GMS_SHARED},
		{100, BLOCK_1G, GMS_PRIVATE},
		{BLOCK_1G + 100, nr_pages - BLOCK_1G - 100, GMS_SHARED},
	};
	const struct gms_run part[] = {
		{98, 2, GMS_SHARED},
		{100, BLOCK_1G, GMS_PRIVATE},
		{BLOCK_1G + 100, 1, GMS_SHARED},
	};
	const struct gms_run inner[] = {{BLOCK_2M, 7, GMS_PRIVATE}};
	const struct gms_run last[] = {{nr_pages - 1, 1, GMS_SHARED}};

	(void)unused;
	assert_int_equal(gms_convert(state, 100, BLOCK_1G, GMS_PRIVATE, 0, NULL), 0);
	expect_iter(state, 0, nr_pages, all, ARRAY_SIZE(all));
	expect_iter(state, 0, UINT64_MAX, all, ARRAY_SIZE(all));
	expect_iter(state, 98, BLOCK_1G + 3, part, ARRAY_SIZE(part));
	expect_iter(state, BLOCK_2M, 7, inner, ARRAY_SIZE(inner));
	expect_iter(state, nr_pages - 1, UINT64_MAX, last, ARRAY_SIZE(last));
	expect_iter(state, 5, 0, NULL, 0);
	expect_iter(state, nr_pages, 1, NULL, 0);
	expect_iter(state, nr_pages, UINT64_MAX, NULL, 0);
	expect_iter(state, UINT64_MAX, 1, NULL, 0);
	destroy_with(state, NULL);
}

/* Rule 15: sequence numbers are even between calls. A conversion changes those of its shards. */
static void test_sequence_numbers_change_by_shard(void **unused)
{
	uint64_t nr_pages = 40 * BLOCK_1G;
	struct gms_state *state = create_with(nr_pages, NULL);
	uint64_t seq[40];
	uint64_t i;

	(void)unused;
	for (i = 0; i < 40; i++) {
		seq[i] = gms_seq_read(state, i * BLOCK_1G + i);
		assert_int_equal(seq[i] % 2, 0);
		assert_false(gms_seq_retry(state, i * BLOCK_1G, seq[i]));
		assert_true(gms_seq_retry(state, i * BLOCK_1G, seq[i] + 1));
	}
	assert_int_equal(gms_convert(state, 14 * BLOCK_1G + 5, 4 * BLOCK_1G, GMS_PRIVATE, 0, NULL),
			 0);
	for (i = 0; i < 40; i++) {
		/* 1G blocks 14 to 18, and blocks of their shards */
		bool hit = (i + 2) % 16 <= 4;

		assert_int_equal(gms_seq_retry(state, i * BLOCK_1G, seq[i]), hit);
		assert_int_equal(gms_seq_read(state, i * BLOCK_1G) % 2, 0);
		assert_int_equal(gms_seq_read(state, i * BLOCK_1G),
				 gms_seq_read(state, i % 16 * BLOCK_1G));
	}
	assert_int_equal(gms_convert(state, 0, nr_pages, GMS_PRIVATE, 0, NULL), 0);
	for (i = 0; i < 40; i++)
		assert_true(gms_seq_retry(state, i * BLOCK_1G, seq[i]));
	destroy_with(state, NULL);
}

static void refuse_lock(struct gms_state *state, uint64_t start, uint64_t nr)
{
	assert_int_equal(gms_lock_shared(state, start, nr), -EINVAL);
	/* If a lock were held, this conversion would wait or be refused. */
	assert_int_equal(gms_convert(state, 0, 1, GMS_PRIVATE, 0, NULL), 0);
}

/* Rule 11: a bad range is refused, and nothing is locked. */
static void test_lock_shared_refuses_bad_ranges(void **unused)
{
	uint64_t nr_pages = BLOCK_1G + 3;
	struct gms_state *state = create_with(nr_pages, NULL);

	(void)unused;
	refuse_lock(state, 0, 0);
	refuse_lock(state, nr_pages, 1);
	refuse_lock(state, 0, nr_pages + 1);
	refuse_lock(state, nr_pages - 1, 2);
	refuse_lock(state, 1, UINT64_MAX);
	assert_int_equal(gms_lock_shared(state, 5, nr_pages - 5), 0);
	assert_true(gms_is_private(state, 0));
	assert_int_equal(gms_count(state, 0, nr_pages, GMS_PRIVATE), 1);
	gms_unlock_shared(state, 5, nr_pages - 5);
	assert_int_equal(gms_convert(state, 0, nr_pages, GMS_PRIVATE, 0, NULL), 0);
	destroy_with(state, NULL);
}

/* Rule 11: an unknown shareability is refused, and no page has it. */
static void test_unknown_shareabilities_are_refused(void **unused)
{
	const enum gms_shareability unknown = (enum gms_shareability)2;
	struct gms_state *state = create_with(BLOCK_1G, NULL);

	(void)unused;
	assert_int_equal(gms_convert(state, 1, 5, GMS_PRIVATE, 0, NULL), 0);
	assert_false(gms_range_is(state, 0, 10, unknown));
	assert_int_equal(gms_count(state, 0, 10, unknown), 0);
	assert_int_equal(gms_convert(state, 0, 10, unknown, 0, NULL), -EINVAL);
	destroy_with(state, NULL);
}

/* Rule 3: the memory in use and the memory that is kept add up to the bytes allocated. */
static void test_statistics_account_for_all_memory(void **unused)
{
	struct talloc talloc;
	struct gms_state *state;
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	uint64_t at;

	(void)unused;
	talloc_init(&talloc);
	state = create_with(2 * BLOCK_1G, &talloc);
	for (at = 0; at < 2 * BLOCK_1G; at += BLOCK_2M + 1) {
		assert_int_equal(gms_convert(state, at, 1, GMS_PRIVATE, 0, NULL), 0);
		gms_stats_read(state, &stats);
		assert_int_equal(stats.bytes_in_use + stats.bytes_pooled, talloc.live_bytes);
	}
	assert_int_equal(stats.conversions, 2 * BLOCK_1G / (BLOCK_2M + 1) + 1);
	assert_int_equal(stats.nodes, 2 + stats.conversions);
	destroy_with(state, &talloc);
}

/* Fails a conversion at each of its allocations in turn, until it succeeds. */
static void fail_convert(struct gms_state *state, struct talloc *talloc, uint64_t start,
			 uint64_t nr, enum gms_shareability to, uint64_t *failures)
{
	struct gms_stats before = {.struct_size = sizeof(before)};
	struct gms_stats after = before;
	gms_pgoff_t err_index = ~start;
	uint64_t skip, private, failed;
	int rc;

	for (skip = 0;; skip++) {
		gms_stats_read(state, &before);
		private = gms_count(state, 0, UINT64_MAX, GMS_PRIVATE);
		failed = talloc->failed;
		talloc_fail(talloc, skip, 1);
		rc = gms_convert(state, start, nr, to, 0, &err_index);
		talloc_fail_never(talloc);
		if (talloc->failed == failed)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_int_equal(err_index, start);
		assert_int_equal(gms_count(state, 0, UINT64_MAX, GMS_PRIVATE), private);
		gms_stats_read(state, &after);
		assert_int_equal(after.refused_nomem, before.refused_nomem + 1);
		assert_int_equal(after.conversions, before.conversions);
		assert_int_equal(after.pages_converted, before.pages_converted);
		assert_int_equal(after.noops, before.noops);
		assert_int_equal(after.nodes, before.nodes);
		assert_int_equal(after.bytes_in_use, before.bytes_in_use);
		assert_int_equal(gms_seq_read(state, start) % 2, 0);
		assert_true(gms_state_verify(state, NULL));
		++*failures;
	}
	assert_int_equal(rc, 0);
	assert_true(gms_range_is(state, start, nr, to));
}

/* Rule 14: a conversion that fails at any of its allocations changes nothing. */
static void test_rule14_a_conversion_that_fails_changes_nothing(void **unused)
{
	uint64_t nr_pages = 200 * BLOCK_1G + 5;
	struct talloc talloc;
	struct gms_state *state;
	uint64_t failures = 0;
	uint64_t at;

	(void)unused;
	talloc_init(&talloc);
	state = create_with(nr_pages, &talloc);
	for (at = 3; at < BLOCK_1G; at += BLOCK_2M)
		fail_convert(state, &talloc, at, 1, GMS_PRIVATE, &failures);
	fail_convert(state, &talloc, 5, 199 * BLOCK_1G, GMS_PRIVATE, &failures);
	fail_convert(state, &talloc, 70 * BLOCK_1G + 1, BLOCK_2M, GMS_SHARED, &failures);
	fail_convert(state, &talloc, 1, nr_pages - 1, GMS_SHARED, &failures);
	fail_convert(state, &talloc, 0, nr_pages, GMS_PRIVATE, &failures);
	assert_in_range(failures, 4, UINT64_MAX);
	destroy_with(state, &talloc);
}

/* Rule 14: without memory no object is created, and nothing stays allocated. */
static void test_rule14_a_create_that_fails_leaves_nothing(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct talloc talloc;
	uint64_t skip;
	int rc;

	(void)unused;
	for (skip = 0;; skip++) {
		talloc_init(&talloc);
		talloc_fail(&talloc, skip, 1);
		opts.nr_pages = 100 * BLOCK_1G;
		opts.allocator = &talloc.ops;
		state = (void *)0x77;
		rc = gms_state_create(&opts, &state);
		if (!talloc.failed)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_ptr_equal(state, (void *)0x77);
		assert_int_equal(talloc.live_blocks, 0);
	}
	assert_int_equal(rc, 0);
	assert_in_range(skip, 2, 100);
	destroy_with(state, &talloc);
}

static void test_the_worst_case_uses_little_more_than_a_bitmap(void **unused)
{
	uint64_t nr_pages = (test_on_valgrind() ? 1 : 16) * BLOCK_1G;
	struct gms_state *state = create_with(nr_pages, NULL);
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	uint64_t at, fixed;

	(void)unused;
	gms_stats_read(state, &stats);
	fixed = stats.bytes_in_use;
	for (at = 0; at < nr_pages; at += 2) {
		if (gms_convert(state, at, 1, GMS_PRIVATE, 0, NULL))
			fail();
	}
	gms_stats_read(state, &stats);
	assert_int_equal(stats.pages_converted, nr_pages / 2);
	assert_true((stats.bytes_in_use - fixed) * 100 <= nr_pages / 8 * 115);
	assert_true(fixed <= 32768);
	gms_state_destroy(state);
}

/* Rule 2: the memory of the largest object follows from the number of its 1G blocks. */
static void test_uniform_objects_use_little_memory(void **unused)
{
	struct gms_state *state = create_with(GMS_MAX_PAGES, NULL);
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	(void)unused;
	gms_stats_read(state, &stats);
	assert_true(stats.bytes_in_use < 24 * 1024 * (GMS_MAX_PAGES >> 28));
	assert_int_equal(stats.nodes, 0);
	gms_state_destroy(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_options_are_refused),
		cmocka_unit_test(test_bad_policies_and_backends_are_refused),
		cmocka_unit_test(test_all_folio_orders_are_accepted),
		cmocka_unit_test(test_bad_allocators_are_refused),
		cmocka_unit_test(test_rule11_queries_past_the_end_have_answers),
		cmocka_unit_test(test_queries_of_ranges_past_the_end_have_answers),
		cmocka_unit_test(test_blocks_of_unknown_orders_are_mixed),
		cmocka_unit_test(test_iterators_keep_to_their_range),
		cmocka_unit_test(test_sequence_numbers_change_by_shard),
		cmocka_unit_test(test_lock_shared_refuses_bad_ranges),
		cmocka_unit_test(test_unknown_shareabilities_are_refused),
		cmocka_unit_test(test_statistics_account_for_all_memory),
		cmocka_unit_test(test_rule14_a_conversion_that_fails_changes_nothing),
		cmocka_unit_test(test_rule14_a_create_that_fails_leaves_nothing),
		cmocka_unit_test(test_the_worst_case_uses_little_more_than_a_bitmap),
		cmocka_unit_test(test_uniform_objects_use_little_memory),
	};

	return cmocka_run_group_tests_name("state-api", tests, NULL, NULL);
}
