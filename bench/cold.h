/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cold.h - one operation at a time, with empty caches
 *
 * A guest converts between two exits, and by then its host's caches hold other things. So a cold
 * row walks through a buffer larger than the caches before each operation, and times nothing
 * but the operation. The walk empties the caches of code and of address translations, too.
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

/* Walks through BENCH_COLD_BYTES that nothing else uses. */
void bench_cold_empty(void);

/* What a load of a line costs after that, if it was in the nearest cache before: ns. */
double bench_cold_line(void);

/* Nanoseconds of a number of ticks. */
double bench_ticks_ns(double ticks);

/* All stores before it have reached the caches, and nothing after it has begun. */
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
 * Adds the counters "cold" and "cold_all", ns an operation without what taking the time costs:
 * the mean without the dearest eighth, which other load on the machine has disturbed, and of all.
 */
void bench_cold_report(struct bench *bench, struct bench_cold *cold);

/*
 * Empties the caches, then times op. The first turn times nothing: after it the code that takes
 * the time is in the caches again.
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
