/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_counts.c - peer: a flat bitmap, and counters for each 2M and 1G block
 */
#include "counts_ops.h"

#define PEER_NAME "bitmap+counts"
#define PEER_SYMBOL bench_peer_bitmap_counts
#define PEER_HAS_ORDER
#define PEER_HAS_RUNS

typedef struct counts peer_obj;

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	return counts_create(nr_pages, set);
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	counts_destroy(o);
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	counts_store(o, start, nr, true);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	counts_store(o, start, nr, false);
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	return counts_order(o, i);
}

#include "bitmap_rows.h"
