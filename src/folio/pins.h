/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pins.h - how often each page of one 1G block is pinned
 *
 * A leaf is a 2M block. A dirty leaf has a count for each page. In a clean leaf all are uniform.
 *
 *	uniform         the count of each page of every clean leaf
 *	state           two bits for each leaf: it is dirty; a page of it is pinned
 *	pinned[leaf]    of a dirty leaf, one bit for each page: the page is pinned
 *	plane[p][leaf]  of a dirty leaf, one bit for each page: bit p of the count of the page
 *
 *	            page 0  1  2  3 ...
 *	plane[0]         1  0  1  0         four pages of a dirty leaf have the counts 1, 2, 3, 0
 *	plane[1]         0  1  1  0
 *	pinned           1  1  1  0
 *
 * While only the whole block is pinned and never a part of it, a pin is one addition to uniform. A
 * pin of a part makes the leaves that it touches dirty. Then it adds to the counts of 64 pages at
 * once, with a carry from plane to plane. The memory of planes is touched only where leaves are
 * dirty.
 *
 *  I1  There is a dirty leaf without pins only while uniform > 0. So a block whose pages are all
 *      unpinned has clean leaves only.
 *  I2  uniform > 0 only while at least one leaf is clean. So uniform is then the count of a page.
 *  I3  For each page, the planes have room for its count plus the reservations that have not been
 *      added to the count yet. So a reserved pin, and any unpin, need no memory.
 *
 * Locks. A spinlock of the caller serialises writers. A commit or an unpin of many leaves releases
 * the lock after each GMS_PINS_STEP leaves, and the invariants hold whenever it is released. So
 * each page is counted at one moment during the call, but not all pages at the same moment.
 *
 * Readers take no lock. They never miss a page that is pinned during the whole call, and each page
 * that they report was pinned at some time during the call. There are three reasons: one load gets
 * the state of a leaf; a leaf is filled before its state becomes dirty; and the bit of a page in
 * pinned changes only when the count of the page leaves or reaches 0.
 *
 * Cost. An operation on n pages touches n / 64 words in each plane that it carries or borrows
 * through. An operation on the whole block touches the 16 words of state, and its dirty leaves.
 * One step touches at most GMS_PINS_STEP leaves.
 */
#ifndef GMS_PINS_H
#define GMS_PINS_H

#include "base/bits.h"

#define GMS_PINS_PAGES (1u << 2 * GMS_RTREE_SHIFT) /* pages of a 1G block */
#ifndef GMS_PINS_PLANES
#define GMS_PINS_PLANES 31 /* at most 31; a second build for tests has 4 */
#endif
#define GMS_PINS_MAX ((1u << GMS_PINS_PLANES) - 1) /* pins of one page */
#define GMS_PINS_STATE_WORDS ((2 * GMS_LINE_BITS + 63) / 64)
#define GMS_PINS_STEP (GMS_LINE_BITS < 32 ? 1u : 16u) /* leaves while the lock is held once */

struct gms_pins {
	uint64_t state[GMS_PINS_STATE_WORDS];
	uint32_t nr_any; /* how many leaves have pins */
	/* Of what follows, readers without the lock look at pinned and nr_planes only. */
	uint32_t nr_dirty; /* how many leaves are dirty */
	uint32_t uniform;
	uint32_t reserved; /* pins that are reserved, and not committed or cancelled */
	uint32_t nr_planes;
	/* for each plane: how many words of dirty leaves are not 0 */
	uint32_t nonzero[GMS_PINS_PLANES];
	struct gms_line *plane[GMS_PINS_PLANES];
	struct gms_line pinned[GMS_LINE_BITS] __attribute__((aligned(64)));
};

/*
 * Reserves a pin: makes sure that one commit of any range of the block needs no memory. @lock
 * serialises the writers of *@slot. The caller does not hold @lock: this function takes it, and
 * releases it while it allocates. *@slot is NULL before the first reservation, which sets it by a
 * store-release. Returns 0; or -ENOMEM, also if the count of a page might exceed GMS_PINS_MAX.
 */
int gms_pins_reserve(struct gms_pins **slot, struct gms_spinlock *lock,
		     const struct gms_allocator *a);

/* The progress of a commit or an unpin of [lo, hi), in pages of the block, with lo < hi. */
struct gms_pins_walk {
	unsigned int lo, hi; /* the pages that are left */
	bool whole; /* the range is the whole block: only the leaves in dirty are left */
	uint64_t surplus; /* how many pages an unpin found not pinned */
	uint64_t dirty[GMS_PINS_STATE_WORDS]; /* if whole: the leaves dirty at the first step */
};

static inline void gms_pins_walk_init(struct gms_pins_walk *walk, unsigned int lo, unsigned int hi)
{
	walk->lo = lo;
	walk->hi = hi;
	walk->whole = hi - lo == GMS_PINS_PAGES;
	walk->surplus = 0;
}

/* ---- for the holder of the spinlock ---- */

/*
 * A commit adds a pin to each page of a range, and an unpin takes one off. Each call makes one
 * step, and returns true if another step is left. The caller may release the lock between two
 * steps. The last step of a commit uses up its reservation. gms_pins_cancel() drops a reservation.
 */
bool gms_pins_commit(struct gms_pins *pins, struct gms_pins_walk *walk);
void gms_pins_cancel(struct gms_pins *pins);
bool gms_pins_unpin(struct gms_pins *pins, struct gms_pins_walk *walk);
/* Returns how often a page is pinned. */
uint32_t gms_pins_count(const struct gms_pins *pins, unsigned int page);
/* Returns true if all invariants hold. No commit may be between two steps. */
bool gms_pins_ok(const struct gms_pins *pins);

/* ---- for readers; @pins may be NULL: no page is pinned ---- */

/* Stores the first pinned page of [lo, hi) in *page. Returns false if there is none. */
bool gms_pins_first(const struct gms_pins *pins, unsigned int lo, unsigned int hi,
		    unsigned int *page);
/* Returns how many bytes are allocated. */
size_t gms_pins_bytes(const struct gms_pins *pins);

/*
 * Returns true if a page of [lo, hi) is pinned. If it returns false, what a thread did before its
 * last unpin happened before: hence the acquire, and the release where the number is stored.
 */
static inline bool gms_pins_any(const struct gms_pins *pins, unsigned int lo, unsigned int hi)
{
	unsigned int page;

	if (!pins || !gms_load_acquire(&pins->nr_any))
		return false;
	return hi - lo == GMS_PINS_PAGES || gms_pins_first(pins, lo, hi, &page);
}

/* Frees the pins. @pins may be NULL. No other thread may be using them. */
void gms_pins_fini(struct gms_pins *pins, const struct gms_allocator *a);

#endif /* GMS_PINS_H */
