/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/listener.h - who wants to know what is shared: VFIO, vhost, a mirror
 *
 * Included by state.h. A listener has a range and a granule (the smallest size that it can map,
 * an IOMMU's page size, say). It is given each granule that is wholly shared, and lets go of it
 * before any page of it goes private:
 *
 *	to private                          to shared
 *	listeners let go, first to last
 *	unmap, look for pins, apply ...     ... apply
 *	                                    listeners are given, first to last
 *
 * Whoever refuses stops the conversion: what came before is taken back, the last first, and
 * gms_convert() returns what the listener did. A listener may fault, pin and unpin in its
 * call. So VFIO pins what it is given, unpins what it lets go of, and its own pins are gone
 * when the conversion looks for pins. Calls that convert or change something else are refused.
 *
 * What a listener holds is, at any time when no call is under way, each granule of its range that
 * is wholly shared and has no quarantined page. A listener that, in an undo, refuses to take back
 * what it had, or to let go again of what it was given, leaves a quarantine behind: all listeners
 * are told to let go of what touches it, and are given it again by gms_repair(). Only one that
 * refuses that, too, may from then on be asked to let go of what it does not hold: until
 * gms_repair() has asked it again, for all that is shared there, which it does before it lifts
 * anything.
 */
#ifndef GMEMSTATE_LISTENER_H
#define GMEMSTATE_LISTENER_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * GMS_LISTENER_CAN_SPLIT - what was given as one run may be taken back in parts
 *
 * Runs are then as long as can be. Without it each run is one granule, as VFIO needs, which
 * cannot unmap a part of what was mapped at once.
 */
#define GMS_LISTENER_CAN_SPLIT (1U << 0)

/**
 * GMS_LISTENER_CONCURRENT - calls need not be serialised
 *
 * Conversions in different shards (1G blocks whose numbers differ modulo 16) then call the
 * listener side by side.
 */
#define GMS_LISTENER_CONCURRENT (1U << 1)

/** GMS_LISTENER_MAX_GRANULE - the largest granule: 1G, in pages */
#define GMS_LISTENER_MAX_GRANULE (1ULL << GMS_ORDER_1G)

/** GMS_LISTENER_BATCH - the most runs that one call is told of */
#define GMS_LISTENER_BATCH 32

/**
 * struct gms_listener_ops - a listener's hook
 * @struct_size: sizeof(struct gms_listener_ops). In a smaller one what is missing is 0; a larger
 *               one is accepted where all that this library does not know is 0
 * @flags: 0, GMS_LISTENER_CAN_SPLIT, GMS_LISTENER_CONCURRENT
 * @change: @to GMS_SHARED: the runs are shared now, map them. @to GMS_PRIVATE: they are about to
 *          go private, let go of them. Runs ascend and consist of whole granules; @count is 1
 *          to GMS_LISTENER_BATCH, and a large change is several calls. Each run's shareability is
 *          @to. Return: 0 or -errno. On failure *@done, which holds 0 before, says how many of the
 *          runs were done all the same, from the first; they will be undone by another call, with
 *          the opposite @to. (A positive return counts as -EIO.)
 *
 * The struct is copied when a listener is registered.
 *
 * Locks held: the convert locks of the change; not the invalidate lock. gms_fault_begin() and its
 * like, gms_allocate(), gms_pin(), gms_unpin(), gms_lock_shared() and queries work, and have
 * to be finished on return; what takes a convert lock returns -EDEADLK. It must not wait for a
 * thread that converts, or makes another call that takes a convert lock; faults and pins of other
 * threads go on.
 */
struct gms_listener_ops {
	size_t struct_size;
	unsigned int flags;
	int (*change)(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		      size_t *done);
};

/**
 * gms_listener_register() - begin to listen
 * @state: the object
 * @ops: the hook
 * @ctx: passed to it
 * @start: index of the first page; a multiple of @granule
 * @nr_pages: length in pages, at least 1, a multiple of @granule; the range must lie in the object
 * @granule: in pages, a power of two, 1 to GMS_LISTENER_MAX_GRANULE
 * @id: where to store the listener's number; written on success only
 *
 * The listener is given what is shared already, before the call returns and with no conversion
 * in between. If it refuses, what it was given is taken back; if it refuses that, too, there will
 * be nobody to ask later on, and all of the range is quarantined.
 *
 * Context: Takes all convert locks. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, it or @granule is not aligned,
 * or @ops has no hook or unknown flags; -EPERM: frozen; -EDEADLK: called from inside a hook or
 * listener, or under the thread's own fault or shared lock; -ENOMEM; what the listener returned.
 */
GMS_API int gms_listener_register(struct gms_state *state, const struct gms_listener_ops *ops,
				  void *ctx, gms_pgoff_t start, uint64_t nr_pages, uint64_t granule,
				  unsigned int *id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_listener_unregister() - end it
 * @state: the object
 * @id: of gms_listener_register()
 *
 * The listener is told to let go of all that it has. If it refuses it stays registered, and is
 * given back what it had let go of. If it refuses that as well it is told once more to let go of
 * all: if it does it is unregistered, else it counts as having all of it.
 *
 * Context: Takes all convert locks. Allocates nothing, may sleep.
 * Return: 0; -EINVAL: there is no such listener; -EDEADLK: called from inside a hook or listener,
 * or under the thread's own fault or shared lock; what the listener returned.
 */
GMS_API int gms_listener_unregister(struct gms_state *state, unsigned int id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_LISTENER_H */
