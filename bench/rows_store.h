/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_store.h - a part of rows.h: the rows that store
 *
 * rows.h includes this file with PEER_SET and PEER_CLEAR as the plain stores of the peer. If the
 * peer has PEER_HAS_PREP, rows.h includes it again with PEER_PREP_ONLY: the stores are then
 * prepared and committed, and the names of the rows end in _prep. PEER_VARIANT(name) makes the
 * names. Both variants of a row use one object.
 *
 * Except in the row accept, stores alternate between private and shared: a processor can predict
 * which of the two comes, but not at which page. Before the first measurement of a row, @burn
 * stores bring its object to the state in which it stays in the long run. Each later measurement
 * begins with one batch that is not measured.
 */
#define PEER_STORE_ROW(name, id, batch, burn)                              \
	static struct peer_fix *PEER_VARIANT(peer_warm_##name)(void)       \
	{                                                                  \
		struct peer_fix *f = peer_get(id);                         \
		const uint64_t nr = f->burnt ? (batch) : (burn);           \
                                                                           \
		for (uint64_t i = 0; i < nr; i += 2)                       \
			f->x = PEER_VARIANT(peer_do_##name)(f->obj, f->x); \
		f->burnt = true;                                           \
		return f;                                                  \
	}                                                                  \
                                                                           \
	static void PEER_VARIANT(peer_row_##name)(struct bench * bench)    \
	{                                                                  \
		struct peer_fix *f = PEER_VARIANT(peer_warm_##name)();     \
		peer_obj *o = f->obj;                                      \
		uint64_t x = f->x;                                         \
                                                                           \
		while (bench_more(bench, batch)) {                         \
			for (int i = 0; i < (batch); i += 2)               \
				x = PEER_VARIANT(peer_do_##name)(o, x);    \
		}                                                          \
		f->x = x;                                                  \
	}

#ifndef PEER_PREP_ONLY
/* convert: converts single pages in the mixed blocks. */
static inline uint64_t peer_do_convert(peer_obj *o, uint64_t x)
{
	const struct bench_mixed *m = bench_mixed_16g;

	x = bench_next(x);
	PEER_SET(o, peer_mixed_page(m, x), 1);
	x = bench_next(x);
	PEER_CLEAR(o, peer_mixed_page(m, x), 1);
	return x;
}
PEER_STORE_ROW(convert, PEER_CONVERT, 256, 1000000)
#endif

/*
 * convert_outstanding: the oldest of 4096 shared pages becomes private again, then another page
 * becomes shared.
 */
static inline uint64_t PEER_VARIANT(peer_do_convert_outstanding)(peer_obj *o, uint64_t n)
{
	PEER_SET(o, bench_nth(n - PEER_OUTSTANDING, BENCH_16G), 1);
	PEER_CLEAR(o, bench_nth(n, BENCH_16G), 1);
	return n + 1;
}
PEER_STORE_ROW(convert_outstanding, PEER_CONVERT_OUT, 256, 1 << 20)

/* flip: makes one page of a uniform guest shared, and private again: two operations. */
static inline uint64_t PEER_VARIANT(peer_do_flip)(peer_obj *o, uint64_t x)
{
	x = bench_next(x);
	PEER_CLEAR(o, x >> (64 - BENCH_16G), 1);
	PEER_SET(o, x >> (64 - BENCH_16G), 1);
	return x;
}
PEER_STORE_ROW(flip, PEER_FLIP, 256, 1 << 16)

/* bounce: converts single pages of a pool of 64 MiB below 3G. */
static inline uint64_t PEER_VARIANT(peer_do_bounce)(peer_obj *o, uint64_t x)
{
	x = bench_next(x);
	PEER_CLEAR(o, PEER_POOL + (x >> (64 - PEER_POOL_BITS)), 1);
	x = bench_next(x);
	PEER_SET(o, PEER_POOL + (x >> (64 - PEER_POOL_BITS)), 1);
	return x;
}
PEER_STORE_ROW(bounce, PEER_BOUNCE, 256, 4 << PEER_POOL_BITS)

/*
 * bounce_outstanding: does what convert_outstanding does, but in the pool, and with 256 shared
 * pages instead of 4096.
 */
static inline uint64_t PEER_VARIANT(peer_do_bounce_outstanding)(peer_obj *o, uint64_t n)
{
	PEER_SET(o, PEER_POOL + bench_nth(n - PEER_POOL_OUTSTANDING, PEER_POOL_BITS), 1);
	PEER_CLEAR(o, PEER_POOL + bench_nth(n, PEER_POOL_BITS), 1);
	return n + 1;
}
PEER_STORE_ROW(bounce_outstanding, PEER_BOUNCE_OUT, 256, 4 << PEER_POOL_BITS)

/* aligned: converts whole blocks anywhere. */
static inline uint64_t PEER_VARIANT(peer_do_aligned)(peer_obj *o, uint64_t x, unsigned int order)
{
	x = bench_next(x);
	PEER_SET(o, gms_order_down(x >> (64 - PEER_RANGE_BITS), order), gms_order_pages(order));
	x = bench_next(x);
	PEER_CLEAR(o, gms_order_down(x >> (64 - PEER_RANGE_BITS), order), gms_order_pages(order));
	return x;
}

static inline uint64_t PEER_VARIANT(peer_do_aligned_2m)(peer_obj *o, uint64_t x)
{
	return PEER_VARIANT(peer_do_aligned)(o, x, GMS_ORDER_2M);
}
PEER_STORE_ROW(aligned_2m, PEER_ALIGNED_2M, PEER_RANGE_BATCH, 4 << (PEER_RANGE_BITS - GMS_ORDER_2M))

static inline uint64_t PEER_VARIANT(peer_do_aligned_1g)(peer_obj *o, uint64_t x)
{
	return PEER_VARIANT(peer_do_aligned)(o, x, GMS_ORDER_1G);
}
PEER_STORE_ROW(aligned_1g, PEER_ALIGNED_1G, PEER_RANGE_BATCH, 4 << (PEER_RANGE_BITS - GMS_ORDER_1G))

/* unaligned: converts 1 to 2^20 pages anywhere, cut at the end of the guest. */
static inline uint64_t PEER_VARIANT(peer_do_unaligned)(peer_obj *o, uint64_t x, unsigned int bits)
{
	uint64_t start, nr;

	x = peer_range(x, bits, &start, &nr);
	PEER_SET(o, start, nr);
	x = peer_range(x, bits, &start, &nr);
	PEER_CLEAR(o, start, nr);
	return x;
}

static inline uint64_t PEER_VARIANT(peer_do_unaligned_256g)(peer_obj *o, uint64_t x)
{
	return PEER_VARIANT(peer_do_unaligned)(o, x, PEER_RANGE_BITS);
}
PEER_STORE_ROW(unaligned_256g, PEER_UNALIGNED, PEER_RANGE_BATCH, 4 << (PEER_RANGE_BITS - 19))

#if PEER_SIZE_MAX >= BENCH_16T && !defined(PEER_PREP_ONLY)
static inline uint64_t peer_do_unaligned_16t(peer_obj *o, uint64_t x)
{
	return peer_do_unaligned(o, x, BENCH_16T);
}
PEER_STORE_ROW(unaligned_16t, PEER_UNALIGNED_16T, 64, 4 << (BENCH_16T - 19))
#endif

/* accept: chunks of 4 MiB become private, from the bottom to the top; then shared, likewise. */
static inline void PEER_VARIANT(peer_do_accept)(struct peer_fix *f)
{
	const uint64_t nr = (uint64_t)1 << PEER_ACCEPT_BITS;
	peer_obj *o = f->obj;
	uint64_t at = f->at;

	if (f->set) {
		for (int i = 0; i < 64; i++, at += 1024)
			PEER_SET(o, at, 1024);
	} else {
		for (int i = 0; i < 64; i++, at += 1024)
			PEER_CLEAR(o, at, 1024);
	}
	f->at = at == nr ? 0 : at;
	f->set ^= at == nr;
}

static void PEER_VARIANT(peer_row_accept)(struct bench *bench)
{
	struct peer_fix *f = peer_get(PEER_ACCEPT);
	uint64_t i;

	for (i = 0; i < (f->burnt ? 1 : PEER_ACCEPT_BURN); i++)
		PEER_VARIANT(peer_do_accept)(f);
	f->burnt = true;
	while (bench_more(bench, 64))
		PEER_VARIANT(peer_do_accept)(f);
}

/*
 * The cold rows. Each goes on where a warm row stopped (cold_convert: convert_outstanding; the
 * others: the row of the same name), with the same stores, but empties the caches before each
 * store.
 */
static void PEER_VARIANT(peer_row_cold_convert)(struct bench *bench)
{
	struct peer_fix *f = PEER_VARIANT(peer_warm_convert_outstanding)();
	struct bench_cold cold;
	uint64_t old, page;
	peer_obj *o = f->obj;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		old = bench_nth(f->x - PEER_OUTSTANDING, BENCH_16G);
		page = bench_nth(f->x++, BENCH_16G);
		BENCH_COLD(&cold, PEER_SET(o, old, 1));
		BENCH_COLD(&cold, PEER_CLEAR(o, page, 1));
	}
	bench_cold_report(bench, &cold);
}

static void PEER_VARIANT(peer_row_cold_flip)(struct bench *bench)
{
	struct peer_fix *f = PEER_VARIANT(peer_warm_flip)();
	struct bench_cold cold;
	peer_obj *o = f->obj;
	uint64_t page;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		f->x = bench_next(f->x);
		page = f->x >> (64 - BENCH_16G);
		BENCH_COLD(&cold, PEER_CLEAR(o, page, 1));
		BENCH_COLD(&cold, PEER_SET(o, page, 1));
	}
	bench_cold_report(bench, &cold);
}

static void PEER_VARIANT(peer_row_cold_aligned_2m)(struct bench *bench)
{
	struct peer_fix *f = PEER_VARIANT(peer_warm_aligned_2m)();
	struct bench_cold cold;
	peer_obj *o = f->obj;
	uint64_t page;

	cold.operations = 0;
	while (bench_more(bench, 2)) {
		f->x = bench_next(f->x);
		page = gms_order_down(f->x >> (64 - PEER_RANGE_BITS), GMS_ORDER_2M);
		BENCH_COLD(&cold, PEER_SET(o, page, BENCH_PAGES_2M));
		f->x = bench_next(f->x);
		page = gms_order_down(f->x >> (64 - PEER_RANGE_BITS), GMS_ORDER_2M);
		BENCH_COLD(&cold, PEER_CLEAR(o, page, BENCH_PAGES_2M));
	}
	bench_cold_report(bench, &cold);
}
#undef PEER_STORE_ROW
