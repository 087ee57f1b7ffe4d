/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/second.c - the second thread
 *
 * All rows use one second thread, because a vCPU of a guest is one thread all the time: the data
 * that a library keeps for each thread must not depend on how many rows have run. While the second
 * thread works, the first thread is bound to the processor that it runs on, and the second thread
 * to all other processors, because a scheduler may take long to separate them.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "../bench.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	void (*batch)(void *arg); /* NULL: the thread waits */
	void *arg;
	uint64_t batches; /* number of batches done */
	double cost; /* of a batch between start and stop */
	bool running;
	pthread_t thread;
	cpu_set_t cpus; /* the processors that the program began with */
} second = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static double second_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct bench_spent bench_spent_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (struct bench_spent) {
		.wall = second_ns(CLOCK_MONOTONIC),
		.cpu = second_ns(CLOCK_THREAD_CPUTIME_ID),
		.sleeps = (double)usage.ru_nvcsw,
	};
}

/* Takes wall-clock time if sleeps of 10 us each would add more than a hundredth to CPU time. */
double bench_cost(struct bench_spent from, struct bench_spent to, double operations)
{
	const double cpu = to.cpu - from.cpu;

	if ((to.sleeps - from.sleeps) * 10000 > cpu / 100)
		return (to.wall - from.wall) / operations;
	return cpu / operations;
}

static void *second_main(void *unused)
{
	struct bench_spent from;
	uint64_t before;
	void (*batch)(void *arg);
	void *arg;

	for (;;) {
		pthread_mutex_lock(&second.lock);
		while (!second.batch)
			pthread_cond_wait(&second.wake, &second.lock);
		arg = second.arg;
		pthread_mutex_unlock(&second.lock);
		from = bench_spent_now();
		before = second.batches;
		while ((batch = __atomic_load_n(&second.batch, __ATOMIC_ACQUIRE))) {
			batch(arg);
			__atomic_fetch_add(&second.batches, 1, __ATOMIC_RELEASE);
		}
		second.cost =
			bench_cost(from, bench_spent_now(), (double)(second.batches - before));
		__atomic_store_n(&second.running, false, __ATOMIC_RELEASE);
	}
	return unused;
}

static void second_bind_threads(void)
{
	cpu_set_t mine, others = second.cpus;
	int cpu = sched_getcpu();

	CPU_ZERO(&mine);
	CPU_SET(cpu, &mine);
	CPU_CLR(cpu, &others);
	if (cpu < 0 || !CPU_COUNT(&others))
		return;
	pthread_setaffinity_np(pthread_self(), sizeof(mine), &mine);
	pthread_setaffinity_np(second.thread, sizeof(others), &others);
}

void bench_second_start(void (*batch)(void *arg), void *arg)
{
	const uint64_t before = __atomic_load_n(&second.batches, __ATOMIC_ACQUIRE);
	static bool created;

	if (!created && (sched_getaffinity(0, sizeof(second.cpus), &second.cpus) ||
			 pthread_create(&second.thread, NULL, second_main, NULL)))
		abort();
	created = true;
	second_bind_threads();
	pthread_mutex_lock(&second.lock);
	second.arg = arg;
	second.running = true;
	__atomic_store_n(&second.batch, batch, __ATOMIC_RELEASE);
	pthread_cond_signal(&second.wake);
	pthread_mutex_unlock(&second.lock);
	while (__atomic_load_n(&second.batches, __ATOMIC_ACQUIRE) == before)
		sched_yield();
}

double bench_second_stop(void)
{
	__atomic_store_n(&second.batch, NULL, __ATOMIC_RELEASE);
	while (__atomic_load_n(&second.running, __ATOMIC_ACQUIRE))
		sched_yield();
	pthread_setaffinity_np(pthread_self(), sizeof(second.cpus), &second.cpus);
	return second.cost;
}
