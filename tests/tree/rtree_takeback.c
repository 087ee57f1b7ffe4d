// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_takeback.c - proves commit, revert and release for each set and range of small trees
 *
 * Tests rules 4, 5 and 16.
 *
 * A tree is cut into cells, and a set is a word with a bit for each cell. All pages of a cell are
 * equal, so the word gives the right answer of each query. With the tiny fan-out a cell is one
 * page. With the full fan-out the cells lie at the borders of words, 2M blocks and 1G blocks. The
 * sets are visited in the order of a Gray code: one cell changes from one set to the next, so
 * that places hold stale values of earlier sets.
 *
 * For each set, each range of cells and both values, a test commits and reverts. For some of them
 * it also compares a commit with a reserve, a commit without one, and set or clear.
 */
#include "shapes.h"
#include "test.h"

#define MAX_CELLS 48
#define MAX_BLOCKS 64

/* A 2M or 1G block, and the cells that have pages in it. */
struct block {
	uint64_t start;
	unsigned int order;
	uint64_t cells;
};

struct grid {
	uint64_t cut[MAX_CELLS + 1]; /* cell i is [cut[i], cut[i + 1]) */
	unsigned int nr_cells;
	struct block block[MAX_BLOCKS];
	unsigned int nr_blocks;
	struct gms_rtree *tree;
	struct talloc talloc;
	uint64_t set; /* the content of the tree between two cases */
	uint64_t cases;
};

/* ---- making a grid ---- */

static void add_block(struct grid *grid, uint64_t at, unsigned int order)
{
	struct block *block = &grid->block[grid->nr_blocks];
	const uint64_t start = at >> order << order, end = start + (1ULL << order);
	unsigned int i;

	for (i = 0; i < grid->nr_blocks; i++)
		if (grid->block[i].start == start && grid->block[i].order == order)
			return;
	assert_true(grid->nr_blocks++ < MAX_BLOCKS);
	*block = (struct block) {.start = start, .order = order};
	for (i = 0; i < grid->nr_cells; i++)
		if (grid->cut[i] < end && grid->cut[i + 1] > start)
			block->cells |= 1ULL << i;
}

static void grid_init(struct grid *grid, const uint64_t *cuts, unsigned int nr_cuts)
{
	unsigned int i;

	memset(grid, 0, sizeof(*grid));
	talloc_init(&grid->talloc);
	assert_in_range(nr_cuts, 2, MAX_CELLS + 1);
	memcpy(grid->cut, cuts, nr_cuts * sizeof(*cuts));
	grid->nr_cells = nr_cuts - 1;
	for (i = 0; i < grid->nr_cells; i++) {
		add_block(grid, cuts[i], T_ORDER_2M);
		add_block(grid, cuts[i], T_ORDER_1G);
		add_block(grid, cuts[i + 1] - 1, T_ORDER_2M);
		add_block(grid, cuts[i + 1] - 1, T_ORDER_1G);
	}
	assert_int_equal(
		gms_rtree_create(cuts[nr_cuts - 1], GMS_RTREE_NONE, &grid->talloc.ops, &grid->tree),
		0);
}

static void grid_fini(struct grid *grid)
{
	gms_rtree_destroy(grid->tree);
	assert_fine(talloc_check(&grid->talloc));
	assert_int_equal(grid->talloc.live_blocks, 0);
}

/* ---- checking the tree ---- */

static bool has(uint64_t set, unsigned int cell)
{
	return set >> cell & 1;
}

static enum gms_rtree_fill fill_of(const struct block *block, uint64_t set)
{
	set &= block->cells;
	if (!set)
		return GMS_RTREE_NONE;
	return set == block->cells ? GMS_RTREE_ALL : GMS_RTREE_MIXED;
}

static bool cell_ok(const struct grid *grid, unsigned int i, uint64_t set)
{
	const uint64_t first = grid->cut[i], last = grid->cut[i + 1] - 1;
	const enum gms_rtree_fill fill = has(set, i) ? GMS_RTREE_ALL : GMS_RTREE_NONE;

	return gms_rtree_test(grid->tree, first) == has(set, i) &&
	       gms_rtree_test(grid->tree, last) == has(set, i) &&
	       gms_rtree_fill(grid->tree, first, 0) == fill &&
	       gms_rtree_fill_range(grid->tree, first, last + 1 - first) == fill;
}

static const char *check(const struct grid *grid, uint64_t set)
{
	uint64_t nodes = 0, count = 0;
	const char *reason = "?";
	unsigned int i;

	for (i = 0; i < grid->nr_cells; i++) {
		if (!cell_ok(grid, i, set))
			return twin_say("cell %u is not %d", i, has(set, i));
		count += has(set, i) ? grid->cut[i + 1] - grid->cut[i] : 0;
	}
	for (i = 0; i < grid->nr_blocks; i++) {
		const struct block *block = &grid->block[i];

		if (gms_rtree_fill(grid->tree, block->start, block->order) != fill_of(block, set))
			return twin_say("the block of order %u at %#llx is not %d", block->order,
					(unsigned long long)block->start, fill_of(block, set));
		nodes += fill_of(block, set) == GMS_RTREE_MIXED;
	}
	if (gms_rtree_nodes(grid->tree) != nodes)
		return "nodes() is not the number of mixed blocks";
	if (gms_rtree_count(grid->tree, 0, UINT64_MAX) != count)
		return "count() is not the number of pages";
	return gms_rtree_verify(grid->tree, &reason) ? NULL : reason;
}

/* Checks the tree. A failure prints all that is needed to reproduce it. */
static void expect(const struct grid *grid, uint64_t set, const char *when, unsigned int a,
		   unsigned int b, bool value)
{
	const char *why = check(grid, set);

	if (why)
		fail_msg("set %#llx of %u cells, cells [%u, %u) to %d: %s: %s",
			 (unsigned long long)grid->set, grid->nr_cells, a, b, value, when, why);
}

/* ---- one case ---- */

static uint64_t with(uint64_t set, unsigned int a, unsigned int b, bool value)
{
	const uint64_t mask = ((1ULL << (b - a)) - 1) << a;

	return value ? set | mask : set & ~mask;
}

static void store(struct grid *grid, unsigned int a, unsigned int b, bool value)
{
	const uint64_t start = grid->cut[a], nr = grid->cut[b] - start;

	assert_int_equal(value ? gms_rtree_set(grid->tree, start, nr)
			       : gms_rtree_clear(grid->tree, start, nr),
			 0);
}

/* Restores the set of the tree, cell by cell. */
static void restore(struct grid *grid, unsigned int a, unsigned int b)
{
	for (; a < b; a++)
		store(grid, a, a + 1, has(grid->set, a));
}

/* The three modes to change a range without a revert have equal results. */
static void change_for_good(struct grid *grid, unsigned int a, unsigned int b, bool value)
{
	const uint64_t start = grid->cut[a], nr = grid->cut[b] - start;
	const uint64_t after = with(grid->set, a, b, value);
	struct gms_rtree_reserve reserve;

	gms_rtree_commit(grid->tree, start, nr, value, NULL);
	expect(grid, after, "after commit without a reserve", a, b, value);
	restore(grid, a, b);
	expect(grid, grid->set, "restored", a, b, value);
	assert_int_equal(gms_rtree_prepare(grid->tree, start, nr, &reserve), 0);
	gms_rtree_commit(grid->tree, start, nr, value, &reserve);
	gms_rtree_release(grid->tree, &reserve);
	gms_rtree_revert(grid->tree, &reserve); /* does nothing after a release */
	expect(grid, after, "after release", a, b, value);
	restore(grid, a, b);
	store(grid, a, b, value);
	expect(grid, after, "after set or clear", a, b, value);
	restore(grid, a, b);
}

static void run_case(struct grid *grid, unsigned int a, unsigned int b, bool value, bool all)
{
	const uint64_t start = grid->cut[a], nr = grid->cut[b] - start;
	const size_t memory = gms_rtree_memory(grid->tree);
	struct gms_rtree_reserve reserve;

	assert_int_equal(gms_rtree_prepare(grid->tree, start, nr, &reserve), 0);
	talloc_trap(&grid->talloc, TALLOC_TRAP_BOTH);
	gms_rtree_commit(grid->tree, start, nr, value, &reserve);
	expect(grid, with(grid->set, a, b, value), "committed", a, b, value);
	gms_rtree_revert(grid->tree, &reserve);
	gms_rtree_release(grid->tree, &reserve);
	talloc_trap(&grid->talloc, 0);
	expect(grid, grid->set, "reverted", a, b, value);
	assert_int_equal(gms_rtree_memory(grid->tree), memory);
	if (all)
		change_for_good(grid, a, b, value);
	grid->cases++;
}

static void run_set(struct grid *grid)
{
	unsigned int a, b, i = 0;

	for (a = 0; a < grid->nr_cells; a++) {
		for (b = a + 1; b <= grid->nr_cells; b++, i++) {
			const bool all = (grid->cases / 64 + i) % 16 == 0;

			run_case(grid, a, b, true, all);
			run_case(grid, a, b, false, all);
		}
	}
}

static void go_to(struct grid *grid, uint64_t set)
{
	uint64_t differ = grid->set ^ set;

	for (; differ; differ &= differ - 1) {
		const unsigned int cell = (unsigned int)__builtin_ctzll(differ);

		store(grid, cell, cell + 1, has(set, cell));
	}
	grid->set = set;
	assert_fine(check(grid, set));
}

static uint64_t gray(uint64_t i)
{
	return i ^ i >> 1;
}

/* Visits each set, and runs the cases for one of every @step sets. */
static void run_all_sets(struct grid *grid, uint64_t step)
{
	for (uint64_t i = 0; i < 1ULL << grid->nr_cells; i++) {
		go_to(grid, gray(i));
		if (i % step == 0)
			run_set(grid);
	}
}

/* Runs the cases for random sets, in which long uniform ranges are as likely as single cells. */
static void run_random_sets(struct grid *grid, uint64_t count, uint64_t seed)
{
	struct prng prng;

	prng_init(&prng, test_seed() + seed);
	while (count--) {
		uint64_t set = grid->set, n = prng_below(&prng, 6);

		while (n--) {
			const unsigned int a = (unsigned int)prng_below(&prng, grid->nr_cells);
			const unsigned int b =
				a + 1 + (unsigned int)prng_below(&prng, grid->nr_cells - a);

			set = with(set, a, prng_chance(&prng, 50) ? b : a + 1,
				   prng_chance(&prng, 50));
		}
		go_to(grid, set);
		run_set(grid);
	}
}

/* ---- the grids ---- */

#if T_SHIFT == 9

/* The cells end at words, 2M blocks, words of states, groups and 1G blocks. */
static void test_ranges_between_borders_can_be_reverted(void **state)
{
	static const uint64_t cuts[][20] = {
		/* cells in one 2M block, and around it */
		{0, T_2M, T_2M + 1, T_2M + 63, T_2M + 64, T_2M + 65, T_2M + 448, 2 * T_2M - 1,
		 2 * T_2M, 3 * T_2M, T_1G},
		/* cells in one 1G block */
		{0, 1, T_2M, 32 * T_2M, 33 * T_2M + 5, 64 * T_2M, 511 * T_2M, T_1G - 1, T_1G},
		/* two 1G blocks, and an incomplete one */
		{0, 1, T_2M, T_1G - T_2M, T_1G - 1, T_1G, T_1G + 1, T_1G + T_2M, T_1G + T_2M + 3},
		/* whole 1G blocks between, across the border of a chunk */
		{0, 29 * T_1G, 30 * T_1G + 5, 31 * T_1G, 32 * T_1G, 33 * T_1G, 33 * T_1G + 2 * T_2M,
		 34 * T_1G - 1, 34 * T_1G},
		/* one incomplete 2M block */
		{0, 1, 2, 63, 64, 65, 300},
		/* an incomplete 1G block of whole 2M blocks */
		{0, 1, T_2M, 2 * T_2M, 3 * T_2M, 40 * T_2M},
	};
	static struct grid grid;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		unsigned int nr = 1;

		while (nr < ARRAY_SIZE(cuts[i]) && cuts[i][nr])
			nr++;
		grid_init(&grid, cuts[i], nr);
		run_all_sets(&grid, test_on_valgrind() ? 61 : 1);
		grid_fini(&grid);
	}
}

/* Many cells share 2M blocks, so that other cells keep the 2M block of an end mixed. */
static void test_ranges_of_many_cells_can_be_reverted(void **state)
{
	const uint64_t at[] = {0, T_1G, 31 * T_1G, 32 * T_1G, 33 * T_1G};
	static const uint64_t near[] = {0,    1,        64,        T_2M - 1,
					T_2M, T_2M + 1, 65 * T_2M, 100 * T_2M + 9};
	uint64_t cuts[ARRAY_SIZE(at) * ARRAY_SIZE(near)];
	static struct grid grid;
	unsigned int nr = 0;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++)
		for (k = 0; k < ARRAY_SIZE(near); k++)
			cuts[nr++] = at[i] + near[k];
	grid_init(&grid, cuts, nr);
	run_random_sets(&grid, test_iters(60), 0);
	grid_fini(&grid);
}

#else

/* Makes a grid in which each cell is a page. */
static void pages_init(struct grid *grid, unsigned int nr_pages)
{
	uint64_t cuts[MAX_CELLS + 1];
	unsigned int i;

	for (i = 0; i <= nr_pages; i++)
		cuts[i] = i;
	grid_init(grid, cuts, nr_pages + 1);
}

/* All sets of up to 11 pages, which are one incomplete 1G block. */
static void test_every_set_of_a_small_tree_can_be_restored(void **state)
{
	static struct grid grid;
	unsigned int nr;

	(void)state;
	for (nr = 1; nr <= (test_on_valgrind() ? 7 : 11); nr++) {
		pages_init(&grid, nr);
		run_all_sets(&grid, 1);
		grid_fini(&grid);
	}
}

/* One of every 29 sets of a whole 1G block of 16 pages. Under valgrind there are fewer. */
static void test_sets_of_a_whole_1g_can_be_restored(void **state)
{
	static struct grid grid;

	(void)state;
	pages_init(&grid, 16);
	run_all_sets(&grid, test_on_valgrind() ? 997 : 29);
	grid_fini(&grid);
}

/* Trees of two 1G blocks and more, whose last 2M or 1G is complete or incomplete. */
static void test_sets_of_several_1g_can_be_restored(void **state)
{
	static const unsigned int sizes[] = {17, 20, 23, 32, 35, 40, 45, 48};
	static struct grid grid;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pages_init(&grid, sizes[i]);
		run_random_sets(&grid, test_iters(150), i);
		grid_fini(&grid);
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if T_SHIFT == 9
		cmocka_unit_test(test_ranges_between_borders_can_be_reverted),
		cmocka_unit_test(test_ranges_of_many_cells_can_be_reverted),
#else
		cmocka_unit_test(test_every_set_of_a_small_tree_can_be_restored),
		cmocka_unit_test(test_sets_of_a_whole_1g_can_be_restored),
		cmocka_unit_test(test_sets_of_several_1g_can_be_restored),
#endif
	};

	return cmocka_run_group_tests_name("rtree-takeback", tests, NULL, NULL);
}
