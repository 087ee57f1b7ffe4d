// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rank.c - for debug builds: the locks that a thread holds, the check of their order, and the trap
 */
#include "platform.h"

#ifdef GMS_DEBUG

#include <stdio.h>
#include <unistd.h>

#define RANK_MAX_HELD 64

static __thread const struct gms_place *rank_held[RANK_MAX_HELD];
static __thread unsigned int rank_nr_held;

static const char *const rank_names[GMS_NR_RANKS] = {
	[GMS_RANK_CONVERT] = "convert lock",
	[GMS_RANK_LISTENER] = "listener lock",
	[GMS_RANK_INVALIDATE] = "invalidate lock",
	[GMS_RANK_FOLIO] = "folio lock",
	[GMS_RANK_TREE] = "tree lock",
	[GMS_RANK_BLOCKS] = "lock of the block records",
};

void gms_trap(const char *where, const char *what)
{
	char line[256];
	const int size = snprintf(line, sizeof(line), "gmemstate: %s: %s\n", where, what);
	ssize_t written;

	written = write(STDERR_FILENO, line,
			size < (int)sizeof(line) ? (size_t)size : sizeof(line) - 1);
	(void)written;
	__builtin_trap();
}

static void rank_trap(const char *where, const struct gms_place *taken, const char *how,
		      const struct gms_place *other)
{
	char what[192];

	snprintf(what, sizeof(what), "%s %u %s %s %u (lock order: core.h)", rank_names[taken->rank],
		 taken->key, how, other ? rank_names[other->rank] : "nothing",
		 other ? other->key : 0);
	gms_trap(where, what);
}

void gms_rank_enter(const struct gms_place *place, const char *where)
{
	for (unsigned int i = 0; i < rank_nr_held; i++) {
		const struct gms_place *h = rank_held[i];

		if (h->object == place->object &&
		    (h->rank > place->rank || (h->rank == place->rank && h->key >= place->key)))
			rank_trap(where, place, "is taken under", h);
	}
	if (rank_nr_held == RANK_MAX_HELD)
		gms_trap(where, "the thread holds too many locks to check their order");
	rank_held[rank_nr_held++] = place;
}

void gms_rank_leave(const struct gms_place *place, const char *where)
{
	for (unsigned int i = rank_nr_held; i--;) {
		if (rank_held[i] == place) {
			rank_held[i] = rank_held[--rank_nr_held];
			return;
		}
	}
	rank_trap(where, place, "is unlocked by a thread that does not hold it, but",
		  rank_nr_held ? rank_held[rank_nr_held - 1] : NULL);
}

bool gms_rank_holds(const void *object, enum gms_rank rank)
{
	for (unsigned int i = 0; i < rank_nr_held; i++)
		if (rank_held[i]->object == object && rank_held[i]->rank == rank)
			return true;
	return false;
}

bool gms_rank_holds_any(enum gms_rank rank)
{
	for (unsigned int i = 0; i < rank_nr_held; i++)
		if (rank_held[i]->rank == rank)
			return true;
	return false;
}

#else
typedef int gms_rank_is_for_debug_builds; /* a source file must not be empty */
#endif
