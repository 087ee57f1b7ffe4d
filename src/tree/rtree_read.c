// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_read.c - queries, which take no lock, write nothing and never wait
 *
 * A query goes down from the kind of a 1G block to the state of a 2M block to a leaf, with one
 * load-acquire for each step, and stops at a block that is uniform. rtree_node.h says why that is
 * enough.
 */
#include "rtree_node.h"

/* ---- one page, one block ---- */

bool gms_rtree_test(const struct gms_rtree *t, gms_pgoff_t index)
{
	const uint64_t i = index >> GMS_RTREE_SHIFT;
	struct gms_group *group;
	uint64_t states;
	uint8_t kind;

	if (gms_unlikely(index >= t->nr_pages))
		return false;
	kind = gms_load_acquire(gms_kind_at(t, gms_block_of(index)));
	if (!(kind & GMS_RTREE_MIXED))
		return kind & GMS_RTREE_ALL;
	group = gms_group(gms_chunk(t, gms_block_of(index)), index);
	states = gms_load_acquire(gms_word_in_group(group, i)) >> i % GMS_STATE_BLOCKS;
	if (!(states >> 32 & 1))
		return states & 1;
	return gms_line_test(gms_leaf_in_group(group, i), gms_page_of(index));
}

struct gms_rtree_look gms_rtree_look(const struct gms_rtree *t, gms_pgoff_t index)
{
	const unsigned int i = gms_leaf_of(index);
	struct gms_rtree_look look = {0};
	struct gms_group *node;

	if (gms_unlikely(index >= t->nr_pages))
		return look;
	look.fill_1g = gms_kind(t, gms_block_of(index));
	look.fill_2m = look.fill_1g;
	if (look.fill_1g == GMS_RTREE_MIXED) {
		node = gms_node(t, gms_block_of(index));
		look.fill_2m = gms_state_fill(gms_states(node, i), i);
		if (look.fill_2m == GMS_RTREE_MIXED) {
			look.set = gms_line_test(gms_leaf(node, i), gms_page_of(index));
			return look;
		}
	}
	look.set = look.fill_2m == GMS_RTREE_ALL;
	return look;
}

enum gms_rtree_fill gms_rtree_fill(const struct gms_rtree *t, gms_pgoff_t index, unsigned int order)
{
	const unsigned int i = gms_leaf_of(index);
	enum gms_rtree_fill kind;

	if (order != 0 && order != GMS_RTREE_SHIFT && order != GMS_BLOCK_SHIFT)
		return GMS_RTREE_MIXED;
	if (index >= t->nr_pages)
		return GMS_RTREE_NONE;
	if (!order)
		return gms_rtree_test(t, index) ? GMS_RTREE_ALL : GMS_RTREE_NONE;
	kind = gms_kind(t, gms_block_of(index));
	if (kind != GMS_RTREE_MIXED || order == GMS_BLOCK_SHIFT)
		return kind;
	return gms_state_fill(gms_states(gms_node(t, gms_block_of(index)), i), i);
}

unsigned int gms_rtree_uniform_order(const struct gms_rtree *t, gms_pgoff_t index)
{
	const uint64_t i = index >> GMS_RTREE_SHIFT;
	struct gms_group *group;
	uint64_t states;

	if (gms_unlikely((index | GMS_LEAF_MASK) >= t->nr_pages))
		return 0; /* in an incomplete 2M block, or past the end */
	if (!(gms_load_acquire(gms_kind_at(t, gms_block_of(index))) & GMS_RTREE_MIXED))
		return (index | GMS_BLOCK_MASK) < t->nr_pages ? GMS_BLOCK_SHIFT : GMS_RTREE_SHIFT;
	group = gms_group(gms_chunk(t, gms_block_of(index)), index);
	states = gms_load_acquire(gms_word_in_group(group, i));
	/* no branch on the mixed bit, because processors cannot predict which blocks are mixed */
	return GMS_RTREE_SHIFT & ((unsigned int)(states >> (32 + i % GMS_STATE_BLOCKS) & 1) - 1);
}

/* ---- many blocks ---- */

/* Returns a mask of the 2M blocks whose summary is @fill, in the group of a page. */
static gms_always_inline uint64_t read_group_mask(const struct gms_rtree *t, gms_pgoff_t page,
						  enum gms_rtree_fill fill)
{
	const enum gms_rtree_fill kind = gms_kind(t, gms_block_of(page));
	struct gms_group *group;
	uint64_t mask = 0;

	if (kind != GMS_RTREE_MIXED)
		return kind == fill ? ~0ULL >> (64 - GMS_GROUP_BLOCKS) : 0;
	group = gms_group(gms_chunk(t, gms_block_of(page)), page);
	for (unsigned int w = 0; w < GMS_GROUP_WORDS; w++) {
		const uint64_t states = gms_load_acquire(&group->state[w]);
		const uint64_t which = fill == GMS_RTREE_MIXED
					       ? gms_mixed_of(states)
					       : gms_uniform_of(states, fill == GMS_RTREE_ALL);

		mask |= which << (w * GMS_STATE_BLOCKS);
	}
	return mask;
}

uint64_t gms_rtree_fill_mask(const struct gms_rtree *t, gms_pgoff_t index, enum gms_rtree_fill fill)
{
	const gms_pgoff_t first = (index >> GMS_RTREE_SHIFT & ~63ULL) << GMS_RTREE_SHIFT;
	uint64_t mask = 0, nr;

	if (first >= t->nr_pages || fill > GMS_RTREE_MIXED)
		return 0;
	for (unsigned int i = 0; i < 64; i += GMS_GROUP_BLOCKS) {
		const gms_pgoff_t page = first + ((gms_pgoff_t)i << GMS_RTREE_SHIFT);

		if (page < t->nr_pages)
			mask |= read_group_mask(t, page, fill) << i;
	}
	/* clear the bits of blocks past the end */
	nr = (t->nr_pages - first + GMS_LEAF_MASK) >> GMS_RTREE_SHIFT;
	return nr < 64 ? mask & ((1ULL << nr) - 1) : mask;
}

/* Counts those of the pages @lo to @hi of a mixed 1G block, both included, that are in the set. */
static uint64_t read_count_node(struct gms_group *node, unsigned int lo, unsigned int hi)
{
	const unsigned int first = gms_leaf_of(lo), last = gms_leaf_of(hi);
	uint64_t sum = 0;

	for (unsigned int w = first >> GMS_STATE_SHIFT; w <= last >> GMS_STATE_SHIFT; w++) {
		const unsigned int base = w << GMS_STATE_SHIFT;
		const uint64_t states = gms_states(node, base),
			       mask = gms_state_mask(w, first, last);
		const uint64_t full = gms_uniform_of(states, true) & mask;
		uint64_t mixed = gms_mixed_of(states) & mask;

		sum += (uint64_t)gms_popcount(full) << GMS_RTREE_SHIFT;
		if (w == first >> GMS_STATE_SHIFT && full >> (first - base) & 1)
			sum -= gms_page_of(lo);
		if (w == last >> GMS_STATE_SHIFT && full >> (last - base) & 1)
			sum -= GMS_LEAF_MASK - gms_page_of(hi);
		for (; mixed; mixed &= mixed - 1) {
			const unsigned int i = base + gms_ctz(mixed);

			sum += gms_line_count(gms_leaf(node, i), i == first ? gms_page_of(lo) : 0,
					      i == last ? gms_page_of(hi) + 1 : GMS_LEAF_PAGES);
		}
	}
	return sum;
}

/* Not inlined, so that gms_rtree_count() of one page saves no registers. */
static gms_noinline uint64_t read_count(const struct gms_rtree *t, gms_pgoff_t start,
					uint64_t nr_pages)
{
	uint64_t sum = 0;
	gms_pgoff_t end;

	if (start >= t->nr_pages)
		return 0;
	end = nr_pages > t->nr_pages - start ? t->nr_pages : start + nr_pages;
	for (gms_pgoff_t next; start < end; start = next) {
		const enum gms_rtree_fill kind = gms_kind(t, gms_block_of(start));

		next = (start | GMS_BLOCK_MASK) + 1;
		next = next < end ? next : end;
		if (kind == GMS_RTREE_ALL)
			sum += next - start;
		else if (kind == GMS_RTREE_MIXED)
			sum += read_count_node(gms_node(t, gms_block_of(start)),
					       start & GMS_BLOCK_MASK, (next - 1) & GMS_BLOCK_MASK);
	}
	return sum;
}

uint64_t gms_rtree_count(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages == 1 ? gms_rtree_test(t, start) : read_count(t, start, nr_pages);
}
