// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine_left_with_listener.c - a listener kept a page that was quarantined
 *
 * Wrong: a listener had refused to withdraw a page in an undo. It was not notified of a later
 * quarantine elsewhere, and kept the unchanged pages between the pages of the failed conversion.
 * Right: a listener withdraws every quarantined page, but for those that it refuses to withdraw
 * (rules 34 and 39).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;
static struct mirror *const first = &all.mirror[0], *const second = &all.mirror[1];

static void a_listener_withdraws_a_quarantine_elsewhere(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	rig_convert(&all.rig, 2000, 1, GMS_PRIVATE);
	mirrors_add(&all, 2, opts.nr_pages, 1, 0);
	plan_refuse(&all.plan, 1, 2, -ENXIO, DONE_NONE);
	plan_refuse_undo(&all.plan, 2, 3, -EXDEV, DONE_NONE);
	rig_convert_fails(&all.rig, 2000, 1, GMS_SHARED, 0, -ENXIO, 2000);
	plan_refuse_none(&all.plan);
	assert_true(gms_is_quarantined(all.rig.state, 2000));
	assert_int_equal(mirror_held(first, 2000, 1), 1);

	rig_convert(&all.rig, 10, 1, GMS_PRIVATE);
	rig_convert(&all.rig, 12, 1, GMS_PRIVATE);
	mirrors_forget(&all);
	mirrors_quarantine(&all, GMS_SHARED);
	mirror_expect_events(first, WITHDRAW(11, 1));
	mirror_expect_events(second, WITHDRAW(11, 1));
	assert_int_equal(mirror_held(first, 10, 3), 0);
	rig_repair(&all.rig, 10, 3, GMS_SHARED);
	rig_repair(&all.rig, 2000, 1, GMS_SHARED);
	mirrors_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_withdraws_a_quarantine_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
