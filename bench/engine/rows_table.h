/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/rows_table.h - a part of rows.h: the names of the rows, and the peer's struct
 */
#define ENGINE_ROW(name, call)                             \
	static void engine_row_##name(struct bench *bench) \
	{                                                  \
		call;                                      \
	}

ENGINE_ROW(convert_4k, engine_row_alone(bench, ENGINE_BARE, engine_do_convert, ENGINE_MINE))
ENGINE_ROW(convert_4k_in_1g, engine_row_alone(bench, ENGINE_HUGE, engine_do_convert, ENGINE_MINE))
ENGINE_ROW(flip_4k, engine_row_alone(bench, ENGINE_FLIP, engine_do_flip, ENGINE_MINE))
ENGINE_ROW(convert_4k_outstanding,
	   engine_row_alone(bench, ENGINE_OUT, engine_do_outstanding, ENGINE_MINE))
ENGINE_ROW(convert_2_apart, engine_row_beside(bench, ENGINE_OUT, engine_do_outstanding, ENGINE_MINE,
					      engine_do_outstanding, ENGINE_APART))
ENGINE_ROW(convert_2_same, engine_row_beside(bench, ENGINE_OUT, engine_do_outstanding, ENGINE_MINE,
					     engine_do_outstanding, ENGINE_SAME))

ENGINE_ROW(guest, engine_row_alone(bench, ENGINE_FAULT, engine_do_fault_guest, ENGINE_MINE))
ENGINE_ROW(guest_2_apart, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_guest, ENGINE_MINE,
					    engine_do_fault_guest, ENGINE_APART))
ENGINE_ROW(guest_2_same, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_guest, ENGINE_MINE,
					   engine_do_fault_guest, ENGINE_SAME))
ENGINE_ROW(guest_writer_apart,
	   engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_guest, ENGINE_MINE,
			     engine_do_convert, ENGINE_WRITE_APART))
ENGINE_ROW(guest_writer_same, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_guest,
						ENGINE_MINE, engine_do_convert, ENGINE_WRITE_MINE))

ENGINE_ROW(host, engine_row_alone(bench, ENGINE_FAULT, engine_do_fault_host, ENGINE_HOST))
ENGINE_ROW(host_2_apart, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_host, ENGINE_HOST,
					   engine_do_fault_host, ENGINE_HOST_APART))
ENGINE_ROW(host_2_same, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_host, ENGINE_HOST,
					  engine_do_fault_host, ENGINE_HOST_SAME))
ENGINE_ROW(host_writer_apart, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_host,
						ENGINE_HOST, engine_do_convert, ENGINE_WRITE_APART))
ENGINE_ROW(host_writer_same, engine_row_beside(bench, ENGINE_FAULT, engine_do_fault_host,
					       ENGINE_HOST, engine_do_convert, ENGINE_WRITE_HOST))

ENGINE_ROW(touch_4k, engine_row_touch(bench, ENGINE_TOUCH_4K, BENCH_PAGES_1G))
ENGINE_ROW(touch_2m, engine_row_touch(bench, ENGINE_TOUCH_2M, ENGINE_AT(ENGINE_BLOCKS)))
ENGINE_ROW(pin_4k, engine_row_alone(bench, ENGINE_FAULT, engine_do_pin, ENGINE_HOST))
ENGINE_ROW(allocate_4k, engine_row_allocate(bench, ENGINE_ALLOCATE_4K))
ENGINE_ROW(allocate_2m, engine_row_allocate(bench, ENGINE_ALLOCATE_2M))
ENGINE_ROW(allocate_1g, engine_row_allocate(bench, ENGINE_ALLOCATE_1G))
ENGINE_ROW(accept_lazy, engine_row_accept(bench, ENGINE_LAZY))
#ifdef ENGINE_POLICIES
ENGINE_ROW(accept_eager, engine_row_accept(bench, ENGINE_EAGER))
ENGINE_ROW(accept_nonuniform, engine_row_accept(bench, ENGINE_NONUNIFORM))
ENGINE_ROW(accept_adaptive, engine_row_accept(bench, ENGINE_ADAPTIVE))
#endif

/* clang-format off */
static const struct bench_row engine_rows[] = {
	{"convert_4k", engine_row_convert_4k, 0, false},
	{"convert_4k_in_1g", engine_row_convert_4k_in_1g, 0, false},
	{"flip_4k", engine_row_flip_4k, 0, false},
	{"convert_4k_outstanding", engine_row_convert_4k_outstanding, 0, false},
	{"convert_2_apart", engine_row_convert_2_apart, 0, true},
	{"convert_2_same", engine_row_convert_2_same, 0, true},
	{"guest", engine_row_guest, 0, false},
	{"guest_2_apart", engine_row_guest_2_apart, 0, true},
	{"guest_2_same", engine_row_guest_2_same, 0, true},
	{"guest_writer_apart", engine_row_guest_writer_apart, 0, true},
	{"guest_writer_same", engine_row_guest_writer_same, 0, true},
	{"host", engine_row_host, 0, false},
	{"host_2_apart", engine_row_host_2_apart, 0, true},
	{"host_2_same", engine_row_host_2_same, 0, true},
	{"host_writer_apart", engine_row_host_writer_apart, 0, true},
	{"host_writer_same", engine_row_host_writer_same, 0, true},
	{"touch_4k", engine_row_touch_4k, 0, false},
	{"touch_2m", engine_row_touch_2m, 0, false},
	{"pin_4k", engine_row_pin_4k, 0, false},
	{"pin_1g", engine_row_pin_1g, 0, false},
	{"allocate_4k", engine_row_allocate_4k, 0, false},
	{"allocate_2m", engine_row_allocate_2m, 0, false},
	{"allocate_1g", engine_row_allocate_1g, 0, false},
	{"cold_fault", engine_row_cold_fault, BENCH_COLD_OPS, false},
	{"cold_gms_convert", engine_row_cold_convert, BENCH_COLD_OPS, false},
	{"accept_lazy", engine_row_accept_lazy, 0, false},
#ifdef ENGINE_POLICIES
	{"accept_eager", engine_row_accept_eager, 0, false},
	{"accept_nonuniform", engine_row_accept_nonuniform, 0, false},
	{"accept_adaptive", engine_row_accept_adaptive, 0, false},
#endif
	{NULL, NULL, 0, false},
};
/* clang-format on */

/* For the self-check, objects have folios of 1G, which no conversion splits. */
static void *engine_op_create(uint64_t nr_pages, bool set)
{
	return engine_create(nr_pages, set, GMS_ORDER_1G, "lazy");
}

static void engine_op_destroy(void *obj)
{
	engine_destroy(obj);
}

static void engine_op_store(void *obj, uint64_t start, uint64_t nr_pages, bool set)
{
	engine_must(engine_convert(obj, start, nr_pages, set));
}

static bool engine_op_test(void *obj, uint64_t index)
{
	return engine_test(obj, index);
}

static unsigned int engine_op_order(void *obj, uint64_t index)
{
	return engine_touch(obj, index, true);
}

#ifndef ENGINE_VERIFY
#define ENGINE_VERIFY NULL
#endif

extern const struct bench_peer PEER_SYMBOL;
const struct bench_peer PEER_SYMBOL = {
	PEER_NAME,
	engine_op_create,
	engine_op_destroy,
	engine_op_store,
	engine_op_test,
	engine_op_order,
	NULL,
	ENGINE_VERIFY,
	engine_rows,
};
