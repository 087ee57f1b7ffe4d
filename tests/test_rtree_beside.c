// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test_rtree_beside.c - proves R1, R3 and R4 for every page: readers beside writers, with a ledger
 *
 * Nothing here stays still, so no answer is right by itself: ledger.h tells which are. There is
 *
 *	one writer                              that stores
 *	one writer                              that commits and reverts, so that pages outside of
 *	                                        the range never change, and pages that had the
 *	                                        value before never waver
 *	two writers                             that hand one 1G block over by a lock, and change
 *	                                        different 2M blocks of one word of states
 *	two readers                             that hand pages over: once one has seen a store, the
 *	                                        other does not see what was before it
 *
 *	GMS_TEST_ITERS=100000000  answers to judge in each test: the long mode
 */
#include <pthread.h>
#include <sched.h>

#include "ledger.h"
#include "shapes.h"
#include "test.h"
#include "threads.h"

#define NR_PAGES (3 * T_1G + T_2M + 3)
#define NR_READERS 2
#define ROOM 20000 /* stores, before threads start anew on another tree */
#define AHEAD 200 /* stores that may be made before readers have asked as often */

struct world {
	struct ledger ledger;
	pthread_mutex_t turn; /* of the writers */
	unsigned int nr_writers;
	unsigned int percent_reverted;
	_Atomic unsigned int writers_left;
	_Atomic uint64_t asked; /* on this tree */
	_Atomic bool failed;
	_Atomic uint64_t answers;
};

/* ---- where things happen ---- */

/* A few 2M blocks, all in one word of states, with an end of a 1G block, and an end of the tree. */
static uint64_t hot_block(struct prng *prng)
{
	const uint64_t blocks[] = {
		T_1G, T_1G + T_2M, T_1G + 2 * T_2M, 2 * T_1G - T_2M, 2 * T_1G, 3 * T_1G + T_2M,
	};

	return blocks[prng_below(prng, ARRAY_SIZE(blocks))];
}

static uint64_t hot_page(struct prng *prng)
{
	const uint64_t block = hot_block(prng);
	const uint64_t size = block + T_2M < NR_PAGES ? T_2M : NR_PAGES - block;

	/* with 512 pages some are asked about more often: at the ends of words */
	return block +
	       (prng_chance(prng, 50) ? prng_below(prng, size) : prng_below(prng, 4) % size);
}

static void choose(struct prng *prng, uint64_t *start, uint64_t *nr)
{
	const uint64_t page = hot_page(prng);

	switch (prng_below(prng, 8)) {
	case 0:
	case 1:
	case 2:
		*start = page;
		*nr = 1;
		break;
	case 3:
		*start = page / T_2M * T_2M;
		*nr = T_2M;
		break;
	case 4:
		*start = page / T_1G * T_1G;
		*nr = T_1G;
		break;
	case 5:
		*start = page;
		*nr = 1 + prng_below(prng, NR_PAGES);
		break;
	default:
		*start = page;
		*nr = 1 + prng_below(prng, T_2M);
		break;
	}
	if (*nr > NR_PAGES - *start)
		*nr = NR_PAGES - *start;
}

/* ---- writers ---- */

/* Gives way to the readers, of which most would sleep where there are few processors. */
static void keep_pace(struct world *world)
{
	const struct ledger *ledger = &world->ledger;

	while (ledger_begun(ledger) > atomic_load(&world->asked) + AHEAD &&
	       !atomic_load(&world->failed))
		sched_yield();
}

/* Of several writers each has 2M blocks of its own, which take turns in a word of states. */
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
			choose(&prng, &entry.start, &entry.nr_pages);
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

/* ---- answers ---- */

/* A reader's tale; true: go on. */
static bool report(struct world *world, struct view *view, const char *why)
{
	if (why)
		atomic_store(&world->failed, true);
	if (view->answers >= view->told + 16) {
		atomic_fetch_add(&world->asked, view->answers - view->told);
		view->told = view->answers;
	}
	return !why && atomic_load(&world->writers_left);
}

/* Were there no stores in the range while the call was made? */
static bool is_quiet(const struct view *view, uint64_t begun, uint64_t start, uint64_t nr)
{
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];

		if (entry->start < start + nr && start < entry->start + entry->nr_pages)
			return false;
	}
	return true;
}

static const char *judge_page(struct view *view, uint64_t page, bool got, const char *why)
{
	const uint64_t begun = ledger_begun(view->ledger);

	view->answers++;
	return view_allows(view, begun, page, got) ? NULL : why;
}

static const char *ask_page(struct view *view, uint64_t page, uint64_t how)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	struct gms_rtree_run run = {0};

	view_catch_up(view);
	switch (how) {
	case 0:
		return judge_page(view, page, gms_rtree_count(tree, page, 1),
				  "count: a page was never so");
	case 1:
		return judge_page(view, page, gms_rtree_fill(tree, page, 0) == GMS_RTREE_ALL,
				  "fill: a page was never so");
	case 2:
		return judge_page(view, page, gms_rtree_look(tree, page).set,
				  "look: a page was never so");
	case 3:
		gms_rtree_next(tree, page, page + 1, &run);
		return judge_page(view, page, run.set, "next: a page was never so");
	default:
		return judge_page(view, page, gms_rtree_test(tree, page),
				  "test: a page was never so");
	}
}

/* A block that is said to be uniform; or mixed, though all stores in between were of one kind. */
static const char *judge_fill(struct view *view, uint64_t start, uint64_t nr,
			      enum gms_rtree_fill fill, const char *why)
{
	const uint64_t begun = ledger_begun(view->ledger);
	struct gms_rtree_run run = {.start = start, .nr_pages = nr, .set = fill == GMS_RTREE_ALL};
	enum gms_rtree_fill before;

	view->answers++;
	if (start >= NR_PAGES)
		return fill == GMS_RTREE_NONE ? NULL : why;
	run.nr_pages = nr < NR_PAGES - start ? nr : NR_PAGES - start;
	if (fill != GMS_RTREE_MIXED)
		return view_first_wrong(view, begun, &run) == UINT64_MAX ? NULL : why;
	before = oracle_fill_range(&view->oracle, start, nr);
	return before != GMS_RTREE_MIXED && is_quiet(view, begun, start, nr) ? why : NULL;
}

static const char *ask_blocks(struct view *view, uint64_t page, uint64_t how)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	const uint64_t base = page / T_2M * T_2M, first = base / (64 * T_2M) * (64 * T_2M);
	const unsigned int bit = (unsigned int)((base - first) / T_2M);
	enum gms_rtree_fill fill;

	view_catch_up(view);
	switch (how) {
	case 0:
		return judge_fill(view, page / T_1G * T_1G, T_1G,
				  gms_rtree_fill(tree, page, T_ORDER_1G), "fill of a 1G");
	case 1:
		return judge_fill(view, base, T_2M, gms_rtree_look(tree, page).fill_2m,
				  "look: fill of a 2M");
	case 2:
		return judge_fill(view, page / T_1G * T_1G, T_1G,
				  gms_rtree_look(tree, page).fill_1g, "look: fill of a 1G");
	case 3:
		fill = page % 2 ? GMS_RTREE_ALL : GMS_RTREE_NONE;
		if (gms_rtree_fill_mask(tree, page, fill) >> bit & 1)
			return judge_fill(view, base, T_2M, fill, "fill_mask of a 2M");
		return NULL;
	case 4:
		return judge_fill(view, page, 3 * T_2M, gms_rtree_fill_range(tree, page, 3 * T_2M),
				  "fill_range");
	default:
		return judge_fill(view, base, T_2M, gms_rtree_fill(tree, page, T_ORDER_2M),
				  "fill of a 2M");
	}
}

/* Each store in between may have counted or not. */
static const char *ask_count(struct view *view, uint64_t start, uint64_t nr)
{
	uint64_t got, begun, low, high;

	view_catch_up(view);
	got = gms_rtree_count(view->ledger->twin.tree, start, nr);
	begun = ledger_begun(view->ledger);
	low = high = oracle_count(&view->oracle, start, nr);
	for (uint64_t i = view->at; i < begun; i++) {
		if (view->ledger->entries[i].set)
			high += view->ledger->entries[i].nr_pages;
		else
			low -= low < view->ledger->entries[i].nr_pages
				       ? low
				       : view->ledger->entries[i].nr_pages;
	}
	view->answers++;
	return got >= low && got <= high && got <= nr ? NULL : "count of a range";
}

static const char *ask_order(struct view *view, uint64_t page)
{
	const unsigned int got = gms_rtree_uniform_order(view->ledger->twin.tree, page);
	uint64_t begun;

	/* asked twice, as the array is brought up late: nothing may have begun in between */
	view_catch_up(view);
	begun = ledger_begun(view->ledger);
	if (begun != view->at || gms_rtree_uniform_order(view->ledger->twin.tree, page) != got ||
	    ledger_begun(view->ledger) != begun)
		return NULL;
	view->answers++;
	return got == oracle_uniform_order(&view->oracle, page) ? NULL : "uniform_order";
}

/* Runs ascend, leave nothing out, and each is one of its time. */
static const char *walk(struct view *view, uint64_t start, uint64_t end, bool by_cursor)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	uint64_t at = start;

	end = end < NR_PAGES ? end : NR_PAGES;
	gms_rtree_cursor_init(&cursor, tree, start, end);
	for (;;) {
		bool more;

		view_catch_up(view);
		more = by_cursor ? gms_rtree_cursor_next(&cursor, &run)
				 : gms_rtree_next(tree, at, end, &run);
		if (more != (at < end))
			return "a walk ended too early, or too late";
		if (!more)
			return NULL;
		if (run.start != at || !run.nr_pages || run.nr_pages > end - at)
			return "runs do not ascend, or overlap";
		if (view_first_wrong(view, ledger_begun(view->ledger), &run) != UINT64_MAX)
			return by_cursor ? "cursor: a run was never so"
					 : "next: a run was never so";
		view->answers++;
		at += run.nr_pages;
	}
}

static const char *ask_something(struct view *view, struct prng *prng)
{
	const uint64_t page = hot_page(prng);

	switch (prng_below(prng, 32)) {
	case 0:
		return walk(view, page, page + 3 * T_2M, prng_chance(prng, 50));
	case 1:
		return walk(view, page / T_1G * T_1G, page + prng_below(prng, T_1G), true);
	case 2:
		return ask_count(view, page, 1 + prng_below(prng, 2 * T_2M));
	case 3:
	case 4:
		return ask_order(view, page);
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		return ask_blocks(view, page, prng_below(prng, 8));
	default:
		return ask_page(view, page, prng_below(prng, 12));
	}
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
		why = ask_something(&view, &prng);
	atomic_fetch_add(&world->answers, view.answers);
	view_fini(&view);
	worker->why = why;
}

/* ---- readers that hand over ---- */

#define NR_TOKENS 24

/* What is known of a page: the earliest time, in half stores, at which it was as last seen. */
struct token {
	uint64_t page;
	uint64_t since;
};

static struct {
	struct token token[NR_TOKENS];
	_Atomic unsigned int turn; /* of the reader that has the tokens */
} table;

/*
 * The first time from @since on at which a page is @set: after i stores it is 2 * i, and during
 * store i, where that is reverted, 2 * i + 1. UINT64_MAX: there is none.
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
	return token->since == UINT64_MAX ? "a page went back behind what had been seen" : NULL;
}

/* Asks about each page several times, then leaves the tokens to the other one. */
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

/* Some blocks mixed, some uniform, of either kind. */
static void set_the_scene(struct twin *twin, struct prng *prng)
{
	for (int i = 0; i < 12; i++) {
		uint64_t start, nr;

		choose(prng, &start, &nr);
		twin_store(twin, start, nr, prng_chance(prng, 50));
	}
}

static void run_once(struct world *world, void (*reader)(struct worker *worker), uint64_t round)
{
	struct worker workers[2 + NR_READERS] = {0};
	const unsigned int nr = world->nr_writers + NR_READERS;
	struct prng prng;
	unsigned int i;

	prng_init(&prng, test_seed() + round);
	ledger_init(&world->ledger, NR_PAGES, round % 2, ROOM);
	set_the_scene(&world->ledger.twin, &prng);
	for (i = 0; i < NR_TOKENS; i++)
		table.token[i] = (struct token) {.page = hot_page(&prng)};
	atomic_store(&world->writers_left, world->nr_writers);
	atomic_store(&world->asked, 0);
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

/* On one tree after another, until there were enough answers. */
static void run(const char *name, unsigned int nr_writers, unsigned int percent_reverted,
		void (*reader)(struct worker *worker))
{
	const uint64_t wanted = test_iters(1000000);
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

static void test_r1_r4_beside_a_writer(void **state)
{
	(void)state;
	run("one writer", 1, 10, read_anything);
}

static void test_r1_beside_reverts(void **state)
{
	(void)state;
	run("one writer that reverts", 1, 100, read_anything);
}

static void test_r1_beside_writers_that_hand_over(void **state)
{
	(void)state;
	run("two writers that hand over", 2, 10, read_anything);
}

static void test_readers_that_hand_over(void **state)
{
	(void)state;
	run("two readers that hand over", 1, 20, read_by_turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_r4_beside_a_writer),
		cmocka_unit_test(test_r1_beside_reverts),
		cmocka_unit_test(test_r1_beside_writers_that_hand_over),
		cmocka_unit_test(test_readers_that_hand_over),
	};

	return cmocka_run_group_tests_name("rtree-beside", tests, NULL, NULL);
}
