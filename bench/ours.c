/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ours.c - the range tree as its users call it
 *
 * Compiled once more, with BENCH_BESIDE, for another checkout of the library that is measured
 * beside this one: see CMakeLists.txt. Memory comes through struct gms_allocator from where the
 * peers have it from.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmemstate/rtree.h>
#include <gmemstate/state.h>

#include "allocator.h"
#include "bench.h"

#ifdef BENCH_BESIDE
#define PEER_NAME "beside"
#define PEER_SYMBOL bench_peer_beside
#else
#define PEER_NAME "ours"
#define PEER_SYMBOL bench_peer_ours
#endif
#define P_HAS_ORDER
#define P_HAS_RUNS
#define P_HAS_PREP
#define P_SIZE_MAX BENCH_16T
#define P_CONCURRENT

#define P_BYTES(o, allocated) (gms_rtree_memory(o) + gms_rtree_pooled(o))
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

/* What the engine does for each of its stores: prepared, so that it can be reverted. */
static inline void p_store_prep(p_obj *o, uint64_t start, uint64_t nr, bool set)
{
	struct gms_rtree_reserve reserve;

	if (gms_rtree_prepare(o, start, nr, &reserve))
		abort();
	gms_rtree_commit(o, start, nr, set, &reserve);
	gms_rtree_release(o, &reserve);
}
#define p_set_prep(o, start, nr) p_store_prep(o, start, nr, true)
#define p_clear_prep(o, start, nr) p_store_prep(o, start, nr, false)

#ifdef BENCH_CURSOR
struct p_cursor {
	struct gms_rtree_cursor c;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	gms_rtree_cursor_init(&c->c, o, 0, UINT64_MAX);
}

static inline bool next_run(struct p_cursor *c, struct gms_rtree_run *r)
{
	return gms_rtree_cursor_next(&c->c, r);
}
#else
struct p_cursor {
	struct gms_rtree *o;
	uint64_t at;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	c->o = o;
	c->at = 0;
}

static inline bool next_run(struct p_cursor *c, struct gms_rtree_run *r)
{
	if (!gms_rtree_next(c->o, c->at, UINT64_MAX, r))
		return false;
	c->at += r->nr_pages;
	return true;
}
#endif

static inline bool p_next(struct p_cursor *c, struct bench_run *run)
{
	struct gms_rtree_run r;

	if (!next_run(c, &r))
		return false;
	*run = (struct bench_run) {r.start, r.nr_pages, r.set};
	return true;
}

static const char *p_verify(void *obj)
{
	const char *reason = "gms_rtree_verify";

	return gms_rtree_verify(obj, &reason) ? NULL : reason;
}
#define P_VERIFY p_verify

/* Rows of the tree, done through a state object: its locks, sequence numbers and counters. */
static void row_gms_convert(struct bench *bench);
static void row_gms_convert_outstanding(struct bench *bench);
static void row_memory_state_10(struct bench *bench);
static void row_memory_trace_a(struct bench *bench);
static void row_memory_trace_c(struct bench *bench);
#define P_EXTRA_ROWS                                                                \
	{"gms_convert", row_gms_convert, 0, false},                                 \
		{"gms_convert_outstanding", row_gms_convert_outstanding, 0, false}, \
		{"memory_state_10", row_memory_state_10, 1, false},                 \
		{"memory_trace_A", row_memory_trace_a, 1, false},                   \
		{"memory_trace_C", row_memory_trace_c, 1, false},

#include "rows.h"

static struct gms_state *create_state(unsigned int bits)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s;

	opts.nr_pages = (uint64_t)1 << bits;
	opts.flags = GMS_INIT_PRIVATE;
	opts.allocator = &bench_allocator;
	if (gms_state_create(&opts, &s))
		abort();
	return s;
}

static inline void convert_page(struct gms_state *s, uint64_t page, enum gms_shareability to)
{
	gms_convert(s, page, 1, to, 0, NULL);
}

static void convert_pages(struct gms_state *s, uint64_t *x, int nr)
{
	for (int i = 0; i < nr; i += 2) {
		*x = bench_next(*x);
		convert_page(s, p_mixed_page(bench_mixed_16g, *x), GMS_PRIVATE);
		*x = bench_next(*x);
		convert_page(s, p_mixed_page(bench_mixed_16g, *x), GMS_SHARED);
	}
}

static void row_gms_convert(struct bench *bench)
{
	static struct gms_state *s;
	static uint64_t x = 1;

	if (!s) {
		s = create_state(BENCH_16G);
		convert_pages(s, &x, 1000000);
	}
	convert_pages(s, &x, 256);
	while (bench_more(bench, 256))
		convert_pages(s, &x, 256);
}

static void convert_outstanding(struct gms_state *s, uint64_t *n, int nr)
{
	for (int i = 0; i < nr; i += 2, ++*n) {
		convert_page(s, bench_nth(*n - P_OUTSTANDING, BENCH_16G), GMS_PRIVATE);
		convert_page(s, bench_nth(*n, BENCH_16G), GMS_SHARED);
	}
}

static void row_gms_convert_outstanding(struct bench *bench)
{
	static struct gms_state *s;
	static uint64_t n = 1;

	if (!s) {
		s = create_state(BENCH_16G);
		convert_outstanding(s, &n, 1 << 20);
	}
	convert_outstanding(s, &n, 256);
	while (bench_more(bench, 256))
		convert_outstanding(s, &n, 256);
}

/* memory_state_10: the pattern "1T, mixed 10%", made by conversions */
static void convert_mixed(struct gms_state *s)
{
	const struct bench_mixed *m = bench_mixed_of(BENCH_1T, 100);

	for (uint64_t n = 0; n < m->nr_blocks; n++) {
		const uint32_t i = m->order[n];

		gms_convert(s, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i],
			    GMS_SHARED, 0, NULL);
	}
}

/* memory_trace: the conversions of a log of tests/data; a guest of 2G, private at first */
#define TRACE_BITS 19

static void replay(struct gms_state *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128], op[16];
	uint64_t at, size;

	if (!f)
		abort();
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*u,%15[^,],%" SCNx64 ",%" SCNu64, op, &at, &size) != 3)
			continue;
		if (!strcmp(op, "to_shared"))
			gms_convert(s, at >> 12, size >> 12, GMS_SHARED, 0, NULL);
		else if (!strcmp(op, "to_private") || !strcmp(op, "accept"))
			gms_convert(s, at >> 12, size >> 12, GMS_PRIVATE, 0, NULL);
	}
	fclose(f);
}

/* All that was allocated for a state object, and not only what it says itself. */
static void report_state(struct bench *bench, struct gms_state *s, uint64_t bytes)
{
	struct gms_stats stats = {.struct_size = sizeof(stats)};

	gms_stats_read(s, &stats);
	while (bench_more(bench, 1))
		;
	bench_counter(bench, "bytes", (double)bytes);
	bench_counter(bench, "in_use", (double)stats.bytes_in_use);
	bench_counter(bench, "pooled", (double)stats.bytes_pooled);
	gms_state_destroy(s);
}

static void row_memory_state_10(struct bench *bench)
{
	const uint64_t before = bench_allocated();
	struct gms_state *s = create_state(BENCH_1T);

	convert_mixed(s);
	report_state(bench, s, bench_allocated() - before);
}

static void row_trace(struct bench *bench, const char *path)
{
	const uint64_t before = bench_allocated();
	struct gms_state *s = create_state(TRACE_BITS);

	replay(s, path);
	report_state(bench, s, bench_allocated() - before);
}

static void row_memory_trace_a(struct bench *bench)
{
	row_trace(bench, BENCH_DATA "/A.csv");
}

static void row_memory_trace_c(struct bench *bench)
{
	row_trace(bench, BENCH_DATA "/C.csv");
}
