// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undone_counts_nothing.c - gms_stats.undone counted a conversion that had nothing to undo
 *
 * Wrong: a conversion failed at a pin, in a granule that no listener held. No listener had been
 * notified, and the conversion counted as undone.
 * Right: a conversion counts as undone only where a hook or a listener had done something (rule
 * 16 and state.h).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;
static struct mirror *const first = &all.mirror[0];

static void a_conversion_with_nothing_to_undo_is_not_counted(void **unused)
{
	(void)unused;
	mirrors_init(&all, &opts);
	rig_convert(&all.rig, 0, 1, GMS_PRIVATE);
	mirrors_add(&all, 1, opts.nr_pages, T_2M, 0);
	rig_pin(&all.rig, 5, 1);
	mirrors_forget(&all);
	rig_convert_fails(&all.rig, 1, 10, GMS_PRIVATE, 0, -EAGAIN, 5);
	mirror_expect_none(first);
	assert_int_equal(rig_stats(&all.rig).undone, 0);
	/* The mirror holds the next granule. */
	rig_convert_fails(&all.rig, 1, T_2M, GMS_PRIVATE, 0, -EAGAIN, 5);
	mirror_expect_events(first, WITHDRAW(T_2M, T_2M), NOTIFY(T_2M, T_2M));
	assert_int_equal(rig_stats(&all.rig).undone, 1);
	gms_unpin(all.rig.state, 5, 1);
	mirrors_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_with_nothing_to_undo_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
