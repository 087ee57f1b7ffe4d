/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * test_kernel.h - the parts of libc, pthreads and cmocka that the tests use, in a kernel
 *
 * The tests and their helpers (tests/, sim/) are compiled here unchanged. They include headers by
 * the names of libc and cmocka; the headers of those names in this folder lead here. Only what the
 * tests use exists, and it means the same as in user space, with these exceptions:
 *
 *  1. Each test runs in a kernel thread of its own. An assertion that fails ends the thread, and
 *     frees nothing. The module then stays loaded.
 *  2. Output goes to the log: of printf() at the level of debugging, of stderr as errors.
 *  3. An object of a thread (_Thread_local) is one object of all threads: only texts of errors
 *     are such objects.
 *  4. exit() ends the test, which fails.
 */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/stdarg.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>

#define _Thread_local

/* ---- stdint.h, inttypes.h ---- */

#ifndef UINT64_MAX
#define UINT64_MAX (~0ULL)
#endif
#ifndef UINT32_MAX
#define UINT32_MAX (~0U)
#endif
#define PRIu64 "llu"
#define PRIx64 "llx"

/* ---- stdio.h, stdlib.h: the names are macros, because compilers know the functions ---- */

typedef struct test_stream FILE;
#define stderr ((FILE *)1)
#define stdout ((FILE *)0)

__printf(2, 3) void test_print(FILE *to, const char *fmt, ...);
#define printf(...) test_print(stdout, __VA_ARGS__)
#define fprintf(...) test_print(__VA_ARGS__)
#define print_message(...) test_print(stdout, __VA_ARGS__)
#define print_error(...) test_print(stderr, __VA_ARGS__)
#define fflush(stream) ((void)(stream))

__printf(3, 4) int snprintf(char *buf, size_t size, const char *fmt, ...);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);

void *test_realloc(void *ptr, size_t size);
void *test_calloc(size_t nr, size_t size);
void test_free(void *ptr);
static inline void *malloc(size_t size)
{
	return test_realloc(NULL, size);
}

static inline void *calloc(size_t nr, size_t size)
{
	return test_calloc(nr, size);
}

static inline void *realloc(void *ptr, size_t size)
{
	return test_realloc(ptr, size);
}

static inline void *reallocarray(void *ptr, size_t nr, size_t size)
{
	return test_realloc(ptr, nr * size);
}

static inline void free(void *ptr)
{
	test_free(ptr);
}

int posix_memalign(void **ptr, size_t align, size_t size);
#define exit(status) fail_msg("exit(%d)", status)

/* ---- sched.h, time.h ---- */

void sched_yield(void);
void test_resched(void);

#define CLOCK_REALTIME 0

struct test_timespec {
	long long tv_sec;
	long tv_nsec;
};

#define timespec test_timespec
void clock_gettime(int clock, struct timespec *now);

/* ---- pthread.h: an object holds a pointer to the kernel's ---- */

struct test_thread;
typedef struct test_thread *pthread_t;
typedef struct test_mutex *pthread_mutex_t;
typedef struct test_cond *pthread_cond_t;
typedef struct test_barrier *pthread_barrier_t;
extern struct test_mutex test_static_mutex; /* for the only static one that the tests have */
#define PTHREAD_MUTEX_INITIALIZER (&test_static_mutex)

int pthread_create(pthread_t *thread, const void *attr, void *(*run)(void *), void *arg);
int pthread_join(pthread_t thread, void **result);
int pthread_mutex_init(pthread_mutex_t *mutex, const void *attr);
void pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_cond_init(pthread_cond_t *cond, const void *attr);
void pthread_cond_destroy(pthread_cond_t *cond);
void pthread_cond_broadcast(pthread_cond_t *cond);
void pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
/* Returns 0, or ETIMEDOUT when the clock has passed @until. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			   const struct timespec *until);
int pthread_barrier_init(pthread_barrier_t *barrier, const void *attr, unsigned int count);
void pthread_barrier_destroy(pthread_barrier_t *barrier);
void pthread_barrier_wait(pthread_barrier_t *barrier);

/* ---- cmocka.h ---- */

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

#define cmocka_unit_test(f)       \
	{                         \
#f, f, NULL, NULL \
	}
#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
	{                                                   \
#f, f, setup, teardown                      \
	}
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
	((void)(name), test_run_group(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown))
#define cmocka_run_group_tests(tests, setup, teardown) \
	cmocka_run_group_tests_name("", tests, setup, teardown)

/* Runs the tests of a program. Returns how many failed. */
int test_run_group(const struct CMUnitTest *tests, size_t nr, int (*setup)(void **state),
		   int (*teardown)(void **state));

/* Note what becomes of the test that runs. */
__printf(3, 4) void test_fail(const char *file, int line, const char *fmt, ...);
void test_skip(void);

struct completion;
struct completion *test_thread_done(void);
__noreturn void kthread_complete_and_exit(struct completion *done, long code);

/*
 * Ends the calling thread, and with it the test. Inline, because objtool knows by their names the
 * functions of the kernel that do not return, and no others.
 */
__noreturn static inline void test_end(void)
{
	kthread_complete_and_exit(test_thread_done(), 0);
}

#define fail_msg(...) (test_fail(__FILE__, __LINE__, __VA_ARGS__), test_end())
#define fail() fail_msg("failed")
#define skip() (test_skip(), test_end())

#define TEST_COMPARE(a, op, b)                                              \
	do {                                                                \
		const unsigned long long a_ = (unsigned long long)(a);      \
		const unsigned long long b_ = (unsigned long long)(b);      \
                                                                            \
		if (!(a_ op b_))                                            \
			fail_msg("%s is %llu, %s is %llu", #a, a_, #b, b_); \
	} while (0)

#define assert_true(cond)                               \
	do {                                            \
		if (!(cond))                            \
			fail_msg("%s is false", #cond); \
	} while (0)
#define assert_false(cond) assert_true(!(cond))
#define assert_null(p) assert_true(!(p))
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) assert_true((const void *)(a) != (const void *)(b))
#define assert_int_equal(a, b) TEST_COMPARE(a, ==, b)
#define assert_int_not_equal(a, b) TEST_COMPARE(a, !=, b)
#define assert_in_range(v, low, high)      \
	do {                               \
		TEST_COMPARE(v, >=, low);  \
		TEST_COMPARE(v, <=, high); \
	} while (0)
#define assert_string_equal(a, b) assert_true(!strcmp(a, b))
#define assert_memory_equal(a, b, size) assert_true(!memcmp(a, b, size))
#define assert_memory_not_equal(a, b, size) assert_true(memcmp(a, b, size))

#endif /* TEST_KERNEL_H */
