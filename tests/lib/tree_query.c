// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tree_query.c - every query of a range tree, checked against a ledger
 */
#include "tree_query.h"
#include "test.h"

/* ---- pages and ranges ---- */

static uint64_t hot_block(struct prng *prng)
{
	const uint64_t blocks[] = {
		T_1G, T_1G + T_2M, T_1G + 2 * T_2M, 2 * T_1G - T_2M, 2 * T_1G, 3 * T_1G + T_2M,
	};

	return blocks[prng_below(prng, ARRAY_SIZE(blocks))];
}

uint64_t tree_query_hot_page(struct prng *prng)
{
	const uint64_t block = hot_block(prng);
	const uint64_t size = block + T_2M < TREE_QUERY_PAGES ? T_2M : TREE_QUERY_PAGES - block;

	/* Four pages of the block are chosen more often than the others. */
	return block +
	       (prng_chance(prng, 50) ? prng_below(prng, size) : prng_below(prng, 4) % size);
}

void tree_query_hot_range(struct prng *prng, uint64_t *start, uint64_t *nr_pages)
{
	const uint64_t page = tree_query_hot_page(prng);

	*start = page;
	switch (prng_below(prng, 8)) {
	case 0:
	case 1:
	case 2:
		*nr_pages = 1;
		break;
	case 3:
		*start = page / T_2M * T_2M;
		*nr_pages = T_2M;
		break;
	case 4:
		*start = page / T_1G * T_1G;
		*nr_pages = T_1G;
		break;
	case 5:
		*nr_pages = 1 + prng_below(prng, TREE_QUERY_PAGES);
		break;
	default:
		*nr_pages = 1 + prng_below(prng, T_2M);
		break;
	}
	if (*nr_pages > TREE_QUERY_PAGES - *start)
		*nr_pages = TREE_QUERY_PAGES - *start;
}

void tree_query_fill_twin(struct twin *twin, struct prng *prng)
{
	for (int i = 0; i < 12; i++) {
		uint64_t start, nr_pages;

		tree_query_hot_range(prng, &start, &nr_pages);
		twin_store(twin, start, nr_pages, prng_chance(prng, 50));
	}
}

/* ---- pages ---- */

static const char *check_page(struct view *view, uint64_t page, bool got, const char *why)
{
	const uint64_t begun = ledger_begun(view->ledger);

	view->answers++;
	return view_allows(view, begun, page, got) ? NULL : why;
}

const char *tree_query_page(struct view *view, uint64_t page, uint64_t how)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	struct gms_rtree_run run = {0};

	view_catch_up(view);
	switch (how) {
	case 0:
		return check_page(view, page, gms_rtree_count(tree, page, 1),
				  "count: the page never had this value");
	case 1:
		return check_page(view, page, gms_rtree_fill(tree, page, 0) == GMS_RTREE_ALL,
				  "fill: the page never had this value");
	case 2:
		return check_page(view, page, gms_rtree_look(tree, page).set,
				  "look: the page never had this value");
	case 3:
		gms_rtree_next(tree, page, page + 1, &run);
		return check_page(view, page, run.set, "next: the page never had this value");
	default:
		return check_page(view, page, gms_rtree_test(tree, page),
				  "test: the page never had this value");
	}
}

/* ---- blocks ---- */

static const char *check_fill(struct view *view, uint64_t index, unsigned int order,
			      enum gms_rtree_fill fill, const char *why)
{
	const uint64_t begun = ledger_begun(view->ledger);

	view->answers++;
	return view_fills(view, begun, index, order) >> fill & 1 ? NULL : why;
}

/* Queries one of the three masks, and checks the bit of one block. */
static const char *query_mask(struct view *view, uint64_t page)
{
	const uint64_t bit = page / T_2M % 64;
	const enum gms_rtree_fill fill = (enum gms_rtree_fill)(page % 3);
	const bool got = gms_rtree_fill_mask(view->ledger->twin.tree, page, fill) >> bit & 1;
	const unsigned int fills = view_fills(view, ledger_begun(view->ledger), page, T_ORDER_2M);

	view->answers++;
	/* a set bit: the 2M had this fill at some time; a clear bit: it had another fill */
	return (got ? fills : fills & ~(1U << fill)) && (!got || fills >> fill & 1)
		       ? NULL
		       : "fill_mask: the 2M never had this fill";
}

/* A look is one walk down the tree, so its answers about a uniform block must agree. */
static const char *query_look(struct view *view, uint64_t page)
{
	const struct gms_rtree_look look = gms_rtree_look(view->ledger->twin.tree, page);

	if (look.fill_1g != GMS_RTREE_MIXED && look.fill_2m != look.fill_1g)
		return "look: the 1G is uniform, and the 2M has another fill";
	if (look.fill_2m != GMS_RTREE_MIXED && look.set != (look.fill_2m == GMS_RTREE_ALL))
		return "look: the 2M is uniform, and the page has another value";
	return check_page(view, page, look.set, "look: the page never had this value");
}

const char *tree_query_blocks(struct view *view, uint64_t page, uint64_t how)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;

	view_catch_up(view);
	switch (how) {
	case 0:
		return check_fill(view, page, T_ORDER_1G, gms_rtree_fill(tree, page, T_ORDER_1G),
				  "fill: the 1G never had this fill");
	case 1:
		return check_fill(view, page, T_ORDER_2M, gms_rtree_look(tree, page).fill_2m,
				  "look: the 2M never had this fill");
	case 2:
		return check_fill(view, page, T_ORDER_1G, gms_rtree_look(tree, page).fill_1g,
				  "look: the 1G never had this fill");
	case 3:
		return query_mask(view, page);
	case 4:
		return query_look(view, page);
	default:
		return check_fill(view, page, T_ORDER_2M, gms_rtree_fill(tree, page, T_ORDER_2M),
				  "fill: the 2M never had this fill");
	}
}

/* The order is a statement about the 2M and the 1G. Each must have held at some time. */
const char *tree_query_order(struct view *view, uint64_t page)
{
	const unsigned int mixed = 1U << GMS_RTREE_MIXED;
	const uint64_t end_2m = page / T_2M * T_2M + T_2M, end_1g = page / T_1G * T_1G + T_1G;
	unsigned int got, fills_1g, fills_2m;
	bool ok;

	view_catch_up(view);
	got = gms_rtree_uniform_order(view->ledger->twin.tree, page);
	fills_1g = view_fills(view, ledger_begun(view->ledger), page, T_ORDER_1G);
	fills_2m = view_fills(view, ledger_begun(view->ledger), page, T_ORDER_2M);
	view->answers++;
	if (got == T_ORDER_1G)
		ok = end_1g <= TREE_QUERY_PAGES && fills_1g & ~mixed;
	else if (got == T_ORDER_2M)
		ok = end_2m <= TREE_QUERY_PAGES && fills_2m & ~mixed &&
		     (fills_1g & mixed || end_1g > TREE_QUERY_PAGES);
	else
		ok = !got && (fills_2m & mixed || end_2m > TREE_QUERY_PAGES);
	return ok ? NULL : "uniform_order: the blocks never had this order";
}

/* ---- ranges ---- */

/* Returns true if no store in the range began during the query. */
static bool is_quiet(const struct view *view, uint64_t begun, uint64_t start, uint64_t nr_pages)
{
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];

		if (entry->start < start + nr_pages && start < entry->start + entry->nr_pages)
			return false;
	}
	return true;
}

/*
 * Uniform is right if each page had the value at some time. Mixed is right if the range was mixed
 * before the query, or if there were stores in it.
 */
const char *tree_query_range(struct view *view, uint64_t start, uint64_t nr_pages)
{
	struct gms_rtree_run run = {.start = start, .nr_pages = nr_pages};
	enum gms_rtree_fill got;
	uint64_t begun;
	bool ok;

	view_catch_up(view);
	got = gms_rtree_fill_range(view->ledger->twin.tree, start, nr_pages);
	begun = ledger_begun(view->ledger);
	run.set = got == GMS_RTREE_ALL;
	if (got != GMS_RTREE_MIXED)
		ok = view_first_wrong(view, begun, &run) == UINT64_MAX;
	else
		ok = oracle_fill_range(&view->oracle, start, nr_pages) == GMS_RTREE_MIXED ||
		     !is_quiet(view, begun, start, nr_pages);
	view->answers++;
	return ok ? NULL : "fill_range: the range never had this fill";
}

/* The answer may include any of the stores that began during the query. */
const char *tree_query_count(struct view *view, uint64_t start, uint64_t nr_pages)
{
	uint64_t got, begun, low, high;

	view_catch_up(view);
	got = gms_rtree_count(view->ledger->twin.tree, start, nr_pages);
	begun = ledger_begun(view->ledger);
	low = high = oracle_count(&view->oracle, start, nr_pages);
	for (uint64_t i = view->at; i < begun; i++) {
		const struct entry *entry = &view->ledger->entries[i];

		if (entry->set)
			high += entry->nr_pages;
		else
			low -= low < entry->nr_pages ? low : entry->nr_pages;
	}
	view->answers++;
	return got >= low && got <= high && got <= nr_pages
		       ? NULL
		       : "count: more or fewer pages than there can be";
}

const char *tree_query_runs(struct view *view, uint64_t start, uint64_t end, bool by_cursor)
{
	const struct gms_rtree *tree = view->ledger->twin.tree;
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	uint64_t at = start;

	end = end < TREE_QUERY_PAGES ? end : TREE_QUERY_PAGES;
	gms_rtree_cursor_init(&cursor, tree, start, end);
	for (;;) {
		bool more;

		view_catch_up(view);
		more = by_cursor ? gms_rtree_cursor_next(&cursor, &run)
				 : gms_rtree_next(tree, at, end, &run);
		if (more != (at < end))
			return "the walk ended too early, or too late";
		if (!more)
			return NULL;
		if (run.start != at || !run.nr_pages || run.nr_pages > end - at)
			return "runs leave a gap, or overlap";
		if (view_first_wrong(view, ledger_begun(view->ledger), &run) != UINT64_MAX)
			return by_cursor ? "cursor: a page of the run never had this value"
					 : "next: a page of the run never had this value";
		view->answers++;
		at += run.nr_pages;
	}
}

const char *tree_query_any(struct view *view, struct prng *prng)
{
	const uint64_t page = tree_query_hot_page(prng);

	switch (prng_below(prng, 32)) {
	case 0:
		return tree_query_runs(view, page, page + 3 * T_2M, prng_chance(prng, 50));
	case 1:
		return tree_query_runs(view, page / T_1G * T_1G, page + prng_below(prng, T_1G),
				       true);
	case 2:
		return tree_query_count(view, page, 1 + prng_below(prng, 2 * T_2M));
	case 3:
		return tree_query_range(view, page, 1 + prng_below(prng, 3 * T_2M));
	case 4:
	case 5:
	case 6:
		return tree_query_order(view, page);
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		return tree_query_blocks(view, page, prng_below(prng, 8));
	default:
		return tree_query_page(view, page, prng_below(prng, 12));
	}
}
