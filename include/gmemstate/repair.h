/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/repair.h - ending a quarantine
 *
 * A range is quarantined if an undo failed, so that the state of its pages is unknown. Faults and
 * conversions there return -ENOTRECOVERABLE. All other ranges go on working.
 *
 * Usage, after the caller has made the memory of the range private:
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
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1
 * @shareability: what the pages are now
 *
 * The backend's repair makes the pages what they are to be. A backend without it leaves that to the
 * caller, who has brought the pages into a known state before the call. Neither apply nor undo is
 * called; unmap_host and check_pins are before the pages are private, and invalidate_begin,
 * zap_guest for both kinds of pages, and invalidate_end around the change. The pages are not
 * prepared afterwards.
 *
 * A listener that refused to let go in an undo is asked again first. At the end listeners get the
 * granules that are wholly shared now; if one refuses, the range is quarantined again, and counts
 * as shared. On any other failure nothing has changed.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, a page of it is not
 * quarantined, or @shareability is unknown; -EPERM: frozen; -EAGAIN: to private, and a page is
 * pinned; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM; what the backend's unmap_host or check_pins, or a listener, returned.
 */
GMS_API int gms_repair(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability shareability)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_REPAIR_H */
