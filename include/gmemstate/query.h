/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/query.h - asking what pages are
 *
 * Queries take no lock, never wait, and may be made from any context, also during a conversion. rtree.h
 * says what they guarantee (R1 to R4). To that the state object adds:
 *
 *  R5  A caller that needs more than R4 reads gms_seq_read() before and gms_seq_retry() after, or
 *      holds gms_lock_shared() meanwhile. Then no conversion of those 1G blocks took place in
 *      between.
 *
 * Usage:
 *
 *	do {
 *		seq = gms_seq_read(state, index);
 *		order = gms_max_order(state, index);
 *		... map 2^order pages, unless the number has changed ...
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
 * gms_is_private() - is a page private?
 * @state: the object
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where the page is private, and past the end: the safe answer.
 */
GMS_API bool gms_is_private(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_range_is() - is every page of a range shared, or private?
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages
 * @shareability: what is asked for
 *
 * Context: Any; lock-free.
 * Return: true where each page has @shareability; false where one has not, for a range that
 * is empty, wraps or passes the end, and for an unknown @shareability.
 */
GMS_API bool gms_range_is(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability shareability);

/**
 * gms_summary() - a block, taken together
 * @state: the object
 * @index: of any page in the block
 * @order: log2 of the block's size in pages: 0, 9 or 18
 *
 * A last block that is incomplete is judged by the pages that exist.
 *
 * Context: Any; lock-free.
 * Return: the summary; GMS_ALL_PRIVATE past the end; GMS_MIXED for another @order.
 */
GMS_API enum gms_summary gms_summary(const struct gms_state *state, gms_pgoff_t index,
				     unsigned int order);

/**
 * gms_max_order() - the largest block at an index that one mapping could cover
 * @state: the object
 * @index: of the page
 *
 * Looks at shareability alone.
 *
 * Context: Any; lock-free.
 * Return: the order of the largest block at @index that lies wholly in the object and
 * is all shared or all private: 18, 9 or 0; 0 past the end.
 */
GMS_API unsigned int gms_max_order(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_count() - how many pages of a range are shared, or private
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages; what lies past the end is ignored
 * @shareability: which to count
 *
 * Context: Any; lock-free.
 * Return: the number of pages; 0 for an unknown @shareability.
 */
GMS_API uint64_t gms_count(const struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability shareability);

/**
 * gms_is_allocated() - does a page have memory?
 * @state: the object
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where it has; false past the end.
 */
GMS_API bool gms_is_allocated(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_is_prepared() - is a page ready for the guest?
 * @state: the object
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where the page is private and prepared; false past the end.
 */
GMS_API bool gms_is_prepared(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_is_quarantined() - is a page quarantined?
 * @state: the object
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where it is; false past the end.
 */
GMS_API bool gms_is_quarantined(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_folio_order() - of which order is the folio at an index?
 * @state: the object
 * @index: of a page
 *
 * Context: Any; lock-free.
 * Return: the order of the folio: 0, 9 or 18; where nothing is allocated, that of the folio that
 * would be; 0 past the end.
 */
GMS_API unsigned int gms_folio_order(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_seq_read() - the sequence number of the 1G block at an index
 * @state: the object
 * @index: of any page in the block
 *
 * Blocks whose numbers are equal modulo 16 share a sequence number.
 *
 * Context: Any; lock-free, does not wait for an even number.
 * Return: the number: odd while a call that takes the invalidate lock exclusively is changing such
 * a block (a conversion, a hole, an attribute), or that looks at all of the object (a save, a
 * verify). 0 past the end.
 */
GMS_API uint64_t gms_seq_read(const struct gms_state *state, gms_pgoff_t index);

/**
 * gms_seq_retry() - may a block have changed since gms_seq_read()?
 * @state: the object
 * @index: as given to gms_seq_read()
 * @seq: what gms_seq_read() returned
 *
 * Context: Any; lock-free.
 * Return: true where what was read since then may be of two minds: a conversion has
 * begun since, or was under way (@seq odd).
 */
GMS_API bool gms_seq_retry(const struct gms_state *state, gms_pgoff_t index, uint64_t seq);

/**
 * struct gms_iter - a walk over runs
 * @priv: the library's
 *
 * Set up by gms_iter_init(). Holds no memory and no lock: it may be dropped anywhere.
 */
struct gms_iter {
	uint64_t priv[8];
};

/**
 * gms_iter_init() - begin a walk over the runs of a range
 * @iter: set up here
 * @state: the object; must outlive the walk
 * @start: index of the first page
 * @nr_pages: length in pages; what lies past the end is ignored
 *
 * Context: Any; lock-free.
 */
GMS_API void gms_iter_init(struct gms_iter *iter, const struct gms_state *state, gms_pgoff_t start,
			   uint64_t nr_pages);

/**
 * gms_iter_next() - the next run
 * @iter: of gms_iter_init()
 * @run: the longest run of equal pages from where the last one ended, cut at the end of
 *       the range; written where true is returned
 *
 * Context: Any; lock-free. Beside a writer two successive runs may be of one kind (R4).
 * Return: false where the range is at its end.
 */
GMS_API bool gms_iter_next(struct gms_iter *iter, struct gms_run *run);

/**
 * gms_lock_shared() - keep a range from being converted
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 *
 * Several threads may hold it. The holder may make queries and call gms_unpin(). Another call for
 * the object that takes a lock returns -EDEADLK, this one included.
 *
 * Context: Takes the invalidate locks of its shards, shared; may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EDEADLK: called from inside a
 * hook, or under the thread's own fault or shared lock. On failure nothing is locked.
 */
GMS_API int gms_lock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_EXCLUDES(gms_convert_lock) GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock);

/**
 * gms_unlock_shared() - the other end of gms_lock_shared()
 * @state: the object
 * @start: as given to gms_lock_shared()
 * @nr_pages: as given to gms_lock_shared()
 *
 * Context: The thread that locked.
 */
GMS_API void gms_unlock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_QUERY_H */
