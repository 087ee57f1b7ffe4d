// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * eagain_names_no_page.c - -EAGAIN of apply did not name the page
 *
 * Wrong: the backend found a page in use in the middle of an apply. err_index was the start of
 * the range, and a resumable conversion converted nothing before the page.
 * Right: err_index is the page in use, and a resumable conversion converts all pages before it
 * (rules 12 and 17).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;

/* After @skip calls, one apply finds a page in use behind the first @after pages of its run. */
static void find_in_use(uint64_t skip, uint64_t after)
{
	sim_refuse(all.rig.sim, 1U << SIM_APPLY, skip, 1, -EAGAIN);
	sim_refuse_after(all.rig.sim, after);
}

static void expect_named(enum gms_shareability to, enum gms_shareability from)
{
	mirrors_init(&all, &opts);
	mirrors_add(&all, 2, opts.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	rig_convert(&all.rig, 10, 8, from);
	rig_convert(&all.rig, 12, 1, to);
	find_in_use(1, 2); /* in the apply of [13, 18) */
	rig_convert_fails(&all.rig, 10, 8, to, 0, -EAGAIN, 15);
	assert_true(gms_range_is(all.rig.state, 10, 2, from));
	assert_true(gms_range_is(all.rig.state, 13, 5, from));
	assert_int_equal(rig_stats(&all.rig).undone, 1);
	mirrors_check(&all);
	find_in_use(1, 2);
	rig_convert_fails(&all.rig, 10, 8, to, GMS_CONVERT_RESUMABLE, -EAGAIN, 15);
	assert_true(gms_range_is(all.rig.state, 10, 5, to));
	assert_true(gms_range_is(all.rig.state, 15, 3, from));
	mirrors_check(&all);
	/* An apply that has done no page names the first page of its run. */
	find_in_use(0, 0);
	rig_convert_fails(&all.rig, 10, 8, to, 0, -EAGAIN, 15);
	find_in_use(0, 0);
	rig_convert_fails(&all.rig, 15, 3, to, GMS_CONVERT_RESUMABLE, -EAGAIN, 15);
	assert_true(gms_range_is(all.rig.state, 15, 3, from));
	rig_convert(&all.rig, 10, 8, to);
	mirrors_fini(&all);
}

/* If the undo fails as well no page is named, and a resumable conversion converts nothing. */
static void expect_none_named(unsigned int flags)
{
	mirrors_init(&all, &opts);
	mirrors_add(&all, 1, opts.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	sim_refuse(all.rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EAGAIN);
	sim_refuse_after(all.rig.sim, 3);
	rig_convert_fails(&all.rig, 10, 8, GMS_PRIVATE, flags, -EAGAIN, 10);
	assert_int_equal(rig_stats(&all.rig).quarantined_pages, 8);
	assert_true(gms_is_quarantined(all.rig.state, 10));
	mirrors_check(&all);
	rig_repair(&all.rig, 10, 8, GMS_SHARED);
	mirrors_fini(&all);
}

static void the_page_in_use_is_named(void **unused)
{
	(void)unused;
	expect_named(GMS_PRIVATE, GMS_SHARED);
	expect_named(GMS_SHARED, GMS_PRIVATE);
	expect_none_named(0);
	expect_none_named(GMS_CONVERT_RESUMABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
