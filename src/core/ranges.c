// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ranges.c - the list of the parts of a range that one call changes: see ranges.h
 */
#include "ranges.h"

gms_pgoff_t gms_ranges_first_in_tree(const struct gms_rtree *tree, gms_pgoff_t start,
				     gms_pgoff_t end)
{
	struct gms_rtree_run run;

	if (gms_rtree_next(tree, start, end, &run) && !run.set)
		start = run.start + run.nr_pages;
	return start;
}

bool gms_ranges_next_in_tree(const struct gms_ranges *ranges, struct gms_ranges_walk *walk)
{
	gms_pgoff_t from = walk->next++ ? walk->range.end : ranges->start;
	struct gms_rtree_run run;

	for (; gms_rtree_next(ranges->tree, from, ranges->end, &run);
	     from = run.start + run.nr_pages) {
		if (run.set != ranges->set)
			continue;
		walk->range = (struct gms_range) {run.start, run.start + run.nr_pages};
		return true;
	}
	return false;
}

/*
 * Stores the first @room ranges of the list, which are in these parts, in @kept. Returns how many
 * there are in the tree.
 */
static size_t ranges_keep(const struct gms_ranges *ranges, const struct gms_range *parts,
			  size_t nr_parts, struct gms_range *kept, size_t room)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;
	size_t nr = 0;

	for (size_t i = 0; i < nr_parts; i++) {
		gms_rtree_cursor_init(&cursor, ranges->tree, parts[i].start, parts[i].end);
		while (gms_rtree_cursor_next(&cursor, &run)) {
			if (run.set != ranges->set)
				continue;
			if (nr < room)
				kept[nr] = (struct gms_range) {run.start, run.start + run.nr_pages};
			nr++;
		}
	}
	return nr;
}

int gms_ranges_init(struct gms_state *s, struct gms_ranges *ranges, const struct gms_rtree *tree,
		    bool set, gms_pgoff_t start, gms_pgoff_t end, bool keep)
{
	const struct gms_range part = {start, end};

	return gms_ranges_init_parts(s, ranges, tree, set, &part, 1, keep);
}

int gms_ranges_init_parts(struct gms_state *s, struct gms_ranges *ranges,
			  const struct gms_rtree *tree, bool set, const struct gms_range *parts,
			  size_t nr_parts, bool keep)
{
	const struct gms_allocator *a = &s->allocator;
	struct gms_range *kept = ranges->few;

	ranges->tree = tree;
	ranges->set = set;
	ranges->start = parts[0].start;
	ranges->end = parts[nr_parts - 1].end;
	ranges->unmapped = ranges->start;
	ranges->kept = NULL;
	if (!keep && nr_parts == 1)
		return 0;
	ranges->nr = ranges_keep(ranges, parts, nr_parts, kept, GMS_RANGES_INLINE);
	if (ranges->nr > GMS_RANGES_INLINE) {
		kept = a->alloc(a->ctx, ranges->nr * sizeof(*kept), sizeof(void *));
		if (!kept)
			return -ENOMEM;
		ranges_keep(ranges, parts, nr_parts, kept, ranges->nr);
	}
	ranges->kept = kept;
	return 0;
}

void gms_ranges_fini(struct gms_state *s, struct gms_ranges *ranges)
{
	const struct gms_allocator *a = &s->allocator;

	if (ranges->kept && ranges->kept != ranges->few)
		a->free(a->ctx, ranges->kept, ranges->nr * sizeof(*ranges->kept), sizeof(void *));
}
