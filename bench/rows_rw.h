/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_rw.h - a part of rows.h: the row with a reader and a writer
 */
#ifdef P_CONCURRENT
#ifndef P_SET_ATOMIC
#define P_SET_ATOMIC p_set
#define P_CLEAR_ATOMIC p_clear
#endif
#ifndef P_CREATE_CONCURRENT
#define P_CREATE_CONCURRENT p_create
#endif
#ifndef P_QUIESCE
#define P_THREAD_BEGIN() ((void)0)
#define P_THREAD_END() ((void)0)
#define P_QUIESCE() ((void)0)
#endif

struct p_writer {
	p_obj *obj;
	uint64_t stores;
	bool running, stop;
};

static void *p_writer_main(void *arg)
{
	struct p_writer *w = (struct p_writer *)arg;
	uint64_t x = 1, stores = 0;

	P_THREAD_BEGIN();
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i += 2) {
			x = bench_next(x);
			P_SET_ATOMIC(w->obj, p_mixed_page(bench_mixed_16g, x), 1);
			x = bench_next(x);
			P_CLEAR_ATOMIC(w->obj, p_mixed_page(bench_mixed_16g, x), 1);
		}
		stores += 64;
		__atomic_store_n(&w->stores, stores, __ATOMIC_RELAXED);
		__atomic_store_n(&w->running, true, __ATOMIC_RELAXED);
		P_QUIESCE();
	}
	P_THREAD_END();
	return NULL;
}

static p_obj *p_build_rw(void)
{
	p_obj *o = P_CREATE_CONCURRENT((uint64_t)1 << BENCH_16G, true);
	uint64_t x = 1;

	for (int i = 0; i < 1000000; i += 2)
		x = p_do_convert(o, x);
	return o;
}

static double p_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* rw: load anywhere while another thread converts without pause as in "convert" */
static void p_row_rw(struct bench *bench)
{
	struct p_fix *f = &p_fixes[P_RW];
	struct p_writer w = {NULL, 0, false, false};
	uint64_t x = 1, sum = 0, stores;
	pthread_t thread;
	double begin;

	if (!f->obj)
		f->obj = p_build_rw();
	w.obj = f->obj;
	P_THREAD_BEGIN();
	if (pthread_create(&thread, NULL, p_writer_main, &w))
		abort();
	while (!__atomic_load_n(&w.running, __ATOMIC_RELAXED))
		P_QUIESCE();
	begin = p_now();
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED);
	while (bench_more(bench, 1024)) {
		for (int j = 0; j < 16; j++) {
			for (int i = 0; i < 64; i++) {
				x = bench_next(x);
				sum += p_test(f->obj, x >> (64 - BENCH_16G));
			}
			P_QUIESCE();
		}
	}
	begin = p_now() - begin;
	stores = __atomic_load_n(&w.stores, __ATOMIC_RELAXED) - stores;
	if (stores)
		bench_counter(bench, "writer_ns", begin / (double)stores);
	bench_use(sum);
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	P_THREAD_END();
	pthread_join(thread, NULL);
}
#endif /* P_CONCURRENT */
