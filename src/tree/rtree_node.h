/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_node.h - what a range tree is made of, and why readers need no lock
 *
 *	top line     of 32 neighbouring 1G blocks: the kind of each, and a pointer to their chunk
 *	  kind       a byte for each 1G block: NONE, ALL or MIXED. Other bits of the byte are for
 *	             the writer of the block only: the kind before a commit that may be reverted,
 *	             and, in debug builds, a claim
 *	chunk        of a top line: the nodes of its 1G blocks
 *	node         of a 1G block: 8 groups
 *	  group      of 128M: the states of 64 2M blocks, and a pointer to their leaf page
 *	    state    two bits for each 2M block: its value, and whether it is mixed
 *	leaf         of a 2M block: a bit for each page. 64 neighbouring leaves are one leaf page,
 *	             4 KiB
 *
 *	tree   top                node (in a chunk of 32)        leaf page
 *	+----+-----------------+  +---------------------------+  +------------------------+
 *	| .. | kind|kind|.. *--+->| states *| states *| ...   |  | leaf | leaf | ... leaf |
 *	|    | kind|kind|.. *  |  |        ||         `-------+->| 512 bits each          |
 *	+----+-----------------+  +--------|+-----------------+  +------------------------+
 *	                                   `-> another leaf page
 *
 * The shape is that of a page table, and nothing in it moves. A chunk or a leaf page is allocated
 * when a range that ends inside one of its blocks is first prepared. The pointer to it is written
 * once, and never changes until the tree is destroyed. Everything else follows from that.
 *
 * Definitions
 *	uniform      A block is uniform if all of its pages are in the set, or none is. Otherwise
 *	             it is mixed. If it is uniformly @set, all of its pages have the value @set.
 *	entry        The entry of a block says whether the block is mixed: it is the kind of a 1G
 *	             block, or the state of a 2M block.
 *	counts       A node counts while the kind of its block is MIXED. A leaf counts while the
 *	             node above it counts and the state of its block is mixed. What counts says
 *	             which pages are in the set; what does not count is stale.
 *	place        The place of a block is its node or its leaf, whether it counts or not.
 *	fill         To fill a place is to store the value of its uniform block everywhere in it,
 *	             before a store to the entry makes the place count.
 *
 * Invariants
 *  1. Canonical: the kind of a 1G block is MIXED if and only if its pages differ. While
 *     a node counts, the state of a 2M block is mixed if and only if its pages differ. So the
 *     summary of a block is a part of the tree.
 *  2. Each store changes one thing that counts: the byte of a 1G block, a word of states, or a
 *     word of a leaf. To make a uniform block mixed, a writer fills the place of the block, then
 *     makes the place count, then changes the place. To make a block uniform, a writer changes
 *     the entry of the block and leaves its place as it was.
 *  3. A place that has counted, and does not count now, holds the values that its pages had when
 *     it last counted. While a writer fills it, the words that are filled hold the value that the
 *     pages have now. A place that never counted holds nothing, and no reader looks at it before
 *     it is filled.
 *  4. Pages past the end of the tree have the value of the last page. So an incomplete last
 *     block needs no code of its own.
 *  5. One thread at a time changes a 1G block: see "Writers" in rtree.h.
 *  6. Each object is accessed at one size: kinds by bytes, states and leaves by words.
 *
 * Why a reader needs no lock
 *	A reader goes down from a kind to a state to a leaf, with a load-acquire at each step. When
 *	the reader looks at a place, the entry that led there may be out of date. But the entry was
 *	true at some time during the call, and the place counted then. So by 3 the reader finds a
 *	value that the page had during the call, or has now: R1 allows both. So a reader never
 *	checks, retries or waits, and no memory needs to be reclaimed.
 *
 * What that guarantees, and what it does not
 *	For each page by itself, and for each block by itself, the answers are linearizable, with
 *	happens-before for real time. The answers about different pages, or about a page and its
 *	block, are not jointly linearizable: two readers may see the stores of two writers in
 *	different orders. A summary may lead or trail its pages by the one store that is being
 *	made. A change of a long range is many stores.
 *
 * Ordering
 *	Every store to something that counts is a store-release, even if the writer has published
 *	the place already. The reason is that one word of states has 32 blocks: another thread may
 *	have published the place of one of them, as an earlier writer of the 1G block. A relaxed
 *	store would end the release sequence of that thread, and a reader that loads the newer word
 *	might not see the older fill. R5 (query.h) needs the store-releases too: a caller makes its
 *	sequence number odd before its first store to a tree, and a reader that sees the store must
 *	see the odd number.
 *
 *	A fill is a release fence and then relaxed stores. The store that makes the place count
 *	publishes them, but a reader with a stale entry may see them earlier. Such a reader must
 *	also see the store that made the block uniform, which came before the fill. The fence
 *	orders the two.
 *
 * Cost
 *	A query of one page or block looks at four cache lines at most, besides the first one of
 *	the tree: top line, group (which can span two) and leaf. A change of a page stores one to
 *	three words, and fills a leaf or a node if it makes a uniform block mixed.
 */
#ifndef GMS_RTREE_NODE_H
#define GMS_RTREE_NODE_H

#include <gmemstate/rtree.h>

#include "base/bits.h"
#include "base/range.h"

/* log2 of the 1G blocks in a top line, the 2M blocks in a word of states, and those in a group */
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
	void *page; /* struct gms_leaf_page; NULL: no prepared range ends inside its blocks */
};

/* The nodes of the blocks of a top line. A node is GMS_NODE_GROUPS neighbouring groups. */
struct gms_chunk {
	struct gms_group group[GMS_TOP_BLOCKS * GMS_NODE_GROUPS];
};

struct gms_top {
	uint8_t kind[GMS_TOP_BLOCKS]; /* low two bits: enum gms_rtree_fill */
	void *chunk; /* struct gms_chunk; NULL: no prepared range ends inside its blocks */
} __attribute__((aligned(64)));

struct gms_rtree {
	uint64_t nr_pages;
	uint64_t nr_blocks;
	uint64_t bytes; /* allocated for the tree and its spares; written atomically */
	struct gms_allocator allocator;
	struct gms_top top[];
};

#define GMS_KIND_MASK 3U
#define GMS_ALIGN 64 /* the alignment of each piece of memory of the tree: a cache line */

/* Returns how many top lines a tree of @nr_blocks 1G blocks has. */
static inline uint64_t gms_nr_tops(uint64_t nr_blocks)
{
	return (nr_blocks + GMS_TOP_BLOCKS - 1) >> GMS_TOP_SHIFT;
}

/* ---- numbers: a 1G block in its tree, a 2M block in its node, a page in its leaf ---- */

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
 * Returns the top line of a 1G block: top[block / 32]. The size of a top line is a multiple of its
 * number of blocks, so that the address needs no division.
 */
static gms_always_inline struct gms_top *gms_top(const struct gms_rtree *t, uint64_t block)
{
	const uint64_t first = block & ~(GMS_TOP_BLOCKS - 1ULL);

	/* drops const: writers change the top line that readers find by this function, too */
	return (void *)((uint8_t *)t->top + first * (sizeof(struct gms_top) / GMS_TOP_BLOCKS));
}

/*
 * Returns the address of the byte with the kind of a 1G block: top[block / 32].kind[block % 32].
 * That is @block % 32 bytes into its top line, but computed without the remainder.
 */
static gms_always_inline uint8_t *gms_kind_at(const struct gms_rtree *t, uint64_t block)
{
	const uint64_t first = block & ~(GMS_TOP_BLOCKS - 1ULL);

	return (uint8_t *)t->top + block + first * (sizeof(struct gms_top) / GMS_TOP_BLOCKS - 1);
}

/* Returns the kind of a block. If it is MIXED, the caller may read the node of the block. */
static gms_always_inline enum gms_rtree_fill gms_kind(const struct gms_rtree *t, uint64_t block)
{
	return (enum gms_rtree_fill)(gms_load_acquire(gms_kind_at(t, block)) & GMS_KIND_MASK);
}

/* Returns the chunk of a 1G block; NULL: no prepared range ends inside a block of its top line. */
static gms_always_inline struct gms_chunk *gms_chunk(const struct gms_rtree *t, uint64_t block)
{
	return gms_load_acquire(&gms_top(t, block)->chunk);
}

/* Returns the node of a block that is or was MIXED, or inside which a prepared range ends. */
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

/*
 * Returns the address of the word with the state of 2M block @i. The number @i may count from the
 * first block of the group, of the node or of the tree: only its low bits matter.
 */
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
 * Returns the word with the state of 2M block @i of a node. The caller may read the leaves of the
 * blocks that are mixed in the word.
 */
static gms_always_inline uint64_t gms_states(struct gms_group *node, unsigned int i)
{
	return gms_load_acquire(gms_state_at(node, i));
}

/*
 * Returns the leaf of 2M block @i, which is or was mixed, or inside which a prepared range ends.
 * Only the low bits of @i matter, as in gms_word_in_group().
 */
static gms_always_inline struct gms_line *gms_leaf_in_group(struct gms_group *group, uint64_t i)
{
	struct gms_leaf_page *page = gms_load_acquire(&group->page);

	return &page->leaf[i % GMS_GROUP_BLOCKS];
}

/* Returns the leaf of 2M block @i of a node, as gms_leaf_in_group() does. */
static gms_always_inline struct gms_line *gms_leaf(struct gms_group *node, unsigned int i)
{
	return gms_leaf_in_group(&node[i >> GMS_GROUP_SHIFT], i);
}

/* ---- words of states ---- */

#define GMS_STATE_ALL ((1ULL << GMS_STATE_BLOCKS) - 1) /* each block is uniformly in the set */

/* Returns a word of states in which all blocks are uniformly @set. */
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

/* Returns the summary of 2M block @i. @states is the word with its state. */
static gms_always_inline enum gms_rtree_fill gms_state_fill(uint64_t states, uint64_t i)
{
	const uint64_t bits = states >> (i % GMS_STATE_BLOCKS);

	return bits >> 32 & 1 ? GMS_RTREE_MIXED : (enum gms_rtree_fill)(bits & 1);
}

/*
 * Returns a mask of the blocks of word @w of a node that lie between @first and @last, both
 * included. The word has at least one of them.
 */
static gms_always_inline uint64_t gms_state_mask(unsigned int w, unsigned int first,
						 unsigned int last)
{
	const unsigned int lo = w == first >> GMS_STATE_SHIFT ? first % GMS_STATE_BLOCKS : 0;
	const unsigned int hi =
		w == last >> GMS_STATE_SHIFT ? last % GMS_STATE_BLOCKS : GMS_STATE_BLOCKS - 1;

	return (~0ULL << lo) & (~0ULL >> (63 - hi));
}

/* Returns the value bits and the mixed bits that a word of states has for the blocks of @mask. */
static gms_always_inline uint64_t gms_states_both(uint64_t mask)
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

/*
 * Returns the end of a range. A range that ends with the tree is extended over the pages past the
 * end, up to the end of the last 1G block (invariant 4).
 */
static gms_always_inline gms_pgoff_t gms_range_end(const struct gms_rtree *t, gms_pgoff_t start,
						   uint64_t nr_pages)
{
	const gms_pgoff_t end = start + nr_pages;

	return end == t->nr_pages ? t->nr_blocks << GMS_BLOCK_SHIFT : end;
}

/* ---- places ---- */

/* Returns true if the places exist that a range needs if it begins or ends at page @at. */
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

int gms_make_places_slow(struct gms_rtree *t, gms_pgoff_t start, gms_pgoff_t end);

/* Makes the places that [start, end) needs, unless they exist. Returns 0 or -ENOMEM. */
static gms_always_inline int gms_make_places(struct gms_rtree *t, gms_pgoff_t start,
					     gms_pgoff_t end)
{
	return gms_likely(gms_has_places(t, start, end)) ? 0 : gms_make_places_slow(t, start, end);
}

#endif /* GMS_RTREE_NODE_H */
