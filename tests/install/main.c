/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - a program outside the project: sees only what is installed
 */
#include <gmemstate/state.h>

#include <stdio.h>

int main(void)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	const char *reason = "";
	gms_pgoff_t start;
	uint64_t nr_pages;
	bool fine;

	opts.nr_pages = 2ULL << GMS_ORDER_1G;
	opts.flags = GMS_INIT_PRIVATE;
	if (gms_state_create(&opts, &state))
		return 1;
	if (gms_range_from_bytes(2ULL << 20, 4096, &start, &nr_pages) ||
	    gms_convert(state, start, nr_pages, GMS_SHARED, 0, NULL))
		return 1;

	fine = start == 512 && !gms_is_private(state, 512) && gms_is_private(state, 513) &&
	       gms_summary(state, 512, GMS_ORDER_2M) == GMS_MIXED &&
	       gms_summary(state, 0, GMS_ORDER_2M) == GMS_ALL_PRIVATE &&
	       gms_max_order(state, 0) == GMS_ORDER_2M &&
	       gms_max_order(state, 1ULL << GMS_ORDER_1G) == GMS_ORDER_1G &&
	       gms_count(state, 0, opts.nr_pages, GMS_SHARED) == 1 &&
	       gms_state_verify(state, &reason);
	gms_state_destroy(state);
	puts(fine ? "fine" : reason);
	return fine ? 0 : 1;
}
