/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_ops.h - the operations of a flat bitmap, for the peers that have one
 *
 * The bitmap has one bit for each page, in 64-bit words. A scan stops at the end of its range, and
 * tests eight words at once where it can. memset() fills whole words.
 */
#ifndef BENCH_BITMAP_OPS_H
#define BENCH_BITMAP_OPS_H

#include <string.h>

#include "bench.h"

/* Makes a bitmap. Writes all of it, so that only the row "create" pays for first touches. */
static inline uint64_t *bitmap_create(uint64_t nr_pages, bool set)
{
	uint64_t *map = (uint64_t *)bench_alloc(nr_pages / 8, 64);

	memset(map, set ? 0xff : 0, nr_pages / 8);
	return map;
}

static inline bool bitmap_test(const uint64_t *map, uint64_t i)
{
	return __atomic_load_n(&map[i / 64], __ATOMIC_RELAXED) >> (i % 64) & 1;
}

static inline void bitmap_merge(uint64_t *word, uint64_t mask, bool set)
{
	*word = set ? *word | mask : *word & ~mask;
}

static inline void bitmap_fill(uint64_t *map, uint64_t start, uint64_t nr, bool set)
{
	uint64_t first = start / 64, last = (start + nr - 1) / 64;
	uint64_t head = ~0ULL << (start % 64), tail = ~0ULL >> (63 - (start + nr - 1) % 64);

	if (first == last) {
		bitmap_merge(&map[first], head & tail, set);
		return;
	}
	bitmap_merge(&map[first], head, set);
	memset(&map[first + 1], set ? 0xff : 0, (last - first - 1) * 8);
	bitmap_merge(&map[last], tail, set);
}

static inline uint64_t bitmap_differs8(const uint64_t *w, uint64_t flip)
{
	return (w[0] ^ flip) | (w[1] ^ flip) | (w[2] ^ flip) | (w[3] ^ flip) | (w[4] ^ flip) |
	       (w[5] ^ flip) | (w[6] ^ flip) | (w[7] ^ flip);
}

/* Returns the first index in [from, end) whose bit is not @value, or @end. */
static inline uint64_t bitmap_next_not(const uint64_t *map, uint64_t from, uint64_t end, bool value)
{
	uint64_t flip = value ? ~0ULL : 0, i = from / 64, words = (end + 63) / 64, w, at;

	if (from >= end)
		return end;
	w = (map[i] ^ flip) & ~0ULL << (from % 64);
	if (!w) {
		for (i++; i < words && i % 8 && !(map[i] ^ flip); i++)
			;
		if (i < words && i % 8 == 0) {
			while (i + 8 <= words && !bitmap_differs8(map + i, flip))
				i += 8;
		}
		while (i < words && !(map[i] ^ flip))
			i++;
		if (i >= words)
			return end;
		w = map[i] ^ flip;
	}
	at = i * 64 + (uint64_t)__builtin_ctzll(w);
	return at < end ? at : end;
}

/* Returns true if all pages of a 2M block are equal. */
static inline bool bitmap_uniform_2m(const uint64_t *map, uint64_t block)
{
	const uint64_t *w = map + block * 8;

	return (w[0] + 1 <= 1) && !bitmap_differs8(w, w[0]);
}

/* A walk over the runs, from the first page to the last. */
struct bitmap_cursor {
	const uint64_t *map;
	uint64_t at, end;
};

static inline bool bitmap_next_run(struct bitmap_cursor *c, struct bench_run *run)
{
	uint64_t next;

	if (c->at >= c->end)
		return false;
	run->start = c->at;
	run->set = bitmap_test(c->map, c->at);
	next = bitmap_next_not(c->map, c->at, c->end, run->set);
	run->nr_pages = next - c->at;
	c->at = next;
	return true;
}
#endif /* BENCH_BITMAP_OPS_H */
