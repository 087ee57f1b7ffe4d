// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_replay.c - proves of which granules registering notifies, and which unregistering
 * withdraws
 *
 * Tests rules 14, 35, 36, 38 and 39.
 */
#include "mirror.h"

#define NR_PAGES (2 * T_1G + 4 * T_2M)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

static struct mirror a, b;

/* ---- states ---- */

#define NR_SHAPES 5

/*
 * Makes one of NR_SHAPES states: all shared; all private; private pages at edges of granules and
 * blocks; many runs; two long runs.
 */
static void shape(struct rig *rig, unsigned int number)
{
	struct rig_opts opts = all_shared;
	uint64_t i;

	opts.init_private = number == 1;
	rig_init(rig, &opts);
	switch (number) {
	case 2:
		rig_convert(rig, 0, 1, GMS_PRIVATE);
		rig_convert(rig, 511, 2, GMS_PRIVATE);
		rig_convert(rig, T_1G - 1, 1, GMS_PRIVATE);
		rig_convert(rig, NR_PAGES - 1, 1, GMS_PRIVATE);
		break;
	case 3:
		for (i = 0; i < 90; i++)
			rig_convert(rig, T_1G - 512 + 11 * i, 3, GMS_PRIVATE);
		break;
	case 4:
		rig_convert(rig, 64, 2 * T_1G, GMS_PRIVATE);
		rig_convert(rig, T_1G - T_2M, 2 * T_2M, GMS_SHARED);
		rig_convert(rig, T_1G + 9, 1, GMS_PRIVATE);
		break;
	default:
		break;
	}
	rig_forget(rig);
}

static const struct {
	uint64_t start, nr_pages, granule;
} places[] = {
	{0, NR_PAGES, 8},
	{0, NR_PAGES, T_2M},
	{0, 2 * T_1G, T_1G},
	{T_1G - 512, 1024, 1},
	{T_1G - 512, 1024, 4},
	{NR_PAGES - 512, 512, 16},
	{T_1G, T_1G + 4 * T_2M, 64},
};

/* Rule 35: registering notifies of all shared granules, and unregistering withdraws them. */
static void rule_35_registering_notifies_of_shared_granules(void **unused)
{
	unsigned int number, flags;
	struct rig rig;
	size_t i;

	(void)unused;
	for (number = 0; number < NR_SHAPES; number++) {
		shape(&rig, number);
		for (i = 0; i < 2 * ARRAY_SIZE(places); i++) {
			flags = i % 2 ? GMS_LISTENER_CAN_SPLIT : 0;
			mirror_init(&a, &rig, NULL, places[i / 2].start, places[i / 2].nr_pages,
				    places[i / 2].granule, flags);
			assert_int_equal(mirror_register(&a), 0);
			assert_int_equal(rig_stats(&rig).listeners, 1);
			mirror_tidy(&a);
			mirror_check(&a);
			mirror_forget(&a);
			assert_int_equal(mirror_unregister(&a), 0);
			assert_int_equal(rig_stats(&rig).listeners, 0);
			mirror_tidy(&a);
			mirror_check(&a);
			mirror_fini(&a);
		}
		rig_expect_none(&rig);
		rig_fini(&rig);
	}
}

/* Rule 35: the runs are as long as possible. */
static void rule_35_runs_at_registering_are_maximal(void **unused)
{
	struct rig rig;

	(void)unused;
	shape(&rig, 0);
	mirror_init(&a, &rig, NULL, 0, NR_PAGES, 1, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&a), 0);
	assert_int_equal(mirror_unregister(&a), 0);
	mirror_expect_events(&a, NOTIFY(0, NR_PAGES), WITHDRAW(0, NR_PAGES));
	mirror_fini(&a);
	rig_fini(&rig);
	shape(&rig, 2);
	mirror_init(&a, &rig, NULL, 0, NR_PAGES, 4, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&a), 0);
	assert_int_equal(mirror_unregister(&a), 0);
	mirror_expect_events(&a, NOTIFY(4, 504), NOTIFY(516, T_1G - 520),
			     NOTIFY(T_1G, T_1G + 4 * T_2M - 4), WITHDRAW(4, 504),
			     WITHDRAW(516, T_1G - 520), WITHDRAW(T_1G, T_1G + 4 * T_2M - 4));
	mirror_fini(&a);
	rig_fini(&rig);
	/* Where nothing is shared the listener is not called. */
	shape(&rig, 1);
	mirror_init(&a, &rig, NULL, 0, NR_PAGES, 4, 0);
	assert_int_equal(mirror_register(&a), 0);
	assert_int_equal(mirror_unregister(&a), 0);
	assert_int_equal(a.calls, 0);
	mirror_fini(&a);
	rig_fini(&rig);
}

/* ---- refusals ---- */

static void init_two(struct rig *rig, struct mirror_plan *plan, bool pins)
{
	memset(plan, 0, sizeof(*plan));
	shape(rig, 3);
	mirror_init(&a, rig, plan, T_1G - 512, 512, 8, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&a), 0);
	mirror_init(&b, rig, plan, T_1G - 1024, 2048, 2, 0);
	b.pins = pins;
	mirror_check(&a);
}

static void fini_two(struct rig *rig)
{
	mirror_check(&a);
	mirror_check(&b);
	assert_int_equal(mirror_unregister(&a), 0);
	mirror_fini(&a);
	mirror_fini(&b);
	assert_int_equal(rig_stats(rig).surplus_unpins, 0);
	rig_fini(rig);
}

/*
 * Rule 35: a listener that refuses any call of registering withdraws what it had, and is not
 * registered.
 */
static void rule_35_a_refused_registering_is_undone(void **unused)
{
	struct mirror_plan plan;
	unsigned int done;
	struct rig rig;
	uint64_t n;
	int rc = -1;

	(void)unused;
	init_two(&rig, &plan, true);
	for (done = 0; done < NR_DONE; done++) {
		for (n = 0, rc = -1; rc; n++) {
			const uint64_t calls = a.calls;
			uint64_t live;

			/* Records of pins stay, so compare memory from the second attempt on. */
			plan_refuse(&plan, n, n + 1, -ENXIO, (enum mirror_done)done);
			rc = mirror_register(&b);
			live = rig.talloc.live_blocks;
			if (!rc)
				break;
			assert_int_equal(rc, -ENXIO);
			mirror_check(&b);
			assert_int_equal(rig_stats(&rig).listeners, 1);
			assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
			assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
			plan_refuse(&plan, n, n + 1, -ENXIO, (enum mirror_done)done);
			assert_int_equal(mirror_register(&b), -ENXIO);
			assert_int_equal(rig.talloc.live_blocks, live);
			assert_int_equal(a.calls, calls);
			rig_check(&rig);
		}
		assert_true(n > 8);
		mirror_check(&b);
		assert_int_equal(rig_stats(&rig).listeners, 2);
		plan_refuse_none(&plan);
		assert_int_equal(mirror_unregister(&b), 0);
	}
	fini_two(&rig);
}

/*
 * Rules 35 and 39: if the listener refuses that withdrawal, its range is quarantined, and the
 * other listener withdraws it.
 */
static void rule_35_a_refused_undo_of_registering_quarantines(void **unused)
{
	unsigned int done, private;
	struct mirror_plan plan;
	struct rig rig;

	(void)unused;
	for (done = 0; done < 2 * (NR_DONE - 1); done++) {
		uint64_t quarantined, i;

		private = done % 2;
		init_two(&rig, &plan, false);
		plan_refuse(&plan, 3, 4, -ENXIO, DONE_HALF);
		plan_refuse_undo(&plan, 4, UINT64_MAX, -EXDEV, (enum mirror_done)(done / 2));
		/* The other mirror refuses nothing. */
		a.plan = NULL;
		assert_int_equal(mirror_register(&b), -ENXIO);
		assert_true(plan.refused[1] > 0);
		plan_refuse_none(&plan);
		quarantined = rig_stats(&rig).quarantined_pages;
		assert_true(quarantined >= oracle_count(&b.held, 0, NR_PAGES));
		assert_int_equal(rig_stats(&rig).listeners, 1);
		for (i = 0; i < NR_PAGES; i++) {
			if (oracle_test(&b.held, i))
				assert_true(gms_is_quarantined(rig.state, i));
		}
		mirror_check(&a);
		rig_check(&rig);
		/* The listener is not registered, so it gets no call any more. */
		mirror_drop(&b);
		for (i = 0; i < NR_PAGES; i++) {
			if (gms_is_quarantined(rig.state, i))
				rig_repair(&rig, i, 1, private ? GMS_PRIVATE : GMS_SHARED);
		}
		assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
		mirror_check(&a);
		assert_int_equal(mirror_register(&b), 0);
		mirror_check(&b);
		assert_int_equal(mirror_unregister(&b), 0);
		fini_two(&rig);
	}
}

/*
 * Rule 35: a listener that refuses to withdraw stays registered, is restored, and is notified of
 * later changes.
 */
static void rule_35_a_refused_unregistering_is_undone(void **unused)
{
	struct mirror_plan plan;
	unsigned int done;
	struct rig rig;
	uint64_t n;
	int rc;

	(void)unused;
	for (done = 0; done < NR_DONE; done++) {
		init_two(&rig, &plan, true);
		assert_int_equal(mirror_register(&b), 0);
		for (n = 0, rc = -1; rc; n++) {
			plan_refuse(&plan, n, n + 1, -ENXIO, (enum mirror_done)done);
			rc = mirror_unregister(&b);
			plan_refuse_none(&plan);
			mirror_check(&a);
			mirror_check(&b);
			if (!rc)
				break;
			assert_int_equal(rc, -ENXIO);
			assert_int_equal(rig_stats(&rig).listeners, 2);
			assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
			rig_convert(&rig, T_1G + n, 9, n % 2 ? GMS_SHARED : GMS_PRIVATE);
			mirror_check(&b);
		}
		assert_true(n > 8);
		assert_int_equal(rig_stats(&rig).listeners, 1);
		assert_int_equal(gms_listener_unregister(rig.state, b.id), -EINVAL);
		assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
		fini_two(&rig);
	}
}

/*
 * Rule 35 and listener.h: a listener that refuses to withdraw, and then to be restored, stays
 * registered. It counts as holding all of its range, so that later calls withdraw all of it.
 * Nothing is quarantined, because the pages are in order.
 */
static void rule_35_a_listener_that_refuses_both_counts_as_holding_all(void **unused)
{
	struct mirror_plan plan = {0};
	struct rig rig;

	(void)unused;
	shape(&rig, 0);
	mirror_init(&a, &rig, &plan, 0, 64, 1, 0);
	assert_int_equal(mirror_register(&a), 0);
	/* The listener withdraws 48 of 64 pages, and none of them is restored. */
	plan_refuse(&plan, 1, 2, -ENXIO, DONE_HALF);
	plan_refuse_undo(&plan, 2, UINT64_MAX, -EXDEV, DONE_NONE);
	assert_int_equal(mirror_unregister(&a), -ENXIO);
	assert_true(plan.refused[1] > 0);
	plan_refuse_none(&plan);
	assert_int_equal(oracle_count(&a.held, 0, NR_PAGES), 16);
	assert_int_equal(rig_stats(&rig).listeners, 1);
	assert_int_equal(rig_stats(&rig).quarantined_pages, 0);
	mirror_forget(&a);
	a.loose = true;
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	mirror_expect_events(&a, WITHDRAW(5, 1), NOTIFY(5, 1));
	mirror_forget(&a);
	assert_int_equal(mirror_unregister(&a), 0);
	assert_int_equal(a.nr_events, 64);
	assert_int_equal(oracle_count(&a.held, 0, NR_PAGES), 0);
	mirror_fini(&a);
	rig_fini(&rig);
}

/* Rule 35: a number that no listener has is refused. */
static void rule_35_unknown_ids_are_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	shape(&rig, 0);
	assert_int_equal(gms_listener_unregister(rig.state, 0), -EINVAL);
	assert_int_equal(gms_listener_unregister(rig.state, UINT32_MAX), -EINVAL);
	mirror_init(&a, &rig, NULL, 0, 8, 8, 0);
	assert_int_equal(mirror_register(&a), 0);
	mirror_init(&b, &rig, NULL, 0, 8, 8, 0);
	assert_int_equal(mirror_register(&b), 0);
	assert_int_not_equal(a.id, b.id);
	assert_int_equal(mirror_unregister(&a), 0);
	assert_int_equal(gms_listener_unregister(rig.state, a.id), -EINVAL);
	assert_int_equal(gms_listener_unregister(rig.state, b.id + 1000), -EINVAL);
	mirror_check(&b);
	assert_int_equal(rig_stats(&rig).listeners, 1);
	assert_int_equal(rig_stats(&rig).refused_inval, 4);
	/* A free number may be used again. */
	assert_int_equal(mirror_register(&a), 0);
	assert_int_not_equal(a.id, b.id);
	assert_int_equal(mirror_unregister(&a), 0);
	assert_int_equal(mirror_unregister(&b), 0);
	mirror_fini(&a);
	mirror_fini(&b);
	rig_fini(&rig);
}

/* Rule 35: forty listeners, some of them alike, are unregistered in a scattered order. */
static void rule_35_many_listeners_are_exact(void **unused)
{
	static struct mirror many[40];
	struct rig rig;
	size_t i, k;

	(void)unused;
	shape(&rig, 2);
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		mirror_init(&many[i], &rig, NULL, 8 * (i % 5), 64, 1ULL << i % 4,
			    i % 3 ? GMS_LISTENER_CAN_SPLIT : 0);
		assert_int_equal(mirror_register(&many[i]), 0);
	}
	assert_int_equal(rig_stats(&rig).listeners, ARRAY_SIZE(many));
	rig_convert(&rig, 13, 50, GMS_PRIVATE);
	rig_convert(&rig, 20, 70, GMS_SHARED);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		mirror_check(&many[i]);
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		assert_int_equal(mirror_unregister(&many[i * 17 % ARRAY_SIZE(many)]), 0);
		rig_convert(&rig, 17, 9, i % 2 ? GMS_SHARED : GMS_PRIVATE);
		for (k = 0; k < ARRAY_SIZE(many); k++)
			mirror_check(&many[k]);
	}
	for (i = 0; i < ARRAY_SIZE(many); i++)
		mirror_fini(&many[i]);
	rig_fini(&rig);
}

/* ---- frozen ---- */

/* Rule 38: while the object is frozen registering is refused, and unregistering works. */
static void rule_38_a_frozen_object_refuses_to_register(void **unused)
{
	struct rig rig;

	(void)unused;
	shape(&rig, 2);
	mirror_init(&a, &rig, NULL, 0, T_1G, 8, 0);
	mirror_init(&b, &rig, NULL, 0, T_1G, 8, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&a), 0);
	assert_int_equal(gms_freeze(rig.state), 0);
	assert_int_equal(mirror_register(&b), -EPERM);
	assert_int_equal(b.calls, 0);
	assert_int_equal(rig_stats(&rig).listeners, 1);
	assert_int_equal(rig_stats(&rig).refused_frozen, 1);
	mirror_forget(&a);
	rig_convert_fails(&rig, 5, 1, GMS_PRIVATE, 0, -EPERM, 5);
	mirror_expect_none(&a);
	mirror_check(&a);
	assert_int_equal(mirror_unregister(&a), 0);
	mirror_check(&a);
	assert_int_equal(gms_thaw(rig.state), 0);
	assert_int_equal(mirror_register(&b), 0);
	mirror_check(&b);
	assert_int_equal(mirror_unregister(&b), 0);
	mirror_fini(&a);
	mirror_fini(&b);
	rig_fini(&rig);
}

/* ---- destroying ---- */

static uint64_t last_number(const struct mirror *m)
{
	assert_true(m->nr_events > 0);
	return m->events[m->nr_events - 1].number;
}

/*
 * Rule 36: gms_state_destroy() withdraws everything, from the listener that was registered last
 * to the first.
 */
static void rule_36_destroy_withdraws_everything(void **unused)
{
	struct mirror_plan plan = {0};
	unsigned int refused;
	struct rig rig;

	(void)unused;
	for (refused = 0; refused < 3; refused++) {
		shape(&rig, 3);
		mirror_init(&a, &rig, &plan, T_1G - 512, 1024, 8, 0);
		mirror_init(&b, &rig, &plan, T_1G - 1024, 2048, 2, GMS_LISTENER_CAN_SPLIT);
		b.pins = true;
		assert_int_equal(mirror_register(&a), 0);
		assert_int_equal(mirror_register(&b), 0);
		mirror_check(&a);
		mirror_check(&b);
		mirror_forget(&a);
		mirror_forget(&b);
		/* gms_state_destroy() goes on after a refusal, and does not try again. */
		if (refused)
			plan_refuse_undo(&plan, refused - 1, refused, -ENXIO, DONE_BUT_ONE);
		rig_fini(&rig);
		plan_refuse_none(&plan);
		assert_true(last_number(&b) < a.events[0].number);
		if (!refused) {
			assert_int_equal(oracle_count(&a.held, 0, NR_PAGES), 0);
			assert_int_equal(oracle_count(&b.held, 0, NR_PAGES), 0);
			mirror_tidy(&a);
			mirror_tidy(&b);
		} else {
			assert_int_equal(plan.refused[1], 1);
			assert_int_equal(oracle_count(&a.held, 0, NR_PAGES), 0);
		}
		assert_string_equal(a.broken, "");
		assert_string_equal(b.broken, "");
		oracle_fini(&a.held);
		oracle_fini(&b.held);
	}
}

/* ---- no memory ---- */

/* Rule 14: registering without memory changes nothing. */
static void rule_14_registering_without_memory_changes_nothing(void **unused)
{
	struct mirror_plan plan;
	struct rig rig;
	uint64_t skip;
	int rc = -1;

	(void)unused;
	init_two(&rig, &plan, false);
	for (skip = 0; rc; skip++) {
		const uint64_t live = rig.talloc.live_blocks;

		talloc_fail(&rig.talloc, skip, skip % 2 ? 1 : UINT64_MAX);
		rc = mirror_register(&b);
		talloc_fail_never(&rig.talloc);
		if (!rc)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_int_equal(rig_stats(&rig).listeners, 1);
		mirror_check(&b);
		/* Pools may keep memory, but the record of the listener is freed. */
		assert_true(rig.talloc.live_blocks <= live + skip);
		rig_check(&rig);
	}
	assert_true(skip > 0);
	mirror_check(&b);
	assert_int_equal(mirror_unregister(&b), 0);
	fini_two(&rig);
}

static void trap_when_refused(struct mirror *m, const struct mirror_call *call)
{
	if (call->number >= m->plan->refusal[0].from)
		talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/* Rule 14: unregistering does not allocate, nor does the undo of registering or its quarantine. */
static void rule_14_no_allocation_in_an_undo(void **unused)
{
	struct mirror_plan plan;
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_two(&rig, &plan, false);
	assert_int_equal(mirror_register(&b), 0);
	talloc_trap(&rig.talloc, TALLOC_TRAP_ALLOC);
	plan_refuse(&plan, 5, 6, -ENXIO, DONE_HALF);
	assert_int_equal(mirror_unregister(&b), -ENXIO);
	assert_int_equal(mirror_unregister(&b), 0);
	talloc_trap(&rig.talloc, 0);
	a.plan = NULL;
	b.hook = trap_when_refused;
	plan_refuse(&plan, 5, 6, -ENXIO, DONE_HALF);
	assert_int_equal(mirror_register(&b), -ENXIO);
	talloc_trap(&rig.talloc, 0);
	rig_check(&rig);
	mirror_check(&b);
	plan_refuse(&plan, 5, 6, -ENXIO, DONE_HALF);
	plan_refuse_undo(&plan, 7, 8, -EXDEV, DONE_HALF);
	assert_int_equal(mirror_register(&b), -ENXIO);
	talloc_trap(&rig.talloc, 0);
	assert_int_equal(plan.refused[1], 1);
	assert_true(rig_stats(&rig).quarantined_pages > 0);
	mirror_check(&a);
	rig_check(&rig);
	for (i = 0; i < NR_PAGES; i++) {
		if (gms_is_quarantined(rig.state, i))
			rig_repair(&rig, i, 1, GMS_SHARED);
	}
	mirror_drop(&b);
	fini_two(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_35_registering_notifies_of_shared_granules),
		cmocka_unit_test(rule_35_runs_at_registering_are_maximal),
		cmocka_unit_test(rule_35_a_refused_registering_is_undone),
		cmocka_unit_test(rule_35_a_refused_undo_of_registering_quarantines),
		cmocka_unit_test(rule_35_a_refused_unregistering_is_undone),
		cmocka_unit_test(rule_35_a_listener_that_refuses_both_counts_as_holding_all),
		cmocka_unit_test(rule_35_unknown_ids_are_refused),
		cmocka_unit_test(rule_35_many_listeners_are_exact),
		cmocka_unit_test(rule_38_a_frozen_object_refuses_to_register),
		cmocka_unit_test(rule_36_destroy_withdraws_everything),
		cmocka_unit_test(rule_14_registering_without_memory_changes_nothing),
		cmocka_unit_test(rule_14_no_allocation_in_an_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
