/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree.h - what the rest of src/ needs of a range tree beyond <gmemstate/rtree.h>
 *
 * The public header has the guarantees for readers (R1 to R4) and the rules for writers (W1 to
 * W3). rtree_node.h explains how the tree is built and why the guarantees hold.
 *
 * Spare leaf pages are for a range that must be ready to be stored and hardly ever is, such as one
 * that an undo may quarantine. To prepare each such range would allocate leaf pages that stay in
 * the tree. A spare has two leaf pages, which serve one range after another:
 *
 *	gms_rtree_spare_fill()    May fail, and sleeps: makes the chunks that the range needs, and
 *	                          leaf pages for those of its ends that have none in the tree
 *	gms_rtree_spare_spend()   Cannot fail: prepares the range with the leaf pages of the spare
 *	gms_rtree_spare_free()    Before the tree is destroyed
 *
 *  1. A spare begins as all zeroes.
 *  2. Its owner serialises its use. The functions take no lock, and may race with every other call
 *     for the tree, like gms_rtree_prepare() (W2).
 *
 * Cost. To fill a spare that is full, or to spend one, is a few loads, and a compare-and-swap for
 * each end that needs a leaf page.
 */
#ifndef GMS_TREE_H
#define GMS_TREE_H

#include <gmemstate/rtree.h>

struct gms_rtree_spare {
	void *page[2]; /* for the start of the range, and for its end; NULL: none */
};

/* Fills a spare for a range. Returns 0 or -ENOMEM. */
int gms_rtree_spare_fill(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			 struct gms_rtree_spare *spare);

/*
 * Prepares a range. The last gms_rtree_spare_fill() of this spare was for the same range. Neither
 * allocates nor sleeps.
 */
void gms_rtree_spare_spend(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			   struct gms_rtree_spare *spare);

/* Frees what is left in a spare. */
void gms_rtree_spare_free(struct gms_rtree *tree, struct gms_rtree_spare *spare);

/*
 * Stores, from one walk over all 1G blocks, what gms_rtree_memory(), gms_rtree_pooled() and
 * gms_rtree_nodes() return.
 */
void gms_rtree_usage(const struct gms_rtree *tree, size_t *in_use, size_t *pooled, uint64_t *mixed);

/*
 * Returns true if every page of @set is in @other, which is at least as large. No writer may run
 * in either.
 */
bool gms_rtree_is_within(const struct gms_rtree *set, const struct gms_rtree *other);

#endif /* GMS_TREE_H */
