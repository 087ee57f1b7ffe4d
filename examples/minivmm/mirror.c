// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mirror.c - a listener that knows what is shared
 *
 * A real one maps what it is given into an IOMMU, or tells another process of it, and may say no.
 */
#include "mirror.h"

#include <errno.h>
#include <string.h>

/* How many edges are at or before an index: odd where the page there is shared. */
static size_t edges_until(const struct mirror *mirror, gms_pgoff_t index)
{
	size_t n = 0;

	while (n < mirror->count && mirror->edges[n] <= index)
		n++;
	return n;
}

/* Is all of the run in the mirror, or all of it not? */
static bool has(const struct mirror *mirror, const struct gms_run *run, bool shared)
{
	size_t first = edges_until(mirror, run->start);

	return first == edges_until(mirror, run->start + run->nr_pages - 1) &&
	       (first & 1) == (shared ? 1 : 0);
}

static void toggle(struct mirror *mirror, gms_pgoff_t edge)
{
	size_t at = edges_until(mirror, edge), rest = mirror->count - at;
	gms_pgoff_t *p = mirror->edges + at;

	if (at && p[-1] == edge) {
		memmove(p - 1, p, rest * sizeof(*p));
		mirror->count--;
	} else {
		memmove(p + 1, p, rest * sizeof(*p));
		*p = edge;
		mirror->count++;
	}
}

static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct mirror *mirror = ctx;

	mirror->calls++;
	for (size_t i = 0; i < count; i++) {
		if (mirror->count + 2 > MIRROR_MAX) {
			*done = i; /* these are taken back by a call of their own */
			return -ENOSPC;
		}
		if (!has(mirror, &runs[i], to != GMS_SHARED))
			mirror->confused = true;
		toggle(mirror, runs[i].start);
		toggle(mirror, runs[i].start + runs[i].nr_pages);
	}
	return 0;
}

const struct gms_listener_ops mirror_ops = {
	.struct_size = sizeof(mirror_ops),
	.flags = GMS_LISTENER_CAN_SPLIT,
	.change = change,
};

bool mirror_agrees(const struct mirror *mirror, const struct gms_state *state)
{
	struct gms_iter iter;
	struct gms_run run;
	size_t n = 0;

	gms_iter_init(&iter, state, 0, gms_state_nr_pages(state));
	while (gms_iter_next(&iter, &run)) {
		if (run.shareability != GMS_SHARED)
			continue;
		if (n + 2 > mirror->count || mirror->edges[n] != run.start ||
		    mirror->edges[n + 1] != run.start + run.nr_pages)
			return false;
		n += 2;
	}
	return n == mirror->count && !mirror->confused;
}

uint64_t mirror_pages(const struct mirror *mirror)
{
	uint64_t nr_pages = 0;

	for (size_t i = 0; i + 1 < mirror->count; i += 2)
		nr_pages += mirror->edges[i + 1] - mirror->edges[i];
	return nr_pages;
}
