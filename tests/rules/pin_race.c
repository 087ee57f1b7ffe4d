// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pin_race.c - proves that no pin comes between a search for pins and what follows it
 *
 * Tests rules 12, 29 and 31. A thread is stopped where its conversion, split or merge has
 * searched for pins and is not done yet. Another thread pins or unpins.
 */
#include "gate.h"

#define NR_PAGES (2 * T_1G)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};

/* Rule 12: after the search for pins no thread can pin a page that is about to become private. */
static void rule_12_no_pin_comes_after_the_search_for_pins(void **unused)
{
	static const enum sim_hook hooks[] = {SIM_UNMAP_HOST, SIM_CHECK_PINS, SIM_ZAP_GUEST,
					      SIM_APPLY};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct job convert, pin;
		struct gate gate;
		struct rig rig;

		rig_init(&rig, &all_shared);
		rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		gate_close(&gate, &rig, hooks[i], GATE_ANYWHERE);
		convert = job_of_convert(&rig, 5, 10, GMS_PRIVATE);
		pin = job_of(&rig, job_pin, 9, 1);
		assert_true(job_order(&gate, &rig, &convert, &pin));
		assert_int_equal(convert.ret, 0);
		assert_int_equal(pin.ret, -EACCES);
		assert_int_equal(pin.err_index, 9);
		assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
		rig_fini(&rig);
	}
}

/* Rule 12: a conversion finds a pin that was under way when the conversion came. */
static void rule_12_a_conversion_finds_a_pin_under_way(void **unused)
{
	struct job convert, pin;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, GATE_ANYWHERE);
	convert = job_of_convert(&rig, 5, 10, GMS_PRIVATE);
	pin = job_of(&rig, job_pin, 9, 2);
	assert_true(job_order(&gate, &rig, &pin, &convert));
	assert_int_equal(pin.ret, 0);
	assert_int_equal(convert.ret, -EAGAIN);
	assert_int_equal(convert.err_index, 9);
	gms_unpin(rig.state, 9, 2);
	rig_fini(&rig);
}

/* Rule 12: gms_unpin() does not wait for a conversion. */
static void rule_12_unpin_does_not_wait(void **unused)
{
	struct job convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, T_2M, 1);
	gate_close(&gate, &rig, SIM_APPLY, GATE_ANYWHERE);
	convert = job_of_convert(&rig, 5, 10, GMS_PRIVATE);
	job_start(&convert);
	gate_await(&gate, 1);
	gms_unpin(rig.state, T_2M, 1);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/*
 * Rules 29 and 31: between the search for pins and the split of a host fault, no thread pins a
 * page of the folio. The rig checks that no pinned folio is split. The page is shared and its
 * folio is allocated, so only the folio lock keeps the pin out.
 */
static void rule_31_no_pin_comes_between_the_search_and_the_split(void **unused)
{
	static const enum sim_hook hooks[] = {SIM_CHECK_PINS, SIM_FOLIO_SPLIT};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct job fault, pin;
		struct gate gate;
		struct rig rig;

		rig_init(&rig, &all_shared);
		rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_convert(&rig, 9, 1, GMS_PRIVATE);
		gate_close(&gate, &rig, hooks[i], GATE_ANYWHERE);
		fault = job_of_fault(&rig, 5, GMS_HOST);
		pin = job_of(&rig, job_pin, T_2M, 1);
		assert_true(job_order(&gate, &rig, &fault, &pin));
		assert_int_equal(fault.ret, 0);
		assert_int_equal(pin.ret, 0);
		assert_int_equal(fault.fault.folio_order, GMS_ORDER_4K);
		assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
		gms_unpin(rig.state, T_2M, 1);
		rig_fini(&rig);
	}
}

/* Asks for a split at faults in the first 2M, and at no others. */
static void decide_by_place(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	(void)ctx;
	if (view->event == GMS_EV_FAULT && view->index < T_2M)
		verdict->order = GMS_ORDER_4K;
}

/* Rules 29 and 31: no pin comes into a split, also if the policy wants none at the pinned page. */
static void rule_31_no_pin_comes_into_a_split(void **unused)
{
	static const struct gms_policy_ops by_place = {
		.struct_size = sizeof(by_place), .name = "by place", .decide = decide_by_place};
	static const enum sim_hook hooks[] = {SIM_CHECK_PINS, SIM_FOLIO_SPLIT};
	struct rig_opts opts = all_shared;
	size_t i;

	(void)unused;
	opts.policy = &by_place;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct job fault, pin;
		struct gate gate;
		struct rig rig;
		bool waits;

		rig_init(&rig, &opts);
		rig_faults(&rig, T_2M, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		gate_close(&gate, &rig, hooks[i], GATE_ANYWHERE);
		fault = job_of_fault(&rig, 5, GMS_HOST);
		pin = job_of(&rig, job_pin, T_2M, 1);
		waits = job_order(&gate, &rig, &fault, &pin);
		/* At check_pins the pin may come first, and defer the split. */
		assert_true(waits || hooks[i] == SIM_CHECK_PINS);
		assert_int_equal(fault.ret, 0);
		assert_int_equal(pin.ret, 0);
		gms_unpin(rig.state, T_2M, 1);
		rig_fini(&rig);
	}
}

struct two_gates {
	struct gate alloc, check;
};

static void pass_both(struct rig *rig, const struct sim_call *call)
{
	struct two_gates *gates = rig->arg;

	gate_pass(&gates->alloc, call);
	gate_pass(&gates->check, call);
}

/*
 * Rule 31: a call of gms_pin() in two blocks has deferred the split of the first block, because
 * of another pin, and is stopped in the second block. The other pin goes, and a fault is about to
 * split the first block. The call must not count its pin there before the split is done.
 */
static void rule_31_no_late_pin_comes_into_a_split(void **unused)
{
	struct two_gates gates;
	struct job fault, pin;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	gate_close(&gates.alloc, &rig, SIM_FOLIO_ALLOC, T_1G);
	gate_close(&gates.check, &rig, SIM_CHECK_PINS, 0);
	rig.arg = &gates;
	rig.hook = pass_both;
	pin = job_of(&rig, job_pin, T_1G - 1, 2);
	job_start(&pin);
	gate_await(&gates.alloc, 1);
	gms_unpin(rig.state, 7, 1);
	fault = job_of_fault(&rig, 9, GMS_HOST);
	job_start(&fault);
	gate_await(&gates.check, 1);
	gate_open(&gates.alloc);
	job_waits(&pin);
	gate_open(&gates.check);
	assert_int_equal(job_join(&fault), 0);
	assert_int_equal(job_join(&pin), 0);
	gate_fini(&gates.alloc, &rig);
	gate_fini(&gates.check, &rig);
	gms_unpin(rig.state, T_1G - 1, 2);
	/* The rig has checked that no pinned folio was split. */
	rig_fini(&rig);
}

/* Rules 29 and 31: no pin comes before the split of a conversion: the lock keeps it out. */
static void rule_31_no_pin_comes_before_the_split_of_a_conversion(void **unused)
{
	struct rig_opts opts = all_shared;
	struct job convert, pin;
	struct gate gate;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager_nonuniform();
	rig_init(&rig, &opts);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	gate_close(&gate, &rig, SIM_FOLIO_SPLIT, GATE_ANYWHERE);
	convert = job_of_convert(&rig, 5, 1, GMS_PRIVATE);
	pin = job_of(&rig, job_pin, T_2M, 1);
	assert_true(job_order(&gate, &rig, &convert, &pin));
	assert_int_equal(convert.ret, 0);
	assert_int_equal(pin.ret, 0);
	gms_unpin(rig.state, T_2M, 1);
	rig_fini(&rig);
}

/* ---- merges ---- */

static int job_maintain(struct job *job)
{
	return (int)gms_maintain(job->rig->state, UINT64_MAX);
}

/* Splits as lazy does, and merges in gms_maintain(). */
static void decide_to_merge(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	gms_policy_lazy()->decide(ctx, view, verdict);
	if (view->event == GMS_EV_MAINTAIN)
		verdict->order = GMS_ORDER_1G;
}

/* Rule 31: a pin waits for a merge, and finds one folio. */
static void rule_31_pins_wait_for_a_merge(void **unused)
{
	static const struct gms_policy_ops merging = {
		.struct_size = sizeof(merging), .name = "merging", .decide = decide_to_merge};
	struct rig_opts opts = all_shared;
	struct job maintain, pin;
	struct gate gate;
	struct rig rig;

	(void)unused;
	opts.policy = &merging;
	rig_init(&rig, &opts);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	gate_close(&gate, &rig, SIM_FOLIO_MERGE, GATE_ANYWHERE);
	maintain = job_of(&rig, job_maintain, 0, 0);
	pin = job_of(&rig, job_pin, 5, 1);
	assert_true(job_order(&gate, &rig, &maintain, &pin));
	assert_int_equal(maintain.ret, 1);
	assert_int_equal(pin.ret, 0);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	gms_unpin(rig.state, 5, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_12_no_pin_comes_after_the_search_for_pins),
		cmocka_unit_test(rule_12_a_conversion_finds_a_pin_under_way),
		cmocka_unit_test(rule_12_unpin_does_not_wait),
		cmocka_unit_test(rule_31_no_pin_comes_between_the_search_and_the_split),
		cmocka_unit_test(rule_31_no_pin_comes_into_a_split),
		cmocka_unit_test(rule_31_no_late_pin_comes_into_a_split),
		cmocka_unit_test(rule_31_no_pin_comes_before_the_split_of_a_conversion),
		cmocka_unit_test(rule_31_pins_wait_for_a_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
