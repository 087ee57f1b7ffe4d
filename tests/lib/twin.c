// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * twin.c - a range tree, and the flat array that it must agree with
 */
#include "twin.h"
#include "test.h"

/* Trees of up to this size are read page by page. In larger ones a sample of pages is read. */
#define EVERY_PAGE (1ULL << 20)

const char *twin_say(const char *fmt, ...)
{
	static _Thread_local char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

void twin_init(struct twin *twin, uint64_t nr_pages, bool full)
{
	int rc;

	talloc_init(&twin->talloc);
	rc = gms_rtree_create(nr_pages, full ? GMS_RTREE_ALL : GMS_RTREE_NONE, &twin->talloc.ops,
			      &twin->tree);
	assert_int_equal(rc, 0);
	oracle_init(&twin->oracle, nr_pages, full);
}

void twin_fini(struct twin *twin)
{
	talloc_trap(&twin->talloc, TALLOC_TRAP_ALLOC);
	gms_rtree_destroy(twin->tree);
	oracle_fini(&twin->oracle);
	assert_fine(talloc_check(&twin->talloc));
	assert_int_equal(twin->talloc.live_blocks, 0);
	assert_int_equal(twin->talloc.live_bytes, 0);
}

void twin_store(struct twin *twin, uint64_t start, uint64_t nr_pages, bool set)
{
	int rc;

	if (set)
		rc = gms_rtree_set(twin->tree, start, nr_pages);
	else
		rc = gms_rtree_clear(twin->tree, start, nr_pages);
	assert_int_equal(rc, 0);
	oracle_store(&twin->oracle, start, nr_pages, set);
}

static const char *check_page(const struct twin *twin, uint64_t index)
{
	bool want = oracle_test(&twin->oracle, index);
	bool got = gms_rtree_test(twin->tree, index);

	if (got == want)
		return NULL;
	return twin_say("test(%#llx) is %d, not %d", (unsigned long long)index, got, want);
}

static const char *check_block(const struct twin *twin, uint64_t index, unsigned int order)
{
	int want = oracle_fill(&twin->oracle, index, order);
	int got = gms_rtree_fill(twin->tree, index, order);

	if (got == want)
		return NULL;
	return twin_say("fill(%#llx, order %u) is %d, not %d", (unsigned long long)index, order,
			got, want);
}

static const char *check_uniform_order(const struct twin *twin, uint64_t index)
{
	unsigned int want = oracle_uniform_order(&twin->oracle, index);
	unsigned int got = gms_rtree_uniform_order(twin->tree, index);

	if (got == want)
		return NULL;
	return twin_say("uniform_order(%#llx) is %u, not %u", (unsigned long long)index, got, want);
}

static const char *check_range(const struct twin *twin, uint64_t start, uint64_t nr_pages)
{
	uint64_t want = oracle_count(&twin->oracle, start, nr_pages);
	uint64_t got = gms_rtree_count(twin->tree, start, nr_pages);
	int want_fill, got_fill;

	if (got != want)
		return twin_say("count(%#llx, %#llx) is %#llx, not %#llx",
				(unsigned long long)start, (unsigned long long)nr_pages,
				(unsigned long long)got, (unsigned long long)want);
	want_fill = oracle_fill_range(&twin->oracle, start, nr_pages);
	got_fill = gms_rtree_fill_range(twin->tree, start, nr_pages);
	if (got_fill == want_fill)
		return NULL;
	return twin_say("fill_range(%#llx, %#llx) is %d, not %d", (unsigned long long)start,
			(unsigned long long)nr_pages, got_fill, want_fill);
}

static const char *check_run(const struct twin *twin, uint64_t from, uint64_t end,
			     struct gms_rtree_run *want)
{
	struct gms_rtree_run got = {.start = 1, .nr_pages = 2, .set = true};
	bool has = gms_rtree_next(twin->tree, from, end, &got);

	if (oracle_next(&twin->oracle, from, end, want) != has)
		return twin_say("next(%#llx, %#llx) is %d", (unsigned long long)from,
				(unsigned long long)end, has);
	if (!has ||
	    (got.start == want->start && got.nr_pages == want->nr_pages && got.set == want->set))
		return NULL;
	return twin_say("next(%#llx, %#llx) is (%#llx, %#llx, %d), not (%#llx, %#llx, %d)",
			(unsigned long long)from, (unsigned long long)end,
			(unsigned long long)got.start, (unsigned long long)got.nr_pages, got.set,
			(unsigned long long)want->start, (unsigned long long)want->nr_pages,
			want->set);
}

static const char *check_point(const struct twin *twin, uint64_t index)
{
	const char *why = check_page(twin, index);

	if (!why)
		why = check_block(twin, index, 0);
	if (!why)
		why = check_block(twin, index, T_ORDER_2M);
	if (!why)
		why = check_block(twin, index, T_ORDER_1G);
	if (!why)
		why = check_uniform_order(twin, index);
	return why;
}

const char *twin_check_account(const struct twin *twin)
{
	uint64_t memory = gms_rtree_memory(twin->tree);
	uint64_t pooled = gms_rtree_pooled(twin->tree);
	uint64_t live = twin->talloc.live_bytes;

	if (memory + pooled == live)
		return NULL;
	return twin_say("memory %llu + pooled %llu is not the %llu bytes allocated",
			(unsigned long long)memory, (unsigned long long)pooled,
			(unsigned long long)live);
}

const char *twin_check_near(const struct twin *twin, uint64_t start, uint64_t nr_pages)
{
	uint64_t end = start + nr_pages;
	uint64_t before = start ? start - 1 : 0;
	uint64_t points[] = {before, start, end - 1, end, start + nr_pages / 2};
	struct gms_rtree_run run;
	const char *why = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(points) && !why; i++)
		why = check_point(twin, points[i]);
	if (!why)
		why = check_range(twin, start, nr_pages);
	if (!why)
		why = check_range(twin, before, end - before + 1);
	if (!why)
		why = check_run(twin, before, UINT64_MAX, &run);
	if (!why)
		why = check_run(twin, start, end, &run);
	if (!why)
		why = check_run(twin, end, end + T_1G, &run);
	if (!why)
		why = twin_check_account(twin);
	return why;
}

/* Walks all runs, and reads the first and last page of each. */
static const char *check_runs(const struct twin *twin)
{
	uint64_t end = twin->oracle.nr_pages;
	struct gms_rtree_run run;
	const char *why;
	uint64_t at;

	for (at = 0; at < end; at += run.nr_pages) {
		why = check_run(twin, at, end, &run);
		if (!why)
			why = check_page(twin, at);
		if (!why)
			why = check_page(twin, at + run.nr_pages - 1);
		if (why)
			return why;
	}
	return check_run(twin, end, UINT64_MAX, &run);
}

static const char *check_pages(const struct twin *twin)
{
	uint64_t end = twin->oracle.nr_pages;
	uint64_t step = end <= EVERY_PAGE ? 1 : end / 1000;
	const char *why = NULL;
	uint64_t at;

	for (at = 0; at < end && !why; at += step)
		why = check_page(twin, at);
	for (at = end; at < end + 2 && !why; at++)
		why = check_point(twin, at);
	return why;
}

/* Checks the 2M blocks of a 1G block, whose fill in the oracle is @fill. */
static const char *check_block_1g(const struct twin *twin, uint64_t base, enum gms_rtree_fill fill)
{
	uint64_t end = twin->oracle.nr_pages;
	bool whole = base + T_1G <= end && fill != GMS_RTREE_MIXED;
	const char *why = NULL;
	uint64_t at;

	for (at = base; at < end && at < base + T_1G && !why; at += T_2M) {
		int fill_2m = oracle_fill(&twin->oracle, at, T_ORDER_2M);
		unsigned int order =
			at + T_2M <= end && fill_2m != GMS_RTREE_MIXED ? T_ORDER_2M : 0;

		why = check_block(twin, at, T_ORDER_2M);
		if (!why && gms_rtree_uniform_order(twin->tree, at) != (whole ? T_ORDER_1G : order))
			why = check_uniform_order(twin, at);
		if (!why)
			why = check_page(twin, at + at / T_2M % T_2M);
	}
	return why;
}

static const char *check_blocks(const struct twin *twin)
{
	uint64_t end = twin->oracle.nr_pages;
	const char *why = NULL;
	uint64_t at;

	for (at = 0; at < end && !why; at += T_1G) {
		why = check_range(twin, at, T_1G);
		if (!why)
			why = check_point(twin, at);
		if (!why)
			why = check_block_1g(twin, at, oracle_fill(&twin->oracle, at, T_ORDER_1G));
	}
	return why;
}

/* Checks ranges that begin and end anywhere: many short ones, and some long ones. */
static const char *check_ranges(const struct twin *twin)
{
	uint64_t end = twin->oracle.nr_pages;
	const char *why = check_range(twin, 0, UINT64_MAX);
	struct gms_rtree_run run;
	struct prng prng;
	int i;

	prng_init(&prng, end);
	for (i = 0; i < 40 && !why; i++) {
		uint64_t start = prng_below(&prng, end);
		uint64_t most = i < 4 ? end : i < 20 ? 2 * T_1G : 3 * T_2M;
		uint64_t nr_pages = prng_below(&prng, most) + 1;

		why = check_range(twin, start, nr_pages);
		if (!why)
			why = check_run(twin, start, start + nr_pages, &run);
	}
	return why;
}

struct gms_rtree *twin_fresh(const struct twin *twin, const struct gms_allocator *allocator)
{
	const struct oracle *oracle = &twin->oracle;
	bool full = oracle_count(oracle, 0, UINT64_MAX) > oracle->nr_pages / 2;
	struct gms_rtree *tree;
	struct gms_rtree_run run;
	uint64_t at;
	int rc;

	rc = gms_rtree_create(oracle->nr_pages, full ? GMS_RTREE_ALL : GMS_RTREE_NONE, allocator,
			      &tree);
	for (at = 0; !rc && oracle_next(oracle, at, UINT64_MAX, &run); at += run.nr_pages) {
		if (run.set == full)
			continue;
		if (full)
			rc = gms_rtree_clear(tree, at, run.nr_pages);
		else
			rc = gms_rtree_set(tree, at, run.nr_pages);
	}
	if (rc) {
		fprintf(stderr, "cannot make a fresh tree: %d\n", rc);
		exit(2);
	}
	return tree;
}

static const char *check_memory(const struct twin *twin)
{
	struct gms_rtree *fresh = twin_fresh(twin, NULL);
	size_t want = gms_rtree_memory(fresh);
	size_t got = gms_rtree_memory(twin->tree);
	uint64_t nodes = gms_rtree_nodes(twin->tree);
	uint64_t want_nodes = oracle_nodes(&twin->oracle);

	gms_rtree_destroy(fresh);
	if (got != want)
		return twin_say("memory is %zu, that of a fresh tree %zu", got, want);
	if (nodes != want_nodes)
		return twin_say("nodes are %llu, not %llu", (unsigned long long)nodes,
				(unsigned long long)want_nodes);
	return twin_check_account(twin);
}

const char *twin_check(struct twin *twin)
{
	const char *reason = "?";
	const char *why = check_runs(twin);

	if (!why)
		why = check_pages(twin);
	if (!why)
		why = check_blocks(twin);
	if (!why)
		why = check_ranges(twin);
	if (!why)
		why = check_memory(twin);
	if (!why && !gms_rtree_verify(twin->tree, &reason))
		why = twin_say("verify: %s", reason);
	if (!why)
		why = talloc_check(&twin->talloc);
	return why;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

struct twin_print twin_print(const struct twin *twin)
{
	struct twin_print print = {.nodes = gms_rtree_nodes(twin->tree),
				   .memory = gms_rtree_memory(twin->tree)};
	struct gms_rtree_run run;
	uint64_t at;

	for (at = 0; gms_rtree_next(twin->tree, at, UINT64_MAX, &run); at += run.nr_pages) {
		print.hash = mix(print.hash, run.nr_pages);
		print.hash = mix(print.hash, run.set);
	}
	for (at = 0; at < twin->oracle.nr_pages; at += T_2M)
		print.hash = mix(print.hash, gms_rtree_uniform_order(twin->tree, at));
	return print;
}

bool twin_print_equal(const struct twin_print *a, const struct twin_print *b)
{
	return a->hash == b->hash && a->nodes == b->nodes && a->memory == b->memory;
}
