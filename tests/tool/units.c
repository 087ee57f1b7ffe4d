// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * units.c - how sizes, counts and times are written
 */
#include "test.h"

#include "units.h"

#include <inttypes.h>

static void times_have_a_unit(void **state)
{
	static const struct {
		double us;
		int digits;
		const char *want;
	} cases[] = {
		{0, 3, "0 ms"},
		{500, 3, "0.5 ms"},
		{999999, 7, "999.999 ms"},
		{1e6, 3, "1 s"},
		{59.94e6, 3, "59.9 s"},
		{60e6, 3, "1 min"},
		{534e6, 2, "8.9 min"},
		{3600e6, 3, "1 h"},
		{86400e6, 3, "1 d"},
		{365e6 * 86400, 3, "365 d"},
		{366e6 * 86400, 3, "1 y"},
		{1e18, 2, "3.2e+04 y"},
	};
	char buf[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(units_time(buf, cases[i].us, cases[i].digits), cases[i].want);
}

static void counts_and_sizes(void **state)
{
	char buf[UNITS_TEXT_SIZE];

	(void)state;
	assert_string_equal(units_count(buf, 0), "0");
	assert_string_equal(units_count(buf, 999), "999");
	assert_string_equal(units_count(buf, 1000), "1,000");
	assert_string_equal(units_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
	assert_string_equal(units_bytes(buf, 1023), "1023 B");
	assert_string_equal(units_bytes(buf, 1536), "1.50 KiB");
	assert_string_equal(units_bytes(buf, (1ULL << 30) - 1), "1023.99 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_a_unit),
		cmocka_unit_test(counts_and_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
