/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rent.h - when it pays to merge a block again: ski rental, block by block
 *
 * A block that is split and all private could be one mapping and has many: the guest pays rent for
 * them as long as that lasts. A merge ends the rent, and costs the merge and the next split. The
 * host forces splits, so only the time of the merge is a choice. Let W (merge_wait_2m and
 * merge_wait_1g of the options) be the time in which the rent costs as much as merge and split. A
 * ski rule with theta merges a split block once the time that the block has been all private since
 * its last split, summed over all periods, reaches theta * W.
 *
 * Which theta is best depends on the guest. So each record has what seven ski rules would have
 * done with the block and what each would have cost, beside what was really done:
 *
 *	         all private       mixed       all private             mixed, touched   all private
 *	        |===========|                 |======================|                 |====
 *	theta 0  merges, W    whole             whole                   splits           merges, W
 *	theta 1  pays rent    split             rent up to W, merges, W splits           pays rent
 *	never    pays rent    split             pays rent               split            pays rent
 *
 * Invariants
 *  1. A block has a record from its first split on, if the policy decides GMS_EV_MAINTAIN. A 1G
 *     block has a table from the first split in it on. Both stay until the object is destroyed.
 *  2. A period of a record is open if the block is all private. It is opened and closed when a
 *     change of the block is committed. What it costs is counted when it is settled: when it is
 *     closed, and in gms_maintain().
 *  3. A virtual rule splits a block that the host has touched while it was mixed. The touch sets a
 *     flag, and the rules split when the next period opens. In an open period the host has no
 *     mapping of the block, so the first touch after it has to expose a folio.
 *  4. All is in units of the object's clock, and saturates.
 *
 * Locks. A record changes under the exclusive invalidate lock; at a split also under the shared
 * one and the folio lock. A touch sets its flag under the shared lock. Costs are in the shard of
 * the block, and change under its exclusive lock.
 *
 * Cost. A record takes a cache line. Records are allocated for 8 neighbouring 2M blocks at a
 * time, and a table takes 576 bytes. A conversion in a 1G block that has no table reads one
 * pointer; else it looks at the records of the blocks that it touches.
 */
#ifndef GMS_CORE_RENT_H
#define GMS_CORE_RENT_H

#include "core.h"

/* ---- one ski rule, as a pure function ---- */

#define GMS_SKI_NEVER UINT64_MAX

/* What a rule has done with a block. It begins with a block that has just been split: all 0. */
struct gms_ski {
	uint64_t waited; /* the time all private since the split; not used if the block is whole */
	bool whole; /* the rule has merged the block */
};

static inline uint64_t gms_ski_add(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* Returns theta * @merge, where theta is in tenths; UINT64_MAX for that means GMS_SKI_NEVER. */
uint64_t gms_ski_wait(uint64_t merge, uint64_t tenths);

/*
 * The block is all private for a time. The rule merges it after @wait (theta * @merge), unless it
 * is whole. Returns what the time costs: rent until the merge, and @merge (W) for the merge and
 * for the split that follows it.
 *
 * The rule with theta = 1 costs at most twice what the best choice in hindsight costs. Proof. A
 * phase begins with a split that the rule makes and ends with its next one. (The merge comes
 * between them, and is counted with the split at the end.) In a phase the rule pays W of rent,
 * and W for merge and split: 2 W. In the same phase hindsight is either split all the time, and
 * pays the same rent, at least W; or it merges at least once, and the touch that ends the phase
 * splits it again: at least W. In the last, unfinished phase the rule pays rent R < W or, after
 * its merge, W + W; hindsight pays min(R, W), or W. So the factor is 2 in each phase. No
 * deterministic rule has a smaller one: let the host touch the block just after each merge
 * (Karlin, Manasse, Rudolph, Sleator: Competitive snoopy caching, 1988). The engine merges in
 * gms_maintain() only, so the rent from there to the next call comes on top. The best of several
 * rules has no such bound.
 */
static inline uint64_t gms_ski_rest(struct gms_ski *ski, uint64_t wait, uint64_t merge,
				    uint64_t time)
{
	const uint64_t left = wait - ski->waited;

	if (ski->whole)
		return 0;
	if (wait == GMS_SKI_NEVER || time < left) {
		ski->waited = gms_ski_add(ski->waited, time);
		return time;
	}
	ski->whole = true;
	return gms_ski_add(left, merge);
}

/* The host has touched the block while it was mixed: the rule splits it if it is whole. */
static inline void gms_ski_touch(struct gms_ski *ski)
{
	if (ski->whole)
		*ski = (struct gms_ski) {0};
}

/*
 * Returns the number of the rule of least cost. theta = 1 wins if no other rule costs less; of
 * others that cost the same, the smallest theta wins.
 */
unsigned int gms_ski_best(const uint64_t cost[GMS_NR_SKIS]);

/* ---- the records ---- */

#define GMS_RENT_GROUP 8
#define GMS_RENT_GROUPS (512 / GMS_RENT_GROUP)

/*
 * The record of a block that was split at least once. The first rule, which merges at once, and
 * the last one, which never merges, need no waited.
 */
struct gms_rent {
	uint64_t since; /* when the open period was opened, or settled last */
	uint64_t rested; /* really: the time all private since the split, as far as settled */
	uint64_t waited[GMS_NR_SKIS - 2];
	uint8_t whole; /* bit i: rule i has the block whole */
	uint8_t used; /* the block was split */
	uint8_t open;
	uint8_t touched;
} __attribute__((aligned(64)));

/* What the records of one 1G block hang on. */
struct gms_rents {
	struct gms_rent of_1g;
	void *group[GMS_RENT_GROUPS]; /* arrays of GMS_RENT_GROUP records, or NULL */
};

/* Sets the waits of the rules. @merge_2m, @merge_1g: W, or 0 for the default. */
void gms_rents_init(struct gms_state *s, uint64_t merge_2m, uint64_t merge_1g);
void gms_rents_fini(struct gms_state *s);

/*
 * Adds the bytes of the tables and records. A table or a group of records is in use if a block was
 * split for which it was made; else it is pooled.
 */
void gms_rents_bytes(const struct gms_state *s, uint64_t *in_use, uint64_t *pooled);

/* What the inline functions below do for 1G blocks that may have a table. */
int gms_rents_make_slow(struct gms_state *s, struct gms_folio folio, unsigned int to);
void gms_rents_split_slow(struct gms_state *s, struct gms_folio folio, unsigned int to);
void gms_rents_touch_slow(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end);
void gms_rents_change_slow(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock);

/* Returns the table of the 1G block at an index; NULL: it has none. */
static inline struct gms_rents *gms_rents_at(const struct gms_state *s, gms_pgoff_t index)
{
	const struct gms_block *b = gms_folios_block(&s->folios, index);

	return b ? gms_load_acquire(&b->rents) : NULL;
}

/*
 * Makes the records that a split of a folio into folios of order @to needs. Returns 0 or -ENOMEM.
 * Allocates.
 */
static inline int gms_rents_make(struct gms_state *s, struct gms_folio folio, unsigned int to)
	GMS_EXCLUDES(gms_folio_locks)
{
	return s->rents ? gms_rents_make_slow(s, folio, to) : 0;
}

/* Notes that the folio, for which gms_rents_make() was called, has been split. */
static inline void gms_rents_split(struct gms_state *s, struct gms_folio folio, unsigned int to)
	GMS_REQUIRES(gms_folio_locks)
{
	if (s->rents)
		gms_rents_split_slow(s, folio, to);
}

/* Notes that the host touches [start, end) in one 1G block, and had not mapped it. */
static inline void gms_rents_touch(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	if (s->rents && gms_rents_at(s, start))
		gms_rents_touch_slow(s, start, end);
}

/* Opens and closes periods, after a change of [start, end) in one 1G block was committed. */
static inline void gms_rents_change(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock)
{
	if (s->rents && gms_rents_at(s, start))
		gms_rents_change_slow(s, start, end);
}

/*
 * Notes that the memory of [start, end) was freed. A block without memory is whole when it gets
 * memory again, whatever a rule did.
 */
void gms_rents_free(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock);

/* Settles the periods that are open in the 1G block at an index. Then chooses the best rules. */
void gms_rents_settle(struct gms_state *s, gms_pgoff_t index) GMS_REQUIRES(gms_invalidate_lock);

/* Returns what is wrong with the records, or NULL. No other thread may be changing them. */
const char *gms_rents_verify(const struct gms_state *s);

void gms_rents_view_slow(const struct gms_state *s, gms_pgoff_t index,
			 struct gms_policy_view *view);

/* Fills in the members rest_2m, wait_2m, rest_1g and wait_1g of a view. */
static inline void gms_rents_view(const struct gms_state *s, gms_pgoff_t index,
				  struct gms_policy_view *view)
{
	view->rest_2m = 0;
	view->rest_1g = 0;
	view->wait_2m = GMS_SKI_NEVER;
	view->wait_1g = GMS_SKI_NEVER;
	if (s->rents)
		gms_rents_view_slow(s, index, view);
}

#endif /* GMS_CORE_RENT_H */
