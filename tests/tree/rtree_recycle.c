// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_recycle.c - proves R1 while places stop counting and count again
 *
 * A writer makes the last 2M of a 1G block mixed and uniform again, by turns in a block whose
 * pages are set and in a block whose pages are clear. Readers query pages that never change. A
 * reader whose entry of the tree is stale must not answer with a value of other pages. The test
 * runs with several numbers of mixed 2M blocks in the 1G blocks.
 */
#include <stdatomic.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

/* Two 1G blocks of opposite values. Only the last page of a block changes. */
#define NR_SIDES 2
static const struct {
	uint64_t base;
	bool value;
} sides[NR_SIDES] = {{0, true}, {2 * T_1G, false}};

/* How many 2M blocks of a 1G block are always mixed. */
#if T_SHIFT == 9
static const uint64_t counts[] = {0, 1, 4, 28, 60, 124};
#else
static const uint64_t counts[] = {0, 1, 2, 3};
#endif

struct arena {
	struct twin twin;
	uint64_t count;
	_Atomic bool over;
};

static int store(struct gms_rtree *tree, uint64_t start, uint64_t nr, bool set)
{
	return set ? gms_rtree_set(tree, start, nr) : gms_rtree_clear(tree, start, nr);
}

static void turn_blocks(struct worker *worker)
{
	struct arena *arena = worker->shared;
	uint64_t round;
	int rc = 0;

	for (round = 0; round < worker->rounds && !rc; round++) {
		bool value = sides[round % NR_SIDES].value;
		uint64_t page = sides[round % NR_SIDES].base + T_1G - 1;

		rc = store(arena->twin.tree, page, 1, !value);
		if (!rc)
			rc = store(arena->twin.tree, page, 1, value);
	}
	atomic_store(&arena->over, true);
	worker_expect(worker, !rc, "a store failed");
}

static const char *read_page(const struct gms_rtree *tree, uint64_t page, bool value)
{
	struct gms_rtree_run run;

	if (gms_rtree_test(tree, page) != value)
		return "test: the page has the value of the other block";
	if (gms_rtree_count(tree, page, 1) != value)
		return "count: the page has the value of the other block";
	if (!gms_rtree_next(tree, page, page + 1, &run) || run.set != value)
		return "next: the page has the value of the other block";
	if (gms_rtree_fill_range(tree, page, 1) != (value ? GMS_RTREE_ALL : GMS_RTREE_NONE))
		return "fill_range: the page has the value of the other block";
	return NULL;
}

/* Queries a 2M block. In a mixed one, all pages but the first have the value of the 1G block. */
static const char *read_2m(const struct gms_rtree *tree, uint64_t base, bool value, bool mixed)
{
	enum gms_rtree_fill uniform = value ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	uint64_t nr = mixed ? T_2M - 1 : T_2M;
	struct gms_rtree_run run;

	if (gms_rtree_fill(tree, base, T_ORDER_2M) != (mixed ? GMS_RTREE_MIXED : uniform))
		return "fill: the 2M has another fill";
	if (mixed != !gms_rtree_uniform_order(tree, base))
		return "uniform_order: the 2M has another fill";
	if (gms_rtree_count(tree, base, T_2M) != (value ? nr : T_2M - nr))
		return "count: the 2M has another count";
	if (!gms_rtree_next(tree, base + mixed, base + T_2M, &run) || run.set != value ||
	    run.nr_pages != nr)
		return "next: the 2M has another run";
	return NULL;
}

static void read_sides(struct worker *worker)
{
	struct arena *arena = worker->shared;
	const struct gms_rtree *tree = arena->twin.tree;
	const char *why = NULL;
	struct prng prng;

	prng_init(&prng, worker->number);
	while (!why && !atomic_load(&arena->over)) {
		uint64_t side = prng_below(&prng, NR_SIDES);
		/* a mixed 2M block, or any but the last one, which the writer changes */
		uint64_t most = prng_chance(&prng, 50) ? arena->count : T_FANOUT - 1;
		uint64_t block = most ? prng_below(&prng, most) : 0;
		uint64_t base = sides[side].base + block * T_2M;
		uint64_t page = base + 1 + prng_below(&prng, T_2M - 1);

		why = read_page(tree, page, sides[side].value);
		if (!why)
			why = read_2m(tree, base, sides[side].value, block < arena->count);
	}
	worker->why = why;
}

static void run_arena(uint64_t count)
{
	static void (*const roles[])(struct worker *) = {turn_blocks, read_sides, read_sides};
	struct worker workers[ARRAY_SIZE(roles)] = {0};
	static struct arena arena;
	uint64_t side, block;
	unsigned int i;

	twin_init(&arena.twin, 3 * T_1G, false);
	arena.count = count;
	atomic_store(&arena.over, false);
	for (side = 0; side < NR_SIDES; side++) {
		uint64_t base = sides[side].base;

		twin_store(&arena.twin, base, T_1G, sides[side].value);
		for (block = 0; block < count; block++)
			twin_store(&arena.twin, base + block * T_2M, 1, !sides[side].value);
	}
	for (i = 0; i < ARRAY_SIZE(roles); i++)
		workers[i] = (struct worker) {.run = roles[i],
					      .shared = &arena,
					      .number = i,
					      .rounds = test_iters(count < 100 ? 500000 : 50000)};
	workers_run(workers, ARRAY_SIZE(roles));
	assert_fine(twin_check(&arena.twin));
	twin_fini(&arena.twin);
}

static void test_r1_stale_entries_give_no_other_value(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		run_arena(counts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_stale_entries_give_no_other_value),
	};

	return cmocka_run_group_tests_name("rtree-recycle", tests, NULL, NULL);
}
