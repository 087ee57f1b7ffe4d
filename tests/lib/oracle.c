// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * oracle.c - the flat array that the range tree is compared with
 */
#include "oracle.h"
#include "test.h"

void prng_init(struct prng *prng, uint64_t seed)
{
	prng->state = seed;
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t z = prng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
	return prng_next(prng) % bound;
}

bool prng_chance(struct prng *prng, unsigned int percent)
{
	return prng_below(prng, 100) < percent;
}

static uint64_t nr_words(uint64_t nr_pages)
{
	return (nr_pages + 63) / 64;
}

void oracle_init(struct oracle *oracle, uint64_t nr_pages, bool full)
{
	oracle->nr_pages = nr_pages;
	oracle->words = calloc(nr_words(nr_pages), sizeof(uint64_t));
	if (!oracle->words) {
		fprintf(stderr, "no memory for the oracle\n");
		exit(2);
	}
	if (full)
		oracle_store(oracle, 0, nr_pages, true);
}

void oracle_fini(struct oracle *oracle)
{
	free(oracle->words);
	oracle->words = NULL;
}

void oracle_copy(struct oracle *to, const struct oracle *from)
{
	memcpy(to->words, from->words, nr_words(from->nr_pages) * sizeof(uint64_t));
}

void oracle_copy_range(struct oracle *to, const struct oracle *from, uint64_t start,
		       uint64_t nr_pages)
{
	uint64_t first = start / 64;

	memcpy(to->words + first, from->words + first,
	       (nr_words(start + nr_pages) - first) * sizeof(uint64_t));
}

bool oracle_equal(const struct oracle *a, const struct oracle *b)
{
	return a->nr_pages == b->nr_pages &&
	       !memcmp(a->words, b->words, nr_words(a->nr_pages) * sizeof(uint64_t));
}

/* Returns a mask of the bits of a word that lie in [start, end). */
static uint64_t mask_of(uint64_t word, uint64_t start, uint64_t end)
{
	uint64_t mask = ~0ULL;

	if (start > word * 64)
		mask &= ~0ULL << (start - word * 64);
	if (end < word * 64 + 64)
		mask &= ~0ULL >> (word * 64 + 64 - end);
	return mask;
}

/* Returns the end of a range, cut at the end of the array, even if start + nr_pages wraps. */
static uint64_t end_of(const struct oracle *oracle, uint64_t start, uint64_t nr_pages)
{
	if (start >= oracle->nr_pages)
		return start;
	return nr_pages < oracle->nr_pages - start ? start + nr_pages : oracle->nr_pages;
}

void oracle_store(struct oracle *oracle, uint64_t start, uint64_t nr_pages, bool set)
{
	uint64_t end = end_of(oracle, start, nr_pages);
	uint64_t word;

	for (word = start / 64; word * 64 < end; word++) {
		uint64_t mask = mask_of(word, start, end);

		if (set)
			oracle->words[word] |= mask;
		else
			oracle->words[word] &= ~mask;
	}
}

bool oracle_test(const struct oracle *oracle, uint64_t index)
{
	return index < oracle->nr_pages && (oracle->words[index / 64] >> (index % 64) & 1);
}

uint64_t oracle_count(const struct oracle *oracle, uint64_t start, uint64_t nr_pages)
{
	uint64_t end = end_of(oracle, start, nr_pages);
	uint64_t count = 0;
	uint64_t word;

	for (word = start / 64; word * 64 < end; word++)
		count += (uint64_t)__builtin_popcountll(oracle->words[word] &
							mask_of(word, start, end));
	return count;
}

enum gms_rtree_fill oracle_fill_range(const struct oracle *oracle, uint64_t start,
				      uint64_t nr_pages)
{
	uint64_t end = end_of(oracle, start, nr_pages);
	uint64_t count = oracle_count(oracle, start, nr_pages);

	if (!count)
		return GMS_RTREE_NONE;
	return count == end - start ? GMS_RTREE_ALL : GMS_RTREE_MIXED;
}

enum gms_rtree_fill oracle_fill(const struct oracle *oracle, uint64_t index, unsigned int order)
{
	if (order != 0 && order != T_ORDER_2M && order != T_ORDER_1G)
		return GMS_RTREE_MIXED;
	if (index >= oracle->nr_pages)
		return GMS_RTREE_NONE;
	return oracle_fill_range(oracle, index >> order << order, 1ULL << order);
}

unsigned int oracle_uniform_order(const struct oracle *oracle, uint64_t index)
{
	static const unsigned int orders[] = {T_ORDER_1G, T_ORDER_2M};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		uint64_t size = 1ULL << orders[i];
		uint64_t start = index & ~(size - 1);

		if (start + size <= oracle->nr_pages &&
		    oracle_fill(oracle, index, orders[i]) != GMS_RTREE_MIXED)
			return orders[i];
	}
	return 0;
}

bool oracle_next(const struct oracle *oracle, uint64_t from, uint64_t end,
		 struct gms_rtree_run *run)
{
	uint64_t at = from;
	uint64_t flip;

	if (end > oracle->nr_pages)
		end = oracle->nr_pages;
	if (from >= end)
		return false;
	run->start = from;
	run->set = oracle_test(oracle, from);
	flip = run->set ? ~0ULL : 0;
	while (at < end) {
		/* the bits that differ from the first bit */
		uint64_t differ = (oracle->words[at / 64] ^ flip) & mask_of(at / 64, at, end);

		if (differ) {
			at = at / 64 * 64 + (uint64_t)__builtin_ctzll(differ);
			break;
		}
		at = (at / 64 + 1) * 64;
	}
	run->nr_pages = (at < end ? at : end) - from;
	return true;
}

uint64_t oracle_nodes(const struct oracle *oracle)
{
	uint64_t nodes = 0;
	uint64_t at;

	for (at = 0; at < oracle->nr_pages; at += T_2M)
		nodes += oracle_fill(oracle, at, T_ORDER_2M) == GMS_RTREE_MIXED;
	for (at = 0; at < oracle->nr_pages; at += T_1G)
		nodes += oracle_fill(oracle, at, T_ORDER_1G) == GMS_RTREE_MIXED;
	return nodes;
}
