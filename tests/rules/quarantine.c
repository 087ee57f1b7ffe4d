// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine.c - proves what a quarantine refuses, and how gms_repair() lifts it
 *
 * Tests rule 39. undo.c tests how a range is quarantined, by a hook and an undo that fail.
 */
#include "rig.h"

#define NR_PAGES (T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};

/*
 * Quarantines [50, 300): the first to the last page that a conversion of [20, 420) would have
 * changed. The simulation has [50, 100) as private, and [100, 200) was private before.
 */
static void init_quarantined(struct rig *rig)
{
	rig_init(rig, &all_shared);
	rig_convert(rig, 20, 30, GMS_PRIVATE);
	rig_convert(rig, 100, 100, GMS_PRIVATE);
	rig_convert(rig, 300, 120, GMS_PRIVATE);
	sim_refuse(rig->sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -ENXIO);
	rig_convert_fails(rig, 20, 400, GMS_PRIVATE, 0, -ENXIO, 20);
	rig_check(rig);
	rig_forget(rig);
}

static void repair_all(struct rig *rig)
{
	rig_repair(rig, 50, 150, GMS_PRIVATE);
	rig_repair(rig, 200, 100, GMS_SHARED);
}

/*
 * Rule 39: the pages from the first to the last that would have changed are quarantined. None of
 * them has changed.
 */
static void rule_39_the_first_to_the_last_changed_page_is_quarantined(void **unused)
{
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_quarantined(&rig);
	for (i = 0; i < 1000; i++)
		assert_int_equal(gms_is_quarantined(rig.state, i), i >= 50 && i < 300);
	assert_false(gms_is_quarantined(rig.state, NR_PAGES));
	assert_int_equal(rig_stats(&rig).quarantined_pages, 250);
	assert_true(gms_range_is(rig.state, 50, 50, GMS_SHARED));
	assert_true(gms_range_is(rig.state, 100, 100, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, 200, 100, GMS_SHARED));
	repair_all(&rig);
	rig_fini(&rig);
}

/* Rule 39: gms_quarantine_next() finds what is quarantined, run by run, cut at both ends. */
static void rule_39_the_next_quarantined_pages_are_found(void **unused)
{
	gms_pgoff_t first = 77;
	uint64_t count = 77;
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	assert_true(gms_quarantine_next(rig.state, 0, UINT64_MAX, &first, &count));
	assert_int_equal(first, 50);
	assert_int_equal(count, 250);
	assert_true(gms_quarantine_next(rig.state, 60, 10, &first, &count));
	assert_int_equal(first, 60);
	assert_int_equal(count, 10);
	assert_true(gms_quarantine_next(rig.state, 0, 51, &first, &count));
	assert_int_equal(first, 50);
	assert_int_equal(count, 1);
	rig_repair(&rig, 100, 50, GMS_PRIVATE);
	assert_true(gms_quarantine_next(rig.state, 100, NR_PAGES, &first, &count));
	assert_int_equal(first, 150);
	assert_int_equal(count, 150);
	first = count = 77;
	assert_false(gms_quarantine_next(rig.state, 0, 50, &first, &count));
	assert_false(gms_quarantine_next(rig.state, 100, 50, &first, &count));
	assert_false(gms_quarantine_next(rig.state, 0, 0, &first, &count));
	assert_false(gms_quarantine_next(rig.state, NR_PAGES, 1, &first, &count));
	assert_false(gms_quarantine_next(rig.state, UINT64_MAX, UINT64_MAX, &first, &count));
	assert_int_equal(first + count, 154); /* not written */
	/* what the header shows: repair all, whatever it is */
	while (gms_quarantine_next(rig.state, 0, UINT64_MAX, &first, &count))
		rig_repair(&rig, first, count, GMS_SHARED);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
	rig_fini(&rig);
}

/*
 * Rule 39: faults, pins and conversions of quarantined pages return -ENOTRECOVERABLE, and name
 * the first such page.
 */
static void rule_39_faults_pins_and_conversions_are_refused(void **unused)
{
	struct gms_fault fault;
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	assert_int_equal(rig_fault(&rig, 50, GMS_HOST, &fault), -ENOTRECOVERABLE);
	assert_int_equal(rig_fault(&rig, 50, GMS_GUEST, &fault), -ENOTRECOVERABLE);
	assert_int_equal(rig_fault(&rig, 299, GMS_GUEST, &fault), -ENOTRECOVERABLE);
	assert_int_equal(gms_pin(rig.state, 298, 5, &at), -ENOTRECOVERABLE);
	assert_int_equal(at, 298);
	rig_convert_fails(&rig, 60, 10, GMS_PRIVATE, 0, -ENOTRECOVERABLE, 60);
	rig_convert_fails(&rig, 120, 10, GMS_SHARED, 0, -ENOTRECOVERABLE, 120);
	rig_convert_fails(&rig, 10, 1000, GMS_SHARED, 0, -ENOTRECOVERABLE, 50);
	rig_convert_fails(&rig, 299, 1000, GMS_PRIVATE, 0, -ENOTRECOVERABLE, 299);
	assert_int_equal(rig_stats(&rig).refused_quarantined, 8);
	rig_expect_none(&rig);
	/* A resumable conversion converts up to the quarantine. */
	rig_convert_fails(&rig, 10, 1000, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -ENOTRECOVERABLE, 50);
	assert_true(gms_range_is(rig.state, 10, 40, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, 420, NR_PAGES - 420, GMS_SHARED));
	repair_all(&rig);
	rig_fini(&rig);
}

/* Rule 39: other pages and other calls work. */
static void rule_39_everything_else_goes_on(void **unused)
{
	unsigned int attr;
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	rig_faults(&rig, 49, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 300, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_convert(&rig, 0, 50, GMS_PRIVATE);
	rig_convert(&rig, 300, T_1G, GMS_PRIVATE);
	rig_convert(&rig, 300, T_1G, GMS_SHARED);
	rig_pin(&rig, 300, 4);
	assert_int_equal(gms_inhibit(rig.state, 60, 1, GMS_ORDER_4K), 0);
	assert_int_equal(gms_uninhibit(rig.state, 60, 1), 0);
	assert_int_equal(gms_attr_create(rig.state, &attr), 0);
	assert_int_equal(gms_attr_set(rig.state, attr, 60, 1, true), 0);
	assert_int_equal(gms_allocate(rig.state, 60, 1, NULL), 0);
	assert_int_equal(gms_lock_shared(rig.state, 60, 1), 0);
	gms_unlock_shared(rig.state, 60, 1);
	gms_unpin(rig.state, 300, 4);
	repair_all(&rig);
	rig_fini(&rig);
}

/* Rule 39: the max_order of a fault beside a quarantine covers no quarantined page. */
static void rule_39_no_mapping_covers_a_quarantined_page(void **unused)
{
	struct rig_opts opts = all_shared;
	struct rig rig;
	int private;

	(void)unused;
	for (private = 0; private < 2; private ++) {
		enum gms_shareability was = private ? GMS_PRIVATE : GMS_SHARED;
		enum gms_accessor accessor = private ? GMS_GUEST : GMS_HOST;

		opts.init_private = private;
		rig_init(&rig, &opts);
		sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -ENXIO);
		sim_refuse_after(rig.sim, 10);
		rig_convert_fails(&rig, 50, 250, private ? GMS_SHARED : GMS_PRIVATE, 0, -ENXIO, 50);
		/* The 1G is uniform in shareability. */
		assert_int_equal(gms_max_order(rig.state, 400), GMS_ORDER_1G);
		rig_faults(&rig, 400, accessor, GMS_ORDER_1G, GMS_ORDER_4K);
		rig_faults(&rig, T_2M, accessor, GMS_ORDER_1G, GMS_ORDER_2M);
		rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
		assert_false(gms_is_prepared(rig.state, 100));
		rig_repair(&rig, 50, 250, was);
		rig_faults(&rig, 400, accessor, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_fini(&rig);
	}
}

/* Rule 39: gms_repair() lifts a quarantine, also in parts. It calls neither apply nor undo. */
static void rule_39_repair_lifts_a_quarantine(void **unused)
{
	struct rig rig;

	(void)unused;
	init_quarantined(&rig);
	assert_int_equal(gms_repair(rig.state, 49, 5, GMS_SHARED), -EINVAL);
	assert_int_equal(gms_repair(rig.state, 290, 20, GMS_SHARED), -EINVAL);
	assert_int_equal(gms_repair(rig.state, 60, 5, (enum gms_shareability)2), -EINVAL);
	assert_int_equal(gms_repair(rig.state, T_1G, 1, GMS_SHARED), -EINVAL);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 250);
	rig_expect_none(&rig);
	rig_repair(&rig, 50, 60, GMS_PRIVATE);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 190);
	assert_true(gms_range_is(rig.state, 50, 60, GMS_PRIVATE));
	assert_false(gms_is_quarantined(rig.state, 109));
	assert_true(gms_is_quarantined(rig.state, 110));
	rig_faults(&rig, 109, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	assert_int_equal(rig_count(&rig, 1U << SIM_APPLY | 1U << SIM_UNDO), 0);
	assert_true(rig_covered(&rig, SIM_INVALIDATE_BEGIN, 50, 60));
	assert_true(rig_covered(&rig, SIM_ZAP_GUEST, 50, 60));
	assert_int_equal(gms_repair(rig.state, 50, 60, GMS_PRIVATE), -EINVAL);
	rig_repair(&rig, 110, 90, GMS_PRIVATE);
	rig_repair(&rig, 200, 100, GMS_SHARED);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
	rig_convert(&rig, 0, 1000, GMS_SHARED);
	rig_faults(&rig, 60, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 39: a page that was pinned when its range was quarantined is not repaired to private. */
static void rule_39_repair_to_private_with_a_pin_is_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_convert(&rig, 100, 50, GMS_PRIVATE);
	rig_convert(&rig, 200, 50, GMS_PRIVATE);
	rig_pin(&rig, 160, 1);
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -ENXIO);
	rig_convert_fails(&rig, 100, 150, GMS_SHARED, 0, -ENXIO, 100);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 150);
	assert_int_equal(gms_repair(rig.state, 150, 50, GMS_PRIVATE), -EAGAIN);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 150);
	/* A pin of the backend or a failed unmap_host refuses that, too. */
	assert_int_equal(sim_pin(rig.sim, 190, 1), 0);
	assert_int_equal(gms_repair(rig.state, 170, 30, GMS_PRIVATE), -EAGAIN);
	assert_int_equal(sim_unpin(rig.sim, 190, 1), 0);
	sim_refuse(rig.sim, 1U << SIM_UNMAP_HOST, 0, 1, -EINTR);
	assert_int_equal(gms_repair(rig.state, 170, 30, GMS_PRIVATE), -EINTR);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 150);
	assert_false(gms_is_private(rig.state, 170));
	rig_repair(&rig, 100, 100, GMS_SHARED);
	rig_repair(&rig, 200, 50, GMS_PRIVATE);
	gms_unpin(rig.state, 160, 1);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 0);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_39_the_first_to_the_last_changed_page_is_quarantined),
		cmocka_unit_test(rule_39_the_next_quarantined_pages_are_found),
		cmocka_unit_test(rule_39_faults_pins_and_conversions_are_refused),
		cmocka_unit_test(rule_39_everything_else_goes_on),
		cmocka_unit_test(rule_39_no_mapping_covers_a_quarantined_page),
		cmocka_unit_test(rule_39_repair_lifts_a_quarantine),
		cmocka_unit_test(rule_39_repair_to_private_with_a_pin_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
