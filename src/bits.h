/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bits.h - words, and lines of 512 bits
 *
 * A line has one bit for each child of a node: 512, the fan-out of a page table
 * (GMS_RTREE_SHIFT is 9). Tests build everything a second time with a shift of 2,
 * where a line has 4 bits and uses part of one word; the other bits stay 0.
 *
 * Bit ranges are [a, b) with a < b. Bits are counted from 0 through all words.
 *
 * Lines that readers can see change by relaxed stores of whole words, so do all
 * lines on the plain path. On the vector path fill and copy are vector stores: they
 * are for lines of nodes that are not in place. A reader that was overtaken may still
 * look at such a line, but throws away what it saw (rtree_node.h).
 */
#ifndef GMS_BITS_H
#define GMS_BITS_H

#include "platform.h"

#ifndef GMS_RTREE_SHIFT
#define GMS_RTREE_SHIFT 9
#endif

#define GMS_LINE_BITS (1u << GMS_RTREE_SHIFT)
#define GMS_WORD_SHIFT (GMS_RTREE_SHIFT < 6 ? GMS_RTREE_SHIFT : 6)
#define GMS_LINE_WORDS ((GMS_LINE_BITS + 63) / 64)
/* The bits of a word that are in use. */
#define GMS_WORD_FULL (GMS_LINE_BITS >= 64 ? ~0ULL : (1ULL << (GMS_LINE_BITS % 64)) - 1)

struct gms_line {
	uint64_t w[GMS_LINE_WORDS];
};

#ifdef GMS_VECTOR
/* Half a line: nodes are aligned to 32 bytes, and a store across two cache lines is slow. */
typedef uint64_t gms_vec __attribute__((vector_size(32), aligned(8), may_alias));
_Static_assert(2 * sizeof(gms_vec) == sizeof(struct gms_line), "a line is two vectors");
#endif

/*
 * Written out, because a compiler that may not assume the instruction would call a library
 * function. Where it may, it knows these lines for what they are.
 */
static gms_always_inline unsigned int gms_popcount(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned int)((x * 0x0101010101010101ULL) >> 56);
}

/* Index of the lowest set bit of @x, which is not 0. */
static gms_always_inline unsigned int gms_ctz(uint64_t x)
{
	return (unsigned int)__builtin_ctzll(x);
}

/* Eight bytes as a word, the first one lowest. */
static gms_always_inline uint64_t gms_le64(uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(x);
#else
	return x;
#endif
}

/* A word of all ones or all zeroes, in the bits that are in use. */
static gms_always_inline uint64_t gms_word_of(bool v)
{
	return v ? GMS_WORD_FULL : 0;
}

/* The bits of one word from @a on; those up to and with @b - 1; counted through all words. */
static gms_always_inline uint64_t gms_mask_from(unsigned int a)
{
	return ~0ULL << (a % 64);
}

static gms_always_inline uint64_t gms_mask_to(unsigned int b)
{
	return ~0ULL >> (63 - (b - 1) % 64);
}

/* The bits of [a, b) in word @w, which is one that holds some. */
static gms_always_inline uint64_t gms_word_mask(unsigned int w, unsigned int a, unsigned int b)
{
	const uint64_t from = w == a / 64 ? gms_mask_from(a) : ~0ULL;

	return w == (b - 1) / 64 ? from & gms_mask_to(b) : from;
}

static gms_always_inline bool gms_line_test(const struct gms_line *l, unsigned int i)
{
	return gms_load_relaxed(&l->w[i / 64]) >> (i % 64) & 1;
}

static gms_always_inline void gms_line_put(struct gms_line *l, unsigned int i, bool v)
{
	const uint64_t bit = 1ULL << (i % 64), w = gms_load_relaxed(&l->w[i / 64]);

	gms_store_relaxed(&l->w[i / 64], v ? w | bit : w & ~bit);
}

static gms_always_inline void gms_line_fill(struct gms_line *l, bool v)
{
#ifdef GMS_VECTOR
	((gms_vec *)l)[0] = ((gms_vec *)l)[1] = (gms_vec) {} + gms_word_of(v);
#else
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		gms_store_relaxed(&l->w[i], gms_word_of(v));
#endif
}

static gms_always_inline void gms_line_copy(struct gms_line *to, const struct gms_line *from)
{
#ifdef GMS_VECTOR
	((gms_vec *)to)[0] = ((const gms_vec *)from)[0];
	((gms_vec *)to)[1] = ((const gms_vec *)from)[1];
#else
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		gms_store_relaxed(&to->w[i], gms_load_relaxed(&from->w[i]));
#endif
}

/* Are all bits @v? */
static gms_always_inline bool gms_line_is(const struct gms_line *l, bool v)
{
	uint64_t diff = 0;

	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++)
		diff |= gms_load_relaxed(&l->w[i]) ^ gms_word_of(v);
	return !diff;
}

/* Are all bits outside [a, b) @v? Looks first where the answer is most often found. */
static gms_always_inline bool gms_line_rest_is(const struct gms_line *l, unsigned int a,
					       unsigned int b, bool v)
{
	const uint64_t full = gms_word_of(v);
	const unsigned int first = a / 64, last = (b - 1) / 64;
	uint64_t diff = (gms_load_relaxed(&l->w[first]) ^ full) & ~gms_word_mask(first, a, b);

	diff &= GMS_WORD_FULL;
	if (diff)
		return false;
	if (last != first)
		diff = (gms_load_relaxed(&l->w[last]) ^ full) & ~gms_mask_to(b) & GMS_WORD_FULL;
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_LINE_WORDS; i++) {
		const uint64_t rest = gms_load_relaxed(&l->w[i]) ^ full;

		diff |= i < first || i > last ? rest : 0;
	}
	return !diff;
}

static gms_always_inline void gms_word_store(uint64_t *p, uint64_t mask, bool v)
{
	const uint64_t w = gms_load_relaxed(p);

	gms_store_relaxed(p, v ? w | mask : w & ~mask);
}

/* Set [a, b) to @v, a word at a time. */
static gms_always_inline void gms_line_store(struct gms_line *l, unsigned int a, unsigned int b,
					     bool v)
{
	const unsigned int first = a / 64, last = (b - 1) / 64;

	if (GMS_LINE_WORDS == 1 || first == last) {
		gms_word_store(&l->w[first], gms_mask_from(a) & gms_mask_to(b), v);
		return;
	}
	gms_word_store(&l->w[first], gms_mask_from(a), v);
	for (unsigned int i = first + 1; i < last; i++)
		gms_store_relaxed(&l->w[i], gms_word_of(v));
	gms_word_store(&l->w[last], gms_mask_to(b), v);
}

static gms_always_inline unsigned int gms_line_count(const struct gms_line *l, unsigned int a,
						     unsigned int b)
{
	unsigned int n = 0;

	for (unsigned int i = a / 64; i <= (b - 1) / 64; i++)
		n += gms_popcount(gms_load_relaxed(&l->w[i]) & gms_word_mask(i, a, b));
	return n;
}

/* The first bit from @from on that is not @v; GMS_LINE_BITS where there is none. */
static gms_always_inline unsigned int gms_line_find(const struct gms_line *l, unsigned int from,
						    bool v)
{
	uint64_t mask = gms_mask_from(from);

	for (unsigned int i = from / 64; i < GMS_LINE_WORDS; i++, mask = ~0ULL) {
		const uint64_t w = (gms_load_relaxed(&l->w[i]) ^ gms_word_of(v)) & mask;

		if (w)
			return i * 64 + gms_ctz(w);
	}
	return GMS_LINE_BITS;
}

#endif /* GMS_BITS_H */
