/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cold.c - see cold.h */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cold.h"

#define LINE 64
#define VICTIM ((size_t)1 << 18) /* bytes; they fit into a second-level cache */

/* Small pages: the walk is to empty the caches of address translations, too. */
static unsigned char *make_buffer(size_t size)
{
	unsigned char *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
	return p;
}

static uint64_t walk(const unsigned char *p, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i += LINE)
		sum += p[i];
	return sum;
}

void bench_cold_empty(void)
{
	static unsigned char *buffer;

	if (!buffer)
		buffer = make_buffer(BENCH_COLD_BYTES);
	bench_use(walk(buffer, BENCH_COLD_BYTES));
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The mean of the least nr. */
static double mean(struct bench_cold *cold, uint64_t nr)
{
	double sum = 0;

	qsort(cold->ticks, cold->operations, sizeof(cold->ticks[0]), by_size);
	for (uint64_t i = 0; i < nr; i++)
		sum += (double)cold->ticks[i];
	return sum / (double)nr;
}

double bench_cold_line(void)
{
	unsigned char *victim = make_buffer(VICTIM);
	const volatile unsigned char *at;
	struct bench_cold cold = {.operations = 0}, none = {.operations = 0};
	uint64_t x = 1;

	for (int i = 0; i < 16; i++) {
		x = bench_next(x);
		at = victim + bench_below(x, VICTIM);
		bench_use(walk(victim, VICTIM));
		BENCH_COLD(&cold, bench_use(*at));
		BENCH_COLD(&none, (void)0);
	}
	munmap(victim, VICTIM);
	return bench_ticks_ns(mean(&cold, 14) - mean(&none, 14));
}

/* How many ticks a nanosecond has: of the clock of bench_ticks(), against the system's. */
static double ticks_per_ns(void)
{
	static double known;
	struct timespec from, to;
	uint64_t ticks;
	double ns = 0;

	if (known)
		return known;
	clock_gettime(CLOCK_MONOTONIC, &from);
	ticks = bench_ticks();
	while (ns < 2e7) {
		clock_gettime(CLOCK_MONOTONIC, &to);
		ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
	}
	known = (double)(bench_ticks() - ticks) / ns;
	return known;
}

double bench_ticks_ns(double ticks)
{
	return ticks / ticks_per_ns();
}

/* What taking the time costs, in ticks: the least of some tries. */
static double overhead(void)
{
	static struct bench_cold none;

	while (none.operations < 4)
		BENCH_COLD(&none, (void)0);
	return mean(&none, 1);
}

static double without(double ticks, double less)
{
	return bench_ticks_ns(ticks > less ? ticks - less : 0);
}

void bench_cold_report(struct bench *bench, struct bench_cold *cold)
{
	const uint64_t nr = cold->operations;

	bench_counter(bench, "cold", without(mean(cold, nr - nr / 8), overhead()));
	bench_counter(bench, "cold_all", without(mean(cold, nr), overhead()));
}
