/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/fault.h - faults, allocation, holes and pins
 *
 * A fault is answered in two calls, gms_fault_begin() and gms_fault_end(). The caller makes the
 * mapping in between:
 *
 *  1. From begin to end no page of the same shard (the 1G blocks whose numbers are equal modulo
 *     16) is converted or punched out.
 *  2. Meanwhile a fault of another thread may split the folio. A split moves no memory. A later
 *     conversion unmaps what the fault may have mapped, whatever the size of the mapping.
 *  3. A thread has at most one fault of an object open. The thread that began a fault ends it.
 *  4. A pinned page does not become private and is not punched out, until it was unpinned as often
 *     as it was pinned.
 *
 * Usage: answer a fault of the guest.
 *
 *	struct gms_fault fault;
 *	int err = gms_fault_begin(state, index, GMS_GUEST, &fault);
 *
 *	if (err)
 *		return err;
 *	if (!fault.prepared)
 *		err = gms_fault_prepare(state, &fault);
 *	if (!err)
 *		... map the 2^fault.max_order pages around index ...
 *	gms_fault_end(state, &fault);
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
 * @folio_index: the index of the first page of the folio
 * @folio_order: the order of the folio: 0, 9 or 18
 * @max_order: the order of the largest mapping that is allowed at the index: 0, 9 or 18
 * @prepared: all pages of the block of @max_order at the index are private and prepared; always
 *            false for the host
 * @fresh: the folio was allocated for this fault
 * @seq: what gms_seq_read() returns at the index. A caller that maps after gms_fault_end() passes
 *       it to gms_seq_retry(), under the lock of its page tables
 * @priv: private to the library
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
 * gms_fault_begin() - find the folio for a fault, and allocate it if there is none
 * @state: the object
 * @index: the index of the page
 * @accessor: the side that faults: GMS_GUEST or GMS_HOST
 * @fault: filled in. After a success the same thread passes it to gms_fault_end()
 *
 * The policy may split the folio first. A split that a pin prevents is deferred to the next
 * fault.
 *
 * For the guest, max_order is the largest order that exceeds none of these: the order of the
 * folio; the order of the largest uniform and complete block at the index; the orders that
 * attributes (gms_attr_set()), inhibits (gms_inhibit()) and the binding of the page (gms_bind())
 * allow.
 *
 * For the host, max_order is the largest order that exceeds neither the order of the folio nor
 * that of the largest complete block at the index that is all shared.
 *
 * For either side, the block of max_order at the index has no quarantined page.
 *
 * On failure no lock is held, and a folio that was allocated stays.
 *
 * Context: Takes the invalidate lock of the page's shard, shared, until gms_fault_end().
 * Allocates, may sleep. The thread has no other fault of the object open.
 * Return: 0; -EINVAL: the index is past the end, or @accessor is unknown; -EACCES: the host faults
 * a private page; -ENOTRECOVERABLE: the page is quarantined; -EPERM: frozen, and a folio would
 * have to be allocated or split; -EDEADLK (user space): called from inside a hook, or under the
 * thread's own fault or shared lock; -ENOMEM; what the backend's folio_alloc, folio_split or
 * check_pins returned.
 */
GMS_API int gms_fault_begin(struct gms_state *state, gms_pgoff_t index, enum gms_accessor accessor,
			    struct gms_fault *fault) GMS_EXCLUDES(gms_convert_lock)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

/**
 * gms_fault_prepare() - prepare for the guest what the max_order of a fault covers
 * @state: the object
 * @fault: a fault of the guest, begun by gms_fault_begin()
 *
 * Each page is prepared once: the backend's prepare is called for the largest blocks in the
 * mapping that are not prepared yet. Does nothing for a shared page, whose fault stays unprepared.
 *
 * On success the call sets prepared, and lowers max_order to what the backend's answer allows
 * (GMS_PREPARED_AT()). If the folio was split since gms_fault_begin(), the call lowers max_order
 * to the order of the folio. On failure the blocks that were prepared before the failure stay
 * prepared.
 *
 * Context: Between gms_fault_begin() and gms_fault_end(). Takes the folio lock. Allocates, may
 * sleep.
 * Return: 0; -EINVAL: a fault of the host; -EPERM: frozen, and there is something to prepare;
 * -EDEADLK (user space): called from inside a hook; -ENOMEM; what the backend's prepare returned.
 */
GMS_API int gms_fault_prepare(struct gms_state *state, struct gms_fault *fault)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/**
 * gms_fault_end() - end a fault
 * @state: the object
 * @fault: begun by gms_fault_begin()
 *
 * Context: The thread that began the fault.
 */
GMS_API void gms_fault_end(struct gms_state *state, struct gms_fault *fault)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

/**
 * gms_allocate() - allocate the folios of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store, on failure, the first page that is not allocated, or whose
 *             folio could not be split
 *
 * A folio that lies only partly in the range is allocated whole. On failure the folios before
 * @err_index stay allocated.
 *
 * Context: Takes the invalidate lock of one 1G block at a time, shared. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EDEADLK (user
 * space): called from inside a hook, or under the thread's own fault or shared lock; -ENOMEM; what
 * the backend's folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_allocate(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			 gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_punch_hole() - free the memory of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store, on failure, the first page of the range that is pinned, or
 *             @start if the failure has another reason
 *
 * Folios that lie wholly in the range are merged as far as possible, and freed. A folio that lies
 * only partly in it is split as far as needed. Shareability stays; PREPARED is cleared. The
 * backend's block_freed is called for each 1G block that had a folio and has none now.
 *
 * On failure nothing has changed, except that the host may have to fault the pages of the range
 * again.
 *
 * If the backend's map_host fails after the memory was freed, the call returns 0, and the hole is
 * quarantined. If it fails while another error is undone, the call returns that error, and the
 * range is quarantined.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EAGAIN: a page of the range is
 * pinned, or pins elsewhere in a folio keep it from being split; -EPERM: frozen; -EDEADLK (user
 * space): called from inside a hook or listener, or under the thread's own fault or shared lock;
 * -ENOMEM; what the backend's unmap_host, check_pins or folio_split returned.
 */
GMS_API int gms_punch_hole(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_pin() - take a reference on each page of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 * @err_index: NULL, or where to store, on failure, the first page that could not be pinned
 *
 * Acts as get_user_pages() of the host: each page is faulted for the host first. A pinned page
 * does not become private and is not punched out, until it was unpinned as often as it was pinned.
 * On failure no page is pinned. Folios that the faults allocated stay, and splits are not undone.
 *
 * Context: Takes the invalidate locks of its shards, shared. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EACCES: a page
 * is private; -ENOTRECOVERABLE: a page is quarantined; -EDEADLK (user space): called from inside a
 * hook, or under the thread's own fault or shared lock; -ENOMEM: also if a page has 2^31 - 1 pins;
 * what the backend's folio_alloc, folio_split or check_pins returned.
 */
GMS_API int gms_pin(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		    gms_pgoff_t *err_index) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_unpin() - release one reference on each page of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages
 *
 * Cannot fail. The range may differ from those that were pinned. Pages that are not pinned stay as
 * they are, and are counted (surplus_unpins of struct gms_stats). A range that does not lie in the
 * object is ignored, and counted as one page.
 *
 * Context: Any, also from inside a hook. Takes spinlocks only. Does not allocate.
 */
GMS_API void gms_unpin(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_first_pin() - find the first pinned page of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages; what lies past the end is ignored
 * @index: NULL, or where to store the index of that page; written only if the call returns true
 *
 * Finds the pins that gms_pin() made. Pins that only the backend knows are not found.
 *
 * Context: Any; lock-free.
 * Return: true if a page of the range is pinned.
 */
GMS_API bool gms_first_pin(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   gms_pgoff_t *index);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_FAULT_H */
