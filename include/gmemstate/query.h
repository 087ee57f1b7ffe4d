/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/query.h - reading the state of pages and blocks
 *
 * A query takes no lock, never waits and writes nothing. It may be made from any context, also
 * during a conversion and from inside a hook. Every function of this header is a query, except for
 * gms_lock_shared() and gms_unlock_shared(). rtree.h states what readers may rely on (R1 to R4).
 * The state object adds one guarantee:
 *
 *  R5  A caller that needs more than R4 calls gms_seq_read() before its queries and
 *      gms_seq_retry() after them, or holds gms_lock_shared() around them. If gms_seq_retry()
 *      returns false, or the lock is held, no conversion of the 1G block took place in between.
 *
 * Usage: read two values that belong together.
 *
 *	do {
 *		seq = gms_seq_read(state, index);
 *		private = gms_is_private(state, index);
 *		order = gms_max_order(state, index);
 *	} while (gms_seq_retry(state, index, seq));
 */
#ifndef GMEMSTATE_QUERY_H
#define GMEMSTATE_QUERY_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;

/**
 * gms_is_private() - return true if a page is private
 * @state: the object
 * @index: the index of the page
 *
 * Context: Any; lock-free.
 * Return: true if the page is private, or past the end, where that is the safe answer.
 */
GMS_API bool gms_is_private(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_range_is() - return true if every page of a range has a shareability
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages
 * @shareability: GMS_SHARED or GMS_PRIVATE
 *
 * Context: Any; lock-free.
 * Return: true if every page has @shareability; false if a page has the other one, if the range is
 * empty, wraps or passes the end, or if @shareability is unknown.
 */
GMS_API bool gms_range_is(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability shareability);

/**
 * gms_summary() - read the summary of a block
 * @state: the object
 * @index: the index of any page in the block
 * @order: the order of the block: 0, 9 or 18
 *
 * The summary of a last block that is incomplete counts only the pages that exist.
 *
 * Context: Any; lock-free.
 * Return: the summary; GMS_ALL_PRIVATE past the end; GMS_MIXED for any other @order.
 */
GMS_API enum gms_summary gms_summary(const struct gms_state *state, gms_pgoff_t index,
				     unsigned int order);

/**
 * gms_max_order() - find the largest block at an index that one mapping could cover
 * @state: the object
 * @index: the index of the page
 *
 * Considers shareability only: folios, attributes, inhibits, bindings and quarantine may limit a
 * mapping further (fault.h).
 *
 * Context: Any; lock-free.
 * Return: the order of the largest block at @index that lies wholly in the object, and is all
 * shared or all private: 18, 9 or 0; 0 past the end.
 */
GMS_API unsigned int gms_max_order(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_count() - count the pages of a range that are shared, or private
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages; what lies past the end is ignored
 * @shareability: which pages to count
 *
 * Context: Any; lock-free.
 * Return: the number of pages; 0 if @shareability is unknown.
 */
GMS_API uint64_t gms_count(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability shareability);

/**
 * gms_is_allocated() - return true if a page has memory
 * @state: the object
 * @index: the index of the page
 *
 * Context: Any; lock-free.
 * Return: true if the folio of the page is allocated; false if not, or past the end.
 */
GMS_API bool gms_is_allocated(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_is_prepared() - return true if a page is prepared for the guest
 * @state: the object
 * @index: the index of the page
 *
 * Context: Any; lock-free.
 * Return: true if the page is private and prepared; false if not, or past the end.
 */
GMS_API bool gms_is_prepared(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_is_quarantined() - return true if a page is quarantined
 * @state: the object
 * @index: the index of the page
 *
 * Context: Any; lock-free.
 * Return: true if the page is quarantined; false if not, or past the end.
 */
GMS_API bool gms_is_quarantined(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_quarantine_next() - find the next quarantined pages of a range
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages; what lies past the end is ignored
 * @first: where to store the index of the first quarantined page; written only if the call returns
 *         true
 * @count: where to store how many pages from there on are quarantined, up to the end of the range;
 *         written only if the call returns true
 *
 * Usage: lift all quarantines.
 *
 *	while (!err && gms_quarantine_next(state, 0, nr_pages, &first, &count))
 *		err = gms_repair(state, first, count, GMS_SHARED);
 *
 * Context: Any; lock-free.
 * Return: true if the range has a quarantined page.
 */
GMS_API bool gms_quarantine_next(const struct gms_state *state, gms_pgoff_t start,
				 uint64_t nr_pages, gms_pgoff_t *first, uint64_t *count);

/**
 * gms_folio_order() - return the order of the folio at an index
 * @state: the object
 * @index: the index of a page
 *
 * Context: Any; lock-free.
 * Return: the order of the folio: 0, 9 or 18. If nothing is allocated there, the order of the
 * folio that would be allocated. 0 past the end.
 */
GMS_API unsigned int gms_folio_order(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_seq_read() - read the sequence number of the 1G block at an index
 * @state: the object
 * @index: the index of any page in the block
 *
 * The blocks of one shard (whose numbers are equal modulo 16) share a sequence number. It is odd
 * while a call holds the shard's invalidate lock exclusively. The call may change one of the
 * blocks (a conversion, a hole, an attribute), or read all of the object (a save, a verify).
 *
 * Context: Any; lock-free. Does not wait for an even number.
 * Return: the sequence number; 0 past the end.
 */
GMS_API uint64_t gms_seq_read(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_seq_retry() - return true if a block may have changed since gms_seq_read()
 * @state: the object
 * @index: as given to gms_seq_read()
 * @seq: what gms_seq_read() returned
 *
 * Context: Any; lock-free.
 * Return: true if a change was under way at gms_seq_read() (@seq is odd) or has begun since, so
 * that queries in between may disagree with each other; else false.
 */
GMS_API bool gms_seq_retry(const struct gms_state *state, gms_pgoff_t index, uint64_t seq);

/**
 * struct gms_iter - a walk over the runs of a range
 * @priv: private to the library
 *
 * gms_iter_init() begins a walk. A walk holds no memory and no lock, so it need not be ended.
 */
struct gms_iter {
	uint64_t priv[8];
};

/**
 * gms_iter_init() - begin a walk over the runs of a range
 * @iter: filled in
 * @state: the object; must outlive the walk
 * @start: the index of the first page
 * @nr_pages: the length in pages; what lies past the end is ignored
 *
 * Context: Any; lock-free.
 */
GMS_API void gms_iter_init(struct gms_iter *iter, const struct gms_state *state, gms_pgoff_t start,
			   uint64_t nr_pages);

/**
 * gms_iter_next() - find the next run of a walk
 * @iter: the walk, begun by gms_iter_init()
 * @run: where to store the run; written only if the call returns true. It begins where the last
 *       run ended, is as long as possible, and is cut at the end of the range
 *
 * If other threads change the range meanwhile, two neighbouring runs may have the same
 * shareability (R4).
 *
 * Context: Any; lock-free.
 * Return: true if there is a run; false at the end of the range.
 */
GMS_API bool gms_iter_next(struct gms_iter *iter, struct gms_run *run);

/**
 * gms_lock_shared() - lock a range against conversions
 * @state: the object
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1; the range must lie in the object
 *
 * Several threads may hold the lock at the same time. The holder may make queries and call
 * gms_unpin(). It must make no other call for the object that takes a lock (-EDEADLK, state.h),
 * and no second gms_lock_shared(). On failure nothing is locked.
 *
 * Context: Takes the invalidate locks of the range's shards, shared. May sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EDEADLK (user space): called
 * from inside a hook, or under the thread's own fault or shared lock.
 */
GMS_API int gms_lock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_EXCLUDES(gms_convert_lock) GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

/**
 * gms_unlock_shared() - release what gms_lock_shared() has locked
 * @state: the object
 * @start: as given to gms_lock_shared()
 * @nr_pages: as given to gms_lock_shared()
 *
 * Context: The thread that called gms_lock_shared().
 */
GMS_API void gms_unlock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_QUERY_H */
