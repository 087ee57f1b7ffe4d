/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * granule.h - a listener, and a walk over the granules that a notification is about
 *
 * The candidates of a walk are the granules that the ranges of a change touch, or the granules
 * between the ranges. The walk visits those candidates that are wholly shared. With granules of 2M
 * or more it reads the summaries of the 2M blocks, 64 at a time, and no leaf.
 *
 * A granule lies in one 1G block. So the convert locks of the ranges, which the caller holds, keep
 * all pages of the candidates from changing during a walk.
 */
#ifndef GMS_LISTENER_GRANULE_H
#define GMS_LISTENER_GRANULE_H

#include "core/ranges.h"

struct gms_listener {
	struct gms_listener *prev, *next;
	struct gms_listener_ops ops;
	void *ctx;
	gms_pgoff_t start, end;
	uint64_t granule; /* in pages */
	unsigned int id;
	/* See listener.h. Set under a convert lock of the listener's range, cleared under all. */
	bool stuck;
	struct gms_mutex lock; /* serialises its calls, unless it has GMS_LISTENER_CONCURRENT */
};

enum gms_granules_which {
	GMS_GRANULES_TOUCHED, /* the granules that the ranges touch */
	GMS_GRANULES_BETWEEN, /* the granules between the ranges that no range touches */
};

/* The candidates of a notification. */
struct gms_granules {
	const struct gms_ranges *ranges;
	enum gms_granules_which which;
};

/*
 * The caller begins a walk: it sets the members up to quarantined, leaves all others 0, and sets
 * more to what gms_ranges_next() returns for the first range. A cursor that is 0 has no runs.
 */
struct gms_granule_walk {
	const struct gms_state *s;
	const struct gms_listener *l;
	struct gms_granules what;
	struct gms_range part; /* the walk visits granules in this part only */
	bool quarantined; /* the walk visits quarantined granules, too */
	bool more; /* at.range has not become candidates yet */
	struct gms_ranges_walk at;
	struct gms_range candidates; /* neighbours; those before start were visited */
	struct gms_rtree_cursor cursor; /* over the candidates; for granules below 2M */
	/* For granules of 2M or more. Bit i: 2M block 64 * shared_at + i is wholly shared. */
	uint64_t shared, shared_at;
	bool has_shared; /* shared and shared_at are set */
};

/* Finds the next run of granules that are wholly shared. Returns false if there is none. */
bool gms_granule_walk_next(struct gms_granule_walk *w, struct gms_range *run);

/*
 * Finds the next granules that are wholly shared, and stores each as a run of its own, with the
 * shareability @to. Returns how many it has found, @room at most. The granules of the listener are
 * 2M, and either w->quarantined is set or no page is quarantined.
 */
size_t gms_granule_walk_2m(struct gms_granule_walk *w, enum gms_shareability to,
			   struct gms_run *runs, size_t room);

#endif /* GMS_LISTENER_GRANULE_H */
