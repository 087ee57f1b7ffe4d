/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/freeze.h - keeping an object from changing
 *
 *  1. These calls return -EPERM if the object is frozen: gms_convert(), gms_allocate(),
 *     gms_punch_hole(), gms_pin(), gms_bind(), gms_inhibit(), gms_uninhibit(), gms_attr_create(),
 *     gms_attr_set(), gms_repair(), gms_listener_register(), and faults that would allocate,
 *     split or prepare.
 *  2. gms_maintain() merges nothing, and returns 0.
 *  3. All other calls work: other faults, gms_fault_end(), queries, gms_lock_shared(),
 *     gms_unpin(), gms_unbind(), gms_listener_unregister(), gms_snapshot_save().
 *  4. When gms_freeze() returns, no change is under way.
 *
 * Usage: save the state and the memory as they are at one moment.
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
 * gms_freeze() - freeze an object
 * @state: the object
 *
 * Waits for the changes and the faults that are under way. Does nothing if the object is frozen
 * already.
 *
 * Context: Takes all convert and all invalidate locks. May sleep. The caller has no fault open,
 * and does not hold gms_lock_shared().
 * Return: 0; -EDEADLK (user space): called from inside a hook or listener, or under the thread's
 * own fault or shared lock.
 */
GMS_API int gms_freeze(struct gms_state *state) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_thaw() - let a frozen object change again
 * @state: the object
 *
 * Does nothing if the object is not frozen.
 *
 * Context: Takes all convert and all invalidate locks. May sleep. The caller has no fault open,
 * and does not hold gms_lock_shared().
 * Return: 0; -EDEADLK (user space): called from inside a hook or listener, or under the thread's
 * own fault or shared lock.
 */
GMS_API int gms_thaw(struct gms_state *state) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_is_frozen() - return true if an object is frozen
 * @state: the object
 *
 * Context: Any; lock-free. Another thread may freeze or thaw the object at any time.
 * Return: true after gms_freeze(), until gms_thaw().
 */
GMS_API bool gms_is_frozen(const struct gms_state *state);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_FREEZE_H */
