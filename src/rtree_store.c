// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_store.c - changing a range tree: prepare, commit, revert, release
 *
 *	        edge 0           middle: whole 1G blocks           edge 1
 *	|....[#########|##############|##############|##############|####).....|
 *
 * A range covers part of at most two 1G blocks, its edges, and all of those between.
 *
 * The middle is a byte a block. Commit saves the bytes in the reserve, two bits each, and
 * overwrites them. Nodes stay where they are, behind a byte that no longer says MIXED,
 * so that revert has only the bytes to put back; release takes the nodes away.
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
 * Prepare finds out which way, and reserves for either direction, set or clear: that is
 * at most two nodes and two leaves for an edge, and GMS_SPARSE_MAX leaves more where a
 * dense node may turn sparse. Costs: an edge is a few lines, a COPY of a dense node 32K;
 * the middle is a byte a block and, at release, its nodes.
 */
#include "rtree_node.h"

enum edge_way { EDGE_NONE, EDGE_WORD, EDGE_INPLACE, EDGE_COPY };
enum reserve_stage { STAGE_NONE, STAGE_PREPARED, STAGE_COMMITTED, STAGE_REVERTED };

/* Directions in which a prepared range may be committed. */
#define DIR_CLEAR (1u << false)
#define DIR_SET (1u << true)

#define LINE_MASK (GMS_LINE_BITS - 1)
#define GROUPS_INLINE 8 /* groups of 8 top bytes whose saved bits fit into the reserve */

struct edge {
	uint64_t block;
	uint32_t lo, hi; /* pages of the block: [lo, hi) */
	uint8_t way;
	uint8_t kind; /* COPY: of the block, before */
	bool was_mixed, value; /* INPLACE: the bits of the 2M block, before */
	uint32_t leaf; /* INPLACE: number of the leaf that keeps the old one */
	union {
		struct gms_node *old; /* INPLACE, COPY: the node before, if there was one */
		uint64_t *word; /* WORD */
	};
	union {
		struct gms_node *node[2]; /* COPY: for either direction, NULL: uniform */
		uint64_t saved[2]; /* WORD: the word before, and the bits in the range */
	};
};

struct reserve {
	uint8_t stage;
	bool set; /* what was committed */
	uint32_t leaf;
	struct edge edge[2];
	uint32_t mid_first, mid_nr; /* 1G blocks */
	union {
		uint16_t mid_inline[GROUPS_INLINE];
		uint16_t *mid_saved;
	};
};

_Static_assert(sizeof(struct reserve) <= sizeof(struct gms_rtree_reserve), "the reserve's size");

static gms_always_inline struct reserve *reserve_of(struct gms_rtree_reserve *r)
{
	return (struct reserve *)(void *)r;
}

/* ---- the shape of a block: its lines, as a store will leave them ---- */

struct shape {
	struct gms_line value, mixed;
	unsigned int nr;
	bool uniform;
};

/* The one or two 2M blocks that [lo, hi) covers in part: pages [a, b) of block i. */
struct part {
	unsigned int i, a, b;
};

static gms_always_inline unsigned int parts_of(uint32_t lo, uint32_t hi, struct part part[2])
{
	const unsigned int first = lo >> GMS_RTREE_SHIFT, last = (hi - 1) >> GMS_RTREE_SHIFT;
	const unsigned int a = lo & LINE_MASK, b = ((hi - 1) & LINE_MASK) + 1;
	unsigned int n = 0;

	if (first == last) {
		if (b - a < GMS_LINE_BITS)
			part[n++] = (struct part) {first, a, b};
		return n;
	}
	if (a)
		part[n++] = (struct part) {first, a, GMS_LINE_BITS};
	if (b < GMS_LINE_BITS)
		part[n++] = (struct part) {last, 0, b};
	return n;
}

static gms_always_inline void shape_after(const struct gms_rtree *t, const struct edge *e, bool set,
					  struct shape *s)
{
	const unsigned int whole = (e->lo + LINE_MASK) >> GMS_RTREE_SHIFT;
	const unsigned int whole_end = e->hi >> GMS_RTREE_SHIFT;
	struct part part[2];
	unsigned int n;

	if (e->old) {
		gms_line_copy(&s->value, &e->old->value);
		gms_line_copy(&s->mixed, &e->old->mixed);
	} else {
		gms_line_fill(&s->value, e->kind == GMS_RTREE_ALL);
		gms_line_fill(&s->mixed, false);
	}
	if (whole < whole_end) {
		gms_line_store(&s->value, whole, whole_end, set);
		gms_line_store(&s->mixed, whole, whole_end, false);
	}
	n = parts_of(e->lo, e->hi, part);
	for (unsigned int k = 0; k < n; k++) {
		const unsigned int i = part[k].i;
		bool mixed = gms_line_test(&s->value, i) != set;

		if (gms_line_test(&s->mixed, i))
			mixed = !gms_line_rest_is(gms_node_leaf(t, e->old, i), part[k].a, part[k].b,
						  set);
		gms_line_put(&s->mixed, i, mixed);
		if (!mixed)
			gms_line_put(&s->value, i, set);
	}
	s->nr = gms_line_count(&s->mixed, 0, GMS_LINE_BITS);
	s->uniform = !s->nr && gms_line_is(&s->value, set);
}

static gms_always_inline bool is_dense(const struct gms_node *node)
{
	return node && node->class == GMS_CLASS_DENSE;
}

/* ---- prepare ---- */

/* Would committing in one of @dirs leave nothing but equal bits, given [a, b) in a line? */
static gms_always_inline bool turns_uniform(const struct gms_line *l, unsigned int a,
					    unsigned int b, unsigned int dirs)
{
	return ((dirs & DIR_CLEAR) && gms_line_rest_is(l, a, b, false)) ||
	       ((dirs & DIR_SET) && gms_line_rest_is(l, a, b, true));
}

/* WORD, into the leaf of a 2M block that stays mixed whatever is committed. */
static gms_always_inline bool plan_leaf_word(const struct gms_rtree *t, struct edge *e,
					     unsigned int dirs)
{
	const unsigned int i = e->lo >> GMS_RTREE_SHIFT;
	const unsigned int a = e->lo & LINE_MASK, b = a + (e->hi - e->lo);
	struct gms_line *leaf;

	if (b > GMS_LINE_BITS || a / 64 != (b - 1) / 64 || !gms_line_test(&e->old->mixed, i))
		return false;
	leaf = gms_node_leaf(t, e->old, i);
	if (turns_uniform(leaf, a, b, dirs))
		return false;
	e->word = &leaf->w[a / 64];
	e->saved[1] = gms_word_mask(a / 64, a, b);
	return true;
}

/* WORD, into the value line: of whole 2M blocks that are all uniform, in a sparse node. */
static gms_always_inline bool plan_value_word(struct edge *e, unsigned int dirs)
{
	const unsigned int i = e->lo >> GMS_RTREE_SHIFT, end = e->hi >> GMS_RTREE_SHIFT;
	struct gms_node *node = e->old;
	uint64_t mask;

	if (((e->lo | e->hi) & LINE_MASK) || i / 64 != (end - 1) / 64 || is_dense(node))
		return false;
	mask = gms_word_mask(i / 64, i, end);
	if (gms_load_relaxed(&node->mixed.w[i / 64]) & mask)
		return false;
	if (!node->nr && turns_uniform(&node->value, i, end, dirs))
		return false;
	e->word = &node->value.w[i / 64];
	e->saved[1] = mask;
	return true;
}

/* INPLACE: within one 2M block, and the node keeps its shape and the leaves it lists. */
static bool plan_inplace(const struct gms_rtree *t, const struct edge *e, unsigned int dirs)
{
	const unsigned int i = e->lo >> GMS_RTREE_SHIFT;
	const unsigned int a = e->lo & LINE_MASK, b = a + (e->hi - e->lo);
	const struct gms_node *node = e->old;

	if (i != (e->hi - 1) >> GMS_RTREE_SHIFT)
		return false;
	if (!gms_line_test(&node->mixed, i))
		return is_dense(node);
	if (is_dense(node) && node->nr > GMS_SPARSE_MAX + 1)
		return true;
	return !turns_uniform(gms_node_leaf(t, node, i), a, b, dirs);
}

/* How many leaves a COPY needs, that leaves the block in shape @s. */
static unsigned int leaves_for(const struct edge *e, const struct shape *s)
{
	struct part part[2];
	unsigned int leaves = 0, n;

	if (s->uniform || s->nr > GMS_SPARSE_MAX)
		return 0;
	if (is_dense(e->old))
		return s->nr;
	n = parts_of(e->lo, e->hi, part);
	for (unsigned int k = 0; k < n; k++)
		leaves += gms_line_test(&s->mixed, part[k].i);
	return leaves;
}

static void plan_copy(const struct gms_rtree *t, struct edge *e, unsigned int dirs,
		      struct gms_stock *stock, uint8_t want[2])
{
	unsigned int leaves = 0;

	for (unsigned int set = 0; set < 2; set++) {
		struct shape s;
		unsigned int n;
		uint8_t class;

		want[set] = GMS_STOCK_NODES;
		if (!(dirs & 1u << set) || e->kind == set)
			continue;
		shape_after(t, e, set, &s);
		n = leaves_for(e, &s);
		leaves = n > leaves ? n : leaves;
		if (s.uniform)
			continue;
		class = (uint8_t)gms_class_of(s.nr);
		if (set && want[0] < GMS_STOCK_NODES && stock->class[want[0]] == class) {
			want[1] = want[0]; /* one node will do for either direction */
			continue;
		}
		want[set] = (uint8_t)stock->nr_nodes;
		stock->class[stock->nr_nodes++] = class;
	}
	stock->nr_leaves += leaves;
}

static int chunk_make(struct gms_rtree *t, uint64_t block)
{
	struct gms_chunk **slot = &t->chunk[block >> GMS_CHUNK_SHIFT], *chunk;

	if (gms_likely(gms_load_acquire(slot)))
		return 0;
	chunk = gms_alloc(&t->pool, sizeof(*chunk), 64);
	if (!chunk)
		return -ENOMEM;
	gms_memset(chunk, 0, sizeof(*chunk));
	gms_spin_lock(&t->pool.lock);
	if (!gms_load_relaxed(slot)) {
		gms_store_release(slot, chunk);
		chunk = NULL;
	}
	gms_spin_unlock(&t->pool.lock);
	if (chunk) /* a writer of a neighbouring block was faster */
		gms_free(&t->pool, chunk, sizeof(*chunk), 64);
	return 0;
}

static gms_always_inline void plan_edge(const struct gms_rtree *t, struct edge *e,
					unsigned int dirs, struct gms_stock *stock, uint8_t want[2])
{
	want[0] = want[1] = GMS_STOCK_NODES;
	e->kind = gms_load_relaxed(&t->kind[e->block]);
	e->old = NULL;
	if (e->kind == GMS_RTREE_MIXED) {
		e->old = gms_load_relaxed(gms_entry(t, e->block));
		if (plan_leaf_word(t, e, dirs) || plan_value_word(e, dirs)) {
			e->way = EDGE_WORD;
			return;
		}
		if (plan_inplace(t, e, dirs)) {
			e->way = EDGE_INPLACE;
			stock->nr_leaves++;
			return;
		}
	}
	e->way = EDGE_COPY;
	plan_copy(t, e, dirs, stock, want);
}

/* ---- the middle: eight top bytes are one group, and 16 saved bits ---- */

/* Kinds are 0 to 2: the low two bits of each byte, packed. */
static uint16_t pack_kinds(uint64_t k)
{
	k = (k | k >> 6) & 0x000f000f000f000fULL;
	k = (k | k >> 12) & 0x000000ff000000ffULL;
	return (uint16_t)(k | k >> 24);
}

static uint32_t group_first(const struct reserve *r)
{
	return r->mid_first / 8;
}

static uint32_t group_end(const struct reserve *r)
{
	return (r->mid_first + r->mid_nr + 7) / 8;
}

static uint32_t groups_of(const struct reserve *r)
{
	return r->mid_nr ? group_end(r) - group_first(r) : 0;
}

static uint16_t *saved_of(struct reserve *r)
{
	return groups_of(r) > GROUPS_INLINE ? r->mid_saved : r->mid_inline;
}

/* The blocks of group @g that lie in the middle: [*from, *to). */
static void group_span(const struct reserve *r, uint32_t g, uint32_t *from, uint32_t *to)
{
	const uint32_t end = r->mid_first + r->mid_nr;

	*from = g * 8 < r->mid_first ? r->mid_first : g * 8;
	*to = g * 8 + 8 > end ? end : g * 8 + 8;
}

static void mid_commit(struct gms_rtree *t, struct reserve *r, bool set)
{
	uint16_t *saved = saved_of(r);

	for (uint32_t g = group_first(r), n = groups_of(r); n--; g++) {
		uint32_t from, to;

		*saved++ = pack_kinds(gms_kinds(t, (uint64_t)g * 8));
		group_span(r, g, &from, &to);
		if (to - from == 8)
			gms_store_relaxed(gms_kinds_at(t, from), GMS_KINDS((uint64_t)set));
		else
			for (uint32_t b = from; b < to; b++)
				gms_store_relaxed(&t->kind[b], (uint8_t)set);
	}
}

static void mid_revert(struct gms_rtree *t, struct reserve *r)
{
	const uint16_t *saved = saved_of(r);

	for (uint32_t g = group_first(r), n = groups_of(r); n--; g++, saved++) {
		uint32_t from, to;

		group_span(r, g, &from, &to);
		for (uint32_t b = from; b < to; b++)
			gms_store_release(&t->kind[b], (uint8_t)(*saved >> (b % 8 * 2) & 3));
	}
}

/* Take away the nodes that a commit left behind. */
static void mid_release(struct gms_rtree *t, struct reserve *r)
{
	const uint16_t *saved = saved_of(r);

	for (uint32_t g = group_first(r), n = groups_of(r); n--; g++, saved++) {
		uint32_t from, to;

		if (!(*saved & 0xaaaa)) /* none was MIXED */
			continue;
		group_span(r, g, &from, &to);
		for (uint32_t b = from; b < to; b++) {
			struct gms_node **entry, *node;

			if ((*saved >> (b % 8 * 2) & 3) != GMS_RTREE_MIXED)
				continue;
			entry = gms_entry(t, b);
			node = gms_load_relaxed(entry);
			gms_store_relaxed(entry, NULL);
			gms_pool_retire(&t->pool, node, node->leaf, is_dense(node) ? 0 : node->nr);
		}
	}
}

/* ---- commit, revert and release of an edge ---- */

static gms_always_inline void word_commit(struct edge *e, bool set)
{
	e->saved[0] = gms_load_relaxed(e->word);
	gms_store_relaxed(e->word, set ? e->saved[0] | e->saved[1] : e->saved[0] & ~e->saved[1]);
}

static uint32_t leaf_pop(const struct gms_rtree *t, struct reserve *r)
{
	const uint32_t id = r->leaf;

	r->leaf = (uint32_t)gms_load_relaxed(&gms_leaf_at(&t->leaves, id)->w[0]);
	return id;
}

/*
 * Change a leaf and the bits of its block where readers see them. A block counts as mixed
 * before its first page differs, and as uniform after its last one does not.
 */
static void inplace_store(struct gms_node *node, unsigned int i, struct gms_line *leaf,
			  const struct gms_line *to, bool mixed, bool value)
{
	const bool was_mixed = gms_line_test(&node->mixed, i);

	if (mixed && !was_mixed)
		gms_line_put(&node->mixed, i, true);
	gms_fence_release();
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++)
		gms_store_relaxed(&leaf->w[w], gms_load_relaxed(&to->w[w]));
	if (!mixed) {
		gms_fence_release();
		gms_line_put(&node->value, i, value);
		gms_fence_release();
		if (was_mixed)
			gms_line_put(&node->mixed, i, false);
	}
	if (mixed != was_mixed)
		gms_store_relaxed(&node->nr, (uint16_t)(node->nr + (mixed ? 1 : -1)));
}

static void inplace_commit(struct gms_rtree *t, struct edge *e, bool set, struct reserve *r)
{
	const unsigned int i = e->lo >> GMS_RTREE_SHIFT, a = e->lo & LINE_MASK;
	struct gms_line *leaf = gms_node_leaf(t, e->old, i), to;

	e->was_mixed = gms_line_test(&e->old->mixed, i);
	e->value = gms_line_test(&e->old->value, i);
	e->leaf = leaf_pop(t, r);
	gms_line_copy(gms_leaf_at(&t->leaves, e->leaf), leaf);
	gms_line_copy(&to, leaf);
	gms_line_store(&to, a, a + (e->hi - e->lo), set);
	inplace_store(e->old, i, leaf, &to, !gms_line_is(&to, set), set);
}

static void inplace_revert(struct gms_rtree *t, struct edge *e)
{
	const unsigned int i = e->lo >> GMS_RTREE_SHIFT;

	inplace_store(e->old, i, gms_node_leaf(t, e->old, i), gms_leaf_at(&t->leaves, e->leaf),
		      e->was_mixed, e->value);
}

/* A new leaf for a block that the range covers in part. */
static uint32_t leaf_make(struct gms_rtree *t, const struct edge *e, const struct part *p, bool set,
			  struct reserve *r)
{
	const uint32_t id = leaf_pop(t, r);
	struct gms_line *leaf = gms_leaf_at(&t->leaves, id);

	if (e->old && gms_line_test(&e->old->mixed, p->i))
		gms_line_copy(leaf, gms_node_leaf(t, e->old, p->i));
	else
		gms_line_fill(leaf, e->old ? gms_line_test(&e->old->value, p->i)
					   : e->kind == GMS_RTREE_ALL);
	gms_line_store(leaf, p->a, p->b, set);
	return id;
}

static void sparse_fill(struct gms_rtree *t, const struct edge *e, struct gms_node *node, bool set,
			struct reserve *r)
{
	const unsigned int first = e->lo >> GMS_RTREE_SHIFT;
	const unsigned int end = ((e->hi - 1) >> GMS_RTREE_SHIFT) + 1;
	const struct gms_node *old = e->old;
	struct part part[2];
	unsigned int k = 0, n = 0, head = 0, tail = 0;

	if (old && old->nr) {
		head = gms_node_rank(old, first);
		tail = end < GMS_LINE_BITS ? gms_node_rank(old, end) : old->nr;
	}
	for (; n < head; n++)
		gms_store_relaxed(&node->leaf[n], gms_load_relaxed(&old->leaf[n]));
	for (unsigned int parts = parts_of(e->lo, e->hi, part); k < parts; k++)
		if (gms_line_test(&node->mixed, part[k].i))
			gms_store_relaxed(&node->leaf[n++], leaf_make(t, e, &part[k], set, r));
	for (; old && tail < old->nr; tail++)
		gms_store_relaxed(&node->leaf[n++], gms_load_relaxed(&old->leaf[tail]));
	gms_assert(n == node->nr);
}

/* All leaves of a dense node, where the node before was any. */
static void dense_fill(struct gms_rtree *t, const struct edge *e, struct gms_node *node, bool set)
{
	const unsigned int first = e->lo >> GMS_RTREE_SHIFT;
	const unsigned int last = (e->hi - 1) >> GMS_RTREE_SHIFT;
	const struct gms_node *old = e->old;

	for (unsigned int i = 0; i < GMS_LINE_BITS; i++) {
		struct gms_line *leaf = gms_dense_leaf(node, i);

		if (is_dense(old) || gms_line_test(&old->mixed, i))
			gms_line_copy(leaf, gms_node_leaf(t, old, i));
		else
			gms_line_fill(leaf, gms_line_test(&old->value, i));
		if (i >= first && i <= last)
			gms_line_store(leaf, i == first ? e->lo & LINE_MASK : 0,
				       i == last ? ((e->hi - 1) & LINE_MASK) + 1 : GMS_LINE_BITS,
				       set);
	}
}

/* A dense node turns sparse: every mixed block gets a leaf of its own. */
static void sparse_fill_from_dense(struct gms_rtree *t, const struct edge *e, struct gms_node *node,
				   bool set, struct reserve *r)
{
	struct part part[2];
	unsigned int n = 0, parts = parts_of(e->lo, e->hi, part);

	for (unsigned int i = 0; i < GMS_LINE_BITS; i++) {
		struct gms_line *leaf;
		uint32_t id;

		if (!gms_line_test(&node->mixed, i))
			continue;
		id = leaf_pop(t, r);
		leaf = gms_leaf_at(&t->leaves, id);
		gms_line_copy(leaf, gms_dense_leaf(e->old, i));
		for (unsigned int k = 0; k < parts; k++)
			if (part[k].i == i)
				gms_line_store(leaf, part[k].a, part[k].b, set);
		gms_store_relaxed(&node->leaf[n++], id);
	}
	gms_assert(n == node->nr);
}

static void copy_build(struct gms_rtree *t, struct edge *e, const struct shape *s, bool set,
		       struct reserve *r)
{
	struct gms_node *node = e->node[set];
	unsigned int rank = 0;

	gms_line_copy(&node->value, &s->value);
	gms_line_copy(&node->mixed, &s->mixed);
	gms_store_relaxed(&node->nr, (uint16_t)s->nr);
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++) {
		gms_store_relaxed(&node->rank[w], (uint8_t)rank);
		rank += gms_popcount(s->mixed.w[w]);
	}
	if (is_dense(node))
		dense_fill(t, e, node, set);
	else if (is_dense(e->old))
		sparse_fill_from_dense(t, e, node, set, r);
	else
		sparse_fill(t, e, node, set, r);
}

/* Nothing to do where the block was uniform, and already what is committed. */
static bool copy_is_noop(const struct edge *e, bool set)
{
	return e->kind == (uint8_t)set;
}

static void copy_commit(struct gms_rtree *t, struct edge *e, bool set, struct reserve *r)
{
	struct shape s;

	if (copy_is_noop(e, set))
		return;
	shape_after(t, e, set, &s);
	if (s.uniform) {
		gms_assert(!e->node[set]);
		gms_store_release(&t->kind[e->block], (uint8_t)set);
		return;
	}
	copy_build(t, e, &s, set, r);
	gms_store_release(gms_entry(t, e->block), e->node[set]);
	if (!e->old)
		gms_store_release(&t->kind[e->block], (uint8_t)GMS_RTREE_MIXED);
}

static void copy_revert(struct gms_rtree *t, struct edge *e, bool set)
{
	if (copy_is_noop(e, set))
		return;
	if (e->old && e->node[set])
		gms_store_release(gms_entry(t, e->block), e->old);
	else
		gms_store_release(&t->kind[e->block], e->kind);
}

/* Retire @node, and those of its leaves that @other does not list: in the range, or all. */
static void node_retire(struct gms_rtree *t, const struct edge *e, struct gms_node *node,
			const struct gms_node *other)
{
	const unsigned int first = e->lo >> GMS_RTREE_SHIFT;
	const unsigned int end = ((e->hi - 1) >> GMS_RTREE_SHIFT) + 1;
	unsigned int from = 0, to = node->nr;

	if (is_dense(node)) {
		to = 0;
	} else if (!is_dense(other)) {
		from = gms_node_rank(node, first);
		to = end < GMS_LINE_BITS ? gms_node_rank(node, end) : node->nr;
	}
	gms_pool_retire(&t->pool, node, &node->leaf[from], to - from);
}

static void copy_release(struct gms_rtree *t, struct edge *e, const struct reserve *r)
{
	struct gms_node *made = e->node[r->set], *spare = e->node[!r->set];
	struct gms_node *keep, *drop;

	if (spare && spare != made)
		gms_pool_retire(&t->pool, spare, NULL, 0);
	if (r->stage == STAGE_PREPARED || copy_is_noop(e, r->set)) {
		if (made)
			gms_pool_retire(&t->pool, made, NULL, 0);
		return;
	}
	keep = r->stage == STAGE_COMMITTED ? made : e->old;
	drop = r->stage == STAGE_COMMITTED ? e->old : made;
	if (!drop)
		return;
	if (!keep) /* the block is uniform, and its entry has outlived its use */
		gms_store_relaxed(gms_entry(t, e->block), NULL);
	node_retire(t, e, drop, keep);
}

/* ---- the operations ---- */

static int mid_prepare(struct gms_rtree *t, struct reserve *r)
{
	const size_t size = groups_of(r) * sizeof(uint16_t);

	if (groups_of(r) <= GROUPS_INLINE)
		return 0;
	r->mid_saved = gms_alloc(&t->pool, size, sizeof(void *));
	if (r->mid_saved)
		return 0;
	r->mid_nr = 0;
	return -ENOMEM;
}

static void mid_free(struct gms_rtree *t, struct reserve *r)
{
	if (groups_of(r) > GROUPS_INLINE)
		gms_free(&t->pool, r->mid_saved, groups_of(r) * sizeof(uint16_t), sizeof(void *));
	r->mid_nr = 0;
}

/* Divide a range into edges and middle. */
static gms_always_inline void reserve_init(const struct gms_rtree *t, gms_pgoff_t start,
					   uint64_t nr_pages, struct reserve *r)
{
	const gms_pgoff_t stop = start + nr_pages;
	const gms_pgoff_t end = stop == t->nr_pages ? t->nr_blocks << GMS_BLOCK_SHIFT : stop;
	const uint64_t first = start >> GMS_BLOCK_SHIFT, last = (end - 1) >> GMS_BLOCK_SHIFT;
	const uint32_t lo = start & (GMS_BLOCK_PAGES - 1);
	const uint32_t hi = ((end - 1) & (GMS_BLOCK_PAGES - 1)) + 1;
	const bool head = lo != 0, tail = hi != GMS_BLOCK_PAGES;

	r->stage = STAGE_NONE;
	r->leaf = GMS_LEAF_NONE;
	r->edge[0].way = r->edge[1].way = EDGE_NONE;
	r->mid_first = (uint32_t)first;
	r->mid_nr = 0;
	if (first == last && (head || tail)) {
		r->edge[0] = (struct edge) {.block = first, .lo = lo, .hi = hi, .way = EDGE_COPY};
		return;
	}
	if (head)
		r->edge[0] = (struct edge) {
			.block = first, .lo = lo, .hi = GMS_BLOCK_PAGES, .way = EDGE_COPY};
	if (tail)
		r->edge[1] = (struct edge) {.block = last, .hi = hi, .way = EDGE_COPY};
	r->mid_first += head;
	r->mid_nr = (uint32_t)(last + 1 - tail - (first + head));
}

static int prepare(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, unsigned int dirs,
		   struct reserve *r)
{
	struct gms_stock stock = {0};
	uint8_t want[2][2];
	int err;

	reserve_init(t, start, nr_pages, r);
	err = mid_prepare(t, r);
	for (unsigned int i = 0; i < 2 && !err; i++) {
		struct edge *e = &r->edge[i];

		if (e->way == EDGE_NONE)
			continue;
		plan_edge(t, e, dirs, &stock, want[i]);
		if (e->way == EDGE_COPY)
			err = chunk_make(t, e->block);
	}
	if (!err && (stock.nr_nodes || stock.nr_leaves))
		err = gms_pool_take(&t->pool, &stock);
	if (err) {
		mid_free(t, r);
		return err;
	}
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int set = 0; set < 2 && r->edge[i].way == EDGE_COPY; set++)
			r->edge[i].node[set] =
				want[i][set] < GMS_STOCK_NODES ? stock.node[want[i][set]] : NULL;
	if (stock.nr_leaves)
		r->leaf = stock.leaf;
	r->stage = STAGE_PREPARED;
	return 0;
}

static void commit(struct gms_rtree *t, bool set, struct reserve *r)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct edge *e = &r->edge[i];

		if (e->way == EDGE_WORD)
			word_commit(e, set);
		else if (e->way == EDGE_INPLACE)
			inplace_commit(t, e, set, r);
		else if (e->way == EDGE_COPY)
			copy_commit(t, e, set, r);
	}
	mid_commit(t, r, set);
	r->set = set;
	r->stage = STAGE_COMMITTED;
}

static void release(struct gms_rtree *t, struct reserve *r)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct edge *e = &r->edge[i];

		if (e->way == EDGE_COPY) {
			copy_release(t, e, r);
		} else if (e->way == EDGE_INPLACE && r->stage != STAGE_PREPARED) {
			gms_store_relaxed(&gms_leaf_at(&t->leaves, e->leaf)->w[0], r->leaf);
			r->leaf = e->leaf;
		}
	}
	gms_pool_give_leaves(&t->pool, r->leaf);
	if (r->stage == STAGE_COMMITTED)
		mid_release(t, r);
	mid_free(t, r);
	r->stage = STAGE_NONE;
}

int gms_rtree_prepare(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
		      struct gms_rtree_reserve *reserve)
{
	reserve_of(reserve)->stage = STAGE_NONE;
	if (!gms_range_ok(t, start, nr_pages))
		return -EINVAL;
	return prepare(t, start, nr_pages, DIR_CLEAR | DIR_SET, reserve_of(reserve));
}

void gms_rtree_commit(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool set,
		      struct gms_rtree_reserve *reserve)
{
	(void)start;
	(void)nr_pages;
	if (reserve_of(reserve)->stage == STAGE_PREPARED)
		commit(t, set, reserve_of(reserve));
}

void gms_rtree_revert(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	struct reserve *r = reserve_of(reserve);

	if (r->stage != STAGE_COMMITTED)
		return;
	mid_revert(t, r);
	for (unsigned int i = 0; i < 2; i++) {
		struct edge *e = &r->edge[i];

		if (e->way == EDGE_WORD)
			gms_store_relaxed(e->word, e->saved[0]);
		else if (e->way == EDGE_INPLACE)
			inplace_revert(t, e);
		else if (e->way == EDGE_COPY)
			copy_revert(t, e, r->set);
	}
	r->stage = STAGE_REVERTED;
}

void gms_rtree_release(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	if (reserve_of(reserve)->stage != STAGE_NONE)
		release(t, reserve_of(reserve));
}

static gms_always_inline int store(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
				   bool set)
{
	struct reserve r;
	int err;

	if (!gms_range_ok(t, start, nr_pages))
		return -EINVAL;
	err = prepare(t, start, nr_pages, 1u << set, &r);
	if (err)
		return err;
	commit(t, set, &r);
	release(t, &r);
	return 0;
}

int gms_rtree_set(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store(t, start, nr_pages, true);
}

int gms_rtree_clear(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store(t, start, nr_pages, false);
}
