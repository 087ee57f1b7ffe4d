/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * folio.h - which folio backs an index, its order, its lock, its pins
 *
 * Two things make up the folios of an object: how its blocks are split (blocks.h), and which
 * pages are allocated. The first says where folios begin and end, also where there is no memory
 * yet: a place. The second says which places are in use.
 *
 *	|                        1G                        |
 *	|  2M  |  2M  |4|4|4|4|4|4|4|4|  2M  |  2M  |  2M  |      split_1g, one bit of split_2m
 *	|######|      |####|          |######|      |      |      allocated
 *
 * Invariants
 *  1. A place is allocated wholly or not at all.
 *  2. A place is complete: what the last block lacks is split off when the object is made, and
 *     never merged.
 *  3. What is prepared, mapped or pinned is allocated.
 *  4. The record of a 1G block exists where anything of it is allocated, unless the backing is
 *     of order 0.
 *
 * Locks. The caller has the invalidate lock of the shard. If shared, a place is allocated, split
 * or prepared under its folio lock, and sets and records change under the tree lock of the
 * shard; all that is in gms_folio_populate() and the functions that end in _locked. If exclusive,
 * neither is needed, and places may be merged and freed.
 */
#ifndef GMS_FOLIO_H
#define GMS_FOLIO_H

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

#include "backend/backend.h"
#include "base/counters.h"
#include "base/shard.h"
#include "blocks.h"

#define GMS_NR_FOLIO_LOCKS 64u

extern struct gms_lock_role gms_folio_locks;
extern struct gms_lock_role gms_tree_locks;

struct gms_folio {
	gms_pgoff_t index; /* of the first page */
	unsigned int order;
};

struct gms_folios {
	uint64_t nr_pages;
	unsigned int order; /* of the backing */
	struct gms_rtree *allocated;
	struct gms_rtree *prepared;
	struct gms_rtree *mapped; /* by the host, perhaps: its folio is exposed */
	struct gms_blocks blocks;
	struct gms_backend *backend;
	struct gms_counters *counters;
	struct {
		struct gms_spinlock lock;
		uint32_t splits; /* under way beside pins: see gms_folio_split_begin() */
	} __attribute__((aligned(64))) tree[GMS_NR_SHARDS];
	struct gms_mutex lock[GMS_NR_FOLIO_LOCKS];
};

static inline gms_pgoff_t gms_folio_end(struct gms_folio folio)
{
	return folio.index + gms_order_pages(folio.order);
}

/* The place at an index. Needs no lock; what it is for needs one. */
static inline struct gms_folio gms_folio_at(const struct gms_folios *f, gms_pgoff_t index)
{
	unsigned int order = f->order;
	const struct gms_block *b;

	if (order) {
		b = gms_block_at(&f->blocks, index);
		if (b && (order == GMS_ORDER_2M || gms_load_acquire(&b->split_1g)))
			order = gms_line_test(&b->split_2m, gms_block_2m(index)) ? GMS_ORDER_4K
										 : GMS_ORDER_2M;
	}
	return (struct gms_folio) {gms_order_down(index, order), order};
}

int gms_folios_init(struct gms_folios *f, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, struct gms_backend *backend,
		    struct gms_counters *counters);
void gms_folios_fini(struct gms_folios *f);

/* Set or clear pages of one 1G block in one of the sets, which was prepared for them. */
void gms_folios_commit(struct gms_folios *f, struct gms_rtree *set, gms_pgoff_t start,
		       uint64_t nr_pages, bool value);

/* Lock the place at an index, whatever that is by then. */
struct gms_folio gms_folio_lock(struct gms_folios *f, gms_pgoff_t index)
	GMS_ACQUIRE(gms_folio_locks);
void gms_folio_unlock(struct gms_folios *f, struct gms_folio folio) GMS_RELEASE(gms_folio_locks);

/* Allocate the place at an index, unless it is. 0, -ENOMEM or the backend's error. */
int gms_folio_populate(struct gms_folios *f, gms_pgoff_t index, bool *fresh)
	GMS_EXCLUDES(gms_folio_locks);

/* Are folios pages, which no hook wants to hear of one by one? Then a range is one step. */
static inline bool gms_folios_are_pages(const struct gms_folios *f)
{
	return !f->order && !f->backend->ops.folio_alloc;
}

/* Allocate such pages of one 1G block; *fresh: how many were not. 0 or -ENOMEM. */
int gms_folios_populate_pages(struct gms_folios *f, gms_pgoff_t start, uint64_t nr_pages,
			      uint64_t *fresh);

/*
 * Returns true if a page of [start, end) is pinned; *index is then the first such page, unless
 * @index is NULL. @end does not pass the end of the object. Needs no lock.
 */
bool gms_folios_first_pin(const struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end,
			  gms_pgoff_t *index);

/* Returns true if the library counts a pin on a page of the folio. */
bool gms_folio_pinned(const struct gms_folios *f, struct gms_folio folio);

/*
 * A split and a pin of one folio exclude each other. Both look at the other's mark under the tree
 * lock of the shard, where they have left their own:
 *
 *	split	a pin, or reserved? busy; else splits++		...	splits--
 *	pin	reserved++			splits? wait	...	pinned, reserved--
 *
 * Returns 0, and then gms_folio_split_end() is to follow; or GMS_BUSY if the library or the
 * backend knows of a pin on the folio, or if a pin is reserved in its block; or the backend's
 * error.
 */
#define GMS_BUSY 1
int gms_folio_split_begin(struct gms_folios *f, struct gms_folio folio)
	GMS_REQUIRES(gms_folio_locks);
void gms_folio_split_end(struct gms_folios *f, struct gms_folio folio)
	GMS_REQUIRES(gms_folio_locks);

void gms_folio_wait_slow(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
	GMS_EXCLUDES(gms_folio_locks);

/* Waits for the splits under way in a part of one 1G block. The caller has reserved its pin. */
static inline void gms_folio_wait(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
	GMS_EXCLUDES(gms_folio_locks)
{
	if (gms_unlikely(gms_load_relaxed(&f->tree[gms_shard_of(start)].splits)))
		gms_folio_wait_slow(f, start, end);
}

/* The first allocated page in [*at, end). */
bool gms_folios_next(const struct gms_folios *f, gms_pgoff_t *at, gms_pgoff_t end);

/*
 * The host may have mappings of [start, end) from here on: of one folio of @order, or of folios of
 * order 0 in one 1G block. 0 or -ENOMEM.
 */
int gms_folios_expose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, unsigned int order);

/* Split a folio to @to, all of it. Notes the block on a journal if there is one. */
int gms_folio_split_locked(struct gms_folios *f, struct gms_folio folio, unsigned int to,
			   struct gms_block **journal) GMS_REQUIRES(gms_folio_locks);

/* ---- for those who hold the invalidate lock exclusively ---- */

/* Take back the splits on a journal, as far as the backend can. */
void gms_folios_unsplit(struct gms_folios *f, struct gms_block *journal)
	GMS_REQUIRES(gms_invalidate_lock);

static inline void gms_folios_forget_splits(struct gms_block *journal)
{
	for (struct gms_block *b = journal; b; b = b->next)
		b->noted = false;
}

/*
 * Make one folio of the block of order @to at an index. 0; -ENOENT where not all of it is there;
 * else it is refused.
 */
int gms_folio_merge(struct gms_folios *f, gms_pgoff_t index, unsigned int to);

/*
 * [start, end), and all of the exposed folios that it touches at its ends: those that are, or that
 * were when the host was given a mapping.
 */
void gms_folios_widen(const struct gms_folios *f, gms_pgoff_t *start, gms_pgoff_t *end);

/* The host has no mapping in [start, end) any more. */
void gms_folios_unexpose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, bool undo);

/* Merge and free the folios in [start, end), none of which crosses an end. */
void gms_folios_free(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end);

/* [start, end) is no longer allocated: what is wholly free is one place again. */
void gms_folios_reset(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end);

/* Tell the backend that the 1G block at an index had folios, and now has none. */
void gms_folios_notify_freed(struct gms_folios *f, gms_pgoff_t index);

/*
 * Returns what is wrong with the folios, or NULL. No other thread may be changing them.
 */
const char *gms_folios_verify(const struct gms_folios *f);

/*
 * Returns what is wrong with the pins, or NULL. @private: the pages that may not be pinned. Other
 * threads may unpin pages meanwhile, and may not pin any.
 */
const char *gms_folios_verify_pins(struct gms_folios *f, const struct gms_rtree *private);

#endif /* GMS_FOLIO_H */
