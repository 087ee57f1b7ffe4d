// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * order.c - proves the arithmetic of orders and blocks against loops and divisions
 *
 * Small orders are tried with every index and every range of a few blocks. 2M and 1G are tried
 * with indices and ends at, before and behind the edges of blocks, up to the end of the largest
 * object.
 */
#include <gmemstate/order.h>

#include "test.h"

#define LARGEST_SMALL 4
#define NR_SMALL 48

/* ---- orders ---- */

static void test_orders_are_powers_of_two(void **unused)
{
	uint64_t pages = 1;

	(void)unused;
	for (unsigned int order = 0; order < 64; order++) {
		assert_int_equal(gms_order_pages(order), pages);
		assert_int_equal(gms_order_is_valid(order),
				 pages == 1 || pages == 512 || pages == 512 * 512);
		pages *= 2;
	}
	assert_false(gms_order_is_valid(64));
	assert_false(gms_order_is_valid(UINT32_MAX));
	assert_int_equal(gms_order_below(GMS_ORDER_1G), GMS_ORDER_2M);
	assert_int_equal(gms_order_below(GMS_ORDER_2M), GMS_ORDER_4K);
	assert_int_equal(gms_order_below(GMS_ORDER_4K), GMS_ORDER_4K);
}

/* ---- the block at an index ---- */

/* Checks the functions about an index, whose block is [down, up). */
static void check_index(gms_pgoff_t index, unsigned int order, gms_pgoff_t down, gms_pgoff_t up)
{
	assert_int_equal(gms_order_down(index, order), down);
	assert_int_equal(gms_order_up(index, order), up);
	assert_int_equal(gms_order_offset(index, order), index - down);
	assert_int_equal(gms_order_is_start(index, order), index == down);
	assert_int_equal(gms_order_cut(index, order, up + 1), up);
	assert_int_equal(gms_order_cut(index, order, up), up);
	assert_int_equal(gms_order_cut(index, order, up - 1), up - 1);
	assert_int_equal(gms_order_cut(index, order, index), index);
}

/* Computes the start of each block by adding sizes from 0 on. */
static void test_blocks_of_small_orders(void **unused)
{
	(void)unused;
	for (unsigned int order = 0; order <= LARGEST_SMALL; order++) {
		const uint64_t size = 1U << order;
		gms_pgoff_t down = 0;

		for (gms_pgoff_t index = 0; index < NR_SMALL; index++) {
			if (index == down + size)
				down = index;
			check_index(index, order, down, down + size);
		}
	}
}

/* Sets the indices at, before and behind the edges of some blocks. Returns their number. */
#define NR_EDGES 18
static unsigned int edges(gms_pgoff_t edge[NR_EDGES], uint64_t size)
{
	const gms_pgoff_t near[] = {
		0, size, 2 * size, 3 * size, GMS_MAX_PAGES - size, GMS_MAX_PAGES};
	unsigned int nr = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(near); i++) {
		if (near[i])
			edge[nr++] = near[i] - 1;
		edge[nr++] = near[i];
		if (near[i] < GMS_MAX_PAGES)
			edge[nr++] = near[i] + 1;
	}
	return nr;
}

static void test_blocks_of_2m_and_1g(void **unused)
{
	static const unsigned int orders[] = {GMS_ORDER_2M, GMS_ORDER_1G};

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		const uint64_t size = 1ULL << orders[i];
		gms_pgoff_t edge[NR_EDGES];
		const unsigned int nr = edges(edge, size);

		for (unsigned int j = 0; j < nr; j++) {
			const gms_pgoff_t down = edge[j] / size * size;

			check_index(edge[j], orders[i], down, down + size);
		}
	}
}

/* ---- iteration ---- */

/* Walks page by page. Parts must begin at @start and at each multiple of the size of a block. */
static void check_pages(gms_pgoff_t start, gms_pgoff_t end, unsigned int order)
{
	gms_pgoff_t page = start;

	gms_for_each_block(at, next, start, end, order) {
		assert_int_equal(at, page);
		do
			page++;
		while (page < end && page % (1U << order));
		assert_int_equal(next, page);
	}
	assert_int_equal(page, end > start ? end : start);
}

static void test_ranges_of_small_orders(void **unused)
{
	(void)unused;
	for (unsigned int order = 0; order <= LARGEST_SMALL; order++) {
		for (gms_pgoff_t start = 0; start < NR_SMALL; start++) {
			for (gms_pgoff_t end = 0; end < NR_SMALL; end++)
				check_pages(start, end, order);
		}
	}
}

struct parts {
	uint64_t nr;
	gms_pgoff_t end; /* of the last part */
};

static void add_part(struct parts *parts, gms_pgoff_t at, gms_pgoff_t next, gms_pgoff_t end,
		     uint64_t size)
{
	assert_int_equal(at, parts->end);
	assert_true(next > at && next <= end);
	assert_int_equal(at / size, (next - 1) / size);
	assert_true(next == end || next % size == 0);
	parts->end = next;
	parts->nr++;
}

/* Checks the parts of a range. If the order is 1G, gms_for_each_1g() must give them, too. */
static void check_parts(gms_pgoff_t start, gms_pgoff_t end, unsigned int order)
{
	const uint64_t size = 1ULL << order;
	const uint64_t nr = end > start ? (end - 1) / size - start / size + 1 : 0;
	struct parts parts = {0, start};

	gms_for_each_block(at, next, start, end, order)
		add_part(&parts, at, next, end, size);
	assert_int_equal(parts.nr, nr);
	assert_int_equal(parts.end, nr ? end : start);
	if (order != GMS_ORDER_1G)
		return;
	parts = (struct parts) {0, start};
	gms_for_each_1g(at, next, start, end)
		add_part(&parts, at, next, end, size);
	assert_int_equal(parts.nr, nr);
	assert_int_equal(parts.end, nr ? end : start);
}

/* Checks ranges of few blocks between two edges, and ranges whose end is before their start. */
static void check_ranges(unsigned int order)
{
	const uint64_t size = 1ULL << order;
	gms_pgoff_t edge[NR_EDGES];
	const unsigned int nr = edges(edge, size);

	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int j = 0; j < nr; j++) {
			if (edge[j] <= edge[i] || edge[j] - edge[i] <= 4 * size)
				check_parts(edge[i], edge[j], order);
		}
	}
}

static void test_ranges_of_2m_and_1g(void **unused)
{
	(void)unused;
	check_ranges(GMS_ORDER_2M);
	check_ranges(GMS_ORDER_1G);
}

/* The largest object has 2^22 parts of 1G. */
static void test_the_largest_object_has_all_parts(void **unused)
{
	uint64_t nr = 0, pages = 0;

	(void)unused;
	gms_for_each_1g(at, next, 0, GMS_MAX_PAGES) {
		pages += next - at;
		nr++;
	}
	assert_int_equal(nr, GMS_MAX_PAGES / (512 * 512));
	assert_int_equal(pages, GMS_MAX_PAGES);
}

static void test_the_body_may_lower_the_end(void **unused)
{
	gms_pgoff_t end = 10 * 512, last = 0;
	unsigned int nr = 0;

	(void)unused;
	gms_for_each_block(at, next, 5, end, GMS_ORDER_2M) {
		if (++nr == 2)
			end = 3 * 512 + 7;
		last = next;
	}
	assert_int_equal(nr, 4);
	assert_int_equal(last, end);

	nr = 0;
	gms_for_each_block(at, next, 5, end, GMS_ORDER_2M) {
		nr++;
		end = at;
	}
	assert_int_equal(nr, 1);
}

static void test_the_body_may_break_and_continue(void **unused)
{
	unsigned int nr = 0, whole = 0;
	gms_pgoff_t last = 0;

	(void)unused;
	gms_for_each_block(at, next, 5, 10 * 512, GMS_ORDER_2M) {
		last = at;
		if (++nr == 4)
			break;
		if (!gms_order_is_start(at, GMS_ORDER_2M))
			continue;
		whole++;
	}
	assert_int_equal(last, 3 * 512);
	assert_int_equal(whole, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders_are_powers_of_two),
		cmocka_unit_test(test_blocks_of_small_orders),
		cmocka_unit_test(test_blocks_of_2m_and_1g),
		cmocka_unit_test(test_ranges_of_small_orders),
		cmocka_unit_test(test_ranges_of_2m_and_1g),
		cmocka_unit_test(test_the_largest_object_has_all_parts),
		cmocka_unit_test(test_the_body_may_lower_the_end),
		cmocka_unit_test(test_the_body_may_break_and_continue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
