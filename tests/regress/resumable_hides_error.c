// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * resumable_hides_error.c - a resumable conversion named a pin that it had not reached
 *
 * Wrong: a resumable conversion found a pin in a 1G block, and then tried to convert the pages of
 * that block before the pin. The backend failed to convert them. The call returned -EAGAIN and
 * the index of the pin, although pages before that index were not converted.
 * Right: the call returns the error of the backend, and the start of the 1G block that was not
 * converted (rule 17).
 */
#include "rig.h"

static const struct rig_opts opts = {.nr_pages = 2 * T_1G, .folio_order = GMS_ORDER_2M};

static void an_error_before_a_pin_is_returned(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	rig_pin(&rig, T_1G + 100, 1);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 1, 1, -EIO);
	rig_convert_fails(&rig, 9, T_1G + T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EIO, T_1G);
	assert_true(gms_range_is(rig.state, 9, T_1G - 9, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, T_1G, T_1G, GMS_SHARED));
	assert_int_equal(rig_stats(&rig).refused_backend, 1);
	assert_int_equal(rig_stats(&rig).refused_pinned, 0);
	gms_unpin(rig.state, T_1G + 100, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_before_a_pin_is_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
