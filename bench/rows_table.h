/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows_table.h - a part of rows.h: the names of the rows, and the peer's struct
 */
#define PEER_ROW(name, call)                             \
	static void peer_row_##name(struct bench *bench) \
	{                                                \
		call;                                    \
	}

#if PEER_SIZE_MAX >= BENCH_1T
PEER_ROW(create_1t, peer_row_create(bench, BENCH_1T))
PEER_ROW(load_10_1t, peer_row_load(bench, PEER_10_1T, BENCH_1T))
PEER_ROW(load_100_1t, peer_row_load(bench, PEER_100_1T, BENCH_1T))
PEER_ROW(memory_uniform, peer_row_memory(bench, PEER_UNIFORM_1T))
PEER_ROW(first_touch_128m, peer_row_touch(bench, BENCH_1T))
PEER_ROW(memory_01, peer_row_memory(bench, PEER_01_1T))
PEER_ROW(memory_10, peer_row_memory(bench, PEER_10_1T))
PEER_ROW(memory_100, peer_row_memory(bench, PEER_100_1T))
#ifdef PEER_HAS_RUNS
PEER_ROW(iterate_01, peer_row_iterate(bench, PEER_01_1T))
PEER_ROW(iterate_10, peer_row_iterate(bench, PEER_10_1T))
PEER_ROW(iterate_100, peer_row_iterate(bench, PEER_100_1T))
#endif
#elif defined(PEER_HAS_ORDER)
#error "the order is measured at 1T"
#endif
#if PEER_SIZE_MAX >= BENCH_16T
PEER_ROW(create_16t, peer_row_create(bench, BENCH_16T))
#endif
PEER_ROW(first_touch, peer_row_touch(bench, BENCH_16G))
PEER_ROW(load_uniform, peer_row_load(bench, PEER_UNIFORM_16G, BENCH_16G))
PEER_ROW(load_10_16g, peer_row_load(bench, PEER_10_16G, BENCH_16G))
PEER_ROW(load_alternating, peer_row_load(bench, PEER_ALT_16G, BENCH_16G))
PEER_ROW(memory_alternating, peer_row_memory(bench, PEER_ALT_16G))

static const struct bench_row peer_rows[] = {
#if PEER_SIZE_MAX >= BENCH_1T
	{"create_1t", peer_row_create_1t, 0, false},
#endif
#if PEER_SIZE_MAX >= BENCH_16T
	{"create_16t", peer_row_create_16t, 0, false},
#endif
	{"load_uniform", peer_row_load_uniform, 0, false},
	{"load_10_16g", peer_row_load_10_16g, 0, false},
	{"load_alternating", peer_row_load_alternating, 0, false},
#if PEER_SIZE_MAX >= BENCH_1T
	{"load_10_1t", peer_row_load_10_1t, 0, false},
	{"load_100_1t", peer_row_load_100_1t, 0, false},
#endif
	{"convert", peer_row_convert, 0, false},
	{"convert_outstanding", peer_row_convert_outstanding, 0, false},
	{"flip", peer_row_flip, 0, false},
	{"accept", peer_row_accept, 0, false},
	{"bounce", peer_row_bounce, 0, false},
	{"bounce_outstanding", peer_row_bounce_outstanding, 0, false},
	{"aligned_2m", peer_row_aligned_2m, 0, false},
	{"aligned_1g", peer_row_aligned_1g, 0, false},
	{"unaligned_256g", peer_row_unaligned_256g, 0, false},
#if PEER_SIZE_MAX >= BENCH_16T
	{"unaligned_16t", peer_row_unaligned_16t, 0, false},
#endif
#ifdef PEER_HAS_ORDER
	{"order", peer_row_order, 0, false},
#endif
#if defined(PEER_HAS_RUNS) && PEER_SIZE_MAX >= BENCH_1T
	{"iterate_01", peer_row_iterate_01, 0, false},
	{"iterate_10", peer_row_iterate_10, 0, false},
	{"iterate_100", peer_row_iterate_100, 0, false},
#endif
#if PEER_SIZE_MAX >= BENCH_1T
	{"first_touch_128m", peer_row_first_touch_128m, PEER_TOUCHES, false},
	{"memory_uniform", peer_row_memory_uniform, 1, false},
	{"memory_01", peer_row_memory_01, 1, false},
	{"memory_10", peer_row_memory_10, 1, false},
	{"memory_100", peer_row_memory_100, 1, false},
#endif
	{"first_touch", peer_row_first_touch, PEER_TOUCHES, false},
	{"cold_load", peer_row_cold_load, BENCH_COLD_OPS, false},
#ifdef PEER_HAS_ORDER
	{"cold_order", peer_row_cold_order, BENCH_COLD_OPS, false},
#endif
	{"cold_convert", peer_row_cold_convert, BENCH_COLD_OPS, false},
	{"cold_flip", peer_row_cold_flip, BENCH_COLD_OPS, false},
	{"cold_aligned_2m", peer_row_cold_aligned_2m, BENCH_COLD_OPS, false},
	{"memory_alternating", peer_row_memory_alternating, 1, false},
	{"build_alternating", peer_row_build, PEER_BUILD_OPS, false},
#ifdef PEER_CONCURRENT
	{"rw", peer_row_rw, 0, false},
#endif
#ifdef PEER_HAS_PREP
	{"convert_outstanding_prep", peer_row_convert_outstanding_prep, 0, false},
	{"flip_prep", peer_row_flip_prep, 0, false},
	{"accept_prep", peer_row_accept_prep, 0, false},
	{"bounce_prep", peer_row_bounce_prep, 0, false},
	{"bounce_outstanding_prep", peer_row_bounce_outstanding_prep, 0, false},
	{"aligned_2m_prep", peer_row_aligned_2m_prep, 0, false},
	{"aligned_1g_prep", peer_row_aligned_1g_prep, 0, false},
	{"cold_convert_prep", peer_row_cold_convert_prep, BENCH_COLD_OPS, false},
	{"cold_flip_prep", peer_row_cold_flip_prep, BENCH_COLD_OPS, false},
	{"cold_aligned_2m_prep", peer_row_cold_aligned_2m_prep, BENCH_COLD_OPS, false},
	{"unaligned_256g_prep", peer_row_unaligned_256g_prep, 0, false},
#endif
#ifdef PEER_EXTRA_ROWS
	PEER_EXTRA_ROWS
#endif
	{NULL, NULL, 0, false},
};

static void *peer_op_create(uint64_t nr_pages, bool set)
{
	return peer_create(nr_pages, set);
}

static void peer_op_destroy(void *obj)
{
	peer_destroy((peer_obj *)obj);
}

static void peer_op_store(void *obj, uint64_t start, uint64_t nr_pages, bool set)
{
	if (set)
		peer_set((peer_obj *)obj, start, nr_pages);
	else
		peer_clear((peer_obj *)obj, start, nr_pages);
}

static bool peer_op_test(void *obj, uint64_t index)
{
	return peer_test((peer_obj *)obj, index);
}

#ifdef PEER_HAS_ORDER
static unsigned int peer_op_order(void *obj, uint64_t index)
{
	return peer_order((peer_obj *)obj, index);
}
#else
#define peer_op_order NULL
#endif
#ifndef PEER_HAS_RUNS
#define peer_iterate NULL
#endif
#ifndef PEER_VERIFY
#define PEER_VERIFY NULL
#endif

extern const struct bench_peer PEER_SYMBOL;
/* clang-format off */
const struct bench_peer PEER_SYMBOL = {
	PEER_NAME, peer_op_create, peer_op_destroy, peer_op_store, peer_op_test, peer_op_order, peer_iterate,
	PEER_VERIFY, peer_rows,
};
/* clang-format on */
