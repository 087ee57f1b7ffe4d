/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * oracle.h - the flat array of bits that the range tree is compared with
 *
 * An oracle has one bit for each page. Each query reads every bit that it is about, 64 at a time.
 * So the answers are slow, and obviously right. The oracle shares no code with the library, only
 * the types of the answers.
 *
 * Usage:
 *
 *	oracle_init(&oracle, nr_pages, false);
 *	oracle_store(&oracle, start, nr, true);
 *	assert_int_equal(gms_rtree_count(tree, 0, nr_pages), oracle_count(&oracle, 0, nr_pages));
 *	oracle_fini(&oracle);
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

/* Copies the words that hold the pages of the range. */
void oracle_copy_range(struct oracle *to, const struct oracle *from, uint64_t start,
		       uint64_t nr_pages);
bool oracle_equal(const struct oracle *a, const struct oracle *b);
void oracle_store(struct oracle *oracle, uint64_t start, uint64_t nr_pages, bool set);

/* Queries: each answers as the gms_rtree_ function of its name does. */
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
