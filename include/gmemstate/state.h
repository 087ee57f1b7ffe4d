/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/state.h - the state object: creating it, its counters, and the headers of its parts
 *
 * One object stands for one guest memory object: a guest_memfd, or a RAM block. It knows which pages
 * are private, which folios back them, and which pages are pinned. gms_convert() changes a range as a
 * transaction. The caller brings a policy, which decides when folios are split and merged; a backend,
 * which does the work on real memory and page tables; and listeners, which map what is shared.
 *
 * Locks. Blocks of 1G whose numbers are equal modulo 16 are a shard. Each shard has a convert lock
 * and an invalidate lock. A conversion holds the convert lock from begin to end, and the invalidate
 * lock exclusively while pages change. Faults, allocation and pins hold the invalidate lock shared.
 * So conversions of different shards run in parallel, and never make a fault of another shard wait.
 *
 * Deadlocks. A call that would wait for its own thread returns -EDEADLK and does nothing:
 *
 *  - inside a hook of the backend, each call that takes a lock: all but queries and gms_unpin();
 *  - inside a listener, each call that takes a convert lock;
 *  - between gms_fault_begin() and gms_fault_end(), and between gms_lock_shared() and
 *    gms_unlock_shared(), each call for the same object that takes a lock: a conversion of another
 *    thread may be waiting for this one. The library knows the first four objects that a thread
 *    holds like that. A caller that holds more at once has to take care itself.
 *
 * fork(). The child has a copy of the object, and may use it under two conditions: no other thread of
 * the parent was inside a call, and the forking thread had no fault open. The child has no thread
 * that could end what those began. A backend's memory is another matter: see kvm.h.
 *
 * GMS_DEBUG is an option of the build. It checks invariants and the order of all locks at run time.
 * If one is broken, the library writes one line to the standard error (file, line, and the lock or
 * the condition), and traps.
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
