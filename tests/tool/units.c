// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * units.c - how sizes, counts and times are written, and sizes read
 */
#include "test.h"

#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
		{970e3, 2, "970 ms"},
		{1e18, 2, "31688 y"},
		{1e20, 2, "over 999999 y"},
	};
	char buf[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(units_time(buf, cases[i].us, cases[i].digits), cases[i].want);
}

/* Each time from a nanosecond to a billion years has a unit, no exponent, and a right size. */
static void times_have_no_exponent(void **state)
{
	static const struct {
		const char *name;
		double us;
	} units[] = {{"ms", 1e3},   {"s", 1e6},     {"min", 60e6},
		     {"h", 3600e6}, {"d", 86400e6}, {"y", 31557600e6}};

	(void)state;
	for (int digits = 1; digits <= 4; digits++) {
		for (double us = 1e-3; us < 3e22; us *= 1.01) {
			char buf[UNITS_TEXT_SIZE], *unit;
			double value = 0;

			units_time(buf, us, digits);
			if (strspn(buf, "0123456789.") != strcspn(buf, " ") &&
			    strcmp(buf, "over 999999 y"))
				fail_msg("%g us: %s", us, buf);
			if (*buf == 'o') {
				assert_true(us >= 1e6 * 31557600e6);
				continue;
			}
			unit = strchr(buf, ' ') + 1;
			for (size_t i = 0; i < ARRAY_SIZE(units); i++)
				value += strcmp(unit, units[i].name) ? 0 : atof(buf) * units[i].us;
			if (us >= 1 && fabs(value / us - 1) > (digits == 1 ? .5 : .06))
				fail_msg("%g us: %s", us, buf);
		}
	}
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

/* Checks what a text is read as. @bytes is not written after an error. */
static void check_size(const char *text, int ret, uint64_t bytes)
{
	uint64_t got = 1;

	if (units_parse_size(text, &got) != ret || got != (ret ? 1 : bytes))
		fail_msg("%s: not %d and %" PRIu64 ", but %" PRIu64, text, ret, bytes, got);
}

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t bytes;
	} cases[] = {
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"4096B", 0, 4096},
		{"1023 B", 0, 1023},
		{"16G", 0, 16ULL << 30},
		{"16GiB", 0, 16ULL << 30},
		{"16 GiB", 0, 16ULL << 30},
		{"16gib", 0, 16ULL << 30},
		{"512M", 0, 512ULL << 20},
		{"2t", 0, 2ULL << 40},
		{"4PiB", 0, 4ULL << 50},
		{"1.5G", 0, 3ULL << 29},
		{"1.50 GiB", 0, 3ULL << 29},
		{"0.25K", 0, 256},
		{"1.000000000000000000000000G", 0, 1ULL << 30},
		{"2.75GiB", 0, 11ULL << 28},
		{"0.0009765625K", 0, 1},
		{"0x40000000", 0, 1ULL << 30},
		{"0XffFF", 0, 65535},
		{"18446744073709551615", 0, UINT64_MAX},
		{"0xffffffffffffffff", 0, UINT64_MAX},
		{"16383.999755859375P", 0, UINT64_MAX - (1ULL << 38) + 1},
		{"18446744073709551616", -ERANGE, 0},
		{"0x10000000000000000", -ERANGE, 0},
		{"16384P", -ERANGE, 0},
		{"1.87 GiB", -EDOM, 0},
		{"0.0001K", -EDOM, 0},
		{"1.5", -EDOM, 0},
		{"0.3333333333333333333G", -EDOM, 0},
		{"", -EINVAL, 0},
		{"G", -EINVAL, 0},
		{".5G", -EINVAL, 0},
		{"1.G", -EINVAL, 0},
		{"-1G", -EINVAL, 0},
		{"+1G", -EINVAL, 0},
		{" 1G", -EINVAL, 0},
		{"1  G", -EINVAL, 0},
		{"1G ", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1  ", -EINVAL, 0},
		{"1GB", -EINVAL, 0},
		{"1GiBs", -EINVAL, 0},
		{"1Gi", -EINVAL, 0},
		{"1E", -EINVAL, 0},
		{"1BiB", -EINVAL, 0},
		{"1\x8b", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"0x10G", -EINVAL, 0},
		{"0x1.8", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"1,5G", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_size(cases[i].text, cases[i].ret, cases[i].bytes);
}

/* A whole number of units is read as it was written. */
static void sizes_are_read_as_written(void **state)
{
	char buf[UNITS_TEXT_SIZE];

	(void)state;
	for (unsigned int shift = 0; shift < 54; shift++) {
		for (uint64_t n = 1; n << shift % 10 < 1024; n += 2)
			check_size(units_bytes(buf, n << shift), 0, n << shift);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_a_unit),
		cmocka_unit_test(times_have_no_exponent),
		cmocka_unit_test(counts_and_sizes),
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(sizes_are_read_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
