// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * unregister_leaves_part.c - a listener stayed registered without a part of its pages
 *
 * Wrong: a listener refused to withdraw its pages half-way, and then refused to be restored. It
 * stayed registered, and counted as holding pages that it did not hold.
 * Right: a listener that refuses both is notified once more to withdraw all of its pages. If it
 * does, it is unregistered; if it refuses, it counts as holding all of them (rule 35 and
 * listener.h).
 */
#include "regress.h"

#define BATCH ((uint64_t)GMS_LISTENER_BATCH)

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;
static struct mirror *const first = &all.mirror[0];

static void a_listener_that_refuses_to_be_restored_is_unregistered(void **unused)
{
	(void)unused;
	for (uint64_t back = 0; back < 2; back++) {
		mirrors_init(&all, &opts);
		mirrors_add(&all, 1, 4 * BATCH, 1, 0);
		mirrors_forget(&all);
		/*
		 * The listener withdraws two batches and refuses the third. Then it refuses to
		 * be restored in one of the first two.
		 */
		plan_refuse(&all.plan, 2, 3, -EBUSY, DONE_NONE);
		plan_refuse_undo(&all.plan, 3 + back, 4 + back, -EXDEV, DONE_NONE);
		assert_int_equal(mirror_unregister(first), 0);
		assert_int_equal(all.plan.refused[1], 1);
		assert_int_equal(mirror_held(first, 0, 4 * BATCH), 0);
		assert_int_equal(mirror_runs(first, GMS_SHARED), (1 + back) * BATCH);
		assert_int_equal(mirror_runs(first, GMS_PRIVATE), (5 + back) * BATCH);
		mirrors_fini(&all);
	}
}

/* A listener that pins cannot be restored while the object is frozen: gms_pin() is refused. */
static void a_listener_that_pins_is_unregistered_while_frozen(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	mirror_init(first, &all.rig, &all.plan, 0, 4 * BATCH, 1, 0);
	first->pins = true;
	all.nr = 1;
	assert_int_equal(mirror_register(first), 0);
	assert_int_equal(gms_freeze(all.rig.state), 0);
	plan_refuse(&all.plan, 1, 2, -EBUSY, DONE_HALF);
	assert_int_equal(mirror_unregister(first), 0);
	assert_int_equal(all.plan.refused[0], 1);
	assert_int_equal(mirror_held(first, 0, 4 * BATCH), 0);
	assert_false(gms_first_pin(all.rig.state, 0, 4 * BATCH, NULL));
	gms_thaw(all.rig.state);
	rig_convert(&all.rig, 0, 4, GMS_PRIVATE);
	mirrors_fini(&all);
}

/*
 * The listener refuses once more to withdraw. It stays registered and counts as holding all
 * pages.
 */
static void a_listener_that_refuses_again_counts_as_holding_all(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	mirrors_add(&all, 1, 4 * BATCH, 1, 0);
	plan_refuse(&all.plan, 1, 4, -EBUSY, DONE_NONE);
	mirrors_forget(&all);
	assert_int_equal(mirror_unregister(first), -EBUSY);
	assert_int_equal(all.plan.refused[0], 3);
	assert_int_equal(mirror_runs(first, GMS_PRIVATE), 5 * BATCH);
	assert_int_equal(mirror_held(first, 0, 4 * BATCH), BATCH);
	assert_int_equal(mirror_held(first, BATCH, BATCH), BATCH);
	assert_int_equal(rig_stats(&all.rig).listeners, 1);
	plan_refuse_none(&all.plan);
	mirrors_forget(&all);
	assert_int_equal(mirror_unregister(first), 0);
	assert_int_equal(mirror_runs(first, GMS_PRIVATE), 4 * BATCH);
	mirrors_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_that_refuses_to_be_restored_is_unregistered),
		cmocka_unit_test(a_listener_that_pins_is_unregistered_while_frozen),
		cmocka_unit_test(a_listener_that_refuses_again_counts_as_holding_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
