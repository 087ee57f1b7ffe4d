/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * random.h - random choices that a seed repeats
 */
#ifndef GMS_TOOL_RANDOM_H
#define GMS_TOOL_RANDOM_H

#include <stdint.h>

/*
 * Returns a random number below a limit, which is not 0, by splitmix64. @state is a seed at first,
 * and belongs to the function afterwards.
 */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % limit;
}

#endif /* GMS_TOOL_RANDOM_H */
