/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * conversions.h - the files of the program conversions, and the tests that each has
 *
 *	conversions.c           the program; what converted pages hold, and who can touch them
 *	conversions_args.c      what is refused
 *	conversions_holes.c     holes, and pages that are allocated or not
 *	conversions_maps.c      mappings of the host, in one process and in several
 *	conversions_nomem.c     each allocation fails in turn
 *	conversions_random.c    random steps, beside a flat array
 *	conversions_slots.c     memslots and files
 */
#ifndef CONVERSIONS_H
#define CONVERSIONS_H

#include "steps.h"

/* Most tests run in 8 MiB and some pages more, so that the last 2M block is not complete. */
#define PAGES (4 * BLOCK + 37)

#define OTHER(side) ((side) == SHARED ? PRIVATE : SHARED)

struct test_list {
	const struct CMUnitTest *tests;
	size_t nr;
};

extern const struct test_list args_tests, holes_tests, maps_tests, nomem_tests, random_tests,
	slots_tests;

#endif /* CONVERSIONS_H */
