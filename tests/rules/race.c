// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race.c - proves that no call acts on a state that another thread has changed since
 *
 * Tests rules 7, 23, 26 to 28 and 32. A call looks at shareability and folios, and acts on them
 * later. One thread is held inside a hook in between, at each place where that could go wrong,
 * while another thread makes a call.
 */
#include "gate.h"

#define NR_PAGES (2 * T_1G)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

static void init_rfc(struct rig *rig)
{
	struct rig_opts opts = all_private;

	opts.policy = gms_policy_eager_rfc();
	rig_init(rig, &opts);
}

/* ---- allocation ---- */

/* Rule 23: two threads that fault in one huge folio get one folio, which is allocated once. */
static void rule_23_one_folio_is_allocated_once(void **unused)
{
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	a = job_of_fault(&rig, 5, GMS_HOST);
	b = job_of_fault(&rig, T_1G - 1, GMS_GUEST);
	assert_true(job_order(&gate, &rig, &a, &b));
	assert_int_equal(a.ret, 0);
	assert_int_equal(b.ret, 0);
	assert_int_equal(a.fault.folio_index, b.fault.folio_index);
	assert_int_equal(a.fault.folio_order, b.fault.folio_order);
	assert_true(a.fault.fresh);
	assert_false(b.fault.fresh);
	rig_expect_calls(&rig, 0, ALLOC(0, 18));
	assert_int_equal(rig_stats(&rig).folios_allocated, 1);
	rig_fini(&rig);
}

/* Rule 23: if the allocation of the first thread is refused, the second thread makes its own. */
static void rule_23_a_refused_allocation_is_tried_by_the_next_thread(void **unused)
{
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 1, -EHWPOISON);
	a = job_of_fault(&rig, 5, GMS_HOST);
	b = job_of(&rig, job_pin, 9, 1);
	assert_true(job_order(&gate, &rig, &a, &b));
	assert_int_equal(a.ret, -EHWPOISON);
	assert_int_equal(b.ret, 0);
	assert_true(gms_is_allocated(rig.state, 5));
	gms_unpin(rig.state, 9, 1);
	rig_fini(&rig);
}

/* Rule 26: a conversion to shared finds the folio of a fault under way, and splits it. */
static void rule_26_a_conversion_finds_the_folio_of_a_fault_under_way(void **unused)
{
	struct job fault, convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	init_rfc(&rig);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	fault = job_of_fault(&rig, 5, GMS_GUEST);
	convert = job_of_convert(&rig, 9, 1, GMS_SHARED);
	assert_true(job_order(&gate, &rig, &fault, &convert));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(fault.fault.folio_order, GMS_ORDER_1G);
	assert_int_equal(fault.fault.max_order, GMS_ORDER_1G);
	assert_int_equal(convert.ret, 0);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Rule 26: a fault that comes during a conversion finds the mixed block, and splits its folio. */
static void rule_26_a_fault_finds_the_block_of_a_conversion_under_way(void **unused)
{
	struct job fault, convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	init_rfc(&rig);
	gate_close(&gate, &rig, SIM_APPLY, GATE_ANYWHERE);
	fault = job_of_fault(&rig, 5, GMS_GUEST);
	convert = job_of_convert(&rig, 9, 1, GMS_SHARED);
	assert_true(job_order(&gate, &rig, &convert, &fault));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(convert.ret, 0);
	assert_int_equal(fault.fault.folio_order, GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Rule 32: a hole waits for an allocation under way, and frees the folio. */
static void rule_32_a_hole_waits_for_an_allocation(void **unused)
{
	struct job allocate, punch;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	allocate = job_of(&rig, job_allocate, 5, 1);
	punch = job_of(&rig, job_punch, 0, T_1G);
	assert_true(job_order(&gate, &rig, &allocate, &punch));
	assert_int_equal(allocate.ret, 0);
	assert_int_equal(punch.ret, 0);
	assert_false(gms_is_allocated(rig.state, 5));
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_FREE), 1);
	assert_int_equal(rig_count(&rig, 1U << SIM_BLOCK_FREED), 1);
	rig_fini(&rig);
}

/* Rule 32: a fault waits for a hole under way, and gets a new folio. */
static void rule_32_a_fault_waits_for_a_hole(void **unused)
{
	struct job fault, punch;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	gate_close(&gate, &rig, SIM_FOLIO_FREE, GATE_ANYWHERE);
	punch = job_of(&rig, job_punch, 0, T_1G);
	fault = job_of_fault(&rig, 5, GMS_GUEST);
	assert_true(job_order(&gate, &rig, &punch, &fault));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(punch.ret, 0);
	assert_true(fault.fault.fresh);
	assert_true(gms_is_allocated(rig.state, 5));
	assert_true(gms_is_prepared(rig.state, 5));
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 1);
	rig_fini(&rig);
}

/* ---- PREPARED ---- */

/* Rule 7: two guest faults at the same time prepare their block once. */
static void rule_07_one_block_is_prepared_once(void **unused)
{
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	gate_close(&gate, &rig, SIM_PREPARE, GATE_ANYWHERE);
	a = job_of_fault(&rig, 5, GMS_GUEST);
	b = job_of_fault(&rig, T_2M, GMS_GUEST);
	assert_true(job_order(&gate, &rig, &a, &b));
	assert_int_equal(a.ret, 0);
	assert_int_equal(b.ret, 0);
	assert_true(a.fault.prepared);
	assert_true(b.fault.prepared);
	rig_expect_calls(&rig, 0, ALLOC(0, 18), PREPARE(0, 18));
	assert_int_equal(rig_stats(&rig).prepares, 1);
	rig_fini(&rig);
}

/* Rule 7: a conversion to shared waits for prepare, and clears PREPARED of its page. */
static void rule_07_a_conversion_waits_for_prepare(void **unused)
{
	struct job fault, convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	gate_close(&gate, &rig, SIM_PREPARE, GATE_ANYWHERE);
	fault = job_of_fault(&rig, 5, GMS_GUEST);
	convert = job_of_convert(&rig, 9, 1, GMS_SHARED);
	assert_true(job_order(&gate, &rig, &fault, &convert));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(convert.ret, 0);
	assert_false(gms_is_prepared(rig.state, 9));
	assert_true(gms_is_prepared(rig.state, 8));
	rig_fini(&rig);
}

/* Rule 7 and fault.h: gms_fault_prepare() works on a folio that another fault has split since. */
static void rule_07_prepare_works_after_a_split_by_another_fault(void **unused)
{
	struct job splitter;
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	assert_int_equal(gms_fault_begin(rig.state, T_2M, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.folio_order, GMS_ORDER_1G);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	splitter = job_of_fault(&rig, 9, GMS_HOST);
	job_start(&splitter);
	assert_int_equal(job_join(&splitter), 0);
	assert_int_equal(splitter.fault.folio_order, GMS_ORDER_4K);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_true(fault.prepared);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	assert_int_equal(sim_map(rig.sim, T_2M, fault.max_order, GMS_GUEST), 0);
	gms_fault_end(rig.state, &fault);
	rig_fini(&rig);
}

static void decide_all_small(void *ctx, const struct gms_policy_view *view,
			     struct gms_policy_verdict *verdict)
{
	(void)ctx;
	if (view->event == GMS_EV_FAULT && view->accessor == GMS_HOST)
		verdict->order = GMS_ORDER_4K;
}

/*
 * Rule 7 and fault.h: if another fault has split the folio to 4K, gms_fault_prepare() lowers
 * max_order.
 */
static void rule_07_prepare_lowers_max_order_after_a_split(void **unused)
{
	static const struct gms_policy_ops all_small = {
		.struct_size = sizeof(all_small), .name = "all small", .decide = decide_all_small};
	struct rig_opts opts = all_private;
	struct job splitter;
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	opts.policy = &all_small;
	rig_init(&rig, &opts);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	assert_int_equal(gms_fault_begin(rig.state, T_2M, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	splitter = job_of_fault(&rig, 9, GMS_HOST);
	job_start(&splitter);
	assert_int_equal(job_join(&splitter), 0);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_4K);
	assert_true(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_true(gms_is_prepared(rig.state, T_2M));
	assert_false(gms_is_prepared(rig.state, T_2M + 1));
	rig_fini(&rig);
}

/* ---- splits ---- */

/* Rule 27: two host faults in one 1G split it once. One gets its 2M, the other its page. */
static void rule_27_one_folio_is_split_once(void **unused)
{
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_forget(&rig);
	gate_close(&gate, &rig, SIM_FOLIO_SPLIT, GATE_ANYWHERE);
	a = job_of_fault(&rig, T_2M, GMS_HOST);
	b = job_of_fault(&rig, 5, GMS_HOST);
	assert_true(job_order(&gate, &rig, &a, &b));
	assert_int_equal(a.ret, 0);
	assert_int_equal(b.ret, 0);
	assert_int_equal(a.fault.folio_order, GMS_ORDER_2M);
	assert_int_equal(b.fault.folio_order, GMS_ORDER_4K);
	rig_expect_calls(&rig, 1U << SIM_CHECK_PINS, SPLIT(0, 18, 9), SPLIT(0, 9, 0));
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	rig_fini(&rig);
}

/* Rule 27: a conversion waits for a split, and finds the parts of the folio. */
static void rule_27_a_conversion_waits_for_a_split(void **unused)
{
	struct job fault, convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	gate_close(&gate, &rig, SIM_FOLIO_SPLIT, GATE_ANYWHERE);
	fault = job_of_fault(&rig, T_2M + 5, GMS_HOST);
	convert = job_of_convert(&rig, T_2M, 1, GMS_PRIVATE);
	assert_true(job_order(&gate, &rig, &fault, &convert));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(convert.ret, 0);
	assert_int_equal(fault.fault.max_order, GMS_ORDER_2M);
	/* Rule 28: the conversion has unmapped what the fault has mapped. */
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, T_2M, T_2M));
	rig_fini(&rig);
}

/* Rule 28: a conversion finds a folio exposed by a host fault under way, and unmaps it whole. */
static void rule_28_a_conversion_unmaps_the_folio_of_a_host_fault_under_way(void **unused)
{
	struct job fault, convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	fault = job_of_fault(&rig, 5, GMS_HOST);
	convert = job_of_convert(&rig, T_2M, 1, GMS_PRIVATE);
	assert_true(job_order(&gate, &rig, &fault, &convert));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(fault.fault.max_order, GMS_ORDER_1G);
	assert_int_equal(convert.ret, 0);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_1G));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_23_one_folio_is_allocated_once),
		cmocka_unit_test(rule_23_a_refused_allocation_is_tried_by_the_next_thread),
		cmocka_unit_test(rule_26_a_conversion_finds_the_folio_of_a_fault_under_way),
		cmocka_unit_test(rule_26_a_fault_finds_the_block_of_a_conversion_under_way),
		cmocka_unit_test(rule_32_a_hole_waits_for_an_allocation),
		cmocka_unit_test(rule_32_a_fault_waits_for_a_hole),
		cmocka_unit_test(rule_07_one_block_is_prepared_once),
		cmocka_unit_test(rule_07_a_conversion_waits_for_prepare),
		cmocka_unit_test(rule_07_prepare_works_after_a_split_by_another_fault),
		cmocka_unit_test(rule_07_prepare_lowers_max_order_after_a_split),
		cmocka_unit_test(rule_27_one_folio_is_split_once),
		cmocka_unit_test(rule_27_a_conversion_waits_for_a_split),
		cmocka_unit_test(rule_28_a_conversion_unmaps_the_folio_of_a_host_fault_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
