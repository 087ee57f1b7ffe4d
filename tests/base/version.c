// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * version.c - proves that the library has the version of its headers, and that versions compare as
 * numbers
 *
 * <gmemstate/gmemstate.h> is the only header of the library that this program includes.
 */
#include <gmemstate/gmemstate.h>

#include "test.h"

/* A program can compare versions in the preprocessor, too. */
#if GMS_VERSION_NUMBER(GMS_VERSION_MAJOR, GMS_VERSION_MINOR, GMS_VERSION_PATCH) < \
	GMS_VERSION_NUMBER(0, 1, 0)
#error "the headers are older than the first version"
#endif

static void test_library_has_the_version_of_its_headers(void **state)
{
	(void)state;
	assert_int_equal(gms_version(), GMS_VERSION_NUMBER(GMS_VERSION_MAJOR, GMS_VERSION_MINOR,
							   GMS_VERSION_PATCH));
}

static void test_the_string_has_the_parts(void **state)
{
	char parts[64];

	(void)state;
	snprintf(parts, sizeof(parts), "%u.%u.%u", gms_version() >> 16, gms_version() >> 8 & 255,
		 gms_version() & 255);
	assert_string_equal(gms_version_string(), parts);
}

/* A version, with the parts in their order of weight. */
struct version {
	unsigned int major, minor, patch;
};

static unsigned int number(struct version v)
{
	return GMS_VERSION_NUMBER(v.major, v.minor, v.patch);
}

static void test_newer_versions_are_larger_numbers(void **state)
{
	static const struct version ascending[] = {
		{0, 0, 0},   {0, 0, 1},   {0, 0, 255}, {0, 1, 0},   {0, 1, 1},     {0, 2, 0},
		{0, 9, 9},   {0, 10, 0},  {0, 255, 0}, {0, 255, 1}, {0, 255, 255}, {1, 0, 0},
		{1, 0, 255}, {1, 255, 0}, {2, 0, 0},   {9, 0, 0},   {10, 0, 0},    {255, 255, 255},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
			const unsigned int one = number(ascending[i]), two = number(ascending[k]);

			assert_int_equal(one < two, i < k);
			assert_int_equal(one == two, i == k);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_library_has_the_version_of_its_headers),
		cmocka_unit_test(test_the_string_has_the_parts),
		cmocka_unit_test(test_newer_versions_are_larger_numbers),
	};

	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
