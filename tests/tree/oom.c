// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * oom.c - proves rule 14: -ENOMEM at any allocation changes nothing
 *
 * Each operation runs on each shape of tree, and fails at its first allocation, then at its second
 * one, and so on. Once only that allocation fails, and once all later ones fail, too. After each
 * failure the tree is as before and still works. In the end no memory is left.
 */
#include "shapes.h"
#include "test.h"

#define ALL_LATER UINT64_MAX

enum how { HOW_SET, HOW_CLEAR, HOW_COMMIT, NR_HOWS };

/* Makes allocations of an operation fail. Returns false if the operation made none of them. */
static bool fail_once(struct twin *twin, enum how how, uint64_t start, uint64_t nr,
		      const struct twin_print *before, uint64_t skip, uint64_t count)
{
	uint64_t failed = twin->talloc.failed;
	struct gms_rtree_reserve reserve;
	struct twin_print after;
	int rc;

	memset(&reserve, 0x5a, sizeof(reserve));
	talloc_fail(&twin->talloc, skip, count);
	if (how == HOW_SET)
		rc = gms_rtree_set(twin->tree, start, nr);
	else if (how == HOW_CLEAR)
		rc = gms_rtree_clear(twin->tree, start, nr);
	else
		rc = gms_rtree_prepare(twin->tree, start, nr, &reserve);
	talloc_fail_never(&twin->talloc);
	if (how == HOW_COMMIT)
		gms_rtree_release(twin->tree, &reserve);
	if (twin->talloc.failed == failed) {
		assert_int_equal(rc, 0);
		return false;
	}
	assert_int_equal(rc, -ENOMEM);
	after = twin_print(twin);
	assert_true(twin_print_equal(before, &after));
	assert_fine(twin_check_near(twin, start, nr));
	return true;
}

/* Fails each allocation of an operation on a shape. Returns the number of allocations. */
static uint64_t fail_every(const struct shape *shape, unsigned int which, enum how how,
			   uint64_t count)
{
	uint64_t start, nr, skip;
	struct twin_print before;
	struct twin twin;

	shape_init(&twin, shape);
	assert_true(shape_range(shape->nr_pages, which, &start, &nr));
	before = twin_print(&twin);
	for (skip = 0; fail_once(&twin, how, start, nr, &before, skip, count); skip++)
		;
	/* the last attempt succeeded */
	if (how != HOW_COMMIT)
		oracle_store(&twin.oracle, start, nr, how == HOW_SET);
	if (count == 1 && how == HOW_SET)
		assert_fine(twin_check(&twin));
	twin_store(&twin, start, nr, how == HOW_CLEAR);
	twin_store(&twin, 0, 1, how == HOW_SET);
	assert_fine(twin_check_near(&twin, start, nr));
	twin_fini(&twin);
	return skip;
}

static void fail_shape(const struct shape *shape, uint64_t *allocations)
{
	unsigned int which;
	uint64_t start, nr;
	int how;

	for (which = 0; shape_range(shape->nr_pages, which, &start, &nr); which++) {
		for (how = 0; how < NR_HOWS; how++) {
			*allocations += fail_every(shape, which, (enum how)how, 1);
			fail_every(shape, which, (enum how)how, ALL_LATER);
		}
	}
}

static void test_rule14_a_store_that_fails_changes_nothing(void **state)
{
	uint64_t allocations = 0;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (shapes[i].cheap && shape_wanted(&shapes[i]))
			fail_shape(&shapes[i], &allocations);
	}
	/* Otherwise no allocation failed, and nothing was tested. */
	assert_in_range(allocations, nr_shapes, UINT64_MAX);
}

static void test_rule14_a_create_that_fails_leaves_nothing(void **state)
{
	static const uint64_t sizes[] = {1, T_1G + 1, 200 * T_1G};
	struct gms_rtree *tree;
	struct talloc talloc;
	uint64_t skip;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (skip = 0;; skip++) {
			talloc_init(&talloc);
			talloc_fail(&talloc, skip, 1);
			tree = (void *)0x77;
			rc = gms_rtree_create(sizes[i], GMS_RTREE_NONE, &talloc.ops, &tree);
			if (!talloc.failed)
				break;
			assert_int_equal(rc, -ENOMEM);
			assert_ptr_equal(tree, (void *)0x77);
			assert_int_equal(talloc.live_blocks, 0);
		}
		assert_int_equal(rc, 0);
		assert_in_range(skip, 1, 100);
		gms_rtree_destroy(tree);
		assert_int_equal(talloc.live_blocks, 0);
		assert_fine(talloc_check(&talloc));
	}
}

/*
 * Grows a tree from nothing, with one page in each 2M. Each store runs with a failing allocation
 * first, so that the allocation of each chunk and leaf page fails once.
 */
static void test_rule14_a_tree_grows_after_failures(void **state)
{
	uint64_t nr_pages = 3 * T_1G + 1;
	uint64_t step = T_2M + 1;
	uint64_t failures = 0;
	struct twin twin;
	uint64_t at;

	(void)state;
	twin_init(&twin, nr_pages, false);
	for (at = 0; at < nr_pages; at += step) {
		uint64_t nodes = gms_rtree_nodes(twin.tree);
		size_t memory = gms_rtree_memory(twin.tree);
		int rc;

		talloc_fail(&twin.talloc, 0, 1);
		rc = gms_rtree_set(twin.tree, at, 1);
		talloc_fail_never(&twin.talloc);
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_int_equal(gms_rtree_nodes(twin.tree), nodes);
			assert_int_equal(gms_rtree_memory(twin.tree), memory);
			assert_fine(twin_check_near(&twin, at, 1));
			failures++;
		}
		twin_store(&twin, at, 1, true);
	}
	assert_in_range(failures, 3, UINT64_MAX);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* A prepare that fails keeps no more memory than one that succeeds. */
static void test_rule14_failures_leak_nothing(void **state)
{
	struct gms_rtree_reserve reserve;
	struct twin twin;
	uint64_t pooled;
	int i;

	(void)state;
	twin_init(&twin, 300 * T_1G, false);
	/* a long range, whose ends need chunks and leaf pages */
	for (i = 0; i < 50; i++) {
		talloc_fail(&twin.talloc, (uint64_t)(i % 5), 1);
		if (!gms_rtree_prepare(twin.tree, 1, 299 * T_1G, &reserve))
			gms_rtree_release(twin.tree, &reserve);
		talloc_fail_never(&twin.talloc);
		if (i == 10)
			pooled = gms_rtree_pooled(twin.tree);
	}
	assert_int_equal(gms_rtree_pooled(twin.tree), pooled);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule14_a_create_that_fails_leaves_nothing),
		cmocka_unit_test(test_rule14_a_store_that_fails_changes_nothing),
		cmocka_unit_test(test_rule14_a_tree_grows_after_failures),
		cmocka_unit_test(test_rule14_failures_leak_nothing),
	};

	return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
