// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_threads.c - proves R1, R2 and R4 for threads that read beside threads that write
 *
 * Writers make 1G blocks uniform, sparse and dense again and again, and revert commits, so that
 * places stop counting and count again. In each block some pages never change:
 *
 *	2M block 0      page 0 has the value v of the block; in torn blocks page 1 has !v, so that
 *	                this 2M and its 1G are always mixed
 *	2M block 2      all pages have v ("quiet")
 *	2M block 4, 6.. one page has v ("lone")
 *
 * Each query about these pages has one right answer, whatever writers do at the time. Run this
 * test under ThreadSanitizer, too, which checks R2.
 */
#include <stdatomic.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

#define NR_BLOCKS 1030
#define QUIET 2
#define NR_WRITERS 3
#define NR_READERS 2

/* A 1G block that one writer changes. */
struct stage {
	uint64_t base;
	unsigned int writer;
	bool value;
	bool torn;
};

/* Some blocks are at the beginning of the tree, and some around a border between chunks. */
static const struct stage stages[] = {
	{0, 0, true, false},          {1 * T_1G, 1, false, false},   {2 * T_1G, 2, true, true},
	{4 * T_1G, 0, false, true},   {1023 * T_1G, 1, true, false}, {1024 * T_1G, 2, false, false},
	{1025 * T_1G, 0, true, true},
};

#define STILL_BLOCK 3UL /* fragmented, and never written */
#define UNIFORM_BLOCK 1026UL /* uniform, and never written */

struct world {
	struct twin twin; /* the oracle is right about the still block only */
	_Atomic unsigned int writers_left;
};

static uint64_t lone_page(uint64_t block)
{
	return block ? block * 7 % T_2M : 0;
}

/* Sets a part of a 2M block that its writer may change. @which is 0 or 1. */
static bool free_part(const struct stage *stage, uint64_t block, unsigned int which,
		      uint64_t *start, uint64_t *nr)
{
	uint64_t lone = lone_page(block);
	uint64_t at = 0, end = T_2M;

	if (block == QUIET)
		return false;
	if (block == 0) {
		at = stage->torn ? 2 : 1;
	} else if (block % 2 == 0) {
		at = which ? lone + 1 : 0;
		end = which ? T_2M : lone;
	}
	*start = stage->base + block * T_2M + at;
	*nr = end - at;
	return at < end;
}

static int store(struct gms_rtree *tree, uint64_t start, uint64_t nr, bool set)
{
	return set ? gms_rtree_set(tree, start, nr) : gms_rtree_clear(tree, start, nr);
}

/* Gives the whole block its value, except for the torn page. */
static int make_uniform(struct gms_rtree *tree, const struct stage *stage)
{
	uint64_t skip = stage->torn ? 2 : 0;

	return store(tree, stage->base + skip, T_1G - skip, stage->value);
}

/* Gives some pages of a 2M the other value. */
static int mix_one(struct gms_rtree *tree, const struct stage *stage, uint64_t block,
		   struct prng *prng)
{
	uint64_t start, nr, at;

	if (!free_part(stage, block, (unsigned int)prng_below(prng, 2), &start, &nr))
		return 0;
	if (prng_chance(prng, 30))
		return store(tree, start, nr, !stage->value);
	at = prng_below(prng, nr);
	return store(tree, start + at, 1 + prng_below(prng, nr - at), !stage->value);
}

static int mix_many(struct gms_rtree *tree, const struct stage *stage, struct prng *prng)
{
	unsigned int count = shape_steps[prng_below(prng, nr_shape_steps)];
	uint64_t first = prng_below(prng, T_FANOUT);
	unsigned int i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = mix_one(tree, stage, (first + i) % T_FANOUT, prng);
	return rc;
}

/* Gives some 2M blocks the value of the block again, one by one. */
static int unmix_many(struct gms_rtree *tree, const struct stage *stage, struct prng *prng)
{
	uint64_t count = 1 + prng_below(prng, T_FANOUT);
	uint64_t first = 1 + prng_below(prng, T_FANOUT);
	int rc = 0;

	for (; count-- && first < T_FANOUT && !rc; first++)
		rc = store(tree, stage->base + first * T_2M, T_2M, stage->value);
	return rc;
}

static int commit_and_revert(struct gms_rtree *tree, const struct stage *stage)
{
	struct gms_rtree_reserve reserve;
	uint64_t start = stage->base + 2;
	uint64_t nr = T_1G - 2;
	int rc = gms_rtree_prepare(tree, start, nr, &reserve);

	if (rc)
		return rc;
	gms_rtree_commit(tree, start, nr, stage->value, &reserve);
	gms_rtree_revert(tree, &reserve);
	gms_rtree_release(tree, &reserve);
	return 0;
}

static void write_stages(struct worker *worker)
{
	struct world *world = worker->shared;
	struct gms_rtree *tree = world->twin.tree;
	struct prng prng;
	uint64_t round;
	int rc = 0;

	prng_init(&prng, test_seed() + worker->number);
	for (round = 0; round < worker->rounds && !rc; round++) {
		const struct stage *stage = &stages[prng_below(&prng, ARRAY_SIZE(stages))];

		if (stage->writer != worker->number)
			continue;
		switch (prng_below(&prng, 5)) {
		case 0:
			rc = make_uniform(tree, stage);
			break;
		case 1:
			rc = mix_one(tree, stage, prng_below(&prng, T_FANOUT), &prng);
			break;
		case 2:
			rc = mix_many(tree, stage, &prng);
			break;
		case 3:
			rc = unmix_many(tree, stage, &prng);
			break;
		default:
			rc = commit_and_revert(tree, stage);
			break;
		}
	}
	atomic_fetch_sub(&world->writers_left, 1);
	worker_expect(worker, !rc, "a store failed");
}

/* Makes all queries about a page that never changes. */
static const char *read_page(const struct gms_rtree *tree, uint64_t page, bool value)
{
	enum gms_rtree_fill fill = value ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	struct gms_rtree_run run;

	if (gms_rtree_test(tree, page) != value)
		return "test: a page that never changes had another value";
	if (gms_rtree_fill(tree, page, 0) != fill)
		return "fill, order 0: a page that never changes had another value";
	if (gms_rtree_count(tree, page, 1) != value)
		return "count: a page that never changes was counted wrongly";
	if (gms_rtree_fill_range(tree, page, 1) != fill)
		return "fill_range: a page that never changes had another value";
	if (!gms_rtree_next(tree, page, page + 1, &run) || run.start != page || run.nr_pages != 1 ||
	    run.set != value)
		return "next: a page that never changes had another value";
	return NULL;
}

static const char *read_quiet(const struct gms_rtree *tree, const struct stage *stage,
			      struct prng *prng)
{
	enum gms_rtree_fill fill = stage->value ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	uint64_t base = stage->base + QUIET * T_2M;
	uint64_t at = prng_below(prng, T_2M);
	struct gms_rtree_run run;
	int i;

	/* These queries are short, and writers seldom overtake them, so they are repeated. */
	for (i = 0; i < 16; i++) {
		if (gms_rtree_fill(tree, base + at, T_ORDER_2M) != fill)
			return "fill: a 2M that never changes had another fill";
		if (gms_rtree_uniform_order(tree, base + at) < T_ORDER_2M)
			return "uniform_order: a 2M that never changes was not uniform";
	}
	if (gms_rtree_count(tree, base + at, T_2M - at) != (stage->value ? T_2M - at : 0))
		return "count: a 2M that never changes was counted wrongly";
	if (gms_rtree_fill_range(tree, base, T_2M) != fill)
		return "fill_range: a 2M that never changes had another fill";
	if (!gms_rtree_next(tree, base + at, stage->base + T_1G, &run) || run.start != base + at ||
	    run.set != stage->value || run.nr_pages < T_2M - at)
		return "next: a 2M that never changes was no run";
	return read_page(tree, base + at, stage->value);
}

static const char *read_torn(const struct gms_rtree *tree, const struct stage *stage)
{
	struct gms_rtree_run run;
	const char *why;

	if (gms_rtree_fill(tree, stage->base + T_2M, T_ORDER_1G) != GMS_RTREE_MIXED)
		return "fill: a 1G that is always mixed was uniform";
	if (gms_rtree_fill(tree, stage->base, T_ORDER_2M) != GMS_RTREE_MIXED)
		return "fill: a 2M that is always mixed was uniform";
	if (gms_rtree_uniform_order(tree, stage->base) != 0)
		return "uniform_order: a 2M that is always mixed was uniform";
	if (gms_rtree_uniform_order(tree, stage->base + T_2M) > T_ORDER_2M)
		return "uniform_order: a 1G that is always mixed was uniform";
	if (gms_rtree_fill_range(tree, stage->base, T_1G) != GMS_RTREE_MIXED)
		return "fill_range: a 1G that is always mixed was uniform";
	if (!gms_rtree_next(tree, stage->base, stage->base + T_1G, &run) || run.nr_pages != 1 ||
	    run.set != stage->value)
		return "next: a run did not end at a border that never changes";
	why = read_page(tree, stage->base, stage->value);
	return why ? why : read_page(tree, stage->base + 1, !stage->value);
}

/* Returns NULL, or which page that never changes has another value than the run. */
static const char *check_run(const struct stage *stage, const struct gms_rtree_run *run)
{
	uint64_t start = run->start - stage->base;
	uint64_t end = start + run->nr_pages;
	uint64_t block;

	if (stage->torn && start <= 1 && end > 1 && run->set == stage->value)
		return "next: a run has a torn page of the other value";
	for (block = start / T_2M; block * T_2M < end; block++) {
		uint64_t lone = block * T_2M + lone_page(block);

		if (block % 2 == 0 && lone >= start && lone < end && run->set != stage->value)
			return "next: a run has a lone page of the other value";
		if (block == QUIET && run->set != stage->value)
			return "next: a run has pages of a quiet 2M of the other value";
	}
	return NULL;
}

static const char *walk_block(const struct gms_rtree *tree, const struct stage *stage)
{
	uint64_t end = stage->base + T_1G;
	uint64_t at = stage->base;
	struct gms_rtree_run run;
	const char *why = NULL;

	while (!why && gms_rtree_next(tree, at, end, &run)) {
		if (run.start != at || !run.nr_pages || run.nr_pages > end - at)
			return "next: runs leave a gap, or overlap";
		why = check_run(stage, &run);
		at += run.nr_pages;
	}
	if (!why && at != end)
		return "next: the walk ended too early";
	return why;
}

/* The pages that never change give bounds for the count of a block. */
static const char *count_block(const struct gms_rtree *tree, const struct stage *stage)
{
	uint64_t fixed = T_2M + (T_FANOUT / 2 - 1);
	uint64_t count = gms_rtree_count(tree, stage->base, T_1G);
	uint64_t of_value = stage->value ? count : T_1G - count;

	if (count > T_1G || of_value < fixed || of_value > T_1G - stage->torn)
		return "count: pages that never change were counted wrongly";
	return NULL;
}

/* Queries blocks that no writer changes. */
static const char *read_still(const struct world *world, struct prng *prng)
{
	const struct gms_rtree *tree = world->twin.tree;
	const struct oracle *oracle = &world->twin.oracle;
	uint64_t start = STILL_BLOCK * T_1G + prng_below(prng, T_1G);
	uint64_t nr = 1 + prng_below(prng, (STILL_BLOCK + 1) * T_1G - start);
	struct gms_rtree_run run, want;

	if (gms_rtree_test(tree, start) != oracle_test(oracle, start) ||
	    gms_rtree_count(tree, start, nr) != oracle_count(oracle, start, nr) ||
	    gms_rtree_fill_range(tree, start, nr) != oracle_fill_range(oracle, start, nr) ||
	    gms_rtree_uniform_order(tree, start) != oracle_uniform_order(oracle, start))
		return "a block without a writer had another value";
	oracle_next(oracle, start, start + nr, &want);
	if (!gms_rtree_next(tree, start, start + nr, &run) || run.nr_pages != want.nr_pages ||
	    run.set != want.set)
		return "next: a block without a writer had another run";
	start = UNIFORM_BLOCK * T_1G;
	if (gms_rtree_fill(tree, start, T_ORDER_1G) != GMS_RTREE_NONE ||
	    gms_rtree_uniform_order(tree, start) != T_ORDER_1G ||
	    gms_rtree_count(tree, start, T_1G) != 0)
		return "a uniform block without a writer had another value";
	return NULL;
}

static const char *read_something(const struct world *world, struct prng *prng)
{
	const struct stage *stage = &stages[prng_below(prng, ARRAY_SIZE(stages))];
	const struct gms_rtree *tree = world->twin.tree;
	uint64_t block = prng_below(prng, T_FANOUT / 2) * 2;

	switch (prng_below(prng, 16)) {
	case 0:
		return walk_block(tree, stage);
	case 1:
		return count_block(tree, stage);
	case 2:
		return read_still(world, prng);
	case 3:
		/* The number may be any possible one, but the call must return. */
		if (gms_rtree_nodes(tree) > NR_BLOCKS * (T_FANOUT + 1))
			return "nodes: there are more than possible";
		return gms_rtree_memory(tree) ? NULL : "memory: no memory is in use";
	case 4:
	case 5:
	case 6:
		return read_quiet(tree, stage, prng);
	case 7:
	case 8:
	case 9:
		return stage->torn ? read_torn(tree, stage) : NULL;
	default:
		return read_page(tree, stage->base + block * T_2M + lone_page(block), stage->value);
	}
}

/* Reads at least some rounds, and as long as there are writers. */
static void read_stages(struct worker *worker)
{
	struct world *world = worker->shared;
	const char *why = NULL;
	struct prng prng;
	uint64_t round = 0;

	prng_init(&prng, test_seed() + 100 + worker->number);
	while (!why && (round < worker->rounds || atomic_load(&world->writers_left))) {
		why = read_something(world, &prng);
		round++;
	}
	worker->why = why;
}

static void make_world(struct world *world)
{
	size_t i;

	twin_init(&world->twin, NR_BLOCKS * T_1G, false);
	for (i = 0; i < ARRAY_SIZE(stages); i++) {
		twin_store(&world->twin, stages[i].base, T_1G, stages[i].value);
		if (stages[i].torn)
			twin_store(&world->twin, stages[i].base + 1, 1, !stages[i].value);
	}
	shape_mix(&world->twin, STILL_BLOCK * T_1G, shape_steps[nr_shape_steps / 2], true);
	twin_store(&world->twin, STILL_BLOCK * T_1G + T_1G / 2, T_2M, true);
	atomic_store(&world->writers_left, NR_WRITERS);
}

static void test_r1_pages_that_never_change_have_one_value(void **state)
{
	struct worker workers[NR_WRITERS + NR_READERS] = {0};
	static struct world world;
	const char *reason = NULL;
	unsigned int i;

	(void)state;
	make_world(&world);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].run = i < NR_WRITERS ? write_stages : read_stages;
		workers[i].shared = &world;
		workers[i].number = i;
		workers[i].rounds = test_iters(T_SHIFT == 9 ? 60000 : 200000);
	}
	workers_run(workers, ARRAY_SIZE(workers));
	if (!gms_rtree_verify(world.twin.tree, &reason))
		fail_msg("%s", reason);
	assert_fine(twin_check_account(&world.twin));
	twin_fini(&world.twin);
}

/*
 * Single pages change all the time in a 2M that stays mixed. Each answer must be possible: a page
 * is set or clear, and a run has at least one page.
 */
struct flicker {
	struct twin twin;
	_Atomic bool over;
};

#define FLICKER (T_1G + T_2M)

static void flicker(struct worker *worker)
{
	struct flicker *shared = worker->shared;
	uint64_t round;
	int rc = 0;

	for (round = 0; round < worker->rounds && !rc; round++)
		rc = store(shared->twin.tree, FLICKER + round % 2, 1, round / 2 % 2);
	atomic_store(&shared->over, true);
	worker_expect(worker, !rc, "a store failed");
}

static void watch_flicker(struct worker *worker)
{
	struct flicker *shared = worker->shared;
	const struct gms_rtree *tree = shared->twin.tree;
	struct gms_rtree_run run;
	uint64_t page;

	for (page = FLICKER; !atomic_load(&shared->over); page ^= 1) {
		worker_expect(worker, gms_rtree_fill_range(tree, page, 1) != GMS_RTREE_MIXED,
			      "fill_range: a single page is mixed");
		worker_expect(worker, gms_rtree_fill(tree, page, 0) != GMS_RTREE_MIXED,
			      "fill, order 0: a single page is mixed");
		worker_expect(worker, gms_rtree_count(tree, page, 1) <= 1,
			      "count: a single page counts for more than one");
		worker_expect(worker, gms_rtree_next(tree, page, UINT64_MAX, &run),
			      "next: there is no run");
		worker_expect(worker, run.start == page && run.nr_pages,
			      "next: the run is empty, or begins elsewhere");
		/* The last two pages of this 2M are always set, the pages before them clear. */
		worker_expect(worker, page + run.nr_pages <= FLICKER + T_2M - 2 || run.set,
			      "next: a run has pages of the other value");
	}
}

static void test_r1_a_page_that_changes_is_set_or_clear(void **state)
{
	static void (*const roles[])(struct worker *) = {flicker, watch_flicker};
	struct worker workers[ARRAY_SIZE(roles)] = {0};
	static struct flicker shared;
	unsigned int i;

	(void)state;
	twin_init(&shared.twin, 3 * T_1G, false);
	twin_store(&shared.twin, FLICKER + T_2M - 2, 2, true);
	atomic_store(&shared.over, false);
	for (i = 0; i < ARRAY_SIZE(roles); i++)
		workers[i] = (struct worker) {.run = roles[i],
					      .shared = &shared,
					      .number = i,
					      .rounds = test_iters(2000000)};
	workers_run(workers, ARRAY_SIZE(roles));
	assert_true(gms_rtree_verify(shared.twin.tree, NULL));
	twin_fini(&shared.twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_pages_that_never_change_have_one_value),
		cmocka_unit_test(test_r1_a_page_that_changes_is_set_or_clear),
	};

	return cmocka_run_group_tests_name("rtree-threads", tests, NULL, NULL);
}
