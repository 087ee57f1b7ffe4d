/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows.h - the work of the rows, for one peer
 *
 * A peer includes this file after it has defined the static functions
 *
 *	void peer_store(void *o, u64 start, u64 nr_pages, bool private)
 *	bool peer_load(void *o, u64 page)
 *
 * The mixed blocks of the rows CONVERT_4K and LOAD are every 16th 2M block of 16G, so there are
 * 512 of them.
 */
#define ROWS_BITS 22 /* of 16G */

static inline u64 rows_mixed_page(u64 x)
{
	return (bench_page(x, 9) * 16) * BENCH_2M + (x >> 40) % BENCH_2M;
}

static noinline void rows_set(void *o, u64 start, u64 nr_pages)
{
	peer_store(o, start, nr_pages, true);
}

static noinline void rows_clear(void *o, u64 start, u64 nr_pages)
{
	peer_store(o, start, nr_pages, false);
}

static u64 rows_store(void *o, enum bench_row row, u64 x, unsigned int nr)
{
	unsigned int i;
	u64 page;

	for (i = 0; i < nr; i += 2) {
		switch (row) {
		case ROW_FLIP_4K:
			x = bench_next(x);
			page = bench_page(x, ROWS_BITS);
			rows_clear(o, page, 1);
			rows_set(o, page, 1);
			break;
		case ROW_CONVERT_2M:
			x = bench_next(x);
			rows_clear(o, bench_page(x, ROWS_BITS - 9) * BENCH_2M, BENCH_2M);
			x = bench_next(x);
			rows_set(o, bench_page(x, ROWS_BITS - 9) * BENCH_2M, BENCH_2M);
			break;
		case ROW_CONVERT_1G:
			x = bench_next(x);
			rows_clear(o, bench_page(x, ROWS_BITS - 18) * BENCH_1G, BENCH_1G);
			x = bench_next(x);
			rows_set(o, bench_page(x, ROWS_BITS - 18) * BENCH_1G, BENCH_1G);
			break;
		default:
			x = bench_next(x);
			rows_clear(o, rows_mixed_page(x), 1);
			x = bench_next(x);
			rows_set(o, rows_mixed_page(x), 1);
		}
	}
	return x;
}

static noinline bool rows_test(void *o, u64 page)
{
	return peer_load(o, page);
}

static u64 rows_load(void *o, u64 x, unsigned int nr)
{
	unsigned int i, sum = 0;

	for (i = 0; i < nr; i++) {
		x = bench_next(x);
		sum += rows_test(o, bench_page(x, ROWS_BITS));
	}
	OPTIMIZER_HIDE_VAR(sum);
	return x;
}
