/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * blocks.h - the records of 1G blocks
 *
 * The record of a 1G block holds what the library knows of the block besides sets of pages: how it
 * is split, how large the host's mappings may be, its pins, and its history. A block gets a record
 * when there is first something to record, and keeps it until the object is destroyed. In a block
 * without a record no folio is split, and no page was ever pinned.
 *
 *	block[]   | NULL | * | NULL | NULL | ...       one pointer for each 1G block
 *	                   |
 *	                   `-> split_1g, split_2m: 1 + 512 bits; exposed; pins; history; journal
 *
 * Invariants
 *  1. A record stays where it is. So a reader finds it without a lock, by one load-acquire.
 *  2. How a 1G block is split is kept in 513 bits of the record, and not in a range tree. So a
 *     split, a merge and the undo of a conversion need no memory to record it.
 *  3. With a backing of order 18, split_2m is valid only while split_1g is set. A merge of the 1G
 *     leaves split_2m as it is, so that a reader that saw split_1g set still reads how the block
 *     was split.
 *
 * Locks. The lock of struct gms_blocks serialises threads that add records. folio.h says which
 * locks protect the contents of a record.
 *
 * Cost. To find a record takes one load. A record takes 248 bytes, and pins come on top.
 */
#ifndef GMS_BLOCKS_H
#define GMS_BLOCKS_H

#include <gmemstate/order.h>

#include "base/bits.h"
#include "pins.h"

struct gms_block {
	uint8_t split_1g; /* the backing is of order 18, and the block is split to 2M or 4K */
	uint8_t split_to_4k; /* the last split of the 1G went to 4K in one step */
	uint8_t exposed_1g; /* the host may have a mapping of order 18 */
	struct gms_line split_2m; /* bit i: the i-th 2M block is split to 4K (invariant 3) */
	/* bit i: the host may have a mapping of order 9 of the i-th 2M block */
	struct gms_line exposed_2m;
	struct gms_pins *pins; /* NULL: no page was ever pinned */
	void *rents; /* see core/rent.h, which allocates and frees it; NULL: nothing was recorded */
	/* History, for policies. Written under the exclusive invalidate lock. */
	uint64_t since; /* the time of the last flip */
	uint32_t flips; /* see core/history.h */
	/* Used by one change of the block while it runs, under the exclusive invalidate lock. */
	uint8_t mixed; /* what gms_history_before() found */
	bool noted; /* the record is on a journal of splits */
	uint8_t noted_1g; /* split_1g when the record was put on the journal */
	struct gms_line noted_2m; /* split_2m when the record was put on the journal */
	struct gms_block *next; /* the next record on the journal */
	/* Constant. */
	gms_pgoff_t start; /* the first page of the block */
};

struct gms_blocks {
	uint64_t nr; /* the number of 1G blocks of the object */
	unsigned int order; /* of the backing */
	struct gms_block **block;
	struct gms_spinlock lock;
	uint64_t nr_records; /* written under the lock */
	struct gms_allocator allocator;
};

/*
 * Returns 0 or -ENOMEM. @order: the order of the backing. @object: the object to which the lock
 * belongs in the order of locks (platform.h).
 */
int gms_blocks_init(struct gms_blocks *blocks, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, const void *object);
void gms_blocks_fini(struct gms_blocks *blocks);

/* Makes a record for the 1G block at an index unless it has one. Returns 0 or -ENOMEM. */
int gms_blocks_make(struct gms_blocks *blocks, gms_pgoff_t index);

/* Returns true if the block has a place that is smaller than the order of the backing. */
bool gms_block_is_split(const struct gms_blocks *blocks, const struct gms_block *b);

/*
 * Counts the bytes of the pointers, the records and the pins. The pointers are always in use. A
 * record is in use while its block is split, and pins are in use while a page of their block is
 * pinned. All others are pooled.
 */
void gms_blocks_bytes(const struct gms_blocks *blocks, uint64_t *in_use, uint64_t *pooled);

#endif /* GMS_BLOCKS_H */
