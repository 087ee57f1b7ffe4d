/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shapes.h - trees in every kind of state
 *
 * Each shape fills the first blocks of a twin. Blocks are uniform, sparse or dense, have few or
 * many mixed 2M blocks, or have become uniform again.
 *
 * Usage:
 *
 *	for (size_t i = 0; i < nr_shapes; i++) {
 *		if (!shape_wanted(&shapes[i]))
 *			continue;
 *		shape_init(&twin, &shapes[i]);
 *		for (which = 0; shape_range(shapes[i].nr_pages, which, &start, &nr); which++)
 *			... a test of the range ...
 *		twin_fini(&twin);
 *	}
 */
#ifndef GMS_TESTS_SHAPES_H
#define GMS_TESTS_SHAPES_H

#include "twin.h"

struct shape {
	const char *name;
	uint64_t nr_pages;
	bool full; /* the tree is created with all pages set */
	bool cheap; /* needs only a few thousand stores, so that tests can build it often */
	void (*build)(struct twin *twin);
};

extern const struct shape shapes[];
extern const size_t nr_shapes;

/* Numbers of mixed 2M blocks in one 1G, from few to all. */
extern const unsigned int shape_steps[];
extern const size_t nr_shape_steps;

/* Returns false for shapes that take minutes under valgrind. The tiny build has all shapes. */
bool shape_wanted(const struct shape *shape);

void shape_init(struct twin *twin, const struct shape *shape);

/* Makes @count 2M blocks of the 1G at @base mixed, or uniform again. Each gets one page. */
void shape_mix(struct twin *twin, uint64_t base, unsigned int count, bool set);

/* Sets the range with the number @which of a list. Returns false behind the end of the list. */
bool shape_range(uint64_t nr_pages, unsigned int which, uint64_t *start, uint64_t *nr);

#endif /* GMS_TESTS_SHAPES_H */
