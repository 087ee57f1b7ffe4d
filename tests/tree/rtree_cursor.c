// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_cursor.c - proves that a cursor, gms_rtree_next() and gms_iter walk the runs of the oracle
 *
 * Tests rules 3 and 5.
 *
 * Walks begin and end anywhere, also past the end of the tree and before their own start. If the
 * set changes during a walk, each call of the cursor answers for the set at that call. The file
 * also tests gms_rtree_look() and gms_rtree_fill_mask(), which answer in one walk down the tree.
 */
#include <gmemstate/state.h>

#include "shapes.h"
#include "test.h"

#define MASK_BLOCKS 64 /* number of 2M blocks in a mask */

/* Makes one step of a walk, in three modes. Returns NULL, or what differs. Sets *more. */
static const char *step(const struct twin *twin, struct gms_rtree_cursor *cursor, uint64_t *at,
			uint64_t end, bool *more)
{
	const struct gms_rtree_run untouched = {.start = 1, .nr_pages = 2, .set = true};
	struct gms_rtree_run want = untouched, got = untouched, next = untouched;

	*more = oracle_next(&twin->oracle, *at, end, &want);
	if (gms_rtree_cursor_next(cursor, &got) != *more)
		return twin_say("cursor at %#llx of %#llx: another run is %d",
				(unsigned long long)*at, (unsigned long long)end, !*more);
	if (gms_rtree_next(twin->tree, *at, end, &next) != *more)
		return twin_say("next at %#llx of %#llx: another run is %d",
				(unsigned long long)*at, (unsigned long long)end, !*more);
	if (got.start != want.start || got.nr_pages != want.nr_pages || got.set != want.set)
		return twin_say("cursor at %#llx of %#llx: (%#llx, %#llx, %d), not %#llx, %d",
				(unsigned long long)*at, (unsigned long long)end,
				(unsigned long long)got.start, (unsigned long long)got.nr_pages,
				got.set, (unsigned long long)want.nr_pages, want.set);
	if (next.start != want.start || next.nr_pages != want.nr_pages || next.set != want.set)
		return twin_say("next at %#llx of %#llx differs", (unsigned long long)*at,
				(unsigned long long)end);
	*at += *more ? got.nr_pages : 0;
	return NULL;
}

static void walk(const struct twin *twin, uint64_t start, uint64_t end)
{
	struct gms_rtree_cursor cursor;
	uint64_t at = start;
	bool more = true;

	memset(&cursor, 0x5a, sizeof(cursor));
	gms_rtree_cursor_init(&cursor, twin->tree, start, end);
	while (more)
		assert_fine(step(twin, &cursor, &at, end, &more));
	/* A walk that has ended stays at its end. */
	assert_fine(step(twin, &cursor, &at, end, &more));
	assert_false(more);
}

/* Returns an index, often at the border of a word, a block or a group. */
static uint64_t somewhere(struct prng *prng, uint64_t nr_pages)
{
	static const uint64_t grains[] = {1, 64, T_2M, 64 * T_2M, T_1G};
	const uint64_t grain = grains[prng_below(prng, ARRAY_SIZE(grains))];

	return (prng_below(prng, nr_pages + 2) + grain - 1) / grain * grain;
}

static void fill(struct twin *twin, struct prng *prng, unsigned int stores)
{
	const uint64_t nr_pages = twin->oracle.nr_pages;

	while (stores--) {
		const uint64_t start = somewhere(prng, nr_pages) % nr_pages;
		const uint64_t most = prng_chance(prng, 70) ? T_2M : 3 * T_1G;
		uint64_t nr = 1 + prng_below(prng, most);

		nr = nr < nr_pages - start ? nr : nr_pages - start;
		twin_store(twin, start, nr, prng_chance(prng, 50));
	}
}

/* ---- walks ---- */

static void test_walks_over_all_shapes_agree(void **state)
{
	struct twin twin;
	struct prng prng;
	size_t i, k;

	(void)state;
	prng_init(&prng, test_seed());
	for (i = 0; i < nr_shapes; i++) {
		const uint64_t nr = shapes[i].nr_pages;

		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		for (k = 0; k < (test_on_valgrind() ? 3 : 12); k++)
			walk(&twin, somewhere(&prng, nr), somewhere(&prng, nr));
		walk(&twin, 0, nr);
		walk(&twin, 0, UINT64_MAX);
		walk(&twin, nr - 1, nr + 1);
		walk(&twin, nr, UINT64_MAX);
		walk(&twin, nr + 1, nr);
		walk(&twin, UINT64_MAX, UINT64_MAX);
		walk(&twin, UINT64_MAX, 0);
		walk(&twin, 0, 0);
		walk(&twin, nr / 2, nr / 2);
		walk(&twin, nr / 2 + 1, nr / 2);
		twin_fini(&twin);
	}
}

static void test_walks_over_random_sets_agree(void **state)
{
	static const uint64_t sizes[] = {1, T_2M - 1, T_1G + 1, 3 * T_1G + 70 * T_2M + 3,
					 70 * T_1G};
	struct twin twin;
	struct prng prng;
	uint64_t round;
	int k;

	(void)state;
	prng_init(&prng, test_seed() + 1);
	for (round = 0; round < test_iters(T_SHIFT == 9 ? 1000 : 10000); round++) {
		const uint64_t nr = sizes[round % ARRAY_SIZE(sizes)];

		twin_init(&twin, nr, prng_chance(&prng, 50));
		fill(&twin, &prng, 1 + (unsigned int)prng_below(&prng, 60));
		for (k = 0; k < 8; k++)
			walk(&twin, somewhere(&prng, nr), somewhere(&prng, nr));
		twin_fini(&twin);
	}
}

/* Changes the set between the calls. Each run must be a run of the set at the time of its call. */
static void test_a_cursor_follows_a_set_that_changes(void **state)
{
	struct twin twin;
	struct prng prng;
	uint64_t round;

	(void)state;
	prng_init(&prng, test_seed() + 2);
	for (round = 0; round < test_iters(T_SHIFT == 9 ? 300 : 10000); round++) {
		const uint64_t nr = 3 * T_1G + 2 * T_2M + 3;
		const uint64_t start = prng_chance(&prng, 50) ? 0 : somewhere(&prng, nr);
		struct gms_rtree_cursor cursor;
		uint64_t at = start;
		bool more = true;

		twin_init(&twin, nr, prng_chance(&prng, 50));
		fill(&twin, &prng, 5);
		gms_rtree_cursor_init(&cursor, twin.tree, start, nr);
		while (more) {
			assert_fine(step(&twin, &cursor, &at, nr, &more));
			fill(&twin, &prng, 1 + (unsigned int)prng_below(&prng, 4));
			/* changes at the next page of the cursor */
			if (at < nr && prng_chance(&prng, 50))
				twin_store(&twin, at, 1, prng_chance(&prng, 50));
			if (at < nr && prng_chance(&prng, 10))
				twin_store(&twin, at, nr - at, prng_chance(&prng, 50));
		}
		twin_fini(&twin);
	}
}

/* ---- queries that walk down the tree once ---- */

static void check_look(const struct twin *twin, uint64_t index)
{
	const struct gms_rtree_look look = gms_rtree_look(twin->tree, index);

	assert_int_equal(look.set, oracle_test(&twin->oracle, index));
	assert_int_equal(look.fill_2m, oracle_fill(&twin->oracle, index, T_ORDER_2M));
	assert_int_equal(look.fill_1g, oracle_fill(&twin->oracle, index, T_ORDER_1G));
}

static void check_masks(const struct twin *twin, uint64_t index)
{
	const uint64_t first = index / (MASK_BLOCKS * T_2M) * (MASK_BLOCKS * T_2M);
	uint64_t want[3] = {0};
	unsigned int i;
	int which;

	for (i = 0; i < MASK_BLOCKS; i++) {
		const uint64_t block = first + i * T_2M;

		if (block < twin->oracle.nr_pages)
			want[oracle_fill(&twin->oracle, block, T_ORDER_2M)] |= 1ULL << i;
	}
	for (which = 0; which < 3; which++)
		assert_int_equal(gms_rtree_fill_mask(twin->tree, index, (enum gms_rtree_fill)which),
				 want[which]);
}

static void check_looks_and_masks(const struct twin *twin, struct prng *prng)
{
	const uint64_t nr = twin->oracle.nr_pages;
	const uint64_t ends[] = {0, nr - 1, nr, nr + 1, nr + T_2M, nr + T_1G, UINT64_MAX};
	uint64_t at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		check_look(twin, ends[i]);
		/* the end of a mask at UINT64_MAX would wrap in this check */
		if (ends[i] != UINT64_MAX)
			check_masks(twin, ends[i]);
	}
	assert_int_equal(gms_rtree_fill_mask(twin->tree, UINT64_MAX, GMS_RTREE_NONE), 0);
	assert_int_equal(gms_rtree_fill_mask(twin->tree, 0, (enum gms_rtree_fill)3), 0);
	for (i = 0; i < 40; i++) {
		at = somewhere(prng, nr);
		check_look(twin, at);
		check_look(twin, at ? at - 1 : 0);
		check_masks(twin, at);
	}
	for (at = 0; nr < 1000 && at < nr; at++) {
		check_look(twin, at);
		check_masks(twin, at);
	}
}

static void test_looks_and_masks_agree(void **state)
{
	static const uint64_t sizes[] = {
		1, T_2M - 1, T_2M, 63 * T_2M + 1, 64 * T_2M, T_1G + 1, 3 * T_1G + 66 * T_2M + 3,
	};
	struct twin twin;
	struct prng prng;
	uint64_t round;
	size_t i;

	(void)state;
	prng_init(&prng, test_seed() + 3);
	for (round = 0; round < test_iters(T_SHIFT == 9 ? 500 : 5000); round++) {
		const uint64_t nr = sizes[round % ARRAY_SIZE(sizes)];

		twin_init(&twin, nr, prng_chance(&prng, 50));
		fill(&twin, &prng, (unsigned int)prng_below(&prng, 40));
		check_looks_and_masks(&twin, &prng);
		twin_fini(&twin);
	}
	for (i = 0; i < nr_shapes; i++) {
		if (!shape_wanted(&shapes[i]))
			continue;
		shape_init(&twin, &shapes[i]);
		check_looks_and_masks(&twin, &prng);
		twin_fini(&twin);
	}
}

/* ---- the iterator of a state object ---- */

#if T_SHIFT == 9

static void walk_state(const struct gms_state *state, const struct oracle *oracle, uint64_t start,
		       uint64_t nr)
{
	const uint64_t nr_pages = oracle->nr_pages;
	const uint64_t end = start >= nr_pages       ? start
			     : nr > nr_pages - start ? nr_pages
						     : start + nr;
	struct gms_rtree_run want;
	struct gms_iter iter;
	struct gms_run run;
	uint64_t at;

	gms_iter_init(&iter, state, start, nr);
	for (at = start; oracle_next(oracle, at, end, &want); at += want.nr_pages) {
		assert_true(gms_iter_next(&iter, &run));
		assert_int_equal(run.start, at);
		assert_int_equal(run.nr_pages, want.nr_pages);
		assert_int_equal(run.shareability, want.set ? GMS_PRIVATE : GMS_SHARED);
	}
	assert_false(gms_iter_next(&iter, &run));
	assert_false(gms_iter_next(&iter, &run));
}

static void test_iterators_agree(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	const uint64_t nr = 3 * T_1G + 66 * T_2M + 3;
	struct gms_state *state;
	struct oracle oracle;
	struct prng prng;
	uint64_t round;
	int k;

	(void)unused;
	prng_init(&prng, test_seed() + 4);
	opts.nr_pages = nr;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	oracle_init(&oracle, nr, false);
	for (round = 0; round < test_iters(1000); round++) {
		const uint64_t start = somewhere(&prng, nr) % nr;
		const uint64_t most = prng_chance(&prng, 90) ? 3 * T_2M : nr;
		uint64_t size = 1 + prng_below(&prng, most);
		const bool private = prng_chance(&prng, 50);

		size = size < nr - start ? size : nr - start;
		assert_int_equal(gms_convert(state, start, size, private ? GMS_PRIVATE : GMS_SHARED,
					     0, NULL),
				 0);
		oracle_store(&oracle, start, size, private);
		for (k = 0; k < 4; k++)
			walk_state(state, &oracle, somewhere(&prng, nr), somewhere(&prng, nr));
		walk_state(state, &oracle, 0, UINT64_MAX);
		walk_state(state, &oracle, nr - 1, UINT64_MAX);
		walk_state(state, &oracle, nr, 1);
		walk_state(state, &oracle, UINT64_MAX, UINT64_MAX);
		walk_state(state, &oracle, round, 0);
	}
	oracle_fini(&oracle);
	gms_state_destroy(state);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks_over_all_shapes_agree),
		cmocka_unit_test(test_walks_over_random_sets_agree),
		cmocka_unit_test(test_a_cursor_follows_a_set_that_changes),
		cmocka_unit_test(test_looks_and_masks_agree),
#if T_SHIFT == 9
		cmocka_unit_test(test_iterators_agree),
#endif
	};

	return cmocka_run_group_tests_name("rtree-cursor", tests, NULL, NULL);
}
