/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * blocks.h - what is known of a 1G block beyond sets of pages
 *
 * How it is split, its pins, its history. A block has a record from the first time that there is
 * something to tell, until the object is destroyed; of one without, nothing is split, pinned or
 * ever was mixed. Readers find records without a lock.
 *
 * How a 1G is split is 513 bits, and not a range tree: to split and to merge back then never
 * needs memory, and so the undo of a conversion does not, either.
 */
#ifndef GMS_BLOCKS_H
#define GMS_BLOCKS_H

#include <gmemstate/order.h>

#include "base/bits.h"
#include "pins.h"

struct gms_block {
	uint8_t split_1g; /* there are no folios of order 18 */
	uint8_t uniform; /* that went to 4K in one step; under the tree lock */
	uint8_t exposed_1g; /* the host was given a mapping of a folio of order 18 */
	/*
	 * Bit i: the i-th 2M block is split to 4K. With a backing of order 18 the bits are valid only
	 * while split_1g is set. A merge of the 1G leaves them as they are, so that a reader that saw the
	 * 1G split still reads how it was split.
	 */
	struct gms_line split_2m;
	struct gms_line exposed_2m; /* bit i: the host was given one of a folio of order 9 */
	struct gms_pins *pins;
	/* history, for policies; changes under the convert lock */
	uint64_t since;
	uint32_t flips;
	/* of the operation under way, under the exclusive invalidate lock */
	uint8_t mixed; /* see gms_history() */
	bool noted; /* is on a journal */
	uint8_t noted_1g;
	struct gms_line noted_2m;
	struct gms_block *next; /* on the journal */
	gms_pgoff_t start;
};

struct gms_blocks {
	uint64_t nr;
	unsigned int order; /* of the backing */
	struct gms_block **block;
	struct gms_spinlock lock; /* held to put a record in place */
	uint64_t nr_records;
	struct gms_allocator allocator;
};

/* @object: for the order of its locks. Returns 0 or -ENOMEM. */
int gms_blocks_init(struct gms_blocks *blocks, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, const void *object);
void gms_blocks_fini(struct gms_blocks *blocks);

/* NULL where there is no record. */
static inline struct gms_block *gms_block_at(const struct gms_blocks *blocks, gms_pgoff_t index)
{
	return gms_load_acquire(&blocks->block[index >> GMS_ORDER_1G]);
}

int gms_block_make_slow(struct gms_blocks *blocks, gms_pgoff_t index);

/* Make sure that there is one. 0 or -ENOMEM. Allocates. */
static inline int gms_block_make(struct gms_blocks *blocks, gms_pgoff_t index)
{
	return gms_likely(gms_block_at(blocks, index) != NULL) ? 0
							       : gms_block_make_slow(blocks, index);
}

/* Is a folio of the block smaller than the backing? */
bool gms_block_is_split(const struct gms_blocks *blocks, const struct gms_block *b);

/* The bit of the 2M block at an index. */
static inline unsigned int gms_block_2m(gms_pgoff_t index)
{
	return (index >> GMS_ORDER_2M) & (GMS_LINE_BITS - 1);
}

/* Bytes of the table and the records, and those that pins keep: in use, or for reuse. */
void gms_blocks_bytes(const struct gms_blocks *blocks, uint64_t *in_use, uint64_t *pooled);

#endif /* GMS_BLOCKS_H */
