/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/state.h - the state object: which pages are shared, which private
 *
 * One object for one guest memory object (a guest_memfd, a RAM block). Changes go
 * through gms_convert(), one at a time. Queries take no lock, never wait and may be
 * made from any context, beside a conversion too; what they guarantee (R1 to R4) is
 * in rtree.h. To that the state object adds
 *
 *  R5  Who needs more than R4 reads gms_seq_read() before and asks gms_seq_retry()
 *      after, or holds gms_lock_shared() meanwhile: then no conversion of those 1G
 *      blocks took place in between.
 */
#ifndef GMEMSTATE_STATE_H
#define GMEMSTATE_STATE_H

#include <gmemstate/alloc.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_state;
struct gms_policy_ops;
struct gms_backend_ops;

/** GMS_INIT_PRIVATE - create with every page private; else every page is shared */
#define GMS_INIT_PRIVATE (1ULL << 0)

/**
 * struct gms_state_opts - how to create a state object
 * @struct_size: sizeof(struct gms_state_opts); GMS_STATE_OPTS_INIT sets it. A larger
 *               one is accepted where all that this library does not know is 0
 * @nr_pages: size in pages, 1 to GMS_MAX_PAGES
 * @flags: 0 or GMS_INIT_PRIVATE
 * @folio_order: of the backing: 0, 9 or 18. This version has no folios yet: the order
 *               is checked, and changes nothing
 * @policy: must be NULL in this version
 * @policy_ctx: must be NULL in this version
 * @backend: must be NULL in this version
 * @backend_ctx: must be NULL in this version
 * @allocator: source of memory, copied; NULL: the platform's
 * @clock_ns: must be NULL in this version
 * @clock_ctx: must be NULL in this version
 */
struct gms_state_opts {
	size_t struct_size;
	uint64_t nr_pages;
	uint64_t flags;
	unsigned int folio_order;
	const struct gms_policy_ops *policy;
	void *policy_ctx;
	const struct gms_backend_ops *backend;
	void *backend_ctx;
	const struct gms_allocator *allocator;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
};

/* clang-format off */
#define GMS_STATE_OPTS_INIT { sizeof(struct gms_state_opts), 0, 0, 0, \
			      NULL, NULL, NULL, NULL, NULL, NULL, NULL }
/* clang-format on */

/**
 * struct gms_stats - what happened, and what it costs now
 * @struct_size: set by the caller to sizeof(struct gms_stats); no more than that is
 *               written, and what this library does not know is set to 0
 * @conversions: calls of gms_convert() that changed at least one page
 * @pages_converted: pages that those changed
 * @noops: calls of gms_convert() that found the range converted already
 * @refused_inval: calls of gms_convert() that returned -EINVAL
 * @refused_nomem: calls of gms_convert() that returned -ENOMEM
 * @nodes: mixed 1G and 2M blocks now
 * @bytes_in_use: memory that holds the state now
 * @bytes_pooled: memory kept for reuse now
 */
struct gms_stats {
	size_t struct_size;
	uint64_t conversions;
	uint64_t pages_converted;
	uint64_t noops;
	uint64_t refused_inval;
	uint64_t refused_nomem;
	uint64_t nodes;
	uint64_t bytes_in_use;
	uint64_t bytes_pooled;
};

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
 * gms_state_create() - make a state object
 * @opts: how
 * @state: where to store the object; written on success only
 *
 * Takes O(size / 1G) at most in time and memory.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a bad size, flag, order, allocator or unknown option; -ENOMEM.
 */
GMS_API int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state);

/**
 * gms_state_destroy() - free a state object
 * @state: the object; NULL is allowed
 *
 * Context: Nobody else may be using the object. May sleep.
 */
GMS_API void gms_state_destroy(struct gms_state *state);

/**
 * gms_state_nr_pages() - size of the object
 * @state: the object
 *
 * Context: Any; lock-free.
 * Return: the size in pages.
 */
GMS_API uint64_t gms_state_nr_pages(const struct gms_state *state);

/**
 * gms_convert() - make a range shared or private
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @to: what every page of the range is to be
 * @flags: must be 0 in this version
 * @err_index: NULL, or where to store @start on failure: everything before it is
 *             converted, which of an atomic conversion is nothing. Not written on
 *             success
 *
 * Atomic: all of the range or, on failure, nothing. Converting to what a range is
 * already succeeds and does nothing.
 *
 * Context: Takes the object's lock exclusively. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @to or @flags are
 * unknown; -ENOMEM.
 */
GMS_API int gms_convert(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability to, unsigned int flags, gms_pgoff_t *err_index);

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
 * gms_seq_read() - the sequence number of the 1G block at an index
 * @state: the object
 * @index: of any page in the block
 *
 * Blocks whose numbers are equal modulo 16 share a sequence number.
 *
 * Context: Any; lock-free, does not wait for an even number.
 * Return: the number: odd while a conversion is changing such a block. 0 past the end.
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
 * Several threads may hold it. The holder must not call gms_convert(), nor take it
 * again. In this version it keeps the whole object from being converted.
 *
 * Context: Takes the object's lock shared; may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end (nothing is locked).
 */
GMS_API int gms_lock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_unlock_shared() - the other end of gms_lock_shared()
 * @state: the object
 * @start: as given to gms_lock_shared()
 * @nr_pages: as given to gms_lock_shared()
 *
 * Context: The thread that locked.
 */
GMS_API void gms_unlock_shared(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_stats_read() - read the counters
 * @state: the object
 * @stats: struct_size set by the caller; the rest is filled in
 *
 * Each counter is exact; beside a writer they need not agree with each other.
 *
 * Context: Any; lock-free.
 */
GMS_API void gms_stats_read(const struct gms_state *state, struct gms_stats *stats);

/**
 * gms_state_verify() - check every invariant by brute force
 * @state: the object
 * @reason: where to store what is wrong, a static string; NULL is allowed; written
 *          where false is returned
 *
 * Context: Takes the object's lock exclusively; may sleep.
 * Return: true where the object is sound.
 */
GMS_API bool gms_state_verify(struct gms_state *state, const char **reason);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_STATE_H */
