/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree.h - what the rest of src/ needs of a range tree beyond <gmemstate/rtree.h>
 *
 * The public header states what the tree guarantees to readers (R1 to R4) and asks of writers (W1
 * to W3). rtree_node.h explains how the tree is built, and why the guarantees hold.
 *
 * A spare holds leaf pages for a range that the caller must be able to store without memory, but
 * hardly ever stores: a quarantine, for example, stores a range only if an undo fails. If the
 * caller prepared each such range, the tree would keep leaf pages that nothing uses. A spare has
 * two leaf pages, and lends them to one range after another until one of the ranges is stored:
 *
 *	gms_rtree_spare_fill()    May fail and may sleep: makes the chunks that the range needs in
 *	                          the tree, and puts a leaf page into the spare for each end of the
 *	                          range that needs one and has none in the tree
 *	gms_rtree_spare_spend()   Cannot fail: prepares the range with the leaf pages of the spare
 *	gms_rtree_spare_free()    Frees the leaf pages left; called before the tree is destroyed
 *
 *  1. A spare begins as all zeroes.
 *  2. The owner of a spare serialises its use. The functions take no lock, and may race with every
 *     other call for the tree, like gms_rtree_prepare() (W2).
 *
 * Cost. To fill a spare that is full takes a few loads. To spend a spare takes a compare-and-swap
 * for each end that needs a leaf page.
 */
#ifndef GMS_TREE_H
#define GMS_TREE_H

#include <gmemstate/rtree.h>

struct gms_rtree_spare {
	void *page[2]; /* leaf pages for the start and for the end of the range; NULL: none */
};

/* Fills a spare for a range. Returns 0 or -ENOMEM. */
int gms_rtree_spare_fill(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			 struct gms_rtree_spare *spare);

/*
 * Prepares a range with the leaf pages of a spare. The last gms_rtree_spare_fill() of @spare was
 * for this range. Neither allocates nor sleeps.
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
 * Returns true if every page of @set is also in @other. The caller guarantees that @other has at
 * least as many pages as @set, and that no writer runs in either tree.
 */
bool gms_rtree_is_within(const struct gms_rtree *set, const struct gms_rtree *other);

#endif /* GMS_TREE_H */
