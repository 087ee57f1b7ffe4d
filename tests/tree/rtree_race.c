// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_race.c - proves W2: gms_rtree_prepare() may run anywhere, beside every other call
 *
 * Two threads that prepare neighbouring ranges need one chunk or leaf page. The thread that
 * installs its own first wins, and the other one frees what it allocated. In some tests the race
 * is arranged: an allocation of one thread does not return before the other thread is done. In
 * another test the race happens by chance, beside readers and a writer of another 1G block in the
 * chunk.
 */
#include <sched.h>
#include <stdatomic.h>

#include "shapes.h"
#include "test.h"
#include "threads.h"

#if T_SHIFT == 9
#define CHUNK_BLOCKS 32
#define LEAF_PAGE_BLOCKS 64
#else
#define CHUNK_BLOCKS 2
#define LEAF_PAGE_BLOCKS 2
#endif
#define LEAF_PAGE_PAGES (LEAF_PAGE_BLOCKS * T_2M)

/* ---- arranged races ---- */

enum { FIRST, SECOND };

struct meeting {
	struct twin twin;
	struct gms_allocator inner;
	uint64_t start[2], nr[2]; /* the ranges of the two threads */
	unsigned int stop_at; /* number of the allocation at which the first thread waits */
	_Atomic bool waiting, done;
};

/* What stops the first thread. Written by that thread, whose number is stopped_thread. */
static _Atomic int stopped_thread;
static struct meeting *stopped;
static unsigned int nr_allocs;

static void stop_here(struct meeting *meeting)
{
	stopped = meeting;
	nr_allocs = 0;
	atomic_store(&stopped_thread, test_thread());
}

static void wait_for(_Atomic bool *flag)
{
	while (!atomic_load(flag))
		sched_yield();
}

static void *stopping_alloc(void *ctx, size_t size, size_t align)
{
	struct talloc *talloc = ctx;
	void *made = talloc->ops.alloc(talloc, size, align);

	if (atomic_load(&stopped_thread) == test_thread() && nr_allocs++ == stopped->stop_at) {
		atomic_store(&stopped->waiting, true);
		wait_for(&stopped->done);
	}
	return made;
}

static void plain_free(void *ctx, void *ptr, size_t size, size_t align)
{
	struct talloc *talloc = ctx;

	talloc->ops.free(talloc, ptr, size, align);
}

static void prepare_and_meet(struct worker *worker)
{
	struct meeting *meeting = worker->shared;
	const unsigned int me = worker->number;
	struct gms_rtree *tree = meeting->twin.tree;
	int rc;

	if (me == FIRST)
		stop_here(meeting);
	if (me == SECOND)
		wait_for(&meeting->waiting);
	rc = gms_rtree_prepare(tree, meeting->start[me], meeting->nr[me], NULL);
	if (me == SECOND)
		atomic_store(&meeting->done, true);
	else
		atomic_store(&meeting->waiting, true); /* if the thread did not allocate */
	if (me == FIRST)
		atomic_store(&stopped_thread, 0);
	worker_expect(worker, !rc, "prepare failed");
	worker_expect(worker, gms_rtree_is_prepared(tree, meeting->start[me], meeting->nr[me]),
		      "gms_rtree_is_prepared() is false after prepare");
	/* Each thread writes to a 1G block of its own. */
	gms_rtree_commit(tree, meeting->start[me], meeting->nr[me], true, NULL);
}

/* Runs both threads. Returns how many bytes were allocated and freed again. */
static uint64_t meet(struct meeting *meeting, uint64_t nr_pages)
{
	struct worker workers[2] = {0};
	struct gms_allocator ops;
	struct talloc *talloc = &meeting->twin.talloc;
	unsigned int i;
	uint64_t lost;

	talloc_init(talloc);
	ops = talloc->ops;
	ops.alloc = stopping_alloc;
	ops.free = plain_free;
	assert_int_equal(gms_rtree_create(nr_pages, GMS_RTREE_NONE, &ops, &meeting->twin.tree), 0);
	oracle_init(&meeting->twin.oracle, nr_pages, false);
	atomic_store(&meeting->waiting, false);
	atomic_store(&meeting->done, false);
	for (i = 0; i < 2; i++) {
		workers[i] =
			(struct worker) {.run = prepare_and_meet, .shared = meeting, .number = i};
		oracle_store(&meeting->twin.oracle, meeting->start[i], meeting->nr[i], true);
	}
	workers_run(workers, 2);
	assert_fine(twin_check(&meeting->twin));
	lost = talloc->total_bytes - talloc->live_bytes;
	twin_fini(&meeting->twin);
	return lost;
}

/* The first thread has allocated when the second one installs its own. The first one frees. */
static void test_the_thread_that_installs_later_frees_its_own(void **state)
{
	/* the ranges lie in different 1G blocks */
	static const struct {
		uint64_t start[2], nr[2];
		unsigned int stop_at;
		bool lost;
	} cases[] = {
		/* one chunk, two leaf pages: the chunk is allocated twice */
		{{0, T_1G}, {1, 1}, 0, true},
		/* the first thread stops at its leaf page, which the second one does not need */
		{{0, T_1G}, {1, 1}, 1, false},
		/* a page, and 2M that are not aligned */
		{{1, T_1G + 1}, {1, T_2M}, 0, true},
		/* whole 2M blocks, which need only chunks */
		{{0, T_1G}, {T_2M, T_2M}, 0, true},
		/* different chunks */
		{{0, CHUNK_BLOCKS * T_1G}, {1, 1}, 0, false},
		/* both need the second chunk */
		{{T_1G - 1, CHUNK_BLOCKS * T_1G + T_1G},
		 {(CHUNK_BLOCKS - 1) * T_1G + 2, T_2M},
		 2,
		 true},
	};
	static struct meeting meeting;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(meeting.start, cases[i].start, sizeof(meeting.start));
		memcpy(meeting.nr, cases[i].nr, sizeof(meeting.nr));
		meeting.stop_at = cases[i].stop_at;
		if ((meet(&meeting, (3 * CHUNK_BLOCKS) * T_1G + T_2M + 1) != 0) != cases[i].lost)
			fail_msg("case %zu: memory was %sfreed", i, cases[i].lost ? "not " : "");
	}
}

/* Both threads need one leaf page. Their ranges are in one 2M, so neither thread writes. */
static void prepare_only(struct worker *worker)
{
	struct meeting *meeting = worker->shared;
	const unsigned int me = worker->number;

	if (me == FIRST)
		stop_here(meeting);
	if (me == SECOND)
		wait_for(&meeting->waiting);
	worker_expect(
		worker,
		!gms_rtree_prepare(meeting->twin.tree, meeting->start[me], meeting->nr[me], NULL),
		"prepare failed");
	if (me == SECOND)
		atomic_store(&meeting->done, true);
	if (me == FIRST)
		atomic_store(&stopped_thread, 0);
}

static void test_one_leaf_page_stays(void **state)
{
	struct worker workers[2];
	struct meeting meeting = {.start = {T_2M + 1, T_2M + 2}, .nr = {1, 1}};
	struct gms_allocator ops;
	uint64_t stop_at, lost;

	(void)state;
	for (stop_at = 0; stop_at < 2; stop_at++) {
		talloc_init(&meeting.twin.talloc);
		ops = meeting.twin.talloc.ops;
		ops.alloc = stopping_alloc;
		ops.free = plain_free;
		assert_int_equal(
			gms_rtree_create(2 * T_1G, GMS_RTREE_NONE, &ops, &meeting.twin.tree), 0);
		oracle_init(&meeting.twin.oracle, 2 * T_1G, false);
		meeting.stop_at = (unsigned int)stop_at;
		atomic_store(&meeting.waiting, false);
		atomic_store(&meeting.done, false);
		for (unsigned int i = 0; i < 2; i++)
			workers[i] = (struct worker) {
				.run = prepare_only, .shared = &meeting, .number = i};
		workers_run(workers, 2);
		lost = meeting.twin.talloc.total_bytes - meeting.twin.talloc.live_bytes;
		assert_true(lost != 0);
		twin_store(&meeting.twin, T_2M + 1, 1, true);
		twin_store(&meeting.twin, T_2M + 2, 1, true);
		assert_fine(twin_check(&meeting.twin));
		twin_fini(&meeting.twin);
	}
}

/* ---- races by chance ---- */

#define NR_CHUNKS (T_SHIFT == 9 ? 24 : 60)
#define NR_STEPS ((uint64_t)NR_CHUNKS * 8)

struct crowd {
	struct twin twin;
	_Atomic uint64_t arrived; /* number of steps begun by both threads that prepare */
	_Atomic uint64_t step;
	_Atomic bool over;
};

/* Returns the place of a step: a few leaf pages in each chunk, but not in its 1G block 1. */
static uint64_t place_of(uint64_t step)
{
	const uint64_t base = step / 8 * CHUNK_BLOCKS * T_1G;
	const uint64_t at = step % 8 * LEAF_PAGE_PAGES % T_1G;

	return base + at;
}

static void prepare_crowd(struct worker *worker)
{
	struct crowd *crowd = worker->shared;
	struct prng prng;
	uint64_t step;

	prng_init(&prng, worker->number);
	for (step = 0; step < NR_STEPS; step++) {
		const uint64_t at = place_of(step) + 1 + prng_below(&prng, T_2M - 1);
		const uint64_t nr = 1 + (prng_chance(&prng, 50) ? prng_below(&prng, T_2M) : 0);
		struct gms_rtree_reserve reserve;

		/* both threads begin a step together */
		atomic_fetch_add(&crowd->arrived, 1);
		while (atomic_load(&crowd->arrived) < 2 * step + 2 && !atomic_load(&crowd->over))
			sched_yield();
		if (gms_rtree_prepare(crowd->twin.tree, at, nr,
				      prng_chance(&prng, 50) ? &reserve : NULL))
			worker->why = "prepare failed";
		else if (!gms_rtree_is_prepared(crowd->twin.tree, at, nr))
			worker->why = "gms_rtree_is_prepared() is false after prepare";
		if (worker->why)
			break;
		atomic_store(&crowd->step, step);
	}
	atomic_store(&crowd->over, true);
}

/* Writes to 1G block 1 of the chunk that the other threads prepare, and restores it. */
static void write_crowd(struct worker *worker)
{
	struct crowd *crowd = worker->shared;
	struct gms_rtree *tree = crowd->twin.tree;
	struct gms_rtree_reserve reserve;
	uint64_t round = 0;

	while (!atomic_load(&crowd->over)) {
		const uint64_t next = atomic_load(&crowd->step) + round++ % 2;
		const uint64_t chunk = next / 8 < NR_CHUNKS ? next / 8 : NR_CHUNKS - 1;
		const uint64_t at = (chunk * CHUNK_BLOCKS + 1) * T_1G + 1;

		worker_expect(worker, !gms_rtree_prepare(tree, at, 2, &reserve), "prepare failed");
		gms_rtree_commit(tree, at, 2, true, &reserve);
		worker_expect(worker, gms_rtree_count(tree, at - 1, 4) == 2,
			      "a commit beside prepares was lost");
		if (round % 4 < 2)
			gms_rtree_revert(tree, &reserve);
		gms_rtree_release(tree, &reserve);
		worker_expect(worker, !gms_rtree_clear(tree, at, 2), "a store failed");
		sched_yield();
	}
}

static void read_crowd(struct worker *worker)
{
	struct crowd *crowd = worker->shared;
	const struct gms_rtree *tree = crowd->twin.tree;

	while (!atomic_load(&crowd->over)) {
		const uint64_t at = place_of(atomic_load(&crowd->step));

		worker_expect(worker,
			      !gms_rtree_test(tree, at + 1) &&
				      gms_rtree_fill(tree, at, T_ORDER_1G) == GMS_RTREE_NONE &&
				      gms_rtree_uniform_order(tree, at) == T_ORDER_1G &&
				      !gms_rtree_count(tree, at, T_2M),
			      "a prepare changed the set");
		worker_expect(worker, gms_rtree_memory(tree) && !(gms_rtree_pooled(tree) % 8),
			      "the memory was not sound beside prepares");
		sched_yield();
	}
}

static void test_prepares_disturb_no_other_call(void **state)
{
	static void (*const roles[])(struct worker *) = {prepare_crowd, prepare_crowd, write_crowd,
							 read_crowd};
	const uint64_t rounds = test_iters(T_SHIFT == 9 ? 40 : 200);
	struct worker workers[ARRAY_SIZE(roles)];
	static struct crowd crowd;
	uint64_t round, lost = 0, bytes = 0;
	unsigned int i;

	(void)state;
	for (round = 0; round < rounds; round++) {
		twin_init(&crowd.twin, NR_CHUNKS * CHUNK_BLOCKS * T_1G, false);
		atomic_store(&crowd.arrived, 0);
		atomic_store(&crowd.step, 0);
		atomic_store(&crowd.over, false);
		for (i = 0; i < ARRAY_SIZE(roles); i++)
			workers[i] =
				(struct worker) {.run = roles[i], .shared = &crowd, .number = i};
		workers_run(workers, ARRAY_SIZE(roles));
		assert_fine(twin_check_account(&crowd.twin));
		assert_true(gms_rtree_verify(crowd.twin.tree, NULL));
		assert_int_equal(gms_rtree_nodes(crowd.twin.tree), 0);
		lost += crowd.twin.talloc.total_bytes - crowd.twin.talloc.live_bytes;
		bytes += crowd.twin.talloc.live_bytes;
		twin_fini(&crowd.twin);
	}
	printf("%llu KiB were allocated and kept, %llu KiB were freed again\n",
	       (unsigned long long)bytes >> 10, (unsigned long long)lost >> 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_thread_that_installs_later_frees_its_own),
		cmocka_unit_test(test_one_leaf_page_stays),
		cmocka_unit_test(test_prepares_disturb_no_other_call),
	};

	return cmocka_run_group_tests_name("rtree-race", tests, NULL, NULL);
}
