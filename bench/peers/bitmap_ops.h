/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_ops.h - a flat bitmap's operations, for the peers that have one
 *
 * One bit a page in 64-bit words. Scans stop at the end of the range that is asked about
 * and go by eight words where they can; whole words are filled by memset.
 */
#ifndef BENCH_BITMAP_OPS_H
#define BENCH_BITMAP_OPS_H

#include <string.h>

#include "bench.h"

/* All of it is written, so that no row pays for the first touch of a page but "create". */
static inline uint64_t *map_create(uint64_t nr_pages, bool set)
{
	uint64_t *map = (uint64_t *)bench_alloc(nr_pages / 8, 64);

	memset(map, set ? 0xff : 0, nr_pages / 8);
	return map;
}

static inline bool map_test(const uint64_t *map, uint64_t i)
{
	return __atomic_load_n(&map[i / 64], __ATOMIC_RELAXED) >> (i % 64) & 1;
}

static inline void map_merge(uint64_t *word, uint64_t mask, bool set)
{
	*word = set ? *word | mask : *word & ~mask;
}

static inline void map_fill(uint64_t *map, uint64_t start, uint64_t nr, bool set)
{
	uint64_t first = start / 64, last = (start + nr - 1) / 64;
	uint64_t head = ~0ULL << (start % 64), tail = ~0ULL >> (63 - (start + nr - 1) % 64);

	if (first == last) {
		map_merge(&map[first], head & tail, set);
		return;
	}
	map_merge(&map[first], head, set);
	memset(&map[first + 1], set ? 0xff : 0, (last - first - 1) * 8);
	map_merge(&map[last], tail, set);
}

static inline uint64_t map_differs8(const uint64_t *w, uint64_t flip)
{
	return (w[0] ^ flip) | (w[1] ^ flip) | (w[2] ^ flip) | (w[3] ^ flip) | (w[4] ^ flip) |
	       (w[5] ^ flip) | (w[6] ^ flip) | (w[7] ^ flip);
}

/* First index in [from, end) whose bit is not value, or end. */
static inline uint64_t map_next_not(const uint64_t *map, uint64_t from, uint64_t end, bool value)
{
	uint64_t flip = value ? ~0ULL : 0, i = from / 64, words = (end + 63) / 64, w, at;

	if (from >= end)
		return end;
	w = (map[i] ^ flip) & ~0ULL << (from % 64);
	if (!w) {
		for (i++; i < words && i % 8 && !(map[i] ^ flip); i++)
			;
		if (i < words && i % 8 == 0) {
			while (i + 8 <= words && !map_differs8(map + i, flip))
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

/* Is every page of a 2M block alike? */
static inline bool map_uniform_2m(const uint64_t *map, uint64_t block)
{
	const uint64_t *w = map + block * 8;

	return (w[0] + 1 <= 1) && !map_differs8(w, w[0]);
}

/* Runs, from the first page to the last. */
struct map_cursor {
	const uint64_t *map;
	uint64_t at, end;
};

static inline bool map_next_run(struct map_cursor *c, struct bench_run *run)
{
	uint64_t next;

	if (c->at >= c->end)
		return false;
	run->start = c->at;
	run->set = map_test(c->map, c->at);
	next = map_next_not(c->map, c->at, c->end, run->set);
	run->nr_pages = next - c->at;
	c->at = next;
	return true;
}
#endif /* BENCH_BITMAP_OPS_H */
