// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_verify.c - checks the invariants of rtree_node.h by brute force, and compares two sets
 *
 * The checks return a static string that says what is wrong, or NULL.
 */
#include "rtree_node.h"
#include "tree.h"

static const char *verify_leaf(struct gms_group *node, unsigned int i)
{
	const struct gms_line *leaf;

	if (gms_state_fill(gms_states(node, i), i) != GMS_RTREE_MIXED)
		return NULL;
	if (!node[i >> GMS_GROUP_SHIFT].page)
		return "a 2M block is mixed, but has no leaf";
	leaf = gms_leaf(node, i);
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++)
		if (leaf->w[w] & ~GMS_WORD_FULL)
			return "a leaf has bits beyond its end";
	if (gms_line_is(leaf, false) || gms_line_is(leaf, true))
		return "a 2M block counts as mixed, but its pages are equal";
	return NULL;
}

static const char *verify_node(struct gms_group *node)
{
	const char *reason = NULL;
	bool none = true, all = true;

	for (unsigned int i = 0; i < GMS_NODE_BLOCKS; i += GMS_STATE_BLOCKS) {
		const uint64_t states = gms_states(node, i);

		none &= states == gms_states_of(false);
		all &= states == gms_states_of(true);
		if (states & ~gms_states_both(GMS_STATE_ALL))
			return "a word of states has bits beyond its end";
	}
	if (none || all)
		return "a 1G block counts as mixed, but its pages are equal";
	for (unsigned int i = 0; !reason && i < GMS_NODE_BLOCKS; i++)
		reason = verify_leaf(node, i);
	return reason;
}

static const char *verify_block(const struct gms_rtree *t, uint64_t block)
{
	const enum gms_rtree_fill kind = gms_kind(t, block);

	if (kind > GMS_RTREE_MIXED)
		return "a 1G block is of no known kind";
	if (kind != GMS_RTREE_MIXED)
		return NULL;
	if (!gms_chunk(t, block))
		return "a 1G block is mixed, but has no node";
	return verify_node(gms_node(t, block));
}

bool gms_rtree_block_ok(const struct gms_rtree *t, uint64_t block)
{
	return !verify_block(t, block);
}

/* Checks that pages past the end have the value of the last page. */
static const char *verify_tail(const struct gms_rtree *t)
{
	const gms_pgoff_t last = t->nr_pages - 1;
	const unsigned int i = gms_leaf_of(last);
	const bool set = gms_rtree_test(t, last);
	struct gms_group *node;

	if (gms_kind(t, gms_block_of(last)) != GMS_RTREE_MIXED)
		return NULL;
	node = gms_node(t, gms_block_of(last));
	if (gms_state_fill(gms_states(node, i), i) == GMS_RTREE_MIXED &&
	    gms_line_find(gms_leaf(node, i), gms_page_of(last), set) != GMS_LINE_BITS)
		return "pages past the end differ from the last page";
	for (unsigned int k = i + 1; k < GMS_NODE_BLOCKS; k++)
		if (gms_state_fill(gms_states(node, k), k) != (enum gms_rtree_fill)set)
			return "2M blocks past the end differ from the last page";
	return NULL;
}

bool gms_rtree_verify(const struct gms_rtree *t, const char **reason)
{
	const char *wrong = NULL;

	for (uint64_t b = 0; !wrong && b < t->nr_blocks; b++)
		wrong = verify_block(t, b);
	if (!wrong)
		wrong = verify_tail(t);
	if (!wrong && gms_rtree_memory(t) > gms_load_relaxed(&t->bytes))
		wrong = "more memory is in use than was allocated";
	if (wrong && reason)
		*reason = wrong;
	return !wrong;
}

bool gms_rtree_is_within(const struct gms_rtree *set, const struct gms_rtree *other)
{
	struct gms_rtree_cursor cursor;
	struct gms_rtree_run run;

	gms_rtree_cursor_init(&cursor, set, 0, set->nr_pages);
	while (gms_rtree_cursor_next(&cursor, &run))
		if (run.set &&
		    gms_rtree_fill_range(other, run.start, run.nr_pages) != GMS_RTREE_ALL)
			return false;
	return true;
}
