/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_store.h - a part of rows.h: the rows that change something
 *
 * Included once with P_SET and P_CLEAR as the peer's plain stores. A peer with P_HAS_PREP
 * includes it again with P_PREP_ONLY: its stores are then done in steps, and the names of the
 * rows end in _prep. P_VARIANT(name) makes the names. Both kinds work on the same objects.
 *
 * Stores alternate, private and shared: a processor can foresee which of the two comes, but not
 * which page. Before a row is measured for the first time, its object is brought to the state
 * in which it stays in the long run, by as many stores as "burn" says. Each later measurement
 * begins with one batch that is not measured.
 */
#define P_STORE_ROW(name, id, batch, burn)                           \
	static struct p_fix *P_VARIANT(p_warm_##name)(void)          \
	{                                                            \
		struct p_fix *f = p_get(id);                         \
		const uint64_t nr = f->burnt ? (batch) : (burn);     \
                                                                     \
		for (uint64_t i = 0; i < nr; i += 2)                 \
			f->x = P_VARIANT(p_do_##name)(f->obj, f->x); \
		f->burnt = true;                                     \
		return f;                                            \
	}                                                            \
                                                                     \
	static void P_VARIANT(p_row_##name)(struct bench * bench)    \
	{                                                            \
		struct p_fix *f = P_VARIANT(p_warm_##name)();        \
		p_obj *o = f->obj;                                   \
		uint64_t x = f->x;                                   \
                                                                     \
		while (bench_more(bench, batch)) {                   \
			for (int i = 0; i < (batch); i += 2)         \
				x = P_VARIANT(p_do_##name)(o, x);    \
		}                                                    \
		f->x = x;                                            \
	}

#ifndef P_PREP_ONLY
/* convert: single pages inside the mixed blocks */
static inline uint64_t p_do_convert(p_obj *o, uint64_t x)
{
	const struct bench_mixed *m = bench_mixed_16g;

	x = bench_next(x);
	P_SET(o, p_mixed_page(m, x), 1);
	x = bench_next(x);
	P_CLEAR(o, p_mixed_page(m, x), 1);
	return x;
}
P_STORE_ROW(convert, P_CONVERT, 256, 1000000)
#endif

/* convert_outstanding: a page is taken back when 4096 others have been shared after it */
static inline uint64_t P_VARIANT(p_do_convert_outstanding)(p_obj *o, uint64_t n)
{
	P_SET(o, bench_nth(n - P_OUTSTANDING, BENCH_16G), 1);
	P_CLEAR(o, bench_nth(n, BENCH_16G), 1);
	return n + 1;
}
P_STORE_ROW(convert_outstanding, P_CONVERT_OUT, 256, 1 << 20)

/* flip: one page of a uniform guest shared, and private again: two operations */
static inline uint64_t P_VARIANT(p_do_flip)(p_obj *o, uint64_t x)
{
	x = bench_next(x);
	P_CLEAR(o, x >> (64 - BENCH_16G), 1);
	P_SET(o, x >> (64 - BENCH_16G), 1);
	return x;
}
P_STORE_ROW(flip, P_FLIP, 256, 1 << 16)

/* bounce: single pages of a pool of 64 MiB below 3G, all else untouched */
static inline uint64_t P_VARIANT(p_do_bounce)(p_obj *o, uint64_t x)
{
	x = bench_next(x);
	P_CLEAR(o, P_POOL + (x >> (64 - P_POOL_BITS)), 1);
	x = bench_next(x);
	P_SET(o, P_POOL + (x >> (64 - P_POOL_BITS)), 1);
	return x;
}
P_STORE_ROW(bounce, P_BOUNCE, 256, 4 << P_POOL_BITS)

/* bounce_outstanding: the pool is private but for 256 pages */
static inline uint64_t P_VARIANT(p_do_bounce_outstanding)(p_obj *o, uint64_t n)
{
	P_SET(o, P_POOL + bench_nth(n - P_POOL_OUTSTANDING, P_POOL_BITS), 1);
	P_CLEAR(o, P_POOL + bench_nth(n, P_POOL_BITS), 1);
	return n + 1;
}
P_STORE_ROW(bounce_outstanding, P_BOUNCE_OUT, 256, 4 << P_POOL_BITS)

/* aligned: whole blocks anywhere */
static inline uint64_t P_VARIANT(p_do_aligned)(p_obj *o, uint64_t x, unsigned int order)
{
	x = bench_next(x);
	P_SET(o, x >> (64 - P_RANGE_BITS + order) << order, (uint64_t)1 << order);
	x = bench_next(x);
	P_CLEAR(o, x >> (64 - P_RANGE_BITS + order) << order, (uint64_t)1 << order);
	return x;
}

static inline uint64_t P_VARIANT(p_do_aligned_2m)(p_obj *o, uint64_t x)
{
	return P_VARIANT(p_do_aligned)(o, x, BENCH_ORDER_2M);
}
P_STORE_ROW(aligned_2m, P_ALIGNED_2M, P_RANGE_BATCH, 4 << (P_RANGE_BITS - BENCH_ORDER_2M))

static inline uint64_t P_VARIANT(p_do_aligned_1g)(p_obj *o, uint64_t x)
{
	return P_VARIANT(p_do_aligned)(o, x, BENCH_ORDER_1G);
}
P_STORE_ROW(aligned_1g, P_ALIGNED_1G, P_RANGE_BATCH, 4 << (P_RANGE_BITS - BENCH_ORDER_1G))

/* unaligned: 1 to 2^20 pages anywhere, cut at the guest's end */
static inline uint64_t P_VARIANT(p_do_unaligned)(p_obj *o, uint64_t x, unsigned int bits)
{
	uint64_t start, nr;

	x = p_range(x, bits, &start, &nr);
	P_SET(o, start, nr);
	x = p_range(x, bits, &start, &nr);
	P_CLEAR(o, start, nr);
	return x;
}

static inline uint64_t P_VARIANT(p_do_unaligned_256g)(p_obj *o, uint64_t x)
{
	return P_VARIANT(p_do_unaligned)(o, x, P_RANGE_BITS);
}
P_STORE_ROW(unaligned_256g, P_UNALIGNED, P_RANGE_BATCH, 4 << (P_RANGE_BITS - 19))

#if P_SIZE_MAX >= BENCH_16T && !defined(P_PREP_ONLY)
static inline uint64_t p_do_unaligned_16t(p_obj *o, uint64_t x)
{
	return p_do_unaligned(o, x, BENCH_16T);
}
P_STORE_ROW(unaligned_16t, P_UNALIGNED_16T, 64, 4 << (BENCH_16T - 19))
#endif

/* accept: one chunk of 4 MiB; from the bottom to the top, then all back again likewise */
static inline void P_VARIANT(p_do_accept)(struct p_fix *f)
{
	const uint64_t nr = (uint64_t)1 << P_ACCEPT_BITS;
	p_obj *o = f->obj;
	uint64_t at = f->at;

	if (f->set) {
		for (int i = 0; i < 64; i++, at += 1024)
			P_SET(o, at, 1024);
	} else {
		for (int i = 0; i < 64; i++, at += 1024)
			P_CLEAR(o, at, 1024);
	}
	f->at = at == nr ? 0 : at;
	f->set ^= at == nr;
}

static void P_VARIANT(p_row_accept)(struct bench *bench)
{
	struct p_fix *f = p_get(P_ACCEPT);
	uint64_t i;

	for (i = 0; i < (f->burnt ? 1 : P_ACCEPT_BURN); i++)
		P_VARIANT(p_do_accept)(f);
	f->burnt = true;
	while (bench_more(bench, 64))
		P_VARIANT(p_do_accept)(f);
}
/*
 * The same with empty caches. Each row goes on where the warm one is, with the same stores in the
 * same order, but stops to empty the caches before each of them.
 */
static void P_VARIANT(p_row_cold_convert)(struct bench *bench)
{
	struct p_fix *f = P_VARIANT(p_warm_convert_outstanding)();
	struct bench_cold cold;
	uint64_t old, page;
	p_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		old = bench_nth(f->x - P_OUTSTANDING, BENCH_16G);
		page = bench_nth(f->x++, BENCH_16G);
		BENCH_COLD(&cold, P_SET(o, old, 1));
		BENCH_COLD(&cold, P_CLEAR(o, page, 1));
	}
	bench_cold_report(bench, &cold);
}

static void P_VARIANT(p_row_cold_flip)(struct bench *bench)
{
	struct p_fix *f = P_VARIANT(p_warm_flip)();
	struct bench_cold cold;
	p_obj *o = f->obj;
	uint64_t page;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		f->x = bench_next(f->x);
		page = f->x >> (64 - BENCH_16G);
		BENCH_COLD(&cold, P_CLEAR(o, page, 1));
		BENCH_COLD(&cold, P_SET(o, page, 1));
	}
	bench_cold_report(bench, &cold);
}

static void P_VARIANT(p_row_cold_aligned_2m)(struct bench *bench)
{
	struct p_fix *f = P_VARIANT(p_warm_aligned_2m)();
	const unsigned int shift = 64 - P_RANGE_BITS + BENCH_ORDER_2M;
	struct bench_cold cold;
	p_obj *o = f->obj;
	uint64_t page;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		f->x = bench_next(f->x);
		page = f->x >> shift << BENCH_ORDER_2M;
		BENCH_COLD(&cold, P_SET(o, page, BENCH_PAGES_2M));
		f->x = bench_next(f->x);
		page = f->x >> shift << BENCH_ORDER_2M;
		BENCH_COLD(&cold, P_CLEAR(o, page, BENCH_PAGES_2M));
	}
	bench_cold_report(bench, &cold);
}
#undef P_STORE_ROW
