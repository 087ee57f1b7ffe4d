// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener.c - bugs of listeners, and of quarantines that they have a part in, that
 * were found by review: each test fails without the fix
 *
 * What needs threads is in listener_threads.c.
 */
#include "mirror.h"

#define BATCH ((uint64_t)GMS_LISTENER_BATCH)

static const struct rig_opts small = {.nr_pages = 8 * T_2M};
static const struct rig_opts two_blocks = {.nr_pages = 2 * T_1G};

/* Mirrors of one object, of which the first is told first. Granule 1: a run a page. */
static struct {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[2];
	unsigned int nr;
} them;

static struct mirror *const first = &them.mirror[0], *const second = &them.mirror[1];

static void init_idle(const struct rig_opts *opts)
{
	memset(&them.plan, 0, sizeof(them.plan));
	them.nr = 0;
	rig_init(&them.rig, opts);
}

static void enlist(unsigned int count, uint64_t nr_pages, uint64_t granule, unsigned int flags)
{
	for (; count; count--) {
		struct mirror *m = &them.mirror[them.nr++];

		mirror_init(m, &them.rig, &them.plan, 0, nr_pages, granule, flags);
		assert_int_equal(mirror_register(m), 0);
	}
}

static void check(void)
{
	plan_refuse_none(&them.plan);
	for (unsigned int i = 0; i < them.nr; i++)
		mirror_check(&them.mirror[i]);
	rig_check(&them.rig);
}

static void forget(void)
{
	for (unsigned int i = 0; i < them.nr; i++)
		mirror_forget(&them.mirror[i]);
	rig_forget(&them.rig);
}

static void fini(void)
{
	check();
	for (unsigned int i = 0; i < them.nr; i++) {
		struct mirror *m = &them.mirror[i];

		if (m->live)
			assert_int_equal(mirror_unregister(m), 0);
		mirror_fini(m);
	}
	assert_int_equal(rig_stats(&them.rig).listeners, 0);
	assert_int_equal(rig_stats(&them.rig).surplus_unpins, 0);
	rig_fini(&them.rig);
}

static uint64_t held(const struct mirror *m, uint64_t start, uint64_t nr_pages)
{
	return oracle_count(&m->held, start, nr_pages);
}

/* How many runs it was told of. */
static uint64_t told(const struct mirror *m, enum gms_shareability to)
{
	uint64_t count = 0;

	assert_true(m->nr_events <= MIRROR_EVENTS);
	for (uint64_t i = 0; i < m->nr_events; i++)
		count += m->events[i].to == to;
	return count;
}

static bool guest_maps(gms_pgoff_t index)
{
	gms_pgoff_t unmapped;

	return !sim_next_unmapped(them.rig.sim, GMS_GUEST, index, index + 1, &unmapped);
}

/* [10, 13) without the page between is to become @to: the 2nd apply fails, and so does the undo. */
static void quarantine_with_a_gap(enum gms_shareability to)
{
	sim_refuse(them.rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	rig_convert_fails(&them.rig, 10, 3, to, 0, -EIO, 10);
	for (gms_pgoff_t i = 10; i < 13; i++)
		assert_true(gms_is_quarantined(them.rig.state, i));
}

/* ---- quarantine ---- */

static void repair_what_the_guest_maps(enum gms_shareability from, enum gms_shareability to)
{
	init_idle(&small);
	rig_convert(&them.rig, 10, 3, to);
	rig_convert(&them.rig, 11, 1, from);
	rig_faults(&them.rig, 11, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_true(guest_maps(11));
	quarantine_with_a_gap(from);
	rig_repair(&them.rig, 10, 3, to);
	assert_false(guest_maps(11));
	fini();
}

/*
 * Rule 39 was broken: a page between two that changed was quarantined with them and repaired, and
 * never zapped.
 */
static void a_page_goes_private_under_a_mapping_of_the_guest(void **unused)
{
	(void)unused;
	repair_what_the_guest_maps(GMS_SHARED, GMS_PRIVATE);
}

/* Rule 39 was broken for a page that a repair makes shared, too. */
static void a_page_goes_shared_under_a_mapping_of_the_guest(void **unused)
{
	(void)unused;
	repair_what_the_guest_maps(GMS_PRIVATE, GMS_SHARED);
}

/*
 * Rule 39 was broken: a listener that had refused to withdraw one page did not withdraw what lay
 * between the pages of another quarantine.
 */
static void who_is_stuck_elsewhere_keeps_a_gap(void **unused)
{
	(void)unused;
	init_idle(&small);
	rig_convert(&them.rig, 2000, 1, GMS_PRIVATE);
	enlist(2, small.nr_pages, 1, 0);
	plan_refuse(&them.plan, 1, 2, -ENXIO, DONE_NONE);
	plan_refuse_undo(&them.plan, 2, 3, -EXDEV, DONE_NONE);
	rig_convert_fails(&them.rig, 2000, 1, GMS_SHARED, 0, -ENXIO, 2000);
	plan_refuse_none(&them.plan);
	assert_true(gms_is_quarantined(them.rig.state, 2000));
	assert_int_equal(held(first, 2000, 1), 1);

	rig_convert(&them.rig, 10, 1, GMS_PRIVATE);
	rig_convert(&them.rig, 12, 1, GMS_PRIVATE);
	forget();
	quarantine_with_a_gap(GMS_SHARED);
	mirror_expect_events(first, TAKE(11, 1));
	mirror_expect_events(second, TAKE(11, 1));
	assert_int_equal(held(first, 10, 3), 0);
	rig_repair(&them.rig, 10, 3, GMS_SHARED);
	rig_repair(&them.rig, 2000, 1, GMS_SHARED);
	fini();
}

/* ---- letting go for good ---- */

/*
 * Rule 36 was broken: after one refused batch the listener had its other batches restored, and
 * was not asked to withdraw them again.
 */
static void destroy_leaves_with_a_listener_what_it_would_let_go(void **unused)
{
	uint64_t batch;

	(void)unused;
	for (batch = 0; batch < 4; batch++) {
		const uint64_t kept = batch % 2 ? BATCH / 2 : BATCH;

		init_idle(&small);
		enlist(2, 4 * BATCH, 1, 0);
		check();
		forget();
		/* the second is told first */
		plan_refuse(&them.plan, batch, batch + 1, -EIO, batch % 2 ? DONE_HALF : DONE_NONE);
		rig_fini(&them.rig);
		assert_int_equal(held(second, batch * BATCH, BATCH), kept);
		for (unsigned int i = 0; i < 2; i++) {
			struct mirror *m = &them.mirror[i];

			assert_int_equal(told(m, GMS_SHARED), 0);
			assert_int_equal(told(m, GMS_PRIVATE), 4 * BATCH);
			mirror_tidy(m);
			assert_int_equal(held(m, 0, 4 * BATCH), m == second ? kept : 0);
			m->live = false;
			oracle_store(&m->held, 0, small.nr_pages, false);
			mirror_fini(m);
		}
	}
}

/*
 * Rules 16 and 39 were broken: after one refused batch a listener was not asked to withdraw the
 * rest of what was quarantined.
 */
static void an_undo_ends_at_the_first_refused_batch(void **unused)
{
	uint64_t batch;

	(void)unused;
	for (batch = 0; batch < 4; batch++) {
		init_idle(&small);
		rig_convert(&them.rig, 0, 4 * BATCH, GMS_PRIVATE);
		enlist(2, small.nr_pages, 1, 0);
		plan_refuse(&them.plan, 4, 5, -ENXIO, DONE_NONE);
		plan_refuse_undo(&them.plan, 5 + batch, 6 + batch, -EXDEV, DONE_NONE);
		forget();
		rig_convert_fails(&them.rig, 0, 4 * BATCH, GMS_SHARED, 0, -ENXIO, 0);
		assert_int_equal(them.plan.refused[1], 1);
		assert_true(gms_is_quarantined(them.rig.state, batch * BATCH));
		assert_int_equal(told(first, GMS_PRIVATE), 4 * BATCH);
		assert_int_equal(held(first, 0, 4 * BATCH), BATCH);
		assert_int_equal(held(first, batch * BATCH, BATCH), BATCH);
		check();
		rig_repair(&them.rig, 0, 4 * BATCH, GMS_SHARED);
		fini();
	}
}

/*
 * Rules 16 and 39 were broken where a listener refuses to have batches restored that it had
 * withdrawn: two of them, or the second.
 */
static void a_refused_give_back_ends_at_the_first_refused_batch(void **unused)
{
	(void)unused;
	for (uint64_t back = 0; back < 2; back++) {
		init_idle(&small);
		enlist(1, small.nr_pages, 1, 0);
		plan_refuse(&them.plan, 2, 3, -ENXIO, DONE_NONE);
		plan_refuse_undo(&them.plan, 3 + back, 4 + back, -EXDEV, DONE_NONE);
		rig_convert_fails(&them.rig, 0, 4 * BATCH, GMS_PRIVATE, 0, -ENXIO, 0);
		assert_int_equal(them.plan.refused[1], 1);
		assert_int_equal(held(first, 0, 4 * BATCH), 0);
		check();
		rig_repair(&them.rig, 0, 4 * BATCH, GMS_SHARED);

		/* And then it refuses the third once more, but not the fourth. */
		plan_refuse(&them.plan, 2, 3, -ENXIO, DONE_NONE);
		plan_refuse_undo(&them.plan, 3 + back, 5 + back, -EXDEV, DONE_NONE);
		rig_convert_fails(&them.rig, 0, 4 * BATCH, GMS_PRIVATE, 0, -ENXIO, 0);
		assert_int_equal(them.plan.refused[1], 2);
		assert_int_equal(held(first, 0, 4 * BATCH), BATCH);
		assert_int_equal(held(first, 2 * BATCH, BATCH), BATCH);
		check();
		rig_repair(&them.rig, 0, 4 * BATCH, GMS_PRIVATE);
		fini();
	}
}

/* ---- unregistering ---- */

/*
 * Rule 35 was broken: a listener stayed registered without what could not be restored, and
 * counted as having it.
 */
static void unregister_leaves_a_listener_with_a_part(void **unused)
{
	(void)unused;
	for (uint64_t back = 0; back < 2; back++) {
		init_idle(&small);
		enlist(1, 4 * BATCH, 1, 0);
		forget();
		/* Lets go of two batches, and refuses the third, and to have the one or other back. */
		plan_refuse(&them.plan, 2, 3, -EBUSY, DONE_NONE);
		plan_refuse_undo(&them.plan, 3 + back, 4 + back, -EXDEV, DONE_NONE);
		assert_int_equal(mirror_unregister(first), 0);
		assert_int_equal(them.plan.refused[1], 1);
		assert_int_equal(held(first, 0, 4 * BATCH), 0);
		assert_int_equal(told(first, GMS_SHARED), (1 + back) * BATCH);
		assert_int_equal(told(first, GMS_PRIVATE), (5 + back) * BATCH);
		fini();
	}
}

/* Rules 35 and 38: while the object is frozen, VFIO cannot pin again what it had unpinned. */
static void unregister_while_frozen_leaves_a_listener_with_a_part(void **unused)
{
	(void)unused;
	init_idle(&small);
	mirror_init(first, &them.rig, &them.plan, 0, 4 * BATCH, 1, 0);
	first->pins = true;
	them.nr = 1;
	assert_int_equal(mirror_register(first), 0);
	assert_int_equal(gms_freeze(them.rig.state), 0);
	plan_refuse(&them.plan, 1, 2, -EBUSY, DONE_HALF);
	assert_int_equal(mirror_unregister(first), 0);
	assert_int_equal(them.plan.refused[0], 1);
	assert_int_equal(held(first, 0, 4 * BATCH), 0);
	assert_false(gms_first_pin(them.rig.state, 0, 4 * BATCH, NULL));
	gms_thaw(them.rig.state);
	rig_convert(&them.rig, 0, 4, GMS_PRIVATE);
	fini();
}

/*
 * Rule 35: a listener refuses to withdraw a part, to have the rest restored, and to withdraw all.
 * It stays registered, and counts as having all.
 */
static void unregister_loses_a_listener_that_keeps_a_part(void **unused)
{
	(void)unused;
	init_idle(&small);
	enlist(1, 4 * BATCH, 1, 0);
	plan_refuse(&them.plan, 1, 4, -EBUSY, DONE_NONE);
	forget();
	assert_int_equal(mirror_unregister(first), -EBUSY);
	assert_int_equal(them.plan.refused[0], 3);
	assert_int_equal(told(first, GMS_PRIVATE), 5 * BATCH);
	assert_int_equal(held(first, 0, 4 * BATCH), BATCH);
	assert_int_equal(held(first, BATCH, BATCH), BATCH);
	assert_int_equal(rig_stats(&them.rig).listeners, 1);
	plan_refuse_none(&them.plan);
	forget();
	assert_int_equal(mirror_unregister(first), 0);
	assert_int_equal(told(first, GMS_PRIVATE), 4 * BATCH);
	fini();
}

/* ---- memory ---- */

/* Maps what it is given. From then on no allocation is allowed. */
static void map_and_trap(struct mirror *m, const struct mirror_call *call)
{
	struct gms_fault fault;

	if (call->to == GMS_PRIVATE)
		return;
	for (size_t i = 0; i < call->count; i++)
		assert_int_equal(rig_fault(m->rig, call->runs[i].start, GMS_HOST, &fault), 0);
	talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/* Two pages are refused, in a 2M that is mapped but for them: they are unmapped again. */
static void refuse_without_memory(bool quarantine)
{
	init_idle(&two_blocks);
	assert_int_equal(gms_allocate(them.rig.state, 0, two_blocks.nr_pages, NULL), 0);
	rig_pin(&them.rig, 0, T_2M);
	gms_unpin(them.rig.state, 0, T_2M);
	rig_convert(&them.rig, 100, 2, GMS_PRIVATE);
	enlist(1, T_2M, 1, 0);
	for (unsigned int round = 0; round < 3; round++) {
		plan_refuse(&them.plan, 0, 1, -ENXIO, quarantine ? DONE_HALF : DONE_NONE);
		plan_refuse_undo(&them.plan, quarantine ? 1 : 2, 2, -EXDEV, DONE_NONE);
		first->hook = map_and_trap;
		rig_convert_fails(&them.rig, 100, 2, GMS_SHARED, 0, -ENXIO, 100);
		talloc_trap(&them.rig.talloc, 0);
		assert_fine(talloc_check(&them.rig.talloc));
		first->hook = NULL;
		plan_refuse_none(&them.plan);
		assert_int_equal(gms_is_quarantined(them.rig.state, 100), quarantine);
		if (quarantine)
			rig_repair(&them.rig, 100, 2, GMS_PRIVATE);
		rig_forget(&them.rig);
	}
	fini();
}

/*
 * Rule 14 was broken: the undo unmapped what the host had mapped meanwhile, and allocated memory
 * to note that.
 */
static void a_conversion_back_allocates(void **unused)
{
	(void)unused;
	refuse_without_memory(false);
}

/* Rule 14 was broken: a quarantine that unmapped allocated memory, too. */
static void a_quarantine_allocates(void **unused)
{
	(void)unused;
	refuse_without_memory(true);
}

/* ---- pins by folio ---- */

static const struct rig_opts by_folio = {
	.nr_pages = 8 * T_2M,
	.folio_order = GMS_ORDER_2M,
	.sim_flags = GMS_BACKEND_PINS_BY_FOLIO,
	.policy = &rig_never_splits,
};

/*
 * Rules 16 and 29 were broken: the undo failed for a pin elsewhere in the folio, beside which the
 * page had been private before.
 */
static void an_old_pin_in_the_folio_makes_a_refusal_a_quarantine(void **unused)
{
	(void)unused;
	init_idle(&by_folio);
	assert_int_equal(gms_allocate(them.rig.state, 0, T_2M, NULL), 0);
	rig_convert(&them.rig, 0, 1, GMS_PRIVATE);
	rig_pin(&them.rig, 100, 1);
	enlist(1, T_2M, 1, 0);
	plan_refuse(&them.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&them.rig, 0, 1, GMS_SHARED, 0, -ENXIO, 0);
	assert_int_equal(them.plan.refused[0], 1);
	assert_int_equal(gms_folio_order(them.rig.state, 0), GMS_ORDER_2M);
	assert_false(gms_is_quarantined(them.rig.state, 0));
	assert_true(gms_is_private(them.rig.state, 0));
	check();
	rig_convert(&them.rig, 0, 1, GMS_SHARED);
	gms_unpin(them.rig.state, 100, 1);
	fini();
}

/* ---- counters ---- */

static void expect_undone(uint64_t undone)
{
	assert_int_equal(rig_stats(&them.rig).undone, undone);
}

/* It was given back what it had let go of: nothing was said to have been undone. */
static void undone_misses_who_had_let_go(void **unused)
{
	(void)unused;
	init_idle(&small);
	enlist(2, small.nr_pages, 1, 0);
	plan_refuse(&them.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&them.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	expect_undone(0); /* the first to be asked has done nothing */
	plan_refuse(&them.plan, 1, 2, -ENXIO, DONE_NONE);
	rig_convert_fails(&them.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	expect_undone(1);
	plan_refuse(&them.plan, 0, 1, -ENXIO, DONE_HALF);
	rig_convert_fails(&them.rig, 0, 4, GMS_PRIVATE, 0, -ENXIO, 0);
	expect_undone(2);
	fini();
}

/* A pin was in the way of pages in no granule that anybody had: there was nothing to undo. */
static void undone_counts_where_nobody_was_called(void **unused)
{
	(void)unused;
	init_idle(&small);
	rig_convert(&them.rig, 0, 1, GMS_PRIVATE);
	enlist(1, small.nr_pages, T_2M, 0);
	rig_pin(&them.rig, 5, 1);
	forget();
	rig_convert_fails(&them.rig, 1, 10, GMS_PRIVATE, 0, -EAGAIN, 5);
	mirror_expect_none(first);
	expect_undone(0);
	/* It has the next one. */
	rig_convert_fails(&them.rig, 1, T_2M, GMS_PRIVATE, 0, -EAGAIN, 5);
	mirror_expect_events(first, TAKE(T_2M, T_2M), GIVE(T_2M, T_2M));
	expect_undone(1);
	gms_unpin(them.rig.state, 5, 1);
	fini();
}

/* ---- a page that the backend finds in use ---- */

/* The apply after @skip others says that it has done @after pages of its run, and is in use. */
static void find_in_use(uint64_t skip, uint64_t after)
{
	sim_refuse(them.rig.sim, 1U << SIM_APPLY, skip, 1, -EAGAIN);
	sim_refuse_after(them.rig.sim, after);
}

static void expect_named(enum gms_shareability to, enum gms_shareability from)
{
	init_idle(&small);
	enlist(2, small.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	rig_convert(&them.rig, 10, 8, from);
	rig_convert(&them.rig, 12, 1, to);
	find_in_use(1, 2); /* of [13, 18) */
	rig_convert_fails(&them.rig, 10, 8, to, 0, -EAGAIN, 15);
	assert_true(gms_range_is(them.rig.state, 10, 2, from));
	assert_true(gms_range_is(them.rig.state, 13, 5, from));
	expect_undone(1);
	check();
	find_in_use(1, 2);
	rig_convert_fails(&them.rig, 10, 8, to, GMS_CONVERT_RESUMABLE, -EAGAIN, 15);
	assert_true(gms_range_is(them.rig.state, 10, 5, to));
	assert_true(gms_range_is(them.rig.state, 15, 3, from));
	check();
	/* Where it does not say it is the run's first; and at that a resumable one stops. */
	find_in_use(0, 0);
	rig_convert_fails(&them.rig, 10, 8, to, 0, -EAGAIN, 15);
	find_in_use(0, 0);
	rig_convert_fails(&them.rig, 15, 3, to, GMS_CONVERT_RESUMABLE, -EAGAIN, 15);
	assert_true(gms_range_is(them.rig.state, 15, 3, from));
	rig_convert(&them.rig, 10, 8, to);
	fini();
}

/* Where that cannot be undone none is named, and what comes before it is not converted. */
static void expect_none_named(unsigned int flags)
{
	init_idle(&small);
	enlist(1, small.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	sim_refuse(them.rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EAGAIN);
	sim_refuse_after(them.rig.sim, 3);
	rig_convert_fails(&them.rig, 10, 8, GMS_PRIVATE, flags, -EAGAIN, 10);
	assert_int_equal(rig_stats(&them.rig).quarantined_pages, 8);
	assert_true(gms_is_quarantined(them.rig.state, 10));
	check();
	rig_repair(&them.rig, 10, 8, GMS_SHARED);
	fini();
}

/*
 * Rule 17 was broken: apply had named the page in use, and err_index was the start of the range.
 */
static void eagain_of_apply_names_no_page(void **unused)
{
	(void)unused;
	expect_named(GMS_PRIVATE, GMS_SHARED);
	expect_named(GMS_SHARED, GMS_PRIVATE);
	expect_none_named(0);
	expect_none_named(GMS_CONVERT_RESUMABLE);
}

/*
 * Rules 17 and 39 were broken: a listener refused to have pages restored, and the call went on
 * with the range that it had quarantined.
 */
static void resumable_runs_into_its_own_quarantine(void **unused)
{
	unsigned int flags;

	(void)unused;
	for (flags = 0; flags <= GMS_CONVERT_RESUMABLE; flags++) {
		init_idle(&small);
		enlist(1, small.nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
		sim_refuse(them.rig.sim, 1U << SIM_APPLY, 0, 1, -EAGAIN);
		sim_refuse_after(them.rig.sim, 3);
		plan_refuse(&them.plan, 1, 2, -EXDEV, DONE_NONE);
		rig_convert_fails(&them.rig, 10, 8, GMS_PRIVATE, flags, -EAGAIN, flags ? 10 : 13);
		plan_refuse_none(&them.plan);
		assert_int_equal(rig_stats(&them.rig).quarantined_pages, 8);
		assert_int_equal(rig_stats(&them.rig).refused_quarantined, 0);
		check();
		rig_repair(&them.rig, 10, 8, GMS_SHARED);
		fini();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_goes_private_under_a_mapping_of_the_guest),
		cmocka_unit_test(a_page_goes_shared_under_a_mapping_of_the_guest),
		cmocka_unit_test(who_is_stuck_elsewhere_keeps_a_gap),
		cmocka_unit_test(destroy_leaves_with_a_listener_what_it_would_let_go),
		cmocka_unit_test(an_undo_ends_at_the_first_refused_batch),
		cmocka_unit_test(a_refused_give_back_ends_at_the_first_refused_batch),
		cmocka_unit_test(unregister_leaves_a_listener_with_a_part),
		cmocka_unit_test(unregister_while_frozen_leaves_a_listener_with_a_part),
		cmocka_unit_test(unregister_loses_a_listener_that_keeps_a_part),
		cmocka_unit_test(a_conversion_back_allocates),
		cmocka_unit_test(a_quarantine_allocates),
		cmocka_unit_test(an_old_pin_in_the_folio_makes_a_refusal_a_quarantine),
		cmocka_unit_test(undone_misses_who_had_let_go),
		cmocka_unit_test(undone_counts_where_nobody_was_called),
		cmocka_unit_test(eagain_of_apply_names_no_page),
		cmocka_unit_test(resumable_runs_into_its_own_quarantine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
