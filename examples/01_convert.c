// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 01_convert.c - create a state, convert a range, query it
 *
 * A guest boots with 4 GiB of memory, all of it private, as under SEV-SNP or TDX. Then it shares a
 * buffer of 3 MiB with the host. Build the example with
 *
 *	cc 01_convert.c $(pkg-config --cflags --libs gmemstate)
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/state.h>

static const char *const summaries[] = {"all shared", "all private", "mixed"};

static void print_runs(const struct gms_state *state)
{
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, state, 0, gms_state_nr_pages(state));
	while (gms_iter_next(&iter, &run))
		printf("  pages %#9" PRIx64 " - %#9" PRIx64 "  %s\n", run.start,
		       run.start + run.nr_pages - 1,
		       run.shareability == GMS_PRIVATE ? "private" : "shared");
}

/* Shares a range of bytes, as a VMM does when the guest requests it. Returns 0 or -errno. */
static int share(struct gms_state *state, uint64_t offset, uint64_t size)
{
	uint64_t nr_pages;
	gms_pgoff_t start;
	int rc;

	rc = gms_range_from_bytes(offset, size, &start, &nr_pages);
	if (rc)
		return rc;
	return gms_convert(state, start, nr_pages, GMS_SHARED, 0, NULL);
}

int main(void)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	const uint64_t buffer = 0x40000000; /* at 1 GiB */
	const gms_pgoff_t index = buffer >> GMS_PAGE_SHIFT;
	struct gms_state *state;
	int rc;

	opts.nr_pages = (4ULL << 30) >> GMS_PAGE_SHIFT;
	opts.flags = GMS_INIT_PRIVATE;
	rc = gms_state_create(&opts, &state);
	if (rc) {
		fprintf(stderr, "gms_state_create: %s\n", strerror(-rc));
		return 1;
	}
	printf("At first:\n");
	print_runs(state);

	rc = share(state, buffer, 3ULL << 20);
	if (rc) {
		fprintf(stderr, "gms_convert: %s\n", strerror(-rc));
		gms_state_destroy(state);
		return 1;
	}
	printf("With 3 MiB at 1 GiB shared:\n");
	print_runs(state);
	printf("  its first 2M is %s, its second %s, its 1G %s\n",
	       summaries[gms_summary(state, index, GMS_ORDER_2M)],
	       summaries[gms_summary(state, index + 512, GMS_ORDER_2M)],
	       summaries[gms_summary(state, index, GMS_ORDER_1G)]);
	printf("  a mapping at 1 GiB can cover 2^%u pages, one at 0 2^%u\n",
	       gms_max_order(state, index), gms_max_order(state, 0));
	printf("  %" PRIu64 " pages are shared\n",
	       gms_count(state, 0, gms_state_nr_pages(state), GMS_SHARED));

	/* Half a page is refused: whether to round up or down is a question of security. */
	printf("Half a page: %s\n", strerror(-share(state, buffer, 2048)));

	rc = gms_convert(state, index, 768, GMS_PRIVATE, 0, NULL);
	printf("And back:\n");
	print_runs(state);
	gms_state_destroy(state);
	return rc ? 1 : 0;
}
