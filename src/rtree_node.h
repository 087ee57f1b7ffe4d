/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtree_node.h - what a range tree is made of, and how to look at it
 *
 *	top         one byte a 1G block: NONE, ALL or MIXED; and, where MIXED,
 *	            its node's address and an epoch, in chunks of 1024
 *	node        two lines: value (of each 2M block that is uniform) and mixed
 *	leaf        one line: a bit for each 4K page of a mixed 2M block
 *
 * A node comes in two shapes:
 *
 *	sparse      up to GMS_SPARSE_MAX mixed 2M blocks; behind the lines stand the
 *	            numbers of their leaves, packed: the k-th mixed block has the k-th.
 *	            Four sizes, so that one with few leaves is small.
 *	dense       more than that; the leaves of all 512 blocks, one after another, so
 *	            that a page is found without looking at the lines.
 *
 * Invariants
 *  1. Canonical: a 1G block has a node, and a 2M block counts as mixed, if and only if
 *     its pages differ. A node is dense if and only if more than GMS_SPARSE_MAX of its
 *     blocks are mixed; a sparse one has the smallest size that holds its leaves.
 *  2. Pages past the end of the tree have the value of the last page. So the last
 *     block, complete or not, is like every other.
 *  3. The mixed line and the leaf numbers of a sparse node never change while readers
 *     can find it: a change of either makes a new node, which replaces the old one by
 *     one store. Single words of leaves and value lines change in place.
 *  4. In a dense node the leaves hold the truth for each page. The value bit of a mixed
 *     block means nothing, in either shape.
 *
 * How memory stays safe under readers that take no lock
 *  - Nodes and leaves are type-stable: they go back to the tree's pools and to the
 *    allocator only when the tree is destroyed. What a reader follows is always a node,
 *    and a node's size never changes.
 *  - A 1G block has an epoch, which goes up when a node that was in its place, or a leaf,
 *    goes back to the pool, before it can be used again. A reader takes the epoch, then
 *    the node. Where it finds the same epoch in the end, all that it read was the block's.
 *    (It has 32 bits: a reader that sleeps for exactly 2^32 times that would be fooled.)
 *  - Until it has checked the epoch, a reader may hold a number from another time. It
 *    bounds each one before use: the rank by the node's size, the leaf number by the
 *    size of the leaf table.
 * Not RCU, because a VMM's threads have no quiescent states that a library could
 * know of; the same check serves a kernel.
 */
#ifndef GMS_RTREE_NODE_H
#define GMS_RTREE_NODE_H

#include <gmemstate/rtree.h>

#include "bits.h"
#include "pool.h"

_Static_assert(sizeof(void *) == 8, "a reader loads 64 bits at once");

#define GMS_BLOCK_SHIFT (2 * GMS_RTREE_SHIFT)
#define GMS_BLOCK_PAGES (1ULL << GMS_BLOCK_SHIFT) /* pages of a 1G block */
#define GMS_CHUNK_SHIFT 10
#define GMS_CHUNK_BLOCKS (1u << GMS_CHUNK_SHIFT) /* 1 TiB */

struct gms_rtree {
	/* what readers load; hardly ever written */
	uint64_t nr_pages;
	uint64_t nr_blocks;
	uint8_t *kind; /* enum gms_rtree_fill of each block */
	/* the nodes of 1024 neighbouring blocks each; NULL until one of them is mixed */
	struct gms_node ***chunk;
	struct gms_node **only; /* chunk 0, where there is no other: saves a dependent load */
	uint32_t *only_epoch; /* and its epochs */
	struct gms_leaf_table *leaves;
	/* what writers share */
	struct gms_pool pool __attribute__((aligned(64)));
};

/* A reader's hold on one mixed 1G block. */
struct gms_view {
	const struct gms_node *node;
	const uint32_t *at;
	uint32_t epoch;
};

static inline uint64_t gms_nr_chunks(uint64_t nr_blocks)
{
	return (nr_blocks + GMS_CHUNK_BLOCKS - 1) >> GMS_CHUNK_SHIFT;
}

/* A chunk is the addresses of its blocks' nodes, and then their epochs. */
static inline uint64_t gms_chunk_blocks(const struct gms_rtree *t)
{
	return t->nr_blocks < GMS_CHUNK_BLOCKS ? t->nr_blocks : GMS_CHUNK_BLOCKS;
}

static inline size_t gms_chunk_size(const struct gms_rtree *t)
{
	return gms_chunk_blocks(t) * (sizeof(struct gms_node *) + sizeof(uint32_t));
}

static inline uint32_t *gms_chunk_epochs(const struct gms_rtree *t, struct gms_node **chunk)
{
	return (uint32_t *)(chunk + gms_chunk_blocks(t));
}

/* Where the node of a block stands. It has a meaning while the block's kind is MIXED. */
static gms_always_inline struct gms_node **gms_entry(const struct gms_rtree *t, uint64_t block)
{
	struct gms_node **chunk = gms_load_acquire(&t->only);

	if (gms_unlikely(!chunk))
		chunk = gms_load_acquire(&t->chunk[block >> GMS_CHUNK_SHIFT]);
	return &chunk[block % GMS_CHUNK_BLOCKS];
}

static gms_always_inline uint32_t *gms_epoch(const struct gms_rtree *t, uint64_t block)
{
	uint32_t *epochs = gms_load_acquire(&t->only_epoch);

	if (gms_unlikely(!epochs))
		epochs = (uint32_t *)(gms_load_acquire(&t->chunk[block >> GMS_CHUNK_SHIFT]) +
				      GMS_CHUNK_BLOCKS);
	return &epochs[block % GMS_CHUNK_BLOCKS];
}

/*
 * Take a node that was in the place of @block out of use, with the @nr leaves that nothing
 * else lists. Readers that may still look at it learn so from the epoch, which goes up
 * after the node lost its place and before anything in it is written again.
 */
static gms_always_inline void gms_retire(struct gms_rtree *t, uint64_t block, struct gms_node *node,
					 unsigned int head, unsigned int nr,
					 struct gms_drops *drops)
{
	uint32_t *epoch = gms_epoch(t, block);

	gms_store_release(epoch, gms_load_relaxed(epoch) + 1);
	gms_fence_release();
	for (unsigned int i = head + nr; i-- > head;)
		gms_drop_leaf(&t->pool, drops, gms_load_relaxed(&node->leaf[i]));
	gms_drop_node(drops, node);
}

/*
 * Begin to read a block. MIXED: *view can be read from until gms_view_ok().
 *
 * The order of the loads matters: the epoch, then the kind, then the node. While the block
 * is MIXED its node is the current one; it may turn uniform after that, and then its node
 * stays in place until it is retired, which the epoch shows.
 */
static gms_always_inline enum gms_rtree_fill gms_view_begin(const struct gms_rtree *t,
							    uint64_t block, struct gms_view *view)
{
	uint8_t kind = gms_load_acquire(&t->kind[block]);

	if (kind != GMS_RTREE_MIXED) /* there may be no chunk yet */
		return (enum gms_rtree_fill)kind;
	view->at = gms_epoch(t, block);
	view->epoch = gms_load_acquire(view->at);
	kind = gms_load_acquire(&t->kind[block]);
	view->node = gms_load_acquire(gms_entry(t, block));
	return (enum gms_rtree_fill)kind;
}

/* Was all that was read from the view the block's own? Else begin again. */
static gms_always_inline bool gms_view_ok(const struct gms_view *view)
{
	gms_fence_acquire();
	return gms_likely(gms_load_relaxed(view->at) == view->epoch);
}

/* How many mixed blocks a sparse node has before block @i. */
static gms_always_inline unsigned int gms_node_rank(const struct gms_node *node, unsigned int i)
{
	const uint64_t below = (1ULL << (i % 64)) - 1;

	return (uint8_t)(gms_load_relaxed(&node->rank) >> (i / 64 * 8)) +
	       gms_popcount(gms_load_relaxed(&node->mixed.w[i / 64]) & below);
}

/* The leaf of block @i, which is mixed; or of a dense node, any block. For writers. */
static gms_always_inline struct gms_line *gms_node_leaf(const struct gms_rtree *t,
							const struct gms_node *node, unsigned int i)
{
	if (node->class == GMS_CLASS_DENSE)
		return &node->dense[i];
	return gms_leaf(&t->leaves, gms_load_relaxed(&node->leaf[gms_node_rank(node, i)]));
}

/* The same for readers: NULL where the view was overtaken. */
static gms_always_inline struct gms_line *gms_view_leaf(const struct gms_rtree *t,
							const struct gms_node *node, unsigned int i)
{
	unsigned int rank;

	if (node->class == GMS_CLASS_DENSE)
		return &node->dense[i];
	rank = gms_node_rank(node, i);
	if (gms_unlikely(rank >= gms_class_leaves(node->class)))
		return NULL;
	return gms_leaf_at(&t->leaves, gms_load_relaxed(&node->leaf[rank]));
}

/* The invariants of one block, which nobody is changing; debug builds ask now and then. */
bool gms_rtree_block_ok(const struct gms_rtree *t, uint64_t block);

/* The kinds of 8 neighbouring 1G blocks from @b, a multiple of 8: the first in the low byte. */
#define GMS_KINDS(kind) (0x0101010101010101ULL * (kind))

static gms_always_inline uint64_t *gms_kinds_at(const struct gms_rtree *t, uint64_t b)
{
	return (uint64_t *)(void *)&t->kind[b];
}

static gms_always_inline uint64_t gms_kinds(const struct gms_rtree *t, uint64_t b)
{
	return gms_le64(gms_load_acquire(gms_kinds_at(t, b)));
}

static inline bool gms_range_ok(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages && start < t->nr_pages && nr_pages <= t->nr_pages - start;
}

#endif /* GMS_RTREE_NODE_H */
