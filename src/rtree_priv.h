/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_priv.h - what the rest of src/ may ask of a range tree beyond its public interface
 *
 * Stores for those who hold a spinlock. Under one nothing may sleep, so nothing may call the
 * allocator. A store is tried there with what the tree's pools hold; where that is not enough,
 * the lock is left, the pools are filled up, and the store is tried again:
 *
 *	lock; err = gms_rtree_try_store(t, start, nr_pages, set, &need); unlock;
 *	if (err == -EAGAIN && !gms_rtree_grow(t, &need)) again
 */
#ifndef GMS_RTREE_PRIV_H
#define GMS_RTREE_PRIV_H

#include <gmemstate/rtree.h>

#include "pool.h"

/* 0; -EINVAL: a bad range; -EAGAIN: nothing has changed, and *need says what is missing. */
int gms_rtree_try_store(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages, bool set,
			struct gms_need *need);

/* Allocate that. 0 or -ENOMEM. Sleeps; needs no lock. */
int gms_rtree_grow(struct gms_rtree *tree, const struct gms_need *need);

/*
 * gms_rtree_fill() of the block at @index, which exists, as it will be when [start, end) is
 * @set. @order is 9 or 18; start < end.
 */
enum gms_rtree_fill gms_rtree_fill_after(const struct gms_rtree *tree, gms_pgoff_t index,
					 unsigned int order, gms_pgoff_t start, gms_pgoff_t end,
					 bool set);

/* One walk for all that can be asked of an index, which exists: itself, and its two blocks. */
struct gms_look {
	bool set;
	enum gms_rtree_fill fill_2m, fill_1g;
};
struct gms_look gms_rtree_look(const struct gms_rtree *tree, gms_pgoff_t index);

#endif /* GMS_RTREE_PRIV_H */
