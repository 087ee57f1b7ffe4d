/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shapes.h - histories that leave a tree in every kind of state there is
 *
 * Each shape fills the first blocks of a twin: uniform, sparse, dense, at each number
 * of mixed 2M blocks where the form of storage may change, grown and shrunk again.
 */
#ifndef GMS_TESTS_SHAPES_H
#define GMS_TESTS_SHAPES_H

#include "twin.h"

struct shape {
	const char *name;
	uint64_t nr_pages;
	bool full; /* at create */
	bool cheap; /* made in a few thousand stores: fit for being made again and again */
	void (*build)(struct twin *twin);
};

extern const struct shape shapes[];
extern const size_t nr_shapes;

/* Numbers of mixed 2M blocks in one 1G around which the form of storage may change. */
extern const unsigned int shape_steps[];
extern const size_t nr_shape_steps;

/* False for what would take minutes under valgrind; the tiny build takes all of them. */
bool shape_wanted(const struct shape *shape);
void shape_init(struct twin *twin, const struct shape *shape);

/* Makes @count 2M blocks of the 1G at @base mixed, or uniform again. */
void shape_mix(struct twin *twin, uint64_t base, unsigned int count, bool set);

/* A range of interest in a tree of @nr_pages: the @which-th; false: there are no more. */
bool shape_range(uint64_t nr_pages, unsigned int which, uint64_t *start, uint64_t *nr);

#endif /* GMS_TESTS_SHAPES_H */
