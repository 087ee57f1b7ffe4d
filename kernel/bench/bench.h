/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.h - the rows, and the peers that run them
 *
 * A row is one kind of work, and a peer is one data structure that does it. rows.h has the work of
 * the rows. It is compiled in the file of each peer, so that the rows call the peer directly.
 *
 * A row runs in batches. main.c measures the batches of all peers in turns, several times, and
 * prints the median of each.
 */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

/* Sizes in pages. */
#define BENCH_2M (1UL << 9)
#define BENCH_1G (1UL << 18)
#define BENCH_16G (16 * BENCH_1G)
#define BENCH_1T (1024 * BENCH_1G)

enum bench_row {
	ROW_CREATE_1T, /* create an object of 1T, all private */
	ROW_FLIP_4K, /* one page of 16G, all private, becomes shared, and private again */
	ROW_CONVERT_4K, /* one page of 16G in which 2M blocks are mixed, here and there */
	ROW_CONVERT_2M, /* an aligned 2M of 16G */
	ROW_CONVERT_1G, /* an aligned 1G of 16G */
	ROW_LOAD, /* is a page of the mixed 16G private? */
	ROW_LOAD_WRITER, /* the same, while another thread converts as in ROW_CONVERT_4K */
	ROW_LOAD_THE_WRITER, /* what a conversion of that thread costs */
	ROW_FAULT, /* a fault of the guest in the first 1G: begin and end, nothing to do */
	ROW_FAULT_SAME, /* the same, while another thread converts pages of the same 1G */
	ROW_FAULT_SAME_WRITER,
	ROW_FAULT_OTHER, /* the same, while the other thread converts pages of the next 1G */
	ROW_FAULT_OTHER_WRITER,
	BENCH_NR_ROWS
};

struct bench_peer {
	const char *name;
	bool lacks_1t; /* an object of 1T, all private, would take gigabytes */
	void *(*create)(u64 nr_pages, bool private); /* NULL: no memory */
	void *(*create_rcu)(u64 nr_pages); /* for readers beside a writer; all private */
	void (*destroy)(void *o);
	/* Do @nr operations of a row from a point of a sequence. Return the point after them. */
	u64 (*store)(void *o, enum bench_row row, u64 x, unsigned int nr);
	u64 (*load)(void *o, u64 x, unsigned int nr);
	/* NULL: the peer answers no faults */
	u64 (*fault)(void *o, u64 x, unsigned int nr);
	u64 (*convert_in)(void *o, u64 x, unsigned int nr, unsigned int block_1g);
};

extern const struct bench_peer bench_ours, bench_maple, bench_xarray;
extern const struct bench_peer bench_engine, bench_engine_maple, bench_engine_xarray;

/* A linear congruential sequence (Knuth, MMIX). The high bits are the good ones. */
static inline u64 bench_next(u64 x)
{
	return x * 6364136223846793005ULL + 1442695040888963407ULL;
}

/* Returns a page of a guest of 2^@bits pages. */
static inline u64 bench_page(u64 x, unsigned int bits)
{
	return x >> (64 - bits);
}

#endif /* BENCH_H */
