/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sizes.h - pages that are there in blocks of 4K, 2M or 1G: folios, or mappings
 *
 * Three sets, each within the one before: pages that are there at all, in blocks of 2M at
 * least, in blocks of 1G. So a guest of 1 TiB in 1G blocks takes 3 KiB.
 */
#ifndef GMS_SIM_SIZES_H
#define GMS_SIM_SIZES_H

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

/* Of a block: 0 for 4K, 1 for 2M, 2 for 1G. */
#define SIZES_NR_LEVELS 3
#define SIZES_LEVEL_NONE (-1)

struct sizes {
	struct gms_rtree *at_least[SIZES_NR_LEVELS];
	uint64_t nr_pages[SIZES_NR_LEVELS]; /* in blocks of just this level */
};

struct sizes_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	int level;
};

static inline unsigned int sizes_level_order(int level)
{
	return (unsigned int)level * GMS_ORDER_2M;
}

/* LEVEL_NONE where there is no such order. */
static inline int sizes_order_level(unsigned int order)
{
	return gms_order_is_valid(order) ? (int)(order / GMS_ORDER_2M) : SIZES_LEVEL_NONE;
}

int sizes_init(struct sizes *sizes, uint64_t nr_pages);
void sizes_fini(struct sizes *sizes);

/* Make the range, whole blocks, one of this level; LEVEL_NONE: it is not there. 0 or -ENOMEM. */
int sizes_set(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level);

/* The level of the block at an index. */
int sizes_level(const struct sizes *sizes, gms_pgoff_t index);

/* The next run of one level, or of nothing. */
bool sizes_next(const struct sizes *sizes, gms_pgoff_t from, gms_pgoff_t end,
		struct sizes_run *run);

/* Is the range wholly of this level? */
bool sizes_all(const struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level);

/*
 * Take out the blocks that the range touches and that are of @above or larger. @nr_blocks grows
 * by their number. 0 or -ENOMEM.
 */
int sizes_drop(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int above,
	       uint64_t *nr_blocks);

#endif /* GMS_SIM_SIZES_H */
