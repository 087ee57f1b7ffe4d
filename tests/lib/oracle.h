/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * oracle.h - what the range tree is compared with: a flat array of bits
 *
 * One bit a page and nothing else. Every question is answered by looking at each bit
 * that it concerns (64 at a time), so an answer is right by inspection, and slow.
 * Nothing here is shared with the library but the types of its answers.
 */
#ifndef GMS_TESTS_ORACLE_H
#define GMS_TESTS_ORACLE_H

#include <gmemstate/rtree.h>

/* Repeatable pseudo-random numbers (splitmix64). */
struct prng {
	uint64_t state;
};

void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
uint64_t prng_below(struct prng *prng, uint64_t bound); /* 0 .. bound - 1; bound > 0 */
bool prng_chance(struct prng *prng, unsigned int percent);

struct oracle {
	uint64_t nr_pages;
	uint64_t *words;
};

void oracle_init(struct oracle *oracle, uint64_t nr_pages, bool full);
void oracle_fini(struct oracle *oracle);
void oracle_copy(struct oracle *to, const struct oracle *from);
/* Copies no more than the words that hold the pages of the range. */
void oracle_copy_range(struct oracle *to, const struct oracle *from, uint64_t start,
		       uint64_t nr_pages);
bool oracle_equal(const struct oracle *a, const struct oracle *b);
void oracle_store(struct oracle *oracle, uint64_t start, uint64_t nr_pages, bool set);

/* As the gms_rtree_ functions of the same name. */
bool oracle_test(const struct oracle *oracle, uint64_t index);
enum gms_rtree_fill oracle_fill(const struct oracle *oracle, uint64_t index, unsigned int order);
enum gms_rtree_fill oracle_fill_range(const struct oracle *oracle, uint64_t start,
				      uint64_t nr_pages);
unsigned int oracle_uniform_order(const struct oracle *oracle, uint64_t index);
uint64_t oracle_count(const struct oracle *oracle, uint64_t start, uint64_t nr_pages);
bool oracle_next(const struct oracle *oracle, uint64_t from, uint64_t end,
		 struct gms_rtree_run *run);
uint64_t oracle_nodes(const struct oracle *oracle);

#endif /* GMS_TESTS_ORACLE_H */
