/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree_query.h - every query of a range tree, checked against a ledger
 *
 * Each function updates the reader's view, queries the tree, and checks the answer by R1 and R4.
 * Writers may store at the same time. The functions return NULL, or a static text that says which
 * answer is wrong.
 *
 * Usage, in a reader:
 *
 *	view_init(&view, &ledger);
 *	while (!why)
 *		why = tree_query_any(&view, &prng);
 *	view_fini(&view);
 */
#ifndef GMS_TESTS_TREE_QUERY_H
#define GMS_TESTS_TREE_QUERY_H

#include "ledger.h"

/* The size of the tree. The last 2M block and the last 1G block are incomplete. */
#define TREE_QUERY_PAGES (3 * T_1G + T_2M + 3)

/*
 * Returns one of a few pages: in 2M blocks that share a word of states, at the ends of 1G blocks,
 * and at the end of the tree.
 */
uint64_t tree_query_hot_page(struct prng *prng);

/* Sets a range at one of these pages: the page, its 2M or 1G block, or a range of any length. */
void tree_query_hot_range(struct prng *prng, uint64_t *start, uint64_t *nr_pages);

/* Stores random ranges. Call it after ledger_init(), before any view or entry exists. */
void tree_query_fill_twin(struct twin *twin, struct prng *prng);

/* Queries one page, by the function that @how selects. */
const char *tree_query_page(struct view *view, uint64_t page, uint64_t how);

/* Queries a block around a page, by the function that @how selects. */
const char *tree_query_blocks(struct view *view, uint64_t page, uint64_t how);

/* Query the uniform order at a page, and the fill and the count of a range. */
const char *tree_query_order(struct view *view, uint64_t page);
const char *tree_query_range(struct view *view, uint64_t start, uint64_t nr_pages);
const char *tree_query_count(struct view *view, uint64_t start, uint64_t nr_pages);

/* Walks all runs of [start, end), by a cursor or by gms_rtree_next(). */
const char *tree_query_runs(struct view *view, uint64_t start, uint64_t end, bool by_cursor);

/* Makes a random one of these queries. */
const char *tree_query_any(struct view *view, struct prng *prng);

#endif /* GMS_TESTS_TREE_QUERY_H */
