// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_repair.c - proves that a failed undo ends in a quarantine, which gms_repair() lifts
 *
 * Tests rules 14, 16, 35 and 39. A listener refuses to be restored, or to withdraw. The range is
 * then quarantined, only listeners that refuse hold pages of it, and everything else goes on.
 * gms_repair() makes all agree again. It may fail as well.
 */
#include "mirror.h"

#define NR_PAGES (6 * T_2M)
#define LISTEN_END (4 * T_2M)
#define START 300
#define PAGES 1501

static struct hall hall;

struct setting {
	enum gms_shareability to;
	unsigned int flags;
	unsigned int shape;
	unsigned int order;
	unsigned int folio_order;
	const struct gms_policy_ops *policy;
};

#define NR_SHAPES 3
#define NR_SETTINGS (2 * HALL_ORDERS * NR_SHAPES)

/* Valgrind runs some of the cases only. */
static unsigned int slower(unsigned int step)
{
	return test_on_valgrind() ? 7 * step : step;
}

static void init_setting(const struct setting *set)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = set->folio_order,
		.init_private = set->to == GMS_SHARED,
		.policy = set->policy,
	};
	uint64_t i;

	hall_init(&hall, &opts, set->order, 0, LISTEN_END);
	for (i = START + 20; set->shape == 1 && i < START + PAGES; i += 40)
		hall_converts(&hall, i, 7, set->to);
	if (set->shape == 2) {
		hall_converts(&hall, 0, 310, set->to);
		hall_converts(&hall, START + PAGES - 99, 400, set->to);
		hall_converts(&hall, 900, T_2M, set->to);
	}
	hall_check(&hall);
}

static struct setting setting(unsigned int i)
{
	return (struct setting) {
		.to = i % 2 ? GMS_SHARED : GMS_PRIVATE,
		.flags = i % 3 ? 0 : GMS_CONVERT_RESUMABLE,
		.order = i / 2 % HALL_ORDERS,
		.shape = i / 2 / HALL_ORDERS,
		.folio_order = i % 3 ? GMS_ORDER_2M : GMS_ORDER_4K,
		.policy = rig_policy(i / 3 % RIG_NR_POLICIES),
	};
}

static int convert(const struct setting *set)
{
	return hall_convert(&hall, START, PAGES, set->to, set->flags, NULL);
}

/* Rule 39: only granules of the range are quarantined. Everything else goes on. */
static void expect_quarantine(void)
{
	uint64_t start = 0, nr_pages;
	gms_pgoff_t at;

	assert_true(rig_stats(&hall.rig).quarantined_pages > 0);
	hall_check(&hall);
	assert_true(hall_quarantined(&hall, &start, &nr_pages));
	assert_int_equal(hall_convert(&hall, start, 1, GMS_SHARED, 0, &at), -ENOTRECOVERABLE);
	assert_int_equal(at, start);
	for (; hall_quarantined(&hall, &start, &nr_pages); start += nr_pages)
		assert_true(start + nr_pages <= LISTEN_END);
	hall_converts(&hall, LISTEN_END - 100, 600, GMS_PRIVATE);
	hall_converts(&hall, LISTEN_END - 90, 500, GMS_SHARED);
	hall_converts(&hall, LISTEN_END - 100, 600, GMS_SHARED);
	hall_check(&hall);
}

/* Repairs everything, and checks that all pages convert again. */
static void expect_repaired(unsigned int how)
{
	hall_repair_all(&hall, (enum hall_repair)(how % NR_REPAIRS));
	hall_converts(&hall, 0, NR_PAGES, how % 2 ? GMS_SHARED : GMS_PRIVATE);
	hall_check(&hall);
	hall_converts(&hall, 0, NR_PAGES, how % 2 ? GMS_PRIVATE : GMS_SHARED);
	hall_fini(&hall);
}

/* ---- refusals of listeners ---- */

/*
 * Call @first fails, and of the calls after it @nr fail from the one numbered @skip on. Returns
 * false if there was no such call.
 */
static bool fail_twice(const struct setting *set, uint64_t first, uint64_t skip, uint64_t nr,
		       unsigned int done)
{
	int rc;

	init_setting(set);
	plan_refuse(&hall.plan, first, first + 1, -ENXIO, (enum mirror_done)(done % NR_DONE));
	plan_refuse_undo(&hall.plan, first + 1 + skip, first + 1 + skip + nr, -EXDEV,
			 (enum mirror_done)(done / NR_DONE));
	rc = convert(set);
	plan_refuse_none(&hall.plan);
	if (!rc)
		assert_int_equal(hall.plan.refused[0], 0);
	else
		assert_int_equal(rc, -ENXIO);
	if (!rc || !hall.plan.refused[1]) {
		assert_int_equal(rig_stats(&hall.rig).quarantined_pages, 0);
		hall_fini(&hall);
		return false;
	}
	expect_quarantine();
	expect_repaired(done + (unsigned int)skip);
	return true;
}

/* Rule 16: each call fails in turn, and with it each call of its undo in turn. */
static void rule_16_any_failed_undo_of_a_listener_quarantines(void **unused)
{
	unsigned int i, first, skip, quarantines = 0;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i);
		unsigned int done = i;

		for (first = 0; first < 12; first += slower(1)) {
			/* all pairs take turns: 5 and their number have no common divisor */
			for (skip = 0; fail_twice(&set, first, skip, 1, done); skip++) {
				done = (done + 5) % (NR_DONE * (NR_DONE - 1));
				quarantines++;
			}
		}
	}
	assert_true(quarantines > 100 || test_on_valgrind());
}

/* Rule 16: each call fails in turn, and with it all calls of its undo. */
static void rule_16_failed_undos_of_all_listeners_quarantine(void **unused)
{
	unsigned int i, first, done = 0, quarantines = 0;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i);

		for (first = 0; first < 12; first += slower(1)) {
			done = (done + 5) % (NR_DONE * (NR_DONE - 1));
			quarantines += fail_twice(&set, first, first % 2, UINT64_MAX / 2, done);
		}
	}
	assert_true(quarantines > 50 || test_on_valgrind());
}

/* ---- a hook and a listener ---- */

/* Rule 16: a hook fails, and a listener refuses to be restored. */
static void rule_16_a_failed_undo_after_a_failed_hook_quarantines(void **unused)
{
	unsigned int i, skip, quarantines = 0;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(2)) {
		const struct setting set = setting(i);
		bool refused = true;
		uint64_t calls;

		init_setting(&set);
		calls = hall.plan.calls;
		assert_int_equal(convert(&set), 0);
		calls = hall.plan.calls - calls;
		hall_fini(&hall);
		for (skip = 0; refused; skip++) {
			init_setting(&set);
			plan_refuse_undo(&hall.plan, calls + skip, calls + skip + 1 + skip % 3,
					 -EXDEV, (enum mirror_done)(skip % (NR_DONE - 1)));
			sim_refuse(hall.rig.sim, 1U << (skip % 2 ? SIM_APPLY : SIM_UNMAP_HOST), 0,
				   1, -EFAULT);
			assert_int_equal(convert(&set), -EFAULT);
			sim_refuse(hall.rig.sim, 0, 0, 0, 0);
			plan_refuse_none(&hall.plan);
			refused = hall.plan.refused[1];
			if (refused)
				expect_quarantine();
			quarantines += refused;
			expect_repaired(skip);
		}
	}
	assert_true(quarantines > 30 || test_on_valgrind());
}

/* Rule 39: apply and its undo fail. Listeners also withdraw the pages between the changed runs. */
static void rule_39_a_failed_undo_of_apply_quarantines(void **unused)
{
	unsigned int i, n;

	(void)unused;
	for (i = 0; i < 2 * NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i / 2);

		init_setting(&set);
		/* one run changes, or some do, and the run numbered n is applied in part */
		n = set.shape && i % 2;
		sim_refuse(hall.rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, n, UINT64_MAX, -EFAULT);
		sim_refuse_after(hall.rig.sim, 3);
		assert_int_equal(convert(&set), -EFAULT);
		sim_refuse(hall.rig.sim, 0, 0, 0, 0);
		expect_quarantine();
		expect_repaired(i);
	}
}

static void refuse_hooks(struct mirror *m, const struct mirror_call *call)
{
	const uint64_t *skip = m->arg;

	if (call->number == m->plan->refusal[0].from)
		sim_refuse(m->rig->sim, 1U << SIM_UNDO | RIG_FALLIBLE, *skip, 1, -EFAULT);
}

/*
 * A listener refuses call @first, and hook @skip of the undo fails. Returns false if one of these
 * was not called.
 */
static bool fail_convert_back(const struct setting *set, uint64_t first, uint64_t skip)
{
	const struct sim_call *calls;
	size_t count, i, refused = 0;
	bool quarantined;

	init_setting(set);
	for (i = 0; i < HALL_MIRRORS; i++) {
		hall.mirror[i].hook = refuse_hooks;
		hall.mirror[i].arg = &skip;
	}
	rig_forget(&hall.rig);
	plan_refuse(&hall.plan, first, first + 1, -ENXIO, (enum mirror_done)(skip % NR_DONE));
	if (!convert(set)) {
		plan_refuse_none(&hall.plan);
		hall_fini(&hall);
		return false;
	}
	calls = sim_calls(hall.rig.sim, &count);
	for (i = 0; i < count; i++)
		refused += calls[i].ret == -EFAULT;
	sim_refuse(hall.rig.sim, 0, 0, 0, 0);
	plan_refuse_none(&hall.plan);
	quarantined = rig_stats(&hall.rig).quarantined_pages;
	/* A quarantine needs a failed hook. A failed split in the undo makes none. */
	assert_true(refused || !quarantined);
	if (quarantined)
		expect_quarantine();
	else
		hall_check(&hall);
	expect_repaired((unsigned int)(skip + first));
	return refused;
}

static void rule_16_a_failed_undo_of_the_backend_quarantines(void **unused)
{
	unsigned int i, first, seen = 0;
	uint64_t skip;

	(void)unused;
	for (i = 1; i < NR_SETTINGS; i += slower(2)) {
		const struct setting set = setting(i);

		for (first = 0; first < 12; first += slower(2)) {
			for (skip = 0; fail_convert_back(&set, first, skip);
			     skip += 1 + 6 * (set.shape == 1))
				seen++;
		}
	}
	assert_true(seen > 50 || test_on_valgrind());
}

/* ---- an undo that meets a pin ---- */

static void pin_once(struct mirror *m, const struct mirror_call *call)
{
	const uint64_t *page = m->arg;

	if (page && call->to == GMS_SHARED && !gms_pin(m->rig->state, *page, 1, NULL))
		m->arg = NULL;
}

/*
 * Rule 16: a listener pins a page that the undo has to make private. The page is quarantined, and
 * can be repaired to shared.
 */
static void rule_16_a_new_pin_quarantines(void **unused)
{
	const struct setting set = {.to = GMS_SHARED, .policy = gms_policy_eager()};
	uint64_t start, nr_pages, page = START + 77;
	unsigned int i;

	(void)unused;
	for (i = 0; i < HALL_MIRRORS; i++) {
		init_setting(&set);
		hall.mirror[i].hook = pin_once;
		hall.mirror[i].arg = &page;
		plan_refuse(&hall.plan, 0, 1000, -ENXIO, DONE_NONE);
		hall.plan.refusal[0].mirror = &hall.mirror[1 + i % 2];
		/* A mirror behind the one that refuses is not called, so it does not pin. */
		assert_int_equal(convert(&set), -ENXIO);
		plan_refuse_none(&hall.plan);
		hall.mirror[i].hook = NULL;
		if (hall.mirror[i].arg) {
			assert_int_equal(rig_stats(&hall.rig).quarantined_pages, 0);
			hall_fini(&hall);
			continue;
		}
		assert_true(gms_is_quarantined(hall.rig.state, page));
		assert_false(gms_is_private(hall.rig.state, page));
		expect_quarantine();
		start = 0;
		assert_true(hall_quarantined(&hall, &start, &nr_pages));
		assert_int_equal(gms_repair(hall.rig.state, start, nr_pages, GMS_PRIVATE), -EAGAIN);
		hall_check(&hall);
		hall_repair_all(&hall, REPAIR_SHARED);
		gms_unpin(hall.rig.state, page, 1);
		hall_fini(&hall);
	}
}

static void map_it(struct mirror *m, const struct mirror_call *call)
{
	struct gms_fault fault;

	if (call->to == GMS_SHARED && (rig_fault(m->rig, START + 77, GMS_HOST, &fault) ||
				       rig_fault(m->rig, START + 78, GMS_GUEST, &fault)))
		m->arg = "a shared page cannot be mapped";
}

/* Rule 16: an undo to private unmaps what host and guest have mapped since the conversion. */
static void rule_16_an_undo_unmaps_new_mappings(void **unused)
{
	const struct setting set = {.to = GMS_SHARED, .policy = gms_policy_lazy()};
	gms_pgoff_t at;

	(void)unused;
	init_setting(&set);
	/* The first mirror maps pages, and the last one refuses. */
	hall.mirror[0].hook = map_it;
	plan_refuse(&hall.plan, 0, 1000, -ENXIO, DONE_NONE);
	hall.plan.refusal[0].mirror = &hall.mirror[2];
	assert_int_equal(convert(&set), -ENXIO);
	plan_refuse_none(&hall.plan);
	hall.mirror[0].hook = NULL;
	assert_fine(hall.mirror[0].arg);
	assert_true(gms_is_private(hall.rig.state, START + 77));
	assert_true(sim_next_unmapped(hall.rig.sim, GMS_HOST, START + 77, START + 78, &at));
	assert_true(sim_next_unmapped(hall.rig.sim, GMS_GUEST, START + 78, START + 79, &at));
	hall_fini(&hall);
}

/* ---- repairs that fail ---- */

/* Makes a quarantine of one of several kinds. No mirror refuses from then on. */
static void quarantine(const struct setting *set, unsigned int kind)
{
	unsigned int first = 1;

	do {
		init_setting(set);
		plan_refuse(&hall.plan, first, first + 1, -ENXIO, DONE_HALF);
		plan_refuse_undo(&hall.plan, first + 1 + kind % 2, first + 2 + kind, -EXDEV,
				 (enum mirror_done)(kind % 3));
		assert_int_equal(convert(set), -ENXIO);
		plan_refuse_none(&hall.plan);
		if (!hall.plan.refused[1])
			hall_fini(&hall);
		first++;
		assert_true(first < 12);
	} while (!hall.plan.refused[1]);
	assert_true(rig_stats(&hall.rig).quarantined_pages > 0);
}

/*
 * Each call that gms_repair() makes fails in turn, and @undos after it. Returns the number of
 * repairs.
 */
static unsigned int fail_repair(const struct setting *set, unsigned int kind,
				enum gms_shareability to, unsigned int undos)
{
	uint64_t start = 0, nr_pages, pages, n;
	int rc = -1;

	quarantine(set, kind);
	pages = rig_stats(&hall.rig).quarantined_pages;
	assert_true(hall_quarantined(&hall, &start, &nr_pages));
	for (n = 0; rc; n++) {
		plan_refuse(&hall.plan, n, n + 1, -EPROTO, (enum mirror_done)(n % NR_DONE));
		plan_refuse_undo(&hall.plan, n + 1, n + 1 + undos, -EXDEV,
				 (enum mirror_done)(n / 2 % NR_DONE));
		rc = hall_repair(&hall, start, nr_pages, to);
		plan_refuse_none(&hall.plan);
		assert_int_equal(hall.plan.refused[0], rc ? 1 : 0);
		assert_int_equal(rc, rc ? -EPROTO : 0);
		assert_int_equal(rig_stats(&hall.rig).quarantined_pages,
				 rc ? pages : pages - nr_pages);
		hall_check(&hall);
		/* Each repair gets one call further than the one before. */
		assert_true(n < 1000);
	}
	expect_repaired(kind);
	return (unsigned int)n;
}

static void rule_39_a_refused_repair_keeps_the_quarantine(void **unused)
{
	unsigned int i, n = 0;

	(void)unused;
	for (i = 0; i < 4 * NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i % NR_SETTINGS);

		n += fail_repair(&set, i / NR_SETTINGS, i % 5 ? GMS_SHARED : GMS_PRIVATE, i % 3);
	}
	assert_true(n > 4 * NR_SETTINGS || test_on_valgrind());
}

static void trap_when_refused(struct mirror *m, const struct mirror_call *call)
{
	if (call->number >= m->plan->refusal[0].from)
		talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/* Stops the mirror that pins, because gms_pin() allocates. */
static void stop_pinning(void)
{
	uint64_t i;

	hall.mirror[1].pins = false;
	for (i = 0; i < NR_PAGES; i++) {
		if (gms_first_pin(hall.rig.state, i, 1, NULL))
			gms_unpin(hall.rig.state, i, 1);
	}
}

/* Rule 14: a repair without memory changes nothing. */
static void rule_14_repair_without_memory_changes_nothing(void **unused)
{
	uint64_t start, nr_pages, n;
	unsigned int i, failed = 0;
	int rc;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i);

		quarantine(&set, i % 4);
		stop_pinning();
		start = 0;
		assert_true(hall_quarantined(&hall, &start, &nr_pages));
		for (n = 0, rc = -1; rc; n++) {
			talloc_fail(&hall.rig.talloc, n, 1);
			rc = hall_repair(&hall, start, nr_pages, set.to);
			talloc_fail_never(&hall.rig.talloc);
			assert_int_equal(rc, rc ? -ENOMEM : 0);
			failed += rc != 0;
			hall_check(&hall);
		}
		expect_repaired(i);
	}
	assert_true(failed > 0);
}

/* Rule 14: the undo of a refused repair does not allocate. */
static void rule_14_no_allocation_in_a_refused_repair(void **unused)
{
	unsigned int i, k, refused = 0;
	uint64_t start, nr_pages;

	(void)unused;
	for (i = 0; i < 2 * NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i / 2);
		const uint64_t n = i % 3;

		quarantine(&set, i % 4);
		stop_pinning();
		start = 0;
		assert_true(hall_quarantined(&hall, &start, &nr_pages));
		for (k = 0; k < HALL_MIRRORS; k++)
			hall.mirror[k].hook = trap_when_refused;
		plan_refuse(&hall.plan, n, n + 1, -EPROTO, DONE_HALF);
		if (i % 2)
			plan_refuse_undo(&hall.plan, n + 1, n + 2, -EXDEV, DONE_NONE);
		(void)hall_repair(&hall, start, nr_pages, GMS_SHARED);
		talloc_trap(&hall.rig.talloc, 0);
		refused += hall.plan.refused[0] > 0;
		plan_refuse_none(&hall.plan);
		for (k = 0; k < HALL_MIRRORS; k++)
			hall.mirror[k].hook = NULL;
		hall_check(&hall);
		expect_repaired(i);
	}
	assert_true(refused > 0);
}

/* ---- registering and unregistering ---- */

/* Rules 35 and 39: a new listener is not notified of quarantined granules until the repair. */
static void rule_35_registering_leaves_out_a_quarantine(void **unused)
{
	static struct mirror late[2];
	unsigned int i, k;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i);

		quarantine(&set, i % 4);
		for (k = 0; k < 2; k++) {
			mirror_init(&late[k], &hall.rig, NULL, 0, LISTEN_END, k ? 64 : 2,
				    k ? 0 : GMS_LISTENER_CAN_SPLIT);
			assert_int_equal(mirror_register(&late[k]), 0);
			mirror_check(&late[k]);
		}
		/* Unregistering does not withdraw them either. */
		assert_int_equal(mirror_unregister(&late[0]), 0);
		assert_int_equal(mirror_register(&late[0]), 0);
		hall_repair_all(&hall, (enum hall_repair)(i % NR_REPAIRS));
		for (k = 0; k < 2; k++) {
			mirror_check(&late[k]);
			assert_int_equal(mirror_unregister(&late[k]), 0);
			mirror_check(&late[k]);
			mirror_fini(&late[k]);
		}
		hall_fini(&hall);
	}
}

/* Rule 35: a listener that has refused an undo can be unregistered. The quarantine stays. */
static void rule_35_unregistering_keeps_a_quarantine(void **unused)
{
	unsigned int i, k;

	(void)unused;
	for (i = 0; i < NR_SETTINGS; i += slower(1)) {
		const struct setting set = setting(i);
		uint64_t pages;

		quarantine(&set, i % 4);
		pages = rig_stats(&hall.rig).quarantined_pages;
		for (k = 0; k < HALL_MIRRORS; k++) {
			assert_int_equal(mirror_unregister(&hall.mirror[k]), 0);
			mirror_check(&hall.mirror[k]);
			assert_int_equal(oracle_count(&hall.mirror[k].held, 0, NR_PAGES), 0);
		}
		assert_int_equal(rig_stats(&hall.rig).quarantined_pages, pages);
		for (k = 0; k < HALL_MIRRORS; k++)
			assert_int_equal(mirror_register(&hall.mirror[k]), 0);
		hall_check(&hall);
		expect_repaired(i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_16_any_failed_undo_of_a_listener_quarantines),
		cmocka_unit_test(rule_16_failed_undos_of_all_listeners_quarantine),
		cmocka_unit_test(rule_16_a_failed_undo_after_a_failed_hook_quarantines),
		cmocka_unit_test(rule_39_a_failed_undo_of_apply_quarantines),
		cmocka_unit_test(rule_16_a_failed_undo_of_the_backend_quarantines),
		cmocka_unit_test(rule_16_a_new_pin_quarantines),
		cmocka_unit_test(rule_16_an_undo_unmaps_new_mappings),
		cmocka_unit_test(rule_39_a_refused_repair_keeps_the_quarantine),
		cmocka_unit_test(rule_14_repair_without_memory_changes_nothing),
		cmocka_unit_test(rule_14_no_allocation_in_a_refused_repair),
		cmocka_unit_test(rule_35_registering_leaves_out_a_quarantine),
		cmocka_unit_test(rule_35_unregistering_keeps_a_quarantine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
