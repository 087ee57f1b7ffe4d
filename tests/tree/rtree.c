// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree.c - proves the contract of each function of the range tree, as rtree.h states it
 *
 * Tests rules 3 to 6, 9 and 11.
 */
#include "shapes.h"
#include "test.h"

static void refuse_create(uint64_t nr_pages, int init, const struct gms_allocator *allocator)
{
	struct gms_rtree *tree = (void *)0x77;

	assert_int_equal(gms_rtree_create(nr_pages, (enum gms_rtree_fill)init, allocator, &tree),
			 -EINVAL);
	assert_ptr_equal(tree, (void *)0x77);
}

/* Rule 11: bad sizes, contents and allocators are refused, and no tree is created. */
static void test_create_refuses_bad_arguments(void **state)
{
	struct talloc talloc;

	(void)state;
	talloc_init(&talloc);
	refuse_create(0, GMS_RTREE_NONE, NULL);
	refuse_create(GMS_MAX_PAGES + 1, GMS_RTREE_NONE, NULL);
	refuse_create(UINT64_MAX, GMS_RTREE_ALL, NULL);
	refuse_create(1, GMS_RTREE_MIXED, NULL);
	refuse_create(1, 3, NULL);
	talloc.ops.struct_size = 0;
	refuse_create(1, GMS_RTREE_NONE, &talloc.ops);
	talloc.ops.struct_size = sizeof(talloc.ops) - 1;
	refuse_create(1, GMS_RTREE_NONE, &talloc.ops);
	talloc.ops.struct_size = sizeof(talloc.ops);
	talloc.ops.alloc = NULL;
	refuse_create(1, GMS_RTREE_NONE, &talloc.ops);
	talloc_init(&talloc);
	talloc.ops.free = NULL;
	refuse_create(1, GMS_RTREE_NONE, &talloc.ops);
	assert_int_equal(talloc.allocs, 0);
}

static void test_create_copies_the_allocator(void **state)
{
	struct talloc talloc;
	struct gms_allocator ops;
	struct gms_rtree *tree;

	(void)state;
	talloc_init(&talloc);
	ops = talloc.ops;
	assert_int_equal(gms_rtree_create(T_1G, GMS_RTREE_NONE, &ops, &tree), 0);
	memset(&ops, 0, sizeof(ops));
	assert_int_equal(gms_rtree_set(tree, 1, 1), 0);
	gms_rtree_destroy(tree);
	gms_rtree_destroy(NULL);
	assert_int_equal(talloc.live_blocks, 0);
	assert_true(talloc.allocs > 0);
	assert_fine(talloc_check(&talloc));
}

static void test_a_tree_works_with_the_default_allocator(void **state)
{
	struct gms_rtree *tree;

	(void)state;
	assert_int_equal(gms_rtree_create(T_1G, GMS_RTREE_ALL, NULL, &tree), 0);
	assert_int_equal(gms_rtree_clear(tree, 1, T_2M), 0);
	assert_int_equal(gms_rtree_count(tree, 0, T_1G), T_1G - T_2M);
	gms_rtree_destroy(tree);
}

static void check_new(uint64_t nr_pages, bool full)
{
	enum gms_rtree_fill want = full ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	struct twin twin;

	twin_init(&twin, nr_pages, full);
	assert_fine(twin_check(&twin));
	assert_int_equal(gms_rtree_fill_range(twin.tree, 0, nr_pages), want);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	twin_store(&twin, nr_pages - 1, 1, !full);
	assert_fine(twin_check(&twin));
	twin_store(&twin, nr_pages - 1, 1, full);
	assert_int_equal(gms_rtree_fill_range(twin.tree, 0, nr_pages), want);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* Rules 5 and 6: trees with a complete and with an incomplete last block agree with the oracle. */
static void test_trees_of_all_kinds_of_sizes_agree(void **state)
{
	static const uint64_t sizes[] = {
		1,           2,           3,
		T_2M - 1,    T_2M,        T_2M + 1,
		T_1G - T_2M, T_1G - 1,    T_1G,
		T_1G + 1,    T_1G + T_2M, 2 * T_1G - T_2M - 1,
		2 * T_1G,    64 * T_1G,   65 * T_1G + 1,
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i] > 2 * T_1G && test_on_valgrind())
			continue;
		check_new(sizes[i], false);
		check_new(sizes[i], true);
	}
}

static void refuse_range(struct twin *twin, uint64_t start, uint64_t nr_pages)
{
	struct gms_rtree_reserve reserve;

	memset(&reserve, 0x5a, sizeof(reserve));
	assert_int_equal(gms_rtree_set(twin->tree, start, nr_pages), -EINVAL);
	assert_int_equal(gms_rtree_clear(twin->tree, start, nr_pages), -EINVAL);
	assert_int_equal(gms_rtree_prepare(twin->tree, start, nr_pages, &reserve), -EINVAL);
	/* rtree.h allows a release after a failed prepare */
	gms_rtree_release(twin->tree, &reserve);
}

static void test_rule11_bad_ranges_are_refused(void **state)
{
	uint64_t nr_pages = 2 * T_1G + T_2M + 1;
	uint64_t allocs;
	struct twin twin;

	(void)state;
	twin_init(&twin, nr_pages, false);
	twin_store(&twin, 1, T_1G, true);
	allocs = twin.talloc.allocs;
	refuse_range(&twin, 0, 0);
	refuse_range(&twin, 5, 0);
	refuse_range(&twin, nr_pages, 0);
	refuse_range(&twin, nr_pages, 1);
	refuse_range(&twin, nr_pages + 1, 1);
	refuse_range(&twin, 0, nr_pages + 1);
	refuse_range(&twin, 1, nr_pages);
	refuse_range(&twin, nr_pages - 1, 2);
	refuse_range(&twin, 0, UINT64_MAX);
	refuse_range(&twin, 1, UINT64_MAX);
	refuse_range(&twin, UINT64_MAX, 1);
	refuse_range(&twin, UINT64_MAX, 2);
	refuse_range(&twin, 2, UINT64_MAX - 1);
	refuse_range(&twin, T_1G, (uint64_t)0 - T_1G + 1);
	assert_int_equal(twin.talloc.allocs, allocs);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* Rule 11: queries past the end have an answer. */
static void test_queries_past_the_end_have_answers(void **state)
{
	static const uint64_t past[] = {0, 1, T_2M, T_1G, 1ULL << 41, 1ULL << 63};
	struct gms_rtree_run run;
	struct twin twin;
	uint64_t nr_pages = T_1G + 3;
	size_t i;

	(void)state;
	twin_init(&twin, nr_pages, true);
	for (i = 0; i < ARRAY_SIZE(past); i++) {
		uint64_t index = nr_pages + past[i];

		assert_false(gms_rtree_test(twin.tree, index));
		assert_int_equal(gms_rtree_fill(twin.tree, index, 0), GMS_RTREE_NONE);
		assert_int_equal(gms_rtree_fill(twin.tree, index, T_ORDER_2M), GMS_RTREE_NONE);
		assert_int_equal(gms_rtree_fill(twin.tree, index, T_ORDER_1G), GMS_RTREE_NONE);
		assert_int_equal(gms_rtree_fill_range(twin.tree, index, 5), GMS_RTREE_NONE);
		assert_int_equal(gms_rtree_fill_range(twin.tree, index, UINT64_MAX),
				 GMS_RTREE_NONE);
		assert_int_equal(gms_rtree_uniform_order(twin.tree, index), 0);
		assert_int_equal(gms_rtree_count(twin.tree, index, UINT64_MAX), 0);
		assert_false(gms_rtree_next(twin.tree, index, UINT64_MAX, &run));
	}
	assert_false(gms_rtree_test(twin.tree, UINT64_MAX));
	assert_int_equal(gms_rtree_fill(twin.tree, UINT64_MAX, T_ORDER_1G), GMS_RTREE_NONE);
	assert_int_equal(gms_rtree_count(twin.tree, UINT64_MAX, UINT64_MAX), 0);
	assert_false(gms_rtree_next(twin.tree, UINT64_MAX, UINT64_MAX, &run));
	twin_fini(&twin);
}

/* Rule 11: a query of a range that passes the end is about the pages that exist. */
static void test_ranges_are_cut_at_the_end(void **state)
{
	uint64_t nr_pages = T_1G + 3;
	struct gms_rtree_run run;
	struct twin twin;

	(void)state;
	twin_init(&twin, nr_pages, true);
	assert_int_equal(gms_rtree_count(twin.tree, 0, UINT64_MAX), nr_pages);
	assert_int_equal(gms_rtree_count(twin.tree, 7, UINT64_MAX), nr_pages - 7);
	assert_int_equal(gms_rtree_count(twin.tree, nr_pages - 1, 2), 1);
	assert_int_equal(gms_rtree_count(twin.tree, 5, 0), 0);
	/* Pages that do not exist do not make a range mixed. */
	assert_int_equal(gms_rtree_fill_range(twin.tree, 0, UINT64_MAX), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill_range(twin.tree, 9, UINT64_MAX), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill_range(twin.tree, nr_pages - 1, T_1G), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill_range(twin.tree, 9, 0), GMS_RTREE_NONE);
	assert_true(gms_rtree_next(twin.tree, 7, UINT64_MAX, &run));
	assert_int_equal(run.start, 7);
	assert_int_equal(run.nr_pages, nr_pages - 7);
	assert_true(run.set);
	assert_true(gms_rtree_next(twin.tree, nr_pages - 1, nr_pages + 1, &run));
	assert_int_equal(run.nr_pages, 1);
	twin_fini(&twin);
}

static void test_next_finds_nothing_in_an_empty_range(void **state)
{
	struct gms_rtree_run run = {.start = 77, .nr_pages = 78, .set = true};
	struct twin twin;

	(void)state;
	twin_init(&twin, T_1G, false);
	assert_false(gms_rtree_next(twin.tree, 0, 0, &run));
	assert_false(gms_rtree_next(twin.tree, 5, 5, &run));
	assert_false(gms_rtree_next(twin.tree, 5, 4, &run));
	assert_false(gms_rtree_next(twin.tree, T_1G, T_1G + 5, &run));
	assert_int_equal(run.start, 77);
	assert_int_equal(run.nr_pages, 78);
	assert_true(run.set);
	twin_fini(&twin);
}

/* Rule 11: a block of an unknown order is mixed. */
static void test_blocks_of_unknown_orders_are_mixed(void **state)
{
	unsigned int order;
	struct twin twin;

	(void)state;
	twin_init(&twin, 2 * T_1G, true);
	for (order = 0; order < 70; order++) {
		bool known = order == 0 || order == T_ORDER_2M || order == T_ORDER_1G;

		assert_int_equal(gms_rtree_fill(twin.tree, 5, order),
				 known ? GMS_RTREE_ALL : GMS_RTREE_MIXED);
	}
	assert_int_equal(gms_rtree_fill(twin.tree, 5, UINT32_MAX), GMS_RTREE_MIXED);
	twin_fini(&twin);
}

/* Rules 4 and 5: uniform_order and fill follow stores of 4K, 2M and 1G. */
static void test_summaries_follow_each_store(void **state)
{
	struct twin twin;

	(void)state;
	twin_init(&twin, 2 * T_1G, false);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, T_1G + 1), T_ORDER_1G);
	twin_store(&twin, T_1G + T_2M, 1, true);
	assert_int_equal(gms_rtree_nodes(twin.tree), 2);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, T_1G), T_ORDER_2M);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, T_1G + T_2M + 1), 0);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, 0), T_ORDER_1G);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G, T_ORDER_1G), GMS_RTREE_MIXED);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G, T_ORDER_2M), GMS_RTREE_NONE);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G + T_2M, T_ORDER_2M), GMS_RTREE_MIXED);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G + T_2M, 0), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G + T_2M + 1, 0), GMS_RTREE_NONE);
	twin_store(&twin, T_1G + T_2M, T_2M, true);
	assert_int_equal(gms_rtree_nodes(twin.tree), 1);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, T_1G + T_2M), T_ORDER_2M);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G + T_2M, T_ORDER_2M), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill(twin.tree, T_1G, T_ORDER_1G), GMS_RTREE_MIXED);
	twin_store(&twin, T_1G, T_1G, true);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	assert_int_equal(gms_rtree_uniform_order(twin.tree, T_1G), T_ORDER_1G);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* Checks a last 1G block of @whole 2M blocks and @tail pages. */
static void check_tail(uint64_t whole, uint64_t tail)
{
	uint64_t base = T_1G;
	uint64_t nr_pages = base + whole * T_2M + tail;
	uint64_t last = nr_pages - 1;
	struct twin twin;

	twin_init(&twin, nr_pages, false);
	twin_store(&twin, base, nr_pages - base, true);
	assert_int_equal(gms_rtree_fill(twin.tree, last, T_ORDER_1G), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill(twin.tree, last, T_ORDER_2M), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	if (tail)
		assert_int_equal(gms_rtree_uniform_order(twin.tree, last), 0);
	if (whole)
		assert_int_equal(gms_rtree_uniform_order(twin.tree, base), T_ORDER_2M);
	assert_fine(twin_check(&twin));
	twin_store(&twin, last, 1, false);
	assert_fine(twin_check(&twin));
	twin_store(&twin, last, 1, true);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	twin_store(&twin, base, 1, false);
	assert_fine(twin_check(&twin));
	twin_store(&twin, base, nr_pages - base, false);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

static void test_rule6_incomplete_last_blocks_are_not_offered(void **state)
{
	static const uint64_t whole[] = {0, 1, 2, T_FANOUT / 2, T_FANOUT - 1};
	static const uint64_t tail[] = {0, 1, 2, T_2M / 2, T_2M - 1};
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(whole); i++) {
		for (k = 0; k < ARRAY_SIZE(tail); k++) {
			if ((i + k) % 2 && T_SHIFT == 9 && test_on_valgrind())
				continue;
			if (whole[i] + tail[k])
				check_tail(whole[i], tail[k]);
		}
	}
}

static void test_rule3_a_change_and_its_reverse_leave_no_trace(void **state)
{
	struct twin_print before, after;
	struct twin twin;
	uint64_t start, nr;
	unsigned int which;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		before = twin_print(&twin);
		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++) {
			int fill = oracle_fill_range(&twin.oracle, start, nr);

			if (fill == GMS_RTREE_MIXED)
				continue;
			twin_store(&twin, start, nr, fill == GMS_RTREE_NONE);
			assert_fine(twin_check_near(&twin, start, nr));
			twin_store(&twin, start, nr, fill == GMS_RTREE_ALL);
			after = twin_print(&twin);
			assert_true(twin_print_equal(&before, &after));
		}
		assert_fine(twin_check(&twin));
		twin_fini(&twin);
	}
}

/* Rules 3 and 5: each shape is sound, and uses the memory of a new tree with its content. */
static void test_rule5_all_shapes_agree(void **state)
{
	struct twin twin;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		assert_fine(twin_check(&twin));
		twin_fini(&twin);
	}
}

/* The number of mixed 2M blocks in a 1G goes up to the largest one, and down to 0. */
static void test_rule4_mixed_ends_with_the_last_page(void **state)
{
	unsigned int n = (unsigned int)T_FANOUT;
	struct twin twin;
	unsigned int i;

	(void)state;
	twin_init(&twin, 2 * T_1G, false);
	for (i = 0; i < n; i++) {
		twin_store(&twin, T_1G + i * T_2M + i % T_2M, 1, true);
		assert_int_equal(gms_rtree_nodes(twin.tree), i + 2);
		assert_fine(twin_check_near(&twin, T_1G + i * T_2M, T_2M));
	}
	assert_fine(twin_check(&twin));
	for (i = 0; i < n; i++) {
		uint64_t block = (i * 7 + 3) % n;

		twin_store(&twin, T_1G + block * T_2M + block % T_2M, 1, false);
		assert_int_equal(gms_rtree_nodes(twin.tree), i + 1 < n ? n - i : 0);
		assert_fine(twin_check_near(&twin, T_1G + block * T_2M, T_2M));
	}
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* Rule 3: a tree that is uniform again uses as much memory as a new one, and reports the rest. */
static void test_memory_in_use_follows_the_content(void **state)
{
	size_t empty, sparse, dense;
	struct twin twin;

	(void)state;
	twin_init(&twin, 4 * T_1G, false);
	empty = gms_rtree_memory(twin.tree);
	twin_store(&twin, 1, 1, true);
	sparse = gms_rtree_memory(twin.tree);
	assert_true(sparse > empty);
	shape_mix(&twin, T_1G, (unsigned int)T_FANOUT, true);
	dense = gms_rtree_memory(twin.tree);
	assert_true(dense > sparse);
	twin_store(&twin, 0, 4 * T_1G, false);
	assert_int_equal(gms_rtree_memory(twin.tree), empty);
	/* The tree keeps its places. */
	assert_true(gms_rtree_pooled(twin.tree) >= dense - empty);
	assert_fine(twin_check_account(&twin));
	twin_fini(&twin);
}

#if T_SHIFT == 9
/* Rule 3: the memory in use is 192 bytes for each mixed 1G, and 64 for each mixed 2M. */
static void test_memory_in_use_is_that_of_mixed_blocks(void **state)
{
	struct twin twin;
	size_t empty;

	(void)state;
	twin_init(&twin, 2 * T_1G, false);
	empty = gms_rtree_memory(twin.tree);
	for (unsigned int n = 1; n <= 512; n += 73) {
		shape_mix(&twin, T_1G, n, true);
		assert_int_equal(gms_rtree_memory(twin.tree) - empty, 192 + 64 * n);
		assert_fine(twin_check_account(&twin));
	}
	twin_fini(&twin);
}
#endif

/* Rule 3: memory that is kept is used again. */
static void test_places_are_used_again(void **state)
{
	struct twin twin;
	uint64_t pooled, allocs;
	int i;

	(void)state;
	twin_init(&twin, 2 * T_1G, false);
	for (i = 0; i < 4; i++) {
		shape_mix(&twin, (i % 2) * T_1G, (unsigned int)T_FANOUT, true);
		twin_store(&twin, 0, 2 * T_1G, i / 2);
		twin_store(&twin, 0, 2 * T_1G, false);
	}
	pooled = gms_rtree_pooled(twin.tree);
	allocs = twin.talloc.allocs;
	for (i = 0; i < 20; i++) {
		shape_mix(&twin, (i % 2) * T_1G, (unsigned int)T_FANOUT, true);
		twin_store(&twin, 0, 2 * T_1G, false);
	}
	assert_int_equal(gms_rtree_pooled(twin.tree), pooled);
	assert_int_equal(twin.talloc.allocs, allocs);
	twin_fini(&twin);
}

static void test_verify_may_have_no_reason(void **state)
{
	const char *reason = "untouched";
	struct twin twin;

	(void)state;
	twin_init(&twin, T_1G, false);
	twin_store(&twin, 1, 1, true);
	assert_true(gms_rtree_verify(twin.tree, NULL));
	assert_true(gms_rtree_verify(twin.tree, &reason));
	assert_string_equal(reason, "untouched");
	twin_fini(&twin);
}

/* A store that changes nothing allocates nothing, so it cannot fail. */
static void test_rule9_no_change_allocates_nothing(void **state)
{
	struct gms_rtree *tree;
	struct talloc talloc;

	(void)state;
	talloc_init(&talloc);
	assert_int_equal(gms_rtree_create(4 * T_1G, GMS_RTREE_NONE, &talloc.ops, &tree), 0);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_rtree_clear(tree, 1, 1), 0);
	assert_int_equal(gms_rtree_clear(tree, T_2M, T_2M), 0);
	assert_int_equal(gms_rtree_clear(tree, T_1G - 1, 2 * T_1G), 0);
	assert_int_equal(gms_rtree_set(tree, T_1G, T_1G), 0);
	assert_int_equal(gms_rtree_set(tree, T_1G + 1, 1), 0);
	talloc_trap(&talloc, 0);
	assert_null(talloc_check(&talloc));
	gms_rtree_destroy(tree);
}

/* Rule 11: a larger allocator of a newer program is accepted if its unknown part is zero. */
static void test_the_allocator_may_be_newer(void **state)
{
	struct {
		struct gms_allocator ops;
		uint64_t more;
	} newer = {.more = 0};
	struct gms_rtree *tree;
	struct talloc talloc;

	(void)state;
	talloc_init(&talloc);
	newer.ops = talloc.ops;
	newer.ops.struct_size = sizeof(newer);
	assert_int_equal(gms_rtree_create(1, GMS_RTREE_NONE, &newer.ops, &tree), 0);
	gms_rtree_destroy(tree);
	newer.more = 1;
	assert_int_equal(gms_rtree_create(1, GMS_RTREE_NONE, &newer.ops, &tree), -EINVAL);
	newer.ops.struct_size = sizeof(newer.ops) - 1;
	assert_int_equal(gms_rtree_create(1, GMS_RTREE_NONE, &newer.ops, &tree), -EINVAL);
	assert_null(talloc_check(&talloc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule9_no_change_allocates_nothing),
		cmocka_unit_test(test_the_allocator_may_be_newer),
		cmocka_unit_test(test_create_refuses_bad_arguments),
		cmocka_unit_test(test_create_copies_the_allocator),
		cmocka_unit_test(test_a_tree_works_with_the_default_allocator),
		cmocka_unit_test(test_trees_of_all_kinds_of_sizes_agree),
		cmocka_unit_test(test_rule11_bad_ranges_are_refused),
		cmocka_unit_test(test_queries_past_the_end_have_answers),
		cmocka_unit_test(test_ranges_are_cut_at_the_end),
		cmocka_unit_test(test_next_finds_nothing_in_an_empty_range),
		cmocka_unit_test(test_blocks_of_unknown_orders_are_mixed),
		cmocka_unit_test(test_summaries_follow_each_store),
		cmocka_unit_test(test_rule6_incomplete_last_blocks_are_not_offered),
		cmocka_unit_test(test_rule3_a_change_and_its_reverse_leave_no_trace),
		cmocka_unit_test(test_rule5_all_shapes_agree),
		cmocka_unit_test(test_rule4_mixed_ends_with_the_last_page),
		cmocka_unit_test(test_memory_in_use_follows_the_content),
#if T_SHIFT == 9
		cmocka_unit_test(test_memory_in_use_is_that_of_mixed_blocks),
#endif
		cmocka_unit_test(test_places_are_used_again),
		cmocka_unit_test(test_verify_may_have_no_reason),
	};

	return cmocka_run_group_tests_name("rtree", tests, NULL, NULL);
}
