// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test.c - libc, pthreads and cmocka for the tests, as far as they use them: see test_kernel.h
 */
#include "main.h"

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "test.h"

static ulong seed = 0x67e5;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "seed of the random tests");

static ulong divisor = 1;
module_param(divisor, ulong, 0444);
MODULE_PARM_DESC(divisor, "divides the rounds of the tests, on a slow machine");

/* ---- tests/lib/test.h ---- */

bool test_on_valgrind(void)
{
	return divisor > 1;
}

unsigned int test_slowdown(void)
{
	return (unsigned int)divisor;
}

uint64_t test_iters(uint64_t normal)
{
	return normal / divisor ? normal / divisor : 1;
}

uint64_t test_seed(void)
{
	return seed;
}

bool test_forks(void)
{
	return false;
}

bool test_fails(bool (*fails)(const void *arg), const void *arg)
{
	return fails(arg);
}

bool test_in_kernel(void)
{
	return true;
}

int test_thread(void)
{
	return current->pid;
}

bool test_thread_sleeps(int thread)
{
	struct task_struct *task;
	bool sleeps;

	rcu_read_lock();
	task = pid_task(find_vpid(thread), PIDTYPE_PID);
	sleeps = task && !task_is_running(task);
	rcu_read_unlock();
	return sleeps;
}

void test_nap(void)
{
	usleep_range(1000, 2000);
}

void test_end_on_crash(void)
{
}

/* ---- output ---- */

void test_print(FILE *to, const char *fmt, ...)
{
	struct va_format vaf = {.fmt = fmt};
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	if (to == stderr)
		pr_err("# %pV", &vaf);
	else
		pr_debug("# %pV", &vaf);
	va_end(args);
}

/* ---- memory: a header is in front of each piece ---- */

struct piece {
	void *raw;
	size_t size;
};

static struct piece *piece_of(void *ptr)
{
	return (struct piece *)ptr - 1;
}

int posix_memalign(void **ptr, size_t align, size_t size)
{
	const size_t front = ALIGN(sizeof(struct piece), align);
	char *raw = kvmalloc(size_add(size, front + align), GFP_KERNEL | __GFP_NOWARN);
	char *to;

	if (!raw)
		return ENOMEM;
	to = PTR_ALIGN(raw + front, align);
	*piece_of(to) = (struct piece) {raw, size};
	*ptr = to;
	return 0;
}

void test_free(void *ptr)
{
	if (ptr)
		kvfree(piece_of(ptr)->raw);
}

void *test_realloc(void *old, size_t size)
{
	void *new;

	if (posix_memalign(&new, sizeof(struct piece), size))
		return NULL;
	if (old)
		memcpy(new, old, min(size, piece_of(old)->size));
	test_free(old);
	return new;
}

void *test_calloc(size_t nr, size_t size)
{
	const size_t bytes = array_size(nr, size);
	void *new = test_realloc(NULL, bytes);

	return new ? memset(new, 0, bytes) : NULL;
}

/* ---- threads ---- */

struct test_thread {
	void *(*run)(void *arg);
	void *arg;
	struct completion done;
};

static int thread_main(void *data)
{
	struct test_thread *t = data;

	t->run(t->arg);
	kthread_complete_and_exit(&t->done, 0);
}

int pthread_create(pthread_t *thread, const void *attr, void *(*run)(void *), void *arg)
{
	struct test_thread *t = kzalloc(sizeof(*t), GFP_KERNEL);
	struct task_struct *task;

	if (!t)
		return ENOMEM;
	t->run = run;
	t->arg = arg;
	init_completion(&t->done);
	task = kthread_run(thread_main, t, "gmemstate_test");
	if (IS_ERR(task)) {
		kfree(t);
		return EAGAIN;
	}
	*thread = t;
	return 0;
}

int pthread_join(pthread_t thread, void **result)
{
	wait_for_completion(&thread->done);
	kfree(thread);
	return 0;
}

/* The calling thread is one that pthread_create() has made. */
struct completion *test_thread_done(void)
{
	struct test_thread *t = kthread_data(current);

	return &t->done;
}

void sched_yield(void)
{
	yield();
}

void test_resched(void)
{
	cond_resched();
}

/* Each mutex has a class of its own: the tests nest mutexes as they like. */
struct test_mutex {
	struct mutex lock; /* has the class @key */
	struct lock_class_key key;
};

struct test_mutex test_static_mutex = {
	.lock = __MUTEX_INITIALIZER(test_static_mutex.lock),
};

int pthread_mutex_init(pthread_mutex_t *mutex, const void *attr)
{
	struct test_mutex *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return ENOMEM;
	lockdep_register_key(&m->key);
	__mutex_init(&m->lock, "test_mutex", &m->key);
	*mutex = m;
	return 0;
}

void pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	struct test_mutex *m = *mutex;

	mutex_destroy(&m->lock);
	lockdep_unregister_key(&m->key);
	kfree(m);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	mutex_lock(&(*mutex)->lock);
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	mutex_unlock(&(*mutex)->lock);
	return 0;
}

struct test_cond {
	wait_queue_head_t waiters;
	atomic_t broadcasts;
};

int pthread_cond_init(pthread_cond_t *cond, const void *attr)
{
	struct test_cond *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return ENOMEM;
	init_waitqueue_head(&c->waiters);
	*cond = c;
	return 0;
}

void pthread_cond_destroy(pthread_cond_t *cond)
{
	kfree(*cond);
}

void pthread_cond_broadcast(pthread_cond_t *cond)
{
	atomic_inc(&(*cond)->broadcasts);
	wake_up_all(&(*cond)->waiters);
}

static int cond_wait(struct test_cond *c, pthread_mutex_t *mutex, long jiffies)
{
	const int before = atomic_read(&c->broadcasts);
	long left;

	pthread_mutex_unlock(mutex);
	left = wait_event_timeout(c->waiters, atomic_read(&c->broadcasts) != before, jiffies);
	pthread_mutex_lock(mutex);
	return left ? 0 : ETIMEDOUT;
}

void pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	cond_wait(*cond, mutex, MAX_SCHEDULE_TIMEOUT);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			   const struct timespec *until)
{
	const s64 ns = until->tv_sec * NSEC_PER_SEC + until->tv_nsec - ktime_get_real_ns();

	return ns > 0 ? cond_wait(*cond, mutex, nsecs_to_jiffies(ns) + 1) : ETIMEDOUT;
}

void clock_gettime(int clock, struct timespec *now)
{
	const u64 ns = ktime_get_real_ns();

	now->tv_sec = ns / NSEC_PER_SEC;
	now->tv_nsec = ns % NSEC_PER_SEC;
}

struct test_barrier {
	pthread_mutex_t lock;
	pthread_cond_t full;
	unsigned int count, waiting, rounds;
};

int pthread_barrier_init(pthread_barrier_t *barrier, const void *attr, unsigned int count)
{
	struct test_barrier *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b || pthread_mutex_init(&b->lock, NULL) || pthread_cond_init(&b->full, NULL))
		return ENOMEM;
	b->count = count;
	*barrier = b;
	return 0;
}

void pthread_barrier_destroy(pthread_barrier_t *barrier)
{
	pthread_cond_destroy(&(*barrier)->full);
	pthread_mutex_destroy(&(*barrier)->lock);
	kfree(*barrier);
}

void pthread_barrier_wait(pthread_barrier_t *barrier)
{
	struct test_barrier *b = *barrier;
	unsigned int round;

	pthread_mutex_lock(&b->lock);
	round = b->rounds;
	if (++b->waiting == b->count) {
		b->waiting = 0;
		b->rounds++;
		pthread_cond_broadcast(&b->full);
	}
	while (b->rounds == round)
		pthread_cond_wait(&b->full, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

/* ---- cmocka ---- */

/* What became of the current test. Written by its threads, and read when they have ended. */
static bool test_failed, test_skipped;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	struct va_format vaf = {.fmt = fmt};
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	pr_err("# %s:%d: %pV\n", file, line, &vaf);
	va_end(args);
	WRITE_ONCE(test_failed, true);
}

void test_skip(void)
{
	WRITE_ONCE(test_skipped, true);
}

static void *test_main(void *arg)
{
	const struct CMUnitTest *test = arg;
	void *state = NULL;

	if (test->setup && test->setup(&state))
		fail_msg("the setup failed");
	test->run(&state);
	if (test->teardown && test->teardown(&state))
		fail_msg("the teardown failed");
	return NULL;
}

int test_run_group(const struct CMUnitTest *tests, size_t nr, int (*setup)(void **state),
		   int (*teardown)(void **state))
{
	int failures = 0;
	size_t i;

	/* No program that runs here has a setup for the whole group. */
	if (setup || teardown)
		return -1;
	for (i = 0; i < nr; i++) {
		enum test_result result = TEST_PASSED;
		pthread_t thread;

		test_failed = false;
		test_skipped = false;
		if (pthread_create(&thread, NULL, test_main, (void *)&tests[i]))
			return -1;
		pthread_join(thread, NULL);
		if (test_skipped)
			result = TEST_SKIPPED;
		if (test_failed)
			result = TEST_FAILED;
		failures += test_failed;
		test_report(tests[i].name, result);
	}
	return failures;
}

/* ---- what the compiler calls ---- */

/* For __builtin_popcountll(): the kernel has no library of the compiler. */
int __popcountdi2(unsigned long long x);
int __popcountdi2(unsigned long long x)
{
	return hweight64(x);
}
