/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pool.h - type-stable memory for the nodes and leaves of one range tree
 *
 * What was once a node of some class, or a leaf, is one until the pool is torn down:
 * readers may look at it at any time (rtree_node.h says why that is safe). Memory comes
 * in slabs of about a page. Free objects are kept last in, first out: the next store
 * finds them in the cache.
 *
 * Leaves have numbers, because a number is half a pointer and a guest with many mixed
 * 2M blocks has many of them. A table of slabs turns a number into an address.
 */
#ifndef GMS_POOL_H
#define GMS_POOL_H

#include "bits.h"

/* Classes of nodes: four sparse sizes, then the dense shape. */
#define GMS_NR_SPARSE 4
#define GMS_CLASS_DENSE GMS_NR_SPARSE
#define GMS_NR_CLASSES (GMS_NR_SPARSE + 1)

#if GMS_RTREE_SHIFT == 9
#define GMS_SPARSE_MAX 124u
#define GMS_CLASS_LEAVES 4, 28, 60, 124 /* 160, 256, 384 and 640 bytes a node */
#elif GMS_RTREE_SHIFT == 2
#define GMS_SPARSE_MAX 2u
#define GMS_CLASS_LEAVES 1, 2, 2, 2
#else
#error "GMS_RTREE_SHIFT is 9, or 2 in tests"
#endif

#define GMS_DENSE_BYTES (GMS_LINE_BITS * sizeof(struct gms_line)) /* 32K */
#define GMS_LEAF_NONE UINT32_MAX
#define GMS_LEAF_SLAB_SHIFT 6
#define GMS_LEAF_SLAB (1u << GMS_LEAF_SLAB_SHIFT) /* leaves in a slab: a page */

struct gms_node {
	struct gms_line value; /* in a free node, the first word links to the next one */
	struct gms_line mixed;
	uint16_t nr; /* mixed blocks */
	uint8_t class; /* never changes */
	union {
		uint64_t rank; /* sparse: in byte w, mixed blocks before word w of mixed */
		struct gms_line *dense; /* dense: the leaves of all blocks; never changes */
	};
	uint32_t leaf[]; /* sparse: numbers of the leaves, in the order of their blocks */
};

struct gms_leaf_table {
	struct gms_leaf_table *older; /* smaller tables, which readers may still hold */
	uint32_t room;
	uint32_t nr; /* slabs; goes up only */
	struct gms_line *slab[];
};

struct gms_pool {
	struct gms_spinlock lock; /* protects all but the allocator */
	uint32_t free_leaf; /* number of the first free leaf, which links to the next */
	struct gms_node *free_node[GMS_NR_CLASSES];
	struct gms_slab *slabs;
	struct gms_leaf_table **table; /* stands among what readers load */
	uint64_t bytes; /* taken from the allocator */
	struct gms_allocator allocator;
};

/* What a store needs: where to put nodes of which classes, and how many leaves. */
#define GMS_STOCK_NODES 4
struct gms_stock {
	unsigned int nr_nodes;
	uint8_t class[GMS_STOCK_NODES];
	struct gms_node **slot[GMS_STOCK_NODES];
	unsigned int nr_leaves;
	uint32_t leaf; /* the first; each links to the next, the last to GMS_LEAF_NONE */
	struct gms_need *need; /* NULL: allocate what the pool lacks; else only say what that is */
};

/*
 * What kept a store from being made without the allocator: a node of a class, a leaf, or room
 * for the nodes of a 1G block and its neighbours.
 */
enum gms_need_what { GMS_NEED_NODE, GMS_NEED_LEAF, GMS_NEED_CHUNK };
struct gms_need {
	enum gms_need_what what;
	uint32_t which; /* the class, or the block */
};

static gms_always_inline unsigned int gms_class_leaves(unsigned int class)
{
	static const uint8_t leaves[] = {GMS_CLASS_LEAVES};

	return leaves[class];
}

/* The class of a node with @nr mixed blocks. */
static gms_always_inline unsigned int gms_class_of(unsigned int nr)
{
	unsigned int class = 0;

	while (class < GMS_NR_SPARSE && nr > gms_class_leaves(class))
		class ++;
	return class;
}

/* Bytes of a node; the leaves of a dense one come on top. */
static gms_always_inline size_t gms_class_size(unsigned int class)
{
	const unsigned int leaves = class == GMS_CLASS_DENSE ? 0 : gms_class_leaves(class);

	return (sizeof(struct gms_node) + leaves * sizeof(uint32_t) + 31) / 32 * 32;
}

/* For writers, whose leaves are there. */
static gms_always_inline struct gms_line *gms_leaf(struct gms_leaf_table *const *table, uint32_t id)
{
	/* a writer of another block may just have moved the table */
	const struct gms_leaf_table *t = gms_load_acquire(table);

	return &t->slab[id >> GMS_LEAF_SLAB_SHIFT][id % GMS_LEAF_SLAB];
}

/* For readers: NULL where @id is no leaf that this table knows: a reader's view was overtaken. */
static gms_always_inline struct gms_line *gms_leaf_at(struct gms_leaf_table *const *table,
						      uint32_t id)
{
	struct gms_leaf_table *t = gms_load_acquire(table);

	if (gms_unlikely(!t || id >> GMS_LEAF_SLAB_SHIFT >= gms_load_acquire(&t->nr)))
		return NULL;
	return &t->slab[id >> GMS_LEAF_SLAB_SHIFT][id % GMS_LEAF_SLAB];
}

void *gms_alloc(struct gms_pool *pool, size_t size, size_t align);
void gms_free(struct gms_pool *pool, void *ptr, size_t size, size_t align);

void gms_pool_init(struct gms_pool *pool, const struct gms_allocator *allocator,
		   struct gms_leaf_table **table);
void gms_pool_fini(struct gms_pool *pool);

static gms_always_inline void gms_stock_init(struct gms_stock *stock)
{
	stock->nr_nodes = 0;
	stock->nr_leaves = 0;
	stock->leaf = GMS_LEAF_NONE;
	stock->need = NULL;
}

/*
 * Take what @stock names; the contents are stale. 0, -ENOMEM, or -EAGAIN where it is not to
 * allocate; nothing was taken then.
 */
int gms_pool_take_slow(struct gms_pool *pool, struct gms_stock *stock);

static gms_always_inline int gms_pool_take(struct gms_pool *pool, struct gms_stock *stock)
{
	if (!stock->nr_nodes && !stock->nr_leaves)
		return 0;
	return gms_pool_take_slow(pool, stock);
}

/* Allocate what a pool lacked, into the pool. 0 or -ENOMEM. */
int gms_pool_grow(struct gms_pool *pool, const struct gms_need *need);

/* Nodes and leaves on their way back, each a list. */
struct gms_drops {
	struct gms_node *node;
	uint32_t leaf;
};

static gms_always_inline void gms_drop_node(struct gms_drops *drops, struct gms_node *node)
{
	gms_store_relaxed(&node->value.w[0], (uint64_t)(uintptr_t)drops->node);
	drops->node = node;
}

static gms_always_inline void gms_drop_leaf(const struct gms_pool *pool, struct gms_drops *drops,
					    uint32_t id)
{
	gms_store_relaxed(&gms_leaf(pool->table, id)->w[0], drops->leaf);
	drops->leaf = id;
}

/* Put them all back. Readers must have been told: see gms_retire() in rtree_node.h. */
void gms_pool_give_slow(struct gms_pool *pool, const struct gms_drops *drops);

static gms_always_inline void gms_pool_give(struct gms_pool *pool, const struct gms_drops *drops)
{
	if (drops->node || drops->leaf != GMS_LEAF_NONE)
		gms_pool_give_slow(pool, drops);
}

/* Free and all objects of a kind; for verify. False where a list is damaged. */
bool gms_pool_count(const struct gms_pool *pool, uint64_t free_nodes[GMS_NR_CLASSES],
		    uint64_t all_nodes[GMS_NR_CLASSES], uint64_t *free_leaves,
		    uint64_t *all_leaves);

#endif /* GMS_POOL_H */
