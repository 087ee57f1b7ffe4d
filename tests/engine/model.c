// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model.c - proves that the engine does what is written, whatever is asked of it
 *
 * Holds rules 1, 3, 5 to 13, 15 to 17, 20, 21, 24 to 33 and 39.
 *
 * Random operations with refusals of the backend, under each policy, with each backing, both
 * kinds of pins: on the engine, and on a model of flat arrays. After each, what it returned,
 * which hooks it called in which order, all queries around it and all counters are compared;
 * now and then everything. A history that fails is shrunk and printed.
 *
 *	GMS_TEST_SEED=n    another seed (it is printed)
 *	GMS_TEST_ITERS=n   operations per history
 *	GMS_TEST_FORK=1    while shrinking each history in a process: crashes are shrunk, too
 */
#include "model.h"
#include "oracle.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

/* Does it end well in a process of its own? */
static bool survives(const struct model_history *history)
{
	size_t failed;
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(model_history_run(history, &failed) ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static void run_or_shrink(struct model_history *history, uint64_t seed)
{
	size_t failed = 0;
	const char *why;

	if (getenv("GMS_TEST_FORK") && !survives(history)) {
		model_history_shrink(history);
		fprintf(stderr, "GMS_TEST_SEED=%llu fails or crashes; shrunk:\n",
			(unsigned long long)seed);
		model_history_print(history);
	}
	why = model_history_run(history, &failed);
	if (!why)
		return;
	fprintf(stderr, "GMS_TEST_SEED=%llu: operation %zu: %s; shrinking\n",
		(unsigned long long)seed, failed, why);
	model_history_shrink(history);
	model_history_print(history);
	why = model_history_run(history, &failed);
	fail_msg("%s", why ? why : "no longer fails once shrunk");
}

static void run_policies(const struct model_opts *opts, uint64_t nr_ops)
{
	struct model_opts each = *opts;
	uint64_t seed = test_seed();
	int policy, by_folio;

	nr_ops = test_iters(nr_ops);
	printf("GMS_TEST_SEED=%llu GMS_TEST_ITERS=%llu\n", (unsigned long long)seed,
	       (unsigned long long)nr_ops);
	for (policy = 0; policy < MODEL_NR_POLICIES; policy++) {
		for (by_folio = 0; by_folio < 2; by_folio++) {
			struct model_history history;
			struct prng prng;

			prng_init(&prng, seed + 16 * opts->folio_order + 2 * policy + by_folio);
			each.policy = (enum model_policy)policy;
			each.pins_by_folio = by_folio;
			each.init_private = prng_chance(&prng, 50);
			model_history_make(&history, &each, nr_ops, &prng);
			run_or_shrink(&history, seed);
			model_history_free(&history);
		}
	}
}

static void test_backing_4k(void **unused)
{
	const struct model_opts opts = {.nr_pages = 3 * MODEL_2M + 5};

	(void)unused;
	run_policies(&opts, 1500);
}

static void test_backing_2m(void **unused)
{
	const struct model_opts opts = {.nr_pages = 6 * MODEL_2M + 5, .folio_order = GMS_ORDER_2M};

	(void)unused;
	run_policies(&opts, 1500);
}

static void test_backing_2m_many_blocks(void **unused)
{
	const struct model_opts opts = {.nr_pages = MODEL_1G + 2 * MODEL_2M + 5,
					.folio_order = GMS_ORDER_2M};

	(void)unused;
	run_policies(&opts, 100);
}

static void test_backing_1g(void **unused)
{
	const struct model_opts opts = {.nr_pages = 3 * MODEL_1G + MODEL_2M + 5,
					.folio_order = GMS_ORDER_1G};

	(void)unused;
	run_policies(&opts, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backing_4k),
		cmocka_unit_test(test_backing_2m),
		cmocka_unit_test(test_backing_2m_many_blocks),
		cmocka_unit_test(test_backing_1g),
	};

	return cmocka_run_group_tests_name("engine-model", tests, NULL, NULL);
}
