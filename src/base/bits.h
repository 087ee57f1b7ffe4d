/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bits.h - words, and lines of 512 bits
 *
 * A line has a bit for each of 512 children, which is the fan-out of a page table (GMS_RTREE_SHIFT
 * is 9). Tests build everything a second time with a shift of 2: then a line has 4 bits, in one
 * word, and the other bits of the word stay 0.
 *
 *  1. The bits of a line are numbered from 0, and the numbers go on from word to word. A range of
 *     bits is [a, b), with a < b.
 *  2. Readers load words with acquire, and writers store them with release. A writer may load a
 *     word relaxed if no other thread can write the word's line. It also fills and copies lines
 *     relaxed: if a reader may be looking at the line, the writer needs a release fence before
 *     the fill.
 *  3. Functions that look at a whole line do not branch on each word, because processors cannot
 *     predict which words differ.
 */
#ifndef GMS_BITS_H
#define GMS_BITS_H

#include <gmemstate/types.h>

#include "platform.h"

#ifndef GMS_RTREE_SHIFT
#define GMS_RTREE_SHIFT 9
#endif

#define GMS_LINE_BITS (1u << GMS_RTREE_SHIFT)
#define GMS_LINE_WORDS ((GMS_LINE_BITS + 63) / 64)
/* The bits of a word that a line uses. */
#define GMS_WORD_FULL (GMS_LINE_BITS >= 64 ? ~0ULL : (1ULL << (GMS_LINE_BITS % 64)) - 1)

struct gms_line {
	uint64_t w[GMS_LINE_WORDS];
};

/* Returns which 2M block of its 1G block has the page @index. This is also its bit in a line. */
static gms_always_inline unsigned int gms_block_2m(gms_pgoff_t index)
{
	return (index >> GMS_ORDER_2M) & (GMS_LINE_BITS - 1);
}

/*
 * Counts the set bits of a word. The builtin is a call of a library function unless the compiler
 * may assume that the processor has an instruction for it. A compiler that may assume such an
 * instruction recognises these lines, and uses it.
 */
static gms_always_inline unsigned int gms_popcount(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned int)((x * 0x0101010101010101ULL) >> 56);
}

/* Returns the number of the lowest set bit of @x, which is not 0. */
static gms_always_inline unsigned int gms_ctz(uint64_t x)
{
	return (unsigned int)__builtin_ctzll(x);
}

/* Returns a word in which all bits that a line uses are @v. */
static gms_always_inline uint64_t gms_word_of(bool v)
{
	return v ? GMS_WORD_FULL : 0;
}

/* Returns a mask of bit @a and the bits above it, in the word that has bit @a. */
static gms_always_inline uint64_t gms_mask_from(unsigned int a)
{
	return ~0ULL << (a % 64);
}

/* Returns a mask of the bits below bit @b, in the word that has bit @b - 1. */
static gms_always_inline uint64_t gms_mask_to(unsigned int b)
{
	return ~0ULL >> (63 - (b - 1) % 64);
}

/* Returns a mask of the bits of [a, b) in word @w, which has at least one of them. */
static gms_always_inline uint64_t gms_word_mask(unsigned int w, unsigned int a, unsigned int b)
{
	const uint64_t from = w == a / 64 ? gms_mask_from(a) : ~0ULL;

	return w == (b - 1) / 64 ? from & gms_mask_to(b) : from;
}

static gms_always_inline bool gms_line_test(const struct gms_line *l, unsigned int i)
{
	return gms_load_acquire(&l->w[i / 64]) >> (i % 64) & 1;
}

/* Sets the bits of a mask in a word to @v. */
static gms_always_inline void gms_word_put(uint64_t *p, uint64_t mask, bool v)
{
	const uint64_t w = gms_load_relaxed(p);

	gms_store_sole(p, v ? w | mask : w & ~mask);
}

static gms_always_inline void gms_line_put(struct gms_line *l, unsigned int i, bool v)
{
	gms_word_put(&l->w[i / 64], 1ULL << (i % 64), v);
}

static gms_always_inline void gms_line_fill(struct gms_line *l, bool v)
{
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		gms_store_relaxed(&l->w[i], gms_word_of(v));
}

static gms_always_inline void gms_line_copy(struct gms_line *to, const struct gms_line *from)
{
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		gms_store_relaxed(&to->w[i], gms_load_relaxed(&from->w[i]));
}

/* Counts the words of a line in which a bit is not @v. */
static gms_always_inline unsigned int gms_line_count_unlike(const struct gms_line *l, bool v)
{
	unsigned int words = 0;

	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		words += gms_load_relaxed(&l->w[i]) != gms_word_of(v);
	return words;
}

/* Returns true if all bits of a line are @v. */
static gms_always_inline bool gms_line_is(const struct gms_line *l, bool v)
{
	return !gms_line_count_unlike(l, v);
}

/*
 * Returns true if all bits outside of [a, b) are @v. Looks at the words of the range first,
 * because a bit that differs is most often there.
 */
static gms_always_inline bool gms_line_rest_is(const struct gms_line *l, unsigned int a,
					       unsigned int b, bool v)
{
	const uint64_t full = gms_word_of(v);
	unsigned int in_range = 0;

	for (unsigned int i = a / 64; i <= (b - 1) / 64; i++) {
		const uint64_t differ = gms_load_relaxed(&l->w[i]) ^ full;

		if (differ & ~gms_word_mask(i, a, b))
			return false;
		in_range += !!differ;
	}
	return gms_line_count_unlike(l, v) == in_range;
}

/* Sets [a, b) to @v, a word at a time. */
static gms_always_inline void gms_line_store(struct gms_line *l, unsigned int a, unsigned int b,
					     bool v)
{
	for (unsigned int w = a / 64; w <= (b - 1) / 64; w++)
		gms_word_put(&l->w[w], gms_word_mask(w, a, b), v);
}

/* Counts the set bits of [a, b). */
static gms_always_inline unsigned int gms_line_count(const struct gms_line *l, unsigned int a,
						     unsigned int b)
{
	unsigned int n = 0;

	for (unsigned int w = a / 64; w <= (b - 1) / 64; w++)
		n += gms_popcount(gms_load_acquire(&l->w[w]) & gms_word_mask(w, a, b));
	return n;
}

/* Returns the first bit that is not @v in the words after word @w; GMS_LINE_BITS: none. */
static gms_always_inline unsigned int gms_line_find_after(const struct gms_line *l, unsigned int w,
							  bool v)
{
	const uint64_t last = 1ULL << ((GMS_LINE_BITS - 1) % 64);
	unsigned int words = 0;

	GMS_UNROLL
	for (unsigned int i = 1; i < GMS_LINE_WORDS; i++)
		words |= (unsigned int)(gms_load_acquire(&l->w[i]) != gms_word_of(v)) << i;
	words &= ~1U << w;
	if (!words)
		return GMS_LINE_BITS;
	w = gms_ctz(words);
	/*
	 * The word is loaded a second time here. If all of its bits have become @v since the loop
	 * loaded it, this returns its last bit. So all bits before the answer are @v in any case,
	 * but the answer itself may be @v, too.
	 */
	return w * 64 + gms_ctz((gms_load_acquire(&l->w[w]) ^ gms_word_of(v)) | last);
}

/* Returns the first bit from @from on that is not @v; GMS_LINE_BITS: there is none. */
static gms_always_inline unsigned int gms_line_find(const struct gms_line *l, unsigned int from,
						    bool v)
{
	const unsigned int w = from / 64;
	const uint64_t found = (gms_load_acquire(&l->w[w]) ^ gms_word_of(v)) & gms_mask_from(from);

	return found ? w * 64 + gms_ctz(found) : gms_line_find_after(l, w, v);
}

/*
 * Stores bit @from in *v. Returns the first bit after @from that differs from it; GMS_LINE_BITS:
 * there is none. Loads the word of @from once, so that the two answers agree.
 */
static gms_always_inline unsigned int gms_line_run(const struct gms_line *l, unsigned int from,
						   bool *v)
{
	const unsigned int w = from / 64;
	const uint64_t word = gms_load_acquire(&l->w[w]);
	uint64_t found;

	*v = word >> (from % 64) & 1;
	found = (word ^ gms_word_of(*v)) & gms_mask_from(from);
	return found ? w * 64 + gms_ctz(found) : gms_line_find_after(l, w, *v);
}

#endif /* GMS_BITS_H */
