// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shapes.c - trees in every kind of state
 */
#include "shapes.h"
#include "test.h"

#if T_SHIFT == 9
const unsigned int shape_steps[] = {1, 4, 5, 28, 29, 60, 61, 124, 125, 300, 511, 512};
#else
const unsigned int shape_steps[] = {1, 2, 3, 4};
#endif
const size_t nr_shape_steps = ARRAY_SIZE(shape_steps);

/* Three 1G blocks, and an incomplete one that ends with an incomplete 2M. */
#define FEW (3 * T_1G + 2 * T_2M + 3)
/* Many 1G blocks, so that ranges cross the borders of chunks. */
#define MANY ((T_SHIFT == 9 ? 150 : 1100) * T_1G + T_2M + 1)

void shape_mix(struct twin *twin, uint64_t base, unsigned int count, bool set)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		/* 5 is odd, so this visits each 2M block once, in a scattered order. */
		uint64_t block = (uint64_t)i * 5 % T_FANOUT;

		twin_store(twin, base + block * T_2M + block % T_2M, 1, set);
	}
}

static void build_nothing(struct twin *twin)
{
	(void)twin;
}

static void build_one_page(struct twin *twin)
{
	twin_store(twin, T_1G + 1, 1, true);
}

static void build_all_but_tail(struct twin *twin)
{
	twin_store(twin, twin->oracle.nr_pages - 1, 1, false);
}

static void build_alternating(struct twin *twin)
{
	uint64_t at;

	for (at = 0; at < twin->oracle.nr_pages; at += 2)
		twin_store(twin, at, 1, true);
}

static void build_alternating_2m(struct twin *twin)
{
	uint64_t at;

	for (at = 0; at + T_2M <= twin->oracle.nr_pages; at += 2 * T_2M)
		twin_store(twin, at, T_2M, true);
}

static void build_grown(struct twin *twin, unsigned int count)
{
	shape_mix(twin, 0, count, true);
	shape_mix(twin, T_1G, count, true);
	shape_mix(twin, 2 * T_1G, T_FANOUT, true);
	shape_mix(twin, 2 * T_1G, (unsigned int)T_FANOUT - count, false);
}

static void build_sparse(struct twin *twin)
{
	build_grown(twin, shape_steps[1]);
}

static void build_middle(struct twin *twin)
{
	build_grown(twin, shape_steps[nr_shape_steps / 2]);
}

static void build_steps(struct twin *twin)
{
	unsigned int i;

	for (i = 0; i < nr_shape_steps; i++)
		shape_mix(twin, i * T_1G, shape_steps[i], true);
}

/* The tree was dense, and is uniform again. */
static void build_gone(struct twin *twin)
{
	build_alternating(twin);
	twin_store(twin, 0, twin->oracle.nr_pages, true);
}

static void build_random(struct twin *twin)
{
	struct prng prng;
	int i;

	prng_init(&prng, 11);
	for (i = 0; i < 400; i++) {
		uint64_t start = prng_below(&prng, twin->oracle.nr_pages);
		uint64_t nr_pages = 1 + prng_below(&prng, i % 8 ? T_2M : T_1G);

		if (nr_pages > twin->oracle.nr_pages - start)
			nr_pages = twin->oracle.nr_pages - start;
		twin_store(twin, start, nr_pages, prng_chance(&prng, 50));
	}
}

static void build_many(struct twin *twin)
{
	uint64_t at;

	for (at = 0; at + T_1G < twin->oracle.nr_pages; at += T_1G)
		twin_store(twin, at, at / T_1G % 3 * T_2M + 1, true);
	shape_mix(twin, 64 * T_1G, (unsigned int)T_FANOUT, true);
}

const struct shape shapes[] = {
	{"empty", FEW, false, true, build_nothing},
	{"full", FEW, true, true, build_nothing},
	{"one page", FEW, false, true, build_one_page},
	{"all but the last page", FEW, true, true, build_all_but_tail},
	{"every other page", FEW, false, T_SHIFT != 9, build_alternating},
	{"every other 2M", FEW, false, true, build_alternating_2m},
	{"few mixed 2M", FEW, false, true, build_sparse},
	{"many mixed 2M", FEW, false, true, build_middle},
	{"every number of mixed 2M", 13 * T_1G, false, true, build_steps},
	{"dense once", FEW, false, T_SHIFT != 9, build_gone},
	{"random", FEW, false, true, build_random},
	{"many blocks", MANY, false, true, build_many},
	{"many uniform blocks", MANY, true, true, build_nothing},
	{"less than 2M", T_2M - 1, false, true, build_alternating},
	{"less than 1G", T_1G - 1, true, T_SHIFT != 9, build_alternating},
};
const size_t nr_shapes = ARRAY_SIZE(shapes);

bool shape_wanted(const struct shape *shape)
{
	return T_SHIFT != 9 || !test_on_valgrind() || (shape->cheap && shape->nr_pages < 4 * T_1G);
}

void shape_init(struct twin *twin, const struct shape *shape)
{
	twin_init(twin, shape->nr_pages, shape->full);
	shape->build(twin);
}

bool shape_range(uint64_t nr_pages, unsigned int which, uint64_t *start, uint64_t *nr)
{
	const struct {
		uint64_t start, end;
	} ranges[] = {
		{0, 1},
		{1, 2},
		{T_2M - 1, T_2M + 1},
		{T_2M, 2 * T_2M},
		{T_2M + 1, 3 * T_2M - 1},
		{T_1G - 1, T_1G + 1},
		{T_1G, 2 * T_1G},
		{1, T_1G + 1},
		{T_1G - T_2M - 1, 2 * T_1G + T_2M + 1},
		{2 * T_1G + 1, 3 * T_1G},
		{0, 2 * T_1G - 1},
		{T_1G + 1, 65 * T_1G + 1},
		{T_1G, 66 * T_1G},
		{T_2M + 1, 140 * T_1G - 1},
		{1023 * T_1G + 1, 1025 * T_1G + T_2M + 1},
		{nr_pages - 1, nr_pages},
		{nr_pages / 2, nr_pages},
		{1, nr_pages},
		{0, nr_pages},
	};
	unsigned int i;

	/* Under valgrind every third range is enough. The tiny build has all of them. */
	if (T_SHIFT == 9 && test_on_valgrind())
		which = which * 3 + 1;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (ranges[i].end > nr_pages || ranges[i].start >= ranges[i].end)
			continue;
		if (which--)
			continue;
		*start = ranges[i].start;
		*nr = ranges[i].end - ranges[i].start;
		return true;
	}
	return false;
}
