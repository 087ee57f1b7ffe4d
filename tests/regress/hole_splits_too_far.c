// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hole_splits_too_far.c - a hole of one page split a folio of 1G to 4K
 *
 * Wrong: the policy left the folio as it is, with a verdict of "uniform". The hole needed a split,
 * which used that part of the verdict and split all of the 1G to 4K.
 * Right: a hole splits a folio no further than the hole needs (rule 32).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};

static void a_hole_splits_no_further_than_needed(void **unused)
{
	struct wish wish = {GMS_EV_PUNCH, GMS_HOST, GMS_ORDER_1G, true, 0};
	struct rig rig;

	(void)unused;
	wish_init(&rig, &opts, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	assert_int_equal(gms_punch_hole(rig.state, 5, 1, NULL), 0);
	rig_expect_calls(&rig, ~(1U << SIM_FOLIO_SPLIT), SPLIT(0, GMS_ORDER_1G, GMS_ORDER_2M),
			 SPLIT(0, GMS_ORDER_2M, GMS_ORDER_4K));
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	assert_true(wish.queries > 0);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_splits_no_further_than_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
