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

/*
 * A walk over the runs of [from, end) that are not in the set, while nobody changes it there.
 * By pages, or by 2M blocks of which no page is in the set; then @from and @end are multiples
 * of 2M. False where there is none left.
 */
struct gms_clear_walk {
	const struct gms_rtree *tree;
	gms_pgoff_t at, end;
	uint64_t block; /* the 1G block that it is in; none: ~0 */
	enum gms_rtree_fill kind;
	const struct gms_node *node;
	uint64_t leaf_block; /* the mixed 2M block whose leaf it has; none: ~0 */
	const struct gms_line *leaf;
};
void gms_clear_walk_init(struct gms_clear_walk *w, const struct gms_rtree *tree, gms_pgoff_t from,
			 gms_pgoff_t end);
bool gms_clear_walk_next(struct gms_clear_walk *w, struct gms_rtree_run *run);
bool gms_clear_walk_next_2m(struct gms_clear_walk *w, struct gms_rtree_run *run);
/* The next 2M blocks, each as a run of its own. How many; @room at most. */
size_t gms_clear_walk_fill_2m(struct gms_clear_walk *w, enum gms_shareability to,
			      struct gms_run *runs, size_t room);

/* One walk for all that can be asked of an index, which exists: itself, and its two blocks. */
struct gms_look {
	bool set;
	enum gms_rtree_fill fill_2m, fill_1g;
};
struct gms_look gms_rtree_look(const struct gms_rtree *tree, gms_pgoff_t index);

#endif /* GMS_RTREE_PRIV_H */
