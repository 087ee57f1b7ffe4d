/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * history.h - how often a 1G block changed between uniform and mixed, and when it last did
 *
 * Policies are shown this history. A flip is such a change of the 1G block, or of a 2M block in it;
 * one conversion is at most one flip of a 1G block. An object whose folios are all of order 0 has
 * nothing to split, and keeps no history.
 */
#ifndef GMS_CORE_HISTORY_H
#define GMS_CORE_HISTORY_H

#include "clock.h"

int gms_history_make_records(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end);
void gms_history_compare(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool committed)
	GMS_REQUIRES(gms_invalidate_lock);

/* Makes records for the blocks that a change of [start, end) may turn mixed. 0 or -ENOMEM. */
static inline int gms_history_prepare(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	return s->folios.order ? gms_history_make_records(s, start, end) : 0;
}

/* Notes which blocks of [start, end) are mixed, before a change of the range is committed. */
static inline void gms_history_before(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock)
{
	if (s->folios.order)
		gms_history_compare(s, start, end, false);
}

/*
 * Counts the change as an event of the clock, and counts a flip of each 1G block that differs from
 * what gms_history_before() noted.
 */
static inline void gms_history_after(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock)
{
	gms_clock_tick_exclusive(s, start);
	if (s->folios.order)
		gms_history_compare(s, start, end, true);
}

#endif /* GMS_CORE_HISTORY_H */
