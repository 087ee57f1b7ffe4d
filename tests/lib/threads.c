// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * threads.c - runs threads that start together and report errors by a text
 */
#include "threads.h"
#include "test.h"

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(worker->start);
	worker->run(worker);
	return NULL;
}

void workers_run(struct worker *workers, unsigned int count)
{
	pthread_barrier_t start;
	unsigned int i;

	test_end_on_crash();
	assert_int_equal(pthread_barrier_init(&start, NULL, count), 0);
	for (i = 0; i < count; i++) {
		workers[i].start = &start;
		workers[i].why = NULL;
		/* Without this thread the others would wait at the barrier for ever. */
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i])) {
			fprintf(stderr, "cannot create a thread\n");
			exit(2);
		}
	}
	for (i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&start);
	for (i = 0; i < count; i++)
		assert_fine(workers[i].why);
}
