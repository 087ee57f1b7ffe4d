/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_rw.h - a part of rows.h: the row with a reader and a writer
 */
#ifdef PEER_CONCURRENT
#ifndef PEER_SET_ATOMIC
#define PEER_SET_ATOMIC peer_set
#define PEER_CLEAR_ATOMIC peer_clear
#endif
#ifndef PEER_CREATE_CONCURRENT
#define PEER_CREATE_CONCURRENT peer_create
#endif
#ifndef PEER_QUIESCE
#define PEER_THREAD_BEGIN() ((void)0)
#define PEER_THREAD_END() ((void)0)
#define PEER_QUIESCE() ((void)0)
#endif

struct peer_writer {
	peer_obj *obj;
	uint64_t stores;
	bool running, stop;
};

static void *peer_writer_main(void *arg)
{
	struct peer_writer *w = (struct peer_writer *)arg;
	uint64_t x = 1, stores = 0;

	PEER_THREAD_BEGIN();
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i += 2) {
			x = bench_next(x);
			PEER_SET_ATOMIC(w->obj, peer_mixed_page(bench_mixed_16g, x), 1);
			x = bench_next(x);
			PEER_CLEAR_ATOMIC(w->obj, peer_mixed_page(bench_mixed_16g, x), 1);
		}
		stores += 64;
		__atomic_store_n(&w->stores, stores, __ATOMIC_RELAXED);
		__atomic_store_n(&w->running, true, __ATOMIC_RELAXED);
		PEER_QUIESCE();
	}
	PEER_THREAD_END();
	return NULL;
}

static peer_obj *peer_build_rw(void)
{
	peer_obj *o = PEER_CREATE_CONCURRENT((uint64_t)1 << BENCH_16G, true);
	uint64_t x = 1;

	for (int i = 0; i < 1000000; i += 2)
		x = peer_do_convert(o, x);
	return o;
}

static double peer_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* rw: loads anywhere, while another thread converts as in "convert", without pause. */
static void peer_row_rw(struct bench *bench)
{
	struct peer_fix *f = &peer_fixes[PEER_RW];
	struct peer_writer w = {NULL, 0, false, false};
	uint64_t x = 1, sum = 0, stores;
	pthread_t thread;
	double begin;

	if (!f->obj)
		f->obj = peer_build_rw();
	w.obj = f->obj;
	PEER_THREAD_BEGIN();
	if (pthread_create(&thread, NULL, peer_writer_main, &w))
		abort();
	while (!__atomic_load_n(&w.running, __ATOMIC_RELAXED))
		PEER_QUIESCE();
	begin = peer_now();
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED);
	while (bench_more(bench, 1024)) {
		for (int j = 0; j < 16; j++) {
			for (int i = 0; i < 64; i++) {
				x = bench_next(x);
				sum += peer_test(f->obj, x >> (64 - BENCH_16G));
			}
			PEER_QUIESCE();
		}
	}
	begin = peer_now() - begin;
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED) - stores;
	if (stores)
		bench_counter(bench, "writer_ns", begin / (double)stores);
	bench_use(sum);
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	PEER_THREAD_END();
	pthread_join(thread, NULL);
}
#endif /* PEER_CONCURRENT */
