/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pins.h - how often each page of one 1G block is pinned
 *
 *	uniform		the count of every page of all clean leaves (2M blocks)
 *	state		two bits a leaf: is a page of it pinned, and is it dirty?
 *	pinned[leaf]	dirty leaves: a bit a page, is it pinned?
 *	plane[p][leaf]	dirty leaves: bit p of each page's count
 *
 * A pin of the whole block that nobody has split up is one addition. Pins of parts make
 * the leaves that they touch dirty, and then count by carrying from plane to plane, 64
 * pages at a time. Memory of planes is touched where a leaf is dirty, and nowhere else.
 *
 *  I1  A dirty leaf without pins is there only while uniform > 0. So what nobody pins is
 *      clean again.
 *  I2  uniform > 0 only while a leaf is clean: it is the count of a page that exists.
 *  I3  The count of a page + the reservations that have not reached the page fit the
 *      planes. So a pin that was reserved, and any unpin, need no memory.
 *
 * Writers are serialised by a spinlock of the caller's. A commit or an unpin of many leaves
 * releases that lock after every GMS_PINS_STEP leaves, and the invariants hold there. Each
 * page is then counted on its own: at one time during the call.
 *
 * Readers take no lock, and never miss a page that is pinned all the while; each page that they
 * report was pinned at some time during the call: the state of a leaf is one load, a leaf is
 * filled before it is called dirty, and a page's bit changes only where its count leaves or
 * reaches 0.
 */
#ifndef GMS_PINS_H
#define GMS_PINS_H

#include "base/bits.h"

#define GMS_PINS_PAGES (1u << 2 * GMS_RTREE_SHIFT) /* pages of a 1G block */
#ifndef GMS_PINS_PLANES
#define GMS_PINS_PLANES 31 /* 31 at most; tests build everything again with 4 */
#endif
#define GMS_PINS_MAX ((1u << GMS_PINS_PLANES) - 1) /* pins of one page */
#define GMS_PINS_STATE_WORDS ((2 * GMS_LINE_BITS + 63) / 64)
#define GMS_PINS_STEP (GMS_LINE_BITS < 32 ? 1u : 16u) /* leaves of one hold of the lock */

struct gms_pins {
	uint64_t state[GMS_PINS_STATE_WORDS];
	uint32_t nr_any; /* leaves with pins */
	/* What follows, but for pinned, is the writers' alone. */
	uint32_t nr_dirty; /* leaves */
	uint32_t uniform;
	uint32_t reserved;
	uint32_t nr_planes;
	uint32_t nonzero[GMS_PINS_PLANES]; /* words of the plane's dirty leaves that are not 0 */
	struct gms_line *plane[GMS_PINS_PLANES];
	struct gms_line pinned[GMS_LINE_BITS] __attribute__((aligned(64)));
};

/*
 * Make sure that the gms_pins_commit() to come needs no memory: before each of them. Called
 * without @lock, the spinlock that serialises the writers of *@slot: it is taken inside, and
 * not held while @a allocates. *@slot is NULL at first, and set (with release) where the
 * first pins are reserved. 0 or -ENOMEM, also where a page has GMS_PINS_MAX.
 */
int gms_pins_reserve(struct gms_pins **slot, struct gms_spinlock *lock,
		     const struct gms_allocator *a);

/* How far a commit or an unpin has got. All ranges are [lo, hi) in pages of the block, lo < hi. */
struct gms_pins_walk {
	unsigned int lo, hi; /* the pages that are left */
	bool whole; /* the range is the whole block: of what is left, the leaves in @dirty only */
	uint64_t surplus; /* how many pages an unpin has found not pinned; they stay so */
	uint64_t dirty[GMS_PINS_STATE_WORDS]; /* @whole: leaves that were dirty at the first step */
};

static inline void gms_pins_walk_init(struct gms_pins_walk *walk, unsigned int lo, unsigned int hi)
{
	walk->lo = lo;
	walk->hi = hi;
	walk->whole = hi - lo == GMS_PINS_PAGES;
	walk->surplus = 0;
}

/*
 * For the holder of the spinlock. A commit and an unpin take one step at a time, and return true
 * while there are more; the lock may be released between two. Each reservation ends by the last
 * step of a commit, or by a cancel.
 */
bool gms_pins_commit(struct gms_pins *pins, struct gms_pins_walk *walk);
void gms_pins_cancel(struct gms_pins *pins);
bool gms_pins_unpin(struct gms_pins *pins, struct gms_pins_walk *walk);
uint32_t gms_pins_count(const struct gms_pins *pins, unsigned int page);
/* Does all that this comment promises hold? No commit may be between two steps. */
bool gms_pins_ok(const struct gms_pins *pins);

/* For readers. @pins may be NULL: nothing is pinned. */
bool gms_pins_first(const struct gms_pins *pins, unsigned int lo, unsigned int hi,
		    unsigned int *page);
/* Memory that is held, in use where gms_pins_any() of the whole block, else for reuse. */
size_t gms_pins_bytes(const struct gms_pins *pins);

static inline bool gms_pins_any(const struct gms_pins *pins, unsigned int lo, unsigned int hi)
{
	unsigned int page;

	if (!pins || !gms_load_relaxed(&pins->nr_any))
		return false;
	return hi - lo == GMS_PINS_PAGES || gms_pins_first(pins, lo, hi, &page);
}

/* @pins may be NULL. Nobody else may be using them. */
void gms_pins_fini(struct gms_pins *pins, const struct gms_allocator *a);

#endif /* GMS_PINS_H */
