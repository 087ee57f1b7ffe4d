// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_verify.c - every invariant of rtree_node.h, by brute force
 */
#include "rtree_node.h"

/* Objects that the tree holds, to be compared with what the pools have given out. */
struct held {
	uint64_t nodes[GMS_NR_CLASSES];
	uint64_t leaves;
};

static const char *verify_leaf(const struct gms_node *node, unsigned int i,
			       const struct gms_line *leaf)
{
	const bool uniform = gms_line_is(leaf, false) || gms_line_is(leaf, true);

	if (gms_line_test(&node->mixed, i))
		return uniform ? "a 2M block counts as mixed, but its pages are equal" : NULL;
	if (!gms_line_is(leaf, gms_line_test(&node->value, i)))
		return "a uniform 2M block of a dense node has pages that differ from its value";
	return NULL;
}

static const char *verify_leaves(const struct gms_rtree *t, const struct gms_node *node)
{
	const bool dense = node->class == GMS_CLASS_DENSE;
	unsigned int rank = 0;

	for (unsigned int i = 0; i < GMS_LINE_BITS; i++) {
		const bool mixed = gms_line_test(&node->mixed, i);
		const struct gms_line *leaf;
		const char *reason;

		if (!dense && gms_node_rank(node, i) != rank)
			return "a node's rank does not fit its mixed line";
		rank += mixed;
		if (!mixed && !dense)
			continue;
		leaf = gms_view_leaf(t, node, i);
		if (!leaf)
			return "a node lists a leaf that does not exist";
		reason = verify_leaf(node, i, leaf);
		if (reason)
			return reason;
	}
	return NULL;
}

static const char *verify_node(const struct gms_rtree *t, const struct gms_node *node,
			       struct held *held)
{
	const unsigned int nr = gms_line_count(&node->mixed, 0, GMS_LINE_BITS);

	if (node->class >= GMS_NR_CLASSES)
		return "a node's class is unknown";
	if (nr != node->nr)
		return "a node's count does not fit its mixed line";
	if (node->class != gms_class_of(nr))
		return "a node has not the size that its mixed blocks call for";
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++)
		if ((node->mixed.w[w] | node->value.w[w]) & ~GMS_WORD_FULL)
			return "a line has bits beyond its end";
	if (!nr && (gms_line_is(&node->value, false) || gms_line_is(&node->value, true)))
		return "a 1G block counts as mixed, but its pages are equal";
	held->nodes[node->class]++;
	if (node->class != GMS_CLASS_DENSE)
		held->leaves += nr;
	return verify_leaves(t, node);
}

/* Pages past the end have the value of the last page. */
static const char *verify_tail(const struct gms_rtree *t)
{
	const gms_pgoff_t last = t->nr_pages - 1;
	const uint64_t block = last >> GMS_BLOCK_SHIFT;
	const unsigned int i = (last & (GMS_BLOCK_PAGES - 1)) >> GMS_RTREE_SHIFT;
	const bool v = gms_rtree_test(t, last);
	const struct gms_node *node;

	if (t->kind[block] != GMS_RTREE_MIXED)
		return NULL;
	node = *gms_entry(t, block);
	if (gms_line_test(&node->mixed, i) &&
	    gms_line_find(gms_node_leaf(t, node, i), last & (GMS_LINE_BITS - 1), v) !=
		    GMS_LINE_BITS)
		return "pages past the end differ from the last page";
	for (unsigned int k = i + 1; k < GMS_LINE_BITS; k++)
		if (gms_line_test(&node->mixed, k) || gms_line_test(&node->value, k) != v)
			return "2M blocks past the end differ from the last page";
	return NULL;
}

static const char *verify_block(const struct gms_rtree *t, uint64_t b, struct held *held)
{
	if (t->kind[b] > GMS_RTREE_MIXED)
		return "a 1G block is of no known kind";
	if (t->kind[b] != GMS_RTREE_MIXED)
		return NULL;
	if (!t->chunk[b >> GMS_CHUNK_SHIFT])
		return "a 1G block is mixed, but has no place for a node";
	return verify_node(t, *gms_entry(t, b), held);
}

bool gms_rtree_block_ok(const struct gms_rtree *t, uint64_t block)
{
	struct held held = {0};

	return !verify_block(t, block, &held);
}

static const char *verify_top(const struct gms_rtree *t, struct held *held)
{
	for (uint64_t b = 0; b < t->nr_blocks; b++) {
		const char *reason = verify_block(t, b, held);

		if (reason)
			return reason;
	}
	return verify_tail(t);
}

static const char *verify_pool(const struct gms_rtree *t, const struct held *held)
{
	uint64_t free_nodes[GMS_NR_CLASSES], all_nodes[GMS_NR_CLASSES], free_leaves, all_leaves;

	if (!gms_pool_count(&t->pool, free_nodes, all_nodes, &free_leaves, &all_leaves))
		return "a pool's list is damaged";
	for (unsigned int c = 0; c < GMS_NR_CLASSES; c++)
		if (held->nodes[c] + free_nodes[c] != all_nodes[c])
			return "a node is neither in the tree nor in its pool, or in both";
	if (held->leaves + free_leaves != all_leaves)
		return "a leaf is neither in the tree nor in its pool, or in both";
	return NULL;
}

bool gms_rtree_verify(const struct gms_rtree *t, const char **reason)
{
	struct held held = {0};
	const char *wrong = verify_top(t, &held);

	if (!wrong)
		wrong = verify_pool(t, &held);
	if (wrong && reason)
		*reason = wrong;
	return !wrong;
}
