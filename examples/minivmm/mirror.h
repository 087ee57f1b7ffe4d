/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mirror.h - a listener that keeps account of the shared pages, as VFIO or vhost would map them
 *
 * The mirror is a sorted list of edges: the indices at which shared and private pages meet. Edges
 * 0 and 1 are the start and the end of the first shared run, and so on. A run that is delivered or
 * withdrawn adds two edges. An edge that is in the list already is removed instead.
 */
#ifndef MIRROR_H
#define MIRROR_H

#include <gmemstate/state.h>

#define MIRROR_MAX 1024

struct mirror {
	gms_pgoff_t edges[MIRROR_MAX];
	size_t count;
	unsigned int calls; /* of the listener */
	bool confused; /* a delivered run was in the mirror already, or a withdrawn run was not */
};

/* To be registered with a struct mirror as context. */
extern const struct gms_listener_ops mirror_ops;

/* Returns true if the mirror has all shared pages of the state, and no others. */
bool mirror_agrees(const struct mirror *mirror, const struct gms_state *state);

/* Returns how many pages the mirror has. */
uint64_t mirror_pages(const struct mirror *mirror);

#endif /* MIRROR_H */
