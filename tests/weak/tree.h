/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree.h - for programs over one range tree: calls are recorded, and their answers judged
 *
 * The fan-out is 4 (GMS_RTREE_SHIFT is 2): a 2M block has 4 pages, a 1G block 4 2M blocks, a word
 * of states 2 2M blocks, a leaf page 2 leaves, a chunk 2 nodes. A tree has 4 1G blocks at most.
 * With the fan-out that ships, 16 pages of a 1G block are of interest: programs ask about these
 * only, and not for summaries.
 *
 * What is judged, in each execution: for each page, each 2M and each 1G block by itself, answers
 * are linearizable, with happens-before as real time. That is
 *
 *  - each answer is a value that the page or block had,
 *  - not an older one than what was committed before the call, or was answered before the call,
 *  - not a newer one than what was committed after the call.
 *
 * "Before" is: the return of the one call happens before the begin of the other. Stores to one 1G
 * block must be ordered by happens-before, so their order is known.
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

/* In setup(). The tree is empty, and changed before the threads run. */
void tree_create(unsigned int nr_blocks);
void tree_before(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* In end(): judges all answers, verifies the tree and destroys it. */
void tree_end(void);

/* In threads. */
void tree_prepare(gms_pgoff_t start, uint64_t nr_pages);
/* Prepares and commits; cannot be reverted. */
void tree_store(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Prepares, commits and reverts. */
void tree_store_and_revert(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Commits where gms_rtree_is_prepared() says that it may. */
void tree_store_if_prepared(gms_pgoff_t start, uint64_t nr_pages, bool set);
/* Prepares with spare leaf pages. One thread of a program may do so. */
void tree_spare(gms_pgoff_t start, uint64_t nr_pages);
void tree_commit(gms_pgoff_t start, uint64_t nr_pages, bool set);
bool tree_test(gms_pgoff_t index);
enum gms_rtree_fill tree_fill(gms_pgoff_t index, unsigned int order);
/* A page, its 2M and its 1G block. */
void tree_look(gms_pgoff_t index);
/* Which of the two blocks are uniform. */
void tree_uniform_order(gms_pgoff_t index);
/* Which 2M blocks of the tree are mixed. */
void tree_mixed_mask(void);
/* Runs, judged as an answer for each page. */
void tree_next(gms_pgoff_t start, gms_pgoff_t end);
void tree_cursor(gms_pgoff_t start, gms_pgoff_t end);
/* Counts a page and its neighbour @index ^ 1, which no thread changes. Judged as an answer. */
void tree_count(gms_pgoff_t index);

/*
 * R5. Stores between begin and end are made while the sequence number is odd. A reader that finds
 * it even, and the same before and after, has read both pages as they were then.
 */
void tree_seq_begin(void);
void tree_seq_end(void);
void tree_seq_read(gms_pgoff_t a, gms_pgoff_t b);

/* Names the parts of the tree in a trace. */
const char *tree_describe(const void *p);

#endif /* GMS_WEAK_TREE_H */
