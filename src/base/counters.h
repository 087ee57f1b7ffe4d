/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * counters.h - counters of events, for gms_stats_read()
 *
 * A thread adds to the counters of its slot, so that threads in different slots write different
 * cache lines. A reader sums over the slots. Counters are unsigned and wrap: to add (uint64_t)-1
 * takes one off.
 */
#ifndef GMS_COUNTERS_H
#define GMS_COUNTERS_H

#include "platform.h"

enum gms_counter {
	GMS_FAULTS_HOST,
	GMS_FAULTS_GUEST,
	GMS_FOLIOS_ALLOCATED,
	GMS_FOLIOS_FREED,
	GMS_BLOCKS_FREED,
	GMS_PREPARES,
	GMS_SPLITS_1G,
	GMS_SPLITS_2M,
	GMS_MERGES_1G,
	GMS_MERGES_2M,
	GMS_SPLITS_DEFERRED,
	GMS_MERGES_REFUSED,
	GMS_UNDONE,
	GMS_SURPLUS_UNPINS,
	GMS_REFUSED_INVAL,
	GMS_REFUSED_NOMEM,
	GMS_REFUSED_ACCESS,
	GMS_REFUSED_PINNED,
	GMS_REFUSED_QUARANTINED,
	GMS_REFUSED_DEADLOCK,
	GMS_REFUSED_BACKEND,
	GMS_REFUSED_FROZEN,
	GMS_REFUSED_EXISTS,
	GMS_NR_COUNTERS
};

struct gms_counters {
	struct {
		uint64_t v[GMS_NR_COUNTERS];
	} __attribute__((aligned(64))) slot[GMS_NR_SLOTS];
};

/* Adds @n to a counter. */
static inline void gms_count_add(struct gms_counters *c, enum gms_counter which, uint64_t n)
{
	gms_add_relaxed(&c->slot[gms_slot()].v[which], n);
}

/* Returns the value of a counter: the sum over its slots. */
static inline uint64_t gms_counted(const struct gms_counters *c, enum gms_counter which)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		sum += gms_load_relaxed(&c->slot[i].v[which]);
	return sum;
}

#endif /* GMS_COUNTERS_H */
