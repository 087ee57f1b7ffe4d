// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins_max.c - proves that a page has no more pins than the largest number
 *
 * Tests rules 14 and 24.
 *
 * In the build with few planes that number is 15, and the tests reach it pin by pin: in one block,
 * and with gms_pin().
 */
#include <gmemstate/state.h>

#include "folio/pins.h"

#include "talloc.h"
#include "test.h"

#define PAGES GMS_PINS_PAGES
#define LEAF GMS_LINE_BITS
#define MAX GMS_PINS_MAX

struct fixture {
	struct talloc talloc;
	struct gms_spinlock lock;
	struct gms_pins *pins;
};

static void setup(struct fixture *f)
{
	f->pins = NULL;
	talloc_init(&f->talloc);
	gms_spin_init(&f->lock, &f->lock, GMS_RANK_TREE, 0);
}

static void teardown(struct fixture *f)
{
	assert_true(gms_pins_ok(f->pins));
	gms_pins_fini(f->pins, &f->talloc.ops);
	assert_fine(talloc_check(&f->talloc));
	assert_int_equal(f->talloc.live_blocks, 0);
}

static int reserve(struct fixture *f)
{
	return gms_pins_reserve(&f->pins, &f->lock, &f->talloc.ops);
}

static void commit(struct fixture *f, unsigned int lo, unsigned int hi)
{
	struct gms_pins_walk walk;

	gms_pins_walk_init(&walk, lo, hi);
	while (gms_pins_commit(f->pins, &walk))
		;
	assert_true(gms_pins_ok(f->pins));
}

static void pin(struct fixture *f, unsigned int lo, unsigned int hi, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		assert_int_equal(reserve(f), 0);
		commit(f, lo, hi);
	}
}

static void unpin(struct fixture *f, unsigned int lo, unsigned int hi)
{
	struct gms_pins_walk walk;

	gms_pins_walk_init(&walk, lo, hi);
	while (gms_pins_unpin(f->pins, &walk))
		;
	assert_true(gms_pins_ok(f->pins));
	assert_int_equal(walk.surplus, 0);
}

/* Checks that @room reservations fit, and that one more fails and changes nothing. */
static void expect_room(struct fixture *f, unsigned int room)
{
	for (unsigned int i = 0; i < room; i++)
		assert_int_equal(reserve(f), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t bytes = f->talloc.live_bytes;

		assert_int_equal(reserve(f), -ENOMEM);
		assert_int_equal(f->pins->reserved, room);
		assert_int_equal(f->talloc.live_bytes, bytes);
	}
	assert_true(gms_pins_ok(f->pins));
	for (unsigned int i = 0; i < room; i++)
		gms_pins_cancel(f->pins);
}

/*
 * The largest count is that of the whole block, or of one page. Pages in one word have counts with
 * different bits: 12 is 1100, 11 is 1011, 7 is 0111.
 */
static void test_the_largest_count_is_found(void **state)
{
	const struct {
		unsigned int all; /* pins of the whole block, and then of three pages more */
		unsigned int page[3], times[3];
		unsigned int most;
	} cases[] = {
		{0, {5, 6, 7}, {12, 11, 7}, 12},
		{0, {5, 6, 7}, {7, 11, 8}, 11},
		{0, {0, 64, LEAF - 1}, {1, 3, 12}, 12},
		{0, {LEAF + 63, LEAF + 64, 5}, {8, 7, 7}, 8},
		{0, {PAGES - 1, PAGES - 2, 0}, {9, 6, 8}, 9},
		{0, {PAGES - LEAF, PAGES / 2, 0}, {4, 13, 11}, 13},
		{9, {1, 2, 3}, {1, 2, 3}, 12},
		{13, {LEAF, LEAF + 1, PAGES - 1}, {0, 1, 0}, 14},
		{8, {5, 6, 7}, {0, 0, 7}, 15},
		{15, {5, 6, 7}, {0, 0, 0}, 15},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;

		setup(&f);
		if (cases[i].all)
			pin(&f, 0, PAGES, cases[i].all);
		for (unsigned int k = 0; k < 3; k++)
			pin(&f, cases[i].page[k], cases[i].page[k] + 1, cases[i].times[k]);
		expect_room(&f, MAX - cases[i].most);
		teardown(&f);
	}
}

/* A full block has room again after an unpin of the page with the largest count, and only then. */
static void test_a_full_block_has_room_after_an_unpin(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	pin(&f, 0, PAGES, MAX - 3);
	pin(&f, 70, 71, 3);
	pin(&f, LEAF + 1, LEAF + 3, 0);
	expect_room(&f, 0);
	unpin(&f, 71, PAGES);
	unpin(&f, 0, 70);
	expect_room(&f, 0);
	unpin(&f, 70, 71);
	expect_room(&f, 1);
	pin(&f, 0, PAGES, 1);
	expect_room(&f, 0);
	for (unsigned int i = 0; i < MAX - 4; i++)
		unpin(&f, 0, PAGES);
	expect_room(&f, MAX - 4);
	for (unsigned int i = 0; i < 4; i++)
		unpin(&f, 70, 71);
	unpin(&f, 0, 70);
	unpin(&f, 71, PAGES);
	assert_false(gms_pins_any(f.pins, 0, PAGES));
	assert_int_equal(f.pins->nr_dirty, 0);
	expect_room(&f, MAX);
	teardown(&f);
}

/* A reservation counts as a pin of each page, until it ends. */
static void test_a_reservation_counts_as_a_pin(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	pin(&f, 9, 10, MAX - 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(reserve(&f), 0);
	assert_int_equal(reserve(&f), -ENOMEM);
	commit(&f, 10, 11); /* another page, so that page 9 has room for one more */
	assert_int_equal(reserve(&f), 0);
	assert_int_equal(reserve(&f), -ENOMEM);
	commit(&f, 0, PAGES);
	assert_int_equal(reserve(&f), -ENOMEM);
	gms_pins_cancel(f.pins);
	assert_int_equal(reserve(&f), 0);
	assert_int_equal(reserve(&f), -ENOMEM);
	commit(&f, 9, 10);
	commit(&f, 9, 10);
	assert_int_equal(gms_pins_count(f.pins, 9), MAX);
	assert_int_equal(f.pins->reserved, 0);
	assert_int_equal(reserve(&f), -ENOMEM);
	unpin(&f, 9, 10);
	pin(&f, 9, 10, 1);
	assert_int_equal(reserve(&f), -ENOMEM);
	teardown(&f);
}

/* ---- gms_pin() ---- */

static struct gms_stats stats_of(const struct gms_state *s)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(s, &stats);
	return stats;
}

static void expect_refused(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t err_index)
{
	const uint64_t refused = stats_of(s).refused_nomem;
	gms_pgoff_t at = 0x77;

	assert_int_equal(gms_pin(s, start, nr_pages, &at), -ENOMEM);
	assert_int_equal(at, err_index);
	assert_int_equal(stats_of(s).refused_nomem, refused + 1);
	assert_true(gms_state_verify(s, NULL));
}

/*
 * Rules 14 and 24: gms_pin() refuses a range with a full page in its second block, and leaves no
 * pin and no reservation in the first block.
 */
static void test_gms_pin_refuses_a_full_page(void **state)
{
	const gms_pgoff_t full = T_1G + 7;
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_fault fault;
	struct talloc talloc;
	struct gms_state *s;

	(void)state;
	talloc_init(&talloc);
	opts.nr_pages = 3 * T_1G;
	opts.folio_order = GMS_ORDER_1G;
	opts.allocator = &talloc.ops;
	assert_int_equal(gms_state_create(&opts, &s), 0);
	for (unsigned int i = 0; i < MAX; i++)
		assert_int_equal(gms_pin(s, full, 1, NULL), 0);
	expect_refused(s, full, 1, full);
	expect_refused(s, full + T_2M, 1, full + T_2M);
	expect_refused(s, T_1G - 5, 2 * T_1G, T_1G);
	assert_false(gms_first_pin(s, 0, T_1G, NULL));
	assert_false(gms_first_pin(s, 2 * T_1G, T_1G, NULL));
	/* a reservation that is left would prevent a split of the folio */
	assert_int_equal(gms_folio_order(s, 5), GMS_ORDER_1G);
	assert_int_equal(gms_convert(s, 0, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_fault_begin(s, T_2M, GMS_HOST, &fault), 0);
	gms_fault_end(s, &fault);
	assert_int_equal(gms_folio_order(s, T_2M), GMS_ORDER_2M);
	gms_unpin(s, full, 1);
	assert_int_equal(gms_pin(s, T_1G - 5, 2 * T_1G, NULL), 0);
	expect_refused(s, T_1G, 1, T_1G);
	gms_unpin(s, T_1G - 5, 2 * T_1G);
	for (unsigned int i = 0; i < MAX - 1; i++)
		gms_unpin(s, full, 1);
	assert_false(gms_first_pin(s, 0, 3 * T_1G, NULL));
	assert_int_equal(stats_of(s).surplus_unpins, 0);
	gms_state_destroy(s);
	assert_fine(talloc_check(&talloc));
	assert_int_equal(talloc.live_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_largest_count_is_found),
		cmocka_unit_test(test_a_full_block_has_room_after_an_unpin),
		cmocka_unit_test(test_a_reservation_counts_as_a_pin),
		cmocka_unit_test(test_gms_pin_refuses_a_full_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
