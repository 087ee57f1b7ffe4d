// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * model.c - proves that the engine agrees with a model of flat arrays after any history
 *
 * Tests rules 1, 3, 5 to 13, 15 to 17, 20, 21, 24 to 33 and 39.
 *
 * Histories are random, with refused hooks, under each policy, with each backing and both kinds of
 * pins. After each operation the test compares the results, the calls of hooks in their order, the
 * queries around the range, and all counters. After some operations it compares everything. A
 * history that fails is shrunk and printed.
 *
 *	GMS_TEST_SEED=n    uses another seed (the test prints its seed)
 *	GMS_TEST_ITERS=n   number of operations in a history
 *	GMS_TEST_FORK=1    runs each history in a process of its own, to shrink crashes, too
 */
#include "model.h"
#include "oracle.h"
#include "test.h"

static bool fails(const void *history)
{
	size_t failed;

	return model_history_run(history, &failed) != NULL;
}

static void run_or_shrink(struct model_history *history, uint64_t seed)
{
	size_t failed = 0;
	const char *why;

	if (test_forks() && test_fails(fails, history)) {
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
	fail_msg("%s", why ? why : "the shrunk history does not fail");
}

static void run_policies(const struct model_opts *opts, uint64_t nr_ops)
{
	/* under valgrind, the first and the last policy only */
	const int step = test_on_valgrind() ? MODEL_NR_POLICIES - 1 : 1;
	struct model_opts each = *opts;
	uint64_t seed = test_seed();
	int policy, by_folio;

	nr_ops = test_iters(nr_ops);
	printf("GMS_TEST_SEED=%llu GMS_TEST_ITERS=%llu\n", (unsigned long long)seed,
	       (unsigned long long)nr_ops);
	for (policy = 0; policy < MODEL_NR_POLICIES; policy += step) {
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

static void test_the_engine_agrees_with_a_backing_of_4k(void **unused)
{
	const struct model_opts opts = {.nr_pages = 3 * MODEL_2M + 5};

	(void)unused;
	run_policies(&opts, 1500);
}

static void test_the_engine_agrees_with_a_backing_of_2m(void **unused)
{
	const struct model_opts opts = {.nr_pages = 6 * MODEL_2M + 5, .folio_order = GMS_ORDER_2M};

	(void)unused;
	run_policies(&opts, 1500);
}

static void test_the_engine_agrees_with_many_2m(void **unused)
{
	const struct model_opts opts = {.nr_pages = MODEL_1G + 2 * MODEL_2M + 5,
					.folio_order = GMS_ORDER_2M};

	(void)unused;
	run_policies(&opts, 100);
}

static void test_the_engine_agrees_with_a_backing_of_1g(void **unused)
{
	const struct model_opts opts = {.nr_pages = 3 * MODEL_1G + MODEL_2M + 5,
					.folio_order = GMS_ORDER_1G};

	(void)unused;
	run_policies(&opts, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_engine_agrees_with_a_backing_of_4k),
		cmocka_unit_test(test_the_engine_agrees_with_a_backing_of_2m),
		cmocka_unit_test(test_the_engine_agrees_with_many_2m),
		cmocka_unit_test(test_the_engine_agrees_with_a_backing_of_1g),
	};

	return cmocka_run_group_tests_name("engine-model", tests, NULL, NULL);
}
