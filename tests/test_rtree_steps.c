// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test_rtree_steps.c - proves R1 and R4 at each step: a reader between any two accesses of a writer
 *
 * Threads meet at a certain instruction by luck only. Here a call is stopped at an access of its
 * choice (touch.h), and the other side runs to its end there, in the same thread:
 *
 *	a store is stopped before each thing that it writes, and readers ask everything
 *	a question is stopped before the n-th thing that it reads, for each n, and writers store
 *
 * The answers are judged as in the tests with threads (ledger.h). So each of these meetings takes
 * place, each time; what is left to threads is more than two that meet, and the order of memory.
 */
#include "asking.h"
#include "test.h"
#include "touch.h"

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
		world.why = ask_something(&world.view, &world.prng);
}

static void watch(uint64_t page)
{
	const uint64_t i = world.nr_watched;

	if (page >= ASK_PAGES || i == ARRAY_SIZE(world.watched))
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
		ASK_PAGES - 1,
		start | (T_2M - 1),
		end / T_2M * T_2M - 1,
	};

	world.nr_watched = 0;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		watch(pages[i]);
	for (int i = 0; i < 12; i++)
		watch(ask_hot_page(&world.prng));
}

static void store_and_be_asked(void)
{
	struct entry *entry = &world.entry;

	ask_hot_range(&world.prng, &entry->start, &entry->nr_pages);
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
		ask_hot_range(&world.prng, &entry.start, &entry.nr_pages);
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
		world.why = ask_something(&world.view, &prng);
		touch_hook = NULL;
		if (world.countdown && world.countdown <= n)
			break;
	}
	prng_next(&world.prng);
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
		ledger_init(&world.ledger, ASK_PAGES, i % 2, ROOM);
		ask_set_the_scene(&world.ledger.twin, &world.prng);
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

static void test_readers_between_writes(void **state)
{
	(void)state;
	run("readers between writes", store_and_be_asked, test_iters(T_SHIFT == 9 ? 3 : 60));
}

static void test_writers_between_reads(void **state)
{
	(void)state;
	run("writers between reads", ask_and_be_stored_to, test_iters(T_SHIFT == 9 ? 20 : 120));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_between_writes),
		cmocka_unit_test(test_writers_between_reads),
	};

	return cmocka_run_group_tests_name("rtree-steps", tests, NULL, NULL);
}
