// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_revert.c - proves that a revert restores the tree exactly, and allocates nothing
 *
 * Tests rules 14 and 16.
 *
 * The tests revert commits on each shape of tree and each kind of range, up to 1 TiB of fragments.
 * After a revert all queries and the memory in use are as before. Between prepare and release the
 * allocator is not called, and release allocates nothing.
 */
#include "shapes.h"
#include "test.h"

static void prepare(struct twin *twin, uint64_t start, uint64_t nr,
		    struct gms_rtree_reserve *reserve)
{
	/* a reserve needs no initialisation */
	memset(reserve, 0x5a, sizeof(*reserve));
	assert_int_equal(gms_rtree_prepare(twin->tree, start, nr, reserve), 0);
	assert_fine(twin_check_account(twin));
	talloc_trap(&twin->talloc, TALLOC_TRAP_BOTH);
}

static void release(struct twin *twin, struct gms_rtree_reserve *reserve)
{
	talloc_trap(&twin->talloc, TALLOC_TRAP_ALLOC);
	gms_rtree_release(twin->tree, reserve);
	talloc_trap(&twin->talloc, 0);
	assert_fine(talloc_check(&twin->talloc));
	assert_fine(twin_check_account(twin));
}

/* Between commit and release, queries see the new content, and its number of nodes. */
static void check_committed(struct twin *twin, uint64_t start, uint64_t nr, bool set)
{
	struct oracle old;

	oracle_init(&old, twin->oracle.nr_pages, false);
	oracle_copy(&old, &twin->oracle);
	oracle_store(&twin->oracle, start, nr, set);
	assert_fine(twin_check_near(twin, start, nr));
	assert_int_equal(gms_rtree_nodes(twin->tree), oracle_nodes(&twin->oracle));
	oracle_copy(&twin->oracle, &old);
	oracle_fini(&old);
}

static void check_reverted(struct twin *twin, uint64_t start, uint64_t nr,
			   const struct twin_print *before)
{
	struct twin_print after = twin_print(twin);

	assert_fine(twin_check_near(twin, start, nr));
	assert_true(twin_print_equal(before, &after));
}

static void commit_and_revert(struct twin *twin, uint64_t start, uint64_t nr, bool set)
{
	struct twin_print before = twin_print(twin);
	struct gms_rtree_reserve reserve;

	prepare(twin, start, nr, &reserve);
	gms_rtree_commit(twin->tree, start, nr, set, &reserve);
	check_committed(twin, start, nr, set);
	gms_rtree_revert(twin->tree, &reserve);
	check_reverted(twin, start, nr, &before);
	/* A second revert does nothing. */
	gms_rtree_revert(twin->tree, &reserve);
	release(twin, &reserve);
	check_reverted(twin, start, nr, &before);
}

static void test_rule14_revert_restores_every_shape(void **state)
{
	unsigned int which;
	uint64_t start, nr;
	struct twin twin;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++) {
			commit_and_revert(&twin, start, nr, true);
			commit_and_revert(&twin, start, nr, false);
		}
		assert_fine(twin_check(&twin));
		twin_fini(&twin);
	}
}

/* Reverts stores of a page, a 2M and longer ranges, at each number of mixed 2M blocks. */
static void test_rule14_revert_restores_every_number_of_mixed_blocks(void **state)
{
	struct twin twin;
	uint64_t i;

	(void)state;
	twin_init(&twin, 2 * T_1G, false);
	for (i = 0; i < T_FANOUT && (i < 140 || !test_on_valgrind()); i++) {
		uint64_t at = T_1G + i * T_2M;
		uint64_t last = i ? at - T_2M : at;

		commit_and_revert(&twin, at + 1, 1, true);
		commit_and_revert(&twin, last + 1, 1, false);
		commit_and_revert(&twin, at, T_2M, true);
		commit_and_revert(&twin, T_1G + 1, i * T_2M + 1, true);
		commit_and_revert(&twin, T_1G + 1, i * T_2M + 1, false);
		twin_store(&twin, at + 1, 1, true);
	}
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

static void test_release_without_a_commit_changes_nothing(void **state)
{
	struct gms_rtree_reserve reserve;
	struct twin_print before;
	unsigned int which;
	uint64_t start, nr;
	struct twin twin;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		before = twin_print(&twin);
		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++) {
			prepare(&twin, start, nr, &reserve);
			if (which % 2)
				gms_rtree_revert(twin.tree, &reserve);
			release(&twin, &reserve);
			check_reverted(&twin, start, nr, &before);
		}
		assert_fine(twin_check(&twin));
		twin_fini(&twin);
	}
}

/* A commit that is released stays. */
static void test_a_commit_stays_after_release(void **state)
{
	struct gms_rtree_reserve reserve;
	unsigned int which;
	uint64_t start, nr;
	struct twin twin;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++) {
			bool set = which % 2;

			prepare(&twin, start, nr, &reserve);
			gms_rtree_commit(twin.tree, start, nr, set, &reserve);
			release(&twin, &reserve);
			oracle_store(&twin.oracle, start, nr, set);
			if (which % 4)
				assert_fine(twin_check_near(&twin, start, nr));
			else
				assert_fine(twin_check(&twin));
		}
		assert_fine(twin_check(&twin));
		twin_fini(&twin);
	}
}

/* Reserves of different 1G blocks may be committed, reverted and released in any order. */
static void test_reserves_of_different_blocks_are_independent(void **state)
{
	struct gms_rtree_reserve first, second, third;
	struct twin twin;

	(void)state;
	twin_init(&twin, 4 * T_1G, false);
	shape_mix(&twin, 0, (unsigned int)T_FANOUT, true);
	shape_mix(&twin, T_1G, shape_steps[1], true);
	prepare(&twin, 1, T_1G - 2, &first);
	talloc_trap(&twin.talloc, 0);
	prepare(&twin, T_1G + 1, 3, &second);
	talloc_trap(&twin.talloc, 0);
	prepare(&twin, 2 * T_1G + 1, T_1G + 1, &third);
	gms_rtree_commit(twin.tree, 2 * T_1G + 1, T_1G + 1, true, &third);
	gms_rtree_commit(twin.tree, 1, T_1G - 2, true, &first);
	gms_rtree_commit(twin.tree, T_1G + 1, 3, true, &second);
	gms_rtree_revert(twin.tree, &first);
	release(&twin, &first);
	release(&twin, &third);
	gms_rtree_revert(twin.tree, &second);
	release(&twin, &second);
	oracle_store(&twin.oracle, 2 * T_1G + 1, T_1G + 1, true);
	assert_fine(twin_check(&twin));
	twin_fini(&twin);
}

/* A revert restores its blocks, although other blocks were changed since the commit. */
static void test_revert_works_after_stores_to_other_blocks(void **state)
{
	struct gms_rtree_reserve reserve;
	struct twin twin;
	int round;

	(void)state;
	twin_init(&twin, 4 * T_1G, false);
	for (round = 0; round < 4; round++) {
		unsigned int step = shape_steps[(size_t)round % nr_shape_steps];
		bool set = round % 2;

		twin_store(&twin, 0, T_1G, !set);
		shape_mix(&twin, 0, step, set);
		prepare(&twin, 1, T_1G - 1, &reserve);
		gms_rtree_commit(twin.tree, 1, T_1G - 1, set, &reserve);
		talloc_trap(&twin.talloc, 0);
		shape_mix(&twin, T_1G, (unsigned int)T_FANOUT, true);
		shape_mix(&twin, 2 * T_1G, shape_steps[1], true);
		twin_store(&twin, T_1G, 2 * T_1G, set);
		talloc_trap(&twin.talloc, TALLOC_TRAP_BOTH);
		gms_rtree_revert(twin.tree, &reserve);
		release(&twin, &reserve);
		assert_fine(twin_check(&twin));
	}
	twin_fini(&twin);
}

/* A prepare allocates at most a constant, even for a long and fragmented range. */
static void test_prepare_allocates_at_most_a_constant(void **state)
{
	struct gms_rtree_reserve reserve;
	struct twin twin;
	uint64_t live;

	(void)state;
	twin_init(&twin, 40 * T_1G, false);
	shape_mix(&twin, 0, (unsigned int)T_FANOUT, true);
	shape_mix(&twin, T_1G, (unsigned int)T_FANOUT, true);
	shape_mix(&twin, 39 * T_1G, (unsigned int)T_FANOUT, true);
	live = twin.talloc.live_bytes;
	prepare(&twin, 1, 40 * T_1G - 2, &reserve);
	/* two chunks and two leaf pages at most, one of each for an end */
	assert_in_range(twin.talloc.live_bytes - live, 0, 128 * 1024);
	release(&twin, &reserve);
	twin_fini(&twin);
}

#if T_SHIFT == 9
/* Returns the number of 1G blocks in 1 TiB, or 20 under valgrind. */
static uint64_t tib_blocks(void)
{
	return test_on_valgrind() ? 20 : 1024;
}

static void fragment_tib(struct twin *twin)
{
	uint64_t blocks = tib_blocks();
	uint64_t dense = blocks / 128 + 1;
	struct prng prng;
	uint64_t i, at;

	prng_init(&prng, test_seed());
	for (i = 0; i < blocks; i++) {
		uint64_t n = prng_below(&prng, i % 4 ? 130 : 12);

		while (n--)
			twin_store(twin, i * T_1G + prng_below(&prng, T_1G - 9),
				   1 + prng_below(&prng, 9), true);
	}
	for (i = 0; i < dense; i++) {
		uint64_t base = i * 61 % blocks * T_1G;

		for (at = base; at < base + T_1G; at += 3)
			twin_store(twin, at, 1, true);
	}
}

static void test_rule14_revert_restores_1_tib(void **state)
{
	uint64_t tib = tib_blocks() * T_1G;
	struct twin twin;

	(void)state;
	twin_init(&twin, tib + T_2M + 5, false);
	fragment_tib(&twin);
	commit_and_revert(&twin, 0, tib, true);
	commit_and_revert(&twin, 0, tib, false);
	commit_and_revert(&twin, 1, tib, true);
	commit_and_revert(&twin, T_1G / 2 + 3, tib - T_1G - 7, true);
	commit_and_revert(&twin, 0, tib + T_2M + 5, false);
	assert_fine(twin_check(&twin));
	twin_store(&twin, 0, tib + T_2M + 5, true);
	assert_int_equal(gms_rtree_nodes(twin.tree), 0);
	twin_fini(&twin);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule14_revert_restores_every_shape),
		cmocka_unit_test(test_rule14_revert_restores_every_number_of_mixed_blocks),
		cmocka_unit_test(test_release_without_a_commit_changes_nothing),
		cmocka_unit_test(test_a_commit_stays_after_release),
		cmocka_unit_test(test_reserves_of_different_blocks_are_independent),
		cmocka_unit_test(test_revert_works_after_stores_to_other_blocks),
		cmocka_unit_test(test_prepare_allocates_at_most_a_constant),
#if T_SHIFT == 9
		cmocka_unit_test(test_rule14_revert_restores_1_tib),
#endif
	};

	return cmocka_run_group_tests_name("rtree-revert", tests, NULL, NULL);
}
