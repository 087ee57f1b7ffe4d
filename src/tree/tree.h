/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_priv.h - what the rest of src/ asks of a range tree beyond its public interface
 */
#ifndef GMS_RTREE_PRIV_H
#define GMS_RTREE_PRIV_H

#include <gmemstate/rtree.h>

/*
 * Spare leaf pages: for a range that must be ready to be stored and hardly ever is. Preparing it
 * would take leaf pages of its own for each such range; the two in a spare serve one range after
 * another. A spare begins as all zeroes. Its owner serialises its use.
 *
 *	gms_rtree_spare_fill()    may fail, sleeps: makes the chunks of the range, and leaf pages for
 *	                          those of its ends that have none
 *	gms_rtree_spare_spend()   cannot fail: the range is prepared, with pages of the spare
 *	gms_rtree_spare_free()    before the tree is destroyed
 */
struct gms_rtree_spare {
	void *page[2];
};

/* Returns 0 or -ENOMEM. */
int gms_rtree_spare_fill(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			 struct gms_rtree_spare *spare);
/* After gms_rtree_spare_fill() of the same range. Neither allocates nor sleeps. */
void gms_rtree_spare_spend(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			   struct gms_rtree_spare *spare);
void gms_rtree_spare_free(struct gms_rtree *tree, struct gms_rtree_spare *spare);

/*
 * In one walk: bytes in use, bytes kept beyond that, and the number of mixed 1G and 2M blocks, as
 * gms_rtree_memory(), gms_rtree_pooled() and gms_rtree_nodes() tell them.
 */
void gms_rtree_usage(const struct gms_rtree *tree, size_t *in_use, size_t *pooled, uint64_t *mixed);

/*
 * Returns true if every page of @set is in @other, which is at least as large. No writer may run.
 */
bool gms_rtree_is_within(const struct gms_rtree *set, const struct gms_rtree *other);

#endif /* GMS_RTREE_PRIV_H */
