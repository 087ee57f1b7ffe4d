// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 03_lazy_split.c - shows when a folio of 1G is split: the same steps under two policies
 *
 * The guest has 1 GiB, backed by one folio of 1G, and all of it is shared at first. (A guest that
 * accepts its memory in chunks begins like this.) After each step the program prints, for three
 * pages,
 *
 *  - the order of the folio (18 is 1G, 9 is 2M, 0 is 4K);
 *  - the order of the largest mapping that the guest may have.
 *
 * The policy lazy splits a folio when the host touches a mixed block of it, and only as far as
 * needed. The policy eager splits a folio as soon as one of its pages is shared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/order.h>
#include <gmemstate/state.h>

#define NR_PAGES gms_order_pages(GMS_ORDER_1G)
#define CHUNK 1024 /* in pages: the guest accepts 4 MiB at a time */

/* Three pages, each in a different 2M block. */
static const gms_pgoff_t accepted = 0x10000; /* the first page of the chunk */
static const gms_pgoff_t opened = 0x10200; /* in the chunk as well; shared again later */
static const gms_pgoff_t untouched = 0x20000; /* its block is never converted */

/* Answers a fault, and sets *order to that of the largest mapping. Returns 0 or -errno. */
static int touch(struct gms_state *state, gms_pgoff_t index, enum gms_accessor accessor,
		 unsigned int *order)
{
	struct gms_fault fault;
	int rc;

	rc = gms_fault_begin(state, index, accessor, &fault);
	if (rc)
		return rc;
	if (accessor == GMS_GUEST && !fault.prepared)
		rc = gms_fault_prepare(state, &fault);
	*order = fault.max_order;
	gms_fault_end(state, &fault);
	return rc;
}

/* Prints the orders after a step. The faults that it makes are the guest's, and split nothing. */
static int show(struct gms_state *state, const char *step)
{
	const gms_pgoff_t place[] = {accepted, opened, untouched};
	struct gms_stats stats = GMS_STATS_INIT;
	unsigned int i, order[3];
	int rc;

	for (i = 0; i < 3; i++) {
		rc = touch(state, place[i], GMS_GUEST, &order[i]);
		if (rc)
			return rc;
	}
	gms_stats_read(state, &stats);
	printf("  %-36s", step);
	for (i = 0; i < 3; i++)
		printf("  %2u / %-2u", gms_folio_order(state, place[i]), order[i]);
	printf("  %2" PRIu64 " + %" PRIu64 "\n", stats.splits_1g, stats.splits_2m);
	return 0;
}

static int run_steps(struct gms_state *state)
{
	unsigned int order;
	int rc;

	rc = gms_allocate(state, 0, NR_PAGES, NULL);
	if (!rc)
		rc = show(state, "the memory is allocated");
	if (!rc)
		rc = gms_convert(state, accepted, CHUNK, GMS_PRIVATE, 0, NULL);
	if (!rc)
		rc = show(state, "the guest accepts 4 MiB");

	/* The 2M block of this page is all shared, so lazy splits the 1G to 2M. */
	if (!rc)
		rc = touch(state, untouched, GMS_HOST, &order);
	if (!rc)
		rc = show(state, "the host touches a shared page");

	if (!rc)
		rc = gms_convert(state, opened, 1, GMS_SHARED, 0, NULL);
	if (!rc)
		rc = show(state, "the guest shares an accepted page");

	/* The 2M block of this page is mixed, so lazy splits it to 4K. */
	if (!rc)
		rc = touch(state, opened, GMS_HOST, &order);
	if (!rc)
		rc = show(state, "the host touches that page");
	return rc;
}

static int run_policy(const struct gms_policy_ops *policy)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	int rc;

	opts.nr_pages = NR_PAGES;
	opts.folio_order = GMS_ORDER_1G;
	opts.policy = policy;
	rc = gms_state_create(&opts, &state);
	if (rc)
		return rc;
	printf("%s\n", policy->name);
	rc = run_steps(state);
	gms_state_destroy(state);
	return rc;
}

int main(void)
{
	int rc;

	printf("folio's order / guest's mapping          accepted   opened  untouched"
	       "  splits of 1G + 2M\n");
	rc = run_policy(gms_policy_lazy());
	if (!rc)
		rc = run_policy(gms_policy_eager());
	if (rc)
		fprintf(stderr, "03_lazy_split: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
