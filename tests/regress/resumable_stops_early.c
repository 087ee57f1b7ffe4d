// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * resumable_stops_early.c - a resumable conversion stopped before it reached a pin
 *
 * Wrong: a conversion found a quarantined page first, and then a pin at a lower index. It
 * stopped, and left all pages before the pin as they were.
 * Right: a resumable conversion converts all pages before the first page in its way (rule 17).
 */
#include "rig.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};

static void pages_before_the_first_obstacle_are_converted(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(rig.sim, 2);
	rig_convert_fails(&rig, 200, 10, GMS_PRIVATE, 0, -EIO, 200);
	rig_pin(&rig, 100, 1);
	rig_convert_fails(&rig, 0, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 100);
	assert_true(gms_range_is(rig.state, 0, 100, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, 100, T_2M - 100, GMS_SHARED));
	gms_unpin(rig.state, 100, 1);
	rig_convert_fails(&rig, 0, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -ENOTRECOVERABLE, 200);
	assert_true(gms_range_is(rig.state, 0, 200, GMS_PRIVATE));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_before_the_first_obstacle_are_converted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
