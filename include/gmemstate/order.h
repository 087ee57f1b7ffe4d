/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/order.h - arithmetic on orders and blocks
 *
 * An order is log2 of a size in pages: 0 is 4K, 9 is 2M, 18 is 1G. A block is naturally aligned:
 * it begins at a multiple of its size. A range is [start, end), in pages. All functions are pure,
 * and take any order below 64.
 *
 *	gms_order_down(index, 9)        gms_order_up(index, 9)
 *	|                               |
 *	v                               v
 *	|---------- 2M block -----------|---------- 2M block -----------|
 *	|<- offset ->^
 *	             index
 *
 * Usage: count the private pages of a range, one 1G block at a time.
 *
 *	uint64_t sum = 0;
 *
 *	gms_for_each_1g(at, next, start, end)
 *		sum += gms_count(state, at, next - at, GMS_PRIVATE);
 */
#ifndef GMEMSTATE_ORDER_H
#define GMEMSTATE_ORDER_H

#include <gmemstate/types.h>

/* Returns true if an order is one that folios and blocks can have: 0, 9 or 18. */
static inline bool gms_order_is_valid(unsigned int order)
{
	return order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G;
}

/* Returns the size of a block in pages. */
static inline uint64_t gms_order_pages(unsigned int order)
{
	return 1ULL << order;
}

/* Returns the next smaller valid order: 9 for 18, 0 for all others. */
static inline unsigned int gms_order_below(unsigned int order)
{
	return order == GMS_ORDER_1G ? GMS_ORDER_2M : GMS_ORDER_4K;
}

/* Returns the first page of the block at an index. */
static inline gms_pgoff_t gms_order_down(gms_pgoff_t index, unsigned int order)
{
	return index >> order << order;
}

/* Returns the first page after the block at an index. */
static inline gms_pgoff_t gms_order_up(gms_pgoff_t index, unsigned int order)
{
	return gms_order_down(index, order) + gms_order_pages(order);
}

/* Returns the first page after the block at an index, or @end if that comes first. */
static inline gms_pgoff_t gms_order_cut(gms_pgoff_t index, unsigned int order, gms_pgoff_t end)
{
	const gms_pgoff_t up = gms_order_up(index, order);

	return up < end ? up : end;
}

/* Returns how many pages of the block at an index come before the index. */
static inline uint64_t gms_order_offset(gms_pgoff_t index, unsigned int order)
{
	return index & (gms_order_pages(order) - 1);
}

/* Returns true if a block begins at an index. */
static inline bool gms_order_is_start(gms_pgoff_t index, unsigned int order)
{
	return gms_order_down(index, order) == index;
}

/*
 * Visits [start, end) in parts, each of which lies in one block. The macro declares @at and @next:
 * a part is [at, next). The body may lower the variable @end, and must not change @at or @next.
 */
#define gms_for_each_block(at, next, start, end, order) \
	for (gms_pgoff_t at = (start), next;            \
	     at < (end) && (next = gms_order_cut(at, order, end), true); at = next)

/* Visits [start, end) in parts, each of which lies in one 1G block. */
#define gms_for_each_1g(at, next, start, end) gms_for_each_block(at, next, start, end, GMS_ORDER_1G)

#endif /* GMEMSTATE_ORDER_H */
