// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undo_stops_at_refusal.c - an undo stopped at the first batch that a listener refused
 *
 * Wrong: a listener refused one batch of an undo, and the range was quarantined. The listener
 * was not notified of the batches behind that one, which it would have withdrawn.
 * Right: a listener is notified to withdraw all of a quarantined range. It keeps only the batches
 * that it refuses (rule 16).
 */
#include "regress.h"

#define BATCH ((uint64_t)GMS_LISTENER_BATCH)

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;
static struct mirror *const first = &all.mirror[0];

/* The first listener refuses one batch of the undo of a conversion to shared. */
static void a_listener_withdraws_all_but_the_refused_batch(void **unused)
{
	uint64_t batch;

	(void)unused;
	for (batch = 0; batch < 4; batch++) {
		mirrors_init(&all, &opts);
		rig_convert(&all.rig, 0, 4 * BATCH, GMS_PRIVATE);
		mirrors_add(&all, 2, opts.nr_pages, 1, 0);
		plan_refuse(&all.plan, 4, 5, -ENXIO, DONE_NONE);
		plan_refuse_undo(&all.plan, 5 + batch, 6 + batch, -EXDEV, DONE_NONE);
		mirrors_forget(&all);
		rig_convert_fails(&all.rig, 0, 4 * BATCH, GMS_SHARED, 0, -ENXIO, 0);
		assert_int_equal(all.plan.refused[1], 1);
		assert_true(gms_is_quarantined(all.rig.state, batch * BATCH));
		assert_int_equal(mirror_runs(first, GMS_PRIVATE), 4 * BATCH);
		assert_int_equal(mirror_held(first, 0, 4 * BATCH), BATCH);
		assert_int_equal(mirror_held(first, batch * BATCH, BATCH), BATCH);
		mirrors_check(&all);
		rig_repair(&all.rig, 0, 4 * BATCH, GMS_SHARED);
		mirrors_fini(&all);
	}
}

/* The listener refuses the first or the second batch of the undo of a conversion to private. */
static void a_listener_that_is_not_restored_withdraws_all(void **unused)
{
	(void)unused;
	for (uint64_t back = 0; back < 2; back++) {
		mirrors_init(&all, &opts);
		mirrors_add(&all, 1, opts.nr_pages, 1, 0);
		plan_refuse(&all.plan, 2, 3, -ENXIO, DONE_NONE);
		plan_refuse_undo(&all.plan, 3 + back, 4 + back, -EXDEV, DONE_NONE);
		rig_convert_fails(&all.rig, 0, 4 * BATCH, GMS_PRIVATE, 0, -ENXIO, 0);
		assert_int_equal(all.plan.refused[1], 1);
		assert_int_equal(mirror_held(first, 0, 4 * BATCH), 0);
		mirrors_check(&all);
		rig_repair(&all.rig, 0, 4 * BATCH, GMS_SHARED);

		/* The listener also refuses to withdraw the third batch, but not the fourth. */
		plan_refuse(&all.plan, 2, 3, -ENXIO, DONE_NONE);
		plan_refuse_undo(&all.plan, 3 + back, 5 + back, -EXDEV, DONE_NONE);
		rig_convert_fails(&all.rig, 0, 4 * BATCH, GMS_PRIVATE, 0, -ENXIO, 0);
		assert_int_equal(all.plan.refused[1], 2);
		assert_int_equal(mirror_held(first, 0, 4 * BATCH), BATCH);
		assert_int_equal(mirror_held(first, 2 * BATCH, BATCH), BATCH);
		mirrors_check(&all);
		rig_repair(&all.rig, 0, 4 * BATCH, GMS_PRIVATE);
		mirrors_fini(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_withdraws_all_but_the_refused_batch),
		cmocka_unit_test(a_listener_that_is_not_restored_withdraws_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
