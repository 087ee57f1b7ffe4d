/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * granule.h - a listener, and a walk over the granules that a notification names
 *
 * Candidates are the granules that the ranges touch, or the granules between the ranges. The walk
 * visits the candidates that are wholly shared. With granules of 2M or more it reads the
 * summaries of the 2M blocks, 64 at a time, and no leaf.
 *
 * No thread changes the state of a candidate during a walk.
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
	bool stuck; /* set under a convert lock of its range, cleared under all */
	struct gms_mutex lock; /* around its calls, without GMS_LISTENER_CONCURRENT */
};

enum gms_granules_which {
	GMS_GRANULES_TOUCHED, /* the granules that the ranges touch */
	GMS_GRANULES_BETWEEN, /* the granules between the ranges that no range touches */
};

struct gms_granules {
	const struct gms_ranges *ranges;
	enum gms_granules_which which;
};

/* A walk begins with the first five members set, and the others 0. */
struct gms_granule_walk {
	const struct gms_state *s;
	const struct gms_listener *l;
	struct gms_granules what;
	struct gms_range part; /* the walk visits granules in this part only */
	bool quarantined; /* also visit quarantined granules */
	bool more; /* at.range is the next range, and was not looked at */
	struct gms_ranges_walk at;
	struct gms_range candidates; /* those before start were visited */
	struct gms_rtree_cursor cursor; /* by pages: over the candidates */
	/* by 2M blocks: which of the 64 blocks of number shared_at are shared */
	uint64_t shared, shared_at;
	bool has_shared;
};

/* Finds the next run of granules that are wholly shared. Returns false if there is none. */
bool gms_granule_walk_next(struct gms_granule_walk *w, struct gms_range *run);

/*
 * Finds the next granules of 2M that are wholly shared. Stores each as a run of its own. Returns
 * how many it has found, @room at most.
 */
size_t gms_granule_walk_2m(struct gms_granule_walk *w, enum gms_shareability to,
			   struct gms_run *runs, size_t room);

#endif /* GMS_LISTENER_GRANULE_H */
