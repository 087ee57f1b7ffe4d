// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_huge.c - proves bounds on the memory of a tree, and that the largest tree works
 *
 * Tests rule 2.
 *
 * A uniform tree uses almost no memory, and the worst case little more than a flat bitmap. The
 * cost of creating a tree is proportional to the number of 1G blocks. A tree of 2^40 pages works
 * at both ends. The tests count bytes and measure no time.
 */
#include "test.h"
#include "twin.h"

#define TIB (1ULL << 28) /* in pages */

static void test_rule2_create_costs_two_bytes_a_block(void **state)
{
	static const uint64_t sizes[] = {1, 1ULL << 18, TIB, 64 * TIB, GMS_MAX_PAGES};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t blocks = (sizes[i] + T_1G - 1) / T_1G;
		struct gms_rtree *tree;
		struct talloc talloc;

		talloc_init(&talloc);
		assert_int_equal(gms_rtree_create(sizes[i], GMS_RTREE_NONE, &talloc.ops, &tree), 0);
		/* two bytes for each block, in whole lines, and the tree itself */
		assert_in_range(talloc.total_bytes, 2 * blocks, 2 * blocks + 256);
		assert_int_equal(gms_rtree_memory(tree) + gms_rtree_pooled(tree),
				 talloc.live_bytes);
		gms_rtree_destroy(tree);
		assert_int_equal(talloc.live_blocks, 0);
	}
}

/* Rule 2: the memory of a uniform tree follows from the number of its 1G blocks. */
static void test_a_uniform_tree_uses_less_than_4k_a_tib(void **state)
{
	struct gms_rtree *tree;

	(void)state;
	assert_int_equal(gms_rtree_create(64 * TIB, GMS_RTREE_NONE, NULL, &tree), 0);
	assert_true(gms_rtree_memory(tree) < 64 * 4096);
	assert_int_equal(gms_rtree_set(tree, 7 * T_1G, 40 * TIB), 0);
	assert_true(gms_rtree_memory(tree) + gms_rtree_pooled(tree) < 64 * 4096 + 16384);
	gms_rtree_destroy(tree);
}

/* Stores at both ends of a tree, and to all of it at once. */
static void check_largest(uint64_t nr_pages)
{
	struct gms_rtree_run run;
	struct gms_rtree *tree;
	size_t memory;

	assert_int_equal(gms_rtree_create(nr_pages, GMS_RTREE_ALL, NULL, &tree), 0);
	memory = gms_rtree_memory(tree);
	assert_int_equal(gms_rtree_count(tree, 0, UINT64_MAX), nr_pages);
	assert_int_equal(gms_rtree_clear(tree, nr_pages - 1, 1), 0);
	assert_int_equal(gms_rtree_clear(tree, 0, 1), 0);
	assert_int_equal(gms_rtree_count(tree, 0, nr_pages), nr_pages - 2);
	assert_int_equal(gms_rtree_nodes(tree), nr_pages % T_2M == 1 ? 3 : 4);
	assert_true(gms_rtree_next(tree, 1, UINT64_MAX, &run));
	assert_int_equal(run.nr_pages, nr_pages - 2);
	assert_int_equal(gms_rtree_fill_range(tree, 1, nr_pages - 2), GMS_RTREE_ALL);
	assert_int_equal(gms_rtree_fill_range(tree, 1, nr_pages - 1), GMS_RTREE_MIXED);
	assert_int_equal(gms_rtree_clear(tree, 1, nr_pages - 2), 0);
	assert_int_equal(gms_rtree_fill_range(tree, 0, UINT64_MAX), GMS_RTREE_NONE);
	assert_int_equal(gms_rtree_memory(tree), memory);
	assert_int_equal(gms_rtree_nodes(tree), 0);
	assert_int_equal(gms_rtree_set(tree, nr_pages - 1, 2), -EINVAL);
	assert_true(gms_rtree_verify(tree, NULL));
	gms_rtree_destroy(tree);
}

static void test_the_largest_tree_works_at_both_ends(void **state)
{
	(void)state;
	check_largest(GMS_MAX_PAGES);
	check_largest(GMS_MAX_PAGES - T_2M + 1);
	check_largest(GMS_MAX_PAGES - 1);
}

/* A commit to almost all of the largest tree is reverted, and needs little memory. */
static void test_the_largest_range_can_be_reverted(void **state)
{
	struct gms_rtree_reserve reserve;
	struct gms_rtree *tree;
	struct talloc talloc;
	uint64_t at, live, nodes;

	(void)state;
	talloc_init(&talloc);
	assert_int_equal(gms_rtree_create(GMS_MAX_PAGES, GMS_RTREE_NONE, &talloc.ops, &tree), 0);
	for (at = 12345; at < GMS_MAX_PAGES; at += GMS_MAX_PAGES / 100)
		assert_int_equal(gms_rtree_set(tree, at, T_1G + 1), 0);
	nodes = gms_rtree_nodes(tree);
	live = talloc.live_bytes;
	assert_int_equal(gms_rtree_prepare(tree, 1, GMS_MAX_PAGES - 2, &reserve), 0);
	/* at most 2 bits for each 1G block, and a constant */
	assert_in_range(talloc.live_bytes - live, 0, (GMS_MAX_PAGES >> T_ORDER_1G) / 4 + 131072);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	gms_rtree_commit(tree, 1, GMS_MAX_PAGES - 2, true, &reserve);
	assert_int_equal(gms_rtree_count(tree, 0, UINT64_MAX), GMS_MAX_PAGES - 2);
	gms_rtree_revert(tree, &reserve);
	talloc_trap(&talloc, TALLOC_TRAP_ALLOC);
	gms_rtree_release(tree, &reserve);
	talloc_trap(&talloc, 0);
	assert_int_equal(gms_rtree_count(tree, 0, UINT64_MAX), 100 * (T_1G + 1));
	assert_int_equal(gms_rtree_nodes(tree), nodes);
	assert_true(gms_rtree_verify(tree, NULL));
	gms_rtree_destroy(tree);
	assert_fine(talloc_check(&talloc));
	assert_int_equal(talloc.live_blocks, 0);
}

static void test_the_worst_case_is_near_a_bitmap(void **state)
{
	/* Under valgrind one 1G block is enough, because the cost of each block is equal. */
	uint64_t nr_pages = (test_on_valgrind() ? 1 : 16) * T_1G;
	uint64_t flat = nr_pages / 8;
	struct gms_rtree *tree;
	uint64_t at;

	(void)state;
	assert_int_equal(gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &tree), 0);
	for (at = 0; at < nr_pages; at += 2) {
		if (gms_rtree_set(tree, at, 1))
			fail();
	}
	assert_int_equal(gms_rtree_count(tree, 0, nr_pages), nr_pages / 2);
	assert_true(gms_rtree_memory(tree) * 100 <= flat * 115);
	gms_rtree_destroy(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule2_create_costs_two_bytes_a_block),
		cmocka_unit_test(test_a_uniform_tree_uses_less_than_4k_a_tib),
		cmocka_unit_test(test_the_largest_tree_works_at_both_ends),
		cmocka_unit_test(test_the_largest_range_can_be_reverted),
		cmocka_unit_test(test_the_worst_case_is_near_a_bitmap),
	};

	return cmocka_run_group_tests_name("rtree-huge", tests, NULL, NULL);
}
