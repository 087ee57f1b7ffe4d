/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * core.h - the state object
 *
 * Which lock protects what. The locks of a shard protect what belongs to its 1G blocks.
 *
 *	private, attributes,        written: convert lock and exclusive invalidate lock
 *	quarantine, history         read: convert lock, or invalidate lock
 *	inhibits                    written: convert lock and exclusive invalidate lock; by a guest
 *	                            fault: shared invalidate lock and tree lock
 *	                            read: invalidate lock
 *	allocated, prepared,        see folio/folio.h
 *	mapped, splits, pins
 *	listeners, nr_attrs         written: all convert locks; read: one convert lock. Faults and
 *	                            queries read nr_attrs without it, by load-acquire
 *	bindings                    see binding/binding.h
 *	frozen                      written: all convert and invalidate locks; read: any of them
 *	quarantined, inhibited,     atomic accesses, under any lock or none
 *	events, counters
 *
 * Order of the locks, the outermost first: convert locks, ascending; a listener's lock; invalidate
 * locks, ascending; a folio lock; a tree lock; the lock of the block records. A thread that takes
 * an invalidate lock exclusively holds the convert lock of the same shard.
 *
 * Queries take no lock. They read trees by the rules of tree/rtree_node.h, the records of blocks
 * by those of folio/blocks.h, and bindings by those of binding/binding.c.
 */
#ifndef GMS_CORE_H
#define GMS_CORE_H

#include <gmemstate/state.h>

#include "base/shard.h"
#include "binding/binding.h"
#include "folio/folio.h"
#include "tree/tree.h"

#define GMS_NR_INHIBITS 2 /* trees of inhibits: see struct gms_state */

/* See rent.h. The rules are those with theta = 0, .1, .3, 1, 3, 10 and infinity. */
enum gms_rent_kind { GMS_RENT_2M, GMS_RENT_1G, GMS_NR_RENTS };
#define GMS_NR_SKIS 7

struct gms_rent_rules {
	unsigned int best[GMS_NR_RENTS]; /* the rule that gms_maintain() found best */
	uint64_t merge[GMS_NR_RENTS]; /* W */
	uint64_t wait[GMS_NR_RENTS][GMS_NR_SKIS]; /* theta * W */
};

/* What each rule of rent.h has cost in a shard. Written under its exclusive invalidate lock. */
struct gms_rent_costs {
	uint64_t cost[GMS_NR_RENTS][GMS_NR_SKIS];
} __attribute__((aligned(64)));

struct gms_shard {
	uint64_t seq; /* odd while a thread holds the invalidate lock exclusively */
	uint64_t events; /* see history.h */
	/* gms_convert() counts a call in the shard of the first page, under the convert lock. */
	uint64_t conversions, pages_converted, noops;
	struct gms_mutex convert;
	struct gms_rwlock invalidate;
	/* Leaf pages for a quarantine whose range begins in this shard: see quarantine.h. */
	struct gms_rtree_spare spare;
} __attribute__((aligned(64)));

struct gms_listener;

/*
 * What a change needs to notify listeners. A change uses the scratch memory of its first shard,
 * whose convert lock it holds. The first listener allocates that of all shards.
 */
struct gms_listener_scratch {
	struct gms_rtree_reserve undo; /* of a commit that a listener may refuse */
	struct gms_run runs[GMS_LISTENER_BATCH];
};

struct gms_listeners {
	/* An array, indexed by shard; NULL: there never was a listener. */
	struct gms_listener_scratch *scratch;
	struct gms_listener *first, *last; /* in the order of registering */
	uint64_t nr;
	unsigned int next_id;
};

struct gms_state {
	/*
	 * Every call reads the members from here to inhibited. They share one cache line, and
	 * rarely change.
	 */
	struct gms_rtree *private;
	uint64_t nr_pages;
	bool frozen;
	bool rents; /* the policy decides GMS_EV_MAINTAIN: blocks that were split get records */
	unsigned int nr_attrs;
	uint64_t quarantined; /* how many pages are quarantined */
	bool inhibited; /* false: no page was ever inhibited. Never becomes false again */
	struct gms_listeners listeners;
	struct gms_bindings bindings;
	struct gms_rtree *quarantine;
	/* [0]: the pages that are limited to 4K; [1]: these, and those limited to 2M */
	struct gms_rtree *inhibit[GMS_NR_INHIBITS];
	struct gms_rtree *attr[GMS_MAX_ATTRS];
	struct gms_policy_ops policy;
	void *policy_ctx;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	uint64_t clock_start; /* what the clock said when the object was created */
	struct gms_rent_rules rent; /* constant but for best, which is accessed atomically */
	uint64_t maintain_at; /* the number of the 1G block at which gms_maintain() goes on */
	struct gms_allocator allocator;
	struct gms_backend backend;
	struct gms_folios folios;

	uint64_t events __attribute__((aligned(64))); /* see history.h */
	struct gms_counters counters;
	struct gms_shard shard[GMS_NR_SHARDS];
	struct gms_rent_costs rent_costs[GMS_NR_SHARDS];
};

#endif /* GMS_CORE_H */
