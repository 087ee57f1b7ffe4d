// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree_store.c - changes a range tree: prepare, commit, revert, release
 *
 *	        part            whole 1G blocks: a byte each       part
 *	|....[#########|##############|##############|##############|####).....|
 *
 * A range covers a part of at most two 1G blocks, and all 1G blocks between. A part covers a piece
 * of at most two 2M blocks, and all 2M blocks between, which are bits in words of states.
 *
 * To make a block uniform costs one store, to its entry: its place is not touched. To make a block
 * mixed, its place is filled first. rtree_node.h says in which order.
 *
 * A commit with a reserve saves what it may overwrite. A commit of one word saves that word. Any
 * other saves the kind and the words of states of each part, the leaves at the ends of the range,
 * and the kind of each whole 1G block, this one in the byte of the block. That is enough: a place
 * that no longer counts stays as it was, and counts again when a revert restores its entry.
 */
#include "rtree_node.h"

/* The last two are in this order: from STORE_COMMITTED_WORD on there is a commit to revert. */
enum store_stage { STORE_IDLE, STORE_PREPARED, STORE_COMMITTED_WORD, STORE_COMMITTED };

/* The byte of a 1G block has its kind, the kind to revert to, and, in debug builds, a claim. */
#define STORE_SAVED_SHIFT 2
#define STORE_CLAIMED 0x80U

/*
 * A part of a 1G block, but not all of it. It begins with page @a of 2M block @first, and ends
 * before page @b of 2M block @last.
 */
struct store_part {
	uint64_t block;
	struct gms_group *node;
	unsigned int first, last, a, b;
};

/* A range, cut into parts of 1G blocks and the whole 1G blocks in [first, end). */
struct store_cut {
	struct store_part part[2];
	unsigned int nr_parts;
	uint64_t first, end;
};

struct gms_may_alias store_reserve {
	gms_pgoff_t start;
	uint64_t nr_pages;
	uint32_t stage;
	uint8_t kind[2]; /* of the 1G blocks of the parts */
	union {
		struct {
			uint64_t *word;
			uint64_t before;
		}; /* STORE_COMMITTED_WORD */
		struct {
			uint64_t state[2][GMS_NODE_WORDS];
			struct gms_line leaf[2]; /* at the start and at the end of the range */
		}; /* STORE_COMMITTED */
	};
};

_Static_assert(sizeof(struct store_reserve) <= sizeof(struct gms_rtree_reserve),
	       "the reserve's size");

static gms_always_inline struct store_reserve *store_reserve_of(struct gms_rtree_reserve *r)
{
	return (struct store_reserve *)(void *)r;
}

/* ---- the byte of a 1G block, for its writer ---- */

static gms_always_inline uint8_t store_load_kind(const uint8_t *byte)
{
	return gms_load_relaxed(byte) & GMS_KIND_MASK;
}

/* Stores a kind, and clears the other bits of the byte unless @kind has them. */
static gms_always_inline void store_put_kind(uint8_t *byte, unsigned int kind)
{
	gms_store_sole(byte, (uint8_t)kind);
}

/* ---- cutting a range ---- */

static gms_always_inline void store_add_part(struct gms_rtree *t, struct store_cut *c,
					     uint64_t block, unsigned int lo, unsigned int hi)
{
	c->part[c->nr_parts++] = (struct store_part) {
		.block = block,
		.node = gms_node(t, block),
		.first = lo >> GMS_RTREE_SHIFT,
		.last = (hi - 1) >> GMS_RTREE_SHIFT,
		.a = lo & GMS_LEAF_MASK,
		.b = ((hi - 1) & GMS_LEAF_MASK) + 1,
	};
}

static gms_always_inline void store_cut_range(struct gms_rtree *t, gms_pgoff_t start,
					      uint64_t nr_pages, struct store_cut *c)
{
	const gms_pgoff_t last = gms_range_end(t, start, nr_pages) - 1;
	const unsigned int lo = start & GMS_BLOCK_MASK, hi = (last & GMS_BLOCK_MASK) + 1;
	const bool one = gms_block_of(start) == gms_block_of(last);

	c->nr_parts = 0;
	c->first = gms_block_of(start);
	c->end = gms_block_of(last) + 1;
	if (lo)
		store_add_part(t, c, c->first++, lo, one ? hi : GMS_BLOCK_PAGES);
	if (hi != GMS_BLOCK_PAGES && c->first < c->end)
		store_add_part(t, c, --c->end, 0, hi);
}

/* ---- filling a place, before it is made to count ---- */

/*
 * A reader with a stale entry may look at a place before the place counts again. If the reader
 * sees the fill, it must also see the store that made the block uniform: hence the fence.
 */
static gms_always_inline void store_fill_leaf(struct gms_line *leaf, bool set)
{
	gms_fence_release();
	gms_line_fill(leaf, set);
}

static void store_fill_node(struct gms_group *node, bool set)
{
	gms_fence_release();
	GMS_UNROLL_ALL
	for (unsigned int w = 0; w < GMS_NODE_WORDS; w++)
		gms_store_relaxed(gms_state_at(node, w << GMS_STATE_SHIFT), gms_states_of(set));
}

/* ---- a part of a 2M block ---- */

/* Returns @states, changed so that the blocks of @mask are uniformly @set. */
static gms_always_inline uint64_t store_with_uniform(uint64_t states, uint64_t mask, bool set)
{
	return (states & ~gms_states_both(mask)) | (set ? mask : 0);
}

/* Sets pages [a, b) of 2M block @i of a mixed 1G block to @set. */
static gms_always_inline void store_leaf(struct gms_group *node, unsigned int i, unsigned int a,
					 unsigned int b, bool set)
{
	uint64_t *word = gms_state_at(node, i);
	const uint64_t states = gms_load_relaxed(word), bit = 1ULL << (i % GMS_STATE_BLOCKS);
	const enum gms_rtree_fill fill = gms_state_fill(states, i);
	struct gms_line *leaf;

	if (fill == (enum gms_rtree_fill)set)
		return;
	leaf = gms_leaf(node, i);
	if (fill != GMS_RTREE_MIXED) {
		store_fill_leaf(leaf, !set);
		gms_store_sole(word, states | bit << 32);
	} else if (gms_line_rest_is(leaf, a, b, set)) {
		gms_store_sole(word, store_with_uniform(states, bit, set));
		return;
	}
	gms_line_store(leaf, a, b, set);
}

/* ---- a part of a 1G block ---- */

/* Makes the 2M blocks @first to @last, both included, uniformly @set. */
static void store_states(struct gms_group *node, unsigned int first, unsigned int last, bool set)
{
	for (unsigned int w = first >> GMS_STATE_SHIFT; w <= last >> GMS_STATE_SHIFT; w++) {
		const uint64_t mask = gms_state_mask(w, first, last);
		uint64_t *word = gms_state_at(node, w << GMS_STATE_SHIFT);
		const uint64_t before = gms_load_relaxed(word);
		const uint64_t after = store_with_uniform(before, mask, set);

		if (after != before)
			gms_store_sole(word, after);
	}
}

/* Returns true if all pages of 2M block @i outside of [a, b) are @set. */
static bool store_leaf_rest_is(struct gms_group *node, unsigned int i, unsigned int a,
			       unsigned int b, bool set)
{
	const enum gms_rtree_fill fill = gms_state_fill(gms_load_relaxed(gms_state_at(node, i)), i);

	if (fill != GMS_RTREE_MIXED)
		return fill == (enum gms_rtree_fill)set;
	return gms_line_rest_is(gms_leaf(node, i), a, b, set);
}

/* Returns 0 if the blocks of word @w of a node outside of @first to @last are uniformly @set. */
static gms_always_inline uint64_t store_states_differ(struct gms_group *node, unsigned int w,
						      unsigned int first, unsigned int last,
						      bool set)
{
	const uint64_t differ =
		gms_load_relaxed(gms_state_at(node, w << GMS_STATE_SHIFT)) ^ gms_states_of(set);

	return differ & ~gms_states_both(gms_state_mask(w, first, last));
}

/* Counts those words of states in [from, end) whose blocks are not all uniformly @set. */
static gms_always_inline unsigned int store_count_unlike(struct gms_group *node, bool set,
							 unsigned int from, unsigned int end)
{
	unsigned int differ = 0;

	GMS_UNROLL_ALL
	for (unsigned int w = from; w < end; w++)
		differ += gms_load_relaxed(gms_state_at(node, w << GMS_STATE_SHIFT)) !=
			  gms_states_of(set);
	return differ;
}

/*
 * Returns true if all pages of a mixed 1G block outside of a part are @set. Looks first at the
 * words with the ends of the part, where it finds a block that differs most often.
 */
static gms_always_inline bool store_node_rest_is(const struct store_part *p, bool set)
{
	const unsigned int lo = p->first >> GMS_STATE_SHIFT, hi = p->last >> GMS_STATE_SHIFT;

	if (gms_likely(store_states_differ(p->node, lo, p->first, p->last, set) |
		       store_states_differ(p->node, hi, p->first, p->last, set)))
		return false;
	if (store_count_unlike(p->node, set, 0, GMS_NODE_WORDS) !=
	    store_count_unlike(p->node, set, lo, hi + 1))
		return false;
	if (p->first == p->last)
		return (!p->a && p->b == GMS_LEAF_PAGES) ||
		       store_leaf_rest_is(p->node, p->first, p->a, p->b, set);
	return (!p->a || store_leaf_rest_is(p->node, p->first, p->a, GMS_LEAF_PAGES, set)) &&
	       (p->b == GMS_LEAF_PAGES || store_leaf_rest_is(p->node, p->last, 0, p->b, set));
}

static void store_set_part(struct gms_rtree *t, const struct store_part *p, bool set)
{
	uint8_t *byte = gms_kind_at(t, p->block);
	unsigned int first = p->first, last = p->last;
	const uint8_t before = store_load_kind(byte);

	if (before == (uint8_t)set)
		return;
	if (p->a) /* the leaves arrive while the code below looks at the node */
		gms_prefetch(gms_leaf(p->node, first));
	if (p->b != GMS_LEAF_PAGES)
		gms_prefetch(gms_leaf(p->node, last));
	if (before != GMS_RTREE_MIXED) {
		store_fill_node(p->node, !set);
		store_put_kind(byte, GMS_RTREE_MIXED);
	} else if (store_node_rest_is(p, set)) {
		store_put_kind(byte, set);
		return;
	}
	if (first == last && (p->a || p->b != GMS_LEAF_PAGES)) {
		store_leaf(p->node, first, p->a, p->b, set);
		return;
	}
	if (p->a)
		store_leaf(p->node, first++, p->a, GMS_LEAF_PAGES, set);
	if (p->b != GMS_LEAF_PAGES)
		store_leaf(p->node, last--, 0, p->b, set);
	if (first <= last)
		store_states(p->node, first, last, set);
}

/* ---- saving and restoring a part ---- */

static void store_save_leaf(struct gms_group *node, unsigned int i, struct gms_line *leaf)
{
	if (gms_state_fill(gms_load_relaxed(gms_state_at(node, i)), i) == GMS_RTREE_MIXED)
		gms_line_copy(leaf, gms_leaf(node, i));
}

static void store_save_part(struct gms_rtree *t, const struct store_part *p,
			    struct store_reserve *r, unsigned int n)
{
	r->kind[n] = store_load_kind(gms_kind_at(t, p->block));
	if (r->kind[n] != GMS_RTREE_MIXED)
		return;
	for (unsigned int w = p->first >> GMS_STATE_SHIFT; w <= p->last >> GMS_STATE_SHIFT; w++)
		r->state[n][w] = gms_load_relaxed(gms_state_at(p->node, w << GMS_STATE_SHIFT));
	if (p->a)
		store_save_leaf(p->node, p->first, &r->leaf[0]);
	if (p->b != GMS_LEAF_PAGES)
		store_save_leaf(p->node, p->last, &r->leaf[1]);
}

/*
 * Restores the leaf of 2M block @i if the block is mixed both now and in the word @before. Any
 * other leaf either was not changed by the commit, or is stale after the revert.
 */
static void store_restore_leaf(struct gms_group *node, unsigned int i, uint64_t before,
			       const struct gms_line *saved)
{
	const uint64_t now = gms_load_relaxed(gms_state_at(node, i));
	struct gms_line *leaf;

	if (gms_state_fill(before & now, i) != GMS_RTREE_MIXED)
		return;
	leaf = gms_leaf(node, i);
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++)
		if (gms_load_relaxed(&leaf->w[w]) != saved->w[w])
			gms_store_release(&leaf->w[w], saved->w[w]);
}

static void store_restore_part(struct gms_rtree *t, const struct store_part *p,
			       const struct store_reserve *r, unsigned int n)
{
	uint8_t *byte = gms_kind_at(t, p->block);
	const uint64_t *state = r->state[n];

	if (store_load_kind(byte) != r->kind[n]) {
		store_put_kind(byte, r->kind[n]);
		return;
	}
	if (r->kind[n] != GMS_RTREE_MIXED)
		return;
	if (p->a)
		store_restore_leaf(p->node, p->first, state[p->first >> GMS_STATE_SHIFT],
				   &r->leaf[0]);
	if (p->b != GMS_LEAF_PAGES)
		store_restore_leaf(p->node, p->last, state[p->last >> GMS_STATE_SHIFT],
				   &r->leaf[1]);
	for (unsigned int w = p->first >> GMS_STATE_SHIFT; w <= p->last >> GMS_STATE_SHIFT; w++) {
		uint64_t *word = gms_state_at(p->node, w << GMS_STATE_SHIFT);

		if (gms_load_relaxed(word) != state[w])
			gms_store_release(word, state[w]);
	}
}

/* ---- whole 1G blocks ---- */

/* Makes 1G blocks [first, end) uniformly @set. Saves in the byte of each the kind that it had. */
static gms_always_inline void store_kinds(struct gms_rtree *t, uint64_t first, uint64_t end,
					  bool set)
{
	for (uint64_t b = first; b < end; b++) {
		uint8_t *byte = gms_kind_at(t, b);
		const unsigned int before = store_load_kind(byte);

		store_put_kind(byte, set | before << STORE_SAVED_SHIFT);
	}
}

static void store_restore_kinds(struct gms_rtree *t, uint64_t first, uint64_t end)
{
	for (uint64_t b = first; b < end; b++) {
		uint8_t *byte = gms_kind_at(t, b);

		store_put_kind(byte, gms_load_relaxed(byte) >> STORE_SAVED_SHIFT & GMS_KIND_MASK);
	}
}

static void store_range(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool set,
			struct store_reserve *r)
{
	struct store_cut c;

	if (r)
		r->stage = STORE_COMMITTED;
	store_cut_range(t, start, nr_pages, &c);
	for (unsigned int n = 0; n < c.nr_parts; n++) {
		if (r)
			store_save_part(t, &c.part[n], r, n);
		store_set_part(t, &c.part[n], set);
	}
	store_kinds(t, c.first, c.end, set);
	for (unsigned int n = 0; GMS_CHECKED && n < c.nr_parts; n++)
		gms_assert(gms_rtree_block_ok(t, c.part[n].block));
}

/* ---- changes of one word in a mixed 1G block, the most frequent ones ---- */

/* Stores a word of states or of a leaf, and saves what it replaces. */
static gms_always_inline void store_word(uint64_t *word, uint64_t before, uint64_t after,
					 struct store_reserve *r)
{
	if (r) {
		r->stage = STORE_COMMITTED_WORD;
		r->word = word;
		r->before = before;
	}
	gms_store_sole(word, after);
}

/*
 * Sets pages [a, b) of 2M block @i to @set. They are in one word of its leaf. Whether the block
 * becomes uniform, becomes mixed or stays mixed, one saved word is enough to revert the change.
 * Returns false and changes nothing if the 1G block may become uniform, or if the group has no
 * leaf page.
 */
static gms_always_inline bool store_pages(struct gms_group *group, uint64_t i, unsigned int a,
					  unsigned int b, bool set, struct store_reserve *r)
{
	const uint64_t bit = 1ULL << i % GMS_STATE_BLOCKS;
	const uint64_t mask = gms_mask_from(a) & gms_mask_to(b);
	uint64_t *states = gms_word_in_group(group, i), *word;
	const uint64_t before = gms_load_relaxed(states),
		       uniform = store_with_uniform(before, bit, set);
	struct gms_leaf_page *page = gms_load_acquire(&group->page);
	struct gms_line *leaf;

	if (gms_unlikely(!page))
		return false;
	leaf = &page->leaf[i % GMS_GROUP_BLOCKS];
	word = &leaf->w[a / 64];
	if (before & bit << 32) {
		const uint64_t now = gms_load_relaxed(word), then = set ? now | mask : now & ~mask;

		/* the block becomes uniform only if no other word of the leaf differs from @set */
		if (then != gms_word_of(set) || gms_line_count_unlike(leaf, set) > !!(now ^ then)) {
			store_word(word, now, then, r);
			return true;
		}
		if (gms_unlikely(uniform == gms_states_of(set)))
			return false;
		store_word(states, before, uniform, r);
	} else if (before == uniform) {
		store_word(states, before, before, r); /* no change */
	} else {
		store_fill_leaf(leaf, !set);
		store_word(states, before, before | bit << 32, r);
		gms_word_put(word, mask, set);
	}
	return true;
}

/* Sets any range to @set. Returns 0 or -ENOMEM. Cannot fail if the range is prepared. */
static gms_noinline int store_change_slow(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
					  bool set, struct store_reserve *r)
{
	const gms_pgoff_t end = gms_range_end(t, start, nr_pages);

	if (gms_unlikely(!gms_has_places(t, start, end))) {
		if (gms_rtree_fill_range(t, start, nr_pages) == (enum gms_rtree_fill)set)
			return 0; /* nothing changes */
		if (gms_make_places_slow(t, start, end))
			return -ENOMEM;
	}
	store_range(t, start, nr_pages, set, r);
	return 0;
}

/* Not inlined, so that the shorter paths of store_change() save no registers. */
static gms_noinline int store_in_leaf(struct gms_rtree *t, struct gms_group *group,
				      gms_pgoff_t start, uint64_t nr_pages, bool set,
				      struct store_reserve *r)
{
	const unsigned int a = gms_page_of(start), b = a + (unsigned int)nr_pages;

	if (store_pages(group, start >> GMS_RTREE_SHIFT, a, b, set, r))
		return 0;
	return store_change_slow(t, start, nr_pages, set, r);
}

/*
 * Sets any range to @set. There are short paths for one whole 1G block and, in a mixed 1G block,
 * for whole 2M blocks in one word of states and for pages in one word of a leaf. All else, such
 * as a range at the end of the tree, takes store_change_slow(). Returns as that function does.
 */
static gms_always_inline int store_change(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
					  bool set, struct store_reserve *r)
{
	const gms_pgoff_t last = start + nr_pages - 1;
	const uint64_t i = start >> GMS_RTREE_SHIFT;
	struct gms_group *group;

	if (nr_pages == GMS_BLOCK_PAGES && !(start & GMS_BLOCK_MASK)) {
		store_kinds(t, gms_block_of(start), gms_block_of(start) + 1, set);
		if (r)
			r->stage = STORE_COMMITTED;
		return 0;
	}
	if ((start ^ last) >> (GMS_STATE_SHIFT + GMS_RTREE_SHIFT) || last + 1 == t->nr_pages ||
	    store_load_kind(gms_kind_at(t, gms_block_of(start))) != GMS_RTREE_MIXED)
		return store_change_slow(t, start, nr_pages, set, r);
	group = gms_group(gms_chunk(t, gms_block_of(start)), start);
	if (!((start | nr_pages) & GMS_LEAF_MASK)) {
		const uint64_t mask = (2ULL << ((nr_pages - 1) / GMS_LEAF_PAGES)) - 1;
		uint64_t *word = gms_word_in_group(group, i);
		const uint64_t before = gms_load_relaxed(word);
		const uint64_t after =
			store_with_uniform(before, mask << i % GMS_STATE_BLOCKS, set);

		if (gms_likely(after != gms_states_of(set))) {
			store_word(word, before, after, r);
			return 0;
		}
	} else if (!((start ^ last) >> (GMS_RTREE_SHIFT < 6 ? GMS_RTREE_SHIFT : 6))) {
		return store_in_leaf(t, group, start, nr_pages, set, r);
	}
	return store_change_slow(t, start, nr_pages, set, r);
}

/* ---- debug builds: in a 1G block one commit at a time can be reverted (W1) ---- */

/* Returns true if no commit that can be reverted claims a 1G block of the range. */
static inline bool store_is_unclaimed(const struct gms_rtree *t, gms_pgoff_t start,
				      uint64_t nr_pages)
{
	uint8_t claims = 0;

	for (uint64_t b = gms_block_of(start); b <= gms_block_of(start + nr_pages - 1); b++)
		claims |= gms_load_relaxed(gms_kind_at(t, b));
	return !(claims & STORE_CLAIMED);
}

/* Claims the 1G blocks of a range for a commit that can be reverted, or drops the claims. */
static void store_claim(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool on)
{
	for (uint64_t b = gms_block_of(start); b <= gms_block_of(start + nr_pages - 1); b++) {
		uint8_t *byte = gms_kind_at(t, b);
		const unsigned int kind = gms_load_relaxed(byte) & ~STORE_CLAIMED;

		store_put_kind(byte, kind | (on ? STORE_CLAIMED : 0));
	}
}

/* ---- the interface ---- */

static gms_always_inline int store_set_or_clear(struct gms_rtree *t, gms_pgoff_t start,
						uint64_t nr_pages, bool set)
{
	if (gms_unlikely(!gms_range_ok(t, start, nr_pages)))
		return gms_because(-EINVAL, gms_range_why(t->nr_pages, start, nr_pages));
	gms_assert(store_is_unclaimed(t, start, nr_pages));
	return store_change(t, start, nr_pages, set, NULL);
}

int gms_rtree_set(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store_set_or_clear(t, start, nr_pages, true);
}

int gms_rtree_clear(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return store_set_or_clear(t, start, nr_pages, false);
}

int gms_rtree_prepare(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
		      struct gms_rtree_reserve *reserve)
{
	struct store_reserve *r = store_reserve_of(reserve);
	int err;

	if (r)
		r->stage = STORE_IDLE;
	if (!gms_range_ok(t, start, nr_pages))
		return gms_because(-EINVAL, gms_range_why(t->nr_pages, start, nr_pages));
	err = gms_make_places(t, start, gms_range_end(t, start, nr_pages));
	if (!err && r) {
		r->start = start;
		r->nr_pages = nr_pages;
		r->stage = STORE_PREPARED;
	}
	return err;
}

void gms_rtree_commit(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages, bool set,
		      struct gms_rtree_reserve *reserve)
{
	struct store_reserve *r = store_reserve_of(reserve);

	gms_assert(gms_rtree_is_prepared(t, start, nr_pages));
	gms_assert(!r ||
		   (r->stage == STORE_PREPARED && r->start == start && r->nr_pages == nr_pages));
	gms_assert(store_is_unclaimed(t, start, nr_pages));
	(void)store_change(t, start, nr_pages, set, r); /* cannot fail: the range is prepared */
	if (GMS_CHECKED && r)
		store_claim(t, start, nr_pages, true);
}

void gms_rtree_revert(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	struct store_reserve *r = store_reserve_of(reserve);
	struct store_cut c;

	if (r->stage == STORE_COMMITTED_WORD) {
		gms_store_release(r->word, r->before);
	} else if (r->stage == STORE_COMMITTED) {
		store_cut_range(t, r->start, r->nr_pages, &c);
		for (unsigned int n = 0; n < c.nr_parts; n++)
			store_restore_part(t, &c.part[n], r, n);
		store_restore_kinds(t, c.first, c.end);
	}
	gms_rtree_release(t, reserve);
}

void gms_rtree_release(struct gms_rtree *t, struct gms_rtree_reserve *reserve)
{
	struct store_reserve *r = store_reserve_of(reserve);

	if (!r)
		return;
	if (GMS_CHECKED && r->stage >= STORE_COMMITTED_WORD)
		store_claim(t, r->start, r->nr_pages, false);
	r->stage = STORE_IDLE;
}
