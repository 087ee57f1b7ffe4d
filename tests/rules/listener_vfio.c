// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_vfio.c - proves that a listener that pins, such as VFIO, works with conversions
 *
 * Tests rules 12, 13, 16, 17, 29, 32, 35, 36 and 39. VFIO pins what it is notified of and unpins
 * what it withdraws, both in its call. So its own pins refuse no conversion. A pin of another
 * user refuses one; then VFIO is restored, and pins again.
 */
#include "mirror.h"

#define NR_PAGES (T_1G + 4 * T_2M)

/* The range lies across the edge of two 1G blocks. */
#define START (T_1G - 2 * T_2M)
#define PAGES (4 * T_2M)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

static struct mirror vfio, other;
static struct mirror_plan plan;

static void init_vfio(struct rig *rig, const struct rig_opts *opts, uint64_t granule,
		      unsigned int flags)
{
	memset(&plan, 0, sizeof(plan));
	rig_init(rig, opts);
	mirror_init(&other, rig, &plan, START, PAGES, 64, GMS_LISTENER_CAN_SPLIT);
	mirror_init(&vfio, rig, &plan, START, PAGES, granule, flags);
	vfio.pins = true;
	assert_int_equal(mirror_register(&other), 0);
	assert_int_equal(mirror_register(&vfio), 0);
}

/* Checks the mirrors. Exactly the pages that vfio holds and [@pin, @pin + @nr_pins) are pinned. */
static void check_vfio(struct rig *rig, uint64_t pin, uint64_t nr_pins)
{
	uint64_t i;

	mirror_check(&other);
	mirror_check(&vfio);
	rig_check(rig);
	rig_forget(rig);
	for (i = START; i < START + PAGES; i++)
		assert_int_equal(gms_first_pin(rig->state, i, 1, NULL),
				 oracle_test(&vfio.held, i) || i - pin < nr_pins);
}

static void fini_vfio(struct rig *rig)
{
	check_vfio(rig, 0, 0);
	assert_int_equal(mirror_unregister(&vfio), 0);
	assert_int_equal(mirror_unregister(&other), 0);
	assert_false(gms_first_pin(rig->state, 0, NR_PAGES, NULL));
	assert_int_equal(rig_stats(rig).surplus_unpins, 0);
	mirror_fini(&vfio);
	mirror_fini(&other);
	rig_fini(rig);
}

/* ---- pins of VFIO ---- */

/* Rule 12: a conversion to private works, because VFIO unpins in its call. */
static void rule_12_pins_of_vfio_refuse_no_conversion(void **unused)
{
	const uint64_t granules[] = {1, 64, T_2M, 2 * T_2M};
	struct rig rig;
	unsigned int i;

	(void)unused;
	for (i = 0; i < 4 * RIG_NR_POLICIES; i++) {
		struct rig_opts opts = all_shared;

		opts.policy = rig_policy(i % RIG_NR_POLICIES);
		opts.folio_order = i % 3 ? GMS_ORDER_2M : GMS_ORDER_1G;
		init_vfio(&rig, &opts, granules[i / RIG_NR_POLICIES],
			  i % 2 ? GMS_LISTENER_CAN_SPLIT : 0);
		check_vfio(&rig, 0, 0);
		rig_convert(&rig, START + 100, 1, GMS_PRIVATE);
		check_vfio(&rig, 0, 0);
		rig_convert(&rig, START + 70, 3 * T_2M, GMS_PRIVATE);
		check_vfio(&rig, 0, 0);
		rig_convert(&rig, START + 71, 2 * T_2M, GMS_SHARED);
		check_vfio(&rig, 0, 0);
		rig_convert(&rig, 0, NR_PAGES, GMS_PRIVATE);
		assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
		rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
		fini_vfio(&rig);
	}
}

/* Rule 29: with pins by folio, the granule of VFIO must be as large as the folio. */
static void rule_29_by_folio_a_granule_must_cover_its_folio(void **unused)
{
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.sim_flags = GMS_BACKEND_PINS_BY_FOLIO;
	init_vfio(&rig, &opts, T_2M, 0);
	rig_convert(&rig, START + 100, 1, GMS_PRIVATE);
	rig_convert(&rig, START + T_2M + 1, T_2M, GMS_PRIVATE);
	rig_convert(&rig, START + 100, 1, GMS_SHARED);
	fini_vfio(&rig);
	/* With a smaller granule the other pins of VFIO in the folio refuse the conversion. */
	init_vfio(&rig, &opts, 64, GMS_LISTENER_CAN_SPLIT);
	mirror_forget(&vfio);
	rig_convert_fails(&rig, START + 100, 1, GMS_PRIVATE, 0, -EAGAIN, START + 100);
	mirror_expect_events(&vfio, WITHDRAW(START + 64, 64), NOTIFY(START + 64, 64));
	check_vfio(&rig, 0, 0);
	rig_convert(&rig, START, T_2M, GMS_PRIVATE);
	fini_vfio(&rig);
}

/* Rules 12 and 36: two devices pin, and both withdraw and unpin. */
static void rule_12_two_devices_withdraw(void **unused)
{
	struct rig rig;

	(void)unused;
	init_vfio(&rig, &all_shared, 8, 0);
	assert_int_equal(mirror_unregister(&other), 0);
	other.pins = true;
	assert_int_equal(mirror_register(&other), 0);
	rig_convert(&rig, START + 100, 1000, GMS_PRIVATE);
	mirror_check(&other);
	mirror_check(&vfio);
	assert_int_equal(gms_count(rig.state, START, PAGES, GMS_PRIVATE), 1000);
	rig_convert(&rig, START + 100, 1000, GMS_SHARED);
	/* The device that stays keeps its pins. */
	assert_int_equal(mirror_unregister(&other), 0);
	other.pins = false;
	assert_int_equal(mirror_register(&other), 0);
	fini_vfio(&rig);
}

/* ---- pins of others ---- */

/* Rule 12: -EAGAIN names the first pinned page. Listeners are restored, and pin again. */
static void rule_12_a_pin_of_another_user_refuses(void **unused)
{
	const uint64_t places[] = {START + 5, START + 300, T_1G - 1, T_1G, START + 4 * T_2M - 6};
	struct rig rig;
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		const uint64_t at = places[i / 2];
		struct rig_opts opts = all_shared;

		opts.policy = rig_policy(i % RIG_NR_POLICIES);
		init_vfio(&rig, &opts, i % 3 ? 8 : T_2M, 0);
		/* the library or the backend has the first pin; the second pin does not matter */
		if (i % 2) {
			rig_pin(&rig, at, 1);
			rig_pin(&rig, START + PAGES - 6, 1);
		} else {
			assert_int_equal(sim_pin(rig.sim, at, 1), 0);
		}
		rig_convert_fails(&rig, START + 5, PAGES - 10, GMS_PRIVATE, 0, -EAGAIN, at);
		assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_SHARED));
		check_vfio(&rig, 0, 0);
		/* Other pages of the granule can be converted. */
		if (at + 1 < START + PAGES - 6) {
			rig_convert(&rig, at + 1, 3, GMS_PRIVATE);
			check_vfio(&rig, at, i % 2);
			rig_convert(&rig, at + 1, 3, GMS_SHARED);
		}
		if (i % 2) {
			gms_unpin(rig.state, at, 1);
			gms_unpin(rig.state, START + PAGES - 6, 1);
		} else {
			assert_int_equal(sim_unpin(rig.sim, at, 1), 0);
		}
		rig_convert(&rig, START + 5, PAGES - 10, GMS_PRIVATE);
		fini_vfio(&rig);
	}
}

/*
 * Rule 17: a resumable conversion converts up to the pin. Listeners hold the shared granules from
 * there on.
 */
static void rule_17_resumable_converts_up_to_a_pin(void **unused)
{
	const uint64_t places[] = {START + 5, START + 300, T_1G - 1, T_1G, T_1G + 9, T_1G + 700};
	struct rig rig;
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		const uint64_t at = places[i / 2];
		gms_pgoff_t err = 0;

		init_vfio(&rig, &all_shared, i % 2 ? 8 : T_2M, 0);
		rig_pin(&rig, at, 2);
		assert_int_equal(gms_convert(rig.state, START + 5, PAGES - 10, GMS_PRIVATE,
					     GMS_CONVERT_RESUMABLE, &err),
				 -EAGAIN);
		assert_int_equal(err, at);
		assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), at - START - 5);
		assert_true(at == START + 5 ||
			    gms_range_is(rig.state, START + 5, at - START - 5, GMS_PRIVATE));
		check_vfio(&rig, at, 2);
		gms_unpin(rig.state, at, 2);
		assert_int_equal(gms_convert(rig.state, err, START + PAGES - 5 - err, GMS_PRIVATE,
					     GMS_CONVERT_RESUMABLE, &err),
				 0);
		assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), PAGES - 10);
		fini_vfio(&rig);
	}
}

static void pin_it(struct mirror *m, const struct mirror_call *call)
{
	if (call->to == GMS_PRIVATE && gms_pin(m->rig->state, call->runs[0].start, 1, NULL))
		m->arg = "cannot pin";
}

/* Rule 12: a pin that a listener takes while it withdraws is a pin like any other. */
static void rule_12_a_pin_taken_in_a_withdrawal_refuses(void **unused)
{
	struct rig rig;

	(void)unused;
	init_vfio(&rig, &all_shared, 8, 0);
	other.hook = pin_it;
	rig_convert_fails(&rig, START + 64, 100, GMS_PRIVATE, 0, -EAGAIN, START + 64);
	rig_convert_fails(&rig, START + 64, 1, GMS_PRIVATE, 0, -EAGAIN, START + 64);
	other.hook = NULL;
	assert_fine(other.arg);
	gms_unpin(rig.state, START + 64, 1);
	gms_unpin(rig.state, START + 64, 1);
	check_vfio(&rig, 0, 0);
	rig_convert(&rig, START + 100, 100, GMS_PRIVATE);
	fini_vfio(&rig);
}

/* Rule 32: the pins of VFIO refuse a hole, because a hole withdraws nothing. */
static void rule_32_pins_of_vfio_refuse_a_hole(void **unused)
{
	gms_pgoff_t at = 0;
	struct rig rig;

	(void)unused;
	init_vfio(&rig, &all_shared, T_2M, 0);
	mirror_forget(&vfio);
	assert_int_equal(gms_punch_hole(rig.state, START + 7, T_2M, &at), -EAGAIN);
	assert_int_equal(at, START + 7);
	mirror_expect_none(&vfio);
	rig_convert(&rig, START + 7, T_2M, GMS_PRIVATE);
	assert_int_equal(gms_punch_hole(rig.state, START, 2 * T_2M, &at), 0);
	rig_convert(&rig, START + 7, T_2M, GMS_SHARED);
	fini_vfio(&rig);
}

/* ---- VFIO cannot pin ---- */

/*
 * Rules 16 and 35: if VFIO cannot pin its call fails, and the conversion or the registering with
 * it.
 */
static void rule_16_a_failed_pin_undoes_the_conversion(void **unused)
{
	struct rig rig;
	uint64_t skip;
	int rc = -1;

	(void)unused;
	init_vfio(&rig, &all_shared, T_2M, 0);
	rig_convert(&rig, START, PAGES, GMS_PRIVATE);
	assert_int_equal(gms_punch_hole(rig.state, 0, NR_PAGES, NULL), 0);
	for (skip = 0; rc; skip++) {
		sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, skip, 1, -EHWPOISON);
		rc = gms_convert(rig.state, START + 5, PAGES - 5, GMS_SHARED, 0, NULL);
		sim_refuse(rig.sim, 0, 0, 0, 0);
		if (rc) {
			assert_int_equal(rc, -EHWPOISON);
			assert_true(gms_range_is(rig.state, START, PAGES, GMS_PRIVATE));
			assert_int_equal(gms_punch_hole(rig.state, 0, NR_PAGES, NULL), 0);
		}
		check_vfio(&rig, 0, 0);
	}
	assert_int_equal(skip, 4);
	assert_int_equal(mirror_unregister(&vfio), 0);
	assert_int_equal(gms_punch_hole(rig.state, 0, NR_PAGES, NULL), 0);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 1, 1, -EHWPOISON);
	assert_int_equal(mirror_register(&vfio), -EHWPOISON);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	check_vfio(&rig, 0, 0);
	assert_int_equal(mirror_register(&vfio), 0);
	fini_vfio(&rig);
}

/*
 * Rules 12, 16 and 39: a pin refuses a conversion, and VFIO cannot pin again. The range is
 * quarantined.
 */
static void rule_39_a_failed_pin_in_an_undo_quarantines(void **unused)
{
	uint64_t start, pages;
	struct rig rig;

	(void)unused;
	init_vfio(&rig, &all_shared, 8, 0);
	rig_pin(&rig, START + 200, 1);
	mirror_forget(&vfio);
	/* Each mirror withdraws its 13 or 14 granules in one call, and then is restored. */
	plan_refuse_undo(&plan, 2, 3, -ENOMEM, DONE_HALF);
	plan.refusal[1].mirror = &vfio;
	rig_convert_fails(&rig, START + 100, 101, GMS_PRIVATE, 0, -EAGAIN, START + 200);
	plan_refuse_none(&plan);
	assert_int_equal(plan.refused[1], 1);
	pages = rig_stats(&rig).quarantined_pages;
	assert_true(pages > 0);
	mirror_check(&vfio);
	mirror_check(&other);
	for (start = START; !gms_is_quarantined(rig.state, start);)
		start++;
	assert_int_equal(gms_repair(rig.state, start, pages, GMS_PRIVATE), -EAGAIN);
	rig_repair(&rig, start, pages, GMS_SHARED);
	check_vfio(&rig, START + 200, 1);
	gms_unpin(rig.state, START + 200, 1);
	fini_vfio(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_12_pins_of_vfio_refuse_no_conversion),
		cmocka_unit_test(rule_29_by_folio_a_granule_must_cover_its_folio),
		cmocka_unit_test(rule_12_two_devices_withdraw),
		cmocka_unit_test(rule_12_a_pin_of_another_user_refuses),
		cmocka_unit_test(rule_17_resumable_converts_up_to_a_pin),
		cmocka_unit_test(rule_12_a_pin_taken_in_a_withdrawal_refuses),
		cmocka_unit_test(rule_32_pins_of_vfio_refuse_a_hole),
		cmocka_unit_test(rule_16_a_failed_pin_undoes_the_conversion),
		cmocka_unit_test(rule_39_a_failed_pin_in_an_undo_quarantines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
