// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_modes.c - listeners where a conversion, or a backend, is of the other kind:
 * resumable conversions, pins by folio, a frozen object
 *
 * Holds rules 16, 17, 29 and 38.
 */
#include "mirror.h"

static const struct rig_opts two_blocks = {.nr_pages = 2 * T_1G};
static const struct rig_opts two_private = {.nr_pages = 2 * T_1G, .init_private = true};

/* Two mirrors, of granule 1 and of another. */
static struct {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[2];
} them;

static struct mirror *const fine = &them.mirror[0], *const coarse = &them.mirror[1];

static void init(const struct rig_opts *opts, uint64_t nr_pages, uint64_t granule, bool pins)
{
	memset(&them.plan, 0, sizeof(them.plan));
	rig_init(&them.rig, opts);
	mirror_init(fine, &them.rig, &them.plan, 0, nr_pages, 1, GMS_LISTENER_CAN_SPLIT);
	mirror_init(coarse, &them.rig, &them.plan, 0, nr_pages, granule, 0);
	coarse->pins = pins;
	assert_int_equal(mirror_register(fine), 0);
	assert_int_equal(mirror_register(coarse), 0);
	mirror_forget(fine);
	mirror_forget(coarse);
}

static void check(void)
{
	plan_refuse_none(&them.plan);
	mirror_check(fine);
	mirror_check(coarse);
	mirror_forget(fine);
	mirror_forget(coarse);
	rig_check(&them.rig);
	rig_forget(&them.rig);
}

static void fini(void)
{
	check();
	for (unsigned int i = 0; i < ARRAY_SIZE(them.mirror); i++) {
		struct mirror *m = &them.mirror[i];

		if (m->live)
			assert_int_equal(mirror_unregister(m), 0);
		mirror_fini(m);
	}
	assert_int_equal(rig_stats(&them.rig).listeners, 0);
	assert_int_equal(rig_stats(&them.rig).surplus_unpins, 0);
	assert_false(gms_first_pin(them.rig.state, 0, them.rig.nr_pages, NULL));
	rig_fini(&them.rig);
}

static bool all(gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability shareability)
{
	return gms_range_is(them.rig.state, start, end - start, shareability);
}

/* ---- resumable ---- */

/* Rule 17: the block with the pin is let go of, given back, and let go of up to the pin. */
static void rule_17_listeners_and_a_pin_in_the_2nd_block(void **unused)
{
	const gms_pgoff_t pin = T_1G + 2 * T_2M + 100, end = T_1G + 3 * T_2M;

	(void)unused;
	init(&two_blocks, 2 * T_1G, T_2M, false);
	rig_pin(&them.rig, pin, 1);
	rig_convert_fails(&them.rig, T_1G - 8, end - T_1G + 8, GMS_PRIVATE, GMS_CONVERT_RESUMABLE,
			  -EAGAIN, pin);
	assert_true(all(T_1G - 8, pin, GMS_PRIVATE));
	assert_true(all(pin, 2 * T_1G, GMS_SHARED));
	mirror_expect_events(fine, TAKE(T_1G - 8, 8), TAKE(T_1G, end - T_1G),
			     GIVE(T_1G, end - T_1G), TAKE(T_1G, pin - T_1G));
	/* To it the 2M with the pin goes as well. */
	mirror_expect_events(coarse, TAKE(T_1G - T_2M, T_2M), TAKE(T_1G, T_2M),
			     TAKE(T_1G + T_2M, T_2M), TAKE(T_1G + 2 * T_2M, T_2M), GIVE(T_1G, T_2M),
			     GIVE(T_1G + T_2M, T_2M), GIVE(T_1G + 2 * T_2M, T_2M), TAKE(T_1G, T_2M),
			     TAKE(T_1G + T_2M, T_2M), TAKE(T_1G + 2 * T_2M, T_2M));
	check();
	gms_unpin(them.rig.state, pin, 1);
	rig_convert(&them.rig, pin, end - pin, GMS_PRIVATE);
	mirror_expect_events(fine, TAKE(pin, end - pin));
	mirror_expect_none(coarse);
	fini();
}

/* Two pins, the nearer one found last: a listener that pins what it has is in nobody's way. */
static void rule_17_a_listener_that_pins_and_pins_of_others(void **unused)
{
	(void)unused;
	init(&two_blocks, T_1G, 8, true);
	rig_pin(&them.rig, 100, 1);
	rig_pin(&them.rig, 300, 1);
	rig_convert_fails(&them.rig, 4, 400, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 100);
	assert_true(all(4, 100, GMS_PRIVATE));
	assert_true(all(100, T_1G, GMS_SHARED));
	check();
	/* Of the granule that page 100 is in the pages up to 103 are shared, and not held. */
	assert_int_equal(oracle_count(&coarse->held, 0, T_1G), T_1G - 104);
	gms_unpin(them.rig.state, 100, 1);
	rig_convert_fails(&them.rig, 4, 400, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 300);
	assert_true(all(4, 300, GMS_PRIVATE));
	check();
	gms_unpin(them.rig.state, 300, 1);
	rig_convert(&them.rig, 4, 400, GMS_PRIVATE);
	fini();
}

/* Refused in the 2nd block, by either: the first block stays converted, the second as it was. */
static void refuse_in_2nd_block(enum gms_shareability to, unsigned int who, enum mirror_done done)
{
	const enum gms_shareability from = to == GMS_PRIVATE ? GMS_SHARED : GMS_PRIVATE;

	init(to == GMS_PRIVATE ? &two_blocks : &two_private, 2 * T_1G, T_2M, false);
	/* one call to fine, and one to coarse, of the first block; so in the second */
	plan_refuse(&them.plan, 2 + who, 3 + who, -ENXIO, done);
	rig_convert_fails(&them.rig, T_1G - T_2M, 3 * T_2M, to, GMS_CONVERT_RESUMABLE, -ENXIO,
			  T_1G);
	assert_int_equal(them.plan.refused[0], 1);
	assert_true(all(T_1G - T_2M, T_1G, to));
	assert_true(all(T_1G, 2 * T_1G, from));
	assert_int_equal(rig_stats(&them.rig).quarantined_pages, 0);
	check();
	rig_convert(&them.rig, T_1G - T_2M, 3 * T_2M, to);
	fini();
}

static void rule_17_a_listener_refuses_in_the_2nd_block(void **unused)
{
	unsigned int who;
	int done;

	(void)unused;
	for (who = 0; who < 2; who++) {
		for (done = DONE_NONE; done < NR_DONE; done++) {
			refuse_in_2nd_block(GMS_PRIVATE, who, (enum mirror_done)done);
			refuse_in_2nd_block(GMS_SHARED, who, (enum mirror_done)done);
		}
	}
}

/* And will not undo it: only of the second block what would have changed is quarantined. */
static void rule_17_a_listener_is_broken_in_the_2nd_block(void **unused)
{
	(void)unused;
	init(&two_private, 2 * T_1G, T_2M, false);
	plan_refuse(&them.plan, 3, 4, -ENXIO, DONE_HALF);
	plan_refuse_undo(&them.plan, 4, 5, -EXDEV, DONE_NONE);
	rig_convert_fails(&them.rig, T_1G - T_2M, 3 * T_2M, GMS_SHARED, GMS_CONVERT_RESUMABLE,
			  -ENXIO, T_1G);
	assert_int_equal(them.plan.refused[1], 1);
	assert_true(all(T_1G - T_2M, T_1G, GMS_SHARED));
	assert_false(gms_is_quarantined(them.rig.state, T_1G - 1));
	assert_int_equal(rig_stats(&them.rig).quarantined_pages, 2 * T_2M);
	assert_true(gms_is_quarantined(them.rig.state, T_1G));
	check();
	rig_repair(&them.rig, T_1G, 2 * T_2M, GMS_SHARED);
	fini();
}

/* ---- pins by folio ---- */

static const struct rig_opts by_folio = {
	.nr_pages = 8 * T_2M,
	.folio_order = GMS_ORDER_2M,
	.sim_flags = GMS_BACKEND_PINS_BY_FOLIO,
	.policy = &rig_never_splits,
};

/* Rule 29: a listener's own pins elsewhere in the folio are in the way; it has all back then. */
static void rule_29_by_folio_pins_of_a_listener(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, true);
	rig_convert_fails(&them.rig, 4, 8, GMS_PRIVATE, 0, -EAGAIN, 4);
	mirror_expect_events(fine, TAKE(4, 8), GIVE(4, 8));
	mirror_expect_events(coarse, TAKE(0, 8), TAKE(8, 8), GIVE(0, 8), GIVE(8, 8));
	assert_true(all(0, by_folio.nr_pages, GMS_SHARED));
	check();
	/* A whole folio: nothing of it is pinned any more. */
	rig_convert(&them.rig, 0, T_2M, GMS_PRIVATE);
	check();
	rig_convert(&them.rig, 0, T_2M, GMS_SHARED);
	assert_int_equal(oracle_count(&coarse->held, 0, 2 * T_2M), 2 * T_2M);
	fini();
}

/* Resumable: up to the folio that the listener has pinned beyond the range. */
static void rule_29_by_folio_resumable_up_to_a_listeners_folio(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, true);
	rig_convert_fails(&them.rig, 0, T_2M + 8, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN,
			  T_2M);
	assert_true(all(0, T_2M, GMS_PRIVATE));
	assert_true(all(T_2M, by_folio.nr_pages, GMS_SHARED));
	assert_int_equal(oracle_count(&coarse->held, 0, 2 * T_2M), T_2M);
	check();
	rig_convert(&them.rig, 0, T_2M, GMS_SHARED);
	fini();
}

static void pin_first(struct mirror *m, const struct mirror_call *call)
{
	if (call->to == GMS_SHARED)
		assert_int_equal(gms_pin(m->rig->state, 4, 1, NULL), 0);
}

/* A listener that pins and then refuses: its pins of the pages that are to go back do count. */
static void rule_16_by_folio_a_refusal_after_a_pin_is_a_quarantine(void **unused)
{
	(void)unused;
	init(&by_folio, 2 * T_2M, 8, false);
	rig_convert(&them.rig, 4, 1, GMS_PRIVATE);
	fine->hook = pin_first;
	plan_refuse(&them.plan, 0, 1, -ENXIO, DONE_NONE);
	rig_convert_fails(&them.rig, 4, 1, GMS_SHARED, 0, -ENXIO, 4);
	fine->hook = NULL;
	assert_true(gms_is_quarantined(them.rig.state, 4));
	assert_int_equal(rig_stats(&them.rig).quarantined_pages, 1);
	check();
	assert_int_equal(gms_repair(them.rig.state, 4, 1, GMS_PRIVATE), -EAGAIN);
	gms_unpin(them.rig.state, 4, 1);
	rig_repair(&them.rig, 4, 1, GMS_PRIVATE);
	fini();
}

/* ---- frozen ---- */

#define BATCH ((uint64_t)GMS_LISTENER_BATCH * 8)

/*
 * Of the calls from @batch on @refused fail: the batch, to have back those before it (which cannot
 * be pinned either way), the batch once more.
 */
static void unregister_frozen(uint64_t batch, uint64_t refused)
{
	const struct rig_opts opts = {.nr_pages = 8 * T_2M};
	const bool stays = !batch || refused == 3;
	const uint64_t left = batch ? BATCH * stays : 4 * BATCH;

	init(&opts, 4 * BATCH, 8, true);
	assert_int_equal(gms_freeze(them.rig.state), 0);
	plan_refuse(&them.plan, batch, batch + refused, -EBUSY, DONE_NONE);
	assert_int_equal(mirror_unregister(coarse), stays ? -EBUSY : 0);
	plan_refuse_none(&them.plan);
	assert_int_equal(oracle_count(&coarse->held, 0, 4 * BATCH), left);
	assert_int_equal(rig_stats(&them.rig).listeners, stays ? 2 : 1);
	assert_int_equal(gms_first_pin(them.rig.state, 0, 4 * BATCH, NULL), stays);
	if (stays)
		assert_int_equal(mirror_unregister(coarse), 0);
	gms_thaw(them.rig.state);
	fini();
}

/* Rule 38: it works. Who will not let go of all stays, with what it would not let go of. */
static void rule_38_unregister_of_one_that_pins(void **unused)
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
		cmocka_unit_test(rule_17_listeners_and_a_pin_in_the_2nd_block),
		cmocka_unit_test(rule_17_a_listener_that_pins_and_pins_of_others),
		cmocka_unit_test(rule_17_a_listener_refuses_in_the_2nd_block),
		cmocka_unit_test(rule_17_a_listener_is_broken_in_the_2nd_block),
		cmocka_unit_test(rule_29_by_folio_pins_of_a_listener),
		cmocka_unit_test(rule_29_by_folio_resumable_up_to_a_listeners_folio),
		cmocka_unit_test(rule_16_by_folio_a_refusal_after_a_pin_is_a_quarantine),
		cmocka_unit_test(rule_38_unregister_of_one_that_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
