/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * test.h - what every test includes: cmocka, the sizes of this build, iteration counts
 *
 * The tree's tests are built twice, with the product's fan-out of 512 and with a tiny
 * one of 4, from the same sources: they speak of T_2M and T_1G, the pages of a leaf
 * block and of a top block, and of T_ORDER_2M and T_ORDER_1G.
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

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* For checks that return NULL where all is well, else what is wrong. */
#define assert_fine(expr)                     \
	do {                                  \
		const char *why_ = (expr);    \
                                              \
		if (why_)                     \
			fail_msg("%s", why_); \
	} while (0)

/* Is this process run by valgrind, some fifty times slower? */
bool test_on_valgrind(void);

/*
 * How many rounds to go: GMS_TEST_ITERS from the environment where that is set, else
 * @normal, or a tenth of it under ThreadSanitizer, a fiftieth under valgrind; 1 at least.
 */
uint64_t test_iters(uint64_t normal);

/* The seed: GMS_TEST_SEED from the environment, else a fixed one. */
uint64_t test_seed(void);

#endif /* GMS_TESTS_TEST_H */
