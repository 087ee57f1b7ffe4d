// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * resumable_meets_own_quarantine.c - a resumable conversion ran into its own quarantine
 *
 * Wrong: the backend found a page in use, and a listener refused to be restored, so the range was
 * quarantined. A resumable conversion tried again up to the page in use, and failed at its own
 * quarantine.
 * Right: a resumable conversion that ends in a quarantine has converted nothing of the range,
 * and names its start (rules 17 and 39).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;

static void a_quarantine_ends_the_conversion(void **unused)
{
	unsigned int flags;

	(void)unused;
	for (flags = 0; flags <= GMS_CONVERT_RESUMABLE; flags++) {
		mirrors_init(&all, &opts);
		mirrors_add(&all, 1, opts.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
		sim_refuse(all.rig.sim, 1U << SIM_APPLY, 0, 1, -EAGAIN);
		sim_refuse_after(all.rig.sim, 3);
		plan_refuse(&all.plan, 1, 2, -EXDEV, DONE_NONE);
		rig_convert_fails(&all.rig, 10, 8, GMS_PRIVATE, flags, -EAGAIN, flags ? 10 : 13);
		plan_refuse_none(&all.plan);
		assert_int_equal(rig_stats(&all.rig).quarantined_pages, 8);
		assert_int_equal(rig_stats(&all.rig).refused_quarantined, 0);
		mirrors_check(&all);
		rig_repair(&all.rig, 10, 8, GMS_SHARED);
		mirrors_fini(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarantine_ends_the_conversion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
