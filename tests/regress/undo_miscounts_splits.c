// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undo_miscounts_splits.c - an undo left splits of 2M in the counters
 *
 * Wrong: a conversion split 1G to 2M and each 2M to 4K, then failed. The undo merged 1G in one
 * step, and subtracted the split of 1G alone from the counters.
 * Right: after an undo the counters of splits are what they were before (rule 16).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};

static void an_undo_of_two_steps_restores_the_counters(void **unused)
{
	struct wish wish = {GMS_EV_CONVERT, GMS_HOST, GMS_ORDER_4K, false, 0};
	struct rig rig;

	(void)unused;
	wish_init(&rig, &opts, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EIO);
	rig_convert_fails(&rig, 0, T_1G, GMS_PRIVATE, 0, -EIO, 0);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT), 1 + T_FANOUT);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).splits_1g, 0);
	assert_int_equal(rig_stats(&rig).splits_2m, 0);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undo_of_two_steps_restores_the_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
