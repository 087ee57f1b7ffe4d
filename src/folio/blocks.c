// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * blocks.c - the records of 1G blocks: see blocks.h
 */
#include "blocks.h"

int gms_blocks_init(struct gms_blocks *blocks, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, const void *object)
{
	blocks->order = order;
	blocks->nr = ((nr_pages - 1) >> GMS_ORDER_1G) + 1;
	blocks->nr_records = 0;
	blocks->allocator = *a;
	gms_spin_init(&blocks->lock, object, GMS_RANK_BLOCKS, 0);
	blocks->block = a->alloc(a->ctx, blocks->nr * sizeof(*blocks->block), sizeof(void *));
	if (!blocks->block)
		return -ENOMEM;
	gms_memset(blocks->block, 0, blocks->nr * sizeof(*blocks->block));
	return 0;
}

void gms_blocks_fini(struct gms_blocks *blocks)
{
	const struct gms_allocator *a = &blocks->allocator;

	for (uint64_t i = 0; i < blocks->nr; i++) {
		struct gms_block *b = blocks->block[i];

		if (!b)
			continue;
		gms_pins_fini(b->pins, a);
		a->free(a->ctx, b, sizeof(*b), 64);
	}
	a->free(a->ctx, blocks->block, blocks->nr * sizeof(*blocks->block), sizeof(void *));
}

gms_noinline int gms_blocks_make(struct gms_blocks *blocks, gms_pgoff_t index)
{
	struct gms_block **slot = &blocks->block[index >> GMS_ORDER_1G];
	const struct gms_allocator *a = &blocks->allocator;
	struct gms_block *b = a->alloc(a->ctx, sizeof(*b), 64);

	if (!b)
		return -ENOMEM;
	gms_memset(b, 0, sizeof(*b));
	b->start = gms_order_down(index, GMS_ORDER_1G);
	gms_spin_lock(&blocks->lock);
	if (!*slot) {
		gms_store_release(slot, b);
		gms_store_relaxed(&blocks->nr_records, blocks->nr_records + 1);
		b = NULL;
	}
	gms_spin_unlock(&blocks->lock);
	if (b) /* another thread was faster */
		a->free(a->ctx, b, sizeof(*b), 64);
	return 0;
}

bool gms_block_is_split(const struct gms_blocks *blocks, const struct gms_block *b)
{
	return blocks->order == GMS_ORDER_1G ? gms_load_relaxed(&b->split_1g)
					     : !gms_line_is(&b->split_2m, false);
}

void gms_blocks_bytes(const struct gms_blocks *blocks, uint64_t *in_use, uint64_t *pooled)
{
	*in_use = blocks->nr * sizeof(*blocks->block);
	*pooled = 0;
	if (!gms_load_relaxed(&blocks->nr_records))
		return;
	for (uint64_t i = 0; i < blocks->nr; i++) {
		const struct gms_block *b = gms_load_acquire(&blocks->block[i]);
		const struct gms_pins *pins = b ? gms_load_acquire(&b->pins) : NULL;

		if (b)
			*(gms_block_is_split(blocks, b) ? in_use : pooled) += sizeof(*b);
		if (pins)
			*(gms_pins_any(pins, 0, GMS_PINS_PAGES) ? in_use : pooled) +=
				gms_pins_bytes(pins);
	}
}
