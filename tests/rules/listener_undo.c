// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_undo.c - proves that a conversion that is refused changes nothing for listeners
 *
 * Tests rules 14, 16, 36 and 39. Each call of each listener, each hook and each allocation fails
 * in turn, in conversions of many shapes to private and to shared. Nothing has changed then.
 * listener_repair.c tests undos that fail.
 */
#include "mirror.h"

/* The small object is in one shard. In the large one the range lies across the edge of two. */
#define SMALL_PAGES (6 * T_2M)
#define LARGE_PAGES (T_1G + 2 * T_2M + 8)

static struct hall hall;

struct setting {
	bool large;
	enum gms_shareability to;
	unsigned int flags;
	unsigned int shape;
	unsigned int order;
	unsigned int folio_order;
	const struct gms_policy_ops *policy;
};

static uint64_t first_page(const struct setting *set)
{
	return set->large ? T_1G - 2 * T_2M : 0;
}

/* The start of the range. Both ends of the range lie inside granules of 8 and of 2M. */
static uint64_t range_start(const struct setting *set)
{
	return first_page(set) + 300;
}

#define RANGE_PAGES 1501

#define NR_SHAPES 4

/*
 * In shape 0 the whole range changes. In the other shapes some pages have the wanted state
 * already: in shape 1, 7 of every 40; in shape 2, both ends; in shape 3, every other page of 200
 * in the middle.
 */
static void make_shape(const struct setting *set)
{
	const uint64_t start = range_start(set), end = start + RANGE_PAGES;
	uint64_t i;

	switch (set->shape) {
	case 1:
		for (i = start + 20; i < end; i += 40)
			hall_converts(&hall, i, 7, set->to);
		break;
	case 2:
		hall_converts(&hall, first_page(set), 308, set->to);
		hall_converts(&hall, end - 200, 400, set->to);
		break;
	case 3:
		for (i = start + 211; i < start + 411; i += 2)
			hall_converts(&hall, i, 1, set->to);
		break;
	default:
		break;
	}
}

static void init_setting(const struct setting *set)
{
	const struct rig_opts opts = {
		.nr_pages = set->large ? LARGE_PAGES : SMALL_PAGES,
		.folio_order = set->folio_order,
		.init_private = set->to == GMS_SHARED,
		.policy = set->policy,
	};
	const uint64_t first = first_page(set);

	hall_init(&hall, &opts, set->order, first, first + 4 * T_2M);
	make_shape(set);
	hall_check(&hall);
}

static int convert(const struct setting *set, gms_pgoff_t *err_index)
{
	return hall_convert(&hall, range_start(set), RANGE_PAGES, set->to, set->flags, err_index);
}

/* Calls fn for one of every @step settings. Valgrind runs fewer of them. */
static void each_setting(void (*fn)(const struct setting *set), bool large, unsigned int step)
{
	unsigned int i;

	if (test_on_valgrind())
		step = 29;
	for (i = 0; i < 2 * 2 * HALL_ORDERS * NR_SHAPES; i++) {
		const struct setting set = {
			.large = large,
			.to = i % 2 ? GMS_SHARED : GMS_PRIVATE,
			.flags = i / 2 % 2 ? GMS_CONVERT_RESUMABLE : 0,
			.order = i / 4 % HALL_ORDERS,
			.shape = i / 4 / HALL_ORDERS,
			.folio_order = i % 3 ? GMS_ORDER_2M : GMS_ORDER_4K,
			.policy = rig_policy(i / 3 % RIG_NR_POLICIES),
		};

		if (i % step == 0)
			fn(&set);
	}
}

/* Checks that no page from @at on has changed. A resumable conversion may have changed a block. */
static void expect_failed(const struct setting *set, int rc, int err, gms_pgoff_t at)
{
	const uint64_t start = range_start(set);

	assert_int_equal(rc, err);
	assert_true(at == start || (set->large && set->flags && at == T_1G));
	assert_int_equal(rig_stats(&hall.rig).quarantined_pages, 0);
	hall_check(&hall);
}

/* ---- listeners ---- */

/* Makes the setting again after a part of it was converted. */
static void make_setting_again(const struct setting *set)
{
	plan_refuse_none(&hall.plan);
	hall_fini(&hall);
	init_setting(set);
}

static unsigned int refused_late; /* after the first block was converted */

/* Each call of each listener fails in turn, once with each value of enum mirror_done. */
static void fail_each_listener(const struct setting *set)
{
	unsigned int done;

	for (done = 0; done < NR_DONE; done++) {
		gms_pgoff_t at;
		uint64_t n;
		int rc = -1;

		init_setting(set);
		for (n = 0; rc; n++) {
			plan_refuse(&hall.plan, n, n + 1, -ENXIO, (enum mirror_done)done);
			rc = convert(set, &at);
			assert_int_equal(hall.plan.refused[0], rc ? 1 : 0);
			if (rc)
				expect_failed(set, rc, -ENXIO, at);
			if (rc && at > range_start(set)) {
				make_setting_again(set);
				refused_late++;
			}
		}
		plan_refuse_none(&hall.plan);
		assert_true(n > 3);
		assert_int_equal(convert(set, &at), 0);
		hall_fini(&hall);
	}
}

static void rule_16_any_refusal_changes_nothing(void **unused)
{
	(void)unused;
	each_setting(fail_each_listener, false, 1);
}

static void rule_16_any_refusal_changes_nothing_across_blocks(void **unused)
{
	(void)unused;
	refused_late = 0;
	each_setting(fail_each_listener, true, 3);
	assert_true(refused_late > 0 || test_on_valgrind());
}

/* ---- the backend ---- */

static unsigned int hooks_seen;

static void note_refused(int err)
{
	const struct sim_call *calls;
	size_t count, i;

	calls = sim_calls(hall.rig.sim, &count);
	for (i = 0; i < count; i++)
		if (calls[i].ret == err)
			hooks_seen |= 1U << calls[i].hook;
}

/*
 * Calls of hooks fail in turn: each one, or in the odd shapes every 13th. The listeners hold what
 * they held.
 */
static void fail_each_hook(const struct setting *set)
{
	/* a conversion of an odd shape makes about a thousand calls of hooks */
	const uint64_t stride = set->shape % 2 ? 13 : 1;
	gms_pgoff_t at;
	uint64_t n;
	int rc = -1;

	init_setting(set);
	for (n = 0; rc; n += stride) {
		sim_refuse(hall.rig.sim, RIG_FALLIBLE, n, 1, -EFAULT);
		sim_refuse_after(hall.rig.sim, n % 3 ? 0 : 5);
		rc = convert(set, &at);
		sim_refuse(hall.rig.sim, 0, 0, 0, 0);
		if (rc)
			note_refused(-EFAULT);
		if (rc)
			expect_failed(set, rc, -EFAULT, at);
		if (rc && at > range_start(set))
			make_setting_again(set);
	}
	assert_true(n > 1);
	assert_int_equal(convert(set, &at), 0);
	hall_fini(&hall);
}

static void rule_16_any_failed_hook_restores_listeners(void **unused)
{
	(void)unused;
	hooks_seen = 0;
	each_setting(fail_each_hook, false, 1);
	if (!test_on_valgrind())
		assert_int_equal(hooks_seen & RIG_FALLIBLE, RIG_FALLIBLE);
}

static void rule_16_any_failed_hook_restores_listeners_across_blocks(void **unused)
{
	(void)unused;
	each_setting(fail_each_hook, true, 5);
}

/* ---- order ---- */

static const struct rig_opts small_shared = {.nr_pages = SMALL_PAGES, .folio_order = GMS_ORDER_2M};

/* Checks that the mirrors were called in this order. */
static void expect_order(const unsigned int *order, unsigned int nr, size_t event)
{
	unsigned int i;

	for (i = 1; i < nr; i++) {
		assert_true(hall.mirror[order[i - 1]].nr_events > event);
		assert_true(hall.mirror[order[i]].nr_events > event);
		assert_true(hall.mirror[order[i - 1]].events[event].number <
			    hall.mirror[order[i]].events[event].number);
	}
}

static void forget_all(void)
{
	unsigned int i;

	for (i = 0; i < HALL_MIRRORS; i++)
		mirror_forget(&hall.mirror[i]);
	rig_forget(&hall.rig);
}

/* Rule 36: conversions of both kinds call listeners in the order in which they were registered. */
static void rule_36_calls_are_in_the_order_of_registering(void **unused)
{
	const unsigned int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}};
	unsigned int i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		hall_init(&hall, &small_shared, i % 2, 0, 4 * T_2M);
		if (i == 2) {
			assert_int_equal(mirror_unregister(&hall.mirror[1]), 0);
			assert_int_equal(mirror_register(&hall.mirror[1]), 0);
		}
		forget_all();
		hall_converts(&hall, 99, 1, GMS_PRIVATE);
		hall_converts(&hall, 99, 1, GMS_SHARED);
		expect_order(orders[i], 3, 0);
		expect_order(orders[i], 3, 1);
		hall_fini(&hall);
	}
}

/* Returns the number of the first call, or with @last the last call, in which pages become @to. */
static uint64_t number_of(const struct mirror *m, enum gms_shareability to, bool last)
{
	uint64_t i, number = UINT64_MAX;

	assert_true(m->nr_events < MIRROR_EVENTS);
	for (i = 0; i < m->nr_events; i++) {
		if (m->events[i].to == to && (last || number == UINT64_MAX))
			number = m->events[i].number;
	}
	assert_int_not_equal(number, UINT64_MAX);
	return number;
}

/* Rule 36: an undo calls listeners in reverse order. */
static void rule_36_an_undo_calls_in_reverse_order(void **unused)
{
	const struct mirror *m = hall.mirror;
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2 * NR_DONE; i++) {
		const enum gms_shareability to = i % 2 ? GMS_SHARED : GMS_PRIVATE;
		const enum gms_shareability back = i % 2 ? GMS_PRIVATE : GMS_SHARED;

		hall_init(&hall, &small_shared, 0, 0, 4 * T_2M);
		assert_int_equal(mirror_unregister(&hall.mirror[1]), 0);
		assert_int_equal(mirror_register(&hall.mirror[1]), 0);
		if (to == GMS_SHARED)
			hall_converts(&hall, 96, 1000, GMS_PRIVATE);
		forget_all();
		/*
		 * Calls 0 and 1 are those of the first two mirrors, so call 4 is the third of
		 * m[1].
		 */
		plan_refuse(&hall.plan, 4, 5, -ENXIO, (enum mirror_done)(i / 2));
		hall.plan.refusal[0].mirror = &m[1];
		assert_int_equal(hall_convert(&hall, 96, 1000, to, 0, NULL), -ENXIO);
		assert_true(number_of(&m[0], to, true) < number_of(&m[2], to, false));
		assert_true(number_of(&m[2], to, true) < number_of(&m[1], to, false));
		assert_true(number_of(&m[1], to, true) < number_of(&m[1], back, false));
		assert_true(number_of(&m[1], back, true) < number_of(&m[2], back, false));
		assert_true(number_of(&m[2], back, true) < number_of(&m[0], back, false));
		plan_refuse_none(&hall.plan);
		hall_fini(&hall);
	}
}

/* Rules 16 and 36: a listener that comes after the one that refused is not called. */
static void rule_36_later_listeners_are_not_called(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		hall_init(&hall, &small_shared, 0, 0, 4 * T_2M);
		if (i)
			hall_converts(&hall, 96, 1000, GMS_PRIVATE);
		forget_all();
		plan_refuse(&hall.plan, 0, 1, -ENXIO, DONE_NONE);
		assert_int_equal(
			hall_convert(&hall, 96, 1000, i ? GMS_SHARED : GMS_PRIVATE, 0, NULL),
			-ENXIO);
		assert_int_equal(hall.mirror[0].nr_events, 1);
		mirror_expect_none(&hall.mirror[1]);
		mirror_expect_none(&hall.mirror[2]);
		if (!i)
			rig_expect_none(&hall.rig);
		plan_refuse_none(&hall.plan);
		hall_fini(&hall);
	}
}

/* ---- return values ---- */

static int returns_7(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		     size_t *done)
{
	(void)runs, (void)count, (void)done;
	return *(enum gms_shareability *)ctx == to ? 7 : 0;
}

/* Rule 16 and listener.h: a positive value counts as -EIO. */
static void rule_16_a_positive_value_of_a_listener_is_eio(void **unused)
{
	const struct gms_listener_ops ops = {sizeof(ops), 0, returns_7};
	enum gms_shareability to = GMS_SHARED;
	unsigned int id;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &small_shared);
	assert_int_equal(gms_listener_register(rig.state, &ops, &to, 0, 8, 8, &id), -EIO);
	to = GMS_PRIVATE;
	assert_int_equal(gms_listener_register(rig.state, &ops, &to, 0, 8, 8, &id), 0);
	rig_convert_fails(&rig, 5, 1, GMS_PRIVATE, 0, -EIO, 5);
	assert_int_equal(gms_listener_unregister(rig.state, id), -EIO);
	assert_false(gms_is_private(rig.state, 5));
	to = GMS_SHARED;
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	rig_convert_fails(&rig, 5, 1, GMS_SHARED, 0, -EIO, 5);
	assert_true(gms_is_private(rig.state, 5));
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	rig_fini(&rig);
}

/* ---- memory ---- */

static unsigned int allocations_failed;

/* Rule 14: each allocation of a conversion fails in turn. The listeners hold what they held. */
static void fail_each_allocation(const struct setting *set)
{
	gms_pgoff_t at;
	uint64_t n;
	int rc = -1;

	init_setting(set);
	/* The mirror that pins does not do so here, because gms_pin() allocates. */
	assert_int_equal(mirror_unregister(&hall.mirror[1]), 0);
	hall.mirror[1].pins = false;
	assert_int_equal(mirror_register(&hall.mirror[1]), 0);
	for (n = 0; rc; n++) {
		talloc_fail(&hall.rig.talloc, n, set->shape % 2 ? 1 : UINT64_MAX);
		rc = convert(set, &at);
		talloc_fail_never(&hall.rig.talloc);
		allocations_failed += rc != 0;
		if (rc)
			expect_failed(set, rc, -ENOMEM, at);
		if (rc && at > range_start(set))
			make_setting_again(set);
	}
	hall_fini(&hall);
}

static void rule_14_any_failed_allocation_restores_listeners(void **unused)
{
	(void)unused;
	allocations_failed = 0;
	each_setting(fail_each_allocation, false, 1);
	each_setting(fail_each_allocation, true, 1);
	/* Some conversions find enough memory in the pools. */
	assert_true(allocations_failed > 20 || test_on_valgrind());
}

static void trap_at_apply(struct rig *rig, const struct sim_call *call)
{
	if (call->hook == SIM_APPLY)
		talloc_trap(&rig->talloc, TALLOC_TRAP_ALLOC);
}

static void trap_when_refused(struct mirror *m, const struct mirror_call *call)
{
	if (call->number >= m->plan->refusal[0].from)
		talloc_trap(&m->rig->talloc, TALLOC_TRAP_ALLOC);
}

/*
 * Rule 14: a conversion does not allocate after its first apply, neither for listeners nor in an
 * undo. It does not allocate after a refusal either, not even if the undo fails.
 */
static void fail_trapped(const struct setting *set)
{
	unsigned int i, which;
	gms_pgoff_t at;
	uint64_t n;
	int rc = -1;

	for (n = 0; rc; n++) {
		which = n % 3;
		init_setting(set);
		assert_int_equal(mirror_unregister(&hall.mirror[1]), 0);
		hall.mirror[1].pins = false;
		assert_int_equal(mirror_register(&hall.mirror[1]), 0);
		for (i = 0; i < HALL_MIRRORS; i++)
			hall.mirror[i].hook = trap_when_refused;
		hall.rig.hook = trap_at_apply;
		plan_refuse(&hall.plan, n, n + 1, -ENXIO, (enum mirror_done)(n % NR_DONE));
		if (which)
			plan_refuse_undo(&hall.plan, n + 1, n + (which == 1 ? 2 : 1000), -EXDEV,
					 (enum mirror_done)(n / 2 % (NR_DONE - 1)));
		rc = convert(set, &at);
		talloc_trap(&hall.rig.talloc, 0);
		hall.rig.hook = NULL;
		for (i = 0; i < HALL_MIRRORS; i++)
			hall.mirror[i].hook = NULL;
		plan_refuse_none(&hall.plan);
		assert_int_equal(rc, rc ? -ENXIO : 0);
		hall_check(&hall);
		hall_repair_all(&hall, REPAIR_AS_IS);
		hall_fini(&hall);
	}
	assert_true(n > 3);
}

static void rule_14_no_allocation_for_listeners_nor_in_an_undo(void **unused)
{
	(void)unused;
	each_setting(fail_trapped, false, 2);
	each_setting(fail_trapped, true, 16);
}

/* ---- without a backend, and with one that lacks undo ---- */

static int apply_works(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		       gms_pgoff_t *failed)
{
	(void)ctx, (void)start, (void)nr_pages, (void)to, (void)failed;
	return 0;
}

static void init_bare(bool hooked, bool init_private)
{
	static const struct gms_backend_ops only_apply = {
		.struct_size = sizeof(only_apply),
		.apply = apply_works,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	memset(&hall, 0, sizeof(hall));
	talloc_init(&hall.rig.talloc);
	opts.nr_pages = hall.rig.nr_pages = SMALL_PAGES;
	opts.flags = init_private ? GMS_INIT_PRIVATE : 0;
	opts.backend = hooked ? &only_apply : NULL;
	opts.allocator = &hall.rig.talloc.ops;
	assert_int_equal(gms_state_create(&opts, &hall.rig.state), 0);
	mirror_init(&hall.mirror[0], &hall.rig, &hall.plan, 8, 4 * T_2M, 2, 0);
	mirror_init(&hall.mirror[1], &hall.rig, &hall.plan, 0, 5 * T_2M, 8, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&hall.mirror[0]), 0);
	assert_int_equal(mirror_register(&hall.mirror[1]), 0);
}

static void fini_bare(void)
{
	const char *reason = "";
	unsigned int i;

	if (!gms_state_verify(hall.rig.state, &reason))
		fail_msg("%s", reason);
	for (i = 0; i < 2; i++) {
		mirror_check(&hall.mirror[i]);
		assert_int_equal(mirror_unregister(&hall.mirror[i]), 0);
		mirror_fini(&hall.mirror[i]);
	}
	gms_state_destroy(hall.rig.state);
	assert_fine(talloc_check(&hall.rig.talloc));
	assert_int_equal(hall.rig.talloc.live_blocks, 0);
}

/*
 * Call @n of a listener fails, and so do the next @undos calls, which are the undo. Returns false
 * if the conversion made fewer calls.
 */
static bool fail_bare(unsigned int kind, uint64_t n, uint64_t undos)
{
	const enum gms_shareability to = kind & 1 ? GMS_SHARED : GMS_PRIVATE;
	uint64_t at;
	int rc;

	init_bare(kind & 2, to == GMS_SHARED);
	assert_int_equal(gms_convert(hall.rig.state, 400, 300, to, 0, NULL), 0);
	plan_refuse(&hall.plan, n, n + 1, -ENXIO, (enum mirror_done)(n % NR_DONE));
	plan_refuse_undo(&hall.plan, n + 1, n + 1 + undos, -EXDEV, DONE_HALF);
	rc = gms_convert(hall.rig.state, 300, 900, to, 0, NULL);
	plan_refuse_none(&hall.plan);
	assert_int_equal(rc, rc ? -ENXIO : 0);
	mirror_check(&hall.mirror[0]);
	mirror_check(&hall.mirror[1]);
	assert_int_equal(rig_stats(&hall.rig).quarantined_pages > 0, hall.plan.refused[1] > 0);
	for (at = 0; at < SMALL_PAGES; at++) {
		if (gms_is_quarantined(hall.rig.state, at))
			assert_int_equal(gms_repair(hall.rig.state, at, 1, to), 0);
		else if (rc)
			assert_int_equal(gms_is_private(hall.rig.state, at) == (to == GMS_PRIVATE),
					 at >= 400 && at < 700);
	}
	fini_bare();
	return rc;
}

/* Rules 16 and 39: without a backend, too, a refusal is undone, or leads to a quarantine. */
static void rule_16_refusals_are_undone_without_a_backend(void **unused)
{
	unsigned int kind;
	uint64_t n;

	(void)unused;
	for (kind = 0; kind < 4; kind++) {
		for (n = 0; fail_bare(kind, n, 0); n++) {
			assert_true(fail_bare(kind, n, 1));
			assert_true(fail_bare(kind, n, 100));
		}
		assert_true(n > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_16_any_refusal_changes_nothing),
		cmocka_unit_test(rule_16_any_refusal_changes_nothing_across_blocks),
		cmocka_unit_test(rule_16_any_failed_hook_restores_listeners),
		cmocka_unit_test(rule_16_any_failed_hook_restores_listeners_across_blocks),
		cmocka_unit_test(rule_36_calls_are_in_the_order_of_registering),
		cmocka_unit_test(rule_36_an_undo_calls_in_reverse_order),
		cmocka_unit_test(rule_36_later_listeners_are_not_called),
		cmocka_unit_test(rule_16_a_positive_value_of_a_listener_is_eio),
		cmocka_unit_test(rule_16_refusals_are_undone_without_a_backend),
		cmocka_unit_test(rule_14_any_failed_allocation_restores_listeners),
		cmocka_unit_test(rule_14_no_allocation_for_listeners_nor_in_an_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
