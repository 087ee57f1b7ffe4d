// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shrink.c - what the shrinking of a history leaves of it
 */
#include "shrink.h"

#include "test.h"

#include <signal.h>
#include <stdlib.h>

struct numbers {
	size_t nr;
	int ops[40];
};

/* Fails at the first 7 that comes after a 3. */
static const char *run(const void *history, size_t *failed)
{
	const struct numbers *numbers = history;
	bool three = false;

	for (*failed = 0; *failed < numbers->nr; (*failed)++) {
		three |= numbers->ops[*failed] == 3;
		if (three && numbers->ops[*failed] == 7)
			return "a 7 after a 3";
	}
	return NULL;
}

static void numbers_init(struct numbers *numbers)
{
	numbers->nr = 40;
	for (int i = 0; i < 40; i++)
		numbers->ops[i] = i % 10 == 3 ? 0 : i % 10;
	numbers->ops[12] = 3;
}

static void shrinking_leaves_the_operations_that_matter(void **unused)
{
	struct numbers numbers;
	struct shrink shrink = {run, &numbers, numbers.ops, sizeof(int), &numbers.nr};

	(void)unused;
	numbers_init(&numbers);
	shrink_end(&shrink);
	assert_int_equal(numbers.nr, 18);
	shrink_halves(&shrink);
	assert_int_equal(numbers.nr, 2);
	assert_int_equal(numbers.ops[0], 3);
	assert_int_equal(numbers.ops[1], 7);
}

static void a_piece_that_matters_stays_whole(void **unused)
{
	struct numbers numbers;
	struct shrink shrink = {run, &numbers, numbers.ops, sizeof(int), &numbers.nr};

	(void)unused;
	numbers_init(&numbers);
	shrink_end(&shrink);
	shrink_pieces(&shrink, 4);
	/* 12 to 15 have the 3; 16 and 17, the last 7 among them, are no whole piece. */
	assert_int_equal(numbers.nr, 6);
	assert_memory_equal(numbers.ops, ((const int[]) {3, 0, 4, 5, 6, 7}), sizeof(int) * 6);
}

static const char *crash(const void *history, size_t *failed)
{
	if (run(history, failed))
		raise(SIGKILL);
	return NULL;
}

static void a_history_that_crashes_is_shrunk_in_processes(void **unused)
{
	struct numbers numbers;
	struct shrink shrink = {crash, &numbers, numbers.ops, sizeof(int), &numbers.nr};

	(void)unused;
	numbers_init(&numbers);
	setenv("GMS_TEST_FORK", "1", 1);
	shrink_end(&shrink);
	assert_int_equal(numbers.nr, 40);
	shrink_halves(&shrink);
	shrink_pieces(&shrink, 1);
	unsetenv("GMS_TEST_FORK");
	assert_int_equal(numbers.nr, 2);
	assert_int_equal(numbers.ops[0], 3);
	assert_int_equal(numbers.ops[1], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shrinking_leaves_the_operations_that_matter),
		cmocka_unit_test(a_piece_that_matters_stays_whole),
		cmocka_unit_test(a_history_that_crashes_is_shrunk_in_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
