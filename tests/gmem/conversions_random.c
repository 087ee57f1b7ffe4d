// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * conversions_random.c - random conversions, holes, allocations and touches, beside a flat array
 *
 * The array knows for each page its side and the stamp that it holds. One thread does everything,
 * so each answer is certain. A failure prints the seed and the number of the step. GMS_TEST_SEED
 * and GMS_TEST_ITERS in the environment choose another seed, and another number of steps.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conversions.h"

#define NR_PAGES (2 * BLOCK + 100)
#define STEPS 120

enum content { ZERO, WHOLE, ENDS }; /* never written; written by the host; by the guest */

struct flat {
	enum side side;
	enum content content;
	uint64_t stamp;
};

struct walk {
	struct gmem g;
	uint64_t rng;
	struct flat pages[NR_PAGES];
};

static uint64_t draw(struct walk *w, uint64_t below)
{
	/* xorshift64* */
	w->rng ^= w->rng >> 12;
	w->rng ^= w->rng << 25;
	w->rng ^= w->rng >> 27;
	return (w->rng * 0x2545f4914f6cdd1dULL >> 11) % below;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/* Draws a range: some pages, or whole blocks. */
static void draw_range(struct walk *w, uint64_t *page, uint64_t *nr_pages)
{
	*page = draw(w, NR_PAGES);
	switch (draw(w, 4)) {
	case 0:
		*page = *page / BLOCK * BLOCK;
		*nr_pages = BLOCK * (1 + draw(w, 2));
		break;
	case 1:
		*nr_pages = 1 + draw(w, NR_PAGES);
		break;
	default:
		*nr_pages = 1 + draw(w, 20);
	}
	if (*nr_pages > NR_PAGES - *page)
		*nr_pages = NR_PAGES - *page;
}

static void look(struct walk *w, uint64_t page)
{
	const struct flat *flat = &w->pages[page];
	const uint64_t stamp = flat->stamp;

	if (flat->content == ZERO)
		guest_reads_0(&w->g, page, 1);
	else
		guest_reads(&w->g, page, 1, stamp);
	if (flat->side == PRIVATE)
		host_refused(&w->g, page, 1);
	else if (flat->content == ZERO)
		host_reads_0(&w->g, page, 1);
	else if (flat->content == WHOLE)
		host_reads(&w->g, page, 1, stamp);
	else
		host_reads_ends(&w->g, page, 1, stamp);
}

/* Writes to all pages of a range that a side can write to. */
static void write_pages(struct walk *w, uint64_t page, uint64_t nr_pages, bool guest)
{
	const uint64_t stamp = new_stamp();

	if (guest)
		guest_writes(&w->g, page, nr_pages, stamp);
	for (uint64_t i = page; i < page + nr_pages; i++) {
		if (!guest && w->pages[i].side == PRIVATE)
			continue;
		if (!guest)
			host_writes(&w->g, i, 1, stamp);
		w->pages[i].content = guest ? ENDS : WHOLE;
		w->pages[i].stamp = stamp;
	}
}

static void do_something(struct walk *w)
{
	const enum side to = draw(w, 2) ? PRIVATE : SHARED;
	uint64_t page, nr_pages, kind = draw(w, 16);

	draw_range(w, &page, &nr_pages);
	if (kind < 8) {
		converts(&w->g, page, nr_pages, to);
		for (uint64_t i = page; i < page + nr_pages; i++)
			w->pages[i].side = to;
	} else if (kind < 10) {
		works(gmem_punch(w->g.fd, page, nr_pages));
		for (uint64_t i = page; i < page + nr_pages; i++)
			w->pages[i].content = ZERO;
	} else if (kind < 11) {
		works(gmem_allocate(w->g.fd, page, nr_pages));
	} else if (kind < 12) {
		madvise(w->g.host + page * PAGE, nr_pages * PAGE, MADV_DONTNEED);
	} else {
		write_pages(w, page, nr_pages, kind < 14);
	}
	for (int i = 0; i < 4; i++)
		look(w, draw(w, NR_PAGES));
	look(w, page);
	look(w, page + nr_pages - 1);
}

static void walk(uint64_t seed, uint64_t steps)
{
	struct walk *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->rng = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	open_memory(&w->g, NR_PAGES);
	for (size_t i = 0; i < NR_PAGES; i++)
		w->pages[i].side = variant.first;
	for (uint64_t i = 0; i < steps; i++)
		do_something(w);
	for (uint64_t page = 0; page < NR_PAGES; page++)
		look(w, page);
	close_memory(&w->g);
	free(w);
}

static void random_walk(void **state)
{
	const uint64_t seed = number("GMS_TEST_SEED", 1);

	(void)state;
	print_message("seeds %llu and the next\n", (unsigned long long)seed);
	walk(seed, number("GMS_TEST_ITERS", STEPS));
	walk(seed + 1, number("GMS_TEST_ITERS", STEPS));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_walk),
};

const struct test_list random_tests = {tests, LENGTH(tests)};
