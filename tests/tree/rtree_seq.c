// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_seq.c - proves R5: answers between two equal, even sequence numbers are of one state
 *
 * Tests R4, too.
 *
 * A writer changes four ranges of a 1G block, one after another, again and again. So the set goes
 * through eight states, and the number of changes says which state it is in. A reader queries
 * pages far from each other, a count, blocks and runs. If the sequence number is even, and equal
 * before and after, all answers must be of the state that the number stands for.
 *
 * One test has a sequence number of its own around commits. Others use gms_seq_read() around
 * conversions.
 */
#include <sched.h>
#include <stdatomic.h>

#include <gmemstate/state.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

#define NR_PAGES (3 * T_1G)
#define NR_RANGES 4
#define NR_STATES (2 * NR_RANGES)
#define NR_READERS 2
#define AHEAD 50 /* how many changes the writer may be ahead of the readers' rounds */

/* The ranges are disjoint, so that each change changes something. */
static const struct {
	uint64_t start, nr;
} ranges[NR_RANGES] = {
	{T_1G, T_2M},
	{T_1G + T_2M + 1, 1},
	{T_1G + T_2M + 2, T_2M},
	{2 * T_1G - 1, 1},
};

struct world {
	struct gms_rtree *tree;
	struct gms_state *state;
	struct oracle oracle[NR_STATES]; /* after change n the set is oracle[n % NR_STATES] */
	_Atomic uint64_t seq;
	_Atomic uint64_t reads; /* number of rounds of the readers */
	_Atomic bool over;
	_Atomic uint64_t checked, torn; /* rounds without and with a change in between */
};

static bool value_of(uint64_t n)
{
	return n / NR_RANGES % 2 == 0;
}

/* Makes the oracle of each state. The last change leads back to the first state. */
static void make_oracles(struct world *world)
{
	struct oracle now;
	uint64_t n;

	oracle_init(&now, NR_PAGES, false);
	for (n = 0; n < NR_STATES; n++) {
		oracle_init(&world->oracle[n], NR_PAGES, false);
		oracle_copy(&world->oracle[n], &now);
		oracle_store(&now, ranges[n % NR_RANGES].start, ranges[n % NR_RANGES].nr,
			     value_of(n));
	}
	assert_true(oracle_equal(&now, &world->oracle[0]));
	oracle_fini(&now);
	atomic_store(&world->seq, 0);
	atomic_store(&world->reads, 0);
	atomic_store(&world->checked, 0);
	atomic_store(&world->torn, 0);
	atomic_store(&world->over, false);
}

static void free_oracles(struct world *world)
{
	for (int i = 0; i < NR_STATES; i++)
		oracle_fini(&world->oracle[i]);
}

/* Makes the writer wait, so that readers run between the changes. */
static void keep_pace(struct world *world, uint64_t n)
{
	while (n > atomic_load(&world->reads) + AHEAD)
		sched_yield();
}

/* ---- the answers of a reader ---- */

#define NR_RUNS 6

struct sight {
	bool page[6];
	uint64_t count;
	int fill_2m, fill_1g;
	unsigned int order;
	uint64_t run[NR_RUNS];
	bool set;
};

static const uint64_t pages[] = {
	T_1G, T_1G + T_2M - 1, T_1G + T_2M + 1, T_1G + T_2M + 2, T_1G + 2 * T_2M, 2 * T_1G - 1,
};

static void see_oracle(const struct oracle *oracle, struct sight *sight)
{
	struct gms_rtree_run run;
	uint64_t at = T_1G;

	memset(sight, 0, sizeof(*sight));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		sight->page[i] = oracle_test(oracle, pages[i]);
	sight->count = oracle_count(oracle, T_1G, T_1G);
	sight->fill_2m = oracle_fill(oracle, T_1G + T_2M, T_ORDER_2M);
	sight->fill_1g = oracle_fill(oracle, T_1G, T_ORDER_1G);
	sight->order = oracle_uniform_order(oracle, T_1G);
	sight->set = oracle_test(oracle, T_1G);
	for (int i = 0; i < NR_RUNS && oracle_next(oracle, at, 2 * T_1G, &run); i++)
		at += sight->run[i] = run.nr_pages;
}

static void see_tree(const struct gms_rtree *tree, struct sight *sight)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;

	memset(sight, 0, sizeof(*sight));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		sight->page[i] = gms_rtree_test(tree, pages[i]);
	sight->count = gms_rtree_count(tree, T_1G, T_1G);
	sight->fill_2m = gms_rtree_fill(tree, T_1G + T_2M, T_ORDER_2M);
	sight->fill_1g = gms_rtree_fill(tree, T_1G, T_ORDER_1G);
	sight->order = gms_rtree_uniform_order(tree, T_1G);
	gms_rtree_cursor_init(&cursor, tree, T_1G, 2 * T_1G);
	for (int i = 0; i < NR_RUNS && gms_rtree_cursor_next(&cursor, &run); i++) {
		sight->run[i] = run.nr_pages;
		sight->set = i ? sight->set : run.set;
	}
}

static bool is_equal(const struct sight *a, const struct sight *b)
{
	return !memcmp(a->page, b->page, sizeof(a->page)) && a->count == b->count &&
	       a->fill_2m == b->fill_2m && a->fill_1g == b->fill_1g && a->order == b->order &&
	       a->set == b->set && !memcmp(a->run, b->run, sizeof(a->run));
}

/* Checks answers that were read while the number was @seq: seq / 2 changes were made. */
static const char *check_sight(struct world *world, uint64_t seq, const struct sight *got)
{
	struct sight want;

	see_oracle(&world->oracle[seq / 2 % NR_STATES], &want);
	atomic_fetch_add(&world->checked, 1);
	return is_equal(&want, got) ? NULL
				    : "answers under one sequence number are of different states";
}

/* ---- a sequence number of the test around commits ---- */

static void commit_in_turn(struct worker *worker)
{
	struct world *world = worker->shared;
	uint64_t n;

	for (n = 0; n < worker->rounds; n++) {
		const uint64_t start = ranges[n % NR_RANGES].start, nr = ranges[n % NR_RANGES].nr;

		keep_pace(world, n);
		atomic_store_explicit(&world->seq, 2 * n + 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_release);
		gms_rtree_commit(world->tree, start, nr, value_of(n), NULL);
		atomic_store_explicit(&world->seq, 2 * n + 2, memory_order_release);
	}
	atomic_store(&world->over, true);
}

static void read_commits(struct worker *worker)
{
	struct world *world = worker->shared;
	struct sight sight;
	bool over = false;

	while (!worker->why && !over) {
		over = atomic_load(&world->over); /* one more round, without a writer */
		const uint64_t seq = atomic_load_explicit(&world->seq, memory_order_acquire);

		see_tree(world->tree, &sight);
		atomic_thread_fence(memory_order_acquire);
		if (seq % 2 || atomic_load_explicit(&world->seq, memory_order_relaxed) != seq)
			atomic_fetch_add(&world->torn, 1);
		else
			worker->why = check_sight(world, seq, &sight);
		atomic_fetch_add(&world->reads, 1);
	}
	/* the writer waits for this reader no more */
	atomic_store(&world->reads, UINT64_MAX / 2);
}

static void run_all(struct world *world, void (*writer)(struct worker *worker),
		    void (*reader)(struct worker *worker), uint64_t rounds)
{
	struct worker workers[1 + NR_READERS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {
			.run = i ? reader : writer,
			.shared = world,
			.number = i,
			.rounds = rounds,
		};
	workers_run(workers, ARRAY_SIZE(workers));
	printf("%llu rounds without a change, %llu rounds with a change\n",
	       (unsigned long long)world->checked, (unsigned long long)world->torn);
	assert_true(world->checked > 0);
}

static void test_r5_answers_around_commits_are_of_one_state(void **state)
{
	static struct world world;
	int i;

	(void)state;
	make_oracles(&world);
	assert_int_equal(gms_rtree_create(NR_PAGES, GMS_RTREE_NONE, NULL, &world.tree), 0);
	for (i = 0; i < NR_RANGES; i++)
		assert_int_equal(gms_rtree_prepare(world.tree, ranges[i].start, ranges[i].nr, NULL),
				 0);
	run_all(&world, commit_in_turn, read_commits, test_iters(200000) / NR_STATES * NR_STATES);
	assert_true(gms_rtree_verify(world.tree, NULL));
	gms_rtree_destroy(world.tree);
	free_oracles(&world);
}

/* ---- gms_seq_read() around conversions ---- */

#if T_SHIFT == 9

static void see_state(const struct gms_state *state, struct sight *sight)
{
	struct gms_iter iter;
	struct gms_run run;

	memset(sight, 0, sizeof(*sight));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		sight->page[i] = gms_is_private(state, pages[i]);
	sight->count = gms_count(state, T_1G, T_1G, GMS_PRIVATE);
	/* convert the answers to those of a tree */
	sight->fill_2m = gms_summary(state, T_1G + T_2M, GMS_ORDER_2M);
	sight->fill_2m = sight->fill_2m == GMS_MIXED         ? GMS_RTREE_MIXED
			 : sight->fill_2m == GMS_ALL_PRIVATE ? GMS_RTREE_ALL
							     : GMS_RTREE_NONE;
	sight->fill_1g = gms_summary(state, T_1G, GMS_ORDER_1G);
	sight->fill_1g = sight->fill_1g == GMS_MIXED         ? GMS_RTREE_MIXED
			 : sight->fill_1g == GMS_ALL_PRIVATE ? GMS_RTREE_ALL
							     : GMS_RTREE_NONE;
	sight->order = gms_max_order(state, T_1G);
	gms_iter_init(&iter, state, T_1G, T_1G);
	for (int i = 0; i < NR_RUNS && gms_iter_next(&iter, &run); i++) {
		sight->run[i] = run.nr_pages;
		sight->set = i ? sight->set : run.shareability == GMS_PRIVATE;
	}
}

static void convert_in_turn(struct worker *worker)
{
	struct world *world = worker->shared;
	uint64_t n;

	for (n = 0; n < worker->rounds && !worker->why; n++) {
		keep_pace(world, n);
		if (gms_convert(world->state, ranges[n % NR_RANGES].start, ranges[n % NR_RANGES].nr,
				value_of(n) ? GMS_PRIVATE : GMS_SHARED, 0, NULL))
			worker->why = "a conversion failed";
	}
	atomic_store(&world->over, true);
}

static void read_conversions(struct worker *worker)
{
	struct world *world = worker->shared;
	uint64_t index = T_1G;
	bool over = false;
	struct sight sight;

	for (; !worker->why && !over; index = 3 * T_1G - 1 - index) {
		uint64_t seq;

		over = atomic_load(&world->over); /* one more round, without a writer */
		seq = gms_seq_read(world->state, index); /* any page of the block has the number */
		see_state(world->state, &sight);
		if (gms_seq_retry(world->state, index, seq))
			atomic_fetch_add(&world->torn, 1);
		else if (seq % 2)
			worker->why = "gms_seq_retry() accepted an odd number";
		else
			worker->why = check_sight(world, seq, &sight);
		atomic_fetch_add(&world->reads, 1);
	}
	atomic_store(&world->reads, UINT64_MAX / 2);
}

/* R4: runs ascend and leave no gap, and pages that are never private are in no private run. */
static const char *walk(const struct gms_state *state)
{
	struct gms_iter iter;
	struct gms_run run;
	uint64_t at = 0;

	gms_iter_init(&iter, state, 0, UINT64_MAX);
	while (gms_iter_next(&iter, &run)) {
		const uint64_t end = at + run.nr_pages;

		if (run.start != at || !run.nr_pages || end > NR_PAGES)
			return "runs leave a gap, or overlap";
		/* pages of the first and last 1G, between two ranges, and before the last range */
		if (run.shareability == GMS_PRIVATE &&
		    (at < T_1G || end > 2 * T_1G || (at <= T_1G + T_2M && end > T_1G + T_2M) ||
		     (at <= 2 * T_1G - 2 && end > 2 * T_1G - 2)))
			return "a private run has a page that is never private";
		at = end;
	}
	return at == NR_PAGES ? NULL : "the walk ended too early";
}

static void read_runs(struct worker *worker)
{
	struct world *world = worker->shared;
	bool over = false;

	while (!worker->why && !over) {
		over = atomic_load(&world->over); /* one more round, without a writer */
		worker->why = walk(world->state);
		atomic_fetch_add(&world->checked, 1);
		atomic_fetch_add(&world->reads, 1);
	}
	atomic_store(&world->reads, UINT64_MAX / 2);
}

static void run_state(void (*reader)(struct worker *worker))
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	static struct world world;

	make_oracles(&world);
	opts.nr_pages = NR_PAGES;
	assert_int_equal(gms_state_create(&opts, &world.state), 0);
	/* each conversion adds 2 to the number */
	run_all(&world, convert_in_turn, reader, test_iters(60000) / NR_STATES * NR_STATES);
	assert_int_equal(gms_seq_read(world.state, T_1G) / 2,
			 test_iters(60000) / NR_STATES * NR_STATES);
	assert_true(gms_state_verify(world.state, NULL));
	gms_state_destroy(world.state);
	free_oracles(&world);
}

static void test_r5_answers_around_conversions_are_of_one_state(void **state)
{
	(void)state;
	run_state(read_conversions);
}

static void test_r4_runs_are_sound_beside_conversions(void **state)
{
	(void)state;
	run_state(read_runs);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r5_answers_around_commits_are_of_one_state),
#if T_SHIFT == 9
		cmocka_unit_test(test_r5_answers_around_conversions_are_of_one_state),
		cmocka_unit_test(test_r4_runs_are_sound_beside_conversions),
#endif
	};

	return cmocka_run_group_tests_name("rtree-seq", tests, NULL, NULL);
}
