/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cold.h - times one operation at a time, with empty caches
 *
 * Between two conversions a guest runs, and the caches of its host fill with other data. So a cold
 * row walks through a buffer larger than the caches before each operation, and times the operation
 * alone. The walk also empties the caches of code and of address translations.
 */
#ifndef GMS_BENCH_COLD_H
#define GMS_BENCH_COLD_H

#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_COLD_BYTES ((size_t)64 << 20)

/* Empties the caches: walks through BENCH_COLD_BYTES that nothing else uses. */
void bench_cold_empty(void);

/*
 * Returns the cost in ns of a load of a line that was in a near cache until bench_cold_empty()
 * emptied the caches.
 */
double bench_cold_line(void);

/* Converts ticks to nanoseconds. */
double bench_ticks_ns(double ticks);

/*
 * Returns the time in ticks. All stores before the call have reached the caches; no operation
 * after the call has begun.
 */
static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
	uint64_t t;

	_mm_mfence();
	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
#else
	struct timespec ts;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
#endif
}

struct bench_cold {
	uint64_t operations;
	uint64_t ticks[BENCH_COLD_OPS]; /* of each operation */
};

/*
 * Adds two counters, in ns an operation, without the cost of taking the time. "cold" is the mean
 * without the slowest eighth, which other load on the machine has disturbed; "cold_all" is the
 * mean of all operations.
 */
void bench_cold_report(struct bench *bench, struct bench_cold *cold);

/*
 * Empties the caches, then times @op. The first turn times nothing: it brings the code that takes
 * the time back into the caches.
 */
#define BENCH_COLD(cold, op)                                                   \
	do {                                                                   \
		uint64_t ticks_ = 0;                                           \
                                                                               \
		bench_cold_empty();                                            \
		for (int turn_ = 0; turn_ < 2; turn_++) {                      \
			__asm__ volatile("" : "+r"(turn_));                    \
			ticks_ = bench_ticks();                                \
			if (turn_)                                             \
				op;                                            \
			ticks_ = bench_ticks() - ticks_;                       \
		}                                                              \
		(cold)->ticks[(cold)->operations++ % BENCH_COLD_OPS] = ticks_; \
	} while (0)

#ifdef __cplusplus
}
#endif
#endif /* GMS_BENCH_COLD_H */
