// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state_threads.c - proves R5: with sequence numbers or the shared lock, a reader sees no
 * conversion in part
 *
 * Tests rule 18, too.
 *
 * Several threads convert ranges, each range always as a whole. A reader that checks the sequence
 * numbers, or holds the shared lock, never sees a part of a conversion. A reader that does neither
 * sees the right value of pages that never change. Sequence numbers are even between conversions,
 * and never go down. Run this test under ThreadSanitizer, too.
 */
#include <sched.h>
#include <stdatomic.h>

#include <gmemstate/state.h>

#include "oracle.h"
#include "test.h"
#include "threads.h"

#define BLOCK_2M (1ULL << GMS_ORDER_2M)
#define BLOCK_1G (1ULL << GMS_ORDER_1G)

#define NR_BLOCKS 24
#define NR_WRITERS 2
#define NR_READERS 3

/* Ranges that any writer converts, but only as a whole. */
static const struct {
	uint64_t start, end;
} pairs[] = {
	{5, 6},
	{100, 3 * BLOCK_2M + 7},
	{4 * BLOCK_2M, 5 * BLOCK_2M},
	{6 * BLOCK_2M, BLOCK_1G},
	{BLOCK_1G + 9, 3 * BLOCK_1G + 1},
	{4 * BLOCK_1G, 5 * BLOCK_1G},
	{5 * BLOCK_1G + 1, 23 * BLOCK_1G + 5},
};

/* A page between these ranges that stays shared, and one that stays private. */
#define STAYS_SHARED 7ULL
#define STAYS_PRIVATE (23 * BLOCK_1G + 100)

struct field {
	struct gms_state *state;
	_Atomic unsigned int writers_left;
	_Atomic uint64_t seen; /* number of reads without a conversion in between */
};

static void convert_pairs(struct worker *worker)
{
	struct field *field = worker->shared;
	struct prng prng;
	uint64_t round;
	int rc = 0;

	prng_init(&prng, test_seed() + worker->number);
	for (round = 0; round < worker->rounds && !rc; round++) {
		uint64_t which = prng_below(&prng, ARRAY_SIZE(pairs));

		rc = gms_convert(field->state, pairs[which].start,
				 pairs[which].end - pairs[which].start,
				 prng_chance(&prng, 50) ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	}
	atomic_fetch_sub(&field->writers_left, 1);
	worker_expect(worker, !rc, "a conversion failed");
}

static const char *check_whole(const struct gms_state *state, uint64_t start, uint64_t end)
{
	bool first = gms_is_private(state, start);
	uint64_t count = gms_count(state, start, end - start, GMS_PRIVATE);
	struct gms_iter iter;
	struct gms_run run;

	if (gms_is_private(state, end - 1) != first)
		return "the ends of a range that is converted as a whole differ";
	if (count != (first ? end - start : 0))
		return "the count of a range that is converted as a whole is of a part";
	if (!gms_range_is(state, start, end - start, first ? GMS_PRIVATE : GMS_SHARED))
		return "a range that is converted as a whole is mixed";
	gms_iter_init(&iter, state, start, end - start);
	if (!gms_iter_next(&iter, &run) || run.start != start || run.nr_pages != end - start)
		return "a range that is converted as a whole has several runs";
	return NULL;
}

/* Reads a range, and checks all its sequence numbers before and after. */
static const char *read_by_seq(struct field *field, uint64_t start, uint64_t end)
{
	const struct gms_state *state = field->state;
	uint64_t first = start / BLOCK_1G, last = (end - 1) / BLOCK_1G;
	uint64_t seq[NR_BLOCKS];
	const char *why;
	uint64_t block;

	for (block = first; block <= last; block++)
		seq[block] = gms_seq_read(state, block * BLOCK_1G);
	why = check_whole(state, start, end);
	for (block = first; block <= last; block++) {
		if (gms_seq_retry(state, block * BLOCK_1G, seq[block]))
			return NULL;
	}
	atomic_fetch_add(&field->seen, 1);
	return why;
}

/* gms_seq_retry() must not accept an odd number, even if it is still the current one. */
static const char *read_odd(const struct gms_state *state)
{
	uint64_t seq;
	int i;

	for (i = 0; i < 100; i++) {
		seq = gms_seq_read(state, 5 * BLOCK_1G);
		if (seq % 2 && !gms_seq_retry(state, 5 * BLOCK_1G, seq))
			return "gms_seq_retry() accepted an odd number";
	}
	return NULL;
}

static const char *read_locked(struct field *field, uint64_t start, uint64_t end)
{
	struct gms_state *state = field->state;
	const char *why;
	uint64_t seq;

	if (gms_lock_shared(state, start, end - start))
		return "gms_lock_shared() failed";
	seq = gms_seq_read(state, start);
	why = check_whole(state, start, end);
	if (!why && seq % 2)
		why = "a sequence number is odd under the shared lock";
	sched_yield();
	if (!why)
		why = check_whole(state, start, end);
	if (!why && gms_seq_retry(state, start, seq))
		why = "a page was converted under the shared lock";
	gms_unlock_shared(state, start, end - start);
	return why;
}

static const char *read_unprotected(struct field *field)
{
	const struct gms_state *state = field->state;
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	if (gms_is_private(state, STAYS_SHARED) || !gms_is_private(state, STAYS_PRIVATE))
		return "a page that never changes had another value";
	if (gms_summary(state, STAYS_SHARED, GMS_ORDER_4K) != GMS_ALL_SHARED ||
	    gms_summary(state, STAYS_PRIVATE, GMS_ORDER_2M) != GMS_MIXED ||
	    gms_summary(state, STAYS_PRIVATE, GMS_ORDER_1G) != GMS_MIXED)
		return "a block that is always mixed had another summary";
	gms_stats_read(state, &stats);
	return stats.refused_nomem ? "the statistics count a failure that never happened" : NULL;
}

static void read_pairs(struct worker *worker)
{
	struct field *field = worker->shared;
	uint64_t last_seq = 0, round = 0;
	const char *why = NULL;
	struct prng prng;

	prng_init(&prng, test_seed() + 100 + worker->number);
	while (!why && (round < worker->rounds || atomic_load(&field->writers_left))) {
		uint64_t which = prng_below(&prng, ARRAY_SIZE(pairs));
		uint64_t seq = gms_seq_read(field->state, 5 * BLOCK_1G);

		if (round++ % 4 == 0)
			why = read_locked(field, pairs[which].start, pairs[which].end);
		else
			why = read_by_seq(field, pairs[which].start, pairs[which].end);
		if (!why)
			why = read_unprotected(field);
		if (!why)
			why = read_odd(field->state);
		if (!why && seq < last_seq)
			why = "a sequence number went down";
		last_seq = seq;
	}
	worker->why = why;
}

static struct gms_state *create(uint64_t nr_pages)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	return state;
}

static void test_r5_no_conversion_is_seen_in_part(void **unused)
{
	struct worker workers[NR_WRITERS + NR_READERS] = {0};
	static struct field field;
	const char *reason;
	uint64_t block;
	unsigned int i;

	(void)unused;
	field.state = create(NR_BLOCKS * BLOCK_1G);
	assert_int_equal(gms_convert(field.state, STAYS_PRIVATE, 1, GMS_PRIVATE, 0, NULL), 0);
	atomic_store(&field.writers_left, NR_WRITERS);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] =
			(struct worker) {.run = i < NR_WRITERS ? convert_pairs : read_pairs,
					 .shared = &field,
					 .number = i,
					 .rounds = test_iters(i < NR_WRITERS ? 200000 : 20000)};
	workers_run(workers, ARRAY_SIZE(workers));
	assert_in_range(field.seen, 1, UINT64_MAX);
	for (block = 0; block < NR_BLOCKS; block++)
		assert_int_equal(gms_seq_read(field.state, block * BLOCK_1G) % 2, 0);
	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_fine(check_whole(field.state, pairs[i].start, pairs[i].end));
	if (!gms_state_verify(field.state, &reason))
		fail_msg("%s", reason);
	gms_state_destroy(field.state);
}

/* An object that is so large that its sequence numbers are odd most of the time. */
#define VAST (1ULL << 34)

static void convert_all(struct worker *worker)
{
	struct field *field = worker->shared;
	uint64_t round;
	int rc = 0;

	for (round = 0; round < worker->rounds && !rc; round++)
		rc = gms_convert(field->state, 0, VAST, round % 2 ? GMS_SHARED : GMS_PRIVATE, 0,
				 NULL);
	atomic_fetch_sub(&field->writers_left, 1);
	worker_expect(worker, !rc, "a conversion failed");
}

static void watch_odd(struct worker *worker)
{
	struct field *field = worker->shared;

	while (!worker->why && atomic_load(&field->writers_left))
		worker->why = read_odd(field->state);
}

static void test_r5_odd_numbers_are_never_accepted(void **unused)
{
	struct worker workers[] = {{.run = convert_all}, {.run = watch_odd}};
	static struct field field;
	unsigned int i;

	(void)unused;
	field.state = create(VAST);
	atomic_store(&field.writers_left, 1);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].shared = &field;
		workers[i].rounds = test_iters(500);
	}
	workers_run(workers, ARRAY_SIZE(workers));
	assert_int_equal(gms_seq_read(field.state, VAST - 1) % 2, 0);
	gms_state_destroy(field.state);
}

/* Threads that convert the same pages, to different states. */
static void convert_own(struct worker *worker)
{
	struct field *field = worker->shared;
	uint64_t round;
	int rc = 0;

	for (round = 0; round < worker->rounds && !rc; round++) {
		rc = gms_convert(field->state, 3 + round % 2 * BLOCK_2M, BLOCK_1G,
				 worker->number % 2 ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	}
	worker_expect(worker, !rc, "a conversion failed");
}

static void test_conversions_of_equal_ranges_are_all_counted(void **unused)
{
	struct worker workers[4] = {0};
	struct gms_stats stats = {.struct_size = sizeof(stats)};
	static struct field field;
	uint64_t rounds = test_iters(20000);
	unsigned int i;

	(void)unused;
	field.state = create(2 * BLOCK_1G);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {
			.run = convert_own, .shared = &field, .number = i, .rounds = rounds};
	workers_run(workers, ARRAY_SIZE(workers));
	gms_stats_read(field.state, &stats);
	assert_int_equal(stats.conversions + stats.noops, ARRAY_SIZE(workers) * rounds);
	assert_true(gms_state_verify(field.state, NULL));
	gms_state_destroy(field.state);
}

/* Takes the shared lock while another thread holds it. */
static void hold_too(struct worker *worker)
{
	struct field *field = worker->shared;

	worker_expect(worker, !gms_lock_shared(field->state, 0, BLOCK_1G),
		      "gms_lock_shared() failed");
	gms_unlock_shared(field->state, 0, BLOCK_1G);
}

static void test_two_threads_may_hold_the_shared_lock(void **unused)
{
	struct worker worker = {.run = hold_too};
	static struct field field;

	(void)unused;
	field.state = create(BLOCK_1G);
	worker.shared = &field;
	assert_int_equal(gms_lock_shared(field.state, 5, 5), 0);
	/* The worker gets the lock although this thread holds it. */
	workers_run(&worker, 1);
	gms_unlock_shared(field.state, 5, 5);
	gms_state_destroy(field.state);
}

static void *convert_once(void *arg)
{
	struct field *field = arg;
	int rc = gms_convert(field->state, 0, BLOCK_1G, GMS_PRIVATE, 0, NULL);

	atomic_store(&field->seen, rc ? 2 : 1);
	return NULL;
}

/* R5 and rule 18: no conversion takes place while gms_lock_shared() is held. */
static void test_the_shared_lock_excludes_conversions(void **unused)
{
	static struct field field;
	pthread_t thread;
	int i;

	(void)unused;
	field.state = create(BLOCK_1G);
	atomic_store(&field.seen, 0);
	assert_int_equal(gms_lock_shared(field.state, 5, 5), 0);
	assert_int_equal(pthread_create(&thread, NULL, convert_once, &field), 0);
	for (i = 0; i < 1000; i++) {
		sched_yield();
		assert_int_equal(gms_count(field.state, 0, BLOCK_1G, GMS_PRIVATE), 0);
		assert_int_equal(field.seen, 0);
	}
	gms_unlock_shared(field.state, 5, 5);
	pthread_join(thread, NULL);
	assert_int_equal(field.seen, 1);
	assert_int_equal(gms_count(field.state, 0, BLOCK_1G, GMS_PRIVATE), BLOCK_1G);
	gms_state_destroy(field.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r5_no_conversion_is_seen_in_part),
		cmocka_unit_test(test_r5_odd_numbers_are_never_accepted),
		cmocka_unit_test(test_conversions_of_equal_ranges_are_all_counted),
		cmocka_unit_test(test_two_threads_may_hold_the_shared_lock),
		cmocka_unit_test(test_the_shared_lock_excludes_conversions),
	};

	return cmocka_run_group_tests_name("state-threads", tests, NULL, NULL);
}
