// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * selftest.c - compares the library with an array of one byte a page: see selftest.h
 *
 * The object has two blocks of 1G, and then some blocks of 2M and some pages, so that its last
 * blocks are incomplete. Its allocator fails now and then: then nothing may change.
 */
#include "selftest.h"

#include "clock.h"
#include "random.h"
#include "snapshot.h"

#include <gmemstate/order.h>
#include <gmemstate/snapshot.h>
#include <gmemstate/state.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SELFTEST_PAGES ((2U << GMS_ORDER_1G) + (3U << GMS_ORDER_2M) + 17)

/* How many conversions precede a walk over all pages. */
#define SELFTEST_WALK 64

/* A check that goes on. @left: allocations until one fails; 0: none does. */
struct selftest_run {
	struct selftest *test;
	struct gms_allocator allocator;
	struct gms_state *state;
	unsigned char *private;
	uint64_t random;
	unsigned int left;
};

/* Notes what is wrong. Returns false. */
__attribute__((format(printf, 2, 3))) static bool selftest_fail(struct selftest_run *run,
								const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(run->test->reason, sizeof(run->test->reason), format, args);
	va_end(args);
	return false;
}

static void *selftest_alloc(void *ctx, size_t size, size_t align)
{
	struct selftest_run *run = ctx;
	void *p;

	if (run->left && !--run->left)
		return NULL;
	return posix_memalign(&p, align, size) ? NULL : p;
}

static void selftest_free(void *ctx, void *p, size_t size, size_t align)
{
	(void)ctx;
	(void)size;
	(void)align;
	free(p);
}

/* Chooses a range: a few pages, or up to 4M, or whole blocks of 2M, or anything. */
static void selftest_range(struct selftest_run *run, gms_pgoff_t *start, uint64_t *nr_pages)
{
	static const unsigned int most[] = {8, 1024, 8 << GMS_ORDER_2M, SELFTEST_PAGES};
	const uint64_t kind = random_below(&run->random, 4);

	*start = random_below(&run->random, SELFTEST_PAGES);
	*nr_pages = 1 + random_below(&run->random, most[kind]);
	if (kind == 2) {
		*start = *start >> GMS_ORDER_2M << GMS_ORDER_2M;
		*nr_pages = gms_order_up(*nr_pages, GMS_ORDER_2M);
	}
	if (*nr_pages > SELFTEST_PAGES - *start)
		*nr_pages = SELFTEST_PAGES - *start;
}

static bool selftest_convert(struct selftest_run *run)
{
	const enum gms_shareability to = random_below(&run->random, 2) ? GMS_PRIVATE : GMS_SHARED;
	gms_pgoff_t start;
	uint64_t nr_pages;
	int ret;

	selftest_range(run, &start, &nr_pages);
	run->left =
		random_below(&run->random, 8) ? 0 : 1 + (unsigned int)random_below(&run->random, 3);
	ret = gms_convert(run->state, start, nr_pages, to, 0, NULL);
	run->left = 0;
	run->test->nr_conversions++;
	if (ret == -ENOMEM)
		run->test->nr_refused++;
	else if (ret)
		return selftest_fail(
			run, "a conversion of 0x%" PRIx64 " pages at 0x%" PRIx64 " returns %d",
			nr_pages, start, ret);
	else
		memset(run->private + start, to == GMS_PRIVATE, nr_pages);
	if (run->test->plant && run->test->nr_conversions == SELFTEST_WALK)
		run->private[start] ^= 1;
	return true;
}

/* Returns the number of private pages of a range, in the model. */
static uint64_t selftest_count(const struct selftest_run *run, gms_pgoff_t start, gms_pgoff_t end)
{
	uint64_t nr = 0;

	while (start < end)
		nr += run->private[start++];
	return nr;
}

/* Asks the object about a page, and about its blocks of 2M and 1G. */
static bool selftest_query(struct selftest_run *run)
{
	const gms_pgoff_t at = random_below(&run->random, SELFTEST_PAGES);
	const unsigned int order = random_below(&run->random, 64) ? GMS_ORDER_2M : GMS_ORDER_1G;
	const gms_pgoff_t start = at >> order << order;
	gms_pgoff_t end = start + (1ULL << order);
	enum gms_summary want = GMS_MIXED;
	uint64_t nr;

	if (end > SELFTEST_PAGES)
		end = SELFTEST_PAGES;
	nr = selftest_count(run, start, end);
	if (!nr)
		want = GMS_ALL_SHARED;
	else if (nr == end - start)
		want = GMS_ALL_PRIVATE;
	run->test->nr_queries += 3;
	if (gms_is_private(run->state, at) != run->private[at])
		return selftest_fail(run, "page 0x%" PRIx64 " has the wrong shareability", at);
	if (gms_summary(run->state, at, order) != want)
		return selftest_fail(run,
				     "the block of order %u at 0x%" PRIx64 " has the wrong summary",
				     order, start);
	if (gms_count(run->state, start, end - start, GMS_PRIVATE) != nr)
		return selftest_fail(run,
				     "the block of order %u at 0x%" PRIx64
				     " has the wrong number of private pages",
				     order, start);
	return true;
}

/* Compares all runs of an object with the model. */
static bool selftest_walk(struct selftest_run *run, struct gms_state *state, const char *what)
{
	const char *reason = "";
	struct gms_iter iter;
	struct gms_run next;
	gms_pgoff_t at = 0;

	gms_iter_init(&iter, state, 0, SELFTEST_PAGES);
	for (; gms_iter_next(&iter, &next); at += next.nr_pages) {
		const gms_pgoff_t end = next.start + next.nr_pages;
		const uint64_t nr = next.start == at && end <= SELFTEST_PAGES
					    ? selftest_count(run, at, end)
					    : 0;

		if (next.start != at || end > SELFTEST_PAGES ||
		    nr != (next.shareability == GMS_PRIVATE ? next.nr_pages : 0) ||
		    (at && run->private[at] == run->private[at - 1]))
			return selftest_fail(run, "%s: the run at 0x%" PRIx64 " is wrong", what,
					     at);
	}
	if (at != SELFTEST_PAGES)
		return selftest_fail(run, "%s: the runs end at 0x%" PRIx64, what, at);
	if (!gms_state_verify(state, &reason))
		return selftest_fail(run, "%s: %s", what, reason);
	return true;
}

/*
 * Saves the object, loads it, and compares the copy with the model. The copy replaces the object:
 * it has no memory in reserve, so that more conversions have to allocate.
 */
static bool selftest_snapshot(struct selftest_run *run)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *copy;
	unsigned char *bytes;
	size_t size;
	int ret = snapshot_take(run->state, &bytes, &size);

	opts.allocator = &run->allocator;
	if (!ret)
		ret = gms_snapshot_load(bytes, size, &opts, &copy);
	free(bytes);
	if (ret)
		return selftest_fail(run, "a snapshot returns %d", ret);
	gms_state_destroy(run->state);
	run->state = copy;
	return selftest_walk(run, copy, "a loaded snapshot");
}

bool selftest_run(struct selftest *test, uint64_t ns)
{
	struct selftest_run run = {
		.test = test,
		.allocator = {.struct_size = sizeof(run.allocator),
			      .alloc = selftest_alloc,
			      .free = selftest_free,
			      .ctx = &run},
		.random = test->seed,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	const uint64_t start = clock_ns();
	bool good;
	int ret;

	opts.nr_pages = SELFTEST_PAGES;
	opts.allocator = &run.allocator;
	run.private = calloc(1, SELFTEST_PAGES);
	ret = run.private ? gms_state_create(&opts, &run.state) : -ENOMEM;
	good = ret ? selftest_fail(&run, "%s", strerror(-ret)) : true;
	while (good && test->ns < ns) {
		good = selftest_convert(&run);
		for (unsigned int i = 0; good && i < 4; i++)
			good = selftest_query(&run);
		if (good && test->nr_conversions % SELFTEST_WALK == 0) {
			good = selftest_walk(&run, run.state, "all pages") &&
			       selftest_snapshot(&run);
			test->nr_walks++;
		}
		test->ns = clock_ns() - start;
	}
	gms_state_destroy(run.state);
	free(run.private);
	return good;
}
