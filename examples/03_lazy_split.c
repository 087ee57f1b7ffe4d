// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 03_lazy_split.c - when is a folio of 1G split? The same story under two policies
 *
 * A guest of 1 GiB, backed by one folio of 1G, all shared at first, as a guest that accepts
 * its memory in chunks finds it. After each step this prints, for three places,
 *
 *  - of which order the folio is there (18 is 1G, 9 is 2M, 0 is 4K);
 *  - how large a mapping the guest may have there.
 *
 * lazy splits where the host touches a block that is mixed, and no further than it has to;
 * eager splits as soon as not all of the block is private.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/state.h>

#define NR_PAGES (1ULL << GMS_ORDER_1G)
#define CHUNK 1024 /* pages: what the guest accepts at a time, 4 MiB */

/* three pages, each in a 2M block of its own */
static const gms_pgoff_t accepted = 0x10000; /* the first page of the chunk */
static const gms_pgoff_t opened = 0x10200; /* in the chunk as well; shared again later on */
static const gms_pgoff_t untouched = 0x20000; /* nothing is ever converted around it */

/* Touch a page and let go of it again: 0, or why not. The order of the mapping: *order. */
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

/* Guest faults split nothing, so that looking changes nothing. */
static int show(struct gms_state *state, const char *step)
{
	const gms_pgoff_t place[] = {accepted, opened, untouched};
	struct gms_stats stats = {.struct_size = sizeof(stats)};
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

static int story(struct gms_state *state)
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

	/* Around this page 2M are all shared: 2M is as far as anybody needs to go. */
	if (!rc)
		rc = touch(state, untouched, GMS_HOST, &order);
	if (!rc)
		rc = show(state, "the host touches a shared page");

	if (!rc)
		rc = gms_convert(state, opened, 1, GMS_SHARED, 0, NULL);
	if (!rc)
		rc = show(state, "the guest shares one of the accepted");

	/* And around this one they are not. */
	if (!rc)
		rc = touch(state, opened, GMS_HOST, &order);
	if (!rc)
		rc = show(state, "the host touches that one");
	return rc;
}

static int tell(const struct gms_policy_ops *policy)
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
	rc = story(state);
	gms_state_destroy(state);
	return rc;
}

int main(void)
{
	int rc;

	printf("folio's order / guest's mapping          accepted   opened  untouched"
	       "  splits of 1G + 2M\n");
	rc = tell(gms_policy_lazy());
	if (!rc)
		rc = tell(gms_policy_eager());
	if (rc)
		fprintf(stderr, "03_lazy_split: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
