/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * limit.h - what limits the order of a mapping (rule 21)
 *
 * The order of a mapping is limited by the folio, by the largest uniform and complete block, and
 * by quarantine. The guest's mappings are also limited by the memslot binding, by attributes and
 * by inhibits. The functions here take an order, such as that of the folio, and lower it by the
 * other limits.
 */
#ifndef GMS_ENGINE_LIMIT_H
#define GMS_ENGINE_LIMIT_H

#include "core/core.h"

static inline unsigned int gms_limit_min(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * Returns @order, lowered to the largest uniform and complete block at an index. @look: what
 * gms_rtree_look() of the private pages says there.
 */
static inline unsigned int gms_limit_uniform(const struct gms_state *s, gms_pgoff_t index,
					     const struct gms_rtree_look *look, unsigned int order)
{
	if (look->fill_1g == GMS_RTREE_MIXED)
		order = gms_limit_min(order, look->fill_2m == GMS_RTREE_MIXED ? GMS_ORDER_4K
									      : GMS_ORDER_2M);
	while (order && gms_order_up(index, order) > s->nr_pages)
		order = gms_order_below(order);
	return order;
}

/* Returns @order, lowered so that the block at an index has no quarantined page. */
static inline unsigned int gms_limit_quarantine(const struct gms_state *s, gms_pgoff_t index,
						unsigned int order)
{
	if (gms_likely(!gms_load_relaxed(&s->quarantined)))
		return order;
	while (order && gms_rtree_fill(s->quarantine, index, order) != GMS_RTREE_NONE)
		order = gms_order_below(order);
	return order;
}

/*
 * Returns the number of the first tree of inhibits that has the pages that are limited to @order.
 * All later trees have them, too. No tree has pages that may be mapped at order 18.
 */
static inline unsigned int gms_limit_first_inhibit(unsigned int order)
{
	return order == GMS_ORDER_4K ? 0 : order == GMS_ORDER_2M ? 1 : GMS_NR_INHIBITS;
}

/* Returns @order, lowered by attributes and inhibits alone. */
static inline unsigned int gms_limit_attributes(const struct gms_state *s, gms_pgoff_t index,
						unsigned int order)
{
	const unsigned int nr_attrs = gms_load_acquire(&s->nr_attrs);

	for (unsigned int i = 0; order && i < nr_attrs; i++)
		order = gms_limit_min(order, gms_rtree_uniform_order(s->attr[i], index));
	if (gms_likely(!order || !gms_load_relaxed(&s->inhibited)))
		return order;
	if (order == GMS_ORDER_1G && gms_rtree_fill(s->inhibit[1], index, order) != GMS_RTREE_NONE)
		order = GMS_ORDER_2M;
	if (gms_rtree_fill(s->inhibit[0], index, GMS_ORDER_2M) != GMS_RTREE_NONE)
		order = GMS_ORDER_4K;
	return order;
}

/*
 * Returns the order of the largest mapping for a fault in a folio of @order. @look: what
 * gms_rtree_look() of the private pages says at the index.
 */
static inline unsigned int gms_limit_fault(const struct gms_state *s, gms_pgoff_t index,
					   enum gms_accessor accessor,
					   const struct gms_rtree_look *look, unsigned int order)
{
	order = gms_limit_uniform(s, index, look, order);
	order = gms_limit_quarantine(s, index, order);
	if (accessor == GMS_HOST)
		return order;
	order = gms_bindings_order(&s->bindings, index, order);
	return gms_limit_attributes(s, index, order);
}

#endif /* GMS_ENGINE_LIMIT_H */
