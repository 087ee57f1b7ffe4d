/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock.h - the time that policies are shown
 *
 * It is the caller's clock, in nanoseconds since the object was created. Without a clock it is a
 * count of events: allocations, conversions, holes, splits and merges. Each shard has its own
 * counter, so that conversions in different shards share no cache line. A shard's count is added
 * to the global one every 16 events.
 */
#ifndef GMS_CORE_CLOCK_H
#define GMS_CORE_CLOCK_H

#include "core.h"

/* Counts an event in the 1G block at an index. */
void gms_clock_tick(struct gms_state *s, gms_pgoff_t index);

/* Does the same at less cost: no other thread counts in the shard meanwhile. */
void gms_clock_tick_exclusive(struct gms_state *s, gms_pgoff_t index)
	GMS_REQUIRES(gms_invalidate_lock);

/* Returns the time, as the 1G block at an index sees it. */
uint64_t gms_clock_now(const struct gms_state *s, gms_pgoff_t index);

#endif /* GMS_CORE_CLOCK_H */
