// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * old_pin_quarantines.c - a pin elsewhere in the folio turned a refusal into a quarantine
 *
 * Wrong: with GMS_BACKEND_PINS_BY_FOLIO a listener refused a conversion to shared. The undo to
 * private found a pin elsewhere in the folio, which had been there before the conversion, and
 * quarantined the range.
 * Right: an undo looks at pins of its own pages alone (rules 16 and 29).
 */
#include "regress.h"

static const struct rig_opts opts = {
	.nr_pages = 8 * T_2M,
	.folio_order = GMS_ORDER_2M,
	.sim_flags = GMS_BACKEND_PINS_BY_FOLIO,
	.policy = &rig_never_splits,
};
static struct mirrors all;

static void a_pin_elsewhere_in_the_folio_does_not_quarantine(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	assert_int_equal(gms_allocate(all.rig.state, 0, T_2M, NULL), 0);
	rig_convert(&all.rig, 0, 1, GMS_PRIVATE);
	rig_pin(&all.rig, 100, 1);
	mirrors_add(&all, 1, T_2M, 1, 0);
	plan_refuse(&all.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&all.rig, 0, 1, GMS_SHARED, 0, -ENXIO, 0);
	assert_int_equal(all.plan.refused[0], 1);
	assert_int_equal(gms_folio_order(all.rig.state, 0), GMS_ORDER_2M);
	assert_false(gms_is_quarantined(all.rig.state, 0));
	assert_true(gms_is_private(all.rig.state, 0));
	mirrors_check(&all);
	rig_convert(&all.rig, 0, 1, GMS_SHARED);
	gms_unpin(all.rig.state, 100, 1);
	mirrors_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pin_elsewhere_in_the_folio_does_not_quarantine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
