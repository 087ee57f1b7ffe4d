// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * types.c - proves that ranges of bytes must be whole pages, and that constants keep their values
 *
 * Programs compile the constants in, so a new value would break them. Tests rule 11.
 */
#include <gmemstate/rtree.h>
#include <gmemstate/state.h>
#include <gmemstate/types.h>

#include "test.h"

#define KIB4 4096ULL
#define MAX_BYTES (GMS_MAX_PAGES * KIB4)

static void test_constants_keep_their_values(void **state)
{
	(void)state;
	assert_int_equal(1 << GMS_PAGE_SHIFT, 4096);
	assert_int_equal(KIB4 << GMS_ORDER_2M, 2ULL << 20);
	assert_int_equal(KIB4 << GMS_ORDER_1G, 1ULL << 30);
	assert_int_equal(GMS_ORDER_4K, 0);
	assert_int_equal(GMS_SHARED, 0);
	assert_int_equal(GMS_PRIVATE, 1);
	assert_int_equal(GMS_ALL_SHARED, 0);
	assert_int_equal(GMS_ALL_PRIVATE, 1);
	assert_int_equal(GMS_MIXED, 2);
	assert_int_equal(GMS_RTREE_NONE, 0);
	assert_int_equal(GMS_RTREE_ALL, 1);
	assert_int_equal(GMS_RTREE_MIXED, 2);
	assert_int_equal(GMS_MAX_PAGES, 1ULL << 40);
	assert_int_equal(GMS_INIT_PRIVATE, 1);
}

static void accept_bytes(uint64_t offset, uint64_t size)
{
	gms_pgoff_t start = 77;
	uint64_t nr_pages = 77;

	assert_int_equal(gms_range_from_bytes(offset, size, &start, &nr_pages), 0);
	assert_int_equal(start, offset / KIB4);
	assert_int_equal(nr_pages, size / KIB4);
}

static void refuse_bytes(uint64_t offset, uint64_t size)
{
	gms_pgoff_t start = 77;
	uint64_t nr_pages = 78;

	assert_int_equal(gms_range_from_bytes(offset, size, &start, &nr_pages), -EINVAL);
	assert_int_equal(start, 77);
	assert_int_equal(nr_pages, 78);
}

static void test_whole_pages_are_accepted(void **state)
{
	(void)state;
	accept_bytes(0, KIB4);
	accept_bytes(KIB4, KIB4);
	accept_bytes(2ULL << 30, 3ULL << 20);
	accept_bytes(0, MAX_BYTES);
	accept_bytes(MAX_BYTES - KIB4, KIB4);
	accept_bytes(KIB4, MAX_BYTES - KIB4);
}

/* Rule 11: ranges of bytes that are not whole pages are refused. */
static void test_rule11_unaligned_bytes_are_refused(void **state)
{
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < GMS_PAGE_SHIFT; bit++) {
		refuse_bytes(1ULL << bit, KIB4);
		refuse_bytes(0, 1ULL << bit);
		refuse_bytes(0, KIB4 + (1ULL << bit));
		refuse_bytes(1ULL << bit, KIB4 - (1ULL << bit));
	}
	refuse_bytes(KIB4 - 1, KIB4);
	refuse_bytes(0, KIB4 - 1);
}

/* Rule 11: ranges of bytes that are empty, wrap around or are too large are refused. */
static void test_rule11_bad_ranges_of_bytes_are_refused(void **state)
{
	(void)state;
	refuse_bytes(0, 0);
	refuse_bytes(KIB4, 0);
	refuse_bytes(MAX_BYTES, 0);
	refuse_bytes(MAX_BYTES, KIB4);
	refuse_bytes(0, MAX_BYTES + KIB4);
	refuse_bytes(KIB4, MAX_BYTES);
	refuse_bytes(MAX_BYTES - KIB4, 2 * KIB4);
	refuse_bytes(UINT64_MAX - KIB4 + 1, KIB4);
	refuse_bytes(UINT64_MAX - KIB4 + 1, 2 * KIB4);
	refuse_bytes(2 * KIB4, UINT64_MAX - KIB4 + 1);
	refuse_bytes(UINT64_MAX, UINT64_MAX);
	refuse_bytes(1ULL << 63, 1ULL << 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants_keep_their_values),
		cmocka_unit_test(test_whole_pages_are_accepted),
		cmocka_unit_test(test_rule11_unaligned_bytes_are_refused),
		cmocka_unit_test(test_rule11_bad_ranges_of_bytes_are_refused),
	};

	return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
