// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * platform.c - proves that the platform's locks exclude and starve no thread, and that a thread
 * knows what it holds
 *
 * Tests rule 18.
 *
 * The locks protect plain data, so that ThreadSanitizer sees a lock that does not order accesses.
 * Turns are counted. A lock that starves a thread, or does not wake it, makes the test hang until
 * ctest ends it. The tests read the words of a lock to see that a thread sleeps.
 */
#include "platform.h"

#include "test.h"
#include "threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static struct gms_spinlock spinlock;
static struct gms_mutex mutex;
static struct gms_rwlock rwlock;

/* The data that the locks protect: two numbers that are equal while no writer is inside. */
static uint64_t left, right;
static atomic_uint readers_in, reads, tickets;
static atomic_bool stop;

static void setup(void)
{
	gms_spin_init(&spinlock, &spinlock, GMS_RANK_TREE, 0);
	assert_int_equal(gms_mutex_init(&mutex, &mutex, GMS_RANK_CONVERT, 0), 0);
	assert_int_equal(gms_rwlock_init(&rwlock, &rwlock, GMS_RANK_INVALIDATE, 0), 0);
	left = right = 0;
	readers_in = reads = tickets = 0;
	stop = false;
}

static void teardown(void)
{
	gms_mutex_fini(&mutex);
	gms_rwlock_fini(&rwlock);
}

static void wait_for(const uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
		sched_yield();
}

static void run_spin(struct worker *worker)
{
	for (uint64_t i = 0; i < worker->rounds; i++) {
		gms_spin_lock(&spinlock);
		left++;
		right++;
		gms_spin_unlock(&spinlock);
	}
}

static void run_mutex(struct worker *worker)
{
	for (uint64_t i = 0; i < worker->rounds; i++) {
		gms_mutex_lock(&mutex);
		left++;
		if (i % 64 == 0)
			sched_yield();
		right++;
		gms_mutex_unlock(&mutex);
	}
}

static void check_excludes(void (*run)(struct worker *worker))
{
	struct worker workers[4] = {0};
	uint64_t rounds = test_iters(20000);

	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {.run = run, .rounds = rounds};
	workers_run(workers, ARRAY_SIZE(workers));
	assert_int_equal(left, ARRAY_SIZE(workers) * rounds);
	assert_int_equal(right, left);
	teardown();
}

static void test_spinlock_excludes(void **state)
{
	(void)state;
	check_excludes(run_spin);
}

static void test_mutex_excludes(void **state)
{
	(void)state;
	check_excludes(run_mutex);
}

/* Returns at once, yields, or sleeps long enough for waiting threads to fall asleep. */
static void linger(uint64_t i)
{
	const struct timespec while_others_sleep = {.tv_nsec = 20000};

	if (i % 16 == 3)
		sched_yield();
	if (i % 64 == 7)
		nanosleep(&while_others_sleep, NULL);
}

static void run_reader(struct worker *worker)
{
	for (uint64_t i = 0; i < worker->rounds; i++) {
		bool equal;

		gms_rwlock_read_lock(&rwlock);
		atomic_fetch_add_explicit(&readers_in, 1, memory_order_relaxed);
		equal = left == right;
		linger(i + worker->number);
		equal = equal && left == right;
		atomic_fetch_sub_explicit(&readers_in, 1, memory_order_relaxed);
		gms_rwlock_read_unlock(&rwlock);
		worker_expect(worker, equal, "a reader was inside beside a writer");
	}
}

static void run_writer(struct worker *worker)
{
	for (uint64_t i = 0; i < worker->rounds; i++) {
		bool alone;

		gms_mutex_lock(&mutex);
		gms_rwlock_write_lock(&rwlock);
		alone = !atomic_load_explicit(&readers_in, memory_order_relaxed);
		left++;
		linger(i);
		right++;
		alone = alone && !atomic_load_explicit(&readers_in, memory_order_relaxed);
		gms_rwlock_write_unlock(&rwlock);
		gms_mutex_unlock(&mutex);
		worker_expect(worker, alone, "a writer was inside beside a reader");
	}
}

static void test_rwlock_excludes_writers(void **state)
{
	struct worker workers[6] = {0};
	uint64_t rounds = test_iters(5000);

	(void)state;
	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {
			.run = i < 2 ? run_writer : run_reader, .number = i, .rounds = rounds};
	workers_run(workers, ARRAY_SIZE(workers));
	assert_int_equal(left, 2 * rounds);
	assert_int_equal(right, 2 * rounds);
	teardown();
}

/* Stays inside until another reader is inside, too, so that the lock is never free. */
static void run_overlapping_reader(struct worker *worker)
{
	(void)worker;
	while (!stop) {
		unsigned int before;

		gms_rwlock_read_lock(&rwlock);
		before = atomic_fetch_add(&reads, 1);
		for (unsigned int i = 0; i < 100 && reads == before + 1; i++)
			sched_yield();
		gms_rwlock_read_unlock(&rwlock);
	}
}

static void run_writer_until_done(struct worker *worker)
{
	for (uint64_t i = 0; i < worker->rounds; i++) {
		gms_rwlock_write_lock(&rwlock);
		left++;
		gms_rwlock_write_unlock(&rwlock);
	}
	stop = true;
}

/* Rule 18: a writer gets its turn although there is always a reader inside. */
static void test_writer_gets_its_turn_beside_readers(void **state)
{
	struct worker workers[4] = {0};

	(void)state;
	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {.run = run_overlapping_reader};
	workers[0].run = run_writer_until_done;
	workers[0].rounds = test_iters(1000);
	workers_run(workers, ARRAY_SIZE(workers));
	assert_int_equal(left, workers[0].rounds);
	teardown();
}

static void run_counting_reader(struct worker *worker)
{
	bool equal = true;

	for (uint64_t i = 0; i < worker->rounds; i++) {
		gms_rwlock_read_lock(&rwlock);
		equal = equal && left == right;
		gms_rwlock_read_unlock(&rwlock);
	}
	reads++;
	worker_expect(worker, equal, "a reader was inside beside a writer");
}

/* Takes the lock again at once, until every reader has had all its turns. */
static void run_full_speed_writer(struct worker *worker)
{
	while (reads < worker->rounds) {
		gms_rwlock_write_lock(&rwlock);
		left++;
		for (unsigned int i = 0; i < 100; i++)
			gms_cpu_relax();
		right++;
		gms_rwlock_write_unlock(&rwlock);
	}
}

/* Rule 18: readers get their turns although the writer takes the lock again at once. */
static void test_readers_get_their_turns_beside_a_writer(void **state)
{
	struct worker workers[4] = {0};

	(void)state;
	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] =
			(struct worker) {.run = run_counting_reader, .rounds = test_iters(1000)};
	workers[0].run = run_full_speed_writer;
	workers[0].rounds = ARRAY_SIZE(workers) - 1;
	workers_run(workers, ARRAY_SIZE(workers));
	teardown();
}

#define SLEEPERS 3

/* Unlocks while readers sleep, and locks again at once. The readers must come in between. */
static void run_hand_over(struct worker *worker)
{
	unsigned int before, between;

	gms_rwlock_write_lock(&rwlock);
	tickets = 1;
	wait_for(&rwlock.waiting, SLEEPERS);
	before = reads;
	gms_rwlock_write_unlock(&rwlock);
	gms_rwlock_write_lock(&rwlock);
	between = reads;
	gms_rwlock_write_unlock(&rwlock);
	worker_expect(worker, !before, "a reader did not wait for the writer");
	worker_expect(worker, between == SLEEPERS, "the writer came in twice before a reader");
}

static void run_read_after_writer(struct worker *worker)
{
	(void)worker;
	while (!tickets)
		sched_yield();
	gms_rwlock_read_lock(&rwlock);
	atomic_fetch_add(&reads, 1);
	gms_rwlock_read_unlock(&rwlock);
}

static void test_sleeping_readers_come_next(void **state)
{
	uint64_t rounds = test_iters(300);

	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		struct worker workers[1 + SLEEPERS] = {{.run = run_hand_over}};

		setup();
		for (unsigned int k = 1; k < ARRAY_SIZE(workers); k++)
			workers[k].run = run_read_after_writer;
		workers_run(workers, ARRAY_SIZE(workers));
		assert_int_equal(rwlock.waiting, 0);
		teardown();
	}
}

/* Tests the lock until a writer and a second reader are asleep. */
static void run_first_reader(struct worker *worker)
{
	unsigned int early;

	gms_rwlock_read_lock(&rwlock);
	reads = 1;
	wait_for(&rwlock.waiting, 1);
	wait_for(&rwlock.writer, GMS_WRITER_ASLEEP);
	early = tickets;
	gms_rwlock_read_unlock(&rwlock);
	worker_expect(worker, !early, "a thread came in beside a reader or a waiting writer");
}

static void run_waiting_writer(struct worker *worker)
{
	while (!reads)
		sched_yield();
	gms_rwlock_write_lock(&rwlock);
	worker->rounds = ++tickets;
	gms_rwlock_write_unlock(&rwlock);
}

static void run_late_reader(struct worker *worker)
{
	wait_for(&rwlock.writer, GMS_WRITER_ASLEEP);
	gms_rwlock_read_lock(&rwlock);
	worker->rounds = ++tickets;
	gms_rwlock_read_unlock(&rwlock);
}

static void test_waiting_writer_comes_before_later_readers(void **state)
{
	uint64_t rounds = test_iters(300);

	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		struct worker workers[3] = {{.run = run_first_reader},
					    {.run = run_waiting_writer},
					    {.run = run_late_reader}};

		setup();
		workers_run(workers, ARRAY_SIZE(workers));
		assert_int_equal(workers[1].rounds, 1);
		assert_int_equal(workers[2].rounds, 2);
		teardown();
	}
}

/* The slot of each thread. The address of its element is the thread's list of hooks. */
static unsigned int slots[2 * GMS_NR_SLOTS];

static void run_identity(struct worker *worker)
{
	unsigned int *const me = &slots[worker->number];

	worker_expect(worker, !gms_thread_hooks(), "a new thread has a list of hooks");
	*me = gms_slot();
	gms_thread_set_hooks(me);
	tickets++;
	while (tickets < ARRAY_SIZE(slots))
		sched_yield(); /* until every thread has set its list */
	worker_expect(worker, gms_slot() == *me, "the slot of a thread has changed");
	worker_expect(worker, gms_thread_hooks() == me, "the list of a thread has changed");
}

static void test_threads_share_slots_evenly_and_have_their_own_hooks(void **state)
{
	struct worker workers[ARRAY_SIZE(slots)] = {0};
	unsigned int in_slot[GMS_NR_SLOTS] = {0};

	(void)state;
	tickets = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker) {.run = run_identity, .number = i};
	workers_run(workers, ARRAY_SIZE(workers));
	assert_null(gms_thread_hooks());
	for (unsigned int i = 0; i < ARRAY_SIZE(workers); i++) {
		assert_true(slots[i] < GMS_NR_SLOTS);
		in_slot[slots[i]]++;
	}
	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		assert_int_equal(in_slot[i], ARRAY_SIZE(workers) / GMS_NR_SLOTS);
}

/* A thread finds what it holds in its places. Holding more than there are places does no harm. */
static void test_a_thread_knows_what_it_holds(void **state)
{
	const char objects[GMS_MAX_HELD + 3] = {0};

	(void)state;
	assert_true(gms_thread_is_outside());
	for (unsigned int n = 1; n <= ARRAY_SIZE(objects); n++) {
		for (unsigned int i = 0; i < n; i++) {
			assert_false(gms_thread_holds(&objects[i]));
			gms_thread_hold(&objects[i]);
			assert_int_equal(gms_thread_holds(&objects[i]), i < GMS_MAX_HELD);
			assert_false(gms_thread_is_outside());
		}
		/* drop the objects from the middle to the first, then those behind the middle */
		for (unsigned int i = n / 2 + 1; i--;) {
			gms_thread_drop(&objects[i]);
			assert_false(gms_thread_holds(&objects[i]));
		}
		for (unsigned int i = n / 2 + 1; i < n; i++)
			gms_thread_drop(&objects[i]);
		for (unsigned int i = 0; i < n; i++)
			assert_false(gms_thread_holds(&objects[i]));
		assert_true(gms_thread_is_outside());
	}
	gms_thread_drop(objects); /* an object that is not held */
	assert_true(gms_thread_is_outside());
}

/* An object with a place is dropped, then one without a place. The others are still found. */
static void test_a_dropped_object_leaves_its_place(void **state)
{
	const char objects[GMS_MAX_HELD + 1] = {0};

	(void)state;
	for (unsigned int first = 0; first < GMS_MAX_HELD; first++) {
		for (unsigned int i = 0; i <= GMS_MAX_HELD; i++)
			gms_thread_hold(&objects[i]);
		gms_thread_drop(&objects[first]);
		gms_thread_drop(&objects[GMS_MAX_HELD]);
		for (unsigned int i = 0; i <= GMS_MAX_HELD; i++)
			assert_int_equal(gms_thread_holds(&objects[i]),
					 i != first && i != GMS_MAX_HELD);
		/* the place of the first object is free */
		gms_thread_hold(&objects[GMS_MAX_HELD]);
		assert_true(gms_thread_holds(&objects[GMS_MAX_HELD]));
		for (unsigned int i = 0; i <= GMS_MAX_HELD; i++)
			if (i != first)
				gms_thread_drop(&objects[i]);
		assert_true(gms_thread_is_outside());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thread_knows_what_it_holds),
		cmocka_unit_test(test_a_dropped_object_leaves_its_place),
		cmocka_unit_test(test_threads_share_slots_evenly_and_have_their_own_hooks),
		cmocka_unit_test(test_spinlock_excludes),
		cmocka_unit_test(test_mutex_excludes),
		cmocka_unit_test(test_rwlock_excludes_writers),
		cmocka_unit_test(test_writer_gets_its_turn_beside_readers),
		cmocka_unit_test(test_readers_get_their_turns_beside_a_writer),
		cmocka_unit_test(test_sleeping_readers_come_next),
		cmocka_unit_test(test_waiting_writer_comes_before_later_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
