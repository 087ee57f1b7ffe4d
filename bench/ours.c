/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ours.c - peer: the range tree, as its users call it
 *
 * With BENCH_BESIDE this file is compiled once more, for another checkout of the library: see
 * CMakeLists.txt.
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
#define PEER_HAS_ORDER
#define PEER_HAS_RUNS
#define PEER_HAS_PREP
#define PEER_SIZE_MAX BENCH_16T
#define PEER_CONCURRENT

#define PEER_BYTES(o, allocated) (gms_rtree_memory(o) + gms_rtree_pooled(o))
#define PEER_COUNT(bench, o)                                  \
	(bench_counter(bench, "in_use", gms_rtree_memory(o)), \
	 bench_counter(bench, "pooled", gms_rtree_pooled(o)))

typedef struct gms_rtree peer_obj;
#define peer_destroy gms_rtree_destroy
#define peer_set(o, start, nr) ((void)gms_rtree_set(o, start, nr))
#define peer_clear(o, start, nr) ((void)gms_rtree_clear(o, start, nr))
#define peer_test gms_rtree_test
#define peer_order gms_rtree_uniform_order

static inline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	struct gms_rtree *o;

	if (gms_rtree_create(nr_pages, set ? GMS_RTREE_ALL : GMS_RTREE_NONE, &bench_allocator, &o))
		abort();
	return o;
}

/* Stores as the engine does: with a reserve, so that the store could be reverted. */
static inline void peer_store_prep(peer_obj *o, uint64_t start, uint64_t nr, bool set)
{
	struct gms_rtree_reserve reserve;

	if (gms_rtree_prepare(o, start, nr, &reserve))
		abort();
	gms_rtree_commit(o, start, nr, set, &reserve);
	gms_rtree_release(o, &reserve);
}
#define peer_set_prep(o, start, nr) peer_store_prep(o, start, nr, true)
#define peer_clear_prep(o, start, nr) peer_store_prep(o, start, nr, false)

#ifdef BENCH_CURSOR
struct peer_cursor {
	struct gms_rtree_cursor c;
};

static inline void peer_first(peer_obj *o, struct peer_cursor *c)
{
	gms_rtree_cursor_init(&c->c, o, 0, UINT64_MAX);
}

static inline bool ours_next_run(struct peer_cursor *c, struct gms_rtree_run *r)
{
	return gms_rtree_cursor_next(&c->c, r);
}
#else
struct peer_cursor {
	struct gms_rtree *o;
	uint64_t at;
};

static inline void peer_first(peer_obj *o, struct peer_cursor *c)
{
	c->o = o;
	c->at = 0;
}

static inline bool ours_next_run(struct peer_cursor *c, struct gms_rtree_run *r)
{
	if (!gms_rtree_next(c->o, c->at, UINT64_MAX, r))
		return false;
	c->at += r->nr_pages;
	return true;
}
#endif

static inline bool peer_next(struct peer_cursor *c, struct bench_run *run)
{
	struct gms_rtree_run r;

	if (!ours_next_run(c, &r))
		return false;
	*run = (struct bench_run) {r.start, r.nr_pages, r.set};
	return true;
}

static const char *peer_verify(void *obj)
{
	const char *reason = "gms_rtree_verify";

	return gms_rtree_verify(obj, &reason) ? NULL : reason;
}
#define PEER_VERIFY peer_verify

/* Rows through a state object, with its locks, sequence numbers and counters. */
static void ours_row_convert(struct bench *bench);
static void ours_row_convert_outstanding(struct bench *bench);
static void ours_row_memory_state_10(struct bench *bench);
static void ours_row_memory_trace_a(struct bench *bench);
static void ours_row_memory_trace_c(struct bench *bench);
#define PEER_EXTRA_ROWS                                                              \
	{"gms_convert", ours_row_convert, 0, false},                                 \
		{"gms_convert_outstanding", ours_row_convert_outstanding, 0, false}, \
		{"memory_state_10", ours_row_memory_state_10, 1, false},             \
		{"memory_trace_A", ours_row_memory_trace_a, 1, false},               \
		{"memory_trace_C", ours_row_memory_trace_c, 1, false},

#include "rows.h"

static struct gms_state *ours_create_state(unsigned int bits)
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

static inline void ours_convert_page(struct gms_state *s, uint64_t page, enum gms_shareability to)
{
	gms_convert(s, page, 1, to, 0, NULL);
}

static void ours_convert_pages(struct gms_state *s, uint64_t *x, int nr)
{
	for (int i = 0; i < nr; i += 2) {
		*x = bench_next(*x);
		ours_convert_page(s, peer_mixed_page(bench_mixed_16g, *x), GMS_PRIVATE);
		*x = bench_next(*x);
		ours_convert_page(s, peer_mixed_page(bench_mixed_16g, *x), GMS_SHARED);
	}
}

static void ours_row_convert(struct bench *bench)
{
	static struct gms_state *s;
	static uint64_t x = 1;

	if (!s) {
		s = ours_create_state(BENCH_16G);
		ours_convert_pages(s, &x, 1000000);
	}
	ours_convert_pages(s, &x, 256);
	while (bench_more(bench, 256))
		ours_convert_pages(s, &x, 256);
}

static void ours_convert_outstanding(struct gms_state *s, uint64_t *n, int nr)
{
	for (int i = 0; i < nr; i += 2, ++*n) {
		ours_convert_page(s, bench_nth(*n - PEER_OUTSTANDING, BENCH_16G), GMS_PRIVATE);
		ours_convert_page(s, bench_nth(*n, BENCH_16G), GMS_SHARED);
	}
}

static void ours_row_convert_outstanding(struct bench *bench)
{
	static struct gms_state *s;
	static uint64_t n = 1;

	if (!s) {
		s = ours_create_state(BENCH_16G);
		ours_convert_outstanding(s, &n, 1 << 20);
	}
	ours_convert_outstanding(s, &n, 256);
	while (bench_more(bench, 256))
		ours_convert_outstanding(s, &n, 256);
}

/* memory_state_10: makes the pattern "1T, mixed 10%" by conversions. */
static void ours_convert_mixed(struct gms_state *s)
{
	const struct bench_mixed *m = bench_mixed_of(BENCH_1T, 100);

	for (uint64_t n = 0; n < m->nr_blocks; n++) {
		const uint32_t i = m->order[n];

		gms_convert(s, m->block[i] * BENCH_PAGES_2M + m->start[i], m->end[i] - m->start[i],
			    GMS_SHARED, 0, NULL);
	}
}

/* memory_trace: replays a log of tests/data. Its guest has 2G, all private at first. */
#define OURS_TRACE_BITS 19

static void ours_replay(struct gms_state *s, const char *path)
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

/* Reports all that was allocated for a state object, and the object's own counts. */
static void ours_report(struct bench *bench, struct gms_state *s, uint64_t bytes)
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

static void ours_row_memory_state_10(struct bench *bench)
{
	const uint64_t before = bench_allocated();
	struct gms_state *s = ours_create_state(BENCH_1T);

	ours_convert_mixed(s);
	ours_report(bench, s, bench_allocated() - before);
}

static void ours_row_trace(struct bench *bench, const char *path)
{
	const uint64_t before = bench_allocated();
	struct gms_state *s = ours_create_state(OURS_TRACE_BITS);

	ours_replay(s, path);
	ours_report(bench, s, bench_allocated() - before);
}

static void ours_row_memory_trace_a(struct bench *bench)
{
	ours_row_trace(bench, BENCH_DATA "/A.csv");
}

static void ours_row_memory_trace_c(struct bench *bench)
{
	ours_row_trace(bench, BENCH_DATA "/C.csv");
}
