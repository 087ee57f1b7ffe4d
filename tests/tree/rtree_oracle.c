// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_oracle.c - proves that the tree agrees with a flat array, whatever is done
 *
 * Holds rules 3, 5 and 6.
 *
 * Random histories over trees of many sizes; after each operation the queries around
 * it, and every so often all queries of all pages and blocks, the invariants, and the
 * memory of a fresh tree with the same content. A history that fails is shrunk and
 * printed.
 *
 *	GMS_TEST_SEED=n    another seed (it is printed)
 *	GMS_TEST_ITERS=n   operations per size
 *	GMS_TEST_FORK=1    each history in a process: crashes are shrunk, too
 */
#include "ops.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

/* How a child that ran a history ended: 0 is well. */
static int run_forked(const struct history *history)
{
	int status = -1;
	size_t failed;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(history_run(history, &failed) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void run_or_shrink(struct history *history, uint64_t seed)
{
	const char *why;
	size_t failed = 0;

	if (getenv("GMS_TEST_FORK") && run_forked(history)) {
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
	fail_msg("%s", why ? why : "no longer fails once shrunk");
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

static void test_less_than_a_block(void **state)
{
	static const uint64_t sizes[] = {1, 2, 3, T_2M - 1, T_2M, T_2M + 1, 3 * T_2M - 1};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), 2000);
}

static void test_one_block(void **state)
{
	static const uint64_t sizes[] = {T_1G - T_2M - 1, T_1G - 1, T_1G};

	(void)state;
	run_sizes(sizes, ARRAY_SIZE(sizes), T_SHIFT == 9 ? 1500 : 10000);
}

static void test_few_blocks(void **state)
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

/* More than a reserve can save in itself. */
static void test_many_blocks(void **state)
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

/* More than one chunk of the top. */
static void test_thousands_of_blocks(void **state)
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
		cmocka_unit_test(test_less_than_a_block),   cmocka_unit_test(test_one_block),
		cmocka_unit_test(test_few_blocks),          cmocka_unit_test(test_many_blocks),
		cmocka_unit_test(test_thousands_of_blocks),
	};

	return cmocka_run_group_tests_name("rtree-oracle", tests, NULL, NULL);
}
