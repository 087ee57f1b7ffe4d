/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * history.h - the time, and the flips of a 1G block, as policies see them
 *
 * The time is that of the caller's clock, in nanoseconds since the object was created. Without a
 * clock the time is a count of events: allocations, conversions, holes, splits and merges. Each
 * shard has its own counter, so that conversions in different shards share no cache line. After
 * every 16 events a shard adds them to the global count. The time in a shard is the global count
 * plus those events of the shard that it has not added yet.
 *
 * A flip is a change of a 1G block, or of a 2M block in it, between uniform and mixed. One
 * conversion or repair is at most one flip of a 1G block. The record of the block holds the number
 * of flips, and the time of the last one. An object whose folios are all of order 0 has nothing to
 * split, so no flips are counted.
 *
 * Usage, around a change of [start, end):
 *
 *	gms_history_before(s, start, end);
 *	gms_rtree_commit(s->private, ...);
 *	gms_history_after(s, start, end);
 */
#ifndef GMS_CORE_HISTORY_H
#define GMS_CORE_HISTORY_H

#include "rent.h"

/* Counts an event in the 1G block at an index. */
void gms_history_tick(struct gms_state *s, gms_pgoff_t index);

/* Counts an event without an atomic addition. No other thread counts in the shard meanwhile. */
void gms_history_tick_exclusive(struct gms_state *s, gms_pgoff_t index)
	GMS_REQUIRES(gms_invalidate_lock);

/* Returns the time in the shard of an index. */
uint64_t gms_history_now(const struct gms_state *s, gms_pgoff_t index);

/* Fills in the members now, since and flips of a view, for the 1G block at an index. */
static inline void gms_history_view(const struct gms_state *s, gms_pgoff_t index,
				    struct gms_policy_view *view)
{
	const struct gms_block *b = gms_folios_block(&s->folios, index);

	view->flips = b ? gms_load_relaxed(&b->flips) : 0;
	view->since = b ? gms_load_relaxed(&b->since) : 0;
	view->now = gms_history_now(s, index);
	if (view->now < view->since) /* the caller's clock has stepped back */
		view->now = view->since;
}

/* What the functions below do for objects with folios that can be split. */
int gms_history_make_records(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end);
void gms_history_compare(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool committed)
	GMS_REQUIRES(gms_invalidate_lock);

/*
 * Makes records for the 1G blocks that a change of [start, end) may turn mixed. Returns 0 or
 * -ENOMEM.
 */
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
 * Counts the change of [start, end) as an event, and counts a flip of each 1G block that is not as
 * gms_history_before() noted. Opens and closes the periods of rent. Called after the commit.
 */
static inline void gms_history_after(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock)
{
	gms_history_tick_exclusive(s, start);
	if (s->folios.order)
		gms_history_compare(s, start, end, true);
}

#endif /* GMS_CORE_HISTORY_H */
