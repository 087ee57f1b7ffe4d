/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cold.c - see cold.h */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cold.h"

#define COLD_LINE 64
#define COLD_VICTIM ((size_t)1 << 18) /* bytes; they fit into a second-level cache */

/* Makes a buffer of small pages: a walk through them empties the caches of translations, too. */
static unsigned char *cold_make_buffer(size_t size)
{
	unsigned char *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
	return p;
}

static uint64_t cold_walk(const unsigned char *p, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i += COLD_LINE)
		sum += p[i];
	return sum;
}

void bench_cold_empty(void)
{
	static unsigned char *buffer;

	if (!buffer)
		buffer = cold_make_buffer(BENCH_COLD_BYTES);
	bench_use(cold_walk(buffer, BENCH_COLD_BYTES));
}

static int cold_compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Returns the mean of the @nr smallest ticks. */
static double cold_mean(struct bench_cold *cold, uint64_t nr)
{
	double sum = 0;

	qsort(cold->ticks, cold->operations, sizeof(cold->ticks[0]), cold_compare);
	for (uint64_t i = 0; i < nr; i++)
		sum += (double)cold->ticks[i];
	return sum / (double)nr;
}

double bench_cold_line(void)
{
	unsigned char *victim = cold_make_buffer(COLD_VICTIM);
	const volatile unsigned char *at;
	struct bench_cold cold = {.operations = 0}, none = {.operations = 0};
	uint64_t x = 1;

	for (int i = 0; i < 16; i++) {
		x = bench_next(x);
		at = victim + bench_below(x, COLD_VICTIM);
		bench_use(cold_walk(victim, COLD_VICTIM));
		BENCH_COLD(&cold, bench_use(*at));
		BENCH_COLD(&none, (void)0);
	}
	munmap(victim, COLD_VICTIM);
	return bench_ticks_ns(cold_mean(&cold, 14) - cold_mean(&none, 14));
}

/* Returns how many ticks of bench_ticks() a nanosecond has, by the system's clock. */
static double cold_ticks_per_ns(void)
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
	return ticks / cold_ticks_per_ns();
}

/* Returns the cost of taking the time, in ticks: the least of some tries. */
static double cold_overhead(void)
{
	static struct bench_cold none;

	while (none.operations < 4)
		BENCH_COLD(&none, (void)0);
	return cold_mean(&none, 1);
}

static double cold_subtract(double ticks, double less)
{
	return bench_ticks_ns(ticks > less ? ticks - less : 0);
}

void bench_cold_report(struct bench *bench, struct bench_cold *cold)
{
	const uint64_t nr = cold->operations;

	bench_counter(bench, "cold", cold_subtract(cold_mean(cold, nr - nr / 8), cold_overhead()));
	bench_counter(bench, "cold_all", cold_subtract(cold_mean(cold, nr), cold_overhead()));
}
