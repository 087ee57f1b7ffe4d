// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rank.c - debug builds: which locks a thread holds, and whether their order is right
 */
#include "platform.h"

#ifdef GMS_DEBUG

#define MAX_HELD 64

struct held {
	const void *object;
	unsigned int rank;
	unsigned int key;
};

static __thread struct held held[MAX_HELD];
static __thread unsigned int nr_held;

void gms_rank_enter(const void *object, unsigned int rank, unsigned int key)
{
	for (unsigned int i = 0; i < nr_held; i++) {
		if (held[i].object == object)
			gms_assert(held[i].rank < rank ||
				   (held[i].rank == rank && held[i].key < key));
	}
	gms_assert(nr_held < MAX_HELD);
	held[nr_held++] = (struct held) {.object = object, .rank = rank, .key = key};
}

void gms_rank_leave(const void *object, unsigned int rank, unsigned int key)
{
	for (unsigned int i = nr_held; i--;) {
		if (held[i].object == object && held[i].rank == rank && held[i].key == key) {
			held[i] = held[--nr_held];
			return;
		}
	}
	gms_assert(false);
}

bool gms_rank_holds(const void *object, unsigned int rank)
{
	for (unsigned int i = 0; i < nr_held; i++)
		if (held[i].object == object && held[i].rank == rank)
			return true;
	return false;
}

bool gms_rank_holds_any(unsigned int rank)
{
	for (unsigned int i = 0; i < nr_held; i++)
		if (held[i].rank == rank)
			return true;
	return false;
}

#else
typedef int gms_rank_is_for_debug_builds; /* a source file must not be empty */
#endif
