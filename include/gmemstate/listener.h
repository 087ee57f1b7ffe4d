/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/listener.h - notifications of what is shared: for VFIO, vhost, a mirror
 *
 * A listener has a range and a granule: the smallest size that it can map, such as the page size
 * of an IOMMU. The listener is notified of each granule that becomes wholly shared. A granule is
 * withdrawn from the listener before any page of the granule goes private.
 *
 *	to private                            to shared
 *	withdraw, first listener to last
 *	unmap, look for pins, apply ...       ... apply
 *	                                      notify, first listener to last
 *
 *  1. While no call is under way, a listener holds exactly those granules of its range that are
 *     wholly shared and have no quarantined page. (5, and gms_listener_unregister(), have the
 *     exceptions.)
 *  2. A listener that refuses stops the conversion. The notifications before the refusal are
 *     undone, the last listener first: withdrawn granules are restored, and granules that a
 *     listener was notified of are withdrawn. gms_convert() returns what the listener returned.
 *  3. In its call a listener may fault, pin and unpin. So VFIO pins what it is notified of, and
 *     unpins what is withdrawn: its own pins are gone when the conversion looks for pins. It must
 *     not make a call that takes a convert lock (-EDEADLK, state.h).
 *  4. If a listener refuses an undo (a restore or a withdrawal), the range is quarantined. The
 *     granules that touch the quarantine are withdrawn from all listeners, and gms_repair()
 *     restores them.
 *  5. If a listener refuses the withdrawal of 4, too, the library does not know which granules the
 *     listener holds. Until gms_repair() has lifted the quarantine, the listener may be notified
 *     to withdraw granules that it does not hold. Before gms_repair() lifts anything, it withdraws
 *     from such a listener all granules of the range that are wholly shared.
 *
 * Usage: keep what is shared mapped for a device.
 *
 *	static int change(void *ctx, const struct gms_run *runs, size_t count,
 *			  enum gms_shareability to, size_t *done)
 *	{
 *		int err = 0;
 *
 *		for (; !err && *done < count; *done += !err)
 *			err = to == GMS_SHARED ? device_map(ctx, &runs[*done])
 *					       : device_unmap(ctx, &runs[*done]);
 *		return err;
 *	}
 *
 *	const struct gms_listener_ops ops = {
 *		.struct_size = sizeof(ops),
 *		.change = change,
 *	};
 *
 *	err = gms_listener_register(state, &ops, device, 0, nr_pages,
 *				    granule, &id);
 */
#ifndef GMEMSTATE_LISTENER_H
#define GMEMSTATE_LISTENER_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * GMS_LISTENER_CAN_SPLIT - a run that was mapped as one may be withdrawn in parts
 *
 * With this flag runs are as long as possible. Without it each run is one granule, which VFIO
 * needs: VFIO cannot unmap a part of a mapping.
 */
#define GMS_LISTENER_CAN_SPLIT (1U << 0)

/**
 * GMS_LISTENER_CONCURRENT - calls of the listener need not be serialised
 *
 * Conversions in different shards (1G blocks whose numbers differ modulo 16) then call the
 * listener at the same time.
 */
#define GMS_LISTENER_CONCURRENT (1U << 1)

/** GMS_LISTENER_MAX_GRANULE - the largest granule in pages: 1G */
#define GMS_LISTENER_MAX_GRANULE (1ULL << GMS_ORDER_1G)

/** GMS_LISTENER_BATCH - the largest number of runs in one call of a listener */
#define GMS_LISTENER_BATCH 32

/**
 * struct gms_listener_ops - the hook of a listener
 * @struct_size: sizeof(struct gms_listener_ops). The fields that a smaller struct lacks count as
 *               0. A larger struct is accepted if all bytes that this library does not know are 0
 * @flags: 0, or any of GMS_LISTENER_CAN_SPLIT and GMS_LISTENER_CONCURRENT
 * @change: notifies the listener of runs. @to GMS_SHARED: the runs are shared now, and the
 *          listener maps them. @to GMS_PRIVATE: the runs are withdrawn, and the listener unmaps
 *          them, whatever the reason is. @count is 1 to GMS_LISTENER_BATCH; a large change takes
 *          several calls. Runs ascend and consist of whole granules; the field shareability of
 *          each is @to. *@done is 0 before the call. Returns 0 or -errno (a positive value counts
 *          as -EIO). On failure the listener sets *@done to the number of runs, from the first on,
 *          that it has mapped or unmapped. Another call, with the opposite @to, undoes these. To
 *          unmap what is not mapped must succeed (rule 5). @ctx is that of gms_listener_register()
 *
 * The struct is copied when a listener is registered.
 *
 * A listener is called with the convert locks of the change held, and without the invalidate
 * locks:
 *
 *  - gms_fault_begin() and the other calls of a fault, gms_allocate(), gms_pin(), gms_unpin(),
 *    gms_lock_shared() and queries work. A fault and a shared lock must be ended before the
 *    listener returns.
 *  - A call that takes a convert lock must not be made (-EDEADLK, state.h).
 *  - The listener must not wait for a thread that converts, or that makes another call that takes
 *    a convert lock. Faults and pins of other threads go on.
 */
struct gms_listener_ops {
	size_t struct_size;
	unsigned int flags;
	int (*change)(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		      size_t *done);
};

/** GMS_LISTENER_OPS_INIT - a listener with @struct_size set, and without a hook */
/* clang-format off */
#define GMS_LISTENER_OPS_INIT \
	{ sizeof(struct gms_listener_ops), 0, NULL }
/* clang-format on */

/**
 * gms_listener_register() - register a listener
 * @state: the object
 * @ops: the hook
 * @ctx: passed to the hook
 * @start: the index of the first page, a multiple of @granule
 * @nr_pages: the length in pages, at least 1, a multiple of @granule; the range must lie in the
 *            object
 * @granule: the size of a granule in pages: a power of two, 1 to GMS_LISTENER_MAX_GRANULE
 * @id: where to store the number of the listener; written on success only
 *
 * Before the call returns, and with no conversion in between, the listener is notified of all
 * granules that are shared already. If the listener refuses, the granules that it was notified of
 * are withdrawn, and it is not registered. If it refuses this as well, all of its range is
 * quarantined, because the granules that it kept could not be withdrawn later.
 *
 * Context: Takes all convert locks. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, @start or @nr_pages is no
 * multiple of @granule, @granule is no power of two or too large, or @ops has no hook or unknown
 * flags; -EPERM: frozen; -EDEADLK (user space): called from inside a hook or listener, or under
 * the thread's own fault or shared lock; -ENOMEM; what the listener returned.
 */
GMS_API int gms_listener_register(struct gms_state *state, const struct gms_listener_ops *ops,
				  void *ctx, gms_pgoff_t start, uint64_t nr_pages, uint64_t granule,
				  unsigned int *id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_listener_unregister() - unregister a listener
 * @state: the object
 * @id: the number of the listener, from gms_listener_register()
 *
 * All granules that the listener holds are withdrawn. If the listener refuses, it stays
 * registered, and the granules that it has unmapped are restored. If it refuses this as well, all
 * of its granules are withdrawn once more. If that succeeds, the listener is unregistered, and the
 * call returns 0; else the listener counts as holding all of them.
 *
 * Context: Takes all convert locks. Allocates nothing. May sleep.
 * Return: 0; -EINVAL: there is no such listener; -EDEADLK (user space): called from inside a hook
 * or listener, or under the thread's own fault or shared lock; what the listener returned.
 */
GMS_API int gms_listener_unregister(struct gms_state *state, unsigned int id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_LISTENER_H */
