/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_node.h - what a range tree is made of, and why readers need no lock
 *
 *	top line     of 32 neighbouring 1G blocks: the kind of each, and where their nodes are
 *	  kind       a byte for each 1G block: NONE, ALL or MIXED (and, for its writer only, the
 *	             kind before a commit that may be reverted)
 *	node         of a 1G block: 8 groups
 *	  group      of 128M: the states of 64 2M blocks, and where their leaves are
 *	    state    two bits for each 2M block: its value, and whether it is mixed
 *	leaf         of a 2M block: a bit for each page. 64 neighbouring leaves are one leaf page,
 *	             4 KiB
 *
 *	tree   top                node (in a chunk of 32)        leaf page
 *	+----+-----------------+  +---------------------------+  +------------------------+
 *	| .. | kind kind .. *--+->| states *| states *| ...   |  | leaf | leaf | ... leaf |
 *	|    | kind kind .. *  |  |        ||         `-------+->| 512 bits each          |
 *	+----+-----------------+  +--------|+-----------------+  +------------------------+
 *	                                   `-> another leaf page
 *
 * The shape is that of a page table. Nothing in it moves: a chunk of nodes or a leaf page is
 * allocated when a range that ends inside its blocks is first prepared, is found by arithmetic,
 * and stays where it is until the tree is destroyed. Everything else follows from that.
 *
 * Definitions
 *	counts       A node counts while the kind of its block is MIXED. A leaf counts while the
 *	             node above it counts and the state of its block is mixed. What counts says
 *	             which pages are in the set; what does not count is stale.
 *	place        A node or a leaf, whether it counts or not.
 *	fill         To store the value of a uniform block in all of the block's place, before the
 *	             place is made to count.
 *
 * Invariants
 *  1. Canonical: the kind of a 1G block is MIXED if and only if its pages differ. While
 *     a node counts, the state of a 2M block is mixed if and only if its pages differ. So the
 *     summary of a block is a part of the tree.
 *  2. Each store changes one thing that counts: the byte of a 1G block, a word of states, or a
 *     word of a leaf. To make a uniform block mixed, a writer fills the place below, then makes it
 *     count, then changes it. To make a block uniform, a writer changes the entry above and leaves
 *     the place as it was.
 *  3. A place holds, at any time, the values that its pages had when it last counted; or, while
 *     it is being filled, the value that they have now.
 *  4. Pages past the end of the tree have the value of the last page. So an incomplete last
 *     block needs no code of its own.
 *  5. One thread at a time changes a 1G block: see "Writers" in rtree.h.
 *  6. Each object is accessed at one size: kinds by bytes, states and leaves by words.
 *
 * Why a reader needs no lock
 *	A reader goes down from a kind to a state to a leaf, with a load-acquire at each step. The
 *	entry above may be stale by the time that the reader looks at the place below. By 3 the
 *	reader then finds either the value that the page had when the place last counted, which was
 *	after the call of the reader began, or the value that the page has now. R1 allows both
 *	answers. So a reader never checks, retries or waits, and no memory needs to be reclaimed.
 *
 * What that guarantees, and what it does not
 *	For each page by itself, and for each block by itself, the answers are linearizable, with
 *	happens-before for real time. The answers about different pages, or about a page and its
 *	block, are not jointly linearizable: two readers may see the stores of two writers in
 *	different orders. A summary may lead or trail its pages by the one store that is being
 *	made. A change of a long range is many stores.
 *
 * Ordering
 *	Every store to something that counts is a store-release, also if this thread has published
 *	the place before. The reason is that one word of states has 32 blocks: another thread may
 *	have published one of them, under the lock that hands a 1G block from writer to writer. A
 *	relaxed store would end the release sequence of that thread, and a reader of the newer word
 *	would not be sure to see the older fill. The sequence number of the caller (R5) relies on
 *	the same rule: it is odd before the first of these stores.
 *
 *	A fill is relaxed stores behind a release fence. The store that makes the place count
 *	publishes them, but a reader with a stale entry above may see them earlier. Such a reader
 *	must also see the store that made the block uniform before. The fence orders the two.
 *
 * Cost
 *	A query looks at four lines at most besides the first line of the tree: top, group (which
 *	can span two lines) and leaf. A change of a page stores one to three words, and fills a
 *	leaf or a node if a uniform block becomes mixed by it.
 */
#ifndef GMS_RTREE_NODE_H
#define GMS_RTREE_NODE_H

#include <gmemstate/rtree.h>

#include "base/bits.h"

/* log2 of how many 1G blocks a top line has, and 2M blocks a word of states and a group */
#if GMS_RTREE_SHIFT == 9
#define GMS_TOP_SHIFT 5
#define GMS_STATE_SHIFT 5
#define GMS_GROUP_SHIFT 6
#elif GMS_RTREE_SHIFT == 2 /* a second build, for tests */
#define GMS_TOP_SHIFT 1
#define GMS_STATE_SHIFT 1
#define GMS_GROUP_SHIFT 1
#else
#error "GMS_RTREE_SHIFT is 9, or 2 in tests"
#endif

#define GMS_BLOCK_SHIFT (2 * GMS_RTREE_SHIFT)
#define GMS_BLOCK_PAGES (1ULL << GMS_BLOCK_SHIFT) /* pages of a 1G block */
#define GMS_LEAF_PAGES GMS_LINE_BITS /* pages of a 2M block */
#define GMS_BLOCK_MASK (GMS_BLOCK_PAGES - 1)
#define GMS_LEAF_MASK (GMS_LEAF_PAGES - 1)

#define GMS_TOP_BLOCKS (1U << GMS_TOP_SHIFT)
#define GMS_STATE_BLOCKS (1U << GMS_STATE_SHIFT)
#define GMS_GROUP_BLOCKS (1U << GMS_GROUP_SHIFT)
#define GMS_GROUP_WORDS (GMS_GROUP_BLOCKS / GMS_STATE_BLOCKS)
#define GMS_NODE_BLOCKS (1U << GMS_RTREE_SHIFT)
#define GMS_NODE_GROUPS (GMS_NODE_BLOCKS / GMS_GROUP_BLOCKS)
#define GMS_NODE_WORDS (GMS_NODE_BLOCKS / GMS_STATE_BLOCKS)

/* A leaf is a line: bit i is the value of the i-th page of its block. */
struct gms_leaf_page {
	struct gms_line leaf[GMS_GROUP_BLOCKS];
};

/* The low half of a word of states has the values of its blocks, the high half the mixed bits. */
struct gms_group {
	uint64_t state[GMS_GROUP_WORDS];
	void *page; /* struct gms_leaf_page; NULL: no prepared range ends in one of its blocks */
};

/* The nodes of the blocks of a top line. A node is GMS_NODE_GROUPS neighbouring groups. */
struct gms_chunk {
	struct gms_group group[GMS_TOP_BLOCKS * GMS_NODE_GROUPS];
};

struct gms_top {
	uint8_t kind[GMS_TOP_BLOCKS]; /* low two bits: enum gms_rtree_fill */
	void *chunk; /* struct gms_chunk; NULL: no prepared range ends in one of its blocks */
} __attribute__((aligned(64)));

struct gms_rtree {
	uint64_t nr_pages;
	uint64_t nr_blocks;
	uint64_t bytes; /* allocated in all */
	struct gms_allocator allocator;
	struct gms_top top[];
};

#define GMS_KIND_MASK 3U
#define GMS_ALIGN 64 /* the alignment of all that the tree allocates: a cache line */

/* Returns how many top lines a tree of @nr_blocks 1G blocks has. */
static inline uint64_t gms_nr_tops(uint64_t nr_blocks)
{
	return (nr_blocks + GMS_TOP_BLOCKS - 1) >> GMS_TOP_SHIFT;
}

/* ---- numbers: a 1G block of the tree, a 2M block of its node, a page of its leaf ---- */

static gms_always_inline uint64_t gms_block_of(gms_pgoff_t index)
{
	return index >> GMS_BLOCK_SHIFT;
}

static gms_always_inline unsigned int gms_leaf_of(gms_pgoff_t index)
{
	return (index & GMS_BLOCK_MASK) >> GMS_RTREE_SHIFT;
}

static gms_always_inline unsigned int gms_page_of(gms_pgoff_t index)
{
	return index & GMS_LEAF_MASK;
}

/* ---- finding ---- */

/*
 * Returns the top line of a 1G block: top[block / 32]. A top line is two bytes for each of its
 * blocks, so that the address needs no division.
 */
static gms_always_inline struct gms_top *gms_top(const struct gms_rtree *t, uint64_t block)
{
	const uint64_t first = block & ~(GMS_TOP_BLOCKS - 1ULL);

	/* the tree is const for readers; writers change what this points to */
	return (void *)((uint8_t *)t->top + first * (sizeof(struct gms_top) / GMS_TOP_BLOCKS));
}

/* Returns the address of the kind of a 1G block: top[block / 32].kind[block % 32]. */
static gms_always_inline uint8_t *gms_kind_at(const struct gms_rtree *t, uint64_t block)
{
	const uint64_t first = block & ~(GMS_TOP_BLOCKS - 1ULL);

	return (uint8_t *)t->top + block + first * (sizeof(struct gms_top) / GMS_TOP_BLOCKS - 1);
}

/* Returns the kind of a block. If it is MIXED, the node of the block can be read from here on. */
static gms_always_inline enum gms_rtree_fill gms_kind(const struct gms_rtree *t, uint64_t block)
{
	return (enum gms_rtree_fill)(gms_load_acquire(gms_kind_at(t, block)) & GMS_KIND_MASK);
}

/* Returns the chunk of a 1G block; NULL: no prepared range ends in a block of its top line. */
static gms_always_inline struct gms_chunk *gms_chunk(const struct gms_rtree *t, uint64_t block)
{
	return gms_load_acquire(&gms_top(t, block)->chunk);
}

/* Returns the node of a block whose kind is or was MIXED, or in which a prepared range ends. */
static gms_always_inline struct gms_group *gms_node(const struct gms_rtree *t, uint64_t block)
{
	return &gms_chunk(t, block)->group[block % GMS_TOP_BLOCKS * GMS_NODE_GROUPS];
}

/* Returns the group of a page in its chunk. */
static gms_always_inline struct gms_group *gms_group(struct gms_chunk *chunk, gms_pgoff_t index)
{
	const gms_pgoff_t n = index >> (GMS_RTREE_SHIFT + GMS_GROUP_SHIFT);

	return &chunk->group[n % (GMS_TOP_BLOCKS * GMS_NODE_GROUPS)];
}

/* Returns the address of the state of 2M block @i, a number in its group, its node or the tree. */
static gms_always_inline uint64_t *gms_word_in_group(struct gms_group *group, uint64_t i)
{
	return &group->state[(i >> GMS_STATE_SHIFT) % GMS_GROUP_WORDS];
}

/* Returns the address of the word with the state of 2M block @i of a node. */
static gms_always_inline uint64_t *gms_state_at(struct gms_group *node, unsigned int i)
{
	return gms_word_in_group(&node[i >> GMS_GROUP_SHIFT], i);
}

/*
 * Returns the word with the state of 2M block @i of a node. The leaves of the blocks that are
 * mixed in it can be read from here on.
 */
static gms_always_inline uint64_t gms_states(struct gms_group *node, unsigned int i)
{
	return gms_load_acquire(gms_state_at(node, i));
}

/* Returns the leaf of a 2M block that is or was mixed, or in which a prepared range ends. */
static gms_always_inline struct gms_line *gms_leaf_in_group(struct gms_group *group, uint64_t i)
{
	struct gms_leaf_page *page = gms_load_acquire(&group->page);

	return &page->leaf[i % GMS_GROUP_BLOCKS];
}

static gms_always_inline struct gms_line *gms_leaf(struct gms_group *node, unsigned int i)
{
	return gms_leaf_in_group(&node[i >> GMS_GROUP_SHIFT], i);
}

/* ---- words of states ---- */

#define GMS_STATE_ALL ((1ULL << GMS_STATE_BLOCKS) - 1) /* every block uniform, and in the set */

/* Returns the word whose blocks are all uniformly @set. */
static gms_always_inline uint64_t gms_states_of(bool set)
{
	return set ? GMS_STATE_ALL : 0;
}

/* Returns a mask of the blocks of a word that are mixed. */
static gms_always_inline uint64_t gms_mixed_of(uint64_t states)
{
	return states >> 32;
}

/* Returns a mask of the blocks of a word that are uniformly @set. */
static gms_always_inline uint64_t gms_uniform_of(uint64_t states, bool set)
{
	return ~(states >> 32) & (states ^ gms_states_of(!set)) & GMS_STATE_ALL;
}

/* Returns the summary of 2M block @i, whose state is in the word. */
static gms_always_inline enum gms_rtree_fill gms_state_fill(uint64_t states, uint64_t i)
{
	const uint64_t bits = states >> (i % GMS_STATE_BLOCKS);

	return bits >> 32 & 1 ? GMS_RTREE_MIXED : (enum gms_rtree_fill)(bits & 1);
}

/* Returns a mask of those blocks of word @w of a node that lie from @first up to @last. */
static gms_always_inline uint64_t gms_state_mask(unsigned int w, unsigned int first,
						 unsigned int last)
{
	const unsigned int lo = w == first >> GMS_STATE_SHIFT ? first % GMS_STATE_BLOCKS : 0;
	const unsigned int hi =
		w == last >> GMS_STATE_SHIFT ? last % GMS_STATE_BLOCKS : GMS_STATE_BLOCKS - 1;

	return (~0ULL << lo) & (~0ULL >> (63 - hi));
}

/* Returns the value bits and the mixed bits of the blocks of a mask. */
static gms_always_inline uint64_t gms_both(uint64_t mask)
{
	return mask << 32 | mask;
}

/* Returns true if a 1G block satisfies the invariants. No thread may be changing it. */
bool gms_rtree_block_ok(const struct gms_rtree *t, uint64_t block);

/* ---- ranges ---- */

/* Returns true if a range is not empty and lies in the tree. */
static inline bool gms_range_ok(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages && start < t->nr_pages && nr_pages <= t->nr_pages - start;
}

/* Returns the end of a range, or of the pages past the end of the tree if these follow it (4). */
static gms_always_inline gms_pgoff_t gms_range_end(const struct gms_rtree *t, gms_pgoff_t start,
						   uint64_t nr_pages)
{
	const gms_pgoff_t end = start + nr_pages;

	return end == t->nr_pages ? t->nr_blocks << GMS_BLOCK_SHIFT : end;
}

/* ---- places ---- */

/* Returns true if the places exist that a range needs for an end at page @at. */
static gms_always_inline bool gms_end_has_places(const struct gms_rtree *t, gms_pgoff_t at)
{
	struct gms_chunk *chunk;

	if (!(at & GMS_BLOCK_MASK))
		return true;
	chunk = gms_chunk(t, gms_block_of(at));
	return chunk && (!(at & GMS_LEAF_MASK) || gms_load_acquire(&gms_group(chunk, at)->page));
}

/*
 * Returns true if [start, end) has the places that it needs. If both ends are in one group and
 * @start is inside a 2M block, the places for @start serve both ends.
 */
static gms_always_inline bool gms_has_places(const struct gms_rtree *t, gms_pgoff_t start,
					     gms_pgoff_t end)
{
	return gms_end_has_places(t, start) &&
	       ((!((start ^ end) >> (GMS_RTREE_SHIFT + GMS_GROUP_SHIFT)) &&
		 (start & GMS_LEAF_MASK)) ||
		gms_end_has_places(t, end));
}

/* Makes the places that [start, end) needs. Returns 0 or -ENOMEM. */
int gms_rtree_make_places(struct gms_rtree *t, gms_pgoff_t start, gms_pgoff_t end);

static gms_always_inline int gms_make_places(struct gms_rtree *t, gms_pgoff_t start,
					     gms_pgoff_t end)
{
	return gms_likely(gms_has_places(t, start, end)) ? 0 : gms_rtree_make_places(t, start, end);
}

#endif /* GMS_RTREE_NODE_H */
