/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * listener_priv.h - a listener, and a walk over the granules that it is told of
 */
#ifndef GMS_LISTENER_PRIV_H
#define GMS_LISTENER_PRIV_H

#include "core/core.h"

struct gms_listener {
	struct gms_listener *prev, *next;
	struct gms_listener_ops ops;
	void *ctx;
	gms_pgoff_t start, end;
	uint64_t granule;
	unsigned int id;
	bool stuck; /* set under a convert lock of its range, cleared under all */
	struct gms_mutex lock; /* around its calls, without GMS_LISTENER_CONCURRENT */
};

enum gms_which_granules {
	GMS_GRANULES_TOUCHED, /* by the spans */
	GMS_GRANULES_BETWEEN, /* the spans, touched by none */
};

struct gms_granules {
	const struct gms_spans *spans;
	enum gms_which_granules which;
};

/* A walk begins with the first six members set, and the rest zero. */
struct gms_granule_walk {
	const struct gms_state *s;
	const struct gms_listener *l;
	struct gms_granules what;
	struct gms_span part; /* only granules in it */
	bool quarantined; /* also walk quarantined granules */
	bool more; /* span.span is the next that was not looked at */
	struct gms_span_at span;
	struct gms_span granules; /* candidates; those before start are done */
	struct gms_rtree_cursor cursor; /* over the candidates, by pages */
	/* or by 2M blocks: which of the 64 blocks of this number are shared */
	uint64_t shared, shared_at;
	bool has_shared;
};

/* The next run of granules that are wholly shared. False: there is none. */
bool gms_granule_walk_next(struct gms_granule_walk *w, struct gms_span *run);

/* The next granules of 2M that are wholly shared, each as a run of its own. How many. */
size_t gms_granule_walk_2m(struct gms_granule_walk *w, enum gms_shareability to,
			   struct gms_run *runs, size_t room);

#endif /* GMS_LISTENER_PRIV_H */
