// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_steps.c - proves R1 and R4 at each step: a reader between any two accesses of a writer
 *
 * Holds R2 and R3, too.
 *
 * Threads meet at a certain instruction by luck only. Here a call is stopped at an access of its
 * choice (touch.h), and the other side runs to its end there, in the same thread:
 *
 *	a store is stopped before each thing that it writes, and readers ask everything
 *	a question is stopped before the n-th thing that it reads, for each n, and writers store
 *	a question is stopped before each thing that it reads, and a writer stores there
 *
 * The answers are judged as in the tests with threads (ledger.h). So each of these meetings takes
 * place, each time; what is left to threads is more than two that meet, and the order of memory.
 */
#include "test.h"
#include "touch.h"
#include "tree_query.h"

#define ROOM 4000

static struct {
	struct ledger ledger;
	struct view view;
	struct prng prng;
	const char *why;
	uint64_t meetings;
	/* a store that is stopped */
	struct entry entry;
	uint64_t nr_watched;
	uint64_t watched[64]; /* pages */
	unsigned char turned[64]; /* how often each has turned */
	bool last[64];
	/* a question that is stopped */
	uint64_t countdown;
	uint64_t burst;
	uint64_t page; /* that it is about, and how many pages are stored around it */
	uint64_t around;
	uint64_t reads;
} world;

/* ---- a reader at each write ---- */

/* No page turns more often than the store asks for: once, and back where it is reverted. */
static const char *watch_pages(void)
{
	for (uint64_t i = 0; i < world.nr_watched; i++) {
		const uint64_t page = world.watched[i];
		const bool now = gms_rtree_test(world.ledger.twin.tree, page);
		const bool was = oracle_test(&world.view.oracle, page);
		const bool hit =
			page - world.entry.start < world.entry.nr_pages && was != world.entry.set;

		world.turned[i] = (unsigned char)(world.turned[i] + (now != world.last[i]));
		world.last[i] = now;
		if (world.turned[i] > (hit ? 1 + world.entry.reverted : 0))
			return "a page turned more often than was asked for";
	}
	return NULL;
}

static void ask_at_a_write(const void *address, size_t size, bool store)
{
	(void)address;
	(void)size;
	if (!store || world.why)
		return;
	world.meetings++;
	world.why = watch_pages();
	for (int i = 0; i < (T_SHIFT == 9 ? 4 : 12) && !world.why; i++)
		world.why = tree_query_any(&world.view, &world.prng);
}

static void watch(uint64_t page)
{
	const uint64_t i = world.nr_watched;

	if (page >= TREE_QUERY_PAGES || i == ARRAY_SIZE(world.watched))
		return;
	world.nr_watched++;
	world.watched[i] = page;
	world.turned[i] = 0;
	world.last[i] = gms_rtree_test(world.ledger.twin.tree, page);
}

/* Pages at both ends of the store and of the words there, and others. */
static void choose_watched(void)
{
	const uint64_t start = world.entry.start, end = start + world.entry.nr_pages;
	const uint64_t pages[] = {
		start - 1,
		start,
		start + 1,
		end - 1,
		end,
		start - 64,
		end + 64,
		start + (end - start) / 2,
		start / T_2M * T_2M,
		TREE_QUERY_PAGES - 1,
		start | (T_2M - 1),
		end / T_2M * T_2M - 1,
	};

	world.nr_watched = 0;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		watch(pages[i]);
	for (int i = 0; i < 12; i++)
		watch(tree_query_hot_page(&world.prng));
}

static void store_and_be_asked(void)
{
	struct entry *entry = &world.entry;

	tree_query_hot_range(&world.prng, &entry->start, &entry->nr_pages);
	entry->set = prng_chance(&world.prng, 50);
	entry->reverted = prng_chance(&world.prng, 50);
	view_catch_up(&world.view);
	choose_watched();
	touch_hook = ask_at_a_write;
	ledger_store(&world.ledger, entry);
	touch_hook = NULL;
	if (!world.why)
		world.why = watch_pages();
}

/* ---- a writer at the n-th read ---- */

static void store_at_a_read(const void *address, size_t size, bool store)
{
	struct entry entry;

	(void)address;
	(void)size;
	(void)store;
	if (world.countdown-- != 1)
		return;
	world.meetings++;
	for (uint64_t i = 0; i < world.burst && ledger_has_room(&world.ledger); i++) {
		tree_query_hot_range(&world.prng, &entry.start, &entry.nr_pages);
		entry.set = prng_chance(&world.prng, 50);
		entry.reverted = prng_chance(&world.prng, 30);
		ledger_store(&world.ledger, &entry);
	}
}

/* The same question again and again, stopped one access later each time, until none is left. */
static void ask_and_be_stored_to(void)
{
	const struct prng question = world.prng;
	uint64_t n;

	for (n = 1; n < 300 && !world.why; n++) {
		struct prng prng = question;

		world.countdown = n;
		world.burst = 1 + prng_below(&world.prng, 4);
		touch_hook = store_at_a_read;
		world.why = tree_query_any(&world.view, &prng);
		touch_hook = NULL;
		if (world.countdown && world.countdown <= n)
			break;
	}
	prng_next(&world.prng);
}

/* ---- a writer at every read ---- */

/* A question about a page or block reads less than that, whatever is stored meanwhile. */
#define MOST_READS 64

static void store_around(const void *address, size_t size, bool store)
{
	struct entry entry = {.nr_pages = world.around};

	(void)address;
	(void)size;
	(void)store;
	world.meetings++;
	if (++world.reads > MOST_READS || !ledger_has_room(&world.ledger))
		return;
	entry.start = world.page / entry.nr_pages * entry.nr_pages;
	if (entry.nr_pages > TREE_QUERY_PAGES - entry.start)
		entry.nr_pages = TREE_QUERY_PAGES - entry.start;
	entry.set = world.reads % 2;
	ledger_store(&world.ledger, &entry);
}

/* Each store turns the page over, or its 2M or 1G block. */
static void ask_and_be_overtaken(void)
{
	const uint64_t sizes[] = {1, T_2M, T_1G};
	const uint64_t how = prng_below(&world.prng, 12), kind = prng_below(&world.prng, 3);

	world.page = tree_query_hot_page(&world.prng);
	world.reads = 0;
	world.around = sizes[prng_below(&world.prng, ARRAY_SIZE(sizes))];
	touch_hook = store_around;
	world.why = kind == 0   ? tree_query_order(&world.view, world.page)
		    : kind == 1 ? tree_query_blocks(&world.view, world.page, how)
				: tree_query_page(&world.view, world.page, how);
	touch_hook = NULL;
	if (!world.why && world.reads > MOST_READS)
		world.why = "a question goes on for as long as writers store";
}

/* ---- plain stores ---- */

#define NR_SEEN (1U << 16)

/* Words that readers of this tree have looked at. Nothing moves, so they may look there again. */
static uintptr_t seen[NR_SEEN];

/* The place of a word: its own, or the free one that it would take. */
static uintptr_t *seen_at(uintptr_t word)
{
	uint64_t i = word * 0x9e3779b97f4a7c15ULL >> 48;

	while (seen[i % NR_SEEN] && seen[i % NR_SEEN] != word)
		i++;
	return &seen[i % NR_SEEN];
}

static void note_what_is_read(const void *address, size_t size, bool store)
{
	const uintptr_t first = (uintptr_t)address / 8, last = ((uintptr_t)address + size - 1) / 8;

	if (store)
		return;
	for (uintptr_t word = first; word <= last; word++)
		*seen_at(word) = word;
}

static void judge_store(const void *address, size_t size, bool store)
{
	const uintptr_t first = (uintptr_t)address / 8, last = ((uintptr_t)address + size - 1) / 8;

	if (!store)
		return;
	for (uintptr_t word = first; word <= last; word++) {
		if (!*seen_at(word))
			continue;
		world.meetings++;
		if (touch_plain)
			world.why = "a plain store to what a reader may look at";
	}
}

static void look_and_store(void)
{
	const struct gms_rtree *tree = world.ledger.twin.tree;
	struct entry entry;

	if (!ledger_begun(&world.ledger)) /* of another tree */
		memset(seen, 0, sizeof(seen));
	touch_hook = note_what_is_read;
	world.why = tree_query_runs(&world.view, 0, TREE_QUERY_PAGES, true);
	(void)gms_rtree_nodes(tree);
	(void)gms_rtree_memory(tree);
	for (int i = 0; i < 8 && !world.why; i++)
		world.why = tree_query_any(&world.view, &world.prng);
	if (world.why)
		return;
	tree_query_hot_range(&world.prng, &entry.start, &entry.nr_pages);
	entry.set = prng_chance(&world.prng, 50);
	entry.reverted = prng_chance(&world.prng, 50);
	touch_hook = judge_store;
	ledger_store(&world.ledger, &entry);
	touch_hook = NULL;
}

/* ---- tests ---- */

static void run(const char *name, void (*meet)(void), uint64_t trees)
{
	uint64_t answers = 0;

	world.meetings = 0;
	world.why = NULL;
	for (uint64_t i = 0; i < trees; i++) {
		const uint64_t seed = test_seed() + i;

		prng_init(&world.prng, seed);
		ledger_init(&world.ledger, TREE_QUERY_PAGES, i % 2, ROOM);
		tree_query_fill_twin(&world.ledger.twin, &world.prng);
		view_init(&world.view, &world.ledger);
		while (ledger_has_room(&world.ledger) && !world.why)
			meet();
		if (world.why)
			fail_msg("GMS_TEST_SEED=%llu, store %llu: %s", (unsigned long long)seed,
				 (unsigned long long)atomic_load(&world.ledger.begun), world.why);
		answers += world.view.answers;
		view_fini(&world.view);
		ledger_fini(&world.ledger);
	}
	/* Else nothing was stopped. */
	assert_true(world.meetings > trees * ROOM / 8);
	printf("%s: %llu meetings, %llu answers, all right\n", name,
	       (unsigned long long)world.meetings, (unsigned long long)answers);
}

/* R1, R3 and R4: the reader runs to its end while the writer is stopped. */
static void test_readers_between_writes(void **state)
{
	(void)state;
	run("readers between writes", store_and_be_asked, test_iters(T_SHIFT == 9 ? 3 : 60));
}

/* R1 and R4, where a reader is overtaken by a few stores. */
static void test_writers_between_reads(void **state)
{
	(void)state;
	run("writers between reads", ask_and_be_stored_to, test_iters(T_SHIFT == 9 ? 20 : 120));
}

/* R3: a reader that is overtaken at every step does not begin again. */
static void test_stores_at_every_read(void **state)
{
	(void)state;
	run("stores at every read", ask_and_be_overtaken, test_iters(T_SHIFT == 9 ? 20 : 120));
}

/* R2: what a reader may look at is stored to by atomic accesses. */
static void test_no_plain_store_is_seen(void **state)
{
	(void)state;
	run("stores where readers look", look_and_store, test_iters(T_SHIFT == 9 ? 2 : 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_between_writes),
		cmocka_unit_test(test_writers_between_reads),
		cmocka_unit_test(test_stores_at_every_read),
		cmocka_unit_test(test_no_plain_store_is_seen),
	};

	return cmocka_run_group_tests_name("rtree-steps", tests, NULL, NULL);
}
