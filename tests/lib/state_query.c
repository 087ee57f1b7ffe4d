// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state_query.c - makes queries of a state object, and checks the answers that follow from others
 */
#include "state_query.h"
#include "test.h"

#define expect(cond, text)             \
	do {                           \
		if (!(cond))           \
			return (text); \
	} while (0)

static const char *past_the_end(const struct gms_state *s, gms_pgoff_t index)
{
	gms_pgoff_t pinned;
	struct gms_iter iter;
	struct gms_run run;

	expect(gms_is_private(s, index), "past the end: is_private");
	expect(!gms_range_is(s, index, 1, GMS_PRIVATE), "past the end: range_is");
	expect(!gms_count(s, index, 1, GMS_PRIVATE), "past the end: count");
	expect(!gms_max_order(s, index), "past the end: max_order");
	expect(!gms_is_allocated(s, index), "past the end: is_allocated");
	expect(!gms_is_prepared(s, index), "past the end: is_prepared");
	expect(!gms_is_quarantined(s, index), "past the end: is_quarantined");
	expect(!gms_folio_order(s, index), "past the end: folio_order");
	expect(!gms_first_pin(s, index, 1, &pinned), "past the end: first_pin");
	expect(!gms_attr_test(s, 0, index), "past the end: attr_test");
	expect(!gms_seq_read(s, index), "past the end: seq_read");
	gms_iter_init(&iter, s, index, 1);
	expect(!gms_iter_next(&iter, &run), "past the end: iter_next");
	return NULL;
}

/* Checks the queries about the existing part of a block. */
static const char *block_agrees(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	const gms_pgoff_t start = index >> order << order, rest = gms_state_nr_pages(s) - start;
	const uint64_t nr = rest < 1ULL << order ? rest : 1ULL << order;
	const enum gms_summary summary = gms_summary(s, index, order);
	const uint64_t private = gms_count(s, start, nr, GMS_PRIVATE);

	expect(gms_count(s, start, nr, GMS_SHARED) == nr - private,
	       "count: shared and private do not add up");
	expect((summary == GMS_ALL_PRIVATE) == (private == nr), "summary and count disagree");
	expect((summary == GMS_ALL_SHARED) == !private, "summary and count disagree");
	expect(gms_range_is(s, start, nr, GMS_PRIVATE) == (private == nr), "range_is");
	expect(gms_range_is(s, start, nr, GMS_SHARED) == !private, "range_is");
	expect((gms_max_order(s, index) >= order) == (nr == 1ULL << order && summary != GMS_MIXED),
	       "max_order and summary disagree");
	return NULL;
}

static const char *runs_agree(const struct gms_state *s, gms_pgoff_t index)
{
	const gms_pgoff_t next = index / T_1G * T_1G + T_1G, nr_pages = gms_state_nr_pages(s);
	const gms_pgoff_t end = next < nr_pages ? next : nr_pages;
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, s, index, end - index);
	expect(gms_iter_next(&iter, &run) && run.start == index,
	       "iter: the first run is missing or begins elsewhere");
	expect(gms_is_private(s, index) == (run.shareability == GMS_PRIVATE),
	       "iter: the first run has another shareability than its page");
	expect(run.nr_pages && run.nr_pages <= end - index,
	       "iter: the first run is empty, or passes the end");
	expect(gms_count(s, index, run.nr_pages, run.shareability) == run.nr_pages,
	       "iter and count disagree");
	index += run.nr_pages;
	expect(gms_iter_next(&iter, &run) == (index < end),
	       "iter: it ended too early, or too late");
	expect(index == end || gms_is_private(s, index) == (run.shareability == GMS_PRIVATE),
	       "iter: the second run has another shareability than its page");
	return NULL;
}

static const char *folio_agrees(const struct gms_state *s, gms_pgoff_t index)
{
	const unsigned int order = gms_folio_order(s, index);
	const gms_pgoff_t start = index >> order << order;

	expect(order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G,
	       "folio_order: this is no order of a folio");
	expect(start + (1ULL << order) <= gms_state_nr_pages(s), "folio_order: past the end");
	expect(gms_is_allocated(s, start) == gms_is_allocated(s, start + (1ULL << order) - 1),
	       "is_allocated: a folio is allocated in part");
	expect(!gms_is_prepared(s, index) || gms_is_allocated(s, index),
	       "a page is prepared and not allocated");
	return NULL;
}

/* Checks the queries about a gfn, which may be bound or not. */
static const char *gfn_agrees(const struct gms_state *s, uint64_t gfn)
{
	unsigned int order = 1;
	gms_pgoff_t index;

	if (gms_gfn_to_index(s, gfn, &index))
		return NULL;
	expect(index < gms_state_nr_pages(s), "gfn_to_index: past the end");
	if (!gms_gfn_max_order(s, gfn, &order))
		expect(order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G,
		       "gfn_max_order: this is no order of a folio");
	return NULL;
}

const char *state_query_page(const struct gms_state *s, gms_pgoff_t index, bool still)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	const char *why = NULL, *runs, *folio;
	gms_pgoff_t pinned = index;

	if (index >= gms_state_nr_pages(s))
		return past_the_end(s, index);
	for (size_t i = 0; !why && i < ARRAY_SIZE(orders); i++)
		why = block_agrees(s, index, orders[i]);
	runs = runs_agree(s, index);
	folio = folio_agrees(s, index);
	if (!why)
		why = runs ? runs : folio;
	if (!still)
		why = NULL; /* the answers may be about different times */
	if (gms_first_pin(s, index, 1, &pinned) && pinned != index)
		why = "first_pin: the pinned page is outside of the range";
	(void)gms_is_quarantined(s, index);
	for (unsigned int id = 0; id < GMS_MAX_ATTRS; id++)
		(void)gms_attr_test(s, id, index);
	(void)gms_seq_read(s, index);
	return why ? why : gfn_agrees(s, index);
}

const char *state_query_object(const struct gms_state *s)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	expect(!gms_stats_read(s, &stats), "stats_read failed");
	expect(stats.bytes_in_use, "stats_read: no memory is in use");
	return past_the_end(s, gms_state_nr_pages(s));
}
