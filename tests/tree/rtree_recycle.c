// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_recycle.c - proves R1 where a reader's node is taken away and used elsewhere
 *
 * One writer makes a block need another node and give it back, first in a block whose
 * pages are set, then in one whose pages are not; the pools hand out last what came in
 * last. So a reader that is overtaken holds a node, or a leaf, full of the other block's
 * values; it must notice. Once for each form of storage on either side of the change.
 */
#include <stdatomic.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

/* Blocks of opposite values, with pages that never change but for one. */
#define NR_SIDES 2
static const struct {
	uint64_t base;
	bool value;
} sides[NR_SIDES] = {{0, true}, {2 * T_1G, false}};

/* How many 2M blocks are mixed at all times: one more makes another form. */
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

static void swap_forms(struct worker *worker)
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
		return "test: a page of another block";
	if (gms_rtree_count(tree, page, 1) != value)
		return "count: a page of another block";
	if (!gms_rtree_next(tree, page, page + 1, &run) || run.set != value)
		return "next: a page of another block";
	if (gms_rtree_fill_range(tree, page, 1) != (value ? GMS_RTREE_ALL : GMS_RTREE_NONE))
		return "fill_range: a page of another block";
	return NULL;
}

/* The 2M at @base: in a mixed one all pages but the first are of the block's value. */
static const char *read_2m(const struct gms_rtree *tree, uint64_t base, bool value, bool mixed)
{
	enum gms_rtree_fill uniform = value ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	uint64_t nr = mixed ? T_2M - 1 : T_2M;
	struct gms_rtree_run run;

	if (gms_rtree_fill(tree, base, T_ORDER_2M) != (mixed ? GMS_RTREE_MIXED : uniform))
		return "fill: a 2M of another block";
	if (mixed != !gms_rtree_uniform_order(tree, base))
		return "uniform_order: a 2M of another block";
	if (gms_rtree_count(tree, base, T_2M) != (value ? nr : T_2M - nr))
		return "count: a 2M of another block";
	if (!gms_rtree_next(tree, base + mixed, base + T_2M, &run) || run.set != value ||
	    run.nr_pages != nr)
		return "next: a 2M of another block";
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
		/* Mixed and uniform 2M blocks by turns; the last one is the writer's. */
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
	static void (*const roles[])(struct worker *) = {swap_forms, read_sides, read_sides};
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
					      /* Some copy 32K. */
					      .rounds = test_iters(count < 100 ? 500000 : 50000)};
	workers_run(workers, ARRAY_SIZE(roles));
	assert_fine(twin_check(&arena.twin));
	twin_fini(&arena.twin);
}

static void test_r1_nodes_used_elsewhere(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		run_arena(counts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_nodes_used_elsewhere),
	};

	return cmocka_run_group_tests_name("rtree-recycle", tests, NULL, NULL);
}
