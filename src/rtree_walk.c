// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_walk.c - walking over what is not in a set, for who keeps it from changing
 *
 * A query in rtree_read.c starts at the top each time and checks in the end whether it was
 * overtaken by a writer. Here nobody writes: the walk keeps the node and the leaf that it is in,
 * and a mixed 2M block costs one look for its leaf, however many runs it has.
 */
#include "bits.h"
#include "rtree_node.h"
#include "rtree_priv.h"

#define PAGE_MASK (GMS_BLOCK_PAGES - 1)
#define LINE_MASK (GMS_LINE_BITS - 1)

void gms_clear_walk_init(struct gms_clear_walk *w, const struct gms_rtree *t, gms_pgoff_t from,
			 gms_pgoff_t end)
{
	*w = (struct gms_clear_walk) {
		.tree = t, .at = from, .end = end, .block = ~0ULL, .leaf_block = ~0ULL};
}

/* The kind of a 1G block; its node if that is MIXED. */
static gms_always_inline enum gms_rtree_fill enter(struct gms_clear_walk *w, uint64_t block)
{
	if (block != w->block) {
		struct gms_view view = {0};

		w->block = block;
		w->kind = gms_view_begin(w->tree, block, &view);
		w->node = view.node;
	}
	return w->kind;
}

/*
 * The first 2M block of the node, from @i on, that has a page in the set (@set), or one that is
 * not; GMS_LINE_BITS where there is none. *mixed: it has both.
 */
static gms_always_inline unsigned int find_in_lines(const struct gms_node *node, unsigned int i,
						    bool set, bool *mixed)
{
	uint64_t mask = ~0ULL << (i % 64);

	for (unsigned int w = i / 64; w < GMS_LINE_WORDS; w++, mask = ~0ULL) {
		const uint64_t both = gms_load_acquire(&node->mixed.w[w]);
		uint64_t found = gms_load_relaxed(&node->value.w[w]) ^ gms_word_of(!set);

		found = (found | both) & mask & GMS_WORD_FULL;
		if (found) {
			const unsigned int bit = gms_ctz(found);

			*mixed = both >> bit & 1;
			return w * 64 + bit;
		}
	}
	return GMS_LINE_BITS;
}

/*
 * The first bit from @from on that is @set; GMS_LINE_BITS where there is none. Beyond the first
 * word all are looked at: in which of them a run ends is what no branch predictor knows.
 */
static gms_always_inline unsigned int find_in_leaf(const struct gms_line *leaf, unsigned int from,
						   bool set)
{
	const uint64_t flip = gms_word_of(!set);
	const uint64_t first = (leaf->w[from / 64] ^ flip) & gms_mask_from(from);
	uint32_t words = 0;

	if (first)
		return from / 64 * 64 + gms_ctz(first);
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		words |= (uint32_t)((leaf->w[i] ^ flip) != 0) << i;
	words &= ~1U << from / 64;
	if (!words)
		return GMS_LINE_BITS;
	from = gms_ctz(words);
	return from * 64 + gms_ctz(leaf->w[from] ^ flip);
}

/* The first page from @at on that is in the set (@set), or is not; the walk's end or more. */
static gms_always_inline gms_pgoff_t find(struct gms_clear_walk *w, gms_pgoff_t at, bool set)
{
	while (at < w->end) {
		const uint64_t block = at >> GMS_BLOCK_SHIFT;
		bool mixed = false;
		unsigned int i;

		if (at >> GMS_RTREE_SHIFT == w->leaf_block) {
			i = find_in_leaf(w->leaf, at & LINE_MASK, set);
			at += i - (at & LINE_MASK);
			if (i < GMS_LINE_BITS)
				return at;
			continue;
		}
		if (enter(w, block) != GMS_RTREE_MIXED) {
			if ((w->kind == GMS_RTREE_ALL) == set)
				return at;
			at = (block + 1) << GMS_BLOCK_SHIFT;
			continue;
		}
		i = (at & PAGE_MASK) >> GMS_RTREE_SHIFT;
		i = find_in_lines(w->node, i, set, &mixed);
		if (i != (at & PAGE_MASK) >> GMS_RTREE_SHIFT)
			at = (block << GMS_BLOCK_SHIFT) + ((gms_pgoff_t)i << GMS_RTREE_SHIFT);
		if (i == GMS_LINE_BITS)
			continue;
		if (!mixed)
			return at;
		w->leaf_block = at >> GMS_RTREE_SHIFT;
		w->leaf = gms_node_leaf(w->tree, w->node, i);
	}
	return at;
}

GMS_CLONES bool gms_clear_walk_next(struct gms_clear_walk *w, struct gms_rtree_run *run)
{
	const gms_pgoff_t start = find(w, w->at, false);
	gms_pgoff_t stop;

	if (start >= w->end)
		return false;
	stop = find(w, start + 1, true);
	if (stop > w->end)
		stop = w->end;
	w->at = stop;
	*run = (struct gms_rtree_run) {.start = start, .nr_pages = stop - start, .set = false};
	return true;
}

/* ---- by 2M blocks ---- */

/* So many 2M blocks a word of a line has. */
#define WORD_BLOCKS (GMS_LINE_BITS < 64 ? GMS_LINE_BITS : 64)

/* Which 2M blocks from @i to the end of its word are all clear; that of @i is bit 0. */
static gms_always_inline uint64_t clear_from(struct gms_clear_walk *w, uint64_t i)
{
	const enum gms_rtree_fill kind = enter(w, i >> GMS_RTREE_SHIFT);
	const unsigned int k = (i & LINE_MASK) / 64;
	uint64_t set = gms_word_of(kind == GMS_RTREE_ALL);

	if (kind == GMS_RTREE_MIXED) {
		set = gms_load_acquire(&w->node->mixed.w[k]);
		set |= gms_load_relaxed(&w->node->value.w[k]);
	}
	return (~set & GMS_WORD_FULL) >> (i % WORD_BLOCKS);
}

/* How many of them, from bit 0 on, are clear. */
static gms_always_inline unsigned int run_of(uint64_t clear)
{
	return ~clear ? gms_ctz(~clear) : 64;
}

bool gms_clear_walk_next_2m(struct gms_clear_walk *w, struct gms_rtree_run *run)
{
	const uint64_t end = w->end >> GMS_RTREE_SHIFT;
	uint64_t i = w->at >> GMS_RTREE_SHIFT, clear = 0, first;

	while (i < end && !(clear = clear_from(w, i)))
		i = (i / WORD_BLOCKS + 1) * WORD_BLOCKS;
	if (i >= end)
		return false;
	first = i + gms_ctz(clear);
	i = first + run_of(clear >> (first - i));
	/* as long as a run goes on to the end of its word, look at the next */
	while (i < end && i % WORD_BLOCKS == 0 && (clear = clear_from(w, i)) & 1)
		i += run_of(clear);
	i = i < end ? i : end;
	w->at = i << GMS_RTREE_SHIFT;
	if (first >= i)
		return false;
	*run = (struct gms_rtree_run) {.start = first << GMS_RTREE_SHIFT,
				       .nr_pages = (i - first) << GMS_RTREE_SHIFT,
				       .set = false};
	return true;
}

size_t gms_clear_walk_fill_2m(struct gms_clear_walk *w, enum gms_shareability to,
			      struct gms_run *runs, size_t room)
{
	const uint64_t end = w->end >> GMS_RTREE_SHIFT;
	uint64_t i = w->at >> GMS_RTREE_SHIFT, clear = 0;
	size_t nr = 0;

	while (i < end && !clear) {
		clear = clear_from(w, i);
		if (end - i < 64)
			clear &= (1ULL << (end - i)) - 1;
		for (; clear && nr < room; clear &= clear - 1)
			runs[nr++] = (struct gms_run) {(i + gms_ctz(clear)) << GMS_RTREE_SHIFT,
						       GMS_LINE_BITS, to};
		i = clear ? i + gms_ctz(clear) : (i / WORD_BLOCKS + 1) * WORD_BLOCKS;
	}
	w->at = (i < end ? i : end) << GMS_RTREE_SHIFT;
	return nr;
}
