/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/rows_table.h - a part of rows.h: the names of the rows, and the peer's struct
 */
#define VMM_ROW(name, call)                             \
	static void vmm_row_##name(struct bench *bench) \
	{                                               \
		call;                                   \
	}

VMM_ROW(replay_2m, vmm_row_replay(bench, VMM_MIXED_1T, BENCH_PAGES_2M, false))
VMM_ROW(replay_2m_split, vmm_row_replay(bench, VMM_MIXED_1T, BENCH_PAGES_2M, true))
VMM_ROW(replay_4k_split, vmm_row_replay(bench, VMM_MIXED_1T, 1, true))
VMM_ROW(replay_4k_16g, vmm_row_replay(bench, VMM_MIXED_16G, 1, false))
VMM_ROW(class_uniform_16g, vmm_row_class(bench, VMM_UNIFORM_16G))
VMM_ROW(class_mixed_16g, vmm_row_class(bench, VMM_MIXED_16G))
VMM_ROW(class_uniform_1t, vmm_row_class(bench, VMM_UNIFORM_1T))
VMM_ROW(class_mixed_1t, vmm_row_class(bench, VMM_MIXED_1T))
VMM_ROW(range_uniform_16g, vmm_row_range(bench, VMM_UNIFORM_16G))
VMM_ROW(range_mixed_16g, vmm_row_range(bench, VMM_MIXED_16G))
VMM_ROW(range_uniform_1t, vmm_row_range(bench, VMM_UNIFORM_1T))
VMM_ROW(range_mixed_1t, vmm_row_range(bench, VMM_MIXED_1T))
VMM_ROW(listen_none, vmm_row_flip(bench, VMM_ALONE))
VMM_ROW(listen_4k, vmm_row_flip(bench, VMM_LISTEN_4K))
VMM_ROW(listen_2m, vmm_row_flip(bench, VMM_LISTEN_2M))
VMM_ROW(index_2, vmm_row_index(bench, VMM_BOUND_2))
VMM_ROW(index_1000, vmm_row_index(bench, VMM_BOUND_1000))
#ifdef VMM_ORDERS
VMM_ROW(order_2, vmm_row_order(bench, VMM_BOUND_2))
VMM_ROW(order_1000, vmm_row_order(bench, VMM_BOUND_1000))
#endif
#ifdef VMM_SNAPSHOTS
VMM_ROW(save_1t, vmm_row_save(bench, VMM_MIXED_1T))
VMM_ROW(load_1t, vmm_row_load(bench, VMM_MIXED_1T))
#endif

/* clang-format off */
static const struct bench_row vmm_rows[] = {
	{"replay_2m", vmm_row_replay_2m, 0, false},
	{"replay_2m_split", vmm_row_replay_2m_split, 0, false},
	{"replay_4k_split", vmm_row_replay_4k_split, 0, false},
	{"replay_4k_16g", vmm_row_replay_4k_16g, 0, false},
	{"class_uniform_16g", vmm_row_class_uniform_16g, 0, false},
	{"class_mixed_16g", vmm_row_class_mixed_16g, 0, false},
	{"class_uniform_1t", vmm_row_class_uniform_1t, 0, false},
	{"class_mixed_1t", vmm_row_class_mixed_1t, 0, false},
	{"range_uniform_16g", vmm_row_range_uniform_16g, 0, false},
	{"range_mixed_16g", vmm_row_range_mixed_16g, 0, false},
	{"range_uniform_1t", vmm_row_range_uniform_1t, 0, false},
	{"range_mixed_1t", vmm_row_range_mixed_1t, 0, false},
	{"listen_none", vmm_row_listen_none, 0, false},
	{"listen_4k", vmm_row_listen_4k, 0, false},
	{"listen_2m", vmm_row_listen_2m, 0, false},
	{"index_2", vmm_row_index_2, 0, false},
	{"index_1000", vmm_row_index_1000, 0, false},
#ifdef VMM_ORDERS
	{"order_2", vmm_row_order_2, 0, false},
	{"order_1000", vmm_row_order_1000, 0, false},
#endif
#ifdef VMM_SNAPSHOTS
	{"save_1t", vmm_row_save_1t, 0, false},
	{"load_1t", vmm_row_load_1t, 0, false},
#endif
	{NULL, NULL, 0, false},
};
/* clang-format on */

/* ---- the operations, which bench_vmm_selfcheck() calls ---- */

static void *vmm_op_create(uint64_t nr_pages)
{
	return vmm_create(nr_pages, false);
}

static void vmm_op_destroy(void *obj)
{
	vmm_destroy(obj);
}

static void vmm_op_convert(void *obj, uint64_t start, uint64_t nr_pages, bool private)
{
	vmm_convert(obj, start, nr_pages, private);
}

static bool vmm_op_test(void *obj, uint64_t index)
{
	return vmm_test(obj, index);
}

static unsigned int vmm_op_listen(void *obj, uint64_t granule, bool split, struct bench_notified *h)
{
	return vmm_listen(obj, granule, split, h);
}

static void vmm_op_unlisten(void *obj, unsigned int id)
{
	vmm_unlisten(obj, id);
}

static enum bench_class vmm_op_class_2m(void *obj, uint64_t index)
{
	return vmm_class_2m(obj, index);
}

static enum bench_class vmm_op_class_range(void *obj, uint64_t start, uint64_t nr_pages)
{
	return vmm_class_range(obj, start, nr_pages);
}

static void vmm_op_bind(void *obj, uint64_t gfn, uint64_t start, uint64_t nr_pages)
{
	vmm_bind(obj, gfn, start, nr_pages);
}

static uint64_t vmm_op_gfn_index(void *obj, uint64_t gfn)
{
	return vmm_gfn_index(obj, gfn);
}

#ifdef VMM_ORDERS
static unsigned int vmm_op_gfn_order(void *obj, uint64_t gfn)
{
	return vmm_gfn_order(obj, gfn);
}
#else
#define vmm_op_gfn_order NULL
#endif

#ifdef VMM_SNAPSHOTS
static size_t vmm_op_save(void *obj, void *buf, size_t size)
{
	return vmm_save(obj, buf, size);
}

static void *vmm_op_load(const void *buf, size_t size)
{
	return vmm_load(buf, size);
}
#else
#define vmm_op_save NULL
#define vmm_op_load NULL
#endif

#ifndef VMM_VERIFY
#define VMM_VERIFY NULL
#endif

extern const struct bench_vmm_peer PEER_SYMBOL;
const struct bench_vmm_peer PEER_SYMBOL = {
	PEER_NAME,          vmm_op_create, vmm_op_destroy,   vmm_op_convert,
	vmm_op_test,        vmm_op_listen, vmm_op_unlisten,  vmm_op_class_2m,
	vmm_op_class_range, vmm_op_bind,   vmm_op_gfn_index, vmm_op_gfn_order,
	vmm_op_save,        vmm_op_load,   VMM_VERIFY,       vmm_rows,
};
