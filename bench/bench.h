/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.h - what the benchmarks share: rows, peers, and the door to Google Benchmark
 *
 *	row     one kind of work (docs/benchmarks.md tells what each one does)
 *	peer    one data structure that can do it; ours is a peer like the others
 *
 * The body of a row stands once, in rows.h, and is compiled once for each peer, in the
 * peer's own source file: its calls are direct, and every operation of every peer costs
 * exactly one call that is not inlined, as a call into a library does. Nothing goes
 * through struct bench_peer inside a measured loop.
 */
#ifndef GMS_BENCH_H
#define GMS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_ORDER_2M 9
#define BENCH_ORDER_1G 18
#define BENCH_PAGES_2M ((uint64_t)1 << BENCH_ORDER_2M)
#define BENCH_PAGES_1G ((uint64_t)1 << BENCH_ORDER_1G)
/* log2 of guest sizes in pages */
#define BENCH_16G 22
#define BENCH_256G 26
#define BENCH_1T 28
#define BENCH_16T 32

#define bench_noinline __attribute__((__noinline__))
#define bench_unlikely(x) __builtin_expect(!!(x), 0)

/* A run of pages that are alike; set means private. */
struct bench_run {
	uint64_t start;
	uint64_t nr_pages;
	bool set;
};

/* One measurement in progress; Google Benchmark's State behind it. */
struct bench;
/* Begins the next nr operations of the measured loop, or ends it. */
bool bench_more(struct bench *bench, uint64_t nr);
void bench_counter(struct bench *bench, const char *name, double value);
/* What follows is not measured (on), or is again; costs a microsecond. */
void bench_pause(struct bench *bench, bool on);

typedef void (*bench_fn)(struct bench *bench);

struct bench_row {
	const char *name;
	bench_fn fn;
	uint64_t once; /* measure exactly so many operations; 0: as many as it takes */
	bool wall; /* how long to measure goes by the wall: it may sleep */
};

/* "once" of a row that empties the caches before each operation: see cold.h. */
#define BENCH_COLD_OPS 128

/*
 * A peer, as the check and the list of benchmarks see it. The guest's size is a multiple
 * of 1G. order is NULL for one that cannot tell, iterate for one that has no runs.
 */
struct bench_peer {
	const char *name;
	void *(*create)(uint64_t nr_pages, bool set);
	void (*destroy)(void *obj);
	void (*store)(void *obj, uint64_t start, uint64_t nr_pages, bool set);
	bool (*test)(void *obj, uint64_t index);
	unsigned int (*order)(void *obj, uint64_t index);
	uint64_t (*iterate)(void *obj, void (*visit)(void *ctx, const struct bench_run *run),
			    void *ctx);
	const char *(*verify)(void *obj); /* NULL, or: what is wrong with obj, NULL if nothing */
	const struct bench_row *rows; /* up to one without a name */
};

/* All that were built, ours first. */
extern const struct bench_peer *const bench_peers[];
extern const size_t bench_nr_peers;

/* Every peer against an array of bytes; 0 where all agree. */
int bench_selfcheck(uint64_t seed, unsigned int rounds);

/*
 * What the calling thread has spent. What operations cost it is time of the processor, which
 * other load does not falsify; but where it slept, waiting for others, time on the wall.
 */
struct bench_spent {
	double wall, cpu, sleeps;
};
struct bench_spent bench_spent_now(void);
double bench_cost(struct bench_spent from, struct bench_spent to, double operations);

/* A second thread does batch(arg) over and over, from start to stop, which tells its cost. */
void bench_second_start(void (*batch)(void *arg), void *arg);
double bench_second_stop(void);

/* Memory: all peers take theirs from jemalloc, which counts. */
void *bench_alloc(size_t size, size_t align);
void *bench_zalloc(size_t size, size_t align);
void bench_free(void *ptr, size_t size, size_t align);
/* Bytes that the calling thread holds, as jemalloc rounded them up; 0 without jemalloc. */
uint64_t bench_allocated(void);

/*
 * Between fresh(true) and fresh(false) the calling thread has its memory from the system, not from
 * what was freed before: the first touch of a page is a fault.
 */
void bench_fresh(bool on);

/* Tells about the machine: a key and what it is; times in ns. */
typedef void (*bench_say)(const char *key, const char *value);
void bench_machine(bench_say say);

/*
 * The pattern of a guest in which some 2M blocks are mixed: all pages set, but for one
 * run in each mixed block, at a random place, of random length, touching neither edge.
 */
struct bench_mixed {
	uint64_t nr_blocks; /* how many blocks are mixed */
	const uint32_t *block; /* their numbers, ascending */
	const uint16_t *start; /* first page of each one's run, within the block */
	const uint16_t *end; /* page behind it */
	const uint32_t *order; /* in which to make them: the numbers below nr_blocks, shuffled */
};
/* The same for every peer. Never freed. */
const struct bench_mixed *bench_mixed_of(unsigned int size_bits, unsigned int per_mille);
extern const struct bench_mixed *bench_mixed_16g; /* of 16G, a tenth; set by main */

/* A 64-bit linear congruential step: the upper bits are as random as is needed here. */
static inline uint64_t bench_next(uint64_t x)
{
	return x * 6364136223846793005ULL + 1442695040888963407ULL;
}

/* A number below n, n < 2^32, out of a step's upper half. */
static inline uint64_t bench_below(uint64_t x, uint64_t n)
{
	return ((x >> 32) * n) >> 32;
}

/*
 * The n-th of all numbers below 2^bits, in an order that looks random. 2^bits numbers in a row
 * are all different.
 */
static inline uint64_t bench_nth(uint64_t n, unsigned int bits)
{
	const uint64_t mask = ((uint64_t)1 << bits) - 1;

	for (int round = 0; round < 2; round++) {
		n = n * 0x9e3779b97f4a7c15ULL & mask;
		n ^= n >> (bits / 2);
	}
	return n * 0xd1342543de82ef95ULL & mask;
}

static inline void bench_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

#ifdef __cplusplus
}
#endif
#endif /* GMS_BENCH_H */
