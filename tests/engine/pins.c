// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins.c - proves the counts of pins against a flat array of numbers
 *
 * Tests rules 14 and 24.
 *
 * The tests pin and unpin at random, also pages that are not pinned. Commits and unpins run with
 * an allocator that forbids all calls. Counts go up to the largest one, and each allocation
 * fails. gms_pins_ok() must hold after each step. The tiny build checks every page each time.
 */
#include "folio/pins.h"

#include "oracle.h"
#include "talloc.h"
#include "test.h"

#define PAGES GMS_PINS_PAGES
#define LEAF GMS_LINE_BITS
#define BITS_OF(n) (64 - (unsigned int)__builtin_clzll(n))

struct fixture {
	struct talloc talloc;
	struct gms_spinlock lock;
	struct gms_pins *pins;
	uint32_t *want; /* the count of each page */
	struct prng prng;
};

static void setup(struct fixture *f)
{
	talloc_init(&f->talloc);
	gms_spin_init(&f->lock, &f->lock, GMS_RANK_TREE, 0);
	f->pins = NULL;
	f->want = calloc(PAGES, sizeof(*f->want));
	assert_non_null(f->want);
	prng_init(&f->prng, test_seed());
}

static void teardown(struct fixture *f)
{
	assert_int_equal(f->talloc.live_bytes, gms_pins_bytes(f->pins));
	gms_pins_fini(f->pins, &f->talloc.ops);
	assert_fine(talloc_check(&f->talloc));
	assert_int_equal(f->talloc.live_blocks, 0);
	free(f->want);
}

static int reserve(struct fixture *f)
{
	return gms_pins_reserve(&f->pins, &f->lock, &f->talloc.ops);
}

static void commit(struct fixture *f, unsigned int lo, unsigned int hi)
{
	struct gms_pins_walk walk;

	gms_pins_walk_init(&walk, lo, hi);
	talloc_trap(&f->talloc, TALLOC_TRAP_BOTH);
	while (gms_pins_commit(f->pins, &walk))
		;
	talloc_trap(&f->talloc, 0);
	for (unsigned int i = lo; i < hi; i++)
		f->want[i]++;
}

/* Returns true if a page has the largest count. Only the build with few planes reaches it. */
static bool is_full(const struct fixture *f)
{
	uint32_t most = 0;

	for (unsigned int i = 0; i < PAGES && GMS_PINS_PLANES < 8; i++)
		most = f->want[i] > most ? f->want[i] : most;
	return most == GMS_PINS_MAX;
}

static void pin(struct fixture *f, unsigned int lo, unsigned int hi)
{
	const bool full = is_full(f);

	assert_int_equal(reserve(f), full ? -ENOMEM : 0);
	if (!full)
		commit(f, lo, hi);
}

static void unpin(struct fixture *f, unsigned int lo, unsigned int hi)
{
	struct gms_pins_walk walk;
	uint64_t surplus = 0;

	gms_pins_walk_init(&walk, lo, hi);
	talloc_trap(&f->talloc, TALLOC_TRAP_BOTH);
	while (gms_pins_unpin(f->pins, &walk))
		;
	talloc_trap(&f->talloc, 0);
	for (unsigned int i = lo; i < hi; i++) {
		surplus += !f->want[i];
		f->want[i] -= !!f->want[i];
	}
	assert_int_equal(walk.surplus, surplus);
}

static void unpin_all(struct fixture *f)
{
	while (gms_pins_any(f->pins, 0, PAGES)) {
		assert_true(gms_pins_ok(f->pins));
		unpin(f, 0, PAGES);
	}
}

/* Checks the queries for the first pinned page of a range. */
static void check_first(const struct fixture *f, unsigned int lo, unsigned int hi)
{
	unsigned int first = lo, page = ~0u;

	while (first < hi && !f->want[first])
		first++;
	assert_int_equal(gms_pins_any(f->pins, lo, hi), first < hi);
	assert_int_equal(gms_pins_first(f->pins, lo, hi, &page), first < hi);
	assert_int_equal(page, first < hi ? first : ~0u);
}

static void check_counts(const struct fixture *f, unsigned int lo, unsigned int hi)
{
	for (unsigned int i = lo; i < hi; i++) {
		if (gms_pins_count(f->pins, i) != f->want[i])
			fail_msg("page %u: %u pins, not %u", i, gms_pins_count(f->pins, i),
				 f->want[i]);
	}
}

static void check_all(const struct fixture *f)
{
	assert_true(gms_pins_ok(f->pins));
	check_counts(f, 0, PAGES);
	check_first(f, 0, PAGES);
	for (unsigned int lo = 0; lo < PAGES; lo += LEAF)
		check_first(f, lo, lo + LEAF);
}

static unsigned int below(struct fixture *f, unsigned int bound)
{
	return (unsigned int)prng_below(&f->prng, bound);
}

/* Sets a page, a part of a leaf, some leaves, a range, or the whole block. */
static void random_range(struct fixture *f, unsigned int *lo, unsigned int *hi)
{
	const unsigned int leaf = below(f, PAGES / LEAF) * LEAF, a = below(f, PAGES);
	const unsigned int kind = below(f, 16);

	*lo = a;
	*hi = a + 1 + below(f, kind < 12 ? PAGES - a : 1);
	if (kind >= 3 && kind < 8) {
		*lo = leaf + below(f, LEAF);
		*hi = *lo + 1 + below(f, leaf + LEAF - *lo);
	} else if (kind >= 8 && kind < 11) {
		*lo = leaf;
		*hi = leaf + (1 + below(f, (PAGES - leaf) / LEAF)) * LEAF;
	} else if (kind == 11) {
		*lo = 0;
		*hi = PAGES;
	}
}

/* Checks the queries about a range and its neighbours. */
static void check_near(struct fixture *f, unsigned int lo, unsigned int hi)
{
	unsigned int a, b;

	assert_true(gms_pins_ok(f->pins));
	check_counts(f, lo > 70 ? lo - 70 : 0, lo + 1);
	check_counts(f, hi - 1, hi + 70 < PAGES ? hi + 70 : PAGES);
	check_first(f, lo, hi);
	check_first(f, 0, hi);
	check_first(f, lo, PAGES);
	random_range(f, &a, &b);
	check_first(f, a, b);
	check_first(f, 0, PAGES);
}

static void test_random_pins_agree_with_an_array(void **state)
{
	struct fixture f;
	uint64_t steps = test_iters(PAGES > 16 ? 3000 : 100000);

	(void)state;
	setup(&f);
	pin(&f, 0, PAGES);
	for (uint64_t i = 0; i < steps; i++) {
		/* mostly pins for a while, and then mostly unpins, until no pin is left */
		const unsigned int pins = i / 200 % 2 ? 25 : 60;
		unsigned int lo, hi;

		random_range(&f, &lo, &hi);
		if (prng_chance(&f.prng, pins))
			pin(&f, lo, hi);
		else
			unpin(&f, lo, hi);
		check_near(&f, lo, hi);
		if (PAGES <= 16 || i % 256 == 0)
			check_all(&f);
	}
	check_all(&f);
	unpin_all(&f);
	check_all(&f);
	assert_int_equal(f.pins->nr_dirty, 0);
	assert_int_equal(f.pins->uniform, 0);
	teardown(&f);
}

/* Ranges that were pinned as a whole are unpinned in parts, and the reverse. */
static void test_pins_and_unpins_may_have_other_ranges(void **state)
{
	const unsigned int parts[] = {1, 3, LEAF / 2, LEAF, LEAF + 1, PAGES / 2};
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		const unsigned int part = parts[i];

		pin(&f, 0, PAGES);
		pin(&f, 0, PAGES);
		for (unsigned int lo = 0; part > 1 && lo < PAGES; lo += part)
			unpin(&f, lo, lo + part < PAGES ? lo + part : PAGES);
		unpin(&f, 0, part);
		check_all(&f);
		for (unsigned int lo = 0; part > 3 && lo < PAGES; lo += part)
			pin(&f, lo, lo + part < PAGES ? lo + part : PAGES);
		check_all(&f);
		unpin_all(&f);
		check_all(&f);
		assert_int_equal(f.pins->nr_dirty, 0);
	}
	teardown(&f);
}

static void test_a_block_without_pins_works(void **state)
{
	struct fixture f;
	unsigned int page = 77;

	(void)state;
	setup(&f);
	assert_false(gms_pins_any(NULL, 0, PAGES));
	assert_false(gms_pins_first(NULL, 0, PAGES, &page));
	assert_int_equal(page, 77);
	assert_int_equal(gms_pins_bytes(NULL), 0);
	gms_pins_fini(NULL, &f.talloc.ops);
	assert_int_equal(reserve(&f), 0);
	gms_pins_cancel(f.pins);
	unpin(&f, 0, PAGES);
	unpin(&f, 1, 3);
	check_all(&f);
	assert_int_equal(f.pins->nr_dirty, 0);
	teardown(&f);
}

/* One page has many more pins than its neighbours. There are no more planes than needed. */
static void test_a_page_may_have_many_pins(void **state)
{
	const unsigned int x = LEAF + 1, deep = GMS_PINS_MAX < 300 ? GMS_PINS_MAX - 1 : 300;
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned int i = 1; i <= deep; i++) {
		pin(&f, i % 2 ? x : x - 1, x + 1 + i % 3 % 2);
		check_counts(&f, x - 1, x + 2);
		/* the planes for the largest count, and for one more pin */
		assert_true(f.pins->nr_planes <= BITS_OF(i) + 1);
	}
	check_all(&f);
	pin(&f, 0, PAGES);
	for (unsigned int i = 0; i <= deep; i++) {
		unpin(&f, x, x + 1);
		check_counts(&f, x - 1, x + 2);
	}
	assert_int_equal(f.want[x], 0);
	unpin(&f, x, x + 1);
	check_all(&f);
	teardown(&f);
}

/* Counts that stay small need no more planes after many pins and unpins. */
static void test_small_counts_need_few_planes(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	pin(&f, 0, 1);
	for (unsigned int i = 1; i < 200; i++) {
		const unsigned int lo = 1 + i % (PAGES - 1);

		pin(&f, lo, lo + 1);
		unpin(&f, lo, lo + 1);
	}
	assert_true(f.pins->nr_planes <= 2);
	/* Page 0 stays pinned, so that the block never becomes empty. */
	for (unsigned int i = 0; i < 20; i++) {
		pin(&f, 0, PAGES);
		for (unsigned int lo = 0; lo < PAGES; lo += LEAF)
			unpin(&f, lo, lo + LEAF);
		assert_true(gms_pins_ok(f.pins));
	}
	check_all(&f);
	assert_true(f.pins->nr_planes <= 3);
	teardown(&f);
}

/* Several reservations hold, also if pages are unpinned or reservations cancelled meanwhile. */
static void test_reservations_hold_beside_each_other(void **state)
{
	const unsigned int nr = GMS_PINS_MAX < 40 ? GMS_PINS_MAX - 1 : 40;
	struct fixture f;

	(void)state;
	setup(&f);
	pin(&f, 0, LEAF);
	for (unsigned int i = 0; i < nr; i++) {
		assert_int_equal(reserve(&f), 0);
		assert_true(gms_pins_ok(f.pins));
	}
	for (unsigned int i = 0; i < nr; i++) {
		if (i % 5 == 4)
			gms_pins_cancel(f.pins);
		else
			commit(&f, 1, i % 2 ? PAGES : 2);
		if (i % 7 == 6)
			unpin(&f, 0, LEAF);
		assert_true(gms_pins_ok(f.pins));
	}
	check_all(&f);
	assert_int_equal(f.pins->reserved, 0);
	teardown(&f);
}

/* Sets the count of the whole block to one below the largest, because 2^31 pins take long. */
static void test_no_count_exceeds_the_largest(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	pin(&f, 0, PAGES);
	for (uint32_t n = 1; n < GMS_PINS_MAX; n = 2 * n + 1) { /* adds plane by plane */
		f.pins->uniform = n;
		assert_int_equal(reserve(&f), 0);
		gms_pins_cancel(f.pins);
	}
	f.pins->uniform = GMS_PINS_MAX - 1;
	for (unsigned int i = 0; i < PAGES; i++)
		f.want[i] = GMS_PINS_MAX - 1;
	assert_int_equal(reserve(&f), 0);
	assert_int_equal(reserve(&f), -ENOMEM);
	gms_pins_cancel(f.pins);
	pin(&f, 1, 3);
	check_all(&f);
	assert_int_equal(reserve(&f), -ENOMEM);
	unpin(&f, 1, 2);
	assert_int_equal(reserve(&f), -ENOMEM);
	unpin(&f, 2, 3);
	pin(&f, 0, PAGES);
	check_all(&f);
	assert_int_equal(reserve(&f), -ENOMEM);
	unpin(&f, 0, PAGES);
	unpin(&f, 0, PAGES);
	pin(&f, 0, PAGES);
	check_all(&f);
	teardown(&f);
}

/* Makes the block before a reserve of kind @which. Returns false if there is no such kind. */
static bool before_reserve(struct fixture *f, unsigned int which)
{
	setup(f);
	if (which >= 1)
		pin(f, 3, LEAF + 2);
	if (which >= 2)
		pin(f, 0, PAGES);
	if (which >= 3) {
		pin(f, 1, 4);
		assert_int_equal(reserve(f), 0);
	}
	return which <= 3;
}

static void test_a_reservation_that_fails_changes_nothing(void **state)
{
	struct fixture f;
	unsigned int which, failed = 0;

	(void)state;
	for (which = 0; before_reserve(&f, which); which++) {
		const struct gms_pins *pins = f.pins;
		int err = -ENOMEM;

		for (unsigned int skip = 0; err; skip++) {
			const size_t bytes = gms_pins_bytes(f.pins);

			talloc_fail(&f.talloc, skip, 1);
			err = reserve(&f);
			talloc_fail_never(&f.talloc);
			if (!err)
				break;
			failed++;
			assert_int_equal(err, -ENOMEM);
			assert_ptr_equal(f.pins, pins);
			assert_int_equal(gms_pins_bytes(f.pins), bytes);
			assert_int_equal(f.talloc.live_bytes, bytes);
			if (f.pins)
				check_all(&f);
		}
		commit(&f, 0, PAGES);
		if (which == 3)
			commit(&f, 2, 4);
		check_all(&f);
		teardown(&f);
	}
	if (f.pins && f.pins->reserved)
		gms_pins_cancel(f.pins);
	teardown(&f);
	assert_true(failed >= which);
}

/* Checks that gms_pins_ok() holds, and that it does not hold after a change by hand. */
#define EXPECT_DAMAGE(pins, change, back)        \
	do {                                     \
		assert_true(gms_pins_ok(pins));  \
		change;                          \
		assert_false(gms_pins_ok(pins)); \
		back;                            \
		assert_true(gms_pins_ok(pins));  \
	} while (0)

/* gms_pins_ok() finds each number that is off by one, and each broken invariant. */
static void test_damage_is_found(void **state)
{
	struct fixture f;
	struct gms_pins *p;

	(void)state;
	setup(&f);
	pin(&f, 0, PAGES);
	pin(&f, 1, 2);
	unpin(&f, LEAF, 2 * LEAF);
	p = f.pins;
	assert_int_equal(p->nr_planes, 2);
	EXPECT_DAMAGE(p, p->nr_any++, p->nr_any--);
	EXPECT_DAMAGE(p, p->nr_dirty++, p->nr_dirty--);
	EXPECT_DAMAGE(p, p->nonzero[0]++, p->nonzero[0]--);
	EXPECT_DAMAGE(p, p->nonzero[1]--, p->nonzero[1]++);
	EXPECT_DAMAGE(p, p->pinned[0].w[0] ^= 1, p->pinned[0].w[0] ^= 1);
	EXPECT_DAMAGE(p, p->pinned[1].w[0] ^= 1, p->pinned[1].w[0] ^= 1);
	EXPECT_DAMAGE(p, p->plane[0][0].w[0] ^= 1, p->plane[0][0].w[0] ^= 1);
	/* I1: the second leaf is dirty without pins, which is valid only in a block with pins */
	EXPECT_DAMAGE(p, p->state[0] ^= 1 << 2, p->state[0] ^= 1 << 2);
	EXPECT_DAMAGE(p, p->uniform = 0, p->uniform = 1);
	/* breaks I2 */
	for (unsigned int lo = LEAF; lo < PAGES - LEAF; lo += LEAF)
		pin(&f, lo, lo + 1);
	assert_int_equal(p->nr_dirty, PAGES / LEAF - 1);
	assert_int_equal(p->uniform, 1);
	assert_true(gms_pins_ok(p));
	pin(&f, PAGES - 1, PAGES);
	assert_int_equal(p->uniform, 0);
	EXPECT_DAMAGE(p, p->uniform = 1, p->uniform = 0);
	teardown(&f);
}

/* gms_pins_ok() finds one reservation more than fits (I3). */
static void test_too_many_reservations_are_found(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned int i = 0; i < 3; i++)
		pin(&f, 0, PAGES);
	pin(&f, 1, 2);
	assert_int_equal(f.pins->nr_planes, 3);
	f.pins->reserved = 3; /* 4 + 3 */
	EXPECT_DAMAGE(f.pins, f.pins->reserved++, f.pins->reserved--);
	unpin(&f, 1, 2);
	f.pins->reserved = 4;
	EXPECT_DAMAGE(f.pins, f.pins->reserved++, f.pins->reserved--);
	f.pins->reserved = 0;
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_without_pins_works),
		cmocka_unit_test(test_pins_and_unpins_may_have_other_ranges),
		cmocka_unit_test(test_a_page_may_have_many_pins),
		cmocka_unit_test(test_small_counts_need_few_planes),
		cmocka_unit_test(test_reservations_hold_beside_each_other),
		cmocka_unit_test(test_no_count_exceeds_the_largest),
		cmocka_unit_test(test_a_reservation_that_fails_changes_nothing),
		cmocka_unit_test(test_damage_is_found),
		cmocka_unit_test(test_too_many_reservations_are_found),
		cmocka_unit_test(test_random_pins_agree_with_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
