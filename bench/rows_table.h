/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_table.h - the second half of rows.h: names for the rows, and the peer's struct
 */
#define P_ROW(name, call)                             \
	static void p_row_##name(struct bench *bench) \
	{                                             \
		call;                                 \
	}

#if P_SIZE_MAX >= BENCH_1T
P_ROW(create_1t, p_row_create(bench, BENCH_1T))
P_ROW(load_10_1t, p_row_load(bench, P_10_1T, BENCH_1T))
P_ROW(load_100_1t, p_row_load(bench, P_100_1T, BENCH_1T))
P_ROW(memory_uniform, p_row_memory(bench, P_UNIFORM_1T))
P_ROW(first_touch_128m, p_row_touch(bench, BENCH_1T))
P_ROW(memory_01, p_row_memory(bench, P_01_1T))
P_ROW(memory_10, p_row_memory(bench, P_10_1T))
P_ROW(memory_100, p_row_memory(bench, P_100_1T))
#ifdef P_HAS_RUNS
P_ROW(iterate_01, p_row_iterate(bench, P_01_1T))
P_ROW(iterate_10, p_row_iterate(bench, P_10_1T))
P_ROW(iterate_100, p_row_iterate(bench, P_100_1T))
#endif
#elif defined(P_HAS_ORDER)
#error "p_order is measured at 1T"
#endif
#if P_SIZE_MAX >= BENCH_16T
P_ROW(create_16t, p_row_create(bench, BENCH_16T))
#endif
P_ROW(first_touch, p_row_touch(bench, BENCH_16G))
P_ROW(load_uniform, p_row_load(bench, P_UNIFORM_16G, BENCH_16G))
P_ROW(load_10_16g, p_row_load(bench, P_10_16G, BENCH_16G))
P_ROW(load_alternating, p_row_load(bench, P_ALT_16G, BENCH_16G))
P_ROW(memory_alternating, p_row_memory(bench, P_ALT_16G))

static const struct bench_row p_rows[] = {
#if P_SIZE_MAX >= BENCH_1T
	{"create_1t", p_row_create_1t, 0, false},
#endif
#if P_SIZE_MAX >= BENCH_16T
	{"create_16t", p_row_create_16t, 0, false},
#endif
	{"load_uniform", p_row_load_uniform, 0, false},
	{"load_10_16g", p_row_load_10_16g, 0, false},
	{"load_alternating", p_row_load_alternating, 0, false},
#if P_SIZE_MAX >= BENCH_1T
	{"load_10_1t", p_row_load_10_1t, 0, false},
	{"load_100_1t", p_row_load_100_1t, 0, false},
#endif
	{"convert", p_row_convert, 0, false},
	{"convert_outstanding", p_row_convert_outstanding, 0, false},
	{"flip", p_row_flip, 0, false},
	{"accept", p_row_accept, 0, false},
	{"bounce", p_row_bounce, 0, false},
	{"bounce_outstanding", p_row_bounce_outstanding, 0, false},
	{"aligned_2m", p_row_aligned_2m, 0, false},
	{"aligned_1g", p_row_aligned_1g, 0, false},
	{"unaligned_256g", p_row_unaligned_256g, 0, false},
#if P_SIZE_MAX >= BENCH_16T
	{"unaligned_16t", p_row_unaligned_16t, 0, false},
#endif
#ifdef P_HAS_ORDER
	{"order", p_row_order, 0, false},
#endif
#if defined(P_HAS_RUNS) && P_SIZE_MAX >= BENCH_1T
	{"iterate_01", p_row_iterate_01, 0, false},
	{"iterate_10", p_row_iterate_10, 0, false},
	{"iterate_100", p_row_iterate_100, 0, false},
#endif
#if P_SIZE_MAX >= BENCH_1T
	{"first_touch_128m", p_row_first_touch_128m, P_TOUCHES, false},
	{"memory_uniform", p_row_memory_uniform, 1, false},
	{"memory_01", p_row_memory_01, 1, false},
	{"memory_10", p_row_memory_10, 1, false},
	{"memory_100", p_row_memory_100, 1, false},
#endif
	{"first_touch", p_row_first_touch, P_TOUCHES, false},
	{"cold_load", p_row_cold_load, BENCH_COLD_OPS, false},
#ifdef P_HAS_ORDER
	{"cold_order", p_row_cold_order, BENCH_COLD_OPS, false},
#endif
	{"cold_convert", p_row_cold_convert, BENCH_COLD_OPS, false},
	{"cold_flip", p_row_cold_flip, BENCH_COLD_OPS, false},
	{"cold_aligned_2m", p_row_cold_aligned_2m, BENCH_COLD_OPS, false},
	{"memory_alternating", p_row_memory_alternating, 1, false},
	{"build_alternating", p_row_build, P_BUILD_OPS, false},
#ifdef P_CONCURRENT
	{"rw", p_row_rw, 0, false},
#endif
#ifdef P_HAS_PREP
	{"convert_outstanding_prep", p_row_convert_outstanding_prep, 0, false},
	{"flip_prep", p_row_flip_prep, 0, false},
	{"accept_prep", p_row_accept_prep, 0, false},
	{"bounce_prep", p_row_bounce_prep, 0, false},
	{"bounce_outstanding_prep", p_row_bounce_outstanding_prep, 0, false},
	{"aligned_2m_prep", p_row_aligned_2m_prep, 0, false},
	{"aligned_1g_prep", p_row_aligned_1g_prep, 0, false},
	{"cold_convert_prep", p_row_cold_convert_prep, BENCH_COLD_OPS, false},
	{"cold_flip_prep", p_row_cold_flip_prep, BENCH_COLD_OPS, false},
	{"cold_aligned_2m_prep", p_row_cold_aligned_2m_prep, BENCH_COLD_OPS, false},
	{"unaligned_256g_prep", p_row_unaligned_256g_prep, 0, false},
#endif
#ifdef P_EXTRA_ROWS
	P_EXTRA_ROWS
#endif
	{NULL, NULL, 0, false},
};

static void *p_op_create(uint64_t nr_pages, bool set)
{
	return p_create(nr_pages, set);
}

static void p_op_destroy(void *obj)
{
	p_destroy((p_obj *)obj);
}

static void p_op_store(void *obj, uint64_t start, uint64_t nr_pages, bool set)
{
	if (set)
		p_set((p_obj *)obj, start, nr_pages);
	else
		p_clear((p_obj *)obj, start, nr_pages);
}

static bool p_op_test(void *obj, uint64_t index)
{
	return p_test((p_obj *)obj, index);
}

#ifdef P_HAS_ORDER
static unsigned int p_op_order(void *obj, uint64_t index)
{
	return p_order((p_obj *)obj, index);
}
#else
#define p_op_order NULL
#endif
#ifndef P_HAS_RUNS
#define p_iterate NULL
#endif
#ifndef P_VERIFY
#define P_VERIFY NULL
#endif

extern const struct bench_peer PEER_SYMBOL;
/* clang-format off */
const struct bench_peer PEER_SYMBOL = {
	PEER_NAME, p_op_create, p_op_destroy, p_op_store, p_op_test, p_op_order, p_iterate,
	P_VERIFY, p_rows,
};
/* clang-format on */
