/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* mixed.c - the pattern that most rows work on; see struct bench_mixed */
#include <stdlib.h>

#include "bench.h"

const struct bench_mixed *bench_mixed_16g;

/*
 * Returns the numbers below @nr, shuffled: the blocks of a guest become mixed in no particular
 * sequence.
 */
static uint32_t *mixed_shuffled(uint64_t nr)
{
	uint32_t *order = malloc(nr * sizeof(*order)), swap;
	uint64_t x = 7, at;

	if (!order)
		abort();
	for (uint64_t i = 0; i < nr; i++)
		order[i] = i;
	for (uint64_t i = nr; i > 1; i--) {
		x = bench_next(x);
		at = bench_below(x, i);
		swap = order[at];
		order[at] = order[i - 1];
		order[i - 1] = swap;
	}
	return order;
}

static struct bench_mixed *mixed_make(unsigned int size_bits, unsigned int per_mille)
{
	uint64_t nr_2m = (uint64_t)1 << (size_bits - GMS_ORDER_2M), x = 42, b, nr = 0;
	struct bench_mixed *m = malloc(sizeof(*m));
	uint32_t *block = malloc(nr_2m * sizeof(*block));
	uint16_t *start = malloc(nr_2m * sizeof(*start)), *end = malloc(nr_2m * sizeof(*end));

	if (!m || !block || !start || !end)
		abort();
	for (b = 0; b < nr_2m; b++) {
		x = bench_next(x);
		if (bench_below(x, 1000) >= per_mille)
			continue;
		x = bench_next(x);
		block[nr] = b;
		start[nr] = 1 + bench_below(x, 510);
		x = bench_next(x);
		end[nr] = start[nr] + 1 + bench_below(x, 511 - start[nr]);
		nr++;
	}
	*m = (struct bench_mixed) {nr, block, start, end, mixed_shuffled(nr)};
	return m;
}

const struct bench_mixed *bench_mixed_of(unsigned int size_bits, unsigned int per_mille)
{
	static struct {
		unsigned int size_bits, per_mille;
		const struct bench_mixed *m;
	} known[8];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]) && known[i].m; i++) {
		if (known[i].size_bits == size_bits && known[i].per_mille == per_mille)
			return known[i].m;
	}
	if (i == sizeof(known) / sizeof(known[0]))
		abort();
	known[i].size_bits = size_bits;
	known[i].per_mille = per_mille;
	known[i].m = mixed_make(size_bits, per_mille);
	return known[i].m;
}
