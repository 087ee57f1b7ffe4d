/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_edge.h - changing a part of one mixed or uniform 1G block
 *
 * An edge is changed in one of three ways, the cheapest that will do:
 *
 *  WORD     One word of a leaf or value line changes, and nothing above it. Revert puts
 *           the word back.
 *  INPLACE  Within one 2M block; its leaf and, in a dense node, its two bits change. The
 *           old leaf is saved in a spare one.
 *  COPY     A new node, with up to two new leaves, takes the place of the old node, or
 *           of a uniform block, by one store; or the block becomes uniform. Revert puts
 *           the old one back. Whichever is left over at release goes to the pool.
 *
 * Planning finds out which way, and what it takes, for one direction of the store or for
 * both: at most two nodes and two leaves, and GMS_SPARSE_MAX leaves where a dense node may
 * turn sparse. It costs a few words; committing a few lines, or 32K where a dense node is
 * copied.
 */
#ifndef GMS_RTREE_EDGE_H
#define GMS_RTREE_EDGE_H

#include "rtree_node.h"

enum gms_edge_way { GMS_EDGE_WORD, GMS_EDGE_INPLACE, GMS_EDGE_COPY };

/* Directions in which an edge may be committed. */
#define GMS_DIR_CLEAR (1u << false)
#define GMS_DIR_SET (1u << true)

struct gms_edge {
	uint32_t block;
	/* pages: from page a of 2M block first up to page b of 2M block end - 1 */
	uint16_t first, end, a, b;
	uint8_t way;
	uint8_t kind; /* of the block, before */
	uint8_t turns; /* directions in which the one 2M block, mixed, turns uniform */
	uint8_t head; /* COPY, of a sparse node: mixed 2M blocks before the range */
	uint16_t inner; /* COPY: mixed 2M blocks that the range touches */
	bool was_mixed, value; /* INPLACE: the bits of the 2M block, before */
	union {
		uint32_t leaf; /* INPLACE: number of the leaf that keeps the old one */
		uint16_t plan[2]; /* COPY: for either direction, see rtree_edge.c */
	};
	union {
		struct gms_node *old; /* INPLACE, COPY: the node before, if there was one */
		uint64_t *word; /* WORD */
	};
	union {
		struct gms_node *node[2]; /* COPY: for either direction, NULL: uniform */
		uint64_t saved[2]; /* WORD: the word before, and the bits in the range */
	};
};

/* An edge is pages [lo, hi) of a block, not all of them. */
static gms_always_inline void gms_edge_init(struct gms_edge *e, uint32_t block, uint32_t lo,
					    uint32_t hi)
{
	e->block = block;
	e->first = (uint16_t)(lo >> GMS_RTREE_SHIFT);
	e->end = (uint16_t)(((hi - 1) >> GMS_RTREE_SHIFT) + 1);
	e->a = lo & (GMS_LINE_BITS - 1);
	e->b = ((hi - 1) & (GMS_LINE_BITS - 1)) + 1;
}

/* The directions among @dirs in which all bits of a line come to be equal, given [a, b). */
static gms_always_inline unsigned int gms_turns_uniform(const struct gms_line *l, unsigned int a,
							unsigned int b, unsigned int dirs)
{
	unsigned int turns = 0;

	if ((dirs & GMS_DIR_CLEAR) && gms_line_rest_is(l, a, b, false))
		turns |= GMS_DIR_CLEAR;
	if ((dirs & GMS_DIR_SET) && gms_line_rest_is(l, a, b, true))
		turns |= GMS_DIR_SET;
	return turns;
}

/* WORD, into the leaf of a 2M block that stays mixed whatever is committed. */
static gms_always_inline bool gms_edge_plan_leaf(const struct gms_rtree *t, struct gms_edge *e,
						 unsigned int dirs)
{
	struct gms_line *leaf = gms_node_leaf(t, e->old, e->first);

	e->turns = (uint8_t)gms_turns_uniform(leaf, e->a, e->b, dirs);
	if (e->turns || e->a / 64 != (e->b - 1) / 64)
		return false;
	e->word = &leaf->w[e->a / 64];
	e->saved[1] = gms_mask_from(e->a) & gms_mask_to(e->b);
	return true;
}

/* WORD, into the value line: of whole 2M blocks that are all uniform, in a sparse node. */
static gms_always_inline bool gms_edge_plan_value(struct gms_edge *e, unsigned int dirs)
{
	const unsigned int w = e->first / 64;
	struct gms_node *node = e->old;
	uint64_t mask;

	if (w != (e->end - 1u) / 64 || node->class == GMS_CLASS_DENSE)
		return false;
	mask = gms_mask_from(e->first) & gms_mask_to(e->end);
	if (gms_load_relaxed(&node->mixed.w[w]) & mask)
		return false;
	if (!node->nr && gms_turns_uniform(&node->value, e->first, e->end, dirs))
		return false;
	e->word = &node->value.w[w];
	e->saved[1] = mask;
	return true;
}

/* Look at the block; true where WORD will do, and then nothing need be reserved. */
static gms_always_inline bool gms_edge_plan_word(const struct gms_rtree *t, struct gms_edge *e,
						 unsigned int dirs)
{
	e->kind = gms_load_relaxed(&t->kind[e->block]);
	e->way = GMS_EDGE_WORD;
	e->old = NULL;
	if (e->kind != GMS_RTREE_MIXED)
		return false;
	e->old = gms_load_relaxed(gms_entry(t, e->block));
	if (e->first + 1 == e->end && gms_line_test(&e->old->mixed, e->first))
		return gms_edge_plan_leaf(t, e, dirs);
	return !e->a && e->b == GMS_LINE_BITS && gms_edge_plan_value(e, dirs);
}

static gms_always_inline void gms_edge_commit_word(struct gms_edge *e, bool set)
{
	const uint64_t before = gms_load_relaxed(e->word);

	e->saved[0] = before;
	gms_store_relaxed(e->word, set ? before | e->saved[1] : before & ~e->saved[1]);
}

/* Plan one of the other ways, after gms_edge_plan_word(); adds what it needs to @stock. */
void gms_edge_plan(const struct gms_rtree *t, struct gms_edge *e, unsigned int dirs,
		   struct gms_stock *stock);

/* Takes leaves from the list of those that are held for the edges. */
void gms_edge_commit(struct gms_rtree *t, struct gms_edge *e, bool set, uint32_t *leaves);
void gms_edge_revert(struct gms_rtree *t, struct gms_edge *e, bool set);

/* What became of an edge before it is released. */
enum gms_edge_end { GMS_EDGE_UNUSED, GMS_EDGE_COMMITTED, GMS_EDGE_REVERTED };
void gms_edge_release(struct gms_rtree *t, struct gms_edge *e, enum gms_edge_end end, bool set,
		      struct gms_drops *drops);

/*
 * All steps for one or two edges, in one direction. 0, or as gms_pool_take() where @need is
 * the stock's, and then none is changed.
 */
int gms_edges_store(struct gms_rtree *t, struct gms_edge *e, unsigned int nr, bool set,
		    struct gms_need *need);

#endif /* GMS_RTREE_EDGE_H */
