/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/rows_table.h - the second half of rows.h: names for the rows, and the peer's struct
 */
#define V_ROW(name, call)                             \
	static void v_row_##name(struct bench *bench) \
	{                                             \
		call;                                 \
	}

V_ROW(replay_2m, v_row_replay(bench, V_MIXED_1T, BENCH_PAGES_2M, false))
V_ROW(replay_2m_split, v_row_replay(bench, V_MIXED_1T, BENCH_PAGES_2M, true))
V_ROW(replay_4k_split, v_row_replay(bench, V_MIXED_1T, 1, true))
V_ROW(replay_4k_16g, v_row_replay(bench, V_MIXED_16G, 1, false))
V_ROW(class_uniform_16g, v_row_class(bench, V_UNIFORM_16G))
V_ROW(class_mixed_16g, v_row_class(bench, V_MIXED_16G))
V_ROW(class_uniform_1t, v_row_class(bench, V_UNIFORM_1T))
V_ROW(class_mixed_1t, v_row_class(bench, V_MIXED_1T))
V_ROW(range_uniform_16g, v_row_range(bench, V_UNIFORM_16G))
V_ROW(range_mixed_16g, v_row_range(bench, V_MIXED_16G))
V_ROW(range_uniform_1t, v_row_range(bench, V_UNIFORM_1T))
V_ROW(range_mixed_1t, v_row_range(bench, V_MIXED_1T))
V_ROW(heard_none, v_row_flip(bench, V_ALONE))
V_ROW(heard_4k, v_row_flip(bench, V_HEARD_4K))
V_ROW(heard_2m, v_row_flip(bench, V_HEARD_2M))
V_ROW(index_2, v_row_index(bench, V_BOUND_2))
V_ROW(index_1000, v_row_index(bench, V_BOUND_1000))
#ifdef V_ORDERS
V_ROW(order_2, v_row_order(bench, V_BOUND_2))
V_ROW(order_1000, v_row_order(bench, V_BOUND_1000))
#endif
#ifdef V_SNAPSHOTS
V_ROW(save_1t, v_row_save(bench, V_MIXED_1T))
V_ROW(load_1t, v_row_load(bench, V_MIXED_1T))
#endif

/* clang-format off */
static const struct bench_row v_rows[] = {
	{"replay_2m", v_row_replay_2m, 0, false},
	{"replay_2m_split", v_row_replay_2m_split, 0, false},
	{"replay_4k_split", v_row_replay_4k_split, 0, false},
	{"replay_4k_16g", v_row_replay_4k_16g, 0, false},
	{"class_uniform_16g", v_row_class_uniform_16g, 0, false},
	{"class_mixed_16g", v_row_class_mixed_16g, 0, false},
	{"class_uniform_1t", v_row_class_uniform_1t, 0, false},
	{"class_mixed_1t", v_row_class_mixed_1t, 0, false},
	{"range_uniform_16g", v_row_range_uniform_16g, 0, false},
	{"range_mixed_16g", v_row_range_mixed_16g, 0, false},
	{"range_uniform_1t", v_row_range_uniform_1t, 0, false},
	{"range_mixed_1t", v_row_range_mixed_1t, 0, false},
	{"heard_none", v_row_heard_none, 0, false},
	{"heard_4k", v_row_heard_4k, 0, false},
	{"heard_2m", v_row_heard_2m, 0, false},
	{"index_2", v_row_index_2, 0, false},
	{"index_1000", v_row_index_1000, 0, false},
#ifdef V_ORDERS
	{"order_2", v_row_order_2, 0, false},
	{"order_1000", v_row_order_1000, 0, false},
#endif
#ifdef V_SNAPSHOTS
	{"save_1t", v_row_save_1t, 0, false},
	{"load_1t", v_row_load_1t, 0, false},
#endif
	{NULL, NULL, 0, false},
};
/* clang-format on */

/* ---- the same once more, for the check ---- */

static void *v_op_create(uint64_t nr_pages)
{
	return v_create(nr_pages, false);
}

static void v_op_destroy(void *obj)
{
	v_destroy(obj);
}

static void v_op_convert(void *obj, uint64_t start, uint64_t nr_pages, bool private)
{
	v_convert(obj, start, nr_pages, private);
}

static bool v_op_test(void *obj, uint64_t index)
{
	return v_test(obj, index);
}

static unsigned int v_op_listen(void *obj, uint64_t granule, bool split, struct bench_heard *h)
{
	return v_listen(obj, granule, split, h);
}

static void v_op_unlisten(void *obj, unsigned int id)
{
	v_unlisten(obj, id);
}

static enum bench_class v_op_class_2m(void *obj, uint64_t index)
{
	return v_class_2m(obj, index);
}

static enum bench_class v_op_class_range(void *obj, uint64_t start, uint64_t nr_pages)
{
	return v_class_range(obj, start, nr_pages);
}

static void v_op_bind(void *obj, uint64_t gfn, uint64_t start, uint64_t nr_pages)
{
	v_bind(obj, gfn, start, nr_pages);
}

static uint64_t v_op_gfn_index(void *obj, uint64_t gfn)
{
	return v_gfn_index(obj, gfn);
}

#ifdef V_ORDERS
static unsigned int v_op_gfn_order(void *obj, uint64_t gfn)
{
	return v_gfn_order(obj, gfn);
}
#else
#define v_op_gfn_order NULL
#endif

#ifdef V_SNAPSHOTS
static size_t v_op_save(void *obj, void *buf, size_t size)
{
	return v_save(obj, buf, size);
}

static void *v_op_load(const void *buf, size_t size)
{
	return v_load(buf, size);
}
#else
#define v_op_save NULL
#define v_op_load NULL
#endif

#ifndef V_VERIFY
#define V_VERIFY NULL
#endif

extern const struct bench_vmm_peer PEER_SYMBOL;
const struct bench_vmm_peer PEER_SYMBOL = {
	PEER_NAME,        v_op_create, v_op_destroy,   v_op_convert,
	v_op_test,        v_op_listen, v_op_unlisten,  v_op_class_2m,
	v_op_class_range, v_op_bind,   v_op_gfn_index, v_op_gfn_order,
	v_op_save,        v_op_load,   V_VERIFY,       v_rows,
};
