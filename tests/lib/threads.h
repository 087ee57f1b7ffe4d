/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * threads.h - runs threads that start together and report errors by a text
 *
 * Only the main thread may use cmocka's assertions. A worker that finds an error sets @why to a
 * static text and returns. When all workers have ended, the main thread fails the test if a
 * worker has set @why.
 *
 * Usage:
 *
 *	static void read(struct worker *worker)
 *	{
 *		worker_expect(worker, gms_rtree_test(worker->shared, 5), "page 5 is not set");
 *	}
 *
 *	struct worker workers[2] = {{.run = read, .shared = tree}, {.run = read, .shared = tree}};
 *
 *	workers_run(workers, 2);
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
	const char *why; /* NULL, or what is wrong */
	pthread_t thread;
	pthread_barrier_t *start;
};

/* Runs all workers, waits for them, and fails the test with the first @why. */
void workers_run(struct worker *workers, unsigned int count);

/* If @cond does not hold, sets @why and returns from the worker's function. */
#define worker_expect(worker, cond, text)       \
	do {                                    \
		if (!(cond)) {                  \
			(worker)->why = (text); \
			return;                 \
		}                               \
	} while (0)

#endif /* GMS_TESTS_THREADS_H */
