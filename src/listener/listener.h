/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * listener.h - notifying listeners of what becomes shared, and of what is about to go private
 *
 * What a listener holds is not recorded. It follows from the state of the pages:
 *
 *  1. At rest a listener that is not stuck holds a granule if and only if all pages of the granule
 *     are shared and none is quarantined.
 *  2. A change to private notifies listeners before the commit, and a change to shared after it.
 *     So all pages that change are shared in the tree whenever listeners are notified of the
 *     change or of its undo. A notification is about the granules that the changed pages touch and
 *     that are wholly shared.
 *  3. A listener may refuse the withdrawal that precedes a change to private: that stops the
 *     change. A listener that refuses any other withdrawal is stuck: it may also hold quarantined
 *     granules. gms_repair() withdraws these before it lifts the quarantine.
 *
 *	pages that change     ####        ##            #####
 *	granules they touch  [    |    ][    ]        [    |    ]
 *	wholly shared        [    |    ]              [    ]       CAN_SPLIT: two runs, else three
 *
 * To withdraw a granule is to notify a listener that the granule goes private; to restore it is to
 * notify the listener that it is shared again.
 *
 * Locks. The caller of each function holds the convert locks of the range, and no invalidate lock,
 * because a listener may fault and pin.
 *
 * Cost. The scratch memory of the shard (core/core.h) is all that a notification needs. Only
 * registering allocates.
 */
#ifndef GMS_LISTENER_H
#define GMS_LISTENER_H

#include "core/ranges.h"

/* The outcome of the notifications of one change. The functions below only set members. */
struct gms_notified {
	bool any; /* a listener has mapped or unmapped something */
	bool broken; /* a listener refused an undo: the caller has to quarantine the ranges */
};

/* Returns true if a listener's range overlaps [start, end). */
bool gms_listeners_overlap(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Returns the reserve for the commit of a change that begins at @start, by which the commit can be
 * reverted if a listener refuses the change; NULL if there never was a listener.
 */
struct gms_rtree_reserve *gms_listeners_undo_reserve(struct gms_state *s, gms_pgoff_t start)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Notifies the listeners, first to last, that the ranges are shared (@to GMS_SHARED), or that they
 * are about to go private. If a listener refuses, this is undone: the listener, and those before
 * it, are notified of the opposite, the last first. Returns 0, or the error of the listener.
 */
int gms_listeners_notify(struct gms_state *s, const struct gms_ranges *ranges,
			 enum gms_shareability to, struct gms_notified *notified)
	GMS_REQUIRES(gms_convert_lock);

/* Restores the ranges, which did not go private, to all listeners, the last first. */
void gms_listeners_restore(struct gms_state *s, const struct gms_ranges *ranges,
			   struct gms_notified *notified) GMS_REQUIRES(gms_convert_lock);

/* Withdraws [start, end), which is about to be quarantined, from all listeners. */
void gms_listeners_withdraw(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Withdraws the granules between the ranges from all listeners. All pages from the first range to
 * the last are quarantined, and the notifications of the change were not about these granules.
 */
void gms_listeners_withdraw_gaps(struct gms_state *s, const struct gms_ranges *ranges)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Withdraws [start, end) again from listeners that are stuck, before a repair. The caller holds
 * all convert locks. Returns 0, or the error of a listener.
 */
int gms_listeners_retry_stuck(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Notes, after a repair, that listeners without a quarantined page in their range are not stuck.
 * The caller holds all convert locks.
 */
void gms_listeners_clear_stuck(struct gms_state *s) GMS_REQUIRES(gms_convert_lock);

/* Returns the bytes that listeners take. */
size_t gms_listeners_bytes(const struct gms_state *s);

/*
 * Withdraws everything from all listeners, the last first, and frees them. No other thread may use
 * the object.
 */
void gms_listeners_fini(struct gms_state *s);

#endif /* GMS_LISTENER_H */
