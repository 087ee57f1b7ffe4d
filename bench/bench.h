/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.h - what the benchmarks share: rows, peers, and the interface to Google Benchmark
 *
 *	row     one kind of work; docs/benchmarks.md describes all rows
 *	peer    one data structure that can do the work; this library is a peer like the others
 *
 * rows.h has the bodies of the rows. They are compiled once for each peer, in the peer's own
 * source file, so that the rows call the peer directly. Every operation of every peer costs
 * exactly one call that is not inlined, like a call into a library. No measured loop uses struct
 * bench_peer.
 */
#ifndef GMS_BENCH_H
#define GMS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmemstate/order.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of blocks in pages, as constants; gms_order_pages() is a function. */
#define BENCH_PAGES_2M ((uint64_t)1 << GMS_ORDER_2M)
#define BENCH_PAGES_1G ((uint64_t)1 << GMS_ORDER_1G)
/* Sizes of guests: log2 of the number of pages. */
#define BENCH_16G 22
#define BENCH_256G 26
#define BENCH_1T 28
#define BENCH_16T 32

#define bench_noinline __attribute__((__noinline__))
#define bench_unlikely(x) __builtin_expect(!!(x), 0)

/* A run of equal pages. A page that is set is private. */
struct bench_run {
	uint64_t start;
	uint64_t nr_pages;
	bool set;
};

/* One measurement in progress: a State of Google Benchmark. */
struct bench;
/* Returns true if the measured loop shall do @nr more operations. */
bool bench_more(struct bench *bench, uint64_t nr);
void bench_counter(struct bench *bench, const char *name, double value);
/* Stops measuring (@on), or resumes. A call costs a microsecond. */
void bench_pause(struct bench *bench, bool on);

typedef void (*bench_fn)(struct bench *bench);

struct bench_row {
	const char *name;
	bench_fn fn;
	uint64_t once; /* the exact number of operations; 0: as many as Google Benchmark wants */
	bool wall; /* wall-clock time decides when the measurement ends: the row may sleep */
};

/* "once" of a row that empties the caches before each operation: see cold.h. */
#define BENCH_COLD_OPS 128

/*
 * A peer, for the self-check and for the list of benchmarks. The size of a guest is a multiple of
 * 1G. order is NULL if the peer cannot find orders; iterate is NULL if the peer has no runs.
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
	const char *(*verify)(void *obj); /* returns what is wrong, or NULL. Optional */
	const struct bench_row *rows; /* the last one has no name */
};

/* All peers that were built, this library first. */
extern const struct bench_peer *const bench_peers[];
extern const size_t bench_nr_peers;

/* Compares every peer with an array of bytes. Returns 0 if all agree. */
int bench_selfcheck(uint64_t seed, unsigned int rounds);

/* Time that the calling thread has spent, in ns, and how often it has slept. */
struct bench_spent {
	double wall, cpu, sleeps;
};
struct bench_spent bench_spent_now(void);
/*
 * Returns the cost of an operation in ns. The cost is CPU time, which other load does not change.
 * If the thread slept so often that CPU time would be too low, the cost is wall-clock time.
 */
double bench_cost(struct bench_spent from, struct bench_spent to, double operations);

/* Makes a second thread call batch(arg) again and again. */
void bench_second_start(void (*batch)(void *arg), void *arg);
/* Stops the second thread. Returns the cost of one batch in ns. */
double bench_second_stop(void);

/* These allocate for the peers: from jemalloc, which counts the bytes, if it is installed. */
void *bench_alloc(size_t size, size_t align);
void *bench_zalloc(size_t size, size_t align);
void bench_free(void *ptr, size_t size, size_t align);
/*
 * Returns the bytes that the calling thread holds, in jemalloc's size classes; 0 without jemalloc.
 */
uint64_t bench_allocated(void);

/*
 * Between bench_fresh(true) and bench_fresh(false) the calling thread gets its memory from the
 * system, and not from memory that was freed before: the first touch of a page is a fault.
 */
void bench_fresh(bool on);

/* Calls say() for each property of the machine. Times are in ns. */
typedef void (*bench_say)(const char *key, const char *value);
void bench_machine(bench_say say);

/*
 * The pattern of a guest in which some 2M blocks are mixed. All pages are set except for one run
 * in each mixed block. A run has a random place and length, and touches neither end of its block.
 */
struct bench_mixed {
	uint64_t nr_blocks; /* number of mixed blocks */
	const uint32_t *block; /* their numbers, ascending */
	const uint16_t *start; /* first page of each block's run, within the block */
	const uint16_t *end; /* the page behind each run */
	const uint32_t *order; /* the numbers below nr_blocks, in a random order */
};
/* Returns a pattern. It is equal for all peers, and never freed. */
const struct bench_mixed *bench_mixed_of(unsigned int size_bits, unsigned int per_mille);
extern const struct bench_mixed *bench_mixed_16g; /* 16G, a tenth mixed; set by main() */

/* Returns the next number of a linear congruential sequence. Its upper bits are random enough. */
static inline uint64_t bench_next(uint64_t x)
{
	return x * 6364136223846793005ULL + 1442695040888963407ULL;
}

/* Maps a number from bench_next() to a number below @n. @n must be less than 2^32. */
static inline uint64_t bench_below(uint64_t x, uint64_t n)
{
	return ((x >> 32) * n) >> 32;
}

/*
 * Returns element @n of a permutation of the numbers below 2^bits. The permutation looks random.
 * Element 2^bits is element 0 again, and so on.
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
