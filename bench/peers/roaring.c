/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * roaring.c - peer: a CRoaring bitmap
 *
 * Its indices have 32 bits, just enough for 16T. It has no walk over runs, only one over
 * single pages. A pattern is run-length coded and trimmed when it has been built.
 */
#include <roaring/roaring.h>

#include "bench.h"

#define PEER_NAME "CRoaring"
#define PEER_SYMBOL bench_peer_roaring
#define P_HAS_ORDER
#define P_SIZE_MAX BENCH_16T
#define P_SETTLE(o) (roaring_bitmap_run_optimize(o), roaring_bitmap_shrink_to_fit(o))

typedef roaring_bitmap_t p_obj;

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	return set ? roaring_bitmap_from_range(0, nr_pages, 1) : roaring_bitmap_create();
}

static bench_noinline void p_destroy(p_obj *o)
{
	roaring_bitmap_free(o);
}

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	if (nr == 1)
		roaring_bitmap_add(o, start);
	else
		roaring_bitmap_add_range_closed(o, start, start + nr - 1);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	if (nr == 1)
		roaring_bitmap_remove(o, start);
	else
		roaring_bitmap_remove_range_closed(o, start, start + nr - 1);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return roaring_bitmap_contains(o, i);
}

static inline uint64_t count(const p_obj *o, uint64_t i, uint64_t nr)
{
	return roaring_bitmap_range_cardinality(o, i & ~(nr - 1), (i & ~(nr - 1)) + nr);
}

/* By counting: roaring_bitmap_contains_range() of 0.2.66 fails an assertion of its own. */
static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	if (count(o, i, BENCH_PAGES_2M) % BENCH_PAGES_2M)
		return 0;
	return count(o, i, BENCH_PAGES_1G) % BENCH_PAGES_1G ? BENCH_ORDER_2M : BENCH_ORDER_1G;
}

#include "rows.h"
