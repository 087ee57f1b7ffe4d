/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * threads.h - workers that start together and report by a text
 *
 * cmocka's assertions are for the main thread only. A worker that sees something wrong
 * leaves a static text in @why and ends; the main thread asserts when all have ended.
 */
#ifndef GMS_TESTS_THREADS_H
#define GMS_TESTS_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
	void (*run)(struct worker *worker);
	void *shared;
	unsigned int number;
	uint64_t rounds;
	const char *why; /* NULL: all was well */
	pthread_t thread;
	pthread_barrier_t *start;
};

/* Runs all workers at once, waits for them, and fails the test for the first @why. */
void workers_run(struct worker *workers, unsigned int count);

/* For workers: leaves @text and returns from the function where @cond does not hold. */
#define worker_expect(worker, cond, text)       \
	do {                                    \
		if (!(cond)) {                  \
			(worker)->why = (text); \
			return;                 \
		}                               \
	} while (0)

#endif /* GMS_TESTS_THREADS_H */
