/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * listener.h - notifying listeners of what becomes shared, and of what is about to go private
 *
 * No record says what a listener holds. It follows from the state:
 *
 *  1. At rest a listener holds a granule if and only if all of its pages are shared and none is
 *     quarantined.
 *  2. A change to private notifies listeners before the commit, a change to shared after it. So
 *     all pages that change are shared in the tree whenever listeners are notified of the change
 *     or of its undo. The granules of a notification are those that the changed pages touch and
 *     that are wholly shared.
 *  3. A listener that refuses to give up a granule in an undo is stuck: it may hold any of the
 *     quarantined granules. gms_repair() withdraws these before it lifts the quarantine.
 *
 *	pages that change     ####        ##            #####
 *	granules they touch  [    |    ][    ]        [    |    ]
 *	wholly shared        [    |    ]              [    ]       CAN_SPLIT: two runs, else three
 *
 * To withdraw a granule is to notify a listener that the granule goes private; to restore it is to
 * notify the listener that it is shared again.
 *
 * Locks. All functions need the convert locks of the range, and not its invalidate locks: a
 * listener may fault and pin.
 *
 * Cost. A batch of runs in the shard's record is all the memory that a notification takes. Only
 * registering allocates.
 */
#ifndef GMS_LISTENER_H
#define GMS_LISTENER_H

#include "core/ranges.h"

/* What came of the notifications of one change. */
struct gms_notified {
	bool any; /* a listener has mapped or unmapped something */
	bool broken; /* a listener refused an undo: what the ranges touch is to be quarantined */
};

/* Returns true if a listener's range overlaps [start, end). */
bool gms_listeners_overlap(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Returns where a commit of a change that begins at @start notes what it replaces, so that a
 * listener can refuse the change. NULL if there never was a listener.
 */
struct gms_rtree_reserve *gms_listeners_undo(struct gms_state *s, gms_pgoff_t start)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Notifies the listeners, first to last, that the ranges are shared (@to GMS_SHARED), or that they
 * are about to go private. If a listener refuses, it and those before it are notified of the
 * opposite, the last first. Returns 0, or the error of the listener.
 */
int gms_listeners_notify(struct gms_state *s, const struct gms_ranges *ranges,
			 enum gms_shareability to, struct gms_notified *notified)
	GMS_REQUIRES(gms_convert_lock);

/* Restores the ranges, which were withdrawn and did not go private. The last listener first. */
void gms_listeners_restore(struct gms_state *s, const struct gms_ranges *ranges,
			   struct gms_notified *notified) GMS_REQUIRES(gms_convert_lock);

/* Withdraws [start, end), which is about to be quarantined. */
void gms_listeners_withdraw(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Withdraws the granules between the ranges, from the first range to the last: all of that is
 * quarantined, and no notification named them.
 */
void gms_listeners_withdraw_gaps(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Withdraws [start, end) again from listeners that are stuck, before a repair. The caller holds
 * all convert locks. Returns 0, or the error of a listener.
 */
int gms_listeners_retry_stuck(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/* After a repair: a listener with no quarantined page in its range is no longer stuck. */
void gms_listeners_clear_stuck(struct gms_state *s) GMS_REQUIRES(gms_convert_lock);

/* Returns the bytes that listeners take. */
size_t gms_listeners_bytes(const struct gms_state *s);

/* Withdraws everything from all listeners, the last first, and frees them. */
void gms_listeners_fini(struct gms_state *s);

#endif /* GMS_LISTENER_H */
