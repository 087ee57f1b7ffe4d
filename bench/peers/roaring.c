/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * roaring.c - peer: a CRoaring bitmap
 *
 * Its indices have 32 bits, which suffice for 16T. It has no walk over runs, only one over single
 * pages. A pattern that has been built is run-length coded and trimmed.
 */
#include <roaring/roaring.h>

#include "bench.h"

#define PEER_NAME "CRoaring"
#define PEER_SYMBOL bench_peer_roaring
#define PEER_HAS_ORDER
#define PEER_SIZE_MAX BENCH_16T
#define PEER_COMPACT(o) (roaring_bitmap_run_optimize(o), roaring_bitmap_shrink_to_fit(o))

typedef roaring_bitmap_t peer_obj;

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	return set ? roaring_bitmap_from_range(0, nr_pages, 1) : roaring_bitmap_create();
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	roaring_bitmap_free(o);
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	if (nr == 1)
		roaring_bitmap_add(o, start);
	else
		roaring_bitmap_add_range_closed(o, start, start + nr - 1);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	if (nr == 1)
		roaring_bitmap_remove(o, start);
	else
		roaring_bitmap_remove_range_closed(o, start, start + nr - 1);
}

static bench_noinline bool peer_test(peer_obj *o, uint64_t i)
{
	return roaring_bitmap_contains(o, i);
}

/* Counts, because roaring_bitmap_contains_range() of 0.2.66 fails an assertion of its own. */
static inline bool roaring_is_uniform(const peer_obj *o, uint64_t i, unsigned int order)
{
	return !(roaring_bitmap_range_cardinality(o, gms_order_down(i, order),
						  gms_order_up(i, order)) %
		 gms_order_pages(order));
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	if (!roaring_is_uniform(o, i, GMS_ORDER_2M))
		return GMS_ORDER_4K;
	return roaring_is_uniform(o, i, GMS_ORDER_1G) ? GMS_ORDER_1G : GMS_ORDER_2M;
}

#include "rows.h"
