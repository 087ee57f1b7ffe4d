/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mirror.h - a listener that knows what is shared: what VFIO or vhost would have mapped
 *
 * It is a list of the indices at which shared and private change: the first shared run is from
 * the first to the second, and so on. A run that it is given or lets go of is two more such
 * places, or two fewer where it meets what was there.
 */
#ifndef MIRROR_H
#define MIRROR_H

#include <gmemstate/state.h>

#define MIRROR_MAX 1024

struct mirror {
	gms_pgoff_t edges[MIRROR_MAX];
	size_t count;
	unsigned int calls; /* of the listener */
	bool confused; /* it was given what it had, or told to let go of what it had not */
};

/* To be registered with a struct mirror as context. */
extern const struct gms_listener_ops mirror_ops;

/* Has it, and nothing else, what is shared by the state? */
bool mirror_agrees(const struct mirror *mirror, const struct gms_state *state);

uint64_t mirror_pages(const struct mirror *mirror);

#endif /* MIRROR_H */
