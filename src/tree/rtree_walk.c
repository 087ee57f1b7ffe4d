// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_walk.c - walks over the runs of equal pages of a range
 *
 * Each step loads kinds, states and leaves anew, so that each answer is a value that the page had
 * during the call (R1). Between calls a cursor keeps addresses only, which never change: that of
 * its group, and that of the leaf page of the group. The memory that a step waits for is the next
 * leaf. So a cursor that enters a group prefetches the leaves of the next group.
 */
#include "rtree_node.h"

struct gms_may_alias walk_cursor {
	const struct gms_rtree *tree;
	gms_pgoff_t at, end;
	gms_pgoff_t ahead; /* the leaves of all groups before this page were prefetched */
	gms_pgoff_t number; /* the number of the group in the tree; ~0: no group is entered yet */
	struct gms_group *group;
	struct gms_leaf_page *page; /* the leaf page of the group; NULL: not loaded yet */
};

_Static_assert(sizeof(struct walk_cursor) <= sizeof(struct gms_rtree_cursor), "the cursor's size");

#define WALK_GROUP_PAGES ((gms_pgoff_t)GMS_GROUP_BLOCKS << GMS_RTREE_SHIFT)

static gms_always_inline void walk_init(struct walk_cursor *c, const struct gms_rtree *t,
					gms_pgoff_t at, gms_pgoff_t end)
{
	*c = (struct walk_cursor) {
		.tree = t,
		.at = at,
		.end = end < t->nr_pages ? end : t->nr_pages,
		.number = ~0ULL,
	};
}

/* Moves the cursor to the group of page @at, whose 1G block is mixed. Returns the group. */
static gms_always_inline struct gms_group *walk_enter_group(struct walk_cursor *c, gms_pgoff_t at)
{
	if (c->number != at / WALK_GROUP_PAGES) {
		c->number = at / WALK_GROUP_PAGES;
		c->group = gms_group(gms_chunk(c->tree, gms_block_of(at)), at);
		c->page = NULL;
	}
	return c->group;
}

/* Returns the leaf of 2M block @i, which is mixed and in the group of the cursor. */
static gms_always_inline struct gms_line *walk_leaf(struct walk_cursor *c, uint64_t i)
{
	if (!c->page)
		c->page = gms_load_acquire(&c->group->page);
	return &c->page->leaf[i % GMS_GROUP_BLOCKS];
}

/* ---- looking ahead ---- */

/* Prefetches the leaves of the mixed blocks in the group of a page. */
static void walk_prefetch_group(const struct gms_rtree *t, gms_pgoff_t at)
{
	struct gms_group *group;

	if (gms_kind(t, gms_block_of(at)) != GMS_RTREE_MIXED)
		return;
	group = gms_group(gms_chunk(t, gms_block_of(at)), at);
	for (unsigned int i = 0; i < GMS_GROUP_BLOCKS; i += GMS_STATE_BLOCKS) {
		uint64_t mixed = gms_mixed_of(gms_load_acquire(gms_word_in_group(group, i)));

		for (; mixed; mixed &= mixed - 1)
			gms_prefetch(gms_leaf_in_group(group, i + gms_ctz(mixed)));
	}
}

/* Prefetches the leaves of the group after that of the cursor, unless this was done before. */
static gms_always_inline void walk_look_ahead(struct walk_cursor *c)
{
	const gms_pgoff_t next = (c->at | (WALK_GROUP_PAGES - 1)) + 1;

	if (gms_likely(next < c->ahead) || next >= c->end)
		return;
	c->ahead = next + WALK_GROUP_PAGES;
	walk_prefetch_group(c->tree, next);
}

/* ---- finding the end of a run ---- */

/*
 * Moves *at, the first page of a 2M block, to the first page from there on in its group that is
 * not @set. Returns false if there is none: *at is then the first page of the next group.
 */
static gms_always_inline bool walk_find_in_group(struct walk_cursor *c, gms_pgoff_t *at, bool set)
{
	const gms_pgoff_t end = (*at | (WALK_GROUP_PAGES - 1)) + 1;
	struct gms_group *group = walk_enter_group(c, *at);
	uint64_t i = *at >> GMS_RTREE_SHIFT;

	for (; i < end >> GMS_RTREE_SHIFT; i = (i | (GMS_STATE_BLOCKS - 1)) + 1) {
		const uint64_t states = gms_load_acquire(gms_word_in_group(group, i));
		uint64_t differ = ~gms_uniform_of(states, set) & GMS_STATE_ALL;

		for (differ &= ~0ULL << (i % GMS_STATE_BLOCKS); differ; differ &= differ - 1) {
			const unsigned int bit = gms_ctz(differ);
			const uint64_t k = (i & ~(GMS_STATE_BLOCKS - 1ULL)) + bit;
			unsigned int page = 0;

			if (states >> 32 >> bit & 1)
				page = gms_line_find(walk_leaf(c, k), 0, set);
			*at = (k << GMS_RTREE_SHIFT) + page;
			if (gms_likely(page < GMS_LEAF_PAGES))
				return true;
		}
	}
	*at = end;
	return false;
}

/*
 * Returns the first page of [at, end) that is not @set, or @end. @at is the first page of a 2M
 * block. @entered: @at lies in the group of the cursor, so its 1G block was seen to be mixed.
 */
static gms_always_inline gms_pgoff_t walk_find(struct walk_cursor *c, gms_pgoff_t at,
					       gms_pgoff_t end, bool set, bool entered)
{
	while (at < end) {
		const enum gms_rtree_fill kind =
			entered ? GMS_RTREE_MIXED : gms_kind(c->tree, gms_block_of(at));

		entered = false;
		if (kind == GMS_RTREE_MIXED) {
			if (walk_find_in_group(c, &at, set))
				break;
		} else if (kind == (enum gms_rtree_fill)set) {
			at = (at | GMS_BLOCK_MASK) + 1;
		} else {
			break;
		}
	}
	return at < end ? at : end;
}

/* Stores the run at the cursor, and moves the cursor to the end of the run. */
static gms_always_inline void walk_next_run(struct walk_cursor *c, struct gms_rtree_run *run)
{
	const gms_pgoff_t from = c->at;
	const uint64_t i = from >> GMS_RTREE_SHIFT;
	gms_pgoff_t next = (from | GMS_BLOCK_MASK) + 1, end = c->end;
	enum gms_rtree_fill fill = gms_kind(c->tree, gms_block_of(from));
	bool set, entered = false;

	if (fill == GMS_RTREE_MIXED) {
		const uint64_t *states = gms_word_in_group(walk_enter_group(c, from), i);

		fill = gms_state_fill(gms_load_acquire(states), i);
		next = (from | GMS_LEAF_MASK) + 1;
		entered = next & (WALK_GROUP_PAGES - 1);
	}
	set = fill & 1;
	if (fill == GMS_RTREE_MIXED) {
		const unsigned int found = gms_line_run(walk_leaf(c, i), gms_page_of(from), &set);

		next = (from & ~(gms_pgoff_t)GMS_LEAF_MASK) + found;
		if (found < GMS_LEAF_PAGES && next < end)
			end = next; /* the run ends inside the leaf */
	}
	c->at = walk_find(c, next, end, set, entered);
	*run = (struct gms_rtree_run) {.start = from, .nr_pages = c->at - from, .set = set};
}

/* ---- the interface ---- */

bool gms_rtree_next(const struct gms_rtree *t, gms_pgoff_t from, gms_pgoff_t end,
		    struct gms_rtree_run *run)
{
	struct walk_cursor c;

	walk_init(&c, t, from, end);
	if (from >= c.end)
		return false;
	walk_next_run(&c, run);
	return true;
}

void gms_rtree_cursor_init(struct gms_rtree_cursor *cursor, const struct gms_rtree *t,
			   gms_pgoff_t start, gms_pgoff_t end)
{
	walk_init((struct walk_cursor *)(void *)cursor, t, start, end);
}

bool gms_rtree_cursor_next(struct gms_rtree_cursor *cursor, struct gms_rtree_run *run)
{
	struct walk_cursor *c = (struct walk_cursor *)(void *)cursor;

	if (c->at >= c->end)
		return false;
	walk_look_ahead(c);
	walk_next_run(c, run);
	return true;
}

enum gms_rtree_fill gms_rtree_fill_range(const struct gms_rtree *t, gms_pgoff_t start,
					 uint64_t nr_pages)
{
	struct gms_rtree_run run;

	if (nr_pages == 1)
		return gms_rtree_test(t, start) ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	if (start >= t->nr_pages)
		return GMS_RTREE_NONE;
	if (nr_pages > t->nr_pages - start)
		nr_pages = t->nr_pages - start;
	if (!gms_rtree_next(t, start, start + nr_pages, &run))
		return GMS_RTREE_NONE;
	if (run.nr_pages < nr_pages)
		return GMS_RTREE_MIXED;
	return run.set ? GMS_RTREE_ALL : GMS_RTREE_NONE;
}
