// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_steps.c - proves R1 and R4 for readers and writers that interleave at any memory access
 *
 * Tests R2 and R3, too.
 *
 * Threads interleave at a given instruction only by chance. Here a call is stopped before one of
 * its memory accesses (touch.h), and the other side runs to its end, in one thread:
 *
 *	a store is stopped before each of its writes, and readers make queries
 *	a query is stopped before its n-th read, for each n, and writers store
 *	a query is stopped before each of its reads, and a writer stores each time
 *
 * The answers are checked as in the tests with threads (ledger.h). So each of these interleavings
 * happens in each run. The tests with threads are for interleavings of more than two calls, and
 * for the memory order.
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
	uint64_t meetings; /* number of times that a call was stopped */
	/* for a store that is stopped: */
	struct entry entry;
	uint64_t nr_watched;
	uint64_t watched[64]; /* pages */
	unsigned char turned[64]; /* how often each page has changed */
	bool last[64];
	/* for a query that is stopped: */
	uint64_t countdown;
	uint64_t burst;
	uint64_t page; /* the page of the query */
	uint64_t around; /* the size of the stores around that page */
	uint64_t reads;
} world;

/* ---- a reader at each write ---- */

/* A page that the store changes may change once, and once more if the store is reverted. */
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
			return "a page changed more often than the store and its revert allow";
	}
	return NULL;
}

static void query_at_a_write(const void *address, size_t size, bool store)
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

/* Watches pages at both ends of the store, at the ends of words, blocks and tree, and others. */
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

static void store_and_query_at_writes(void)
{
	struct entry *entry = &world.entry;

	tree_query_hot_range(&world.prng, &entry->start, &entry->nr_pages);
	entry->set = prng_chance(&world.prng, 50);
	entry->reverted = prng_chance(&world.prng, 50);
	view_catch_up(&world.view);
	choose_watched();
	touch_hook = query_at_a_write;
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

/* Repeats one query. Each time it is stopped one access later, up to its last access. */
static void query_and_store_at_a_read(void)
{
	const struct prng query = world.prng;
	uint64_t n;

	for (n = 1; n < 300 && !world.why; n++) {
		struct prng prng = query;

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

/* A query about a page or a block makes fewer reads than this, whatever writers do. */
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

/* Each store changes the page, or its 2M or 1G block. */
static void query_and_store_at_every_read(void)
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
		world.why = "a query made too many reads while writers stored";
}

/* ---- no plain stores to what readers read ---- */

#define NR_SEEN (1U << 16)

/* The words that readers of this tree have read. No word moves, so they may read it again. */
static uintptr_t seen[NR_SEEN];

/* Returns the entry of a word, or the free entry that it would take. */
static uintptr_t *seen_at(uintptr_t word)
{
	uint64_t i = word * 0x9e3779b97f4a7c15ULL >> 48;

	while (seen[i % NR_SEEN] && seen[i % NR_SEEN] != word)
		i++;
	return &seen[i % NR_SEEN];
}

static void record_reads(const void *address, size_t size, bool store)
{
	const uintptr_t first = (uintptr_t)address / 8, last = ((uintptr_t)address + size - 1) / 8;

	if (store)
		return;
	for (uintptr_t word = first; word <= last; word++)
		*seen_at(word) = word;
}

static void check_store(const void *address, size_t size, bool store)
{
	const uintptr_t first = (uintptr_t)address / 8, last = ((uintptr_t)address + size - 1) / 8;

	if (!store)
		return;
	for (uintptr_t word = first; word <= last; word++) {
		if (!*seen_at(word))
			continue;
		world.meetings++;
		if (touch_plain)
			world.why = "a plain store to a word that a reader may read";
	}
}

static void read_and_store(void)
{
	const struct gms_rtree *tree = world.ledger.twin.tree;
	struct entry entry;

	if (!ledger_begun(&world.ledger)) /* a new tree */
		memset(seen, 0, sizeof(seen));
	touch_hook = record_reads;
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
	touch_hook = check_store;
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
	/* Otherwise too few calls were stopped. */
	assert_true(world.meetings > trees * ROOM / 8);
	printf("%s: %llu meetings, %llu answers, all right\n", name,
	       (unsigned long long)world.meetings, (unsigned long long)answers);
}

/* R1, R3 and R4: readers run to their end while a writer is stopped before each of its writes. */
static void test_readers_between_writes_see_right_values(void **state)
{
	(void)state;
	run("readers between writes", store_and_query_at_writes, test_iters(T_SHIFT == 9 ? 3 : 60));
}

/* R1 and R4: writers make a few stores while a reader is stopped before one of its reads. */
static void test_readers_overtaken_by_writers_see_right_values(void **state)
{
	(void)state;
	run("writers between reads", query_and_store_at_a_read,
	    test_iters(T_SHIFT == 9 ? 20 : 120));
}

/* R3: a reader does not retry, although a writer stores before each of its reads. */
static void test_readers_do_not_retry(void **state)
{
	(void)state;
	run("stores at every read", query_and_store_at_every_read,
	    test_iters(T_SHIFT == 9 ? 20 : 120));
}

/* R2: writers change memory that readers may read with atomic stores only. */
static void test_writers_make_atomic_stores_only(void **state)
{
	(void)state;
	run("stores where readers look", read_and_store, test_iters(T_SHIFT == 9 ? 2 : 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_between_writes_see_right_values),
		cmocka_unit_test(test_readers_overtaken_by_writers_see_right_values),
		cmocka_unit_test(test_readers_do_not_retry),
		cmocka_unit_test(test_writers_make_atomic_stores_only),
	};

	return cmocka_run_group_tests_name("rtree-steps", tests, NULL, NULL);
}
