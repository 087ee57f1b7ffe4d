// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undone_misses_listener.c - gms_stats.undone missed listeners that were restored
 *
 * Wrong: a conversion to private failed after a listener had withdrawn its pages. They were
 * restored, and the counter of undone conversions stayed as it was.
 * Right: a conversion that restores what a listener had withdrawn counts as undone (rule 16 and
 * state.h).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;

static void a_conversion_that_restores_a_listener_is_counted(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	mirrors_add(&all, 2, opts.nr_pages, 1, 0);
	plan_refuse(&all.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&all.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	assert_int_equal(rig_stats(&all.rig).undone, 0); /* the first mirror refused */
	plan_refuse(&all.plan, 1, 2, -ENXIO, DONE_NONE);
	rig_convert_fails(&all.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	assert_int_equal(rig_stats(&all.rig).undone, 1);
	plan_refuse(&all.plan, 0, 1, -ENXIO, DONE_HALF);
	rig_convert_fails(&all.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	assert_int_equal(rig_stats(&all.rig).undone, 2);
	mirrors_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_that_restores_a_listener_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
