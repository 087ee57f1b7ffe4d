// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_edge.c - changing a part of one 1G block: see rtree_edge.h
 *
 *	2M blocks   |  first  |         |         |  last   |
 *	            |    [####|#########|#########|###)     |
 *	             part 0        whole blocks    part 1
 *
 * A range touches the blocks from first to last. The whole ones become uniform. Those
 * that it covers in part, at most two, become or stay mixed, or turn uniform.
 */
#include "rtree_edge.h"

/*
 * A plan for a COPY in one direction: how many blocks will be mixed, which parts will be,
 * and whether the node is the one for the other direction as well.
 */
#define PLAN_NR 0x0fffu
#define PLAN_STAYS_LEFT 0x1000u
#define PLAN_STAYS_RIGHT 0x2000u
#define PLAN_SHARED 0x8000u

static gms_always_inline bool is_dense(const struct gms_node *node)
{
	return node && node->class == GMS_CLASS_DENSE;
}

/* The left part is pages [a, left_end) of block first. */
static gms_always_inline unsigned int left_end(const struct gms_edge *e)
{
	return e->first + 1 == e->end ? e->b : GMS_LINE_BITS;
}

static gms_always_inline bool has_left(const struct gms_edge *e)
{
	return e->a || left_end(e) < GMS_LINE_BITS;
}

/* The right part is pages [0, b) of block end - 1. */
static gms_always_inline bool has_right(const struct gms_edge *e)
{
	return e->first + 1 != e->end && e->b < GMS_LINE_BITS;
}

/* Whether all lies in one 2M block that is mixed. */
static gms_always_inline bool in_one_leaf(const struct gms_edge *e)
{
	return e->first + 1 == e->end && gms_line_test(&e->old->mixed, e->first);
}

/* ---- plan ---- */

/* INPLACE: within one 2M block, and the node keeps its shape and the leaves it lists. */
static gms_always_inline bool plan_inplace(const struct gms_edge *e)
{
	if (!e->old || e->first + 1 != e->end)
		return false;
	if (!in_one_leaf(e))
		return is_dense(e->old);
	return !e->turns || (is_dense(e->old) && e->old->nr > GMS_SPARSE_MAX + 1);
}

/* Will block @i be mixed once its pages [a, b) are @set? */
static gms_always_inline bool part_stays(const struct gms_rtree *t, const struct gms_edge *e,
					 unsigned int i, unsigned int a, unsigned int b, bool set)
{
	if (!e->old)
		return true; /* of a uniform block that is not @set */
	if (in_one_leaf(e))
		return !(e->turns & 1u << set);
	if (gms_line_test(&e->old->mixed, i))
		return !gms_line_rest_is(gms_node_leaf(t, e->old, i), a, b, set);
	return gms_line_test(&e->old->value, i) != set;
}

/* A COPY in one direction; how many leaves it needs. */
static gms_always_inline unsigned int plan_copy(const struct gms_rtree *t, struct gms_edge *e,
						bool set, struct gms_stock *stock)
{
	const bool left = has_left(e) && part_stays(t, e, e->first, e->a, left_end(e), set);
	const bool right = has_right(e) && part_stays(t, e, e->end - 1u, 0, e->b, set);
	const unsigned int nr = (e->old ? (unsigned int)e->old->nr - e->inner : 0) + left + right;
	uint8_t class;

	e->plan[set] =
		(uint16_t)(nr | (left ? PLAN_STAYS_LEFT : 0) | (right ? PLAN_STAYS_RIGHT : 0));
	if (!nr && e->old && gms_line_rest_is(&e->old->value, e->first, e->end, set))
		return 0; /* the block turns uniform */
	class = (uint8_t)gms_class_of(nr);
	if (set && stock->nr_nodes && stock->slot[stock->nr_nodes - 1] == &e->node[false] &&
	    stock->class[stock->nr_nodes - 1] == class) {
		e->plan[set] |= PLAN_SHARED;
	} else {
		stock->class[stock->nr_nodes] = class;
		stock->slot[stock->nr_nodes++] = &e->node[set];
	}
	if (class == GMS_CLASS_DENSE)
		return 0;
	return is_dense(e->old) ? nr : (unsigned int)left + right;
}

static gms_always_inline void plan(const struct gms_rtree *t, struct gms_edge *e, unsigned int dirs,
				   struct gms_stock *stock)
{
	unsigned int leaves = 0, n;

	if (plan_inplace(e)) {
		e->way = GMS_EDGE_INPLACE;
		stock->nr_leaves++;
		return;
	}
	e->way = GMS_EDGE_COPY;
	e->node[false] = e->node[true] = NULL;
	e->head = 0;
	e->inner = 0;
	if (is_dense(e->old)) {
		e->inner = (uint16_t)gms_line_count(&e->old->mixed, e->first, e->end);
	} else if (e->old && e->old->nr) {
		const unsigned int to =
			e->end < GMS_LINE_BITS ? gms_node_rank(e->old, e->end) : e->old->nr;

		e->head = (uint8_t)gms_node_rank(e->old, e->first);
		e->inner = (uint16_t)(to - e->head);
	}
	if ((dirs & GMS_DIR_CLEAR) && e->kind != GMS_RTREE_NONE)
		leaves = plan_copy(t, e, false, stock);
	if ((dirs & GMS_DIR_SET) && e->kind != GMS_RTREE_ALL) {
		n = plan_copy(t, e, true, stock);
		leaves = n > leaves ? n : leaves;
	}
	stock->nr_leaves += leaves;
}

/* ---- INPLACE ---- */

static gms_always_inline uint32_t leaf_pop(const struct gms_rtree *t, uint32_t *leaf)
{
	const uint32_t id = *leaf;

	*leaf = (uint32_t)gms_load_relaxed(&gms_leaf(&t->leaves, id)->w[0]);
	return id;
}

/*
 * Change a leaf and the bits of its block where readers see them. All the while the block
 * counts as mixed, even if it goes from one uniform value to the other: so that a reader who
 * starts from the lines looks at the leaf, like one who went there at once.
 */
static gms_always_inline void inplace_store(struct gms_node *node, unsigned int i,
					    struct gms_line *leaf, const struct gms_line *to,
					    bool mixed, bool value)
{
	const bool was_mixed = gms_line_test(&node->mixed, i);

	if (!mixed && !was_mixed && gms_line_test(&node->value, i) == value)
		return; /* nothing changes, and nothing may seem to */
	if (!was_mixed)
		gms_line_put(&node->mixed, i, true);
	gms_fence_release();
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++)
		gms_store_relaxed(&leaf->w[w], gms_load_relaxed(&to->w[w]));
	if (!mixed) {
		gms_fence_release();
		gms_line_put(&node->value, i, value);
		gms_fence_release();
		gms_line_put(&node->mixed, i, false);
	}
	if (mixed != was_mixed)
		gms_store_relaxed(&node->nr, (uint16_t)(node->nr + (mixed ? 1 : -1)));
}

static gms_always_inline void inplace_commit(struct gms_rtree *t, struct gms_edge *e, bool set,
					     uint32_t *leaves)
{
	const unsigned int i = e->first;
	struct gms_line *leaf = gms_node_leaf(t, e->old, i), to;

	e->was_mixed = gms_line_test(&e->old->mixed, i);
	e->value = gms_line_test(&e->old->value, i);
	e->leaf = leaf_pop(t, leaves);
	gms_line_copy(gms_leaf(&t->leaves, e->leaf), leaf);
	gms_line_copy(&to, leaf);
	gms_line_store(&to, e->a, e->b, set);
	inplace_store(e->old, i, leaf, &to, !gms_line_is(&to, set), set);
}

static void inplace_revert(struct gms_rtree *t, struct gms_edge *e)
{
	inplace_store(e->old, e->first, gms_node_leaf(t, e->old, e->first),
		      gms_leaf(&t->leaves, e->leaf), e->was_mixed, e->value);
}

/* ---- COPY ---- */

/* A new leaf for block @i, whose pages [a, b) are @set. */
static gms_always_inline uint32_t leaf_make(struct gms_rtree *t, const struct gms_edge *e,
					    unsigned int i, unsigned int a, unsigned int b,
					    bool set, uint32_t *leaves)
{
	const uint32_t id = leaf_pop(t, leaves);
	struct gms_line *leaf = gms_leaf(&t->leaves, id);

	if (e->old && gms_line_test(&e->old->mixed, i))
		gms_line_copy(leaf, gms_node_leaf(t, e->old, i));
	else
		gms_line_fill(leaf, !set);
	gms_line_store(leaf, a, b, set);
	return id;
}

/* The leaves of a sparse node, where the node before was sparse, or there was none. */
static gms_always_inline void sparse_fill(struct gms_rtree *t, const struct gms_edge *e,
					  struct gms_node *node, bool set, uint32_t *leaves)
{
	const struct gms_node *old = e->old;
	uint32_t *to = node->leaf;

	for (unsigned int k = 0; k < e->head; k++)
		gms_store_relaxed(to++, gms_load_relaxed(&old->leaf[k]));
	if (e->plan[set] & PLAN_STAYS_LEFT)
		gms_store_relaxed(to++, leaf_make(t, e, e->first, e->a, left_end(e), set, leaves));
	if (e->plan[set] & PLAN_STAYS_RIGHT)
		gms_store_relaxed(to++, leaf_make(t, e, e->end - 1u, 0, e->b, set, leaves));
	for (unsigned int k = e->head + e->inner; old && k < old->nr; k++)
		gms_store_relaxed(to++, gms_load_relaxed(&old->leaf[k]));
	gms_assert(to == node->leaf + node->nr);
}

/* What a store makes of the pages of block @i. */
static void leaf_store(const struct gms_edge *e, unsigned int i, struct gms_line *leaf, bool set)
{
	if (i >= e->first && i < e->end)
		gms_line_store(leaf, i == e->first ? e->a : 0,
			       i + 1 == e->end ? e->b : GMS_LINE_BITS, set);
}

/* All leaves of a dense node. There was a node before: a uniform block needs two leaves at most. */
_Static_assert(GMS_SPARSE_MAX >= 2, "no uniform block turns dense at once");
static gms_always_inline void dense_fill(struct gms_rtree *t, const struct gms_edge *e,
					 struct gms_node *node, bool set)
{
	const struct gms_node *old = e->old;

	for (unsigned int i = 0; i < GMS_LINE_BITS; i++) {
		struct gms_line *leaf = &node->dense[i];

		if (is_dense(old) || gms_line_test(&old->mixed, i))
			gms_line_copy(leaf, gms_node_leaf(t, old, i));
		else
			gms_line_fill(leaf, gms_line_test(&old->value, i));
		leaf_store(e, i, leaf, set);
	}
}

/* A dense node turns sparse: every mixed block gets a leaf of its own. */
static gms_always_inline void sparse_fill_from_dense(struct gms_rtree *t, const struct gms_edge *e,
						     struct gms_node *node, bool set,
						     uint32_t *leaves)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < GMS_LINE_BITS; i++) {
		struct gms_line *leaf;
		uint32_t id;

		if (!gms_line_test(&node->mixed, i))
			continue;
		id = leaf_pop(t, leaves);
		leaf = gms_leaf(&t->leaves, id);
		gms_line_copy(leaf, &e->old->dense[i]);
		leaf_store(e, i, leaf, set);
		gms_store_relaxed(&node->leaf[n++], id);
	}
	gms_assert(n == node->nr);
}

/* One of the two blocks that the range covers in part, in the lines of the new node. */
static gms_always_inline void part_lines(struct gms_node *node, unsigned int i, bool stays,
					 bool set)
{
	gms_line_put(&node->mixed, i, stays);
	if (!stays)
		gms_line_put(&node->value, i, set);
}

/* The lines of the new node: those of the old one, and what the range makes of them. */
static gms_always_inline void copy_lines(const struct gms_edge *e, struct gms_node *node, bool set)
{
	const unsigned int whole = e->first + has_left(e), whole_end = e->end - has_right(e);

	if (e->old) {
		gms_line_copy(&node->value, &e->old->value);
		gms_line_copy(&node->mixed, &e->old->mixed);
	} else {
		gms_line_fill(&node->value, !set);
		gms_line_fill(&node->mixed, false);
	}
	if (whole < whole_end) {
		for (unsigned int w = whole / 64; w <= (whole_end - 1) / 64; w++) {
			const uint64_t mask = gms_word_mask(w, whole, whole_end);

			gms_word_store(&node->value.w[w], mask, set);
			gms_word_store(&node->mixed.w[w], mask, false);
		}
	}
	if (has_left(e))
		part_lines(node, e->first, e->plan[set] & PLAN_STAYS_LEFT, set);
	if (has_right(e))
		part_lines(node, e->end - 1u, e->plan[set] & PLAN_STAYS_RIGHT, set);
}

/*
 * A sparse node's ranks, one in each byte. Where only one word of the mixed line changed, the
 * ranks of the words above it move by as much.
 */
static gms_always_inline void copy_rank(const struct gms_edge *e, struct gms_node *node)
{
	const unsigned int w = e->first / 64;
	uint64_t ones = 0x0101010101010101ULL, rank = 0;

	if (!is_dense(e->old) && w == (e->end - 1u) / 64) {
		const uint64_t change = node->nr - (e->old ? e->old->nr : 0ULL);

		rank = e->old ? gms_load_relaxed(&e->old->rank) : 0;
		rank += w < 7 ? change * (ones << (8 * w + 8)) : 0;
	} else {
		for (unsigned int i = 0; i + 1 < GMS_LINE_WORDS; i++) {
			ones <<= 8;
			rank += ones * gms_popcount(gms_load_relaxed(&node->mixed.w[i]));
		}
	}
	gms_store_relaxed(&node->rank, rank);
}

/* Nothing to do where the block was uniform, and already what is committed. */
static gms_always_inline bool copy_is_noop(const struct gms_edge *e, bool set)
{
	return e->kind == (uint8_t)set;
}

static gms_always_inline void copy_commit(struct gms_rtree *t, struct gms_edge *e, bool set,
					  uint32_t *leaves)
{
	struct gms_node *node;

	if (copy_is_noop(e, set))
		return;
	if (set && e->plan[set] & PLAN_SHARED)
		e->node[set] = e->node[!set];
	node = e->node[set];
	if (!node) {
		gms_store_release(&t->kind[e->block], (uint8_t)set);
		return;
	}
	copy_lines(e, node, set);
	gms_store_relaxed(&node->nr, (uint16_t)(e->plan[set] & PLAN_NR));
	if (is_dense(node)) {
		dense_fill(t, e, node, set);
	} else {
		copy_rank(e, node);
		if (is_dense(e->old))
			sparse_fill_from_dense(t, e, node, set, leaves);
		else
			sparse_fill(t, e, node, set, leaves);
	}
	gms_store_release(gms_entry(t, e->block), node);
	if (!e->old)
		gms_store_release(&t->kind[e->block], (uint8_t)GMS_RTREE_MIXED);
}

static void copy_revert(struct gms_rtree *t, struct gms_edge *e, bool set)
{
	if (copy_is_noop(e, set))
		return;
	if (e->old && e->node[set])
		gms_store_release(gms_entry(t, e->block), e->old);
	else
		gms_store_release(&t->kind[e->block], e->kind);
}

/* Retire the node before or the one that was made, and those of its leaves that @keep lacks. */
static gms_always_inline void node_retire(struct gms_rtree *t, const struct gms_edge *e,
					  struct gms_node *node, const struct gms_node *keep,
					  struct gms_drops *drops)
{
	unsigned int head = e->head, nr = e->inner;

	if (is_dense(node)) {
		nr = 0;
	} else if (is_dense(keep)) {
		head = 0;
		nr = node->nr;
	} else if (node != e->old) {
		nr = keep ? node->nr + e->inner - keep->nr : node->nr;
	}
	gms_retire(t, e->block, node, head, nr, drops);
}

static gms_always_inline void copy_release(struct gms_rtree *t, struct gms_edge *e,
					   enum gms_edge_end end, bool set, struct gms_drops *drops)
{
	struct gms_node *made = e->node[set], *spare = e->node[!set], *drop;

	if (spare && spare != made)
		gms_drop_node(drops, spare);
	if (end == GMS_EDGE_UNUSED || copy_is_noop(e, set)) {
		if (made)
			gms_drop_node(drops, made);
		return;
	}
	drop = end == GMS_EDGE_COMMITTED ? e->old : made;
	if (drop)
		node_retire(t, e, drop, end == GMS_EDGE_COMMITTED ? made : e->old, drops);
}

/* ---- all three ---- */

GMS_CLONES void gms_edge_plan(const struct gms_rtree *t, struct gms_edge *e, unsigned int dirs,
			      struct gms_stock *stock)
{
	plan(t, e, dirs, stock);
}

static gms_always_inline void commit(struct gms_rtree *t, struct gms_edge *e, bool set,
				     uint32_t *leaves)
{
	if (e->way == GMS_EDGE_WORD)
		gms_edge_commit_word(e, set);
	else if (e->way == GMS_EDGE_INPLACE)
		inplace_commit(t, e, set, leaves);
	else
		copy_commit(t, e, set, leaves);
}

GMS_CLONES void gms_edge_commit(struct gms_rtree *t, struct gms_edge *e, bool set, uint32_t *leaves)
{
	commit(t, e, set, leaves);
}

void gms_edge_revert(struct gms_rtree *t, struct gms_edge *e, bool set)
{
	if (e->way == GMS_EDGE_WORD)
		gms_store_relaxed(e->word, e->saved[0]);
	else if (e->way == GMS_EDGE_INPLACE)
		inplace_revert(t, e);
	else
		copy_revert(t, e, set);
}

static gms_always_inline void release(struct gms_rtree *t, struct gms_edge *e,
				      enum gms_edge_end end, bool set, struct gms_drops *drops)
{
	if (e->way == GMS_EDGE_COPY)
		copy_release(t, e, end, set, drops);
	else if (e->way == GMS_EDGE_INPLACE && end != GMS_EDGE_UNUSED)
		gms_drop_leaf(&t->pool, drops, e->leaf);
}

void gms_edge_release(struct gms_rtree *t, struct gms_edge *e, enum gms_edge_end end, bool set,
		      struct gms_drops *drops)
{
	release(t, e, end, set, drops);
}

/* In one direction, all inline: the compiler drops what only the other one needs. */
static gms_always_inline int store(struct gms_rtree *t, struct gms_edge *e, unsigned int nr,
				   bool set, struct gms_need *need)
{
	struct gms_drops drops = {.leaf = GMS_LEAF_NONE};
	struct gms_stock stock;
	int err;

	gms_stock_init(&stock);
	stock.need = need;
	for (unsigned int i = 0; i < nr; i++)
		if (!gms_edge_plan_word(t, &e[i], 1u << set))
			plan(t, &e[i], 1u << set, &stock);
	err = gms_pool_take(&t->pool, &stock);
	if (err)
		return err;
	drops.leaf = stock.leaf;
	for (unsigned int i = 0; i < nr; i++) {
		commit(t, &e[i], set, &drops.leaf);
		release(t, &e[i], GMS_EDGE_COMMITTED, set, &drops);
	}
	gms_pool_give(&t->pool, &drops);
	return 0;
}

GMS_CLONES int gms_edges_store(struct gms_rtree *t, struct gms_edge *e, unsigned int nr, bool set,
			       struct gms_need *need)
{
	return set ? store(t, e, nr, true, need) : store(t, e, nr, false, need);
}
