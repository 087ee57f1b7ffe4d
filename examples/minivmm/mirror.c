// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mirror.c - a listener that keeps account of the shared pages
 *
 * A real listener maps a delivered run into an IOMMU, or sends it to another process, and may
 * fail.
 */
#include "mirror.h"

#include <errno.h>
#include <string.h>

/* Returns how many edges are at or before an index. The number is odd if the page is shared. */
static size_t mirror_edges_until(const struct mirror *mirror, gms_pgoff_t index)
{
	size_t n = 0;

	while (n < mirror->count && mirror->edges[n] <= index)
		n++;
	return n;
}

/* Returns true if all of a run is in the mirror (@shared), or none of it (!@shared). */
static bool mirror_has(const struct mirror *mirror, const struct gms_run *run, bool shared)
{
	size_t first = mirror_edges_until(mirror, run->start);

	return first == mirror_edges_until(mirror, run->start + run->nr_pages - 1) &&
	       (first & 1) == (shared ? 1 : 0);
}

/* Adds an edge, or removes it if it is there. */
static void mirror_toggle(struct mirror *mirror, gms_pgoff_t edge)
{
	size_t at = mirror_edges_until(mirror, edge), rest = mirror->count - at;
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

static int mirror_change(void *ctx, const struct gms_run *runs, size_t count,
			 enum gms_shareability to, size_t *done)
{
	struct mirror *mirror = ctx;

	mirror->calls++;
	for (size_t i = 0; i < count; i++) {
		if (mirror->count + 2 > MIRROR_MAX) {
			*done = i; /* the library undoes these runs by another call */
			return -ENOSPC;
		}
		if (!mirror_has(mirror, &runs[i], to != GMS_SHARED))
			mirror->confused = true;
		mirror_toggle(mirror, runs[i].start);
		mirror_toggle(mirror, runs[i].start + runs[i].nr_pages);
	}
	return 0;
}

const struct gms_listener_ops mirror_ops = {
	.struct_size = sizeof(mirror_ops),
	.flags = GMS_LISTENER_CAN_SPLIT,
	.change = mirror_change,
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
