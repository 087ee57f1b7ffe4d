/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/binding.h - where the guest sees the memory: memslots
 *
 * Included by state.h. A binding says that pages of the object are seen by the guest from a gfn
 * (guest frame number) on. An object may have several: the memory below and above a PC's hole
 * at 4G, say. No gfn and no page is in two.
 *
 * A binding limits what the guest can map: a block whose gfn and index differ modulo the
 * block's size cannot be mapped as one, nor one that passes an edge of the binding. Pages
 * that are in no binding are not limited.
 */
#ifndef GMEMSTATE_BINDING_H
#define GMEMSTATE_BINDING_H

#include <gmemstate/fault.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * gms_bind() - let the guest see pages at a gfn
 * @state: the object
 * @gfn: of the first page, in pages of 4 KiB; @gfn + @nr_pages must not wrap
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @id: where to store the binding's number; written on success only
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. Allocates, may
 * sleep.
 * Return: 0; -EINVAL: a range is empty, wraps or passes the end; -EEXIST: a gfn or a page of it is
 * bound already; -EPERM: frozen; -EDEADLK: called from inside a hook or listener, or under the
 * thread's own fault or shared lock; -ENOMEM.
 */
GMS_API int gms_bind(struct gms_state *state, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages,
		     unsigned int *id) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_unbind() - end a binding
 * @state: the object
 * @id: of gms_bind()
 *
 * Calls no hook: whoever takes a memslot away takes the guest's mappings of it away.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards: no fault in it is
 * under way afterwards. May sleep.
 * Return: 0; -EINVAL: there is no such binding; -EDEADLK: called from inside a hook or listener,
 * or under the thread's own fault or shared lock.
 */
GMS_API int gms_unbind(struct gms_state *state, unsigned int id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_gfn_to_index() - which page does the guest see at a gfn?
 * @state: the object
 * @gfn: the guest frame number
 * @index: where to store the index; written on success only
 *
 * Context: Any; lock-free.
 * Return: 0; -ENOENT: nothing is bound there.
 */
GMS_API int gms_gfn_to_index(const struct gms_state *state, uint64_t gfn, gms_pgoff_t *index);

/**
 * gms_gfn_max_order() - the largest mapping that the guest could have at a gfn
 * @state: the object
 * @gfn: the guest frame number
 * @order: where to store it: 18, 9 or 0; written on success only
 *
 * As a guest fault's max_order there, but for the folio, which may be there or not, and be split
 * or merged: what shareability, attributes, inhibits, quarantine and the binding leave.
 *
 * Context: Any; lock-free.
 * Return: 0; -ENOENT: nothing is bound there.
 */
GMS_API int gms_gfn_max_order(const struct gms_state *state, uint64_t gfn, unsigned int *order);

/**
 * gms_fault_begin_gfn() - gms_fault_begin() at a gfn
 * @state: the object
 * @gfn: the guest frame number
 * @accessor: who faults
 * @fault: filled in; on success to be handed to gms_fault_end() by the same thread
 *
 * The binding of @gfn stays as it is until gms_fault_end().
 *
 * Context: As gms_fault_begin().
 * Return: as gms_fault_begin(); -ENOENT: nothing is bound there.
 */
GMS_API int gms_fault_begin_gfn(struct gms_state *state, uint64_t gfn, enum gms_accessor accessor,
				struct gms_fault *fault) GMS_EXCLUDES(gms_convert_lock)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_BINDING_H */
