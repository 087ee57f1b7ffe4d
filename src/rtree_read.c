// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_read.c - queries: they take no lock and write nothing
 *
 * A query of one page costs one load where its 1G block is uniform, four dependent ones
 * where the block is dense, seven where it is sparse and the page lies in a leaf. A
 * query of a range looks at each 1G block through a view of its own (rtree_node.h), at
 * the lines of mixed ones, and at the leaves of those of their 2M blocks that are mixed.
 */
#include "rtree_node.h"
#include "rtree_priv.h"

#define PAGE_MASK (GMS_BLOCK_PAGES - 1)
#define LINE_MASK (GMS_LINE_BITS - 1)

static gms_always_inline unsigned int leaf_of(gms_pgoff_t index)
{
	return (index & PAGE_MASK) >> GMS_RTREE_SHIFT;
}

/* A 2M block; mixed is looked at first, because value means nothing while it is set. */
static gms_always_inline enum gms_rtree_fill node_fill(const struct gms_node *node, unsigned int i)
{
	if (gms_load_acquire(&node->mixed.w[i / 64]) >> (i % 64) & 1)
		return GMS_RTREE_MIXED;
	return gms_line_test(&node->value, i) ? GMS_RTREE_ALL : GMS_RTREE_NONE;
}

static gms_noinline bool test_leaf(const struct gms_rtree *t, gms_pgoff_t index)
{
	const unsigned int i = leaf_of(index), page = index & LINE_MASK;
	struct gms_view view;
	bool set;

	do {
		const enum gms_rtree_fill kind = gms_view_begin(t, index >> GMS_BLOCK_SHIFT, &view);
		const struct gms_line *leaf;

		if (kind != GMS_RTREE_MIXED)
			return kind == GMS_RTREE_ALL;
		set = gms_line_test(&view.node->value, i);
		if (view.node->class == GMS_CLASS_DENSE || gms_line_test(&view.node->mixed, i)) {
			leaf = gms_view_leaf(t, view.node, i);
			set = leaf && gms_line_test(leaf, page);
		}
	} while (!gms_view_ok(&view));
	return set;
}

/* The same, but for the way that takes most registers: to a leaf of a sparse node. */
static gms_noinline bool test_node(const struct gms_rtree *t, gms_pgoff_t index)
{
	const unsigned int i = leaf_of(index);
	struct gms_view view;
	bool set;

	do {
		const enum gms_rtree_fill kind = gms_view_begin(t, index >> GMS_BLOCK_SHIFT, &view);

		if (kind != GMS_RTREE_MIXED)
			return kind == GMS_RTREE_ALL;
		if (view.node->class == GMS_CLASS_DENSE)
			set = gms_line_test(&view.node->dense[i], index & LINE_MASK);
		else if (gms_unlikely(gms_line_test(&view.node->mixed, i)))
			return test_leaf(t, index);
		else
			set = gms_line_test(&view.node->value, i);
	} while (!gms_view_ok(&view));
	return set;
}

bool gms_rtree_test(const struct gms_rtree *t, gms_pgoff_t index)
{
	uint8_t kind;

	if (gms_unlikely(index >= t->nr_pages))
		return false;
	kind = gms_load_acquire(&t->kind[index >> GMS_BLOCK_SHIFT]);
	return kind == GMS_RTREE_MIXED ? test_node(t, index) : kind;
}

/* The summary of the 2M block at an index. */
static gms_always_inline enum gms_rtree_fill fill_leaf(const struct gms_rtree *t, gms_pgoff_t index,
						       bool *block_mixed)
{
	struct gms_view view;
	enum gms_rtree_fill fill;

	do {
		fill = gms_view_begin(t, index >> GMS_BLOCK_SHIFT, &view);
		*block_mixed = fill == GMS_RTREE_MIXED;
		if (!*block_mixed)
			return fill;
		fill = node_fill(view.node, leaf_of(index));
	} while (!gms_view_ok(&view));
	return fill;
}

enum gms_rtree_fill gms_rtree_fill(const struct gms_rtree *t, gms_pgoff_t index, unsigned int order)
{
	bool block_mixed;

	if (order != 0 && order != GMS_RTREE_SHIFT && order != GMS_BLOCK_SHIFT)
		return GMS_RTREE_MIXED;
	if (index >= t->nr_pages)
		return GMS_RTREE_NONE;
	if (order == GMS_BLOCK_SHIFT)
		return (enum gms_rtree_fill)gms_load_acquire(&t->kind[index >> GMS_BLOCK_SHIFT]);
	if (order == GMS_RTREE_SHIFT)
		return fill_leaf(t, index, &block_mixed);
	return gms_rtree_test(t, index) ? GMS_RTREE_ALL : GMS_RTREE_NONE;
}

struct gms_look gms_rtree_look(const struct gms_rtree *t, gms_pgoff_t index)
{
	struct gms_look look;
	struct gms_view view;

	do {
		look.fill_1g = look.fill_2m = gms_view_begin(t, index >> GMS_BLOCK_SHIFT, &view);
		look.set = look.fill_1g == GMS_RTREE_ALL;
		if (gms_likely(look.fill_1g != GMS_RTREE_MIXED))
			return look;
		look.fill_2m = node_fill(view.node, leaf_of(index));
		look.set = look.fill_2m == GMS_RTREE_ALL;
		if (look.fill_2m == GMS_RTREE_MIXED) {
			const struct gms_line *leaf = gms_view_leaf(t, view.node, leaf_of(index));

			look.set = leaf && gms_line_test(leaf, index & LINE_MASK);
		}
	} while (!gms_view_ok(&view));
	return look;
}

unsigned int gms_rtree_uniform_order(const struct gms_rtree *t, gms_pgoff_t index)
{
	bool block_mixed;

	if (index >= t->nr_pages)
		return 0;
	if (fill_leaf(t, index, &block_mixed) == GMS_RTREE_MIXED)
		return 0;
	if (!block_mixed && (index | PAGE_MASK) < t->nr_pages)
		return GMS_BLOCK_SHIFT;
	return (index | LINE_MASK) < t->nr_pages ? GMS_RTREE_SHIFT : 0;
}

/* The first 2M block from @i on that is not uniformly @v; GMS_LINE_BITS where there is none. */
static gms_always_inline unsigned int find_leaf(const struct gms_node *node, unsigned int i, bool v)
{
	uint64_t mask = ~0ULL << (i % 64);

	for (unsigned int w = i / 64; w < GMS_LINE_WORDS; w++, mask = ~0ULL) {
		uint64_t diff = gms_load_acquire(&node->mixed.w[w]);

		diff |= gms_load_relaxed(&node->value.w[w]) ^ gms_word_of(v);
		if (diff & mask)
			return w * 64 + gms_ctz(diff & mask);
	}
	return GMS_LINE_BITS;
}

/*
 * The first page of a mixed block, from @page on, that is not *@v; where *@v is below 0 it
 * is set to the value of @page. GMS_BLOCK_PAGES where there is none. False where the view
 * was overtaken.
 */
static gms_always_inline bool find_in_node(const struct gms_rtree *t, const struct gms_node *node,
					   unsigned int page, int *v, unsigned int *found)
{
	unsigned int i = page >> GMS_RTREE_SHIFT, from = page & LINE_MASK;
	enum gms_rtree_fill fill = node_fill(node, i);

	if (fill != GMS_RTREE_MIXED && *v < 0)
		*v = fill;
	while (fill == GMS_RTREE_MIXED || (int)fill == *v) {
		if (fill == GMS_RTREE_MIXED) {
			const struct gms_line *leaf = gms_view_leaf(t, node, i);

			if (gms_unlikely(!leaf))
				return false;
			if (*v < 0) /* and not looked at again: it may have changed */
				*v = gms_line_test(leaf, from++);
			if (from < GMS_LINE_BITS)
				from = gms_line_find(leaf, from, *v);
			if (from < GMS_LINE_BITS)
				break;
		}
		from = 0;
		i = find_leaf(node, i + 1, *v);
		if (i >= GMS_LINE_BITS)
			break;
		fill = node_fill(node, i);
	}
	*found = (i << GMS_RTREE_SHIFT) + from;
	return true;
}

/* The same for a block of any kind. */
static gms_always_inline unsigned int find_in_block(const struct gms_rtree *t, uint64_t block,
						    unsigned int page, int *v)
{
	const int wanted = *v;
	struct gms_view view;
	unsigned int found = page;

	for (;;) {
		const enum gms_rtree_fill kind = gms_view_begin(t, block, &view);

		*v = wanted;
		if (kind != GMS_RTREE_MIXED) {
			if (*v < 0)
				*v = kind;
			return (int)kind == *v ? GMS_BLOCK_PAGES : page;
		}
		if (gms_likely(find_in_node(t, view.node, page, v, &found) && gms_view_ok(&view)))
			return found;
	}
}

/* The first block from @b on that is not uniformly @v; @end where there is none. */
static gms_always_inline uint64_t find_block(const struct gms_rtree *t, uint64_t b, uint64_t end,
					     bool v)
{
	for (; b < end && b % 8; b++)
		if (gms_load_acquire(&t->kind[b]) != v)
			return b;
	for (; b < end; b += 8) {
		const uint64_t diff = gms_kinds(t, b) ^ GMS_KINDS(v);

		if (diff) {
			b += gms_ctz(diff) / 8;
			break;
		}
	}
	return b < end ? b : end;
}

GMS_CLONES bool gms_rtree_next(const struct gms_rtree *t, gms_pgoff_t from, gms_pgoff_t end,
			       struct gms_rtree_run *run)
{
	uint64_t block = from >> GMS_BLOCK_SHIFT, end_block;
	gms_pgoff_t stop;
	unsigned int found;
	int v = -1;

	if (end > t->nr_pages)
		end = t->nr_pages;
	if (from >= end)
		return false;
	end_block = ((end - 1) >> GMS_BLOCK_SHIFT) + 1;
	found = find_in_block(t, block, from & PAGE_MASK, &v);
	while (found == GMS_BLOCK_PAGES) {
		block = find_block(t, block + 1, end_block, v);
		if (block == end_block)
			break;
		found = find_in_block(t, block, 0, &v);
	}
	stop = block == end_block ? end : (block << GMS_BLOCK_SHIFT) + found;
	run->start = from;
	run->nr_pages = (stop < end ? stop : end) - from;
	run->set = v;
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

/* Is leaf block @i all @set when its pages [a, b) are? */
static gms_always_inline bool leaf_after(const struct gms_rtree *t, const struct gms_node *node,
					 unsigned int i, unsigned int a, unsigned int b, bool set)
{
	const enum gms_rtree_fill fill = node_fill(node, i);
	const struct gms_line *leaf;

	if (fill != GMS_RTREE_MIXED)
		return (bool)fill == set || b - a == GMS_LINE_BITS;
	leaf = gms_view_leaf(t, node, i);
	return leaf && gms_line_rest_is(leaf, a, b, set);
}

/* Is a mixed block all @set when its pages [lo, hi) are? */
static gms_always_inline bool node_after(const struct gms_rtree *t, const struct gms_node *node,
					 unsigned int lo, unsigned int hi, bool set)
{
	const unsigned int first = lo >> GMS_RTREE_SHIFT, last = (hi - 1) >> GMS_RTREE_SHIFT;
	const unsigned int a = lo & LINE_MASK, b = ((hi - 1) & LINE_MASK) + 1;
	uint64_t diff = 0;

	GMS_UNROLL
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++) {
		uint64_t d = gms_load_acquire(&node->mixed.w[w]);

		d |= gms_load_relaxed(&node->value.w[w]) ^ gms_word_of(set);
		if (w >= first / 64 && w <= last / 64)
			d &= ~gms_word_mask(w, first, last + 1);
		diff |= d & GMS_WORD_FULL;
	}
	if (diff)
		return false;
	if (first == last)
		return leaf_after(t, node, first, a, b, set);
	return leaf_after(t, node, first, a, GMS_LINE_BITS, set) &&
	       leaf_after(t, node, last, 0, b, set);
}

enum gms_rtree_fill gms_rtree_fill_after(const struct gms_rtree *t, gms_pgoff_t index,
					 unsigned int order, gms_pgoff_t start, gms_pgoff_t end,
					 bool set)
{
	const gms_pgoff_t from = index >> order << order, to = from + (1ULL << order);
	struct gms_view view;
	unsigned int lo, hi;
	bool same;

	if (end == t->nr_pages && end < to)
		end = to; /* what does not exist follows the last page */
	if (start >= to || end <= from)
		return gms_rtree_fill(t, index, order);
	if (start <= from && end >= to)
		return (enum gms_rtree_fill)set;
	lo = start > from ? start & PAGE_MASK : from & PAGE_MASK;
	hi = ((end < to ? end - 1 : to - 1) & PAGE_MASK) + 1;
	do {
		const enum gms_rtree_fill kind = gms_view_begin(t, index >> GMS_BLOCK_SHIFT, &view);

		if (kind != GMS_RTREE_MIXED)
			return kind == (enum gms_rtree_fill)set ? kind : GMS_RTREE_MIXED;
		if (order == GMS_BLOCK_SHIFT)
			same = node_after(t, view.node, lo, hi, set);
		else
			same = leaf_after(t, view.node, leaf_of(index), lo & LINE_MASK,
					  ((hi - 1) & LINE_MASK) + 1, set);
	} while (!gms_view_ok(&view));
	return same ? (enum gms_rtree_fill)set : GMS_RTREE_MIXED;
}

/* How many pages of [lo, hi) of a mixed block are set. False where the view was overtaken. */
static gms_always_inline bool count_in_node(const struct gms_rtree *t, const struct gms_node *node,
					    unsigned int lo, unsigned int hi, uint64_t *count)
{
	const unsigned int first = lo >> GMS_RTREE_SHIFT, last = (hi - 1) >> GMS_RTREE_SHIFT;
	const unsigned int a = lo & LINE_MASK, b = ((hi - 1) & LINE_MASK) + 1;

	*count = 0;
	for (unsigned int w = first / 64; w <= last / 64; w++) {
		const uint64_t mask = gms_word_mask(w, first, last + 1);
		uint64_t mixed = gms_load_acquire(&node->mixed.w[w]) & mask;
		const uint64_t set = gms_load_relaxed(&node->value.w[w]) & mask & ~mixed;

		*count += (uint64_t)gms_popcount(set) << GMS_RTREE_SHIFT;
		if (w == first / 64 && set >> (first % 64) & 1)
			*count -= a;
		if (w == last / 64 && set >> (last % 64) & 1)
			*count -= GMS_LINE_BITS - b;
		for (; mixed; mixed &= mixed - 1) {
			const unsigned int i = w * 64 + gms_ctz(mixed);
			const struct gms_line *leaf = gms_view_leaf(t, node, i);

			if (gms_unlikely(!leaf))
				return false;
			*count += gms_line_count(leaf, i == first ? a : 0,
						 i == last ? b : GMS_LINE_BITS);
		}
	}
	return true;
}

GMS_CLONES static uint64_t count(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	uint64_t sum = 0, n;
	gms_pgoff_t end;

	if (start >= t->nr_pages)
		return 0;
	end = nr_pages > t->nr_pages - start ? t->nr_pages : start + nr_pages;
	while (start < end) {
		const uint64_t block = start >> GMS_BLOCK_SHIFT;
		const gms_pgoff_t next = (block + 1) << GMS_BLOCK_SHIFT;
		const unsigned int lo = start & PAGE_MASK;
		const unsigned int hi = end < next ? end & PAGE_MASK : GMS_BLOCK_PAGES;
		struct gms_view view;

		for (;;) {
			const enum gms_rtree_fill kind = gms_view_begin(t, block, &view);

			n = kind == GMS_RTREE_ALL ? hi - lo : 0;
			if (kind != GMS_RTREE_MIXED ||
			    (count_in_node(t, view.node, lo, hi, &n) && gms_view_ok(&view)))
				break;
		}
		sum += n;
		start = next;
	}
	return sum;
}

uint64_t gms_rtree_count(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages == 1 ? gms_rtree_test(t, start) : count(t, start, nr_pages);
}
