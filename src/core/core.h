/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * core.h - the state object
 *
 * Which lock protects what. A shard's locks protect what belongs to the shard's 1G blocks.
 *
 *	private, attributes,        written: convert lock and exclusive invalidate lock
 *	quarantine, history         read: either of them
 *	inhibits                    the same; a guest fault may also add some under the shared
 *	                            invalidate lock and the tree lock
 *	allocated, prepared,        see folio/folio.h
 *	mapped, splits, pins
 *	listeners                   written: all convert locks; read: one convert lock
 *	bindings                    see binding/binding.h
 *	frozen                      written: all convert and invalidate locks; read: any of them
 *
 * Order of the locks, the outermost first: convert locks, ascending; a listener's lock; invalidate
 * locks, ascending; a folio lock; a tree lock; the lock of the block records. A thread that takes
 * an invalidate lock exclusively holds the convert lock of the same shard.
 *
 * Queries take no lock: each reads one tree, by the rules of tree/rtree_node.h.
 */
#ifndef GMS_CORE_H
#define GMS_CORE_H

#include <gmemstate/state.h>

#include "base/shard.h"
#include "binding/binding.h"
#include "folio/folio.h"
#include "tree/tree.h"

#define GMS_NR_INHIBITS 2

struct gms_shard {
	uint64_t seq; /* odd while a block of this shard is being changed */
	uint64_t events; /* see history.h */
	/* calls of gms_convert(): counted in the first shard of a range, under its convert lock */
	uint64_t conversions, pages_converted, noops;
	struct gms_mutex convert;
	struct gms_rwlock invalidate;
	/* Leaf pages for a quarantine whose range begins in this shard: see quarantine.h. */
	struct gms_rtree_spare spare;
} __attribute__((aligned(64)));

struct gms_listener;

/*
 * Memory that a change needs to notify listeners. Its user holds the convert lock of the shard.
 * All shards get theirs with the first listener.
 */
struct gms_listener_room {
	struct gms_rtree_reserve undo; /* of a commit that a listener may refuse */
	struct gms_run runs[GMS_LISTENER_BATCH];
};

struct gms_listeners {
	struct gms_listener_room
		*room; /* an array, one a shard; NULL: there never was a listener */
	struct gms_listener *first, *last; /* in the order of registering */
	uint64_t nr;
	unsigned int next_id;
};

struct gms_state {
	/* Every call reads these. They share one cache line, and change rarely. */
	struct gms_rtree *private;
	uint64_t nr_pages;
	bool frozen;
	unsigned int nr_attrs;
	uint64_t quarantined; /* pages */
	bool inhibited; /* false: no page ever was */
	struct gms_listeners listeners;
	struct gms_bindings bindings;
	struct gms_rtree *quarantine;
	struct gms_rtree *inhibit[GMS_NR_INHIBITS]; /* to 4K; to 2M or less */
	struct gms_rtree *attr[GMS_MAX_ATTRS];
	struct gms_policy_ops policy;
	void *policy_ctx;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	uint64_t clock_start;
	uint64_t maintain_at; /* the 1G block at which the next gms_maintain() begins */
	struct gms_allocator allocator;
	struct gms_backend backend;
	struct gms_folios folios;
	uint64_t events __attribute__((aligned(64)));
	struct gms_counters counters;
	struct gms_shard shard[GMS_NR_SHARDS];
};

#endif /* GMS_CORE_H */
