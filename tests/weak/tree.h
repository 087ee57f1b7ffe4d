/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree.h - calls of one range tree, for programs: calls are recorded, and their answers judged
 *
 * The fan-out is 4 (GMS_RTREE_SHIFT is 2): a 2M block has 4 pages, a 1G block 4 2M blocks, a word
 * of states 2 2M blocks, a leaf page 2 leaves, a chunk 2 nodes. A tree has 4 1G blocks at most.
 * With the fan-out that ships, 16 pages of a 1G block are of interest: programs read these pages
 * only, and no summaries.
 *
 * In each execution the answers are judged, for each page, each 2M block and each 1G block by
 * itself. They must be linearizable, with happens-before as real time:
 *
 *  - an answer is a value that the page or block had;
 *  - that value is not older than a commit or an answer before the call;
 *  - that value is not newer than a commit after the call.
 *
 * One call is before another if its return happens before the begin of the other. Stores to one 1G
 * block must be ordered by happens-before, so that their order is known.
 */
#ifndef GMS_WEAK_TREE_H
#define GMS_WEAK_TREE_H

#include <gmemstate/rtree.h>

#include "weak.h"

#define TREE_LEAF (1U << GMS_RTREE_SHIFT) /* pages of a 2M block */
#define TREE_BLOCK (1U << 2 * GMS_RTREE_SHIFT) /* pages of a 1G block */
#define TREE_2M GMS_RTREE_SHIFT /* orders, for tree_fill() */
#define TREE_1G (2 * GMS_RTREE_SHIFT)

/* The pages of interest in ascending order, 16 of each 1G block. */
gms_pgoff_t tree_page(unsigned int i);

/* For setup(): makes an empty tree. */
void tree_create(unsigned int nr_blocks);
/* For setup(): changes the tree before the threads run. */
void tree_before(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* For end(): judges all answers, verifies the tree and destroys it. */
void tree_end(void);

/* The functions from here to tree_seq_read() are for threads. */
void tree_prepare(gms_pgoff_t start, uint64_t nr_pages);
/* Prepares and commits, without a reserve. */
void tree_store(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Prepares, commits and reverts. */
void tree_store_and_revert(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Commits if gms_rtree_is_prepared(). */
void tree_store_if_prepared(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Prepares with spare leaf pages. Only one thread of a program may call this. */
void tree_spare(gms_pgoff_t start, uint64_t nr_pages);
void tree_commit(gms_pgoff_t start, uint64_t nr_pages, bool set);
bool tree_test(gms_pgoff_t index);
enum gms_rtree_fill tree_fill(gms_pgoff_t index, unsigned int order);
/* Calls gms_rtree_look(): an answer about the page, its 2M block and its 1G block. */
void tree_look(gms_pgoff_t index);
/* Calls gms_rtree_uniform_order(): an answer about both blocks. */
void tree_uniform_order(gms_pgoff_t index);
/* Calls gms_rtree_fill_mask(): an answer about each 2M block of the tree. */
void tree_mixed_mask(void);
/* Each reads runs: an answer about each page. */
void tree_next(gms_pgoff_t start, gms_pgoff_t end);
void tree_cursor(gms_pgoff_t start, gms_pgoff_t end);
/*
 * Counts a page and its neighbour @index ^ 1: an answer about @index. No thread may change @index
 * ^ 1.
 */
void tree_count(gms_pgoff_t index);

/*
 * R5. Stores between begin and end are made while the sequence number is odd. A reader that finds
 * the number even, and unchanged afterwards, has read both pages as they were under that number.
 */
void tree_seq_begin(void);
void tree_seq_end(void);
void tree_seq_read(gms_pgoff_t a, gms_pgoff_t b);

/* Returns the name of the part of the tree at an address, for traces; NULL if there is none. */
const char *tree_describe(const void *p);

#endif /* GMS_WEAK_TREE_H */
