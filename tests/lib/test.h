/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * test.h - cmocka, the sizes of this build, and what the tests need from the system; every test
 * includes it
 *
 * The functions are in test.c. In a kernel, where many of the tests run, too, they are in
 * kernel/tests/test.c.
 *
 * The tests of the tree are built twice from one source, with the product's fan-out of 512 and
 * with a tiny fan-out of 4. So they use T_2M and T_1G for the pages of a leaf block and a top
 * block, and T_ORDER_2M and T_ORDER_1G for their orders.
 */
#ifndef GMS_TESTS_TEST_H
#define GMS_TESTS_TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef GMS_RTREE_SHIFT
#define T_SHIFT GMS_RTREE_SHIFT
#else
#define T_SHIFT 9
#endif

#define T_ORDER_2M ((unsigned int)T_SHIFT)
#define T_ORDER_1G (2U * T_SHIFT)
#define T_FANOUT (1ULL << T_SHIFT)
#define T_2M (1ULL << T_ORDER_2M)
#define T_1G (1ULL << T_ORDER_1G)

#ifndef ARRAY_SIZE /* the kernel has it */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* For checks that return NULL, or a text that says what is wrong. */
#define assert_fine(expr)                     \
	do {                                  \
		const char *why_ = (expr);    \
                                              \
		if (why_)                     \
			fail_msg("%s", why_); \
	} while (0)

/* Returns true if the process runs under valgrind, which makes it some fifty times slower. */
bool test_on_valgrind(void);

/*
 * Returns how many times slower tests run here than in a release, roughly: 50 under valgrind, 10
 * with ThreadSanitizer, 4 with AddressSanitizer or in a debug build, else 1.
 */
unsigned int test_slowdown(void);

/*
 * Returns the number of rounds of a test: GMS_TEST_ITERS from the environment, or @normal by
 * test_slowdown(). It is never 0.
 */
uint64_t test_iters(uint64_t normal);

/* Returns the seed: GMS_TEST_SEED from the environment, or a fixed number. */
uint64_t test_seed(void);

/* Returns true if GMS_TEST_FORK is set: a history runs in a process of its own. */
bool test_forks(void);

/*
 * Calls a function, in a new process if test_forks(). Returns what it returns; true if the process
 * crashes.
 */
bool test_fails(bool (*fails)(const void *arg), const void *arg);

/*
 * Returns true in a kernel. There the library knows nothing of the calling thread, so no call
 * returns -EDEADLK; and a thread locks one object at a time.
 */
bool test_in_kernel(void);
#define skip_in_kernel()              \
	do {                          \
		if (test_in_kernel()) \
			skip();       \
	} while (0)

/* Returns a number of the calling thread, not 0, by which test_thread_sleeps() knows it. */
int test_thread(void);

/* Returns true if a thread sleeps. */
bool test_thread_sleeps(int thread);

/* Sleeps for a millisecond. */
void test_nap(void);

/*
 * Makes a crash end the process. cmocka's handlers of signals would jump to the stack of the main
 * thread, from any thread.
 */
void test_end_on_crash(void);

#endif /* GMS_TESTS_TEST_H */
