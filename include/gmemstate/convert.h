/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/convert.h - converting a range to shared or to private
 *
 * A conversion is a transaction over the state, the backend (backend.h) and the listeners
 * (listener.h). It has two modes:
 *
 *  1. Atomic, the default: all pages of the range are converted, or none is.
 *  2. Resumable, with GMS_CONVERT_RESUMABLE: the 1G blocks of the range are converted one after
 *     the other. On failure all pages before *err_index are converted, and the call has changed
 *     no page from there on.
 *
 * In both modes:
 *
 *  3. A conversion of a range that has the wanted state already succeeds and does nothing. In any
 *     other range only those pages change that do not have the wanted state yet.
 *  4. If a hook or a listener fails, all steps before it are undone in reverse order.
 *  5. If an undo fails, too, the pages are quarantined, from the first page that would have
 *     changed to the last. Faults, pins and conversions of a quarantined page return
 *     -ENOTRECOVERABLE until gms_repair() (repair.h).
 *
 * Usage: make a range private, and learn which page is in the way.
 *
 *	gms_pgoff_t at;
 *	int err = gms_convert(state, start, nr_pages, GMS_PRIVATE, 0, &at);
 *
 *	if (err == -EAGAIN)
 *		... the page at index `at` is pinned: unpin it, and try again ...
 */
#ifndef GMEMSTATE_CONVERT_H
#define GMEMSTATE_CONVERT_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * GMS_CONVERT_RESUMABLE - convert one 1G block after the other
 *
 * On failure the caller can go on at *err_index. The locks are released between two blocks.
 */
#define GMS_CONVERT_RESUMABLE (1U << 0)

/**
 * gms_convert() - convert a range to shared or to private
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @to: what every page of the range becomes
 * @flags: 0 or GMS_CONVERT_RESUMABLE
 * @err_index: NULL, or where to store an index on failure; never below @start, and not written on
 *             success. In both modes: the first page that is pinned or quarantined, that the
 *             backend's apply found in use, or that is in a folio which its folio_split found in
 *             use (-EAGAIN). On any other error, atomic: @start; resumable: the
 *             first page of the failing 1G block, or @start if the block begins before it
 *
 * On failure the host may have to fault the pages of the range again, and pages that were
 * prepared may have to be prepared again.
 *
 * With GMS_BACKEND_PINS_BY_FOLIO a pin anywhere in a folio counts. Atomic: *@err_index is then
 * @start if no page of the range itself is pinned. Resumable: it is the first page of the range
 * in the pinned folio.
 *
 * Memory. If there is a backend, a listener or a policy that decides conversions, and more than a
 * few runs of pages change, the call allocates 16 bytes for each of these runs. A large and
 * fragmented range should be converted with GMS_CONVERT_RESUMABLE.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @to or @flags are unknown;
 * -EPERM: frozen; -EAGAIN: a page is pinned (to private only), or the backend found a page in use;
 * -ENOTRECOVERABLE: a page is quarantined; -EDEADLK (user space): called from inside a hook or
 * listener, or under the thread's own fault or shared lock; -ENOMEM; what a hook of the backend or
 * a listener returned.
 */
GMS_API int gms_convert(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability to, unsigned int flags, gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_convert_gfn() - make a range of gfns private or shared, all or nothing
 * @state: the object
 * @gfn: the first gfn, in units of 4 KiB
 * @nr_pages: the length in pages, at least 1; @gfn + @nr_pages must not wrap. Each gfn of the
 *            range must be in a binding (binding.h)
 * @to: what every page at these gfns becomes
 * @flags: 0
 * @err_gfn: NULL, or where to store a gfn of the range on failure; not written on success. The gfn
 *           of a page that is pinned, quarantined or in use, as for gms_convert() in atomic mode;
 *           with -ENOENT the first gfn that is in no binding. @gfn on any other error, or if the
 *           quarantined page is at no gfn of the range
 *
 * The range may cross from one binding to another, or several, whose pages are anywhere in the
 * object. That is what a guest's request may do: it knows nothing of bindings. (KVM may cut one
 * request into several exits. Then each of them is a transaction of its own.) The pages convert
 * in one transaction, whose hooks are called in the order of the indices. No binding of the range
 * changes during the call.
 *
 * If an undo fails, all pages from the first that would have changed to the last are quarantined,
 * in the order of the indices, whether at a gfn of the range or not. Therefore a page that is
 * quarantined already, anywhere from the first page of the range to the last, refuses the call.
 *
 * Memory. As for gms_convert(): 16 bytes for each run of pages that change, and for each part. A
 * VMM should cut large requests of a guest, at 1G for example.
 *
 * Context: If all gfns are in one binding, takes the same locks as gms_convert(); else all convert
 * locks, and the invalidate locks from the first page to the last. Allocates, may sleep.
 * Return: 0; -ENOENT: a gfn of the range is in no binding; -EINVAL: the range is empty or wraps,
 * or @to or @flags are unknown; the other errors of gms_convert().
 */
GMS_API int gms_convert_gfn(struct gms_state *state, uint64_t gfn, uint64_t nr_pages,
			    enum gms_shareability to, unsigned int flags, uint64_t *err_gfn)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_CONVERT_H */
