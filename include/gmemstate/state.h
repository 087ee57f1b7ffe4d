/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/state.h - the state object: which pages are shared, which private
 *
 * One object for one guest memory object (a guest_memfd, a RAM block). It knows which
 * pages are private, which folios back them, who has pinned them; gms_convert() moves a range
 * from one state to the other as a transaction, and asks a policy (policy.h) when to split
 * and merge folios. What is to be done to real memory and page tables is done by a backend
 * (backend.h); who wants to know what is shared is a listener (listener.h). Faults, allocation and
 * pins are in fault.h, where the guest sees the memory in binding.h, saving in snapshot.h.
 *
 * Queries take no lock, never wait and may be made from any context, beside a conversion
 * too; what they guarantee (R1 to R4) is in rtree.h. To that the state object adds
 *
 *  R5  Who needs more than R4 reads gms_seq_read() before and asks gms_seq_retry()
 *      after, or holds gms_lock_shared() meanwhile: then no conversion of those 1G
 *      blocks took place in between.
 *
 * Locks. Blocks of 1G whose numbers are equal modulo 16 are a shard. Each shard has a convert
 * lock, held for all of a conversion, and an invalidate lock, held exclusively while pages
 * change and shared by faults, allocation and pinning. Conversions of different shards run
 * side by side, and never make a fault of another shard wait.
 *
 * A call that would wait for its own thread returns -EDEADLK and does nothing:
 *
 *  - inside a hook of the backend, each call that takes a lock: all but queries and gms_unpin();
 *  - inside a listener, each call that takes a convert lock;
 *  - between gms_fault_begin() and gms_fault_end(), and between gms_lock_shared() and
 *    gms_unlock_shared(), each call for the same object that takes a lock, as a conversion of
 *    another thread may wait for the first, and the call for the conversion. The library knows
 *    the first four objects that a thread holds like that. With more at once the caller takes care.
 *
 * fork(). The child has an object of its own, as it was. It may use it if no other thread of the
 * parent was inside a call, and the forking thread had no fault open: no thread is there to end
 * what was begun. A backend's memory is another matter: see kvm.h.
 *
 * GMS_DEBUG, an option of the build, checks invariants and the order of all locks at run time. What
 * is broken is said in one line on the standard error (file, line, and the lock or the condition),
 * and the process ends by a trap.
 */
#ifndef GMEMSTATE_STATE_H
#define GMEMSTATE_STATE_H

#include <gmemstate/alloc.h>
#include <gmemstate/backend.h>
#include <gmemstate/binding.h>
#include <gmemstate/fault.h>
#include <gmemstate/listener.h>
#include <gmemstate/policy.h>
#include <gmemstate/snapshot.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** GMS_INIT_PRIVATE - create with every page private; else every page is shared */
#define GMS_INIT_PRIVATE (1ULL << 0)

/**
 * struct gms_state_opts - how to create a state object
 * @struct_size: sizeof(struct gms_state_opts); GMS_STATE_OPTS_INIT sets it. In a smaller one, down
 *               to @nr_pages, what is missing is 0; a larger one is accepted where all that this
 *               library does not know is 0
 * @nr_pages: size in pages, 1 to GMS_MAX_PAGES
 * @flags: 0 or GMS_INIT_PRIVATE
 * @folio_order: of the backing: 0, 9 or 18. Where the object does not end at a multiple of it
 *               the rest is backed by the largest folios that are complete
 * @policy: when to split and merge, copied; NULL: gms_policy_lazy()
 * @policy_ctx: passed to it
 * @backend: what to call when something changes, copied; NULL: nothing. Folios, pins and splits
 *           are tracked all the same
 * @backend_ctx: passed to it
 * @allocator: source of memory, copied; NULL: the platform's
 * @clock_ns: time in nanoseconds, for policies; must be thread-safe and quick, and not call the
 *            library. NULL: a count of changes serves as time
 * @clock_ctx: passed to it
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
 * @refused_inval: calls that returned -EINVAL or -ENOENT
 * @refused_nomem: calls that returned -ENOMEM
 * @nodes: mixed 1G and 2M blocks now
 * @bytes_in_use: memory that holds the state now
 * @bytes_pooled: memory kept beyond that until the object is destroyed: what was once in use stays
 * @refused_access: calls that returned -EACCES
 * @refused_pinned: calls that returned -EAGAIN: a page is pinned, or in use
 * @refused_quarantined: calls that returned -ENOTRECOVERABLE
 * @refused_deadlock: calls that returned -EDEADLK
 * @refused_backend: calls that returned what a hook of the backend or a listener had
 * @faults_host: host faults answered; gms_pin() is not counted
 * @faults_guest: guest faults answered
 * @folios_allocated: folios of any order allocated
 * @folios_freed: folios of any order freed
 * @blocks_freed: 1G blocks that became wholly free
 * @prepares: blocks that the backend prepared
 * @splits_1g: folios of order 18 split, to 2M or to 4K; without those that were undone
 * @splits_2m: folios of order 9 split; without those that were undone
 * @merges_1g: folios of order 18 merged
 * @merges_2m: folios of order 9 merged
 * @splits_deferred: splits that a pin prevented
 * @merges_refused: merges that the backend refused, or that a pin prevented
 * @undone: conversions and holes that took back hooks, or what listeners had done
 * @quarantined_pages: pages that are quarantined now
 * @surplus_unpins: pages that were unpinned and were not pinned; a bad range counts as one
 * @refused_frozen: calls that returned -EPERM
 * @refused_exists: calls that returned -EEXIST
 * @listeners: listeners that are registered now
 * @bindings: bindings that there are now
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
	uint64_t refused_access;
	uint64_t refused_pinned;
	uint64_t refused_quarantined;
	uint64_t refused_deadlock;
	uint64_t refused_backend;
	uint64_t faults_host;
	uint64_t faults_guest;
	uint64_t folios_allocated;
	uint64_t folios_freed;
	uint64_t blocks_freed;
	uint64_t prepares;
	uint64_t splits_1g;
	uint64_t splits_2m;
	uint64_t merges_1g;
	uint64_t merges_2m;
	uint64_t splits_deferred;
	uint64_t merges_refused;
	uint64_t undone;
	uint64_t quarantined_pages;
	uint64_t surplus_unpins;
	uint64_t refused_frozen;
	uint64_t refused_exists;
	uint64_t listeners;
	uint64_t bindings;
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
 * Return: 0; -EINVAL: a bad size, flag, order, allocator, policy, backend or unknown option;
 * -ENOMEM.
 */
GMS_API int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state);

/**
 * gms_state_destroy() - free a state object
 * @state: the object; NULL is allowed
 *
 * Listeners are told to let go of what they have, the last registered first; none can refuse.
 * Folios that are allocated are merged as far as they can be and freed, pinned or not.
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
 * GMS_CONVERT_RESUMABLE - convert 1G block by 1G block
 *
 * On failure err_index is where to go on. Locks are let go between blocks.
 */
#define GMS_CONVERT_RESUMABLE (1U << 0)

/**
 * gms_convert() - make a range shared or private
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @to: what every page of the range is to be
 * @flags: 0 or GMS_CONVERT_RESUMABLE
 * @err_index: NULL, or where to store an index on failure. Atomic: the first page that is pinned
 *             or quarantined, or that the backend's apply found in use, else @start. Resumable:
 *             everything before it is converted, and nothing from there on; such a page, else
 *             the start of the failing 1G block. Never below @start. Not written on success
 *
 * Atomic: all of the range or, on failure, nothing. Converting to what a range is
 * already succeeds and does nothing. On failure the host may have to fault the range again, and
 * what was prepared may have to be prepared again.
 *
 * What cannot be undone, after a failure of the backend or of a listener, is quarantined, from the
 * first page that would have changed to the last: it answers -ENOTRECOVERABLE until gms_repair().
 *
 * With GMS_BACKEND_PINS_BY_FOLIO a pin anywhere in a folio counts. *@err_index is then @start
 * where no page of the range itself is pinned; if resumable, the first page of the range in the
 * folio that is pinned.
 *
 * Where there is a backend or a listener, 16 bytes are needed for each run that changes, if they
 * are more than a few: a large range that is fragmented wants GMS_CONVERT_RESUMABLE.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @to or @flags are unknown;
 * -EPERM: frozen; -EAGAIN: to private, and a page is pinned, or the backend says that it is in
 * use; -ENOTRECOVERABLE: a page is quarantined; -EDEADLK: called from inside a hook or listener,
 * or under the thread's own fault or shared lock; -ENOMEM; what a hook of the backend or a
 * listener returned.
 */
GMS_API int gms_convert(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability to, unsigned int flags, gms_pgoff_t *err_index)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

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

/**
 * gms_inhibit() - the guest's side of a range is split
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @order: of the largest mapping that the guest may still have there: 0 or 9
 *
 * For an RMP that was split to 4K, or a TDX page that was accepted at 4K: guest faults in a 2M
 * or 1G block with such a page get no larger mapping, until gms_uninhibit().
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, or @order is another; -EPERM:
 * frozen; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM: nothing has changed.
 */
GMS_API int gms_inhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
			unsigned int order) GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_uninhibit() - lift what gms_inhibit() set
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -EPERM: frozen; -EDEADLK:
 * called from inside a hook or listener, or under the thread's own fault or shared lock; -ENOMEM:
 * nothing has changed.
 */
GMS_API int gms_uninhibit(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_maintain() - let the policy merge
 * @state: the object
 * @max_blocks: how many 1G blocks to look at, at most
 *
 * To be called now and then. Each call goes on where the last one stopped, and looks only at
 * blocks that are split. A folio is merged where all of its pages are allocated and none is
 * pinned, and the backend can.
 *
 * Context: Takes the convert and the invalidate locks, 1G block by 1G block. May sleep.
 * Return: how many folios were merged. 0 from inside a hook or listener, and where it is frozen.
 */
GMS_API uint64_t gms_maintain(struct gms_state *state, uint64_t max_blocks)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/** GMS_MAX_ATTRS - attributes that an object can have */
#define GMS_MAX_ATTRS 16

/**
 * gms_attr_create() - make another attribute of pages
 * @state: the object
 * @id: where to store its number; written on success only
 *
 * A set of pages of the caller's (read-only, say, or poisoned), empty at first. A guest
 * fault's max_order covers no page that differs in an attribute from the one at the index.
 *
 * Context: Takes all convert locks. Allocates, may sleep.
 * Return: 0; -EPERM: frozen; -EDEADLK: called from inside a hook or listener, or under the
 * thread's own fault or shared lock; -ENOMEM, also where there are GMS_MAX_ATTRS.
 */
GMS_API int gms_attr_create(struct gms_state *state, unsigned int *id)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_set() - give pages an attribute, or take it
 * @state: the object
 * @id: of gms_attr_create()
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1; the range must lie in the object
 * @set: whether the pages have it from now on
 *
 * The guest's mappings of what changes are zapped.
 *
 * Context: Takes the convert and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: no such attribute, or the range is empty, wraps or passes the end; -EPERM:
 * frozen; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM: nothing has changed.
 */
GMS_API int gms_attr_set(struct gms_state *state, unsigned int id, gms_pgoff_t start,
			 uint64_t nr_pages, bool set)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_attr_test() - does a page have an attribute?
 * @state: the object
 * @id: of gms_attr_create()
 * @index: of the page
 *
 * Context: Any; lock-free.
 * Return: true where it has; false past the end, and where there is no such attribute.
 */
GMS_API bool gms_attr_test(const struct gms_state *state, unsigned int id, gms_pgoff_t index);

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
 * gms_repair() - lift a quarantine
 * @state: the object
 * @start: index of the first page
 * @nr_pages: length in pages, at least 1
 * @shareability: what the pages are now
 *
 * The backend's repair makes the pages what they are to be. A backend without it leaves that to the
 * caller, who has brought the pages into a known state before the call. Neither apply nor undo is
 * called; unmap_host and check_pins are before the pages are private, and invalidate_begin,
 * zap_guest for both kinds of pages, and invalidate_end around the change. The pages are not
 * prepared afterwards.
 *
 * A listener that refused to let go in an undo is asked again first. At the end listeners get the
 * granules that are wholly shared now; if one refuses, the range is quarantined again, and counts
 * as shared. On any other failure nothing has changed.
 *
 * Context: Takes all convert locks, and the invalidate locks of its shards. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end, a page of it is not
 * quarantined, or @shareability is unknown; -EPERM: frozen; -EAGAIN: to private, and a page is
 * pinned; -EDEADLK: called from inside a hook or listener, or under the thread's own fault or
 * shared lock; -ENOMEM; what the backend's unmap_host or check_pins, or a listener, returned.
 */
GMS_API int gms_repair(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		       enum gms_shareability shareability)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_stats_read() - read the counters
 * @state: the object
 * @stats: struct_size set by the caller; the rest is filled in
 *
 * Each counter is exact; beside a writer they need not agree with each other.
 *
 * Context: Any; lock-free.
 * Return: 0; -EINVAL: struct_size is less than its own size, and nothing was written.
 */
GMS_API int gms_stats_read(const struct gms_state *state, struct gms_stats *stats);

/**
 * gms_state_verify() - check every invariant by brute force
 * @state: the object
 * @reason: where to store what is wrong, a static string; NULL is allowed; written
 *          where false is returned
 *
 * Context: Takes all locks; may sleep. Not from inside a hook or listener, where it answers false.
 * Return: true where the object is sound.
 */
GMS_API bool gms_state_verify(struct gms_state *state, const char **reason)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_STATE_H */
