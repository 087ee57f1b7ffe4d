// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantined_page_mapped.c - a mapping covered a quarantined page
 *
 * Wrong: a fault beside a quarantined page was answered with a max_order that covered the page.
 * For the guest, the quarantined page was prepared with the rest of the block.
 * Right: no mapping covers a quarantined page, and only pages that can be mapped are prepared
 * (rules 21 and 39).
 */
#include "rig.h"

static void quarantine_page_4(struct rig *rig, const struct rig_opts *opts,
			      enum gms_shareability to)
{
	rig_init(rig, opts);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig->sim, 2);
	rig_convert_fails(rig, 4, 4, to, 0, -EIO, 4);
	assert_true(gms_is_quarantined(rig->state, 4));
}

static void the_host_maps_4k_beside_a_quarantined_page(void **unused)
{
	const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};
	struct rig rig;

	(void)unused;
	quarantine_page_4(&rig, &opts, GMS_PRIVATE);
	rig_faults(&rig, 100, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_4K);
	rig_faults(&rig, T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

static void the_guest_maps_4k_beside_a_quarantined_page(void **unused)
{
	const struct rig_opts opts = {
		.nr_pages = T_1G,
		.folio_order = GMS_ORDER_2M,
		.init_private = true,
	};
	struct rig rig;

	(void)unused;
	quarantine_page_4(&rig, &opts, GMS_SHARED);
	rig_faults(&rig, 100, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	assert_true(gms_is_prepared(rig.state, 100));
	assert_false(gms_is_prepared(rig.state, 4));
	assert_false(gms_is_prepared(rig.state, 101));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_maps_4k_beside_a_quarantined_page),
		cmocka_unit_test(the_guest_maps_4k_beside_a_quarantined_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
