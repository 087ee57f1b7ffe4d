/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sizes.h - a set of pages in blocks of 4K, 2M or 1G: folios, or mappings
 *
 * The set is kept as three range trees, in the member at_least: [0] has the pages in blocks of
 * any size, [1] those in blocks of 2M or 1G, [2] those in blocks of 1G. Invariant, unless
 * sizes_set() has failed: [1] is a subset of [0], and [2] of [1]. A tree takes 2 KiB for a
 * uniform TiB. So 1 TiB in 1G blocks takes 6 KiB.
 */
#ifndef GMS_SIM_SIZES_H
#define GMS_SIM_SIZES_H

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

/* Levels of blocks: 0 for 4K, 1 for 2M, 2 for 1G. */
#define SIZES_NR_LEVELS 3
#define SIZES_LEVEL_NONE (-1)

struct sizes {
	struct gms_rtree *at_least[SIZES_NR_LEVELS];
	uint64_t nr_pages[SIZES_NR_LEVELS]; /* the pages in blocks of exactly this level */
};

struct sizes_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	int level;
};

/* Returns the order of a level. */
static inline unsigned int sizes_level_order(int level)
{
	return (unsigned int)level * GMS_ORDER_2M;
}

/* Returns the level of an order, or SIZES_LEVEL_NONE if the order is invalid. */
static inline int sizes_order_level(unsigned int order)
{
	return gms_order_is_valid(order) ? (int)(order / GMS_ORDER_2M) : SIZES_LEVEL_NONE;
}

/* Returns 0 or -ENOMEM. sizes_fini() has to follow in either case. */
int sizes_init(struct sizes *sizes, uint64_t nr_pages);
void sizes_fini(struct sizes *sizes);

/*
 * Sets the level of a range. The range consists of whole blocks of @level, and cuts no block that
 * is there already. SIZES_LEVEL_NONE removes the range.
 * Returns 0 or -ENOMEM.
 */
int sizes_set(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level);

/* Returns the level of the block at an index, or SIZES_LEVEL_NONE. */
int sizes_level(const struct sizes *sizes, gms_pgoff_t index);

/*
 * Finds the longest run that begins at @from, ends at @end or before, and is of one level. Pages
 * in no block are of SIZES_LEVEL_NONE. Returns false if @from is @end.
 */
bool sizes_next(const struct sizes *sizes, gms_pgoff_t from, gms_pgoff_t end,
		struct sizes_run *run);

/* Returns true if all pages of a range are in blocks of @level. */
bool sizes_all(const struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level);

/*
 * Removes the blocks of level @min_level or larger that the range touches, and adds their number
 * to *nr_blocks. Returns 0 or -ENOMEM.
 */
int sizes_drop(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int min_level,
	       uint64_t *nr_blocks);

#endif /* GMS_SIM_SIZES_H */
