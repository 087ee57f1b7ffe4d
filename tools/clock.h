/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock.h - how long something takes
 */
#ifndef GMS_TOOL_CLOCK_H
#define GMS_TOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns a time in nanoseconds that only goes forward. */
static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#endif /* GMS_TOOL_CLOCK_H */
