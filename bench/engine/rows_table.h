/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/rows_table.h - the second half of rows.h: names for the rows, and the peer's struct
 */
#define E_ROW(name, call)                             \
	static void e_row_##name(struct bench *bench) \
	{                                             \
		call;                                 \
	}

E_ROW(convert_4k, e_row_alone(bench, E_BARE, e_do_convert, E_MINE))
E_ROW(convert_4k_in_1g, e_row_alone(bench, E_HUGE, e_do_convert, E_MINE))
E_ROW(flip_4k, e_row_alone(bench, E_FLIP, e_do_flip, E_MINE))
E_ROW(convert_4k_outstanding, e_row_alone(bench, E_OUT, e_do_outstanding, E_MINE))
E_ROW(convert_2_apart,
      e_row_beside(bench, E_OUT, e_do_outstanding, E_MINE, e_do_outstanding, E_APART))
E_ROW(convert_2_same,
      e_row_beside(bench, E_OUT, e_do_outstanding, E_MINE, e_do_outstanding, E_SAME))

E_ROW(guest, e_row_alone(bench, E_FAULT, e_do_fault_guest, E_MINE))
E_ROW(guest_2_apart,
      e_row_beside(bench, E_FAULT, e_do_fault_guest, E_MINE, e_do_fault_guest, E_APART))
E_ROW(guest_2_same,
      e_row_beside(bench, E_FAULT, e_do_fault_guest, E_MINE, e_do_fault_guest, E_SAME))
E_ROW(guest_writer_apart,
      e_row_beside(bench, E_FAULT, e_do_fault_guest, E_MINE, e_do_convert, E_WRITE_APART))
E_ROW(guest_writer_same,
      e_row_beside(bench, E_FAULT, e_do_fault_guest, E_MINE, e_do_convert, E_WRITE_MINE))

E_ROW(host, e_row_alone(bench, E_FAULT, e_do_fault_host, E_HOST))
E_ROW(host_2_apart,
      e_row_beside(bench, E_FAULT, e_do_fault_host, E_HOST, e_do_fault_host, E_HOST_APART))
E_ROW(host_2_same,
      e_row_beside(bench, E_FAULT, e_do_fault_host, E_HOST, e_do_fault_host, E_HOST_SAME))
E_ROW(host_writer_apart,
      e_row_beside(bench, E_FAULT, e_do_fault_host, E_HOST, e_do_convert, E_WRITE_APART))
E_ROW(host_writer_same,
      e_row_beside(bench, E_FAULT, e_do_fault_host, E_HOST, e_do_convert, E_WRITE_HOST))

E_ROW(touch_4k, e_row_touch(bench, E_TOUCH_4K, BENCH_PAGES_1G))
E_ROW(touch_2m, e_row_touch(bench, E_TOUCH_2M, E_AT(E_BLOCKS)))
E_ROW(pin_4k, e_row_alone(bench, E_FAULT, e_do_pin, E_HOST))
E_ROW(allocate_4k, e_row_allocate(bench, E_ALLOCATE_4K))
E_ROW(allocate_2m, e_row_allocate(bench, E_ALLOCATE_2M))
E_ROW(allocate_1g, e_row_allocate(bench, E_ALLOCATE_1G))
E_ROW(accept_lazy, e_row_accept(bench, E_LAZY))
#ifdef E_POLICIES
E_ROW(accept_eager, e_row_accept(bench, E_EAGER))
E_ROW(accept_nonuniform, e_row_accept(bench, E_NONUNIFORM))
E_ROW(accept_adaptive, e_row_accept(bench, E_ADAPTIVE))
#endif

/* clang-format off */
static const struct bench_row e_rows[] = {
	{"convert_4k", e_row_convert_4k, 0, false},
	{"convert_4k_in_1g", e_row_convert_4k_in_1g, 0, false},
	{"flip_4k", e_row_flip_4k, 0, false},
	{"convert_4k_outstanding", e_row_convert_4k_outstanding, 0, false},
	{"convert_2_apart", e_row_convert_2_apart, 0, true},
	{"convert_2_same", e_row_convert_2_same, 0, true},
	{"guest", e_row_guest, 0, false},
	{"guest_2_apart", e_row_guest_2_apart, 0, true},
	{"guest_2_same", e_row_guest_2_same, 0, true},
	{"guest_writer_apart", e_row_guest_writer_apart, 0, true},
	{"guest_writer_same", e_row_guest_writer_same, 0, true},
	{"host", e_row_host, 0, false},
	{"host_2_apart", e_row_host_2_apart, 0, true},
	{"host_2_same", e_row_host_2_same, 0, true},
	{"host_writer_apart", e_row_host_writer_apart, 0, true},
	{"host_writer_same", e_row_host_writer_same, 0, true},
	{"touch_4k", e_row_touch_4k, 0, false},
	{"touch_2m", e_row_touch_2m, 0, false},
	{"pin_4k", e_row_pin_4k, 0, false},
	{"pin_1g", e_row_pin_1g, 0, false},
	{"allocate_4k", e_row_allocate_4k, 0, false},
	{"allocate_2m", e_row_allocate_2m, 0, false},
	{"allocate_1g", e_row_allocate_1g, 0, false},
	{"cold_fault", e_row_cold_fault, BENCH_COLD_OPS, false},
	{"cold_gms_convert", e_row_cold_convert, BENCH_COLD_OPS, false},
	{"accept_lazy", e_row_accept_lazy, 0, false},
#ifdef E_POLICIES
	{"accept_eager", e_row_accept_eager, 0, false},
	{"accept_nonuniform", e_row_accept_nonuniform, 0, false},
	{"accept_adaptive", e_row_accept_adaptive, 0, false},
#endif
	{NULL, NULL, 0, false},
};
/* clang-format on */

/* For the self-check: 1G folios, that no conversion splits, and no fault by the guest. */
static void *e_op_create(uint64_t nr_pages, bool set)
{
	return e_create(nr_pages, set, BENCH_ORDER_1G, "lazy");
}

static void e_op_destroy(void *obj)
{
	e_destroy(obj);
}

static void e_op_store(void *obj, uint64_t start, uint64_t nr_pages, bool set)
{
	e_must(e_convert(obj, start, nr_pages, set));
}

static bool e_op_test(void *obj, uint64_t index)
{
	return e_test(obj, index);
}

static unsigned int e_op_order(void *obj, uint64_t index)
{
	return e_touch(obj, index, true);
}

#ifndef E_VERIFY
#define E_VERIFY NULL
#endif

extern const struct bench_peer PEER_SYMBOL;
const struct bench_peer PEER_SYMBOL = {
	PEER_NAME,  e_op_create, e_op_destroy, e_op_store, e_op_test,
	e_op_order, NULL,        E_VERIFY,     e_rows,
};
