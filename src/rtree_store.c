// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_store.c - changing a range tree: prepare, commit, revert, release
 *
 *	        edge            middle: whole 1G blocks            edge
 *	|....[#########|##############|##############|##############|####).....|
 *
 * A range covers part of at most two 1G blocks, its edges (rtree_edge.h), and all of those
 * between, its middle.
 *
 * The middle is a byte a block. Commit saves the bytes in the reserve, two bits each, and
 * overwrites them. Nodes stay where they are, behind a byte that no longer says MIXED,
 * so that revert has only the bytes to put back; release takes the nodes away.
 */
#include "rtree_edge.h"
#include "rtree_priv.h"

enum reserve_stage { STAGE_NONE, STAGE_PREPARED, STAGE_COMMITTED, STAGE_REVERTED };

#define GROUPS_INLINE 8 /* groups of 8 top bytes whose saved bits fit into the reserve */

struct gms_may_alias reserve {
	uint8_t stage;
	bool set; /* what was committed */
	uint8_t nr_edges; /* 0 to 2 */
	uint32_t leaf; /* a list of leaves, held for the edges */
	struct gms_edge edge[2];
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

/* ---- the middle: eight top bytes are one group, and 16 saved bits ---- */

/* Kinds are 0 to 2: the low two bits of each byte, packed. */
static uint16_t pack_kinds(uint64_t k)
{
	k = (k | k >> 6) & 0x000f000f000f000fULL;
	k = (k | k >> 12) & 0x000000ff000000ffULL;
	return (uint16_t)(k | k >> 24);
}

static gms_always_inline uint32_t groups_of(const struct reserve *r)
{
	const uint32_t end = r->mid_first + r->mid_nr;

	return r->mid_nr ? (end - 1) / 8 - r->mid_first / 8 + 1 : 0;
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
	*to = end - g * 8 < 8 ? end : g * 8 + 8;
}

/* Overwrite the bytes of a group; what they were, those outside the middle as 0. */
static uint64_t group_store(struct gms_rtree *t, const struct reserve *r, uint32_t g, bool set)
{
	uint64_t before = gms_kinds(t, (uint64_t)g * 8);
	uint32_t from, to;

	group_span(r, g, &from, &to);
	if (to - from == 8) {
		gms_store_relaxed(gms_kinds_at(t, from), GMS_KINDS((uint64_t)set));
		return before;
	}
	for (uint32_t b = from; b < to; b++)
		gms_store_relaxed(&t->kind[b], (uint8_t)set);
	before &= ~0ULL << (from % 8 * 8);
	return to % 8 ? before & ~(~0ULL << (to % 8 * 8)) : before;
}

/* Take away the node of a block that was mixed, and is no longer. */
static void block_retire(struct gms_rtree *t, uint64_t block, struct gms_drops *drops)
{
	struct gms_node *node = gms_load_relaxed(gms_entry(t, block));

	gms_retire(t, block, node, 0, node->class == GMS_CLASS_DENSE ? 0 : node->nr, drops);
}

/* Set the blocks of the middle to @set, for good. */
static gms_always_inline void mid_store(struct gms_rtree *t, const struct reserve *r, bool set)
{
	const uint64_t end = (uint64_t)r->mid_first + r->mid_nr;
	struct gms_drops drops = {.leaf = GMS_LEAF_NONE};

	for (uint64_t b = r->mid_first; b < end; b++) {
		uint64_t before;

		if (b % 8 || end - b < 8) {
			before = gms_load_relaxed(&t->kind[b]);
			gms_store_relaxed(&t->kind[b], (uint8_t)set);
			if (before == GMS_RTREE_MIXED)
				block_retire(t, b, &drops);
			continue;
		}
		before = gms_kinds(t, b) & GMS_KINDS(GMS_RTREE_MIXED);
		gms_store_relaxed(gms_kinds_at(t, b), GMS_KINDS((uint64_t)set));
		for (; before; before &= before - 1)
			block_retire(t, b + gms_ctz(before) / 8, &drops);
		b += 7;
	}
	gms_pool_give(&t->pool, &drops);
}

static int mid_prepare(struct gms_rtree *t, struct reserve *r)
{
	if (groups_of(r) <= GROUPS_INLINE)
		return 0;
	r->mid_saved = gms_alloc(&t->pool, groups_of(r) * sizeof(uint16_t), sizeof(void *));
	return r->mid_saved ? 0 : -ENOMEM;
}

static void mid_free(struct gms_rtree *t, struct reserve *r)
{
	if (groups_of(r) > GROUPS_INLINE)
		gms_free(&t->pool, r->mid_saved, groups_of(r) * sizeof(uint16_t), sizeof(void *));
}

static void mid_commit(struct gms_rtree *t, struct reserve *r, bool set)
{
	uint16_t *saved = saved_of(r);

	for (uint32_t g = r->mid_first / 8, n = groups_of(r); n--; g++)
		*saved++ = pack_kinds(group_store(t, r, g, set));
}

static void mid_revert(struct gms_rtree *t, struct reserve *r)
{
	const uint16_t *saved = saved_of(r);

	for (uint32_t g = r->mid_first / 8, n = groups_of(r); n--; g++, saved++) {
		uint32_t from, to;

		group_span(r, g, &from, &to);
		for (uint32_t b = from; b < to; b++)
			gms_store_release(&t->kind[b], (uint8_t)(*saved >> (b % 8 * 2) & 3));
	}
}

static void mid_release(struct gms_rtree *t, struct reserve *r)
{
	struct gms_drops drops = {.leaf = GMS_LEAF_NONE};
	const uint16_t *saved = saved_of(r);

	for (uint32_t g = r->mid_first / 8, n = groups_of(r); n--; g++, saved++)
		for (uint16_t mixed = *saved & 0xaaaa; mixed; mixed &= (uint16_t)(mixed - 1))
			block_retire(t, (uint64_t)g * 8 + gms_ctz(mixed) / 2, &drops);
	gms_pool_give(&t->pool, &drops);
}

/* ---- a reserve ---- */

/* Divide a range into edges and middle. Pages past the end go with the last page. */
static gms_always_inline void reserve_init(const struct gms_rtree *t, gms_pgoff_t start,
					   uint64_t nr_pages, struct reserve *r)
{
	const gms_pgoff_t stop = start + nr_pages;
	const gms_pgoff_t end = stop == t->nr_pages ? t->nr_blocks << GMS_BLOCK_SHIFT : stop;
	const uint32_t first = (uint32_t)(start >> GMS_BLOCK_SHIFT);
	const uint32_t last = (uint32_t)((end - 1) >> GMS_BLOCK_SHIFT);
	const uint32_t lo = start & (GMS_BLOCK_PAGES - 1);
	const uint32_t hi = ((end - 1) & (GMS_BLOCK_PAGES - 1)) + 1;
	const bool head = lo != 0, tail = hi != GMS_BLOCK_PAGES;

	r->set = false;
	r->nr_edges = 0;
	r->leaf = GMS_LEAF_NONE;
	r->mid_first = first;
	r->mid_nr = 0;
	if (first == last && (head || tail)) {
		gms_edge_init(&r->edge[r->nr_edges++], first, lo, hi);
		return;
	}
	if (head)
		gms_edge_init(&r->edge[r->nr_edges++], first, lo, GMS_BLOCK_PAGES);
	if (tail)
		gms_edge_init(&r->edge[r->nr_edges++], last, 0, hi);
	r->mid_first += head;
	r->mid_nr = last + 1 - tail - (first + head);
}

/* A reserve for no more than one word. */
static gms_always_inline void reserve_word(struct reserve *r, uint64_t block, uint64_t *word,
					   uint64_t mask)
{
	r->stage = STAGE_PREPARED;
	r->nr_edges = 1;
	r->leaf = GMS_LEAF_NONE;
	r->edge[0].block = (uint32_t)block;
	r->edge[0].way = GMS_EDGE_WORD;
	r->edge[0].word = word;
	r->edge[0].saved[1] = mask;
	r->mid_first = r->mid_nr = 0;
}

/* Make room for the nodes of a block and its neighbours; it stays until the tree goes. */
static int chunk_make(struct gms_rtree *t, uint32_t block)
{
	struct gms_node ***slot = &t->chunk[block >> GMS_CHUNK_SHIFT], **chunk;

	chunk = gms_alloc(&t->pool, gms_chunk_size(t), 64);
	if (!chunk)
		return -ENOMEM;
	gms_memset(chunk, 0, gms_chunk_size(t));
	gms_spin_lock(&t->pool.lock);
	if (!gms_load_relaxed(slot)) {
		if (t->nr_blocks <= GMS_CHUNK_BLOCKS) {
			gms_store_release(&t->only_epoch, gms_chunk_epochs(t, chunk));
			gms_store_release(&t->only, chunk);
		}
		gms_store_release(slot, chunk); /* last: who finds it here finds it there */
		chunk = NULL;
	}
	gms_spin_unlock(&t->pool.lock);
	if (chunk) /* a writer of a neighbouring block was faster */
		gms_free(&t->pool, chunk, gms_chunk_size(t), 64);
	return 0;
}

static gms_always_inline int chunk_need(struct gms_rtree *t, uint32_t block, unsigned int dirs,
					struct gms_need *need)
{
	if (gms_likely(gms_load_acquire(&t->chunk[block >> GMS_CHUNK_SHIFT])))
		return 0;
	/* the block is uniform: what it is already takes no node */
	if (dirs == 1u << gms_load_relaxed(&t->kind[block]))
		return 0;
	if (!need)
		return chunk_make(t, block);
	*need = (struct gms_need) {GMS_NEED_CHUNK, block};
	return -EAGAIN;
}

static gms_always_inline int edges_prepare(struct gms_rtree *t, unsigned int dirs,
					   struct reserve *r)
{
	struct gms_stock stock;
	int err;

	gms_stock_init(&stock);
	for (unsigned int i = 0; i < r->nr_edges; i++) {
		struct gms_edge *e = &r->edge[i];

		if (gms_edge_plan_word(t, e, dirs))
			continue;
		err = chunk_need(t, e->block, dirs, NULL);
		if (err)
			return err;
		gms_edge_plan(t, e, dirs, &stock);
	}
	err = gms_pool_take(&t->pool, &stock);
	r->leaf = stock.leaf;
	return err;
}

static gms_always_inline void edges_commit(struct gms_rtree *t, bool set, struct reserve *r)
{
	for (unsigned int i = 0; i < r->nr_edges; i++) {
		struct gms_edge *e = &r->edge[i];

		if (gms_likely(e->way == GMS_EDGE_WORD))
			gms_edge_commit_word(e, set);
		else
			gms_edge_commit(t, e, set, &r->leaf);
	}
}

/* In debug builds only, and of 64 times a block changes shape once: it costs a thousand stores. */
static gms_always_inline void edges_check(const struct gms_rtree *t, const struct reserve *r)
{
	for (unsigned int i = 0; i < r->nr_edges; i++)
		gms_assert(!t->chunk[r->edge[i].block >> GMS_CHUNK_SHIFT] ||
			   gms_load_relaxed(gms_epoch(t, r->edge[i].block)) % 64 != 1 ||
			   gms_rtree_block_ok(t, r->edge[i].block));
}

static gms_always_inline void edges_release(struct gms_rtree *t, enum gms_edge_end end,
					    struct reserve *r)
{
	struct gms_drops drops = {.leaf = r->leaf};

	for (unsigned int i = 0; i < r->nr_edges; i++)
		if (r->edge[i].way != GMS_EDGE_WORD)
			gms_edge_release(t, &r->edge[i], end, r->set, &drops);
	gms_pool_give(&t->pool, &drops);
	edges_check(t, r);
}

/*
 * The most common range lies in one word: of the leaf of a mixed 2M block, or of the value
 * line of a sparse node. Where that word has both values afterwards, as one that is mixed
 * now has, nothing above it changes. NULL where the range is another.
 */
static gms_always_inline uint64_t *find_word(const struct gms_rtree *t, gms_pgoff_t start,
					     uint64_t nr_pages, uint64_t *mask)
{
	const gms_pgoff_t last = start + nr_pages - 1;
	const unsigned int i = (start & (GMS_BLOCK_PAGES - 1)) >> GMS_RTREE_SHIFT;
	const uint64_t block = start >> GMS_BLOCK_SHIFT;
	const struct gms_node *node;
	uint64_t *word;

	if (gms_load_relaxed(&t->kind[block]) != GMS_RTREE_MIXED || last + 1 == t->nr_pages)
		return NULL;
	node = gms_load_relaxed(gms_entry(t, block));
	if (!((start ^ last) >> GMS_WORD_SHIFT)) {
		const bool dense = node->class == GMS_CLASS_DENSE;

		if (!dense && !gms_line_test(&node->mixed, i))
			return NULL;
		*mask = (~0ULL >> (64 - nr_pages)) << (start & 63 & (GMS_LINE_BITS - 1));
		word = &gms_node_leaf(t, node, i)->w[(start & (GMS_LINE_BITS - 1)) / 64];
		/* the leaf of a dense node may be uniform */
		return dense && (*word == 0 || *word == GMS_WORD_FULL) ? NULL : word;
	}
	if ((start ^ last) >> (GMS_RTREE_SHIFT + GMS_WORD_SHIFT) ||
	    ((start | nr_pages) & (GMS_LINE_BITS - 1)) || node->class == GMS_CLASS_DENSE)
		return NULL;
	*mask = (~0ULL >> (64 - (nr_pages >> GMS_RTREE_SHIFT))) << (i % 64);
	if (gms_load_relaxed(&node->mixed.w[i / 64]) & *mask)
		return NULL;
	return (uint64_t *)&node->value.w[i / 64];
}

/* ---- the operations ---- */

int gms_rtree_prepare(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
		      struct gms_rtree_reserve *reserve)
{
	struct reserve *r = reserve_of(reserve);
	uint64_t *word, mask = 0;
	int err;

	r->stage = STAGE_NONE;
	if (!gms_range_ok(t, start, nr_pages))
		return -EINVAL;
	word = find_word(t, start, nr_pages, &mask);
	if (word && (*word | mask) != GMS_WORD_FULL && (*word & ~mask) != 0) {
		reserve_word(r, start >> GMS_BLOCK_SHIFT, word, mask);
		return 0;
	}
	reserve_init(t, start, nr_pages, r);
	err = mid_prepare(t, r);
	if (err)
		return err;
	err = edges_prepare(t, GMS_DIR_CLEAR | GMS_DIR_SET, r);
	if (err) {
		mid_free(t, r);
		return err;
	}
	r->stage = STAGE_PREPARED;
	return 0;
}

void gms_rtree_commit(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool set,
		      struct gms_rtree_reserve *reserve)
{
	struct reserve *r = reserve_of(reserve);

	(void)start; /* the reserve knows the range */
	(void)nr_pages;
	gms_assert(r->stage == STAGE_PREPARED);
	if (r->stage != STAGE_PREPARED)
		return;
	r->set = set;
	edges_commit(t, set, r);
	mid_commit(t, r, set);
	r->stage = STAGE_COMMITTED;
}

void gms_rtree_revert(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	struct reserve *r = reserve_of(reserve);

	if (r->stage != STAGE_COMMITTED)
		return;
	mid_revert(t, r);
	for (unsigned int i = 0; i < r->nr_edges; i++)
		gms_edge_revert(t, &r->edge[i], r->set);
	/* the next store may be to a word of a node that is back in place: not before that is seen */
	gms_fence_release();
	r->stage = STAGE_REVERTED;
}

void gms_rtree_release(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	struct reserve *r = reserve_of(reserve);

	if (r->stage == STAGE_NONE)
		return;
	edges_release(t,
		      r->stage == STAGE_PREPARED    ? GMS_EDGE_UNUSED
		      : r->stage == STAGE_COMMITTED ? GMS_EDGE_COMMITTED
						    : GMS_EDGE_REVERTED,
		      r);
	if (r->stage == STAGE_COMMITTED)
		mid_release(t, r);
	mid_free(t, r);
	r->stage = STAGE_NONE;
}

/* All in one: the direction is known, and nobody will want anything back. */
static gms_always_inline int store(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
				   bool set, struct gms_need *need)
{
	uint64_t *word, mask = 0;
	struct reserve r;
	int err;

	if (gms_unlikely(!gms_range_ok(t, start, nr_pages)))
		return -EINVAL;
	word = find_word(t, start, nr_pages, &mask);
	if (gms_likely(word)) {
		const uint64_t before = gms_load_relaxed(word);
		const uint64_t after = set ? before | mask : before & ~mask;

		if (gms_likely(after != gms_word_of(set))) {
			gms_store_relaxed(word, after);
			return 0;
		}
	}
	reserve_init(t, start, nr_pages, &r);
	for (unsigned int i = 0; i < r.nr_edges; i++) {
		err = chunk_need(t, r.edge[i].block, 1u << set, need);
		if (err)
			return err;
	}
	if (r.nr_edges) {
		err = gms_edges_store(t, r.edge, r.nr_edges, set, need);
		if (err)
			return err;
		edges_check(t, &r);
	}
	mid_store(t, &r, set);
	return 0;
}

int gms_rtree_set(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store(t, start, nr_pages, true, NULL);
}

int gms_rtree_clear(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store(t, start, nr_pages, false, NULL);
}

int gms_rtree_try_store(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool set,
			struct gms_need *need)
{
	return store(t, start, nr_pages, set, need);
}

int gms_rtree_grow(struct gms_rtree *t, const struct gms_need *need)
{
	return need->what == GMS_NEED_CHUNK ? chunk_make(t, need->which)
					    : gms_pool_grow(&t->pool, need);
}
