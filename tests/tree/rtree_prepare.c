// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_prepare.c - proves that gms_rtree_prepare() allocates only for the ends of a range, and
 * that no other step of a store allocates
 *
 * Tests rule 14.
 *
 * The model is two sets: the chunks and the leaf pages that earlier ranges have allocated. It does
 * not know the content of the tree. For each call of a random history the model predicts the
 * number of allocations and the bytes.
 */
#include "shapes.h"
#include "test.h"

#include "tree/rtree_node.h"

#define CHUNK_PAGES (GMS_TOP_BLOCKS * T_1G) /* pages of the guest that a chunk covers */
#define LEAF_PAGE_PAGES (GMS_GROUP_BLOCKS * T_2M)

#if T_SHIFT == 9
/* The sizes in rtree.h. */
_Static_assert(sizeof(struct gms_chunk) == 6 << 10 && CHUNK_PAGES == 32ULL << 18,
	       "size of a chunk");
_Static_assert(sizeof(struct gms_leaf_page) == 4 << 10 && LEAF_PAGE_PAGES == 128ULL << 8,
	       "size of a leaf page");
#endif

/* The last 2M block, the last 1G block and the last chunk are incomplete. */
#define NR_CHUNKS 3
#define NR_PAGES (2 * CHUNK_PAGES + T_1G + 2 * T_2M + 3)
#define NR_LEAF_PAGES (NR_PAGES / LEAF_PAGE_PAGES + 1)

struct world {
	struct twin twin;
	bool chunk[NR_CHUNKS];
	bool page[NR_LEAF_PAGES];
};

struct cost {
	unsigned int chunks, pages;
};

static void world_init(struct world *world, bool full)
{
	memset(world, 0, sizeof(*world));
	twin_init(&world->twin, NR_PAGES, full);
}

/* ---- the model ---- */

static void need(bool *place, bool allocate, unsigned int *count)
{
	*count += !*place;
	if (allocate)
		*place = true;
}

/* Adds what a range that begins or ends at a page needs, and does not have. */
static void cost_of_end(struct world *world, uint64_t at, bool allocate, struct cost *cost)
{
	if (at % T_1G && at != NR_PAGES)
		need(&world->chunk[at / CHUNK_PAGES], allocate, &cost->chunks);
	if (at % T_2M && at != NR_PAGES)
		need(&world->page[at / LEAF_PAGE_PAGES], allocate, &cost->pages);
}

/* Returns what the range needs and does not have. The model then has it. */
static struct cost allocate(struct world *world, uint64_t start, uint64_t nr)
{
	struct cost cost = {0};

	cost_of_end(world, start, true, &cost);
	cost_of_end(world, start + nr, true, &cost);
	return cost;
}

static bool has_all(struct world *world, uint64_t start, uint64_t nr)
{
	struct cost cost = {0};

	cost_of_end(world, start, false, &cost);
	cost_of_end(world, start + nr, false, &cost);
	return !cost.chunks && !cost.pages;
}

/* ---- calls, and what they allocate ---- */

enum call { PREPARE, PREPARE_NULL, SET, CLEAR, NR_CALLS };

static int make_call(struct world *world, enum call call, uint64_t start, uint64_t nr,
		     struct gms_rtree_reserve *reserve)
{
	struct gms_rtree *tree = world->twin.tree;

	switch (call) {
	case PREPARE:
		return gms_rtree_prepare(tree, start, nr, reserve);
	case PREPARE_NULL:
		return gms_rtree_prepare(tree, start, nr, NULL);
	case SET:
		return gms_rtree_set(tree, start, nr);
	default:
		return gms_rtree_clear(tree, start, nr);
	}
}

/* Makes a call. Checks that it allocates what the model says, and frees nothing. */
static struct cost call(struct world *world, enum call call, uint64_t start, uint64_t nr,
			struct gms_rtree_reserve *reserve)
{
	struct twin *twin = &world->twin;
	const uint64_t allocs = twin->talloc.allocs, live = twin->talloc.live_bytes;
	const enum gms_rtree_fill fill = oracle_fill_range(&twin->oracle, start, nr);
	struct cost cost = {0};

	assert_int_equal(gms_rtree_is_prepared(twin->tree, start, nr), has_all(world, start, nr));
	/* A store that changes nothing allocates nothing. */
	if (call <= PREPARE_NULL || fill != (call == SET ? GMS_RTREE_ALL : GMS_RTREE_NONE))
		cost = allocate(world, start, nr);
	assert_int_equal(make_call(world, call, start, nr, reserve), 0);
	assert_int_equal(twin->talloc.allocs - allocs, cost.chunks + cost.pages);
	assert_int_equal(twin->talloc.live_bytes - live,
			 cost.chunks * sizeof(struct gms_chunk) +
				 cost.pages * sizeof(struct gms_leaf_page));
	assert_int_equal(gms_rtree_is_prepared(twin->tree, start, nr), has_all(world, start, nr));
	if (call == SET || call == CLEAR)
		oracle_store(&twin->oracle, start, nr, call == SET);
	return cost;
}

static void choose(struct prng *prng, uint64_t *start, uint64_t *nr)
{
	static const uint64_t grains[] = {1, 1, T_2M, T_1G};
	static const uint64_t sizes[] = {1, T_2M, 2 * T_2M, T_1G, CHUNK_PAGES, NR_PAGES};
	const uint64_t grain = grains[prng_below(prng, ARRAY_SIZE(grains))];
	const uint64_t size = sizes[prng_below(prng, ARRAY_SIZE(sizes))];

	*start = prng_below(prng, NR_PAGES) / grain * grain;
	*nr = (1 + prng_below(prng, size) + grain - 1) / grain * grain;
	if (*nr > NR_PAGES - *start || prng_chance(prng, 10))
		*nr = NR_PAGES - *start;
}

/* ---- tests ---- */

/* Only the ends of a range cost memory, in an empty and in a full tree. */
static void test_only_the_ends_of_a_range_cost_memory(void **state)
{
	static const struct {
		uint64_t start, end;
		unsigned int chunks, pages;
	} ranges[] = {
		{0, T_1G, 0, 0},
		{T_1G, CHUNK_PAGES + T_1G, 0, 0},
		{0, NR_PAGES, 0, 0},
		{2 * CHUNK_PAGES, NR_PAGES, 0, 0},
		{T_2M, 2 * T_2M, 1, 0},
		{0, T_2M, 1, 0},
		{T_2M, CHUNK_PAGES + T_2M, 2, 0},
		{2 * T_2M, NR_PAGES, 1, 0},
		{0, 1, 1, 1},
		{1, 2, 1, 1},
		{1, T_1G - 1, 1, 2},
		{T_1G - 1, T_1G, 1, 1},
		{T_1G - 1, T_1G + 1, 1, 2},
		{1, CHUNK_PAGES + 1, 2, 2},
		{1, NR_PAGES, 1, 1},
		{NR_PAGES - 1, NR_PAGES, 1, 1},
		{2 * CHUNK_PAGES + T_2M, NR_PAGES, 1, 0},
		{T_2M, T_1G + 1, 1, 1},
		{T_1G - T_2M, CHUNK_PAGES + 1, 2, 1},
	};
	static struct world world;
	size_t i, variant;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		const uint64_t start = ranges[i].start, nr = ranges[i].end - start;

		for (variant = 0; variant < 4; variant++) {
			struct gms_rtree_reserve reserve;
			struct cost cost;

			world_init(&world, variant / 2);
			cost = call(&world, variant % 2 ? PREPARE_NULL : PREPARE, start, nr,
				    &reserve);
			assert_int_equal(cost.chunks, ranges[i].chunks);
			assert_int_equal(cost.pages, ranges[i].pages);
			twin_fini(&world.twin);
		}
	}
}

/* Makes one step of a random history: a store in one of the possible modes. */
static void step(struct world *world, struct prng *prng)
{
	struct twin *twin = &world->twin;
	struct gms_rtree_reserve reserve;
	uint64_t start, nr;
	enum call kind;
	bool set;

	choose(prng, &start, &nr);
	kind = (enum call)prng_below(prng, NR_CALLS);
	set = prng_chance(prng, 50);
	call(world, kind, start, nr, &reserve);
	if (kind > PREPARE_NULL)
		return;
	talloc_trap(&twin->talloc, TALLOC_TRAP_BOTH);
	switch (prng_below(prng, 3)) {
	case 0:
		gms_rtree_commit(twin->tree, start, nr, set, kind == PREPARE ? &reserve : NULL);
		oracle_store(&twin->oracle, start, nr, set);
		break;
	case 1:
		if (kind == PREPARE) {
			gms_rtree_commit(twin->tree, start, nr, set, &reserve);
			gms_rtree_revert(twin->tree, &reserve);
		}
		break;
	default:
		break;
	}
	gms_rtree_release(twin->tree, kind == PREPARE ? &reserve : NULL);
	talloc_trap(&twin->talloc, 0);
	/* A range that was prepared once stays prepared. */
	assert_int_equal(call(world, PREPARE_NULL, start, nr, NULL).pages, 0);
	assert_true(gms_rtree_is_prepared(twin->tree, start, nr));
}

/* The cost of a call depends on the earlier ranges, and not on the content of the tree. */
static void test_the_cost_depends_only_on_ranges(void **state)
{
	const uint64_t rounds = test_iters(T_SHIFT == 9 ? 60 : 2000);
	static struct world world;
	struct prng prng;
	uint64_t round, i;

	(void)state;
	prng_init(&prng, test_seed());
	for (round = 0; round < rounds; round++) {
		world_init(&world, round % 2);
		for (i = 0; i < 60; i++)
			step(&world, &prng);
		assert_true(gms_rtree_verify(world.twin.tree, NULL));
		assert_fine(twin_check_account(&world.twin));
		/* A uniform tree keeps what was allocated. */
		call(&world, SET, 0, NR_PAGES, NULL);
		assert_int_equal(gms_rtree_nodes(world.twin.tree), 0);
		for (i = 0; i < 60; i++)
			step(&world, &prng);
		twin_fini(&world.twin);
	}
}

/* Prepares a range, stores to it, and prepares it again. */
static void test_a_second_prepare_allocates_nothing(void **state)
{
	static struct world world;
	struct prng prng;
	uint64_t i, start, nr;

	(void)state;
	prng_init(&prng, test_seed() + 1);
	for (i = 0; i < test_iters(T_SHIFT == 9 ? 300 : 5000); i++) {
		struct cost cost;

		choose(&prng, &start, &nr);
		world_init(&world, i % 2);
		cost = call(&world, PREPARE_NULL, start, nr, NULL);
		assert_in_range(cost.chunks, 0, 2);
		assert_in_range(cost.pages, 0, 2);
		call(&world, i % 3 ? SET : CLEAR, start, nr, NULL);
		call(&world, CLEAR, 0, NR_PAGES, NULL);
		cost = call(&world, PREPARE_NULL, start, nr, NULL);
		assert_int_equal(cost.chunks + cost.pages, 0);
		twin_fini(&world.twin);
	}
}

/* Prepare does not write to a new leaf page. A commit writes only to the leaf that it uses. */
static void test_prepare_writes_to_no_leaf(void **state)
{
	static const unsigned char fresh = 0xa5; /* the pattern of talloc */
	const uint64_t ends[] = {1, T_1G - 1, CHUNK_PAGES + T_1G + T_2M + 1};
	static struct world world;
	const unsigned char *page;
	size_t i, k, full = 0;

	(void)state;
	if (test_on_valgrind())
		skip(); /* this test reads fresh memory, which valgrind reports */
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		world_init(&world, i % 2);
		call(&world, PREPARE_NULL, ends[i], 1, NULL);
		page = gms_group(gms_chunk(world.twin.tree, ends[i] / T_1G), ends[i])->page;
		assert_non_null(page);
		for (k = 0; k < sizeof(struct gms_leaf_page); k++)
			assert_int_equal(page[k], fresh);
		twin_store(&world.twin, ends[i], 1, !(i % 2));
		for (k = 0, full = 0; k < sizeof(struct gms_leaf_page); k++)
			full += page[k] != fresh;
		assert_int_equal(full, sizeof(struct gms_line));
		twin_fini(&world.twin);
	}
}

static void refuse(struct world *world, uint64_t start, uint64_t nr)
{
	struct gms_rtree *tree = world->twin.tree;
	const uint64_t allocs = world->twin.talloc.allocs;
	const struct twin_print before = twin_print(&world->twin);
	struct gms_rtree_reserve reserve;
	struct twin_print after;

	memset(&reserve, 0x5a, sizeof(reserve));
	assert_false(gms_rtree_is_prepared(tree, start, nr));
	assert_int_equal(gms_rtree_prepare(tree, start, nr, NULL), -EINVAL);
	assert_int_equal(gms_rtree_prepare(tree, start, nr, &reserve), -EINVAL);
	gms_rtree_revert(tree, &reserve);
	gms_rtree_release(tree, &reserve);
	gms_rtree_release(tree, NULL);
	assert_int_equal(gms_rtree_set(tree, start, nr), -EINVAL);
	assert_int_equal(gms_rtree_clear(tree, start, nr), -EINVAL);
	after = twin_print(&world->twin);
	assert_true(twin_print_equal(&before, &after));
	assert_int_equal(world->twin.talloc.allocs, allocs);
}

static void test_bad_ranges_change_nothing(void **state)
{
	static struct world world;

	(void)state;
	world_init(&world, false);
	twin_store(&world.twin, T_1G + 1, T_2M, true);
	refuse(&world, 0, 0);
	refuse(&world, 1, 0);
	refuse(&world, NR_PAGES, 0);
	refuse(&world, NR_PAGES, 1);
	refuse(&world, NR_PAGES - 1, 2);
	refuse(&world, 1, NR_PAGES);
	refuse(&world, 1, UINT64_MAX);
	refuse(&world, UINT64_MAX, 1);
	refuse(&world, UINT64_MAX, 2);
	refuse(&world, NR_PAGES / 2, UINT64_MAX - NR_PAGES / 2 + 2);
	assert_fine(twin_check(&world.twin));
	twin_fini(&world.twin);
}

/* Fails an allocation of a prepare. Returns false if the prepare makes fewer allocations. */
static bool fail_one(const struct shape *shape, uint64_t start, uint64_t nr, uint64_t skip)
{
	struct gms_rtree_reserve reserve;
	struct twin_print before, after;
	struct twin twin;
	bool failed;
	int rc;

	shape_init(&twin, shape);
	before = twin_print(&twin);
	talloc_fail(&twin.talloc, skip, 1);
	rc = gms_rtree_prepare(twin.tree, start, nr, skip % 2 ? NULL : &reserve);
	talloc_fail_never(&twin.talloc);
	failed = twin.talloc.failed;
	assert_int_equal(rc, failed ? -ENOMEM : 0);
	assert_int_equal(gms_rtree_is_prepared(twin.tree, start, nr), !failed);
	if (failed && skip % 2 == 0) {
		gms_rtree_revert(twin.tree, &reserve);
		gms_rtree_release(twin.tree, &reserve);
	}
	after = twin_print(&twin);
	assert_true(twin_print_equal(&before, &after));
	assert_fine(twin_check_account(&twin));
	assert_int_equal(gms_rtree_prepare(twin.tree, start, nr, &reserve), 0);
	talloc_trap(&twin.talloc, TALLOC_TRAP_BOTH);
	gms_rtree_commit(twin.tree, start, nr, true, &reserve);
	gms_rtree_release(twin.tree, &reserve);
	talloc_trap(&twin.talloc, 0);
	oracle_store(&twin.oracle, start, nr, true);
	assert_fine(twin_check_near(&twin, start, nr));
	twin_fini(&twin);
	return failed;
}

static void test_rule14_a_prepare_that_fails_changes_nothing(void **state)
{
	uint64_t start, nr, skip, most = 0;
	unsigned int which;
	size_t i;

	(void)state;
	for (i = 0; i < nr_shapes; i++) {
		if (!shapes[i].cheap || !shape_wanted(&shapes[i]))
			continue;
		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++) {
			for (skip = 0; fail_one(&shapes[i], start, nr, skip); skip++)
				;
			most = skip > most ? skip : most;
		}
	}
	/* two chunks and two leaf pages; under valgrind there are fewer ranges */
	assert_in_range(most, test_on_valgrind() ? 3 : 4, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_ends_of_a_range_cost_memory),
		cmocka_unit_test(test_the_cost_depends_only_on_ranges),
		cmocka_unit_test(test_a_second_prepare_allocates_nothing),
		cmocka_unit_test(test_prepare_writes_to_no_leaf),
		cmocka_unit_test(test_bad_ranges_change_nothing),
		cmocka_unit_test(test_rule14_a_prepare_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests_name("rtree-prepare", tests, NULL, NULL);
}
