// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mapping_made_after_split.c - a mapping that was made after a split was forgotten
 *
 * Wrong: a host fault was answered with 2M, and another fault split the folio. The thread of the
 * host fault mapped 2M after the split. A conversion unmapped its own page alone.
 * Right: what a fault was answered with counts as mapped from the answer on (rule 28).
 */
#include "gate.h"

static void a_mapping_made_after_a_split_is_unmapped(void **unused)
{
	const struct rig_opts opts = {
		.nr_pages = T_1G,
		.folio_order = GMS_ORDER_2M,
		.policy = gms_policy_eager(),
	};
	struct gms_fault fault;
	struct job splitter;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(sim_pin(rig.sim, 100, 1), 0);
	assert_int_equal(gms_fault_begin(rig.state, 0, GMS_HOST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	assert_int_equal(sim_unpin(rig.sim, 100, 1), 0);
	splitter = job_of_fault(&rig, 7, GMS_HOST);
	job_start(&splitter);
	assert_int_equal(job_join(&splitter), 0);
	assert_int_equal(splitter.fault.folio_order, GMS_ORDER_4K);
	assert_int_equal(sim_map(rig.sim, 0, fault.max_order, GMS_HOST), 0);
	gms_fault_end(rig.state, &fault);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_made_after_a_split_is_unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
