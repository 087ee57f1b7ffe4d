/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/repair.h - ending a quarantine
 *
 * A range is quarantined if an undo failed, so that the real state of its pages is unknown.
 *
 *  1. Faults, pins and conversions of a quarantined page return -ENOTRECOVERABLE. All other calls,
 *     and all calls for other pages, go on working.
 *  2. Granules with a quarantined page are withdrawn from all listeners.
 *  3. gms_repair() ends a quarantine. Either the backend's hook repair makes the pages private or
 *     shared, or the caller does so before the call.
 *  4. A part of a quarantined range may be repaired by itself.
 *
 * Usage: the caller has made the memory of the range private.
 *
 *	int err = gms_repair(state, start, nr_pages, GMS_PRIVATE);
 */
#ifndef GMEMSTATE_REPAIR_H
#define GMEMSTATE_REPAIR_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * gms_repair() - lift a quarantine
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; each page must be quarantined
 * @shareability: what the pages become
 *
 * 1. Granules of the range are withdrawn once more from each listener that refused to withdraw
 *    granules in an undo (listener.h, 5).
 * 2. To private: the backend's unmap_host and check_pins are called.
 * 3. invalidate_begin, and zap_guest for both kinds of pages, are called.
 * 4. The backend's repair makes the pages private or shared. If the backend has no such hook, the
 *    caller has done so before the call. Neither apply nor undo is called.
 * 5. The new state is published, and invalidate_end is called. The pages are not prepared
 *    afterwards.
 * 6. Listeners are notified of the granules that are wholly shared now. If a listener refuses, the
 *    range is quarantined again, and its pages are shared.
 *
 * On any other failure the pages stay quarantined, and their shareability does not change.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, one of its pages is not
 * quarantined, or @shareability is unknown; -EPERM: frozen; -EAGAIN: to private, and a page is
 * pinned; -EDEADLK (user space): called from inside a hook or listener, or under the thread's own
 * fault or shared lock; -ENOMEM; what the backend's unmap_host, check_pins or repair, or a
 * listener, returned.
 */
GMS_API int gms_repair(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability shareability)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_REPAIR_H */
