// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * repair_keeps_host_mapping.c - gms_repair() left the mappings of the host
 *
 * Wrong: gms_repair() to private neither unmapped the range from the host nor looked for pins.
 * The host kept its mapping of pages that were private then.
 * Right: gms_repair() to private unmaps the range, and fails where a page is pinned, as a
 * conversion does (rules 12 and 39).
 */
#include "rig.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};

/* Quarantines [0, 21). Page 10 is shared, pinned, and exposed as part of a 2M folio. */
static void init_quarantined(struct rig *rig)
{
	rig_init(rig, &opts);
	rig_convert(rig, 0, 1, GMS_PRIVATE);
	rig_convert(rig, 20, 1, GMS_PRIVATE);
	rig_pin(rig, 10, 1);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	rig_convert_fails(rig, 0, 21, GMS_SHARED, 0, -EIO, 0);
	assert_true(gms_is_quarantined(rig->state, 10));
}

static void repair_unmaps_the_host_and_finds_pins(void **unused)
{
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EAGAIN);
	gms_unpin(rig.state, 10, 1);
	assert_int_equal(sim_pin(rig.sim, 10, 1), 0);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EAGAIN);
	assert_int_equal(sim_unpin(rig.sim, 10, 1), 0);
	sim_refuse(rig.sim, 1U << SIM_UNMAP_HOST, 0, 1, -EIO);
	assert_int_equal(gms_repair(rig.state, 0, 21, GMS_PRIVATE), -EIO);
	assert_true(gms_is_quarantined(rig.state, 10));
	assert_false(gms_is_private(rig.state, 10));
	rig_forget(&rig);
	rig_repair(&rig, 0, 21, GMS_PRIVATE);
	rig_expect_calls(&rig, 0, UNMAP(0, 21), PINS(0, 21), BEGIN(0, 21), ZAP(0, 21, GMS_SHARED),
			 ZAP(0, 21, GMS_PRIVATE), END(0, 21));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repair_unmaps_the_host_and_finds_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
