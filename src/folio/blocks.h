/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * blocks.h - the records of 1G blocks
 *
 * A record holds what is known of a 1G block besides sets of pages: how it is split, what the host
 * may have mapped, its pins, and its history. A block has a record from the first time that there
 * is something to record until the object is destroyed. In a block without a record no folio is
 * split, and no page was ever pinned.
 *
 *	block[]   | NULL | * | NULL | NULL | ...       a pointer for each 1G block
 *	                   |
 *	                   `-> split_1g, split_2m: 1 + 512 bits; exposed; pins; history; journal
 *
 * Invariants
 *  1. A record stays where it is. So a reader finds it without a lock, by one load-acquire.
 *  2. How a 1G block is split is 513 bits of the record, and not a range tree. So a split and a
 *     merge never need memory, and neither does the undo of a conversion.
 *  3. With a backing of order 18, split_2m is valid only while split_1g is set. A merge of the 1G
 *     leaves split_2m as it is, so that a reader that saw split_1g set still reads how the block
 *     was split.
 *
 * Locks. The lock of struct gms_blocks protects the pointers while records are added. folio.h says
 * which locks protect the contents of a record.
 *
 * Cost. To find a record is one load. A record takes 240 bytes, and its pins come on top.
 */
#ifndef GMS_BLOCKS_H
#define GMS_BLOCKS_H

#include <gmemstate/order.h>

#include "base/bits.h"
#include "pins.h"

struct gms_block {
	uint8_t split_1g; /* the block has no folio of order 18 */
	uint8_t uniform; /* the last split of the 1G went to 4K in one step */
	uint8_t exposed_1g; /* the host may have a mapping of order 18 */
	struct gms_line split_2m; /* bit i: the i-th 2M block is split to 4K; see 3 */
	struct gms_line
		exposed_2m; /* bit i: the host may have a mapping of order 9 of that block */
	struct gms_pins *pins; /* NULL: no page was ever pinned */
	/* history, for policies; changes under the convert lock */
	uint64_t since;
	uint32_t flips;
	/* for the operation that runs; under the exclusive invalidate lock */
	uint8_t mixed; /* see core/history.h */
	bool noted; /* the record is on a journal of splits */
	uint8_t noted_1g; /* split_1g and split_2m when the record was put on the journal */
	struct gms_line noted_2m;
	struct gms_block *next; /* on the journal */
	gms_pgoff_t start; /* the first page of the block */
};

struct gms_blocks {
	uint64_t nr; /* 1G blocks of the object */
	unsigned int order; /* of the backing */
	struct gms_block **block;
	struct gms_spinlock lock;
	uint64_t nr_records;
	struct gms_allocator allocator;
};

/* Returns 0 or -ENOMEM. @object: the object that the lock belongs to, in the order of locks. */
int gms_blocks_init(struct gms_blocks *blocks, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, const void *object);
void gms_blocks_fini(struct gms_blocks *blocks);

/* Makes the record of the 1G block at an index, unless it is there. 0 or -ENOMEM. Allocates. */
int gms_blocks_make(struct gms_blocks *blocks, gms_pgoff_t index);

/* Returns true if a folio of the block is smaller than the backing. */
bool gms_block_is_split(const struct gms_blocks *blocks, const struct gms_block *b);

/*
 * Counts the bytes of the pointers, the records and the pins. A record is in use while its block
 * is split, and pins are in use while a page is pinned; all others are kept for reuse.
 */
void gms_blocks_bytes(const struct gms_blocks *blocks, uint64_t *in_use, uint64_t *pooled);

#endif /* GMS_BLOCKS_H */
