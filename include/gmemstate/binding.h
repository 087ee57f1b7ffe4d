/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/binding.h - where the guest sees the pages: memslots
 *
 * A binding says that the guest sees a range of pages from a gfn (guest frame number) on. An
 * object may have several bindings: a PC has one below and one above the hole at 4G, for example.
 *
 *  1. No gfn is in two bindings, and no page is.
 *  2. A block is not mapped as one if its gfn and its index differ modulo the size of the block,
 *     or if an edge of the binding lies inside the block.
 *  3. A page that is in no binding is not limited.
 *  4. A lookup takes no lock. It returns the answer from before a change, or from after it. While
 *     a change is being made, a lookup may have to look again.
 *
 * Usage: bind all of the memory at gfn 0, and answer a fault of the guest at a gfn.
 *
 *	err = gms_bind(state, 0, 0, nr_pages, &id);
 *	...
 *	err = gms_fault_begin_gfn(state, gfn, GMS_GUEST, &fault);
 *	if (err)
 *		return err;
 *	... prepare and map, as in fault.h ...
 *	gms_fault_end(state, &fault);
 */
#ifndef GMEMSTATE_BINDING_H
#define GMEMSTATE_BINDING_H

#include <gmemstate/fault.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * gms_bind() - bind a range of pages to gfns
 * @state: the object
 * @gfn: the gfn of the first page, in units of 4 KiB; @gfn + @nr_pages must not wrap
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @id: where to store the number of the binding; written on success only
 *
 * Waits for the faults in the shards of the range. On failure nothing has changed.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: a range is empty, wraps or passes the end; -EEXIST: one of the gfns or pages
 * is bound already; -EPERM: frozen; -EDEADLK (user space): called from inside a hook or listener,
 * or under the thread's own fault or shared lock; -ENOMEM.
 */
GMS_API int gms_bind(struct gms_state *state, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
		     unsigned int *id) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_unbind() - remove a binding
 * @state: the object
 * @id: the number of the binding, from gms_bind()
 *
 * Calls no hook, and zaps nothing: the guest's mappings go with the memslot, which the caller
 * removes. When the call returns, each fault in the range that began before it has ended.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. May sleep.
 * Return: 0; -EINVAL: there is no such binding; -EDEADLK (user space): called from inside a hook
 * or listener, or under the thread's own fault or shared lock.
 */
GMS_API int gms_unbind(struct gms_state *state, unsigned int id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_gfn_to_index() - find the page that the guest sees at a gfn
 * @state: the object
 * @gfn: the guest frame number
 * @index: where to store the index of the page; written on success only
 *
 * Context: Any; lock-free.
 * Return: 0; -ENOENT: nothing is bound there.
 */
GMS_API int gms_gfn_to_index(const struct gms_state *state, uint64_t gfn, gms_pgoff_t *index);

/**
 * gms_gfn_max_order() - find the largest mapping that the guest could have at a gfn
 * @state: the object
 * @gfn: the guest frame number
 * @order: where to store the order: 18, 9 or 0; written on success only
 *
 * The limits are those of a guest fault (gms_fault_begin()) without the order of the folio, which
 * may not be allocated yet, and may be split or merged later. They are shareability, attributes,
 * inhibits, quarantine and the binding.
 *
 * Context: Any; lock-free.
 * Return: 0; -ENOENT: nothing is bound there.
 */
GMS_API int gms_gfn_max_order(const struct gms_state *state, uint64_t gfn, unsigned int *order);

/**
 * gms_fault_begin_gfn() - begin a fault at a gfn, as gms_fault_begin() does at an index
 * @state: the object
 * @gfn: the guest frame number
 * @accessor: the side that faults: GMS_GUEST or GMS_HOST
 * @fault: filled in. After a success the same thread passes it to gms_fault_end()
 *
 * The binding of @gfn does not change until gms_fault_end(). On failure no lock is held, and a
 * folio that was allocated stays.
 *
 * Context: Takes the invalidate lock of the page's shard, shared, until gms_fault_end().
 * Allocates, may sleep. The thread has no other fault of the object open.
 * Return: 0; -ENOENT: nothing is bound at @gfn; -EINVAL: @accessor is unknown; -EACCES,
 * -ENOTRECOVERABLE, -EPERM, -EDEADLK, -ENOMEM: as for gms_fault_begin(); what the backend's
 * folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_fault_begin_gfn(struct gms_state *state, uint64_t gfn, enum gms_accessor accessor,
				struct gms_fault *fault) GMS_EXCLUDES(gms_convert_lock)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_BINDING_H */
