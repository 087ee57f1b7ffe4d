// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_writers.c - proves that writers of different 1G blocks do not disturb each other, and R1
 * for readers beside them
 *
 * Each writer has 1G blocks of its own, and they hold in the end what the writer stored. A reader
 * that has seen the new value of a page never sees the old one again, while the page does not
 * change back.
 */
#include <stdatomic.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

#define NR_WRITERS 4
/* The first 1G block of each writer. The last writer has more than 64 blocks. */
static const uint64_t shares[NR_WRITERS + 1] = {0, 1, 3, 8, 80};

struct team {
	struct twin twin;
	struct oracle oracle[NR_WRITERS];
};

static int store(struct gms_rtree *tree, uint64_t start, uint64_t nr, bool set)
{
	return set ? gms_rtree_set(tree, start, nr) : gms_rtree_clear(tree, start, nr);
}

static void choose(struct prng *prng, uint64_t base, uint64_t end, uint64_t *start, uint64_t *nr)
{
	static const uint64_t sizes[] = {1, T_2M, T_1G, T_1G + 1, 70 * T_1G};
	uint64_t size = sizes[prng_below(prng, ARRAY_SIZE(sizes))];

	*start = base + prng_below(prng, end - base);
	if (prng_chance(prng, 50))
		*start = *start / T_2M * T_2M;
	*nr = 1 + (prng_chance(prng, 50) ? size - 1 : prng_below(prng, size));
	if (*nr > end - *start)
		*nr = end - *start;
}

/* Makes a store, or a commit that is reverted. */
static int act(struct gms_rtree *tree, struct oracle *oracle, uint64_t start, uint64_t nr,
	       struct prng *prng)
{
	bool set = prng_chance(prng, 50);
	struct gms_rtree_reserve reserve;
	int rc;

	if (prng_chance(prng, 70)) {
		oracle_store(oracle, start, nr, set);
		return store(tree, start, nr, set);
	}
	rc = gms_rtree_prepare(tree, start, nr, &reserve);
	if (rc)
		return rc;
	gms_rtree_commit(tree, start, nr, set, &reserve);
	gms_rtree_revert(tree, &reserve);
	gms_rtree_release(tree, &reserve);
	return 0;
}

static void write_share(struct worker *worker)
{
	struct team *team = worker->shared;
	uint64_t base = shares[worker->number] * T_1G;
	uint64_t end = shares[worker->number + 1] * T_1G;
	struct oracle *oracle = &team->oracle[worker->number];
	struct prng prng;
	uint64_t round, start, nr, i;

	prng_init(&prng, test_seed() + worker->number);
	for (round = 0; round < worker->rounds; round++) {
		choose(&prng, base, end, &start, &nr);
		worker_expect(worker, !act(team->twin.tree, oracle, start, nr, &prng),
			      "a store failed");
		if (!prng_chance(&prng, 2))
			continue;
		/* store to each 2M, so that the block becomes dense */
		start = base + prng_below(&prng, end - base) / T_1G * T_1G;
		for (i = 0; i < T_FANOUT; i++) {
			oracle_store(oracle, start + i * T_2M, 1, round % 2);
			worker_expect(worker,
				      !store(team->twin.tree, start + i * T_2M, 1, round % 2),
				      "a store failed");
		}
	}
}

/* Copies the share of a writer run by run, because a share need not begin at a word. */
static void merge_share(struct oracle *to, const struct oracle *from, uint64_t start, uint64_t end)
{
	struct gms_rtree_run run;
	uint64_t at;

	for (at = start; oracle_next(from, at, end, &run); at += run.nr_pages)
		oracle_store(to, at, run.nr_pages, run.set);
}

static void test_writers_of_different_blocks_are_independent(void **state)
{
	uint64_t nr_pages = shares[NR_WRITERS] * T_1G;
	struct worker workers[NR_WRITERS] = {0};
	static struct team team;
	unsigned int i;

	(void)state;
	twin_init(&team.twin, nr_pages, false);
	for (i = 0; i < NR_WRITERS; i++) {
		oracle_init(&team.oracle[i], nr_pages, false);
		workers[i] = (struct worker) {.run = write_share,
					      .shared = &team,
					      .number = i,
					      .rounds = test_iters(T_SHIFT == 9 ? 5000 : 30000)};
	}
	workers_run(workers, NR_WRITERS);
	for (i = 0; i < NR_WRITERS; i++) {
		merge_share(&team.twin.oracle, &team.oracle[i], shares[i] * T_1G,
			    shares[i + 1] * T_1G);
		oracle_fini(&team.oracle[i]);
	}
	assert_fine(twin_check(&team.twin));
	twin_fini(&team.twin);
}

/* Trees that grow from nothing, so that all writers allocate chunks and leaf pages. */
#define GROWTH_BLOCKS (T_SHIFT == 9 ? 4ULL : 300ULL)
#define GROWTH_MIXED (T_SHIFT == 9 ? 120ULL : 2ULL)

static void grow(struct worker *worker)
{
	struct gms_rtree *tree = worker->shared;
	uint64_t base = worker->number * GROWTH_BLOCKS * T_1G;
	uint64_t block, i;

	for (block = 0; block < GROWTH_BLOCKS; block++) {
		for (i = 0; i < GROWTH_MIXED; i++) {
			uint64_t at = base + block * T_1G + i * T_2M;

			worker_expect(worker, !gms_rtree_set(tree, at, 1), "a store failed");
			worker_expect(worker, gms_rtree_count(tree, at, T_2M) == 1,
				      "the count of a page is wrong");
		}
	}
}

static void test_trees_grow_under_all_writers(void **state)
{
	struct worker workers[NR_WRITERS] = {0};
	uint64_t round, rounds = test_iters(600);
	struct gms_rtree *tree;
	unsigned int i;

	(void)state;
	for (round = 0; round < rounds; round++) {
		assert_int_equal(gms_rtree_create(NR_WRITERS * GROWTH_BLOCKS * T_1G, GMS_RTREE_NONE,
						  NULL, &tree),
				 0);
		for (i = 0; i < NR_WRITERS; i++)
			workers[i] = (struct worker) {.run = grow, .shared = tree, .number = i};
		workers_run(workers, NR_WRITERS);
		assert_int_equal(gms_rtree_count(tree, 0, UINT64_MAX),
				 NR_WRITERS * GROWTH_BLOCKS * GROWTH_MIXED);
		assert_int_equal(gms_rtree_nodes(tree),
				 NR_WRITERS * GROWTH_BLOCKS * (GROWTH_MIXED + 1));
		assert_true(gms_rtree_verify(tree, NULL));
		gms_rtree_destroy(tree);
	}
}

/* The pages of a 1G block change once, one after another. */
struct flood {
	struct twin twin;
	bool value;
	_Atomic uint64_t done; /* stores that have returned */
	_Atomic bool over;
};

#define FLOOD_BASE (1 * T_1G)

/* Returns the page of a store. Each page is stored once, far from the page before. */
static uint64_t flood_page(uint64_t i)
{
	return FLOOD_BASE + i * (T_2M * 5 + 3) % T_1G;
}

static void rise(struct worker *worker)
{
	struct flood *flood = worker->shared;
	int rc = 0;
	uint64_t i;

	for (i = 0; i < worker->rounds && i < T_1G && !rc; i++) {
		rc = store(flood->twin.tree, flood_page(i), 1, flood->value);
		atomic_store_explicit(&flood->done, i + 1, memory_order_release);
	}
	atomic_store(&flood->over, true);
	worker_expect(worker, !rc, "a store failed");
}

/* Makes other blocks mixed and uniform meanwhile. */
static void churn(struct worker *worker)
{
	struct flood *flood = worker->shared;
	struct gms_rtree *tree = flood->twin.tree;
	uint64_t base = worker->number * 2 * T_1G;
	struct prng prng;
	int rc = 0;

	prng_init(&prng, worker->number);
	while (!rc && !atomic_load(&flood->over)) {
		uint64_t n = 1 + prng_below(&prng, T_FANOUT);
		uint64_t i;

		for (i = 0; i < n && !rc; i++)
			rc = store(tree, base + i * T_2M + i % T_2M, 1, !flood->value);
		if (!rc)
			rc = store(tree, base, T_1G, flood->value);
	}
	worker_expect(worker, !rc, "a store failed");
}

static void watch(struct worker *worker)
{
	struct flood *flood = worker->shared;
	const struct gms_rtree *tree = flood->twin.tree;
	uint64_t last_count = 0;
	struct prng prng;

	prng_init(&prng, worker->number);
	while (!atomic_load(&flood->over)) {
		uint64_t done = atomic_load_explicit(&flood->done, memory_order_acquire);
		uint64_t page = flood_page(prng_below(&prng, done + 2));
		bool seen = gms_rtree_test(tree, page) == flood->value;
		uint64_t count;

		if (done)
			worker_expect(worker,
				      gms_rtree_test(tree, flood_page(prng_below(&prng, done))) ==
					      flood->value,
				      "a store that had returned was not seen");
		if (seen)
			worker_expect(worker, gms_rtree_test(tree, page) == flood->value,
				      "a page had the old value again");
		count = gms_rtree_count(tree, FLOOD_BASE, T_1G);
		if (!flood->value)
			count = T_1G - count;
		worker_expect(worker, count >= done, "the count missed stores that had returned");
		worker_expect(worker, count >= last_count, "the count went down");
		last_count = count;
	}
}

static void run_flood(bool value)
{
	static void (*const roles[])(struct worker *) = {churn, rise, churn, watch, watch};
	struct worker workers[ARRAY_SIZE(roles)] = {0};
	static struct flood flood;
	unsigned int i;

	twin_init(&flood.twin, 6 * T_1G, !value);
	flood.value = value;
	atomic_store(&flood.done, 0);
	atomic_store(&flood.over, false);
	for (i = 0; i < ARRAY_SIZE(roles); i++)
		workers[i] = (struct worker) {.run = roles[i],
					      .shared = &flood,
					      .number = i,
					      .rounds = test_iters(100000)};
	workers_run(workers, ARRAY_SIZE(roles));
	assert_int_equal(gms_rtree_count(flood.twin.tree, FLOOD_BASE, T_1G),
			 value ? flood.done : T_1G - flood.done);
	assert_true(gms_rtree_verify(flood.twin.tree, NULL));
	twin_fini(&flood.twin);
}

static void test_r1_no_page_has_its_old_value_again(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < (T_SHIFT == 9 ? 1 : 50); round++) {
		run_flood(true);
		run_flood(false);
	}
}

/*
 * Whole 2M blocks beside mixed ones change one by one, and change back in the next round. A reader
 * that has seen the new value of a page by one query must not see the old value by another query
 * in that round.
 */
struct tide {
	struct twin twin;
	_Atomic uint64_t round; /* goes up before the first block changes back */
	_Atomic bool over;
};

#define TIDE_BASE (1 * T_1G)

static void turn_over(struct worker *worker)
{
	struct tide *tide = worker->shared;
	uint64_t round, block;
	int rc = 0;

	for (round = 1; round <= worker->rounds && !rc; round++) {
		atomic_store(&tide->round, round);
		atomic_thread_fence(memory_order_seq_cst);
		for (block = 1; block < T_FANOUT && !rc; block += 2)
			rc = store(tide->twin.tree, TIDE_BASE + block * T_2M, T_2M, round % 2);
	}
	atomic_store(&tide->over, true);
	worker_expect(worker, !rc, "a store failed");
}

/* Queries whether the page is in the set, by the function that @how selects. */
static bool query(const struct gms_rtree *tree, uint64_t page, uint64_t how)
{
	struct gms_rtree_run run = {.set = false};

	switch (how) {
	case 0:
		return gms_rtree_test(tree, page);
	case 1:
		return gms_rtree_count(tree, page, 1) == 1;
	case 2:
		return gms_rtree_fill_range(tree, page, 1) == GMS_RTREE_ALL;
	case 3:
		return gms_rtree_fill(tree, page, 0) == GMS_RTREE_ALL;
	default:
		gms_rtree_next(tree, page, page + 1, &run);
		return run.set;
	}
}

static void query_twice(struct worker *worker)
{
	struct tide *tide = worker->shared;
	const struct gms_rtree *tree = tide->twin.tree;
	struct prng prng;

	prng_init(&prng, test_seed() + worker->number);
	while (!atomic_load(&tide->over)) {
		uint64_t page = TIDE_BASE + (prng_below(&prng, T_FANOUT) | 1) * T_2M +
				prng_below(&prng, T_2M);
		uint64_t round = atomic_load(&tide->round);
		bool first = query(tree, page, prng_below(&prng, 5));
		bool second = query(tree, page, prng_below(&prng, 5));

		atomic_thread_fence(memory_order_seq_cst);
		if (round != atomic_load(&tide->round) || first != round % 2)
			continue;
		worker_expect(worker, second == first,
			      "a page had the old value again within a round");
	}
}

static void test_r1_different_queries_agree_in_time(void **state)
{
	static void (*const roles[])(struct worker *) = {turn_over, query_twice, query_twice};
	struct worker workers[ARRAY_SIZE(roles)] = {0};
	static struct tide tide;
	uint64_t block;
	unsigned int i;

	(void)state;
	twin_init(&tide.twin, 3 * T_1G, false);
	for (block = 0; block < T_FANOUT; block += 2)
		twin_store(&tide.twin, TIDE_BASE + block * T_2M, 1, true);
	atomic_store(&tide.round, 0);
	atomic_store(&tide.over, false);
	for (i = 0; i < ARRAY_SIZE(roles); i++)
		workers[i] = (struct worker) {
			.run = roles[i], .shared = &tide, .number = i, .rounds = test_iters(20000)};
	workers_run(workers, ARRAY_SIZE(roles));
	assert_true(gms_rtree_verify(tide.twin.tree, NULL));
	twin_fini(&tide.twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writers_of_different_blocks_are_independent),
		cmocka_unit_test(test_trees_grow_under_all_writers),
		cmocka_unit_test(test_r1_no_page_has_its_old_value_again),
		cmocka_unit_test(test_r1_different_queries_agree_in_time),
	};

	return cmocka_run_group_tests_name("rtree-writers", tests, NULL, NULL);
}
