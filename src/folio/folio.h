/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * folio.h - which folio backs an index, its order, its lock, its pins
 *
 * A place is where a folio is or would be. Places do not overlap, and cover the object. Where they
 * begin and end follows from how the blocks are split (blocks.h), even if no memory is allocated.
 * The set of allocated pages says which places have a folio.
 *
 *	|                        1G                        |
 *	|  2M  |  2M  |4|4|4|4|4|4|4|4|  2M  |  2M  |  2M  |      split_1g, one bit of split_2m
 *	|######|      |####|          |######|      |      |      allocated
 *
 * Invariants
 *  1. A place is allocated wholly or not at all.
 *  2. A place lies wholly in the object. So an incomplete last block is split when the object is
 *     created, as far as needed, and is never merged.
 *  3. A page that is prepared, mapped or pinned is allocated.
 *  4. A 1G block in which a place is allocated has a record, unless the backing is of order 0.
 *
 * Locks. The caller of a function that changes something holds the invalidate lock of the shard:
 *
 *	shared       Places are allocated, split and prepared under their folio lock. Sets and
 *	             records change under the tree lock of the shard. If the caller must hold the
 *	             folio lock, the annotation of the function says so. The function takes all
 *	             other locks itself
 *	exclusive    Neither folio locks nor tree locks are needed. Places may also be merged and
 *	             freed
 *
 * An unpin takes only the tree lock, and needs no invalidate lock. Queries take no lock.
 *
 * Cost. To find a place takes three loads at most. To allocate, split or merge a place takes one
 * call of a hook, and a commit in one or two sets or the change of a few bits of a record.
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

/* A place, and the folio that is or would be there. */
struct gms_folio {
	gms_pgoff_t index; /* the first page */
	unsigned int order;
};

struct gms_folios {
	uint64_t nr_pages;
	unsigned int order; /* of the backing */
	struct gms_rtree *allocated;
	struct gms_rtree *prepared;
	struct gms_rtree *mapped; /* the host may have mapped the page: its folio is exposed */
	struct gms_blocks blocks;
	struct gms_backend *backend;
	struct gms_counters *counters;
	struct {
		struct gms_spinlock lock;
		uint32_t splits; /* splits in progress: see gms_folio_split_begin() */
	} __attribute__((aligned(64))) tree[GMS_NR_SHARDS];
	struct gms_mutex lock[GMS_NR_FOLIO_LOCKS];
};

/* Returns the first page after a folio. */
static inline gms_pgoff_t gms_folio_end(struct gms_folio folio)
{
	return folio.index + gms_order_pages(folio.order);
}

/* Returns the order of the largest place that there can be at an index (invariant 2). */
static inline unsigned int gms_folios_backing_order(const struct gms_folios *f, gms_pgoff_t index)
{
	unsigned int order = f->order;

	while (gms_unlikely(gms_order_up(index, order) > f->nr_pages))
		order = gms_order_below(order);
	return order;
}

/* Returns the record of the 1G block at an index; NULL: it has none. */
static inline struct gms_block *gms_folios_block(const struct gms_folios *f, gms_pgoff_t index)
{
	return gms_load_acquire(&f->blocks.block[index >> GMS_ORDER_1G]);
}

/* Makes sure that the 1G block at an index has a record. Returns 0 or -ENOMEM. Allocates. */
static inline int gms_folios_make_block(struct gms_folios *f, gms_pgoff_t index)
{
	if (gms_likely(gms_folios_block(f, index)))
		return 0;
	return gms_blocks_make(&f->blocks, index);
}

/*
 * Returns the place at an index. Needs no lock. Another thread may split the place at any time
 * unless the caller holds its folio lock or the exclusive invalidate lock, and may merge the place
 * at any time unless the caller holds the invalidate lock.
 */
static inline struct gms_folio gms_folio_at(const struct gms_folios *f, gms_pgoff_t index)
{
	unsigned int order = f->order;
	const struct gms_block *b;

	if (order) {
		b = gms_folios_block(f, index);
		if (b && (order == GMS_ORDER_2M || gms_load_acquire(&b->split_1g)))
			order = gms_line_test(&b->split_2m, gms_block_2m(index)) ? GMS_ORDER_4K
										 : GMS_ORDER_2M;
	}
	return (struct gms_folio) {gms_order_down(index, order), order};
}

/*
 * Returns 0 or -ENOMEM. @order: the order of the backing. All locks of a state object belong to @f
 * in the order of locks (platform.h).
 */
int gms_folios_init(struct gms_folios *f, uint64_t nr_pages, unsigned int order,
		    const struct gms_allocator *a, struct gms_backend *backend,
		    struct gms_counters *counters);
void gms_folios_fini(struct gms_folios *f);

/*
 * Puts a range of one 1G block into @set, or takes it out, under the tree lock. The caller has
 * prepared the range in @set.
 */
void gms_folios_commit(struct gms_folios *f, struct gms_rtree *set, gms_pgoff_t start,
		       uint64_t nr_pages, bool value);

/*
 * Locks the place at an index. Returns the place, which does not change while it is locked. Other
 * places may share the lock, so a thread locks one place at a time.
 */
struct gms_folio gms_folio_lock(struct gms_folios *f, gms_pgoff_t index)
	GMS_ACQUIRE(gms_folio_locks);
void gms_folio_unlock(struct gms_folios *f, struct gms_folio folio) GMS_RELEASE(gms_folio_locks);

/* ---- under the invalidate lock, shared ---- */

/*
 * Allocates the place at an index, unless it is allocated. Sets *fresh to true if this call
 * allocated the place, else to false. Returns 0, -ENOMEM or the error of the backend.
 */
int gms_folio_populate(struct gms_folios *f, gms_pgoff_t index, bool *fresh)
	GMS_EXCLUDES(gms_folio_locks);

/*
 * Returns true if each folio is one page, and no hook allocates it. Then a range of pages is
 * allocated in one step: gms_folios_populate_pages().
 */
static inline bool gms_folios_are_pages(const struct gms_folios *f)
{
	return !f->order && !f->backend->ops.folio_alloc;
}

/*
 * Allocates a range of one 1G block, where gms_folios_are_pages() is true. Stores in *fresh how
 * many pages this call allocated. Returns 0 or -ENOMEM.
 */
int gms_folios_populate_pages(struct gms_folios *f, gms_pgoff_t start, uint64_t nr_pages,
			      uint64_t *fresh);

/*
 * Notes that the host may have mappings of [start, end) from now on. The range is one folio of
 * @order, or, if @order is 0, a range of pages in one 1G block. Sets *fresh to true if not all of
 * it was exposed before, else to false. Returns 0 or -ENOMEM.
 */
int gms_folios_expose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, unsigned int order,
		      bool *fresh);

/*
 * A split and a pin of one folio exclude each other. Each leaves its mark under the tree lock of
 * the shard, and then looks at the mark of the other:
 *
 *	split	a pin, or reserved? busy; else splits++		...	splits--
 *	pin	reserved++			splits? wait	...	pinned, reserved--
 */

#define GMS_BUSY 1 /* a pin prevents the split; this is not an error */

/*
 * Begins a split of a folio whose order is not 0. Returns 0: gms_folio_split_end() must follow;
 * GMS_BUSY: the library or the backend knows of a pin on the folio, or a pin is reserved in the 1G
 * block of the folio; or the error of the backend.
 */
int gms_folio_split_begin(struct gms_folios *f, struct gms_folio folio)
	GMS_REQUIRES(gms_folio_locks);
void gms_folio_split_end(struct gms_folios *f, struct gms_folio folio)
	GMS_REQUIRES(gms_folio_locks);

/*
 * Splits a folio into folios of order @to. Puts the record of its block on a journal, unless
 * @journal is NULL. Returns 0 or the error of the backend. The caller is between
 * gms_folio_split_begin() and gms_folio_split_end().
 */
int gms_folio_split_locked(struct gms_folios *f, struct gms_folio folio, unsigned int to,
			   struct gms_block **journal) GMS_REQUIRES(gms_folio_locks);

void gms_folio_wait_splits_slow(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
	GMS_EXCLUDES(gms_folio_locks);

/*
 * Waits until the splits that have begun in [start, end) have ended. The range lies in one 1G
 * block. The caller has reserved its pins, so that no further split begins.
 */
static inline void gms_folio_wait_splits(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end)
	GMS_EXCLUDES(gms_folio_locks)
{
	if (gms_unlikely(gms_load_relaxed(&f->tree[gms_shard_of(start)].splits)))
		gms_folio_wait_splits_slow(f, start, end);
}

/* ---- queries ---- */

/* Moves *at to the first allocated page of [*at, end). Returns false if there is none. */
bool gms_folios_next_allocated(const struct gms_folios *f, gms_pgoff_t *at, gms_pgoff_t end);

/* Returns true if the library counts a pin on a page of the folio. Needs no lock. */
bool gms_folio_pinned(const struct gms_folios *f, struct gms_folio folio);

/*
 * Returns true if a page of [start, end) is pinned; *index is then the first such page, unless
 * @index is NULL. @end does not pass the end of the object. Needs no lock. Inline, because a
 * conversion calls it for each run.
 */
static inline bool gms_folios_first_pin(const struct gms_folios *f, gms_pgoff_t start,
					gms_pgoff_t end, gms_pgoff_t *index)
{
	gms_for_each_1g(at, next, start, end) {
		const struct gms_block *b = gms_folios_block(f, at);
		const struct gms_pins *pins = b ? gms_load_acquire(&b->pins) : NULL;
		const unsigned int lo = (unsigned int)gms_order_offset(at, GMS_ORDER_1G);
		unsigned int page;

		if (!pins || !gms_pins_first(pins, lo, lo + (unsigned int)(next - at), &page))
			continue;
		if (index)
			*index = b->start + page;
		return true;
	}
	return false;
}

/* ---- under the invalidate lock, exclusively ---- */

/*
 * Undoes the splits on a journal: merges the folios that were split. A folio that the backend does
 * not merge stays split. The journal is not ended.
 */
void gms_folios_unsplit(struct gms_folios *f, struct gms_block *journal)
	GMS_REQUIRES(gms_invalidate_lock);

/* Ends a journal: its records may be put on another one. Merges nothing. */
static inline void gms_folios_forget_splits(struct gms_block *journal)
{
	for (struct gms_block *b = journal; b; b = b->next)
		b->noted = false;
}

/*
 * Merges the block of order @to at an index into one folio. Returns 0; -ENOENT: the block is
 * incomplete, or not all of it is allocated; -EBUSY: a pin or the backend prevents the merge.
 */
int gms_folio_merge(struct gms_folios *f, gms_pgoff_t index, unsigned int to);

/*
 * Widens [*start, *end) so that no mapping of the host crosses an end. Such a mapping is at most
 * as large as an exposed folio is, or was when the host mapped it: the folio may be split since.
 */
void gms_folios_widen(const struct gms_folios *f, gms_pgoff_t *start, gms_pgoff_t *end);

/*
 * Notes that the host no longer has a mapping in [start, end). If @undo, this does not allocate,
 * but may leave pages in the set of mapped pages. That is safe: they are unmapped once more.
 */
void gms_folios_unexpose(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end, bool undo);

/*
 * Merges and frees the folios in [start, end), none of which crosses an end. The caller then takes
 * the range out of the sets.
 */
void gms_folios_free(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end);

/*
 * Makes each block that is wholly free one place again. The caller has freed [start, end), and has
 * taken the range out of the set of allocated pages.
 */
void gms_folios_reset(struct gms_folios *f, gms_pgoff_t start, gms_pgoff_t end);

/* Notifies the backend that the 1G block at an index had folios and now has none. */
void gms_folios_notify_freed(struct gms_folios *f, gms_pgoff_t index);

/* ---- invariants ---- */

/* Returns what is wrong with the folios, or NULL. No other thread may be changing them. */
const char *gms_folios_verify(const struct gms_folios *f);

/*
 * Returns what is wrong with the pins, or NULL. @private: the pages that may not be pinned. Other
 * threads may unpin pages meanwhile, and may not pin any.
 */
const char *gms_folios_verify_pins(struct gms_folios *f, const struct gms_rtree *private);

#endif /* GMS_FOLIO_H */
