// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_oracle.c - proves that the tree agrees with a flat array after any history
 *
 * Tests rules 3, 5 and 6.
 *
 * The histories are random, on trees of many sizes. After each operation the test checks the
 * queries around it. After some operations it checks all queries, the invariants, and the memory
 * against that of a new tree with equal content. A history that fails is shrunk and printed.
 *
 *	GMS_TEST_SEED=n    uses another seed (the test prints its seed)
 *	GMS_TEST_ITERS=n   number of operations for each size
 *	GMS_TEST_FORK=1    runs each history in a process of its own, to shrink crashes, too
 */
#include "ops.h"
#include "test.h"

static bool fails(const void *history)
{
	size_t failed;

	return history_run(history, &failed) != NULL;
}

static void run_or_shrink(struct history *history, uint64_t seed)
{
	const char *why;
	size_t failed = 0;

	if (test_forks() && test_fails(fails, history)) {
		history_shrink(history);
		fprintf(stderr, "GMS_TEST_SEED=%llu fails or crashes; shrunk:\n",
			(unsigned long long)seed);
		history_print(history);
	}
	why = history_run(history, &failed);
	if (!why)
		return;
	fprintf(stderr, "GMS_TEST_SEED=%llu: operation %zu: %s; shrinking\n",
		(unsigned long long)seed, failed, why);
	history_shrink(history);
	history_print(history);
	why = history_run(history, &failed);
	fail_msg("%s", why ? why : "the shrunk history does not fail");
}

static void run_sizes(const uint64_t *sizes, size_t nr_sizes, uint64_t nr_ops)
{
	uint64_t seed = test_seed();
	size_t i;

	nr_ops = test_iters(nr_ops);
	printf("GMS_TEST_SEED=%llu GMS_TEST_ITERS=%llu shift %d\n", (unsigned long long)seed,
	       (unsigned long long)nr_ops, T_SHIFT);
	for (i = 0; i < nr_sizes; i++) {
		struct history history;
		struct prng prng;

		prng_init(&prng, seed + sizes[i]);
		history_make(&history, sizes[i], nr_ops, &prng);
		run_or_shrink(&history, seed);
		history_free(&history);
	}
}

static void test_trees_of_few_2m_agree(void **state)
{
	static const uint64_t sizes[] = {1, 2, 3, T_2M - 1, T_2M, T_2M + 1, 3 * T_2M - 1};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), 2000);
}

static void test_trees_of_one_1g_agree(void **state)
{
	static const uint64_t sizes[] = {T_1G - T_2M - 1, T_1G - 1, T_1G};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), T_SHIFT == 9 ? 1500 : 10000);
}

static void test_trees_of_few_1g_agree(void **state)
{
	static const uint64_t sizes[] = {
		T_1G + 1,
		2 * T_1G - 1,
		2 * T_1G + T_2M,
		4 * T_1G + 3 * T_2M + 2,
	};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), T_SHIFT == 9 ? 1500 : 10000);
}

/* Trees of several chunks. */
static void test_trees_of_many_1g_agree(void **state)
{
	static const uint64_t sizes[] = {
		64 * T_1G,
		65 * T_1G + 1,
		130 * T_1G + T_2M + 1,
		260 * T_1G - 1,
	};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), T_SHIFT == 9 ? 300 : 5000);
}

/* Trees of many chunks. */
static void test_trees_of_thousands_of_1g_agree(void **state)
{
	static const uint64_t sizes[] = {
		1024 * T_1G,
		1025 * T_1G + 1,
		2100 * T_1G - 1,
	};

	(void)state;
	run_sizes(sizes, T_SHIFT == 9 ? 2 : 3, T_SHIFT == 9 ? 25 : 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_of_few_2m_agree),
		cmocka_unit_test(test_trees_of_one_1g_agree),
		cmocka_unit_test(test_trees_of_few_1g_agree),
		cmocka_unit_test(test_trees_of_many_1g_agree),
		cmocka_unit_test(test_trees_of_thousands_of_1g_agree),
	};

	return cmocka_run_group_tests_name("rtree-oracle", tests, NULL, NULL);
}
