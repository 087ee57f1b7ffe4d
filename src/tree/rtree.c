// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtree.c - creates, prepares, measures and destroys a range tree
 *
 * The tree and its top lines are one piece of memory, and a uniform tree needs no other.
 * gms_rtree_prepare() allocates chunks and leaf pages. What a range needs depends on its ends
 * alone: a chunk for an end inside a 1G block, and a leaf page for an end inside a 2M block, so
 * two of each at most. It does not depend on the set, because another thread may change the set
 * before the commit.
 *
 * Preparing takes no lock and may race: a thread installs a chunk or a leaf page by
 * compare-and-swap, and frees its own one if another thread was first. Preparing fills no place:
 * the first commit that makes a place count fills it. So a leaf page is not touched until then.
 */
#include "base/opts.h"
#include "rtree_node.h"
#include "tree.h"

/* ---- creating and destroying ---- */

/* Returns the bytes that gms_rtree_create() allocates. */
static size_t rtree_bytes(uint64_t nr_blocks)
{
	return sizeof(struct gms_rtree) + gms_nr_tops(nr_blocks) * sizeof(struct gms_top);
}

int gms_rtree_create(uint64_t nr_pages, enum gms_rtree_fill init,
		     const struct gms_allocator *allocator, struct gms_rtree **tree)
{
	const uint64_t nr_blocks = (nr_pages + GMS_BLOCK_MASK) >> GMS_BLOCK_SHIFT;
	const uint64_t nr_tops = gms_nr_tops(nr_blocks);
	struct gms_allocator a;
	struct gms_rtree *t;

	if (!nr_pages || nr_pages > GMS_MAX_PAGES)
		return gms_because(-EINVAL, "the size is 0, or above 2^40 pages");
	if (init != GMS_RTREE_NONE && init != GMS_RTREE_ALL)
		return gms_because(-EINVAL, "the fill is neither none nor all");
	if (!gms_allocator_copy(&a, allocator))
		return gms_because(-EINVAL, GMS_WHY_ALLOCATOR);
	t = a.alloc(a.ctx, rtree_bytes(nr_blocks), GMS_ALIGN);
	if (!t)
		return gms_because(-ENOMEM, NULL);
	gms_memset(t, 0, rtree_bytes(nr_blocks));
	t->nr_pages = nr_pages;
	t->nr_blocks = nr_blocks;
	t->bytes = rtree_bytes(nr_blocks);
	t->allocator = a;
	for (uint64_t i = 0; init == GMS_RTREE_ALL && i < nr_tops; i++)
		gms_memset(t->top[i].kind, GMS_RTREE_ALL, sizeof(t->top[i].kind));
	*tree = t;
	return 0;
}

static void rtree_free_place(struct gms_rtree *t, void *place, size_t bytes)
{
	if (place)
		t->allocator.free(t->allocator.ctx, place, bytes, GMS_ALIGN);
}

void gms_rtree_destroy(struct gms_rtree *t)
{
	if (!t)
		return;
	for (uint64_t i = 0; i < gms_nr_tops(t->nr_blocks); i++) {
		struct gms_chunk *chunk = t->top[i].chunk;

		for (unsigned int g = 0; chunk && g < GMS_TOP_BLOCKS * GMS_NODE_GROUPS; g++)
			rtree_free_place(t, chunk->group[g].page, sizeof(struct gms_leaf_page));
		rtree_free_place(t, chunk, sizeof(struct gms_chunk));
	}
	rtree_free_place(t, t, rtree_bytes(t->nr_blocks));
}

/* ---- places ---- */

/* Returns a new chunk, or NULL. */
static void *rtree_alloc_chunk(struct gms_rtree *t)
{
	void *chunk = t->allocator.alloc(t->allocator.ctx, sizeof(struct gms_chunk), GMS_ALIGN);

	if (chunk)
		gms_memset(chunk, 0, sizeof(struct gms_chunk)); /* no leaf pages yet */
	return chunk;
}

/* Returns a new leaf page, or NULL. Its content is undefined until a commit fills a leaf. */
static void *rtree_alloc_page(struct gms_rtree *t)
{
	return t->allocator.alloc(t->allocator.ctx, sizeof(struct gms_leaf_page), GMS_ALIGN);
}

/*
 * Installs @made at *place; if another thread was first, frees @made. Returns what is installed;
 * NULL if @made is NULL.
 */
static void *rtree_install(struct gms_rtree *t, void **place, void *made, size_t bytes)
{
	void *found;

	if (!made)
		return NULL;
	found = gms_cmpxchg_pointer(place, NULL, made);
	if (found) {
		rtree_free_place(t, made, bytes);
		return found;
	}
	gms_add_relaxed(&t->bytes, bytes);
	return made;
}

/* Makes the chunk of a page, unless it exists. Returns the group of the page, or NULL. */
static struct gms_group *rtree_make_group(struct gms_rtree *t, gms_pgoff_t at)
{
	void **place = &gms_top(t, gms_block_of(at))->chunk;
	struct gms_chunk *chunk = gms_load_acquire(place);

	if (!chunk)
		chunk = rtree_install(t, place, rtree_alloc_chunk(t), sizeof(struct gms_chunk));
	return chunk ? gms_group(chunk, at) : NULL;
}

/* Makes the places that a range needs if it begins or ends at page @at. Returns 0 or -ENOMEM. */
static int rtree_make_end_places(struct gms_rtree *t, gms_pgoff_t at)
{
	struct gms_group *group;

	if (!(at & GMS_BLOCK_MASK))
		return 0;
	group = rtree_make_group(t, at);
	if (!group)
		return -ENOMEM;
	if (!(at & GMS_LEAF_MASK) || gms_load_acquire(&group->page))
		return 0;
	if (!rtree_install(t, &group->page, rtree_alloc_page(t), sizeof(struct gms_leaf_page)))
		return -ENOMEM;
	return 0;
}

int gms_make_places_slow(struct gms_rtree *t, gms_pgoff_t start, gms_pgoff_t end)
{
	int err = rtree_make_end_places(t, start);

	if (!err)
		err = rtree_make_end_places(t, end);
	return err ? gms_because(err, NULL) : 0;
}

bool gms_rtree_is_prepared(const struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages)
{
	return gms_range_ok(t, start, nr_pages) &&
	       gms_has_places(t, start, gms_range_end(t, start, nr_pages));
}

/* ---- spare leaf pages ---- */

int gms_rtree_spare_fill(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
			 struct gms_rtree_spare *spare)
{
	const gms_pgoff_t at[] = {start, gms_range_end(t, start, nr_pages)};

	for (unsigned int i = 0; i < 2; i++) {
		struct gms_group *group = NULL;

		if (at[i] & GMS_BLOCK_MASK) {
			group = rtree_make_group(t, at[i]);
			if (!group)
				return -ENOMEM;
		}
		if (!(at[i] & GMS_LEAF_MASK) || gms_load_acquire(&group->page) || spare->page[i])
			continue;
		spare->page[i] = rtree_alloc_page(t);
		if (!spare->page[i])
			return -ENOMEM;
		gms_add_relaxed(&t->bytes, sizeof(struct gms_leaf_page));
	}
	return 0;
}

void gms_rtree_spare_spend(struct gms_rtree *t, gms_pgoff_t start, uint64_t nr_pages,
			   struct gms_rtree_spare *spare)
{
	const gms_pgoff_t at[] = {start, gms_range_end(t, start, nr_pages)};

	for (unsigned int i = 0; i < 2; i++) {
		struct gms_group *group;

		if (!(at[i] & GMS_LEAF_MASK))
			continue;
		group = gms_group(gms_chunk(t, gms_block_of(at[i])), at[i]);
		if (!gms_cmpxchg_pointer(&group->page, NULL, spare->page[i]))
			spare->page[i] = NULL;
	}
}

void gms_rtree_spare_free(struct gms_rtree *t, struct gms_rtree_spare *spare)
{
	for (unsigned int i = 0; i < 2; i++)
		rtree_free_place(t, spare->page[i], sizeof(struct gms_leaf_page));
}

/* ---- measuring ---- */

void gms_rtree_usage(const struct gms_rtree *t, size_t *in_use, size_t *pooled, uint64_t *mixed)
{
	const size_t all = gms_load_relaxed(&t->bytes);
	uint64_t nodes = 0, leaves = 0;

	for (uint64_t b = 0; b < t->nr_blocks; b++) {
		struct gms_group *node;

		if (gms_kind(t, b) != GMS_RTREE_MIXED)
			continue;
		node = gms_node(t, b);
		nodes++;
		for (unsigned int i = 0; i < GMS_NODE_BLOCKS; i += GMS_STATE_BLOCKS)
			leaves += gms_popcount(gms_mixed_of(gms_states(node, i)));
	}
	*in_use = rtree_bytes(t->nr_blocks) + nodes * GMS_NODE_GROUPS * sizeof(struct gms_group) +
		  leaves * sizeof(struct gms_line);
	*pooled = all > *in_use ? all - *in_use : 0;
	*mixed = nodes + leaves;
}

size_t gms_rtree_memory(const struct gms_rtree *t)
{
	size_t in_use, pooled;
	uint64_t mixed;

	gms_rtree_usage(t, &in_use, &pooled, &mixed);
	return in_use;
}

size_t gms_rtree_pooled(const struct gms_rtree *t)
{
	size_t in_use, pooled;
	uint64_t mixed;

	gms_rtree_usage(t, &in_use, &pooled, &mixed);
	return pooled;
}

uint64_t gms_rtree_nodes(const struct gms_rtree *t)
{
	size_t in_use, pooled;
	uint64_t mixed;

	gms_rtree_usage(t, &in_use, &pooled, &mixed);
	return mixed;
}
