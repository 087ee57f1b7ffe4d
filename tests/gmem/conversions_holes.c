// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_holes.c - pages that are not allocated, that are allocated, and that are punched out
 *
 * A hole is a page that holds 0, of the side that it had before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "conversions.h"

/* Pages that nobody touched are converted: nothing is allocated yet. */
static void unallocated_pages(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, OTHER(variant.first));
	converts(&g, 0, PAGES, variant.first);
	converts(&g, 3, 100, OTHER(variant.first));
	converts(&g, 2 * BLOCK, BLOCK, OTHER(variant.first));
	converts(&g, 2 * BLOCK + 9, 1, variant.first);
	pages_hold_0(&g, 3, 100, OTHER(variant.first));
	pages_hold_0(&g, 2 * BLOCK + 9, 1, variant.first);
	pages_hold_0(&g, 2 * BLOCK, 9, OTHER(variant.first));
	guest_reads_0(&g, 0, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_reads_0(&g, 0, PAGES);
	host_writes(&g, 0, PAGES, stamp);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

static void allocate_then_convert(void **state)
{
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	works(gmem_allocate(g.fd, 0, PAGES));
	converts(&g, 0, PAGES, OTHER(variant.first));
	converts(&g, 40, BLOCK, variant.first);
	pages_hold_0(&g, 40, BLOCK, variant.first);
	pages_hold_0(&g, 0, 40, OTHER(variant.first));
	pages_hold_0(&g, BLOCK + 40, PAGES - BLOCK - 40, OTHER(variant.first));
	close_memory(&g);
}

/* fallocate() of mixed memory: what is there stays, and no side changes. */
static void allocate_mixed(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 10, 20, stamp);
	converts(&g, 15, BLOCK, PRIVATE);
	works(gmem_allocate(g.fd, 0, PAGES));
	works(gmem_allocate(g.fd, 0, 1));
	works(gmem_allocate(g.fd, PAGES - 1, 1));
	pages_hold(&g, 10, 5, SHARED, stamp);
	pages_hold(&g, 15, 15, PRIVATE, stamp);
	pages_hold_0(&g, 0, 10, SHARED);
	pages_hold_0(&g, 30, BLOCK - 15, PRIVATE);
	pages_hold_0(&g, BLOCK + 15, PAGES - BLOCK - 15, SHARED);
	close_memory(&g);
}

static void refused_allocations(void **state)
{
	struct gmem g;

	(void)state;
	open_memory(&g, 4);
	returns(-EINVAL, gmem_allocate(g.fd, 0, 5));
	returns(-EINVAL, gmem_allocate(g.fd, 4, 1));
	assert_int_equal(fallocate(g.fd, FALLOC_FL_KEEP_SIZE, 100, PAGE), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fallocate(g.fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 100), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fallocate(g.fd, 0, 0, PAGE), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	close_memory(&g);
}

/* Fills the memory. The second and the third block are private then, and all of it is mapped. */
static uint64_t fill_mixed(struct gmem *g)
{
	const uint64_t stamp = new_stamp();

	converts(g, 0, PAGES, SHARED);
	host_writes(g, 0, PAGES, stamp);
	guest_reads(g, 0, PAGES, stamp);
	converts(g, BLOCK, 2 * BLOCK, PRIVATE);
	guest_reads(g, 0, PAGES, stamp);
	host_reads(g, 0, BLOCK, stamp);
	host_reads(g, 3 * BLOCK, PAGES - 3 * BLOCK, stamp);
	return stamp;
}

/* Punches a range out of the memory of fill_mixed(), and looks at all pages. */
static void punch_and_look(uint64_t page, uint64_t nr_pages)
{
	struct gmem g;
	uint64_t stamp;

	open_memory(&g, PAGES);
	stamp = fill_mixed(&g);
	works(gmem_punch(g.fd, page, nr_pages));
	for (uint64_t i = 0; i < PAGES; i++) {
		const enum side side = i >= BLOCK && i < 3 * BLOCK ? PRIVATE : SHARED;

		if (i >= page && i < page + nr_pages)
			pages_hold_0(&g, i, 1, side);
		else
			pages_hold(&g, i, 1, side, stamp);
	}
	/* the holes can be used again */
	converts(&g, 0, PAGES, SHARED);
	stamp = new_stamp();
	host_writes(&g, 0, PAGES, stamp);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

static void punch_shared_page(void **state)
{
	(void)state;
	punch_and_look(77, 1);
}

static void punch_private_page(void **state)
{
	(void)state;
	punch_and_look(BLOCK + 77, 1);
}

static void punch_shared_block(void **state)
{
	(void)state;
	punch_and_look(0, BLOCK);
}

static void punch_private_block(void **state)
{
	(void)state;
	punch_and_look(BLOCK, BLOCK);
}

static void punch_across_sides(void **state)
{
	(void)state;
	punch_and_look(BLOCK - 9, 2 * BLOCK + 20);
}

static void punch_everything(void **state)
{
	(void)state;
	punch_and_look(0, PAGES);
}

static void punch_tail(void **state)
{
	(void)state;
	punch_and_look(4 * BLOCK + 30, 7);
}

/* A part of a 2M block whose pages are of both sides. */
static void punch_in_mixed_block(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, BLOCK + 100, 100, PRIVATE);
	works(gmem_punch(g.fd, BLOCK + 50, 100));
	pages_hold(&g, 0, BLOCK + 50, SHARED, stamp);
	pages_hold_0(&g, BLOCK + 50, 50, SHARED);
	pages_hold_0(&g, BLOCK + 100, 50, PRIVATE);
	pages_hold(&g, BLOCK + 150, 50, PRIVATE, stamp);
	pages_hold(&g, BLOCK + 200, PAGES - BLOCK - 200, SHARED, stamp);

	/* back to one side, with a hole in it, and allocated */
	converts(&g, BLOCK, BLOCK, PRIVATE);
	works(gmem_allocate(g.fd, BLOCK, BLOCK));
	pages_hold_0(&g, BLOCK + 50, 100, PRIVATE);
	pages_hold(&g, BLOCK, 50, PRIVATE, stamp);
	converts(&g, BLOCK, BLOCK, SHARED);
	pages_hold_0(&g, BLOCK + 50, 100, SHARED);
	pages_hold(&g, BLOCK + 150, BLOCK - 150, SHARED, stamp);
	close_memory(&g);
}

/* Holes of which nothing was allocated, and holes of holes. */
static void punch_nothing(void **state)
{
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	for (int i = 0; i < 2; i++) {
		works(gmem_punch(g.fd, 0, PAGES));
		works(gmem_punch(g.fd, 33, 1));
	}
	pages_hold_0(&g, 0, PAGES, variant.first);
	for (int i = 0; i < 2; i++)
		works(gmem_punch(g.fd, BLOCK, BLOCK));
	pages_hold_0(&g, 0, PAGES, variant.first);
	close_memory(&g);
}

/* A page that was private and held something is punched out, and becomes shared: it holds 0. */
static void secrets_do_not_come_back(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, PRIVATE);
	guest_writes(&g, 0, PAGES, stamp);
	for (uint64_t page = 0; page < PAGES; page += 61) {
		works(gmem_punch(g.fd, page, 1));
		converts(&g, page, 1, SHARED);
		host_reads_0(&g, page, 1);
	}
	for (uint64_t page = 1; page < PAGES; page += 61)
		guest_reads(&g, page, PAGES - page < 60 ? PAGES - page : 60, stamp);
	close_memory(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(unallocated_pages),  cmocka_unit_test(allocate_then_convert),
	cmocka_unit_test(allocate_mixed),     cmocka_unit_test(refused_allocations),
	cmocka_unit_test(punch_shared_page),  cmocka_unit_test(punch_private_page),
	cmocka_unit_test(punch_shared_block), cmocka_unit_test(punch_private_block),
	cmocka_unit_test(punch_across_sides), cmocka_unit_test(punch_everything),
	cmocka_unit_test(punch_tail),         cmocka_unit_test(punch_in_mixed_block),
	cmocka_unit_test(punch_nothing),      cmocka_unit_test(secrets_do_not_come_back),
};

const struct test_list holes_tests = {tests, LENGTH(tests)};
