// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pool.c - type-stable memory: see pool.h
 *
 * The lock is held for a few loads and stores, never across a call of the allocator:
 * who finds the pool short leaves the lock, makes a slab and tries again.
 */
#include "pool.h"

#define GMS_SLAB_BYTES 4096

/* Nodes of one class; the nodes follow at the next full line. */
struct gms_slab {
	struct gms_slab *next;
	size_t size;
	unsigned int class;
};

#define GMS_SLAB_HEAD ((sizeof(struct gms_slab) + 63) / 64 * 64)

static struct gms_node *slab_node(const struct gms_slab *slab, size_t i)
{
	return (void *)((uintptr_t)slab + GMS_SLAB_HEAD + i * gms_class_size(slab->class));
}

void *gms_alloc(struct gms_pool *pool, size_t size, size_t align)
{
	void *ptr = pool->allocator.alloc(pool->allocator.ctx, size, align);

	if (ptr)
		gms_add_relaxed(&pool->bytes, size);
	return ptr;
}

void gms_free(struct gms_pool *pool, void *ptr, size_t size, size_t align)
{
	gms_add_relaxed(&pool->bytes, -(uint64_t)size);
	pool->allocator.free(pool->allocator.ctx, ptr, size, align);
}

void gms_pool_init(struct gms_pool *pool, const struct gms_allocator *allocator,
		   struct gms_leaf_table **table)
{
	gms_spin_init(&pool->lock);
	pool->free_leaf = GMS_LEAF_NONE;
	for (unsigned int c = 0; c < GMS_NR_CLASSES; c++)
		pool->free_node[c] = NULL;
	pool->slabs = NULL;
	pool->table = table;
	pool->bytes = 0;
	pool->allocator = *allocator;
	*table = NULL;
}

static size_t table_size(uint32_t room)
{
	return sizeof(struct gms_leaf_table) + room * sizeof(struct gms_line *);
}

void gms_pool_fini(struct gms_pool *pool)
{
	struct gms_leaf_table *table = *pool->table;

	while (pool->slabs) {
		struct gms_slab *slab = pool->slabs;

		pool->slabs = slab->next;
		if (slab->class == GMS_CLASS_DENSE)
			gms_free(pool, slab_node(slab, 0)->dense, GMS_DENSE_BYTES, 64);
		gms_free(pool, slab, slab->size, 64);
	}
	for (uint32_t i = 0; table && i < table->nr; i++)
		gms_free(pool, table->slab[i], GMS_LEAF_SLAB * sizeof(struct gms_line), 64);
	while (table) {
		struct gms_leaf_table *older = table->older;

		gms_free(pool, table, table_size(table->room), sizeof(void *));
		table = older;
	}
}

static inline struct gms_node *next_node(const struct gms_node *node)
{
	return (struct gms_node *)(uintptr_t)gms_load_relaxed(&node->value.w[0]);
}

static inline void push_node_locked(struct gms_pool *pool, struct gms_node *node)
{
	gms_store_relaxed(&node->value.w[0], (uint64_t)(uintptr_t)pool->free_node[node->class]);
	pool->free_node[node->class] = node;
}

static inline uint64_t *leaf_link(const struct gms_pool *pool, uint32_t id)
{
	return &gms_leaf(pool->table, id)->w[0];
}

static inline void push_leaf_locked(struct gms_pool *pool, uint32_t id)
{
	gms_store_relaxed(leaf_link(pool, id), pool->free_leaf);
	pool->free_leaf = id;
}

static bool grow_nodes(struct gms_pool *pool, unsigned int class)
{
	const size_t fit = (GMS_SLAB_BYTES - GMS_SLAB_HEAD) / gms_class_size(class);
	const size_t nr = class == GMS_CLASS_DENSE ? 1 : fit;
	const size_t size = GMS_SLAB_HEAD + nr * gms_class_size(class);
	struct gms_slab *slab = gms_alloc(pool, size, 64);
	struct gms_line *dense = NULL;

	if (slab && class == GMS_CLASS_DENSE) {
		dense = gms_alloc(pool, GMS_DENSE_BYTES, 64);
		if (!dense) {
			gms_free(pool, slab, size, 64);
			return false;
		}
	}
	if (!slab)
		return false;
	slab->size = size;
	slab->class = class;
	/* a reader that comes too late finds leaf number 0, or is turned back by a bound */
	gms_memset(slab_node(slab, 0), 0, nr * gms_class_size(class));
	for (size_t i = 0; i < nr; i++)
		slab_node(slab, i)->class = (uint8_t) class;
	if (dense)
		slab_node(slab, 0)->dense = dense;
	gms_spin_lock(&pool->lock);
	slab->next = pool->slabs;
	pool->slabs = slab;
	for (size_t i = nr; i--;)
		push_node_locked(pool, slab_node(slab, i));
	gms_spin_unlock(&pool->lock);
	return true;
}

/* A table with room for one more slab takes the place of a full one. */
static bool grow_table(struct gms_pool *pool)
{
	struct gms_leaf_table *old = gms_load_acquire(pool->table);
	const uint32_t room = old ? old->room * 2 : 8;
	struct gms_leaf_table *table;

	table = gms_alloc(pool, table_size(room), sizeof(void *));
	if (!table)
		return false;
	table->room = room;
	gms_spin_lock(&pool->lock);
	old = *pool->table;
	if (old && old->room >= room) { /* somebody else was faster */
		gms_spin_unlock(&pool->lock);
		gms_free(pool, table, table_size(room), sizeof(void *));
		return true;
	}
	table->older = old;
	table->nr = old ? old->nr : 0;
	for (uint32_t i = 0; i < table->nr; i++)
		table->slab[i] = old->slab[i];
	gms_store_release(pool->table, table);
	gms_spin_unlock(&pool->lock);
	return true;
}

static bool grow_leaves(struct gms_pool *pool)
{
	const size_t size = GMS_LEAF_SLAB * sizeof(struct gms_line);
	struct gms_line *slab = gms_alloc(pool, size, 64);
	struct gms_leaf_table *table;

	if (!slab)
		return false;
	for (;;) {
		gms_spin_lock(&pool->lock);
		table = *pool->table;
		if (table && table->nr < table->room)
			break;
		gms_spin_unlock(&pool->lock);
		if (!grow_table(pool)) {
			gms_free(pool, slab, size, 64);
			return false;
		}
	}
	table->slab[table->nr] = slab;
	gms_store_release(&table->nr, table->nr + 1);
	for (uint32_t i = GMS_LEAF_SLAB; i--;)
		push_leaf_locked(pool, (table->nr - 1) * GMS_LEAF_SLAB + i);
	gms_spin_unlock(&pool->lock);
	return true;
}

/* Pop what is there; what is missing is told by the counts. */
static inline void take_locked(struct gms_pool *pool, struct gms_stock *stock,
			       unsigned int *got_nodes, unsigned int *got_leaves)
{
	while (*got_nodes < stock->nr_nodes) {
		struct gms_node **head = &pool->free_node[stock->class[*got_nodes]];

		if (!*head)
			return;
		*stock->slot[*got_nodes] = *head;
		*head = next_node(*head);
		++*got_nodes;
	}
	while (*got_leaves < stock->nr_leaves) {
		const uint32_t id = pool->free_leaf;

		if (id == GMS_LEAF_NONE)
			return;
		pool->free_leaf = (uint32_t)gms_load_relaxed(leaf_link(pool, id));
		gms_store_relaxed(leaf_link(pool, id), stock->leaf);
		stock->leaf = id;
		++*got_leaves;
	}
}

int gms_pool_grow(struct gms_pool *pool, const struct gms_need *need)
{
	const bool ok =
		need->what == GMS_NEED_NODE ? grow_nodes(pool, need->which) : grow_leaves(pool);

	return ok ? 0 : -ENOMEM;
}

/* Say what is missing, and allocate it unless the caller would rather know. */
static int fill_up(struct gms_pool *pool, const struct gms_stock *stock, unsigned int nodes)
{
	struct gms_need need = {.what = GMS_NEED_LEAF};

	if (nodes < stock->nr_nodes)
		need = (struct gms_need) {GMS_NEED_NODE, stock->class[nodes]};
	if (!stock->need)
		return gms_pool_grow(pool, &need);
	*stock->need = need;
	return -EAGAIN;
}

int gms_pool_take_slow(struct gms_pool *pool, struct gms_stock *stock)
{
	unsigned int nodes = 0, leaves = 0;
	struct gms_drops drops;
	int err;

	do {
		gms_spin_lock(&pool->lock);
		/* who put these back raised an epoch: that is seen before what is written now */
		gms_fence_release();
		take_locked(pool, stock, &nodes, &leaves);
		gms_spin_unlock(&pool->lock);
		if (nodes == stock->nr_nodes && leaves == stock->nr_leaves)
			return 0;
		err = fill_up(pool, stock, nodes);
	} while (!err);
	drops = (struct gms_drops) {.leaf = stock->leaf};
	while (nodes--)
		gms_drop_node(&drops, *stock->slot[nodes]);
	stock->leaf = GMS_LEAF_NONE;
	gms_pool_give(pool, &drops);
	return err;
}

void gms_pool_give_slow(struct gms_pool *pool, const struct gms_drops *drops)
{
	struct gms_node *node = drops->node;
	uint32_t leaf = drops->leaf;

	gms_spin_lock(&pool->lock);
	while (leaf != GMS_LEAF_NONE) {
		const uint32_t next = (uint32_t)gms_load_relaxed(leaf_link(pool, leaf));

		push_leaf_locked(pool, leaf);
		leaf = next;
	}
	while (node) {
		struct gms_node *next = next_node(node);

		push_node_locked(pool, node);
		node = next;
	}
	gms_spin_unlock(&pool->lock);
}

bool gms_pool_count(const struct gms_pool *pool, uint64_t free_nodes[GMS_NR_CLASSES],
		    uint64_t all_nodes[GMS_NR_CLASSES], uint64_t *free_leaves, uint64_t *all_leaves)
{
	const struct gms_leaf_table *table = *pool->table;

	*free_leaves = 0;
	*all_leaves = table ? (uint64_t)table->nr * GMS_LEAF_SLAB : 0;
	for (unsigned int c = 0; c < GMS_NR_CLASSES; c++)
		free_nodes[c] = all_nodes[c] = 0;
	for (const struct gms_slab *s = pool->slabs; s; s = s->next)
		all_nodes[s->class] += (s->size - GMS_SLAB_HEAD) / gms_class_size(s->class);
	for (unsigned int c = 0; c < GMS_NR_CLASSES; c++)
		for (const struct gms_node *n = pool->free_node[c]; n; n = next_node(n))
			if (n->class != c || ++free_nodes[c] > all_nodes[c])
				return false;
	for (uint32_t id = pool->free_leaf; id != GMS_LEAF_NONE; ++*free_leaves) {
		if (id >= *all_leaves || *free_leaves >= *all_leaves)
			return false;
		id = (uint32_t)gms_load_relaxed(leaf_link(pool, id));
	}
	return true;
}
