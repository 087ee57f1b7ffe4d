// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ranks.c - proves that debug builds check the order of locks, and say which lock breaks it
 */
#include "platform.h"

#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int object, other;
static struct gms_spinlock locks[64];
static unsigned int nr_locks;
static struct gms_rwlock rwlock;

/* Takes a new lock, so that the order of the locks is the only mistake. */
static struct gms_spinlock *take(const void *of, enum gms_rank rank, unsigned int key)
{
	struct gms_spinlock *lock = &locks[nr_locks++ % ARRAY_SIZE(locks)];

	gms_spin_init(lock, of, rank, key);
	gms_spin_lock(lock);
	return lock;
}

static void lower_rank(void)
{
	take(&object, GMS_RANK_FOLIO, 0);
	take(&object, GMS_RANK_INVALIDATE, 5);
}

static void same_key(void)
{
	take(&object, GMS_RANK_CONVERT, 3);
	take(&object, GMS_RANK_CONVERT, 3);
}

static void lower_key(void)
{
	take(&object, GMS_RANK_CONVERT, 3);
	take(&object, GMS_RANK_CONVERT, 2);
}

/* All locks count, not only the one that was taken last. */
static void lower_than_an_older_one(void)
{
	take(&object, GMS_RANK_INVALIDATE, 0);
	gms_spin_unlock(take(&object, GMS_RANK_FOLIO, 0));
	take(&other, GMS_RANK_CONVERT, 0);
	take(&object, GMS_RANK_CONVERT, 0);
}

static void unlock_what_is_not_held(void)
{
	struct gms_spinlock *lock = take(&object, GMS_RANK_CONVERT, 0);

	gms_spin_unlock(lock);
	gms_spin_unlock(lock);
}

/* Each kind of lock is checked, in each mode of locking. */
static void mutex_in_the_wrong_order(void)
{
	struct gms_mutex m;

	(void)gms_mutex_init(&m, &object, GMS_RANK_CONVERT, 1);
	take(&object, GMS_RANK_INVALIDATE, 0);
	gms_mutex_lock(&m);
}

static void reader_in_the_wrong_order(void)
{
	(void)gms_rwlock_init(&rwlock, &object, GMS_RANK_INVALIDATE, 1);
	take(&object, GMS_RANK_FOLIO, 0);
	gms_rwlock_read_lock(&rwlock);
}

static void writer_in_the_wrong_order(void)
{
	(void)gms_rwlock_init(&rwlock, &object, GMS_RANK_INVALIDATE, 1);
	take(&object, GMS_RANK_INVALIDATE, 2);
	gms_rwlock_write_lock(&rwlock);
}

static void right_order(void)
{
	struct gms_spinlock *convert[16], *invalidate[16], *others, *folio, *tree;

	for (unsigned int i = 0; i < 16; i++)
		convert[i] = take(&object, GMS_RANK_CONVERT, i);
	for (unsigned int i = 0; i < 16; i++)
		invalidate[i] = take(&object, GMS_RANK_INVALIDATE, i);
	others = take(&other, GMS_RANK_CONVERT, 0);
	gms_spin_unlock(take(&object, GMS_RANK_FOLIO, 7));
	folio = take(&object, GMS_RANK_FOLIO, 6);
	tree = take(&object, GMS_RANK_TREE, 1);
	for (unsigned int i = 0; i < 16; i++)
		gms_spin_unlock(invalidate[i]);
	gms_spin_unlock(tree);
	gms_spin_unlock(folio);
	gms_spin_unlock(take(&object, GMS_RANK_INVALIDATE, 0));
	for (unsigned int i = 16; i--;)
		gms_spin_unlock(convert[i]);
	gms_spin_unlock(others);
}

/*
 * Calls a function in a new process. Returns true if the process dies by a signal. Sets @said to
 * the first line of its standard error.
 */
static bool dies(void (*wrong)(void), char *said, size_t size)
{
	const struct rlimit no_core = {0, 0};
	int status, fds[2];
	ssize_t length;
	pid_t pid;

	fflush(NULL);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		wrong();
		_exit(0);
	}
	close(fds[1]);
	length = read(fds[0], said, size - 1);
	said[length > 0 ? length : 0] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* The message names the file, the two locks, and the header that defines the order. */
static void test_wrong_orders_trap_and_the_right_one_does_not(void **state)
{
	static const struct {
		void (*wrong)(void);
		const char *what;
	} cases[] = {
		{lower_rank, "invalidate lock 5 is taken under folio lock 0"},
		{same_key, "convert lock 3 is taken under convert lock 3"},
		{lower_key, "convert lock 2 is taken under convert lock 3"},
		{lower_than_an_older_one, "convert lock 0 is taken under invalidate lock 0"},
		{unlock_what_is_not_held,
		 "convert lock 0 is unlocked by a thread that does not hold it"},
		{mutex_in_the_wrong_order, "convert lock 1 is taken under invalidate lock 0"},
		{reader_in_the_wrong_order, "invalidate lock 1 is taken under folio lock 0"},
		{writer_in_the_wrong_order, "invalidate lock 1 is taken under invalidate lock 2"},
	};
	char said[256];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
#ifdef GMS_DEBUG
		assert_true(dies(cases[i].wrong, said, sizeof(said)));
		assert_non_null(strstr(said, cases[i].what));
		assert_non_null(strstr(said, "ranks.c:"));
		assert_non_null(strstr(said, "core.h"));
#else
		/* release builds do not check, and say nothing */
		assert_false(dies(cases[i].wrong, said, sizeof(said)));
		assert_string_equal(said, "");
#endif
	}
	assert_false(dies(right_order, said, sizeof(said)));
	assert_string_equal(said, "");
}

static void test_a_thread_knows_the_ranks_that_it_holds(void **state)
{
#ifdef GMS_DEBUG
	struct gms_spinlock *one, *two;

	(void)state;
	assert_false(gms_rank_holds(&object, GMS_RANK_CONVERT));
	one = take(&object, GMS_RANK_CONVERT, 1);
	two = take(&object, GMS_RANK_CONVERT, 2);
	assert_true(gms_rank_holds(&object, GMS_RANK_CONVERT));
	assert_false(gms_rank_holds(&object, GMS_RANK_INVALIDATE));
	assert_false(gms_rank_holds(&other, GMS_RANK_CONVERT));
	gms_spin_unlock(one);
	assert_true(gms_rank_holds(&object, GMS_RANK_CONVERT));
	gms_spin_unlock(two);
	assert_false(gms_rank_holds(&object, GMS_RANK_CONVERT));
#else
	(void)state;
	print_message("skipped: only debug builds keep ranks\n");
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_orders_trap_and_the_right_one_does_not),
		cmocka_unit_test(test_a_thread_knows_the_ranks_that_it_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
