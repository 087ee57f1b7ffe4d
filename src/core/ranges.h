/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ranges.h - the parts of a range that one call changes
 *
 * A conversion changes the pages that do not have the wanted state yet; a hole frees the pages
 * that are allocated. Each is a list of ranges. They ascend, and no two touch.
 *
 *	the call's range    [                                    ]
 *	pages in the tree      ####      ##########   #
 *	its ranges             [  ]      [        ]   []
 *
 * A list is either read from the tree each time that it is walked, or kept in an array. A kept
 * list outlasts a change of the tree.
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
	const struct gms_rtree *tree;
	bool set; /* the ranges are in the tree; false: they are not in it */
	gms_pgoff_t start, end; /* of the call's range */
	gms_pgoff_t unmapped; /* the host may have no mapping before this page: see mappings.h */
	size_t nr; /* of kept ranges */
	struct gms_range *kept; /* NULL: the list is read from the tree */
	struct gms_range few[GMS_RANGES_INLINE];
};

struct gms_ranges_walk {
	struct gms_range range;
	size_t next;
};

/*
 * Makes the list of the parts of [start, end) that are in a tree, or are not in it. @keep: keep
 * them in an array, which is allocated if they are more than a few. Returns 0 or -ENOMEM.
 */
int gms_ranges_init(struct gms_state *s, struct gms_ranges *ranges, const struct gms_rtree *tree,
		    bool set, gms_pgoff_t start, gms_pgoff_t end, bool keep);
void gms_ranges_fini(struct gms_state *s, struct gms_ranges *ranges);

/* Makes the list of one range. It needs no gms_ranges_fini(). */
static inline void gms_ranges_one(struct gms_ranges *ranges, gms_pgoff_t start, gms_pgoff_t end)
{
	ranges->start = start;
	ranges->end = end;
	ranges->unmapped = start;
	ranges->nr = 1;
	ranges->kept = ranges->few;
	ranges->few[0] = (struct gms_range) {start, end};
}

bool gms_ranges_next_in_tree(const struct gms_ranges *ranges, struct gms_ranges_walk *walk);

/* Goes on to the next range. Returns false behind the last one. */
static inline bool gms_ranges_next(const struct gms_ranges *ranges, struct gms_ranges_walk *walk)
{
	if (!ranges->kept)
		return gms_ranges_next_in_tree(ranges, walk);
	if (walk->next == ranges->nr)
		return false;
	walk->range = ranges->kept[walk->next++];
	return true;
}

/* Goes on to the next range, and cuts it at @limit. Returns false where it begins at @limit. */
static inline bool gms_ranges_next_before(const struct gms_ranges *ranges,
					  struct gms_ranges_walk *walk, gms_pgoff_t limit)
{
	if (!gms_ranges_next(ranges, walk) || walk->range.start >= limit)
		return false;
	if (walk->range.end > limit)
		walk->range.end = limit;
	return true;
}

/* Returns the end of the last range of a kept list. */
static inline gms_pgoff_t gms_ranges_last_end(const struct gms_ranges *ranges)
{
	return ranges->kept[ranges->nr - 1].end;
}

#endif /* GMS_CORE_RANGES_H */
