/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/freeze.h - keeping an object from changing
 *
 * Frozen, an object answers -EPERM to whatever would change it: gms_convert(), gms_allocate(),
 * gms_punch_hole(), gms_pin(), gms_bind(), gms_inhibit(), gms_uninhibit(), gms_attr_create(),
 * gms_attr_set(), gms_repair(), gms_listener_register(), and faults that would allocate, split or
 * prepare; gms_maintain() merges nothing. Other faults, queries, gms_unpin(), gms_fault_end(),
 * gms_unbind(), gms_listener_unregister() and saving work.
 *
 * Usage:
 *
 *	int err = gms_freeze(state);
 *
 *	if (!err) {
 *		... save a snapshot, copy the memory ...
 *		err = gms_thaw(state);
 *	}
 */
#ifndef GMEMSTATE_FREEZE_H
#define GMEMSTATE_FREEZE_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * gms_freeze() - hold the object still
 * @state: the object
 *
 * Waits for changes and faults that are under way. Freezing what is frozen does nothing.
 *
 * Context: Takes all locks. May sleep. The caller has no fault open, and no gms_lock_shared().
 * Return: 0; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock.
 */
GMS_API int gms_freeze(struct gms_state *state) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_thaw() - end it
 * @state: the object
 *
 * Thawing what is not frozen does nothing.
 *
 * Context: Takes all locks. May sleep. The caller has no fault open, and no gms_lock_shared().
 * Return: 0; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock.
 */
GMS_API int gms_thaw(struct gms_state *state) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_FREEZE_H */
