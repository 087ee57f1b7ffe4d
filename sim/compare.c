// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compare.c - compares the library with the simulated machine
 *
 * Shareability is compared for every page, run by run. For all else the library has only queries
 * of single pages. In an object of at most COMPARE_EXACT_PAGES every page is queried. A larger
 * object is divided into the runs that are uniform in the simulation. The pages near the ends of
 * each run are queried, and every COMPARE_STRIDE-th page between them. COMPARE_STRIDE is less than
 * 512, so a 2M block that differs is found wherever it is.
 */
#include "sim_priv.h"

#include <gmemstate/state.h>

#include <inttypes.h>
#include <stdio.h>

#define COMPARE_EXACT_PAGES (1ULL << 21)
#define COMPARE_NEAR 1024
#define COMPARE_STRIDE 61

/* Stores a difference in the sim, and returns it. */
static const char *compare_differs(struct sim *sim, gms_pgoff_t index, const char *what)
{
	snprintf(sim->differs, sizeof(sim->differs), "page 0x%" PRIx64 ": %s", index, what);
	return sim->differs;
}

/* Finds the first page of a run that is not quarantined. Returns false if there is none. */
static bool compare_find_known(const struct gms_state *state, const struct gms_rtree_run *run,
			       gms_pgoff_t *index)
{
	for (*index = run->start; *index < run->start + run->nr_pages; ++*index) {
		if (!gms_is_quarantined(state, *index))
			return true;
	}
	return false;
}

static const char *compare_private(struct sim *sim, const struct gms_state *state)
{
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, state, 0, sim->opts.nr_pages);
	while (gms_iter_next(&iter, &run)) {
		const bool private = run.shareability == GMS_PRIVATE;
		const gms_pgoff_t end = run.start + run.nr_pages;
		struct gms_rtree_run r;
		gms_pgoff_t index;

		for (gms_pgoff_t at = run.start; gms_rtree_next(sim->private, at, end, &r);
		     at += r.nr_pages) {
			if (r.set != private && compare_find_known(state, &r, &index))
				return compare_differs(sim, index,
						       private ? "private, and shared in the sim"
							       : "shared, and private in the sim");
		}
	}
	return NULL;
}

static const char *compare_page(struct sim *sim, const struct gms_state *state, gms_pgoff_t index,
				int level, bool prepared)
{
	if (gms_is_allocated(state, index) != (level != SIZES_LEVEL_NONE))
		return compare_differs(sim, index,
				       level == SIZES_LEVEL_NONE ? "allocated, and not in the sim"
								 : "allocated in the sim only");
	if (level != SIZES_LEVEL_NONE && gms_folio_order(state, index) != sizes_level_order(level))
		return compare_differs(sim, index, "in a folio of another order than in the sim");
	if (gms_is_prepared(state, index) != prepared && !gms_is_quarantined(state, index))
		return compare_differs(sim, index,
				       prepared ? "prepared in the sim only"
						: "prepared, and not in the sim");
	return NULL;
}

static const char *compare_run(struct sim *sim, const struct gms_state *state,
			       const struct sizes_run *run, bool prepared)
{
	const uint64_t stride = sim->opts.nr_pages > COMPARE_EXACT_PAGES ? COMPARE_STRIDE : 1;
	const char *why = NULL;

	for (uint64_t i = 0; !why && i < run->nr_pages;) {
		why = compare_page(sim, state, run->start + i, run->level, prepared);
		i += i < COMPARE_NEAR || i + COMPARE_NEAR + stride > run->nr_pages ? 1 : stride;
	}
	return why;
}

const char *sim_compare(struct sim *sim, const struct gms_state *state)
{
	const uint64_t nr_pages = sim->opts.nr_pages;
	struct gms_rtree_run prepared;
	struct sizes_run run;
	const char *why;

	if (gms_state_nr_pages(state) != nr_pages)
		return "of another size than the sim";
	if (sim->nr_begun)
		return "invalidate_begin without invalidate_end";
	why = compare_private(sim, state);
	for (gms_pgoff_t at = 0; !why && at < nr_pages; at += run.nr_pages) {
		gms_rtree_next(sim->prepared, at, nr_pages, &prepared);
		sizes_next(&sim->folios, at, at + prepared.nr_pages, &run);
		why = compare_run(sim, state, &run, prepared.set);
	}
	if (why)
		return why;
	gms_for_each_1g(start, end, 0, nr_pages) {
		if (sim->used[start >> GMS_ORDER_1G] &&
		    gms_rtree_fill(sim->folios.at_least[0], start, GMS_ORDER_1G) == GMS_RTREE_NONE)
			return compare_differs(
				sim, start,
				"the 1G block became free, and block_freed was not called");
	}
	return NULL;
}
