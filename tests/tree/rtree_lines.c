// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_lines.c - proves upper bounds on the cache lines that an operation touches
 *
 * Guests convert with cold caches, so each line that an operation touches can be a miss. touch.h
 * reports each access, except to the stack. The bounds are the largest numbers that were counted
 * when the test was written. If an operation comes to need fewer lines, lower its bound.
 */
#include "shapes.h"
#include "test.h"
#include "touch.h"

#define LINE 64
#define MOST_LINES 512

/* ---- counting ---- */

static struct {
	uintptr_t line[MOST_LINES];
	bool stored[MOST_LINES];
	unsigned int nr;
} touched;

static void count_line(const void *address, size_t size, bool store)
{
	const uintptr_t first = (uintptr_t)address / LINE;
	const uintptr_t last = ((uintptr_t)address + size - 1) / LINE;

	for (uintptr_t line = first; line <= last; line++) {
		unsigned int i = 0;

		while (i < touched.nr && touched.line[i] != line)
			i++;
		if (i == touched.nr) {
			assert_true(touched.nr < MOST_LINES);
			touched.line[i] = line;
			touched.stored[i] = false;
			touched.nr++;
		}
		touched.stored[i] |= store;
	}
}

/* The lines that many operations of one kind touched. */
struct tally {
	const char *name;
	uint64_t times, lines;
	unsigned int most, most_stored;
};

static void begin(void)
{
	touched.nr = 0;
	touch_hook = count_line;
}

static void end(struct tally *tally)
{
	unsigned int stored = 0;

	touch_hook = NULL;
	for (unsigned int i = 0; i < touched.nr; i++)
		stored += touched.stored[i];
	tally->times++;
	tally->lines += touched.nr;
	tally->most = touched.nr > tally->most ? touched.nr : tally->most;
	tally->most_stored = stored > tally->most_stored ? stored : tally->most_stored;
}

/* Checks that no operation touched more lines than @most, or stored to more than @most_stored. */
static void check_bounds(const struct tally *tally, unsigned int most, unsigned int most_stored)
{
	printf("%-44s %5.2f on average, at most %2u, of these stored to %2u\n", tally->name,
	       (double)tally->lines / (double)tally->times, tally->most, tally->most_stored);
	assert_true(tally->times);
	/* With a count of 0, the accesses were not reported. */
	assert_in_range(tally->most, 1, most);
	assert_in_range(tally->most_stored, 0, most_stored);
}

/* ---- trees ---- */

static struct gms_rtree *tree;
static uint64_t nr_pages;

static void store(uint64_t start, uint64_t nr, bool set)
{
	assert_int_equal(set ? gms_rtree_set(tree, start, nr) : gms_rtree_clear(tree, start, nr),
			 0);
}

/* Makes a tree in which @percent of the 2M blocks are mixed. */
static void make(uint64_t blocks, unsigned int percent, struct prng *prng)
{
	nr_pages = blocks * T_1G;
	assert_int_equal(gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &tree), 0);
	for (uint64_t at = 0; at < nr_pages; at += T_2M) {
		if (prng_chance(prng, percent))
			store(at + prng_below(prng, T_2M / 2), 1 + prng_below(prng, T_2M / 2),
			      true);
		else if (prng_chance(prng, 30))
			store(at, T_2M, true);
	}
}

static void drop(void)
{
	gms_rtree_destroy(tree);
	tree = NULL;
}

/* ---- loads ---- */

static void count_loads(uint64_t blocks, const char *size)
{
	struct tally test = {.name = "a load"}, order = {.name = "order"};
	struct tally look = {.name = "look"}, fill = {.name = "fill of a 2M"};
	struct prng prng;

	prng_init(&prng, test_seed());
	make(blocks, 10, &prng);
	for (uint64_t i = 0; i < test_iters(200000); i++) {
		const uint64_t page = prng_below(&prng, nr_pages);

		begin();
		gms_rtree_test(tree, page);
		end(&test);
		begin();
		gms_rtree_uniform_order(tree, page);
		end(&order);
		begin();
		gms_rtree_look(tree, page);
		end(&look);
		begin();
		gms_rtree_fill(tree, page, T_ORDER_2M);
		end(&fill);
	}
	printf("%s, 10%% of the 2M blocks mixed:\n", size);
	check_bounds(&test, 5, 0);
	check_bounds(&order, 4, 0);
	check_bounds(&look, 5, 0);
	check_bounds(&fill, 4, 0);
	drop();
}

static void test_loads_touch_few_lines(void **state)
{
	(void)state;
	count_loads(16, "16G");
	count_loads(test_on_valgrind() ? 32 : 1024, "1T");
}

/* ---- conversions ---- */

static void set_or_clear(struct tally *tally, uint64_t start, uint64_t nr, bool set)
{
	begin();
	(void)(set ? gms_rtree_set(tree, start, nr) : gms_rtree_clear(tree, start, nr));
	end(tally);
}

/* Prepares and commits without a reserve, as the engine does if no undo is possible. */
static void convert(struct tally *tally, uint64_t start, uint64_t nr, bool set)
{
	begin();
	(void)gms_rtree_prepare(tree, start, nr, NULL);
	gms_rtree_commit(tree, start, nr, set, NULL);
	end(tally);
}

/* One page makes a 2M block of a mixed 1G mixed, and uniform again. */
static void test_a_page_that_turns_its_2m_touches_few_lines(void **state)
{
	struct tally mix = {.name = "4K: a 2M turns mixed"};
	struct tally unmix = {.name = "4K: a 2M turns uniform"};
	struct tally mix_by = {.name = "4K: a 2M turns mixed, prepare and commit"};
	struct tally unmix_by = {.name = "4K: a 2M turns uniform, prepare and commit"};
	struct prng prng;

	(void)state;
	prng_init(&prng, test_seed() + 1);
	make(16, 0, &prng);
	for (uint64_t i = 0; i < test_iters(100000); i++) {
		const uint64_t page = prng_below(&prng, nr_pages);
		const bool set = !gms_rtree_test(tree, page);

		/* so that the stores below allocate nothing */
		assert_int_equal(gms_rtree_prepare(tree, page, 1, NULL), 0);
		set_or_clear(&mix, page, 1, set);
		set_or_clear(&unmix, page, 1, !set);
		convert(&mix_by, page, 1, set);
		convert(&unmix_by, page, 1, !set);
	}
	check_bounds(&mix, 6, 2);
	check_bounds(&unmix, 6, 1);
	check_bounds(&mix_by, 6, 2);
	check_bounds(&unmix_by, 6, 1);
	drop();
}

/* One page makes a 2M block and its 1G mixed, and uniform again. */
static void test_a_page_that_turns_its_1g_touches_few_lines(void **state)
{
	struct tally mix = {.name = "flip: a 1G turns mixed"};
	struct tally unmix = {.name = "flip: a 1G turns uniform"};
	struct prng prng;

	(void)state;
	prng_init(&prng, test_seed() + 2);
	nr_pages = 64 * T_1G;
	assert_int_equal(gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &tree), 0);
	for (uint64_t i = 0; i < test_iters(20000); i++) {
		const uint64_t page = prng_below(&prng, nr_pages);

		assert_int_equal(gms_rtree_prepare(tree, page, 1, NULL), 0);
		convert(&mix, page, 1, true);
		convert(&unmix, page, 1, false);
	}
	check_bounds(&mix, 6, 5);
	check_bounds(&unmix, 6, 1);
	drop();
}

static void test_conversions_of_ranges_touch_few_lines(void **state)
{
	struct tally aligned = {.name = "2M aligned"}, one = {.name = "1G aligned"};
	struct tally accept = {.name = "4M aligned"}, run = {.name = "128M, any 4K"};
	struct tally bounce = {.name = "4K in a mixed 2M"};
	struct prng prng;

	(void)state;
	prng_init(&prng, test_seed() + 3);
	make(64, 10, &prng);
	for (uint64_t i = 0; i < test_iters(50000); i++) {
		const uint64_t page = prng_below(&prng, nr_pages);
		const uint64_t base = page / T_1G * T_1G;
		const bool set = prng_chance(&prng, 50);
		/* the block is not at an end of its 1G, so that the 1G stays mixed */
		const uint64_t block = base + (2 + prng_below(&prng, 500)) * T_2M;

		store(base, 1, true);
		store(base + 1, 1, false);
		convert(&aligned, block, T_2M, set);
		convert(&accept, block, 2 * T_2M, set);
		store(block + 1, 1, true);
		store(block + 2, 1, false);
		convert(&bounce, block + 3 + prng_below(&prng, 500), 1, set);
		if (block + 65 * T_2M > nr_pages)
			continue;
		assert_int_equal(gms_rtree_prepare(tree, block + 5, 64 * T_2M, NULL), 0);
		convert(&run, block + 5, 64 * T_2M, set);
	}
	for (uint64_t i = 0; i < test_iters(1000); i++)
		convert(&one, prng_below(&prng, 64) * T_1G, T_1G, i % 2);
	check_bounds(&aligned, 5, 1);
	check_bounds(&accept, 5, 2);
	check_bounds(&bounce, 6, 1);
	check_bounds(&run, 11, 6);
	check_bounds(&one, 2, 1);
	drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads_touch_few_lines),
		cmocka_unit_test(test_a_page_that_turns_its_2m_touches_few_lines),
		cmocka_unit_test(test_a_page_that_turns_its_1g_touches_few_lines),
		cmocka_unit_test(test_conversions_of_ranges_touch_few_lines),
	};

	return cmocka_run_group_tests_name("rtree-lines", tests, NULL, NULL);
}
