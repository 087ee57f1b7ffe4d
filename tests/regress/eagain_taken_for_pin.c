// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * eagain_taken_for_pin.c - -EAGAIN of a folio hook was taken for a pin
 *
 * Wrong: where folio_alloc or folio_split returned -EAGAIN, the engine went on as if a page were
 * pinned. A fault was answered with a folio that did not exist, and a conversion went on without
 * its split.
 * Right: the call returns what folio_alloc or folio_split returned, and nothing has changed
 * (rule 16).
 */
#include "rig.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};

static void a_fault_fails_with_eagain(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	rig_convert(&rig, T_2M, T_2M, GMS_PRIVATE);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 2, -EAGAIN);
	rig_forget(&rig);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), -EAGAIN);
	assert_int_equal(rig_fault(&rig, T_2M, GMS_GUEST, &fault), -EAGAIN);
	rig_expect_calls(&rig, 0, ALLOC(0, GMS_ORDER_2M), ALLOC(T_2M, GMS_ORDER_2M));
	assert_false(gms_is_allocated(rig.state, 5));
	assert_false(gms_is_prepared(rig.state, T_2M));
	/* The fault has exposed nothing: a conversion unmaps its page alone. */
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 5, 2));
	rig_fini(&rig);
}

static void a_conversion_fails_with_eagain(void **unused)
{
	struct rig_opts eager = opts;
	struct rig rig;

	(void)unused;
	eager.init_private = true;
	eager.policy = gms_policy_eager();
	rig_init(&rig, &eager);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EAGAIN);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, 0, -EAGAIN, 5);
	assert_true(gms_is_private(rig.state, 5));
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EAGAIN);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, GMS_CONVERT_RESUMABLE, -EAGAIN, 5);
	assert_int_equal(rig_stats(&rig).splits_deferred, 0);
	rig_fini(&rig);
}

static void an_allocation_fails_with_eagain(void **unused)
{
	struct rig_opts eager = opts;
	struct gms_fault fault;
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	eager.policy = gms_policy_eager();
	rig_init(&rig, &eager);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 2, -EAGAIN);
	assert_int_equal(gms_allocate(rig.state, 5, T_2M, &at), -EAGAIN);
	assert_int_equal(at, 5);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), -EAGAIN);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_fails_with_eagain),
		cmocka_unit_test(a_conversion_fails_with_eagain),
		cmocka_unit_test(an_allocation_fails_with_eagain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
