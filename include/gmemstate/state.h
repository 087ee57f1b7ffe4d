/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/state.h - the state object: its creation, its counters, and the headers of its parts
 *
 * A state object stands for one guest memory object: a guest_memfd, or a RAM block. It knows
 * which pages are private, which folios back them, and which pages are pinned. gms_convert()
 * changes a range as a transaction. The caller brings three things: a policy, which decides when
 * folios are split and merged; a backend, which changes the real memory and the page tables; and
 * listeners, which map what is shared. Each of them is optional.
 *
 * Locks. The 1G blocks whose numbers are equal modulo 16 form a shard. Each shard has a convert
 * lock and an invalidate lock.
 *
 *  1. A conversion holds the convert locks of its shards from begin to end, and holds their
 *     invalidate locks exclusively while pages change.
 *  2. Faults, allocation and pins hold the invalidate lock shared.
 *  3. Therefore conversions of different shards run in parallel, and a conversion never makes a
 *     fault in another shard wait.
 *  4. Queries, gms_unpin() and gms_stats_read() take neither lock.
 *
 * Deadlocks. A call that would wait for its own thread does nothing and returns -EDEADLK
 * (gms_maintain() returns 0, gms_state_verify() false). These calls would:
 *
 *  1. Inside a hook of the backend: each call for the object of the hook that takes a convert or
 *     an invalidate lock, which is every call but queries, gms_unpin() and gms_stats_read().
 *  2. Inside a listener: each call for the object of the listener that takes a convert lock.
 *  3. Between gms_fault_begin() and gms_fault_end(), and between gms_lock_shared() and
 *     gms_unlock_shared(): each call for the same object that takes a convert or an invalidate
 *     lock. A conversion of another thread may be waiting for this thread.
 *
 * This is so in user space. In a kernel (__KERNEL__) no call returns -EDEADLK: such a call may
 * deadlock, and lockdep reports it. A thread must not lock a second object, either, while it holds
 * a lock of a first one.
 *
 * The library knows the first four objects in which a thread has a fault open or holds
 * gms_lock_shared(). A thread that does so in more objects at once has to avoid these calls by
 * itself.
 *
 * fork(). The child has a copy of the object. It may use the copy if, at the fork, no thread of
 * the parent was inside a call, had a fault open or held gms_lock_shared(): the child has no
 * thread that could end these. The copy does not include the memory of the guest: kvm.h says what
 * a child process sees of that.
 *
 * GMS_DEBUG. This option of the build checks invariants and the order of all locks at run time.
 * If a check fails, the library writes one line to the standard error (the file, the line, and
 * the lock or the condition), and traps. A kernel warns once, and goes on.
 *
 * Usage:
 *
 *	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
 *	struct gms_state *state;
 *	int err;
 *
 *	opts.nr_pages = ram_bytes >> GMS_PAGE_SHIFT;
 *	opts.flags = GMS_INIT_PRIVATE;
 *	err = gms_state_create(&opts, &state);
 *	if (err)
 *		return err;
 *	...
 *	gms_state_destroy(state);
 */
#ifndef GMEMSTATE_STATE_H
#define GMEMSTATE_STATE_H

#include <gmemstate/alloc.h>
#include <gmemstate/attr.h>
#include <gmemstate/backend.h>
#include <gmemstate/binding.h>
#include <gmemstate/convert.h>
#include <gmemstate/error.h>
#include <gmemstate/fault.h>
#include <gmemstate/freeze.h>
#include <gmemstate/listener.h>
#include <gmemstate/policy.h>
#include <gmemstate/query.h>
#include <gmemstate/repair.h>
#include <gmemstate/snapshot.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** GMS_INIT_PRIVATE - create the object with all pages private; without it all are shared */
#define GMS_INIT_PRIVATE (1ULL << 0)

/**
 * struct gms_state_opts - options of gms_state_create() and gms_snapshot_load()
 * @struct_size: sizeof(struct gms_state_opts), which GMS_STATE_OPTS_INIT sets. A smaller struct
 *               is accepted if it has @nr_pages; the fields that it lacks count as 0. A larger
 *               struct is accepted if all bytes that this library does not know are 0
 * @nr_pages: the size in pages, 1 to GMS_MAX_PAGES
 * @flags: 0 or GMS_INIT_PRIVATE
 * @folio_order: the order of the folios of the backing: 0, 9 or 18. If the object does not end at
 *               a multiple of that size, the rest has the largest folios that fit
 * @policy: decides when folios are split and merged; copied. NULL: gms_policy_lazy()
 * @policy_ctx: passed to the policy; must be NULL if @policy is NULL
 * @backend: the hooks to call when something changes; copied. NULL: no hooks. Folios, pins and
 *           splits are tracked without hooks, too
 * @backend_ctx: passed to the hooks; must be NULL if @backend is NULL
 * @allocator: the source of memory; copied. NULL: the platform's
 * @clock_ns: returns the time in nanoseconds, for policies. It must be thread-safe and quick, and
 *            must not call the library. NULL: policies see a count of changes instead of a time
 * @clock_ctx: passed to @clock_ns; must be NULL if @clock_ns is NULL
 * @merge_wait_2m: for gms_policy_adaptive(): the time in which the small mappings of a 2M block of
 *                 private memory cost the guest as much as a merge and the next split of the
 *                 block. In nanoseconds if there is a clock, else a count of changes. 0: 1.5 s,
 *                 or 1500
 * @merge_wait_1g: the same for a 1G block that is mapped by 2M. 0: 0.8 s, or 800
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
	uint64_t merge_wait_2m, merge_wait_1g;
};

/** GMS_STATE_OPTS_INIT - options with @struct_size set, and all other fields 0 or NULL */
/* clang-format off */
#define GMS_STATE_OPTS_INIT { sizeof(struct gms_state_opts), 0, 0, 0, \
			      NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

/**
 * struct gms_stats - counts of what has happened, and what the object takes now
 * @struct_size: set by the caller to sizeof(struct gms_stats). Nothing beyond this size is
 *               written. The fields that this library does not know are set to 0
 * @conversions: calls of gms_convert() that changed at least one page
 * @pages_converted: pages that these calls changed
 * @noops: calls of gms_convert() that found the range converted already
 * @refused_inval: calls that returned -EINVAL or -ENOENT. Queries are not counted
 * @refused_nomem: calls that returned -ENOMEM
 * @nodes: 1G and 2M blocks that are mixed now
 * @bytes_in_use: memory that holds the state now
 * @bytes_pooled: memory that holds nothing now, and is kept until the object is destroyed
 * @refused_access: calls that returned -EACCES
 * @refused_pinned: calls that returned -EAGAIN: a page was pinned or in use, or a hook or a
 *                  listener returned that
 * @refused_quarantined: calls that returned -ENOTRECOVERABLE
 * @refused_deadlock: calls that returned -EDEADLK
 * @refused_backend: calls that returned another error: from a hook of the backend or a listener,
 *                   or -ENOSPC
 * @faults_host: host faults that were answered, without those that gms_pin() stands for
 * @faults_guest: guest faults that were answered
 * @folios_allocated: folios of any order that were allocated
 * @folios_freed: folios of any order that were freed
 * @blocks_freed: 1G blocks that had folios and then had none
 * @prepares: blocks that the backend prepared
 * @splits_1g: folios of order 18 that were split, to 2M or to 4K; without splits that were undone
 * @splits_2m: folios of order 9 that were split; without splits that were undone
 * @merges_1g: merges that made a folio of order 18
 * @merges_2m: merges that made a folio of order 9
 * @splits_deferred: splits that a pin prevented
 * @merges_refused: merges that the backend refused, or that a pin prevented
 * @undone: conversions and holes in which a hook or a listener had to undo something
 * @quarantined_pages: pages that are quarantined now
 * @surplus_unpins: pages that were unpinned and were not pinned; a bad range counts as one page
 * @refused_frozen: calls that returned -EPERM
 * @refused_exists: calls that returned -EEXIST
 * @listeners: listeners that are registered now
 * @bindings: bindings that exist now
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

/** GMS_STATS_INIT - counters with @struct_size set, for gms_stats_read() */
/* clang-format off */
#define GMS_STATS_INIT \
	{ sizeof(struct gms_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/**
 * gms_state_create() - create a state object
 * @opts: the options
 * @state: where to store the object; written on success only
 *
 * Takes O(size / 1G) at most, in time and in memory.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a size, flag, order, policy, backend or allocator is bad, a context comes
 * without its functions, or an option is unknown; -ENOMEM.
 */
GMS_API int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state);

/**
 * gms_state_destroy() - destroy a state object, and free all of its memory
 * @state: the object; NULL is allowed
 *
 * 1. All granules are withdrawn from the listeners, the last registered one first. A refusal of a
 *    listener has no effect.
 * 2. Folios are merged as far as possible, and freed, pinned or not.
 * 3. Hooks and listeners may query the object until the last of them has returned.
 *
 * Context: No other thread may be using the object. May sleep.
 */
GMS_API void gms_state_destroy(struct gms_state *state);

/**
 * gms_state_nr_pages() - return the size of the object
 * @state: the object
 *
 * Context: Any; lock-free.
 * Return: the size in pages.
 */
GMS_API uint64_t gms_state_nr_pages(const struct gms_state *state);

/**
 * gms_state_policy_name() - return the name of the object's policy
 * @state: the object
 *
 * Context: Any; lock-free.
 * Return: the name that the policy gave in struct gms_policy_ops.
 */
GMS_API const char *gms_state_policy_name(const struct gms_state *state);

/**
 * gms_maintain() - merge folios where the policy wants them merged
 * @state: the object
 * @max_blocks: the largest number of 1G blocks to visit
 *
 * Meant to be called now and then. Visits only 1G blocks in which a folio is split, or was, and
 * goes on where the last call stopped. A block is merged into one folio only if all of its pages
 * are allocated, none is pinned, and the backend does not refuse.
 *
 * Context: Takes the convert and the invalidate lock of one 1G block at a time. May sleep.
 * Return: the number of merges; 0 if the object is frozen, if called from inside a hook or
 * listener, or under the thread's own fault or shared lock.
 */
GMS_API uint64_t gms_maintain(struct gms_state *state, uint64_t max_blocks)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

/**
 * gms_stats_read() - read the counters
 * @state: the object
 * @stats: the caller sets struct_size; the rest is filled in
 *
 * Each counter is exact. If other threads change the object meanwhile, the counters may be of
 * different moments.
 *
 * Context: Any; lock-free.
 * Return: 0; -EINVAL: struct_size is smaller than the field struct_size; nothing was written.
 */
GMS_API int gms_stats_read(const struct gms_state *state, struct gms_stats *stats);

/**
 * gms_state_verify() - check every invariant by brute force
 * @state: the object
 * @reason: NULL, or where to store what is wrong, a static string; written only if the call
 *          returns false
 *
 * Context: Takes all convert and all invalidate locks. May sleep. Not from inside a hook or
 * listener, nor under the thread's own fault or shared lock: there it returns false.
 * Return: true if all invariants hold.
 */
GMS_API bool gms_state_verify(struct gms_state *state, const char **reason)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_STATE_H */
