// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins.c - how often each page of one 1G block is pinned: see pins.h
 */
#include "pins.h"

#define PINS_NR_LEAVES GMS_LINE_BITS
#define PINS_LEAF_PAGES GMS_LINE_BITS
#define PINS_PLANE_BYTES (PINS_NR_LEAVES * sizeof(struct gms_line))

/* The state of a leaf: two bits of a word. */
#define PINS_ANY 1u
#define PINS_DIRTY 2u
#define PINS_LEAVES_PER_WORD (PINS_NR_LEAVES < 32 ? PINS_NR_LEAVES : 32)
#define PINS_ANY_ALL (0x5555555555555555ULL >> (64 - 2 * PINS_LEAVES_PER_WORD))

static unsigned int pins_leaf_state(const struct gms_pins *pins, unsigned int leaf)
{
	return gms_load_acquire(&pins->state[leaf / 32]) >> leaf % 32 * 2 & 3;
}

static void pins_leaf_set_state(struct gms_pins *pins, unsigned int leaf, unsigned int state)
{
	uint64_t *const p = &pins->state[leaf / 32], old = *p;
	const unsigned int shift = leaf % 32 * 2, was = old >> shift & 3;

	if (state == was)
		return;
	gms_store_release(p, (old & ~(3ULL << shift)) | (uint64_t)state << shift);
	gms_store_release(&pins->nr_any, pins->nr_any + (state & PINS_ANY) - (was & PINS_ANY));
	pins->nr_dirty += (state & PINS_DIRTY) / PINS_DIRTY - (was & PINS_DIRTY) / PINS_DIRTY;
}

static void pins_plane_set(struct gms_pins *pins, unsigned int p, uint64_t *word, uint64_t value)
{
	pins->nonzero[p] += !!value - !!*word;
	*word = value;
}

/*
 * Gives a clean leaf counts of its own, all equal to uniform. The caller then changes the counts,
 * and sets the state to dirty. A reader with a stale state may be looking at pinned.
 */
static void pins_leaf_fill(struct gms_pins *pins, unsigned int leaf)
{
	gms_fence_release();
	for (unsigned int p = 0; p < pins->nr_planes; p++) {
		const bool bit = pins->uniform >> p & 1;

		gms_line_fill(&pins->plane[p][leaf], bit);
		pins->nonzero[p] += bit ? GMS_LINE_WORDS : 0;
	}
	gms_line_fill(&pins->pinned[leaf], pins->uniform);
}

/* Adds a pin to pages [a, b) of a dirty leaf. */
static void pins_leaf_add(struct gms_pins *pins, unsigned int leaf, unsigned int a, unsigned int b)
{
	for (unsigned int w = a / 64; w <= (b - 1) / 64; w++) {
		const uint64_t mask = gms_word_mask(w, a, b);
		uint64_t carry = mask;

		for (unsigned int p = 0; carry; p++) {
			uint64_t *const word = &pins->plane[p][leaf].w[w], old = *word;

			gms_assert(p < pins->nr_planes);
			pins_plane_set(pins, p, word, old ^ carry);
			carry &= old;
		}
		gms_word_put(&pins->pinned[leaf].w[w], mask, true);
	}
	pins_leaf_set_state(pins, leaf, PINS_DIRTY | PINS_ANY);
}

/* Takes a pin off pages [a, b) of a dirty leaf. Returns how many of them were not pinned. */
static uint64_t pins_leaf_sub(struct gms_pins *pins, unsigned int leaf, unsigned int a,
			      unsigned int b)
{
	uint64_t surplus = 0, any = 0;

	for (unsigned int w = a / 64; w <= (b - 1) / 64; w++) {
		uint64_t *const pinned = &pins->pinned[leaf].w[w];
		const uint64_t mask = gms_word_mask(w, a, b), hit = mask & *pinned;
		uint64_t borrow = hit, left = 0;

		surplus += mask != hit ? gms_popcount(mask ^ hit) : 0;
		for (unsigned int p = 0; hit && p < pins->nr_planes; p++) {
			uint64_t *const word = &pins->plane[p][leaf].w[w], old = *word;

			pins_plane_set(pins, p, word, old ^ borrow);
			left |= *word;
			borrow &= ~old;
		}
		gms_assert(!borrow);
		gms_word_put(pinned, hit & ~left, false);
		any |= *pinned;
	}
	if (any || !gms_line_is(&pins->pinned[leaf], false))
		pins_leaf_set_state(pins, leaf, PINS_DIRTY | PINS_ANY);
	else
		pins_leaf_set_state(pins, leaf, pins->uniform ? PINS_DIRTY : 0);
	return surplus;
}

/*
 * Sets whether the clean leaves have pins, after uniform has become 1 (@any) or 0 (not @any). If
 * it is 0, dirty leaves without pins become clean (I1): the words of their planes are 0 already.
 */
static void pins_clean_set_any(struct gms_pins *pins, bool any)
{
	const uint32_t nr_clean = PINS_NR_LEAVES - pins->nr_dirty;

	for (unsigned int i = 0; i < GMS_PINS_STATE_WORDS; i++) {
		const uint64_t old = pins->state[i], dirty = old >> 1 & PINS_ANY_ALL;
		const uint64_t clean = ~dirty & PINS_ANY_ALL, idle = dirty & ~old;
		const uint64_t new = any ? old | clean : old & ~clean & ~(idle << 1);

		gms_store_release(&pins->state[i], new);
		pins->nr_dirty -= idle ? gms_popcount(idle) : 0;
	}
	gms_store_release(&pins->nr_any, any ? pins->nr_any + nr_clean : pins->nr_any - nr_clean);
}

/* Clears uniform if no leaf is clean: it is then the count of no page (I2). */
static void pins_drop_uniform(struct gms_pins *pins)
{
	if (pins->nr_dirty < PINS_NR_LEAVES || !pins->uniform)
		return;
	pins->uniform = 0;
	pins_clean_set_any(pins, false);
}

/* ---- commit and unpin, in steps ---- */

/* Moves a walk over the whole block to the next leaf in dirty, or to the end. */
static void pins_walk_skip(struct gms_pins_walk *walk)
{
	unsigned int leaf = walk->lo / PINS_LEAF_PAGES;
	uint64_t left = 0;

	while (leaf < PINS_NR_LEAVES && !left) {
		left = walk->dirty[leaf / 32] >> leaf % 32 * 2;
		leaf = left ? leaf + gms_ctz(left) / 2 : (leaf | (PINS_LEAVES_PER_WORD - 1)) + 1;
	}
	walk->lo = leaf * PINS_LEAF_PAGES;
}

/*
 * Begins a walk over the whole block. The caller changes uniform, and so counts the pages of all
 * leaves that are clean now. The steps of the walk count the pages of the leaves that are dirty
 * now, each leaf like a range of its own, even if it has become clean when its step comes. So each
 * page is counted once, because the count of a page does not change when its leaf becomes clean or
 * dirty. A page is surplus if it is not pinned when it is counted.
 */
static void pins_walk_whole(const struct gms_pins *pins, struct gms_pins_walk *walk)
{
	if (!pins->nr_dirty) {
		walk->lo = walk->hi;
		return;
	}
	for (unsigned int i = 0; i < GMS_PINS_STATE_WORDS; i++)
		walk->dirty[i] = pins->state[i] & PINS_ANY_ALL << 1;
	pins_walk_skip(walk);
}

/* Pages [a, b) of a leaf. */
struct pins_part {
	unsigned int leaf, a, b;
};

/* Returns the next part of a walk that has not ended, and moves the walk past it. */
static inline struct pins_part pins_walk_take(struct gms_pins_walk *walk)
{
	const unsigned int leaf = walk->lo / PINS_LEAF_PAGES, a = walk->lo % PINS_LEAF_PAGES;
	const unsigned int rest = walk->hi - walk->lo;
	const unsigned int b = rest < PINS_LEAF_PAGES - a ? a + rest : PINS_LEAF_PAGES;

	walk->lo += b - a;
	if (gms_unlikely(walk->whole))
		pins_walk_skip(walk);
	return (struct pins_part) {leaf, a, b};
}

bool gms_pins_commit(struct gms_pins *pins, struct gms_pins_walk *walk)
{
	gms_assert(walk->lo < walk->hi && walk->hi <= GMS_PINS_PAGES && pins->reserved);
	if (gms_unlikely(walk->whole && !walk->lo)) {
		pins_walk_whole(pins, walk);
		if (!pins->uniform++)
			pins_clean_set_any(pins, true);
	}
	for (unsigned int i = 0; i < GMS_PINS_STEP && walk->lo < walk->hi; i++) {
		const struct pins_part part = pins_walk_take(walk);

		if (!(pins_leaf_state(pins, part.leaf) & PINS_DIRTY))
			pins_leaf_fill(pins, part.leaf);
		pins_leaf_add(pins, part.leaf, part.a, part.b);
	}
	pins_drop_uniform(pins);
	if (walk->lo < walk->hi)
		return true;
	pins->reserved--;
	return false;
}

void gms_pins_cancel(struct gms_pins *pins)
{
	gms_assert(pins->reserved);
	pins->reserved--;
}

/* Takes a pin off each page of the clean leaves. Returns how many were not pinned. */
static uint64_t pins_sub_uniform(struct gms_pins *pins)
{
	if (!pins->uniform)
		return (uint64_t)(PINS_NR_LEAVES - pins->nr_dirty) * PINS_LEAF_PAGES;
	if (!--pins->uniform)
		pins_clean_set_any(pins, false);
	return 0;
}

bool gms_pins_unpin(struct gms_pins *pins, struct gms_pins_walk *walk)
{
	gms_assert(walk->lo < walk->hi && walk->hi <= GMS_PINS_PAGES);
	if (gms_unlikely(walk->whole && !walk->lo)) {
		/* before pins_sub_uniform(), which may make leaves clean */
		pins_walk_whole(pins, walk);
		walk->surplus += pins_sub_uniform(pins);
	}
	for (unsigned int i = 0; i < GMS_PINS_STEP && walk->lo < walk->hi; i++) {
		const struct pins_part part = pins_walk_take(walk);
		const unsigned int state = pins_leaf_state(pins, part.leaf);

		if (!state) {
			walk->surplus += part.b - part.a;
			continue;
		}
		if (!(state & PINS_DIRTY))
			pins_leaf_fill(pins, part.leaf);
		walk->surplus += pins_leaf_sub(pins, part.leaf, part.a, part.b);
	}
	pins_drop_uniform(pins);
	return walk->lo < walk->hi;
}

/* Returns an upper bound of all counts: the highest bit that a count has, and all bits below. */
static uint32_t pins_count_bound(const struct gms_pins *pins)
{
	unsigned int p = pins->nr_planes;

	while (p && !pins->nonzero[p - 1] && !(pins->uniform >> (p - 1)))
		p--;
	return (1u << p) - 1;
}

/*
 * Returns the largest count. For the 64 pages of each word, goes through the planes from the
 * highest bit down. Whenever some of the pages that are left have the bit, only these are left.
 */
static uint32_t pins_count_max(const struct gms_pins *pins)
{
	uint32_t max = pins->uniform;

	for (unsigned int i = 0; i < PINS_NR_LEAVES * GMS_LINE_WORDS; i++) {
		const unsigned int leaf = i / GMS_LINE_WORDS, w = i % GMS_LINE_WORDS;
		uint64_t left = GMS_WORD_FULL;
		uint32_t count = 0;

		if (!(pins_leaf_state(pins, leaf) & PINS_DIRTY))
			continue;
		for (unsigned int p = pins->nr_planes; p--;) {
			const uint64_t with = left & pins->plane[p][leaf].w[w];

			count |= with ? 1u << p : 0;
			left = with ? with : left;
		}
		max = count > max ? count : max;
	}
	return max;
}

/* Returns true if I3 would hold with one more reservation. */
static bool pins_has_room(const struct gms_pins *pins)
{
	const uint64_t most = (1ULL << pins->nr_planes) - 1, more = (uint64_t)pins->reserved + 1;

	if (pins_count_bound(pins) + more <= most)
		return true;
	return pins->nr_planes == GMS_PINS_PLANES && pins_count_max(pins) + more <= most;
}

/* The rest, pinned, is filled leaf by leaf: see pins_leaf_fill(). */
static void pins_init(struct gms_pins *pins)
{
	gms_memset(pins, 0, offsetof(struct gms_pins, pinned));
}

/* Memory that a reservation may need: allocated without the lock, and used under the lock. */
struct pins_stock {
	struct gms_pins *pins;
	struct gms_line *plane;
	bool zero; /* the whole plane is 0 */
};

/* Adds the plane of a stock. Clears it where leaves are dirty, unless the whole plane is 0. */
static void pins_add_plane(struct gms_pins *pins, struct pins_stock *stock)
{
	for (unsigned int leaf = 0; !stock->zero && pins->nr_dirty && leaf < PINS_NR_LEAVES;
	     leaf++) {
		if (pins_leaf_state(pins, leaf) & PINS_DIRTY)
			gms_line_fill(&stock->plane[leaf], false);
	}
	pins->plane[pins->nr_planes] = stock->plane;
	gms_store_relaxed(&pins->nr_planes, pins->nr_planes + 1);
	stock->plane = NULL;
}

/*
 * Reserves a pin. Returns 0; -ENOMEM: a page might exceed GMS_PINS_MAX; -EAGAIN: @stock lacks the
 * pins or a plane, or so many leaves are dirty that the caller has to clear the plane without the
 * lock.
 */
static int pins_reserve_locked(struct gms_pins **slot, struct pins_stock *stock)
{
	struct gms_pins *pins = *slot;

	if (!pins) {
		if (!stock->pins)
			return -EAGAIN;
		pins = stock->pins;
		stock->pins = NULL;
		pins_init(pins);
		gms_store_release(slot, pins);
	}
	if (!pins_has_room(pins)) {
		if (pins->nr_planes == GMS_PINS_PLANES)
			return -ENOMEM;
		if (!stock->plane || (!stock->zero && pins->nr_dirty > GMS_PINS_STEP))
			return -EAGAIN;
		pins_add_plane(pins, stock);
		/* the planes had room for the counts and for the reservations: now for both */
		gms_assert(pins_has_room(pins));
	}
	pins->reserved++;
	return 0;
}

int gms_pins_reserve(struct gms_pins **slot, struct gms_spinlock *lock,
		     const struct gms_allocator *a)
{
	struct pins_stock stock = {NULL, NULL, false};
	int err;

	for (;;) {
		bool has_pins;

		gms_spin_lock(lock);
		err = pins_reserve_locked(slot, &stock);
		has_pins = *slot;
		gms_spin_unlock(lock);
		if (err != -EAGAIN)
			break;
		if (!has_pins)
			stock.pins = a->alloc(a->ctx, sizeof(*stock.pins), 64);
		if (!stock.plane) {
			stock.plane = a->alloc(a->ctx, PINS_PLANE_BYTES, 64);
		} else {
			gms_memset(stock.plane, 0, PINS_PLANE_BYTES);
			stock.zero = true;
		}
		if (!stock.plane || (!has_pins && !stock.pins)) {
			err = -ENOMEM;
			break;
		}
	}
	if (stock.plane)
		a->free(a->ctx, stock.plane, PINS_PLANE_BYTES, 64);
	if (stock.pins)
		a->free(a->ctx, stock.pins, sizeof(*stock.pins), 64);
	return err;
}

uint32_t gms_pins_count(const struct gms_pins *pins, unsigned int page)
{
	const unsigned int leaf = page / PINS_LEAF_PAGES;
	uint32_t count = 0;

	if (!(pins_leaf_state(pins, leaf) & PINS_DIRTY))
		return pins->uniform;
	for (unsigned int p = 0; p < pins->nr_planes; p++)
		count |= (uint32_t)gms_line_test(&pins->plane[p][leaf], page % PINS_LEAF_PAGES)
			 << p;
	return count;
}

bool gms_pins_first(const struct gms_pins *pins, unsigned int lo, unsigned int hi,
		    unsigned int *page)
{
	while (pins && lo < hi) {
		const unsigned int leaf = lo / PINS_LEAF_PAGES, i = leaf % 32;
		const uint64_t w = gms_load_acquire(&pins->state[leaf / 32]) >> 2 * i;
		const uint64_t any = w & PINS_ANY_ALL;
		const unsigned int skip = any ? gms_ctz(any) / 2 : PINS_LEAVES_PER_WORD - i;

		if (skip) {
			lo = (leaf + skip) * PINS_LEAF_PAGES;
			continue;
		}
		if (w & PINS_DIRTY)
			lo = leaf * PINS_LEAF_PAGES +
			     gms_line_find(&pins->pinned[leaf], lo % PINS_LEAF_PAGES, false);
		if (lo / PINS_LEAF_PAGES != leaf || lo >= hi)
			continue;
		/* if a word has just lost its last pin, gms_line_find() may return its last bit */
		if ((w & PINS_DIRTY) && !gms_line_test(&pins->pinned[leaf], lo % PINS_LEAF_PAGES))
			continue;
		*page = lo;
		return true;
	}
	return false;
}

size_t gms_pins_bytes(const struct gms_pins *pins)
{
	return pins ? sizeof(*pins) + gms_load_relaxed(&pins->nr_planes) * PINS_PLANE_BYTES : 0;
}

/* Checks a leaf, and adds up in @nonzero the words of its planes that are not 0. */
static bool pins_leaf_ok(const struct gms_pins *pins, unsigned int leaf, uint32_t *nonzero)
{
	const unsigned int state = pins_leaf_state(pins, leaf);

	if (!(state & PINS_DIRTY))
		return !(state & PINS_ANY) == !pins->uniform;
	for (unsigned int w = 0; w < GMS_LINE_WORDS; w++) {
		uint64_t pinned = 0;

		for (unsigned int p = 0; p < pins->nr_planes; p++) {
			pinned |= pins->plane[p][leaf].w[w];
			nonzero[p] += !!pins->plane[p][leaf].w[w];
		}
		if (pinned != pins->pinned[leaf].w[w])
			return false;
	}
	if (!(state & PINS_ANY))
		return pins->uniform && gms_line_is(&pins->pinned[leaf], false);
	return !gms_line_is(&pins->pinned[leaf], false);
}

bool gms_pins_ok(const struct gms_pins *pins)
{
	const uint64_t most = (1ULL << pins->nr_planes) - 1;
	uint32_t nr_any = 0, nr_dirty = 0, nonzero[GMS_PINS_PLANES] = {0};

	for (unsigned int leaf = 0; leaf < PINS_NR_LEAVES; leaf++) {
		nr_any += pins_leaf_state(pins, leaf) & PINS_ANY;
		nr_dirty += pins_leaf_state(pins, leaf) / PINS_DIRTY;
		if (!pins_leaf_ok(pins, leaf, nonzero))
			return false;
	}
	for (unsigned int p = 0; p < pins->nr_planes; p++) {
		if (nonzero[p] != pins->nonzero[p])
			return false;
	}
	if (nr_any != pins->nr_any || nr_dirty != pins->nr_dirty)
		return false;
	if (nr_dirty == PINS_NR_LEAVES && pins->uniform)
		return false;
	return (uint64_t)pins_count_max(pins) + pins->reserved <= most;
}

void gms_pins_fini(struct gms_pins *pins, const struct gms_allocator *a)
{
	if (!pins)
		return;
	gms_assert(!pins->reserved);
	for (unsigned int p = 0; p < pins->nr_planes; p++)
		a->free(a->ctx, pins->plane[p], PINS_PLANE_BYTES, 64);
	a->free(a->ctx, pins, sizeof(*pins), 64);
}
