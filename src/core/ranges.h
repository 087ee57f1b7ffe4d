/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ranges.h - the list of the parts of a range that one call changes
 *
 * A conversion changes those pages of its range that do not have the wanted state yet, and a hole
 * frees those that are allocated. A range tree says which pages they are: those in it, or those
 * not in it. The list has a range for each run of them. The ranges ascend, and no two touch.
 *
 *	range of the call   [                                    ]
 *	pages in the tree      ####      ##########   #
 *	ranges of the list     [  ]      [        ]   []
 *
 * A list is read from the tree each time that it is walked, or it is kept in an array. A kept list
 * stays as it is when the tree changes.
 *
 * Usage:
 *
 *	struct gms_ranges_walk walk = {0};
 *
 *	while (gms_ranges_next(ranges, &walk))
 *		... walk.range ...
 */
#ifndef GMS_CORE_RANGES_H
#define GMS_CORE_RANGES_H

#include "core.h"

struct gms_range {
	gms_pgoff_t start, end;
};

#define GMS_RANGES_INLINE 8
struct gms_ranges {
	const struct gms_rtree *tree; /* not used if the list is kept */
	bool set; /* the ranges are in the tree; false: they are not in it */
	gms_pgoff_t start, end; /* the range of the call */
	gms_pgoff_t unmapped; /* no range behind this page was unmapped from the host */
	size_t nr; /* the number of ranges, if the list is kept */
	struct gms_range *kept; /* the ranges; NULL: the list is read from the tree */
	struct gms_range few[GMS_RANGES_INLINE]; /* what kept points to, if the ranges fit */
};

struct gms_ranges_walk {
	struct gms_range range; /* the current range */
	size_t next; /* how many ranges the walk has come to */
};

/*
 * Makes the list of the parts of [start, end) that are in a tree (@set), or are not in it. @keep:
 * keeps the list, and allocates it if there are more than GMS_RANGES_INLINE ranges. Returns 0 or
 * -ENOMEM.
 */
int gms_ranges_init(struct gms_state *s, struct gms_ranges *ranges, const struct gms_rtree *tree,
		    bool set, gms_pgoff_t start, gms_pgoff_t end, bool keep);

/* Does the same for several ranges, which ascend and do not touch. Then the list is kept. */
int gms_ranges_init_parts(struct gms_state *s, struct gms_ranges *ranges,
			  const struct gms_rtree *tree, bool set, const struct gms_range *parts,
			  size_t nr_parts, bool keep);

void gms_ranges_fini(struct gms_state *s, struct gms_ranges *ranges);

/* Makes a kept list of one range. It needs no gms_ranges_fini(). */
static inline void gms_ranges_one(struct gms_ranges *ranges, gms_pgoff_t start, gms_pgoff_t end)
{
	ranges->start = start;
	ranges->end = end;
	ranges->unmapped = start;
	ranges->nr = 1;
	ranges->kept = ranges->few;
	ranges->few[0] = (struct gms_range) {start, end};
}

/* Does gms_ranges_next() for a list that is read from the tree. */
bool gms_ranges_next_in_tree(const struct gms_ranges *ranges, struct gms_ranges_walk *walk);

/* Makes the next range of the list the current one. Returns false if there is none. */
static inline bool gms_ranges_next(const struct gms_ranges *ranges, struct gms_ranges_walk *walk)
{
	gms_cond_resched();
	if (!ranges->kept)
		return gms_ranges_next_in_tree(ranges, walk);
	if (walk->next == ranges->nr)
		return false;
	walk->range = ranges->kept[walk->next++];
	return true;
}

/* Returns the first page of [start, end) that is in a tree; @end if there is none. */
gms_pgoff_t gms_ranges_first_in_tree(const struct gms_rtree *tree, gms_pgoff_t start,
				     gms_pgoff_t end);

/* Returns the end of the last range of a list that is kept and not empty. */
static inline gms_pgoff_t gms_ranges_last_end(const struct gms_ranges *ranges)
{
	return ranges->kept[ranges->nr - 1].end;
}

#endif /* GMS_CORE_RANGES_H */
