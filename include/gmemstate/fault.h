/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/fault.h - faults, allocation, holes and pins
 *
 * Included by state.h. A fault is two calls, and the mapping is made in between:
 *
 *	err = gms_fault_begin(state, index, GMS_GUEST, &fault);
 *	if (!err && !fault.prepared)
 *		err = gms_fault_prepare(state, &fault);
 *	... map 2^fault.max_order pages around index ...
 *	gms_fault_end(state, &fault);
 *
 * From begin to end no page of the same shard (the 1G blocks whose numbers are equal modulo
 * 16) is converted or punched out. A host fault in another place may split the folio
 * meanwhile; that moves no memory, and a conversion unmaps what may have been mapped, however
 * large that was.
 */
#ifndef GMEMSTATE_FAULT_H
#define GMEMSTATE_FAULT_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * struct gms_fault - a fault that is being answered
 * @folio_index: first page of the folio
 * @folio_order: of the folio: 0, 9 or 18
 * @max_order: of the largest mapping at the index that is allowed: 0, 9 or 18
 * @prepared: the block of @max_order at the index is private and prepared, all of it
 * @fresh: the folio was allocated for this fault
 * @seq: as gms_seq_read() at the index: a caller that maps after gms_fault_end() asks
 *       gms_seq_retry() with it, under the lock of its page tables
 * @priv: the library's
 */
struct gms_fault {
	gms_pgoff_t folio_index;
	unsigned int folio_order;
	unsigned int max_order;
	bool prepared;
	bool fresh;
	uint64_t seq;
	uint64_t priv[4];
};

/**
 * gms_fault_begin() - look up the folio for a fault, and allocate it where there is none
 * @state: the object
 * @index: of the page
 * @accessor: who faults
 * @fault: filled in; on success to be handed to gms_fault_end() by the same thread
 *
 * A guest's max_order is the largest order not above the folio's, the largest uniform and
 * complete block at the index, what other attributes (gms_attr_set()), inhibits (gms_inhibit())
 * and the page's binding (gms_bind()) leave. A host's: the folio's, after the policy had its say,
 * and the largest block that is all shared and complete. Neither covers a quarantined page. A
 * split that a pin prevents is put off to the next fault.
 *
 * On failure nothing is held; a folio that was allocated stays.
 *
 * Context: Takes the invalidate lock of the page's shard, shared, until gms_fault_end().
 * Allocates, may sleep. A thread may have one fault at a time.
 * Return: 0; -EINVAL: the index is past the end, or @accessor unknown; -EACCES: the host touches a
 * private page; -ENOTRECOVERABLE: the page is quarantined; -EPERM: frozen, and a folio would have
 * to be allocated or split; -EDEADLK: called from inside a hook, or under the thread's own fault
 * or shared lock; -ENOMEM; what the backend's folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_fault_begin(struct gms_state *state, gms_pgoff_t index, enum gms_accessor accessor,
			    struct gms_fault *fault) GMS_EXCLUDES(gms_convert_lock)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

/**
 * gms_fault_prepare() - make ready for the guest what the fault's max_order covers
 * @state: the object
 * @fault: of gms_fault_begin(), by the guest
 *
 * Each page is prepared once: the backend's prepare is called for the largest blocks within
 * that are not prepared yet. On failure those that were done before stay prepared. Does
 * nothing for a shared page. Sets prepared, and lowers max_order to the order of the folio
 * where that was split since, and to what the backend's answer allows (GMS_PREPARED_AT()).
 *
 * Context: Between gms_fault_begin() and gms_fault_end(). Takes the folio lock. Allocates,
 * may sleep.
 * Return: 0; -EINVAL: a fault by the host; -EPERM: frozen, and there is something to prepare;
 * -EDEADLK: called from inside a hook; -ENOMEM; what the backend's prepare returned.
 */
GMS_API int gms_fault_prepare(struct gms_state *state, struct gms_fault *fault)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/**
 * gms_fault_end() - the fault is answered
 * @state: the object
 * @fault: of gms_fault_begin()
 *
 * Context: The thread that began.
 */
GMS_API void gms_fault_end(struct gms_state *state, struct gms_fault *fault)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

/**
 * gms_allocate() - allocate the folios of a range
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store, on failure, the first page that is not allocated, or whose
 *             folio could not be split
 *
 * A folio of which the range covers a part is allocated whole. On failure what was allocated
 * before @err_index stays.
 *
 * Context: Takes the invalidate lock, shared, 1G block by 1G block. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EDEADLK:
 * called from inside a hook, or under the thread's own fault or shared lock; -ENOMEM; what the
 * backend's folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_allocate(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			 gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_punch_hole() - free the memory of a range
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store, on failure, the first page of the range that is pinned,
 *             or @start where it is something else
 *
 * Folios in the range are merged as far as they can be, and freed; one that is partly in it is
 * split as far as needed. Shareability stays, PREPARED goes. The backend's block_freed is
 * called for each 1G block that had a folio and has none now. On failure nothing has changed,
 * but that the host may have to fault the range again.
 *
 * If the backend's map_host fails after that, the hole is made, the call returns 0, and the hole is
 * quarantined.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EAGAIN: a page of the range is
 * pinned, or pins elsewhere in it keep a folio from being split; -EPERM: frozen; -EDEADLK: called
 * from inside a hook or listener, or under the thread's own fault or shared lock; -ENOMEM; what
 * the backend's unmap_host, check_pins or folio_split returned.
 */
GMS_API int gms_punch_hole(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_pin() - take a reference on each page of a range
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store the first page that could not be touched, on failure
 *
 * As get_user_pages() by the host: acts as a host fault on each page, and keeps it from becoming
 * private or being punched out until as many gms_unpin(). All pages or none are pinned; what the
 * faults did stays.
 *
 * Context: Takes the invalidate locks of its shards, shared. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EACCES: a page
 * is private; -ENOTRECOVERABLE: a page is quarantined; -EDEADLK: called from inside a hook, or
 * under the thread's own fault or shared lock; -ENOMEM, also where a page has 2^31 - 1 pins; what
 * the backend's folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_pin(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		    gms_pgoff_t *err_index) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_unpin() - give references back
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages
 *
 * The range need not be one that was pinned in one call. Cannot fail: pages that are not pinned
 * are left alone and counted, as is a range that does not lie in the object.
 *
 * Context: Any, from inside hooks too. Takes spinlocks only; does not allocate.
 */
GMS_API void gms_unpin(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_first_pin() - the first pinned page of a range
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages; what lies past the end is ignored
 * @index: where to store it; NULL is allowed; written where true is returned
 *
 * Looks at pins that were taken by gms_pin(), not at those that the backend knows of.
 *
 * Context: Any; lock-free.
 * Return: whether a page of the range is pinned.
 */
GMS_API bool gms_first_pin(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *index);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_FAULT_H */
