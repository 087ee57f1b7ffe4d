// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_modes.c - proves what listeners see of resumable mode, pins by folio and a freeze
 *
 * Tests rules 16, 17, 29 and 38.
 */
#include "mirror.h"

static const struct rig_opts two_blocks = {.nr_pages = 2 * T_1G};
static const struct rig_opts two_private = {.nr_pages = 2 * T_1G, .init_private = true};

/*
 * Two mirrors. The fine one has a granule of one page and can split. The coarse one has a larger
 * granule, and may pin.
 */
static struct {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[2];
} pair;

static struct mirror *const fine = &pair.mirror[0], *const coarse = &pair.mirror[1];

static void init(const struct rig_opts *opts, uint64_t nr_pages, uint64_t granule, bool pins)
{
	memset(&pair.plan, 0, sizeof(pair.plan));
	rig_init(&pair.rig, opts);
	mirror_init(fine, &pair.rig, &pair.plan, 0, nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	mirror_init(coarse, &pair.rig, &pair.plan, 0, nr_pages, granule, 0);
	coarse->pins = pins;
	assert_int_equal(mirror_register(fine), 0);
	assert_int_equal(mirror_register(coarse), 0);
	mirror_forget(fine);
	mirror_forget(coarse);
}

static void check(void)
{
	plan_refuse_none(&pair.plan);
	mirror_check(fine);
	mirror_check(coarse);
	mirror_forget(fine);
	mirror_forget(coarse);
	rig_check(&pair.rig);
	rig_forget(&pair.rig);
}

static void fini(void)
{
	check();
	for (unsigned int i = 0; i < ARRAY_SIZE(pair.mirror); i++) {
		struct mirror *m = &pair.mirror[i];

		if (m->live)
			assert_int_equal(mirror_unregister(m), 0);
		mirror_fini(m);
	}
	assert_int_equal(rig_stats(&pair.rig).listeners, 0);
	assert_int_equal(rig_stats(&pair.rig).surplus_unpins, 0);
	assert_false(gms_first_pin(pair.rig.state, 0, pair.rig.nr_pages, NULL));
	rig_fini(&pair.rig);
}

static bool all(gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability shareability)
{
	return gms_range_is(pair.rig.state, start, end - start, shareability);
}

/* ---- resumable ---- */

/*
 * Rule 17: listeners withdraw the block with the pin, are restored, and withdraw the pages up to
 * the pin.
 */
static void rule_17_listeners_withdraw_up_to_a_pin_in_the_2nd_block(void **unused)
{
	const gms_pgoff_t pin = T_1G + 2 * T_2M + 100, end = T_1G + 3 * T_2M;

	(void)unused;
	init(&two_blocks, 2 * T_1G, T_2M, false);
	rig_pin(&pair.rig, pin, 1);
	rig_convert_fails(&pair.rig, T_1G - 8, end - T_1G + 8, GMS_PRIVATE, GMS_CONVERT_RESUMABLE,
			  -EAGAIN, pin);
	assert_true(all(T_1G - 8, pin, GMS_PRIVATE));
	assert_true(all(pin, 2 * T_1G, GMS_SHARED));
	mirror_expect_events(fine, WITHDRAW(T_1G - 8, 8), WITHDRAW(T_1G, end - T_1G),
			     NOTIFY(T_1G, end - T_1G), WITHDRAW(T_1G, pin - T_1G));
	/* The coarse mirror withdraws the 2M with the pin as well. */
	mirror_expect_events(coarse, WITHDRAW(T_1G - T_2M, T_2M), WITHDRAW(T_1G, T_2M),
			     WITHDRAW(T_1G + T_2M, T_2M), WITHDRAW(T_1G + 2 * T_2M, T_2M),
			     NOTIFY(T_1G, T_2M), NOTIFY(T_1G + T_2M, T_2M),
			     NOTIFY(T_1G + 2 * T_2M, T_2M), WITHDRAW(T_1G, T_2M),
			     WITHDRAW(T_1G + T_2M, T_2M), WITHDRAW(T_1G + 2 * T_2M, T_2M));
	check();
	gms_unpin(pair.rig.state, pin, 1);
	rig_convert(&pair.rig, pin, end - pin, GMS_PRIVATE);
	mirror_expect_events(fine, WITHDRAW(pin, end - pin));
	mirror_expect_none(coarse);
	fini();
}

/*
 * Rule 17: pins of a listener refuse nothing. A resumable conversion stops at the first pin of
 * others, also if that is found last.
 */
static void rule_17_only_pins_of_others_stop_a_conversion(void **unused)
{
	const gms_pgoff_t end = 4 * T_2M;

	(void)unused;
	init(&two_blocks, end, 8, true);
	rig_pin(&pair.rig, 100, 1);
	rig_pin(&pair.rig, 300, 1);
	rig_convert_fails(&pair.rig, 4, 400, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 100);
	assert_true(all(4, 100, GMS_PRIVATE));
	assert_true(all(100, end, GMS_SHARED));
	check();
	/* The shared pages [100, 104) are in a mixed granule, so the mirror does not hold them. */
	assert_int_equal(oracle_count(&coarse->held, 0, end), end - 104);
	gms_unpin(pair.rig.state, 100, 1);
	rig_convert_fails(&pair.rig, 4, 400, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 300);
	assert_true(all(4, 300, GMS_PRIVATE));
	check();
	gms_unpin(pair.rig.state, 300, 1);
	rig_convert(&pair.rig, 4, 400, GMS_PRIVATE);
	fini();
}

/*
 * Mirror @number refuses in the second block. The first block stays converted, and the second
 * stays as it was.
 */
static void refuse_in_2nd_block(enum gms_shareability to, unsigned int number,
				enum mirror_done done)
{
	const enum gms_shareability from = to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;

	init(to == GMS_PRIVATE ? &two_blocks : &two_private, 2 * T_1G, T_2M, false);
	/* the first block takes one call of each mirror, and so does the second */
	plan_refuse(&pair.plan, 2 + number, 3 + number, -ENXIO, done);
	rig_convert_fails(&pair.rig, T_1G - T_2M, 3 * T_2M, to, GMS_CONVERT_RESUMABLE, -ENXIO,
			  T_1G);
	assert_int_equal(pair.plan.refused[0], 1);
	assert_true(all(T_1G - T_2M, T_1G, to));
	assert_true(all(T_1G, 2 * T_1G, from));
	assert_int_equal(rig_stats(&pair.rig).quarantined_pages, 0);
	check();
	rig_convert(&pair.rig, T_1G - T_2M, 3 * T_2M, to);
	fini();
}

static void rule_17_a_refusal_in_the_2nd_block_keeps_the_first(void **unused)
{
	unsigned int number;
	int done;

	(void)unused;
	for (number = 0; number < 2; number++) {
		for (done = DONE_NONE; done < NR_DONE; done++) {
			refuse_in_2nd_block(GMS_PRIVATE, number, (enum mirror_done)done);
			refuse_in_2nd_block(GMS_SHARED, number, (enum mirror_done)done);
		}
	}
}

/*
 * Rule 17: if an undo in the second block fails, the pages that it would have changed there are
 * quarantined.
 */
static void rule_17_a_failed_undo_quarantines_in_the_2nd_block_only(void **unused)
{
	(void)unused;
	init(&two_private, 2 * T_1G, T_2M, false);
	plan_refuse(&pair.plan, 3, 4, -ENXIO, DONE_HALF);
	plan_refuse_undo(&pair.plan, 4, 5, -EXDEV, DONE_NONE);
	rig_convert_fails(&pair.rig, T_1G - T_2M, 3 * T_2M, GMS_SHARED, GMS_CONVERT_RESUMABLE,
			  -ENXIO, T_1G);
	assert_int_equal(pair.plan.refused[1], 1);
	assert_true(all(T_1G - T_2M, T_1G, GMS_SHARED));
	assert_false(gms_is_quarantined(pair.rig.state, T_1G - 1));
	assert_int_equal(rig_stats(&pair.rig).quarantined_pages, 2 * T_2M);
	assert_true(gms_is_quarantined(pair.rig.state, T_1G));
	check();
	rig_repair(&pair.rig, T_1G, 2 * T_2M, GMS_SHARED);
	fini();
}

/* ---- pins by folio ---- */

static const struct rig_opts by_folio = {
	.nr_pages = 8 * T_2M,
	.folio_order = GMS_ORDER_2M,
	.sim_flags = GMS_BACKEND_PINS_BY_FOLIO,
	.policy = &rig_never_splits,
};

/*
 * Rule 29: with pins by folio, a listener's own pins elsewhere in the folio refuse a conversion.
 * The listener is restored.
 */
static void rule_29_by_folio_pins_of_a_listener_refuse(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, true);
	rig_convert_fails(&pair.rig, 4, 8, GMS_PRIVATE, 0, -EAGAIN, 4);
	mirror_expect_events(fine, WITHDRAW(4, 8), NOTIFY(4, 8));
	mirror_expect_events(coarse, WITHDRAW(0, 8), WITHDRAW(8, 8), NOTIFY(0, 8), NOTIFY(8, 8));
	assert_true(all(0, by_folio.nr_pages, GMS_SHARED));
	check();
	/* For a conversion of the whole folio the listener unpins all of it. */
	rig_convert(&pair.rig, 0, T_2M, GMS_PRIVATE);
	check();
	rig_convert(&pair.rig, 0, T_2M, GMS_SHARED);
	assert_int_equal(oracle_count(&coarse->held, 0, 2 * T_2M), 2 * T_2M);
	fini();
}

/*
 * Rule 29: a resumable conversion stops before a folio that the listener has pinned beyond the
 * range.
 */
static void rule_29_by_folio_resumable_stops_before_a_listeners_folio(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, true);
	rig_convert_fails(&pair.rig, 0, T_2M + 8, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN,
			  T_2M);
	assert_true(all(0, T_2M, GMS_PRIVATE));
	assert_true(all(T_2M, by_folio.nr_pages, GMS_SHARED));
	assert_int_equal(oracle_count(&coarse->held, 0, 2 * T_2M), T_2M);
	check();
	rig_convert(&pair.rig, 0, T_2M, GMS_SHARED);
	fini();
}

static void pin_first(struct mirror *m, const struct mirror_call *call)
{
	if (call->to == GMS_SHARED)
		assert_int_equal(gms_pin(m->rig->state, 4, 1, NULL), 0);
}

/*
 * Rule 16: a listener pins a page and then refuses it. The undo finds that pin, and the page is
 * quarantined.
 */
static void rule_16_by_folio_a_new_pin_of_the_refused_page_quarantines(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, false);
	rig_convert(&pair.rig, 4, 1, GMS_PRIVATE);
	fine->hook = pin_first;
	plan_refuse(&pair.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&pair.rig, 4, 1, GMS_SHARED, 0, -ENXIO, 4);
	fine->hook = NULL;
	assert_true(gms_is_quarantined(pair.rig.state, 4));
	assert_int_equal(rig_stats(&pair.rig).quarantined_pages, 1);
	check();
	assert_int_equal(gms_repair(pair.rig.state, 4, 1, GMS_PRIVATE), -EAGAIN);
	gms_unpin(pair.rig.state, 4, 1);
	rig_repair(&pair.rig, 4, 1, GMS_PRIVATE);
	fini();
}

/* ---- frozen ---- */

#define BATCH ((uint64_t)GMS_LISTENER_BATCH * 8)

/*
 * Unregisters the coarse mirror. Of its calls, @refused fail from the one numbered @batch on: the
 * withdrawal of that batch, the restoring of the batches before it, and a second withdrawal. The
 * restoring always fails, because a frozen object refuses gms_pin().
 */
static void unregister_frozen(uint64_t batch, uint64_t refused)
{
	const struct rig_opts opts = {.nr_pages = 8 * T_2M};
	const bool stays = !batch || refused == 3;
	const uint64_t left = batch ? BATCH * stays : 4 * BATCH;

	init(&opts, 4 * BATCH, 8, true);
	assert_int_equal(gms_freeze(pair.rig.state), 0);
	plan_refuse(&pair.plan, batch, batch + refused, -EBUSY, DONE_NONE);
	assert_int_equal(mirror_unregister(coarse), stays ? -EBUSY : 0);
	plan_refuse_none(&pair.plan);
	assert_int_equal(oracle_count(&coarse->held, 0, 4 * BATCH), left);
	assert_int_equal(rig_stats(&pair.rig).listeners, stays ? 2 : 1);
	assert_int_equal(gms_first_pin(pair.rig.state, 0, 4 * BATCH, NULL), stays);
	if (stays)
		assert_int_equal(mirror_unregister(coarse), 0);
	gms_thaw(pair.rig.state);
	fini();
}

/*
 * Rule 38: a listener that pins can be unregistered while the object is frozen. If it refuses to
 * withdraw, it stays registered with what it refused.
 */
static void rule_38_a_listener_that_pins_can_be_unregistered(void **unused)
{
	uint64_t refused, batch;

	(void)unused;
	for (batch = 0; batch < 4; batch++) {
		for (refused = 1; refused <= 3; refused++)
			unregister_frozen(batch, refused);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_17_listeners_withdraw_up_to_a_pin_in_the_2nd_block),
		cmocka_unit_test(rule_17_only_pins_of_others_stop_a_conversion),
		cmocka_unit_test(rule_17_a_refusal_in_the_2nd_block_keeps_the_first),
		cmocka_unit_test(rule_17_a_failed_undo_quarantines_in_the_2nd_block_only),
		cmocka_unit_test(rule_29_by_folio_pins_of_a_listener_refuse),
		cmocka_unit_test(rule_29_by_folio_resumable_stops_before_a_listeners_folio),
		cmocka_unit_test(rule_16_by_folio_a_new_pin_of_the_refused_page_quarantines),
		cmocka_unit_test(rule_38_a_listener_that_pins_can_be_unregistered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
