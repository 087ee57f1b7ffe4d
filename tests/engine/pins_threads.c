// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins_threads.c - proves that readers of pins are right beside writers, and that no pin is lost
 *
 * Writers that unpin exactly what they have pinned leave no pin. A reader always finds a page that
 * stays pinned, and never one that is not pinned. It also finds a page that was pinned with its
 * block while the leaf of the page gets counts of its own.
 */
#include "folio/pins.h"

#include "oracle.h"
#include "talloc.h"
#include "test.h"
#include "threads.h"

#include <stdatomic.h>

#define PAGES GMS_PINS_PAGES
#define LEAF GMS_LINE_BITS

/* One block, and a page that is always or never pinned. */
struct shared {
	struct talloc talloc;
	struct gms_spinlock lock;
	struct gms_pins *pins;
	unsigned int page;
	bool pinned;
	atomic_bool stop;
	atomic_uint phase;
};

struct range {
	unsigned int lo, hi;
};

static void setup(struct shared *shared)
{
	talloc_init(&shared->talloc);
	gms_spin_init(&shared->lock, &shared->lock, GMS_RANK_TREE, 0);
}

/* Checks that no pin, reservation or dirty leaf is left, and frees the block. */
static void teardown(struct shared *shared)
{
	assert_true(gms_pins_ok(shared->pins));
	assert_false(gms_pins_any(shared->pins, 0, PAGES));
	assert_int_equal(shared->pins->reserved, 0);
	assert_int_equal(shared->pins->nr_dirty, 0);
	assert_int_equal(shared->talloc.live_bytes, gms_pins_bytes(shared->pins));
	gms_pins_fini(shared->pins, &shared->talloc.ops);
	assert_fine(talloc_check(&shared->talloc));
	assert_int_equal(shared->talloc.live_blocks, 0);
}

static int reserve(struct shared *shared)
{
	return gms_pins_reserve(&shared->pins, &shared->lock, &shared->talloc.ops);
}

/* Makes a commit or an unpin, without the lock between two steps. Returns the surplus. */
static uint64_t count(struct shared *shared, unsigned int lo, unsigned int hi,
		      bool (*step)(struct gms_pins *pins, struct gms_pins_walk *walk))
{
	struct gms_pins_walk walk;
	bool more;

	gms_pins_walk_init(&walk, lo, hi);
	do {
		gms_spin_lock(&shared->lock);
		more = step(shared->pins, &walk);
		gms_spin_unlock(&shared->lock);
	} while (more);
	return walk.surplus;
}

static void commit(struct shared *shared, unsigned int lo, unsigned int hi)
{
	count(shared, lo, hi, gms_pins_commit);
}

static uint64_t unpin(struct shared *shared, unsigned int lo, unsigned int hi)
{
	return count(shared, lo, hi, gms_pins_unpin);
}

/* Returns a range in a leaf, a range between two pages, or the whole block. */
static struct range random_range(struct prng *prng)
{
	const uint64_t kind = prng_below(prng, 10);
	unsigned int lo = (unsigned int)prng_below(prng, PAGES), end = PAGES;

	if (kind < 6)
		end = lo / LEAF * LEAF + LEAF;
	else if (kind == 6)
		lo = 0;
	return (struct range) {lo, kind == 6 ? PAGES
					     : lo + 1 + (unsigned int)prng_below(prng, end - lo)};
}

/* Pins ranges, and unpins them as a whole or in halves. Leaves out a page that is never pinned. */
static void run_writer(struct worker *worker)
{
	struct shared *shared = worker->shared;
	struct range own[8];
	struct prng prng;
	unsigned int nr = 0;
	uint64_t surplus = 0;
	int failed = 0;

	prng_init(&prng, test_seed() + worker->number);
	for (uint64_t i = 0; i < worker->rounds || nr; i++) {
		struct range r = random_range(&prng);

		if (!shared->pinned && r.lo <= shared->page && r.hi > shared->page)
			r.lo = shared->page + 1;
		if (nr < ARRAY_SIZE(own) && i < worker->rounds && r.lo < r.hi &&
		    prng_chance(&prng, 50)) {
			failed = reserve(shared);
			if (failed)
				break;
			commit(shared, r.lo, r.hi);
			own[nr++] = r;
		} else if (nr) {
			const struct range old = own[--nr];
			const unsigned int mid = old.lo + (old.hi - old.lo) / 2;

			if (i % 2 && mid > old.lo)
				surplus += unpin(shared, old.lo, mid) + unpin(shared, mid, old.hi);
			else
				surplus += unpin(shared, old.lo, old.hi);
		}
	}
	shared->stop = true;
	worker_expect(worker, !failed, "a reservation failed");
	worker_expect(worker, !surplus, "a pin was lost");
}

static void run_reader(struct worker *worker)
{
	struct shared *shared = worker->shared;
	const unsigned int x = shared->page, leaf = x / LEAF * LEAF;
	struct prng prng;

	prng_init(&prng, test_seed() + worker->number);
	for (uint64_t i = 0; !shared->stop || i < worker->rounds; i++) {
		const unsigned int lo = (unsigned int)prng_below(&prng, x + 1);
		const struct range ranges[] = {
			{x, x + 1}, {leaf, leaf + LEAF}, {lo, x + 1}, {lo, PAGES}, {0, PAGES}};
		const struct gms_pins *pins = gms_load_acquire(&shared->pins);

		for (unsigned int k = 0; k < ARRAY_SIZE(ranges); k++) {
			const struct range r = ranges[k];
			unsigned int page = ~0u;
			const bool found = gms_pins_first(pins, r.lo, r.hi, &page);

			if (shared->pinned) {
				worker_expect(worker, found && page >= r.lo && page <= x,
					      "a reader missed a page that stays pinned");
				worker_expect(worker, gms_pins_any(pins, r.lo, r.hi),
					      "a range with a pinned page has no pin");
			} else {
				worker_expect(worker, page != x,
					      "a reader found a page that is never pinned");
			}
		}
	}
}

/* Pins a page with its block, then gives its leaf counts of its own; again and again. */
static void run_dirtier(struct worker *worker)
{
	struct shared *shared = worker->shared;
	const unsigned int lo = shared->page / LEAF * LEAF, hi = lo + 1;
	uint64_t surplus = 0, i;

	for (i = 0; i < worker->rounds; i++) {
		if (reserve(shared) || reserve(shared))
			break;
		commit(shared, 0, PAGES);
		shared->phase++;
		if (i % 2) {
			gms_spin_lock(&shared->lock);
			gms_pins_cancel(shared->pins);
			gms_spin_unlock(&shared->lock);
			surplus += unpin(shared, lo, hi);
		} else {
			commit(shared, lo, hi);
		}
		shared->phase++;
		surplus += unpin(shared, lo + 1, PAGES);
		if (i % 2 == 0)
			surplus += unpin(shared, lo, hi) + unpin(shared, lo, hi);
		surplus += lo ? unpin(shared, 0, lo) : 0;
	}
	shared->stop = true;
	worker_expect(worker, i == worker->rounds, "a reservation failed");
	worker_expect(worker, !surplus, "a pin was lost");
}

/* In an odd phase the page is pinned, with its block or by a count of its leaf. */
static void run_phase_reader(struct worker *worker)
{
	struct shared *shared = worker->shared;

	while (!shared->stop) {
		const unsigned int phase = shared->phase;
		const struct gms_pins *pins = gms_load_acquire(&shared->pins);
		unsigned int page;
		const bool found = gms_pins_first(pins, shared->page, shared->page + 1, &page);

		worker_expect(worker, found || phase % 2 == 0 || shared->phase != phase,
			      "a reader missed a page whose leaf became dirty");
	}
}

static void test_readers_find_a_page_whose_leaf_becomes_dirty(void **state)
{
	struct shared shared = {.page = PAGES / 2 + LEAF / 3};
	struct worker workers[] = {{.run = run_dirtier,
				    .shared = &shared,
				    .rounds = test_iters(PAGES > 16 ? 5000 : 200000)},
				   {.run = run_phase_reader, .shared = &shared}};

	(void)state;
	setup(&shared);
	workers_run(workers, ARRAY_SIZE(workers));
	teardown(&shared);
}

static void check_threads(unsigned int nr_writers, unsigned int nr_readers, bool pinned)
{
	struct worker workers[4] = {0};
	struct shared shared = {.page = PAGES / 2 + LEAF / 3, .pinned = pinned};

	assert_true(nr_writers + nr_readers <= ARRAY_SIZE(workers));
	setup(&shared);
	if (pinned) {
		assert_int_equal(reserve(&shared), 0);
		commit(&shared, shared.page, shared.page + 1);
	}
	for (unsigned int i = 0; i < nr_writers + nr_readers; i++)
		workers[i] = (struct worker) {.run = i < nr_writers ? run_writer : run_reader,
					      .shared = &shared,
					      .number = i,
					      .rounds = test_iters(20000)};
	workers_run(workers, nr_writers + nr_readers);
	assert_int_equal(gms_pins_any(shared.pins, 0, PAGES), pinned);
	if (pinned)
		assert_int_equal(unpin(&shared, shared.page, shared.page + 1), 0);
	teardown(&shared);
}

static void test_no_pin_of_several_writers_is_lost(void **state)
{
	(void)state;
	check_threads(4, 0, true);
}

static void test_readers_find_a_page_that_stays_pinned(void **state)
{
	(void)state;
	check_threads(1, 2, true);
}

static void test_readers_find_no_page_that_is_not_pinned(void **state)
{
	(void)state;
	check_threads(1, 2, false);
}

/* Pins and unpins a page. No other page is ever pinned. */
static void run_flipper(struct worker *worker)
{
	struct shared *shared = worker->shared;
	uint64_t i;

	for (i = 0; i < 50 * worker->rounds && !reserve(shared); i++) {
		commit(shared, shared->page, shared->page + 1);
		worker_expect(worker, !unpin(shared, shared->page, shared->page + 1),
			      "a pin was lost");
	}
	shared->stop = true;
	worker_expect(worker, i == 50 * worker->rounds, "a reservation failed");
}

static void run_only_reader(struct worker *worker)
{
	struct shared *shared = worker->shared;
	const unsigned int leaf = shared->page / LEAF * LEAF;

	while (!shared->stop) {
		const struct gms_pins *pins = gms_load_acquire(&shared->pins);
		unsigned int page;

		worker_expect(worker,
			      !gms_pins_first(pins, leaf, leaf + LEAF, &page) ||
				      page == shared->page,
			      "a reader found a page that was never pinned");
	}
}

/* A reader finds no other page while the last pin of a word comes and goes. */
static void test_readers_find_no_page_but_the_only_one(void **state)
{
	struct shared shared = {.page = PAGES / 2 + LEAF / 3};
	struct worker workers[2] = {{.run = run_flipper}, {.run = run_only_reader}};

	(void)state;
	setup(&shared);
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].shared = &shared;
		workers[i].rounds = test_iters(20000);
	}
	workers_run(workers, ARRAY_SIZE(workers));
	teardown(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_pin_of_several_writers_is_lost),
		cmocka_unit_test(test_readers_find_a_page_that_stays_pinned),
		cmocka_unit_test(test_readers_find_no_page_that_is_not_pinned),
		cmocka_unit_test(test_readers_find_a_page_whose_leaf_becomes_dirty),
		cmocka_unit_test(test_readers_find_no_page_but_the_only_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
