/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ours.c - the range tree as its users call it; compiled twice, see CMakeLists.txt
 *
 * Memory comes through struct gms_allocator from where the peers have it from.
 */
#include <stdlib.h>

#include <gmemstate/rtree.h>
#include <gmemstate/state.h>

#include "allocator.h"
#include "bench.h"

#ifdef BENCH_PLAIN
#define PEER_NAME "ours-plain"
#define PEER_SYMBOL bench_peer_ours_plain
#else
#define PEER_NAME "ours"
#define PEER_SYMBOL bench_peer_ours
#endif
#define P_HAS_ORDER
#define P_HAS_RUNS
#define P_SIZE_MAX BENCH_16T
#define P_CONCURRENT

#define P_COUNT(bench, o)                                     \
	(bench_counter(bench, "in_use", gms_rtree_memory(o)), \
	 bench_counter(bench, "pooled", gms_rtree_pooled(o)))

typedef struct gms_rtree p_obj;
#define p_destroy gms_rtree_destroy
#define p_set(o, start, nr) ((void)gms_rtree_set(o, start, nr))
#define p_clear(o, start, nr) ((void)gms_rtree_clear(o, start, nr))
#define p_test gms_rtree_test
#define p_order gms_rtree_uniform_order

static inline p_obj *p_create(uint64_t nr_pages, bool set)
{
	struct gms_rtree *o;

	if (gms_rtree_create(nr_pages, set ? GMS_RTREE_ALL : GMS_RTREE_NONE, &bench_allocator, &o))
		abort();
	return o;
}

struct p_cursor {
	struct gms_rtree *o;
	uint64_t at;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	c->o = o;
	c->at = 0;
}

static inline bool p_next(struct p_cursor *c, struct bench_run *run)
{
	struct gms_rtree_run r;

	if (!gms_rtree_next(c->o, c->at, UINT64_MAX, &r))
		return false;
	c->at += r.nr_pages;
	*run = (struct bench_run) {r.start, r.nr_pages, r.set};
	return true;
}

static const char *p_verify(void *obj)
{
	const char *reason = "gms_rtree_verify";

	return gms_rtree_verify(obj, &reason) ? NULL : reason;
}
#define P_VERIFY p_verify

/* The row "convert" through the state object: its locks, sequence numbers and counters. */
static void row_gms_convert(struct bench *bench);
#define P_EXTRA_ROWS {"gms_convert", row_gms_convert, 0, false},

#include "rows.h"

static void convert_pages(struct gms_state *s, uint64_t *x, int nr)
{
	for (int i = 0; i < nr; i += 2) {
		*x = bench_next(*x);
		gms_convert(s, p_mixed_page(bench_mixed_16g, *x), 1, GMS_PRIVATE, 0, NULL);
		*x = bench_next(*x);
		gms_convert(s, p_mixed_page(bench_mixed_16g, *x), 1, GMS_SHARED, 0, NULL);
	}
}

static void row_gms_convert(struct bench *bench)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	static struct gms_state *s;
	static uint64_t x = 1;

	if (!s) {
		opts.nr_pages = (uint64_t)1 << BENCH_16G;
		opts.flags = GMS_INIT_PRIVATE;
		opts.allocator = &bench_allocator;
		if (gms_state_create(&opts, &s))
			abort();
		convert_pages(s, &x, 1000000);
	}
	while (bench_more(bench, 256))
		convert_pages(s, &x, 256);
}
