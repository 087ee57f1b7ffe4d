// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree.c - making, sizing and freeing a range tree
 *
 * The tree, a byte for each 1G block and a pointer for each 1024 of them are one piece of
 * memory. That is all that a uniform tree has; see rtree_node.h for the rest.
 */
#include "rtree_node.h"

/* The bytes of the top are read and written eight at a time. */
static uint64_t top_bytes(uint64_t nr_blocks)
{
	return (nr_blocks + 7) / 8 * 8;
}

static size_t tree_size(uint64_t nr_blocks)
{
	return sizeof(struct gms_rtree) + gms_nr_chunks(nr_blocks) * sizeof(struct gms_node **) +
	       top_bytes(nr_blocks);
}

static bool allocator_ok(const struct gms_allocator *a)
{
	return a->struct_size >= sizeof(*a) && gms_tail_is_zero(a, sizeof(*a), a->struct_size) &&
	       a->alloc && a->free;
}

int gms_rtree_create(uint64_t nr_pages, enum gms_rtree_fill init,
		     const struct gms_allocator *allocator, struct gms_rtree **tree)
{
	const uint64_t nr_blocks = (nr_pages + GMS_BLOCK_PAGES - 1) >> GMS_BLOCK_SHIFT;
	struct gms_rtree *t;

	if (!allocator)
		allocator = gms_platform_allocator();
	if (!nr_pages || nr_pages > GMS_MAX_PAGES || nr_blocks > UINT32_MAX ||
	    (init != GMS_RTREE_NONE && init != GMS_RTREE_ALL) || !allocator_ok(allocator))
		return -EINVAL;
	t = allocator->alloc(allocator->ctx, tree_size(nr_blocks), 64);
	if (!t)
		return -ENOMEM;
	t->nr_pages = nr_pages;
	t->nr_blocks = nr_blocks;
	t->chunk = (struct gms_node ***)(t + 1);
	t->only = NULL;
	t->only_epoch = NULL;
	t->kind = (uint8_t *)(t->chunk + gms_nr_chunks(nr_blocks));
	gms_memset(t->chunk, 0, gms_nr_chunks(nr_blocks) * sizeof(struct gms_node **));
	gms_memset(t->kind, init, top_bytes(nr_blocks));
	gms_pool_init(&t->pool, allocator, &t->leaves);
	t->pool.bytes = tree_size(nr_blocks);
	*tree = t;
	return 0;
}

void gms_rtree_destroy(struct gms_rtree *t)
{
	struct gms_allocator allocator;

	if (!t)
		return;
	for (uint64_t c = 0; c < gms_nr_chunks(t->nr_blocks); c++)
		if (t->chunk[c])
			gms_free(&t->pool, t->chunk[c], gms_chunk_size(t), 64);
	gms_pool_fini(&t->pool);
	allocator = t->pool.allocator;
	allocator.free(allocator.ctx, t, tree_size(t->nr_blocks), 64);
}

/* Visit the mixed 1G blocks: bytes that hold them, and how many mixed blocks there are. */
static size_t usage(const struct gms_rtree *t, uint64_t *nodes)
{
	size_t bytes = tree_size(t->nr_blocks);

	*nodes = 0;
	for (uint64_t c = 0; c < gms_nr_chunks(t->nr_blocks); c++) {
		const uint64_t first = c << GMS_CHUNK_SHIFT;
		bool used = false;

		if (!gms_load_acquire(&t->chunk[c]))
			continue;
		for (uint64_t b = first; b < first + GMS_CHUNK_BLOCKS && b < t->nr_blocks; b++) {
			struct gms_view view;
			unsigned int nr, class;

			do {
				nr = 0;
				class = GMS_NR_CLASSES;
				if (gms_view_begin(t, b, &view) != GMS_RTREE_MIXED)
					break;
				nr = gms_load_relaxed(&view.node->nr);
				class = view.node->class;
			} while (!gms_view_ok(&view));
			if (class == GMS_NR_CLASSES)
				continue;
			used = true;
			*nodes += 1 + nr;
			bytes += gms_class_size(class);
			bytes += class == GMS_CLASS_DENSE ? GMS_DENSE_BYTES
							  : nr * sizeof(struct gms_line);
		}
		if (used)
			bytes += gms_chunk_size(t);
	}
	return bytes;
}

size_t gms_rtree_memory(const struct gms_rtree *t)
{
	uint64_t nodes;

	return usage(t, &nodes);
}

uint64_t gms_rtree_nodes(const struct gms_rtree *t)
{
	uint64_t nodes;

	usage(t, &nodes);
	return nodes;
}

size_t gms_rtree_pooled(const struct gms_rtree *t)
{
	const size_t used = gms_rtree_memory(t), all = gms_load_relaxed(&t->pool.bytes);

	return all > used ? all - used : 0;
}
