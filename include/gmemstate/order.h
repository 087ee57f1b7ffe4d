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

/**
 * gms_order_is_valid() - return true if folios and blocks can have an order
 * @order: the order
 *
 * Context: Any. Pure function.
 * Return: true for 0, 9 and 18; else false.
 */
static inline bool gms_order_is_valid(unsigned int order)
{
	return order == GMS_ORDER_4K || order == GMS_ORDER_2M || order == GMS_ORDER_1G;
}

/**
 * gms_order_pages() - return the size of a block
 * @order: the order of the block
 *
 * Context: Any. Pure function.
 * Return: the size in pages.
 */
static inline uint64_t gms_order_pages(unsigned int order)
{
	return 1ULL << order;
}

/**
 * gms_order_below() - return the next smaller order that folios and blocks can have
 * @order: the order
 *
 * Context: Any. Pure function.
 * Return: 9 for 18; 0 for all others.
 */
static inline unsigned int gms_order_below(unsigned int order)
{
	return order == GMS_ORDER_1G ? GMS_ORDER_2M : GMS_ORDER_4K;
}

/**
 * gms_order_down() - return the start of the block at an index
 * @index: the index of any page in the block
 * @order: the order of the block
 *
 * Context: Any. Pure function.
 * Return: the index of the first page of the block.
 */
static inline gms_pgoff_t gms_order_down(gms_pgoff_t index, unsigned int order)
{
	return index >> order << order;
}

/**
 * gms_order_up() - return the end of the block at an index
 * @index: the index of any page in the block
 * @order: the order of the block
 *
 * Context: Any. Pure function.
 * Return: the index of the first page after the block.
 */
static inline gms_pgoff_t gms_order_up(gms_pgoff_t index, unsigned int order)
{
	return gms_order_down(index, order) + gms_order_pages(order);
}

/**
 * gms_order_cut() - return the end of the block at an index, or of a range that ends before it
 * @index: the index of any page in the block
 * @order: the order of the block
 * @end: the first index after the range
 *
 * Context: Any. Pure function.
 * Return: the index of the first page after the block, or @end if that is smaller.
 */
static inline gms_pgoff_t gms_order_cut(gms_pgoff_t index, unsigned int order, gms_pgoff_t end)
{
	const gms_pgoff_t up = gms_order_up(index, order);

	return up < end ? up : end;
}

/**
 * gms_order_offset() - return where in its block an index is
 * @index: the index
 * @order: the order of the block
 *
 * Context: Any. Pure function.
 * Return: how many pages of the block come before @index.
 */
static inline uint64_t gms_order_offset(gms_pgoff_t index, unsigned int order)
{
	return index & (gms_order_pages(order) - 1);
}

/**
 * gms_order_is_start() - return true if a block begins at an index
 * @index: the index
 * @order: the order of the block
 *
 * Context: Any. Pure function.
 * Return: true if @index is a multiple of the size of the block; else false.
 */
static inline bool gms_order_is_start(gms_pgoff_t index, unsigned int order)
{
	return gms_order_down(index, order) == index;
}

/**
 * gms_for_each_block() - visit a range in parts, each of which lies in one block
 * @at: the name of a variable, which the macro declares: the first index of the part
 * @next: the name of a variable, which the macro declares: the first index after the part
 * @start: the first index of the range
 * @end: the first index after the range
 * @order: the order of the blocks
 *
 * The body may lower @end if that is a variable, and must not change @at or @next.
 *
 * Context: Any. A loop.
 */
#define gms_for_each_block(at, next, start, end, order) \
	for (gms_pgoff_t at = (start), next;            \
	     at < (end) && (next = gms_order_cut(at, order, end), true); at = next)

/**
 * gms_for_each_1g() - visit a range in parts, each of which lies in one 1G block
 * @at: as for gms_for_each_block()
 * @next: as for gms_for_each_block()
 * @start: the first index of the range
 * @end: the first index after the range
 *
 * Context: Any. A loop.
 */
#define gms_for_each_1g(at, next, start, end) gms_for_each_block(at, next, start, end, GMS_ORDER_1G)

#endif /* GMEMSTATE_ORDER_H */
