// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * selftest.c - gmemstate selftest: it passes, says what it did, and finds what is wrong
 */
#include "tool_run.h"

#include "selftest.h"

#include <inttypes.h>
#include <unistd.h>

#define assert_has(text, part)                                    \
	do {                                                      \
		if (!strstr(text, part))                          \
			fail_msg("no \"%s\" in\n%s", part, text); \
	} while (0)

static void the_library_is_right(void **state)
{
	const uint64_t seed = test_seed();
	struct selftest test = {.seed = seed};

	(void)state;
	print_message("GMS_TEST_SEED=%" PRIu64 "\n", seed);
	if (!selftest_run(&test, SELFTEST_NS))
		fail_msg("%s", test.reason);
	assert_string_equal(test.reason, "");
	assert_true(test.ns >= SELFTEST_NS);
	assert_true(test.nr_walks > 0);
	assert_true(test.nr_queries >= test.nr_conversions);
}

/* A page of the model that is wrong is found by a query, or by the next walk over all pages. */
static void a_wrong_page_is_found(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		struct selftest test = {.seed = seed, .plant = true};

		assert_false(selftest_run(&test, SELFTEST_NS));
		assert_string_not_equal(test.reason, "");
		assert_true(test.ns < SELFTEST_NS);
	}
}

/* One seed gives one check, however long it takes. */
static void a_seed_repeats_a_check(void **state)
{
	struct selftest first = {.seed = 7, .plant = true}, second = first, other = first;

	(void)state;
	other.seed = 8;
	selftest_run(&first, SELFTEST_NS);
	selftest_run(&second, SELFTEST_NS);
	selftest_run(&other, SELFTEST_NS);
	assert_string_equal(first.reason, second.reason);
	assert_int_equal(first.nr_conversions, second.nr_conversions);
	assert_string_not_equal(first.reason, other.reason);
}

static void the_command_says_what_it_did(void **state)
{
	struct run run;

	(void)state;
	TOOL(&run, "selftest", "--seed", "3");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "");
	assert_has(run.out, "gmemstate " GMS_VERSION "\nLibrary   ");
	assert_has(run.out, ", seed 3\n");
	assert_has(run.out, "\n          all as it should be\n");
#ifdef GMS_WITH_KVM
	assert_has(run.out, "\nKVM       ");
	if (access("/dev/kvm", F_OK))
		assert_has(run.out, "no /dev/kvm\n");
	else
		assert_has(run.out, "/dev/kvm");
#endif
	run_free(&run);
	TOOL(&run, "selftest", "x");
	assert_int_equal(run.status, 2);
	assert_has(run.err, "x: selftest takes no argument\n");
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_is_right),
		cmocka_unit_test(a_wrong_page_is_found),
		cmocka_unit_test(a_seed_repeats_a_check),
		cmocka_unit_test(the_command_says_what_it_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
