// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions.c - a guest_memfd is converted in place: what pages hold, and who can touch them
 *
 *	conversions [--order 4K|2M|default] [--policy NAME] [--first shared|private]
 *	            [--test PATTERN]
 *
 * Each test runs for each order of folios, each policy, and with pages that are shared or private
 * at first. The tests expect the same of all of them: a policy decides about folios, and neither
 * the guest nor the host can see folios. conversions.h lists the files.
 */
#include "conversions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fresh_pages_hold_0(void **state)
{
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	pages_are(&g, 0, PAGES, variant.first);
	if (variant.first == SHARED)
		host_reads_0(&g, 0, PAGES);
	guest_reads_0(&g, 0, PAGES);
	close_memory(&g);
}

static void guest_writes_what_the_host_cannot(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, PRIVATE);
	host_refused(&g, 0, PAGES);
	guest_writes(&g, 0, PAGES, stamp);
	host_refused(&g, 0, PAGES);
	guest_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

static void guest_and_host_share(void **state)
{
	const uint64_t first = new_stamp(), second = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, first);
	guest_reads(&g, 0, PAGES, first);
	guest_writes(&g, 0, PAGES, second);
	host_reads_ends(&g, 0, PAGES, second);
	close_memory(&g);
}

/* What the host wrote survives, to the last byte. */
static void shared_private_shared(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (int i = 0; i < 3; i++) {
		converts(&g, 0, PAGES, PRIVATE);
		host_refused(&g, i * BLOCK, 40);
		guest_reads(&g, 0, PAGES, stamp);
		converts(&g, 0, PAGES, SHARED);
		host_reads(&g, 0, PAGES, stamp);
	}
	close_memory(&g);
}

/* The same, and no side touches the pages while they are private. */
static void shared_private_shared_untouched(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	converts(&g, 0, PAGES, PRIVATE);
	converts(&g, 0, PAGES, SHARED);
	host_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

static void private_shared_private(void **state)
{
	uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, PRIVATE);
	guest_writes(&g, 0, PAGES, stamp);
	for (int i = 0; i < 3; i++) {
		converts(&g, 0, PAGES, SHARED);
		host_reads_ends(&g, 0, PAGES, stamp);
		stamp = new_stamp();
		host_writes(&g, 0, PAGES, stamp);
		converts(&g, 0, PAGES, PRIVATE);
		guest_reads(&g, 0, PAGES, stamp);
		stamp = new_stamp();
		guest_writes(&g, 0, PAGES, stamp);
	}
	close_memory(&g);
}

/* A single page at each interesting place goes to and fro. Its neighbours do not notice. */
static void single_pages(void **state)
{
	const uint64_t at[] = {
		0, 1, 200, BLOCK - 1, BLOCK, 3 * BLOCK + 17, 4 * BLOCK - 1, 4 * BLOCK, PAGES - 1,
	};
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (size_t i = 0; i < LENGTH(at); i++) {
		converts(&g, at[i], 1, PRIVATE);
		guest_reads(&g, 0, PAGES, stamp);
		host_refused(&g, at[i], 1);
		pages_are(&g, 0, at[i], SHARED);
		pages_are(&g, at[i] + 1, PAGES - at[i] - 1, SHARED);
		host_reads(&g, at[i] ? at[i] - 1 : 1, 1, stamp);
		converts(&g, at[i], 1, SHARED);
	}
	pages_hold(&g, 0, PAGES, SHARED, stamp);

	converts(&g, 0, PAGES, PRIVATE);
	for (size_t i = 0; i < LENGTH(at); i++) {
		converts(&g, at[i], 1, SHARED);
		host_reads(&g, at[i], 1, stamp);
		pages_are(&g, 0, at[i], PRIVATE);
		pages_are(&g, at[i] + 1, PAGES - at[i] - 1, PRIVATE);
		converts(&g, at[i], 1, PRIVATE);
		guest_reads(&g, 0, PAGES, stamp);
	}
	pages_are(&g, 0, PAGES, PRIVATE);
	close_memory(&g);
}

/* Ranges that overlap and cross blocks. A flat array knows the sides. */
static void overlapping_ranges(void **state)
{
	const struct {
		uint64_t page, nr_pages;
		enum side to;
	} steps[] = {
		{2, 8, PRIVATE},
		{6, 14, SHARED},
		{0, 8, PRIVATE},
		{500, 24, PRIVATE},
		{510, 4, SHARED},
		{300, BLOCK, PRIVATE},
		{0, BLOCK, SHARED},
		{100, 3 * BLOCK, PRIVATE},
		{BLOCK, 2 * BLOCK, SHARED},
		{BLOCK + 1, 2 * BLOCK - 2, PRIVATE},
		{4 * BLOCK - 1, 38, PRIVATE},
		{4 * BLOCK, 37, SHARED},
		{0, PAGES, PRIVATE},
		{1, PAGES - 2, SHARED},
		{0, PAGES, SHARED},
	};
	const uint64_t stamp = new_stamp();
	enum side sides[PAGES] = {SHARED};
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (size_t i = 0; i < LENGTH(steps); i++) {
		converts(&g, steps[i].page, steps[i].nr_pages, steps[i].to);
		for (uint64_t j = 0; j < steps[i].nr_pages; j++)
			sides[steps[i].page + j] = steps[i].to;
		guest_reads(&g, 0, PAGES, stamp);
		for (uint64_t page = 0; page < PAGES; page++)
			pages_are(&g, page, 1, sides[page]);
	}
	host_reads(&g, 0, PAGES, stamp);
	close_memory(&g);
}

/* Every other page of two blocks is private. Then all are of one side again. */
static void every_other_page(void **state)
{
	const uint64_t stamp = new_stamp(), nr_pages = 2 * BLOCK;
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (int to = SHARED; to <= PRIVATE; to++) {
		for (uint64_t page = 0; page < nr_pages; page += 2)
			converts(&g, page, 1, PRIVATE);
		guest_reads(&g, 0, PAGES, stamp);
		for (uint64_t page = 0; page < nr_pages; page += 2) {
			pages_are(&g, page, 1, PRIVATE);
			host_reads(&g, page + 1, 1, stamp);
		}
		converts(&g, 0, nr_pages, (enum side)to);
		guest_reads(&g, 0, PAGES, stamp);
		pages_are(&g, 0, nr_pages, (enum side)to);
		converts(&g, 0, nr_pages, SHARED);
		pages_hold(&g, 0, PAGES, SHARED, stamp);
	}
	close_memory(&g);
}

static void conversion_to_the_same_side(void **state)
{
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	for (int i = 0; i < 2; i++)
		converts(&g, 0, PAGES, variant.first);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (int i = 0; i < 3; i++)
		converts(&g, i, PAGES - 3, SHARED);
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	converts(&g, 0, BLOCK, PRIVATE);
	for (int i = 0; i < 3; i++)
		converts(&g, i, BLOCK - 3, PRIVATE);
	pages_hold(&g, 0, BLOCK, PRIVATE, stamp);
	pages_hold(&g, BLOCK, PAGES - BLOCK, SHARED, stamp);
	close_memory(&g);
}

/* Both sides have the pages mapped when they are converted, in parts of 2M blocks and in whole. */
static void conversion_while_mapped(void **state)
{
	const uint64_t parts[][2] = {{5, 1}, {BLOCK, BLOCK}, {2 * BLOCK + 3, 700}, {0, PAGES}};
	const uint64_t stamp = new_stamp();
	struct gmem g;

	(void)state;
	open_memory(&g, PAGES);
	converts(&g, 0, PAGES, SHARED);
	host_writes(&g, 0, PAGES, stamp);
	for (size_t i = 0; i < LENGTH(parts); i++) {
		const uint64_t page = parts[i][0], nr = parts[i][1];

		pages_hold(&g, 0, PAGES, SHARED, stamp);
		converts(&g, page, nr, PRIVATE);
		pages_hold(&g, page, nr, PRIVATE, stamp);
		host_reads(&g, 0, page, stamp);
		host_reads(&g, page + nr, PAGES - page - nr, stamp);
		guest_reads(&g, 0, PAGES, stamp);
		converts(&g, page, nr, SHARED);
	}
	pages_hold(&g, 0, PAGES, SHARED, stamp);
	close_memory(&g);
}

/*
 * In a VM of this type an access is private or shared as the page is. So the guest never leaves
 * with KVM_EXIT_MEMORY_FAULT, whichever side it saw before.
 */
static void guest_follows_the_state(void **state)
{
	enum side side = variant.first;
	struct words words;
	struct gmem g;

	(void)state;
	open_memory(&g, BLOCK);
	for (int i = 0; i < 12; i++) {
		const uint64_t page = i % 2 ? 7 : BLOCK - 1;

		assert_int_equal(guest_answer(&g, MAIN_GPA + page * PAGE, &words), ANSWER_DATA);
		side = OTHER(side);
		converts(&g, i % 3 ? page : 0, i % 3 ? 1 : BLOCK, side);
		assert_int_equal(guest_answer(&g, MAIN_GPA + page * PAGE, &words), ANSWER_DATA);
	}
	close_memory(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fresh_pages_hold_0),
	cmocka_unit_test(guest_writes_what_the_host_cannot),
	cmocka_unit_test(guest_and_host_share),
	cmocka_unit_test(shared_private_shared),
	cmocka_unit_test(shared_private_shared_untouched),
	cmocka_unit_test(private_shared_private),
	cmocka_unit_test(single_pages),
	cmocka_unit_test(overlapping_ranges),
	cmocka_unit_test(every_other_page),
	cmocka_unit_test(conversion_to_the_same_side),
	cmocka_unit_test(conversion_while_mapped),
	cmocka_unit_test(guest_follows_the_state),
};

int main(int argc, char **argv)
{
	const struct test_list own = {tests, LENGTH(tests)};
	const struct test_list *lists[] = {
		&args_tests,  &own,         &holes_tests,  &maps_tests,
		&slots_tests, &nomem_tests, &random_tests,
	};
	struct CMUnitTest all[128];
	size_t nr = 0;

	for (size_t i = 0; i < LENGTH(lists); i++) {
		if (nr + lists[i]->nr > LENGTH(all))
			abort();
		memcpy(all + nr, lists[i]->tests, lists[i]->nr * sizeof(*all));
		nr += lists[i]->nr;
	}
	return run_variants(argc, argv, "conversions", all, nr);
}
