// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_beside.c - proves R1 and R4 for every page, with readers beside writers
 *
 * All pages may change at any time. The ledger (ledger.h) says which answers are right. There are
 * tests with
 *
 *	one writer    that stores
 *	one writer    that commits and reverts; pages outside of the range never change, nor do
 *	              pages that had the value before
 *	two writers   that hand one 1G block over by a lock, and change different 2M blocks of one
 *	              word of states
 *	two readers   that hand pages over: after one has seen a store, the other must not see the
 *	              value before it
 *
 *	GMS_TEST_ITERS=100000000  number of answers to check in each test, for a long run
 */
#include <pthread.h>
#include <sched.h>

#include "test.h"
#include "threads.h"
#include "tree_query.h"

#define NR_READERS 2
#define ROOM 20000 /* number of stores before the threads go on to a new tree */
#define AHEAD 200 /* how many stores the writers may be ahead of the answers */

struct world {
	struct ledger ledger;
	pthread_mutex_t turn; /* held by the writer that stores */
	unsigned int nr_writers;
	unsigned int percent_reverted;
	_Atomic unsigned int writers_left;
	_Atomic uint64_t reported; /* number of answers on the current tree */
	_Atomic bool failed;
	_Atomic uint64_t answers; /* on all trees */
};

/* ---- writers ---- */

/* Yields to the readers, because with few processors most of them would sleep. */
static void keep_pace(struct world *world)
{
	const struct ledger *ledger = &world->ledger;

	while (ledger_begun(ledger) > atomic_load(&world->reported) + AHEAD &&
	       !atomic_load(&world->failed))
		sched_yield();
}

/* Each of two writers has 2M blocks of its own. They alternate within a word of states. */
static void choose_own(struct prng *prng, unsigned int number, uint64_t *start, uint64_t *nr)
{
	const uint64_t block = T_1G + (2 * prng_below(prng, T_FANOUT / 4) + number) * T_2M;
	const uint64_t first = prng_chance(prng, 50) ? 0 : prng_below(prng, T_2M);

	*start = block + first;
	*nr = prng_chance(prng, 50) ? T_2M - first : 1 + prng_below(prng, T_2M - first);
}

static void write_entries(struct worker *worker)
{
	struct world *world = worker->shared;
	struct entry entry = {0};
	struct prng prng;
	bool room = true;

	prng_init(&prng, test_seed() + 31 * worker->rounds + worker->number);
	while (room) {
		if (world->nr_writers > 1 && !prng_chance(&prng, 5))
			choose_own(&prng, worker->number, &entry.start, &entry.nr_pages);
		else
			tree_query_hot_range(&prng, &entry.start, &entry.nr_pages);
		entry.set = prng_chance(&prng, 50);
		entry.reverted = prng_chance(&prng, world->percent_reverted);
		keep_pace(world);
		pthread_mutex_lock(&world->turn);
		room = ledger_has_room(&world->ledger);
		if (room)
			ledger_store(&world->ledger, &entry);
		pthread_mutex_unlock(&world->turn);
	}
	atomic_fetch_sub(&world->writers_left, 1);
}

/* ---- readers ---- */

/* Reports the progress of a reader. Returns true if the reader has to go on. */
static bool report(struct world *world, struct view *view, const char *why)
{
	if (why)
		atomic_store(&world->failed, true);
	if (view->answers >= view->reported + 16) {
		atomic_fetch_add(&world->reported, view->answers - view->reported);
		view->reported = view->answers;
	}
	return !why && atomic_load(&world->writers_left);
}

static void read_anything(struct worker *worker)
{
	struct world *world = worker->shared;
	const char *why = NULL;
	struct prng prng;
	struct view view;

	prng_init(&prng, test_seed() + 77 * worker->rounds + worker->number);
	view_init(&view, &world->ledger);
	while (report(world, &view, why))
		why = tree_query_any(&view, &prng);
	atomic_fetch_add(&world->answers, view.answers);
	view_fini(&view);
	worker->why = why;
}

/* ---- readers that hand pages over ---- */

#define NR_TOKENS 24

/* A page, and the earliest time at which it had the value that was seen last, in half stores. */
struct token {
	uint64_t page;
	uint64_t since;
};

static struct {
	struct token token[NR_TOKENS];
	_Atomic unsigned int turn; /* number of the reader that has the tokens */
} table;

/*
 * Returns the first time at or after @since at which the page has the value @set, or UINT64_MAX.
 * The time after i stores is 2 * i. The time during store i, if it is reverted, is 2 * i + 1.
 */
static uint64_t first_time(const struct view *view, uint64_t begun, uint64_t page, bool set,
			   uint64_t since)
{
	bool now = oracle_test(&view->oracle, page);

	if (now == set && 2 * view->at >= since)
		return 2 * view->at;
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];
		const bool in = page - entry->start < entry->nr_pages;

		if (in && entry->reverted && entry->set == set && 2 * i + 1 >= since)
			return 2 * i + 1;
		if (in && !entry->reverted)
			now = entry->set;
		if (now == set && 2 * i + 2 >= since)
			return 2 * i + 2;
	}
	return UINT64_MAX;
}

static const char *follow(struct view *view, struct token *token, uint64_t how)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	uint64_t since = token->since;
	bool got;

	view_catch_up(view);
	since = since > 2 * view->at ? since : 2 * view->at;
	got = how == 0   ? gms_rtree_look(tree, token->page).set
	      : how == 1 ? gms_rtree_count(tree, token->page, 1) == 1
			 : gms_rtree_test(tree, token->page);
	token->since = first_time(view, ledger_begun(view->ledger), token->page, got, since);
	view->answers++;
	return token->since == UINT64_MAX ? "a reader saw an older value than the readers before it"
					  : NULL;
}

/* Queries random tokens, then hands all tokens over to the other reader. */
static void read_by_turns(struct worker *worker)
{
	const unsigned int me = worker->number % 2;
	struct world *world = worker->shared;
	const char *why = NULL;
	struct prng prng;
	struct view view;
	int i;

	prng_init(&prng, test_seed() + 77 * worker->rounds + worker->number);
	view_init(&view, &world->ledger);
	while (report(world, &view, why)) {
		if (atomic_load_explicit(&table.turn, memory_order_acquire) != me) {
			sched_yield();
			continue;
		}
		for (i = 0; i < NR_TOKENS && !why; i++)
			why = follow(&view, &table.token[prng_below(&prng, NR_TOKENS)],
				     prng_below(&prng, 8));
		atomic_store_explicit(&table.turn, 1 - me, memory_order_release);
	}
	atomic_fetch_add(&world->answers, view.answers);
	view_fini(&view);
	worker->why = why;
}

/* ---- tests ---- */

static void run_once(struct world *world, void (*reader)(struct worker *worker), uint64_t round)
{
	struct worker workers[2 + NR_READERS] = {0};
	const unsigned int nr = world->nr_writers + NR_READERS;
	struct prng prng;
	unsigned int i;

	prng_init(&prng, test_seed() + round);
	ledger_init(&world->ledger, TREE_QUERY_PAGES, round % 2, ROOM);
	tree_query_fill_twin(&world->ledger.twin, &prng);
	for (i = 0; i < NR_TOKENS; i++)
		table.token[i] = (struct token) {.page = tree_query_hot_page(&prng)};
	atomic_store(&world->writers_left, world->nr_writers);
	atomic_store(&world->reported, 0);
	for (i = 0; i < nr; i++)
		workers[i] = (struct worker) {
			.run = i < world->nr_writers ? write_entries : reader,
			.shared = world,
			.number = i,
			.rounds = round,
		};
	workers_run(workers, nr);
	ledger_fini(&world->ledger);
}

/* Uses one tree after another until there are enough answers. */
static void run(const char *name, unsigned int nr_writers, unsigned int percent_reverted,
		void (*reader)(struct worker *worker))
{
	const uint64_t wanted = test_iters(T_SHIFT == 9 ? 400000 : 1500000);
	static struct world world;
	uint64_t round = 0;

	world.nr_writers = nr_writers;
	world.percent_reverted = percent_reverted;
	atomic_store(&world.answers, 0);
	atomic_store(&world.failed, false);
	assert_int_equal(pthread_mutex_init(&world.turn, NULL), 0);
	while (atomic_load(&world.answers) < wanted)
		run_once(&world, reader, round++);
	pthread_mutex_destroy(&world.turn);
	printf("%s: %llu answers beside %llu stores, all right\n", name,
	       (unsigned long long)atomic_load(&world.answers), (unsigned long long)round * ROOM);
}

static void test_r1_r4_hold_beside_a_writer(void **state)
{
	(void)state;
	run("one writer", 1, 10, read_anything);
}

static void test_r1_holds_beside_reverts(void **state)
{
	(void)state;
	run("one writer that reverts", 1, 100, read_anything);
}

static void test_r1_holds_beside_two_writers(void **state)
{
	(void)state;
	run("two writers that hand over", 2, 10, read_anything);
}

static void test_a_second_reader_sees_no_older_value(void **state)
{
	(void)state;
	run("two readers that hand over", 1, 20, read_by_turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_r4_hold_beside_a_writer),
		cmocka_unit_test(test_r1_holds_beside_reverts),
		cmocka_unit_test(test_r1_holds_beside_two_writers),
		cmocka_unit_test(test_a_second_reader_sees_no_older_value),
	};

	return cmocka_run_group_tests_name("rtree-beside", tests, NULL, NULL);
}
