// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attr.c - proves that attributes and inhibits cap what the guest maps, and nothing else
 *
 * Tests rules 6, 8, 11, 14, 15 and 21. fault.c tests attributes and inhibits together.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

static unsigned int create_attr(struct rig *rig)
{
	unsigned int id = 0x77;

	assert_int_equal(gms_attr_create(rig->state, &id), 0);
	return id;
}

static void set_attr(struct rig *rig, unsigned int id, uint64_t start, uint64_t nr_pages, bool set)
{
	assert_int_equal(gms_attr_set(rig->state, id, start, nr_pages, set), 0);
}

/* Rule 8: attributes are sets of pages. They are empty at first, and independent of each other. */
static void rule_08_attributes_are_sets_of_pages(void **unused)
{
	unsigned int a, b;
	struct rig rig;
	uint64_t i;

	(void)unused;
	rig_init(&rig, &all_private);
	a = create_attr(&rig);
	b = create_attr(&rig);
	assert_int_not_equal(a, b);
	for (i = 0; i < 2 * T_2M; i++)
		assert_false(gms_attr_test(rig.state, a, i));
	set_attr(&rig, a, 100, 2 * T_1G, true);
	set_attr(&rig, a, 200, 50, false);
	set_attr(&rig, b, 220, 10, true);
	for (i = 0; i < 2 * T_2M; i++) {
		assert_int_equal(gms_attr_test(rig.state, a, i),
				 i >= 100 && !(i >= 200 && i < 250));
		assert_int_equal(gms_attr_test(rig.state, b, i), i >= 220 && i < 230);
	}
	assert_true(gms_attr_test(rig.state, a, 2 * T_1G + 99));
	assert_false(gms_attr_test(rig.state, a, 2 * T_1G + 100));
	set_attr(&rig, a, NR_PAGES - 1, 1, true);
	assert_true(gms_attr_test(rig.state, a, NR_PAGES - 1));
	assert_false(gms_attr_test(rig.state, a, NR_PAGES));
	assert_false(gms_attr_test(rig.state, a + b + 1, 5));
	assert_false(gms_attr_test(rig.state, UINT32_MAX, 5));
	assert_int_equal(gms_attr_set(rig.state, a + b + 1, 5, 1, true), -EINVAL);
	assert_int_equal(gms_attr_set(rig.state, UINT32_MAX, 5, 1, true), -EINVAL);
	/* Attributes do not change shareability. */
	assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_PRIVATE));
	assert_int_equal(gms_max_order(rig.state, 200), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 8: an object has up to GMS_MAX_ATTRS attributes. */
static void rule_08_one_attribute_too_many_is_refused(void **unused)
{
	unsigned int i, j, id[GMS_MAX_ATTRS], none = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	for (i = 0; i < GMS_MAX_ATTRS; i++) {
		id[i] = create_attr(&rig);
		for (j = 0; j < i; j++)
			assert_int_not_equal(id[i], id[j]);
		set_attr(&rig, id[i], 3 * i, 1, true);
	}
	assert_int_equal(gms_attr_create(rig.state, &none), -ENOSPC);
	assert_int_equal(none, 0x77);
	for (i = 0; i < GMS_MAX_ATTRS; i++) {
		for (j = 0; j < 3 * GMS_MAX_ATTRS; j++)
			assert_int_equal(gms_attr_test(rig.state, id[i], j), j == 3 * i);
	}
	rig_fini(&rig);
}

/* Rule 8: a change of an attribute zaps exactly the guest's mappings of the pages that change. */
static void rule_08_a_change_zaps_the_pages_that_change(void **unused)
{
	struct sim_totals totals;
	unsigned int id;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	id = create_attr(&rig);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	set_attr(&rig, id, 100, 50, true);
	assert_true(rig_covered(&rig, SIM_INVALIDATE_BEGIN, 100, 50));
	assert_true(rig_covered(&rig, SIM_ZAP_GUEST, 100, 50));
	assert_int_equal(rig_count(&rig, 1U << SIM_UNMAP_HOST | 1U << SIM_APPLY), 0);
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.mapped_pages[0][2], T_1G);
	rig_check(&rig);
	rig_forget(&rig);
	/* A call that changes no page calls no hook. */
	set_attr(&rig, id, 110, 20, true);
	set_attr(&rig, id, 150, T_1G, false);
	rig_expect_none(&rig);
	set_attr(&rig, id, 90, 70, true);
	assert_true(rig_covered(&rig, SIM_ZAP_GUEST, 90, 10));
	assert_true(rig_covered(&rig, SIM_ZAP_GUEST, 150, 10));
	rig_fini(&rig);
}

/* Rule 8: the zap reaches shared pages as well as private ones. */
static void rule_08_a_change_zaps_shared_pages_too(void **unused)
{
	struct sim_totals totals;
	struct rig_opts opts = all_private;
	unsigned int id;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_4K;
	rig_init(&rig, &opts);
	id = create_attr(&rig);
	rig_convert(&rig, 5, 2, GMS_SHARED);
	rig_faults(&rig, 4, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 6, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.mapped_pages[0][0], 3);
	set_attr(&rig, id, 4, 2, true);
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.mapped_pages[0][0], 1);
	rig_fini(&rig);
}

/*
 * Rule 8: max_order of a guest fault covers no page that differs in an attribute from the page at
 * the index.
 */
static void rule_08_attributes_cap_what_a_guest_maps(void **unused)
{
	unsigned int a, b;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	a = create_attr(&rig);
	b = create_attr(&rig);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	set_attr(&rig, a, 3 * T_2M + 7, 1, true);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 3 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 3 * T_2M + 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	set_attr(&rig, a, 0, T_1G, true);
	rig_faults(&rig, 3 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	set_attr(&rig, b, 0, T_2M, true);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	set_attr(&rig, a, 100, 1, false);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	set_attr(&rig, a, 100, 1, true);
	set_attr(&rig, b, 0, T_2M, false);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	/* Attributes do not cap host faults. */
	rig_convert(&rig, 0, T_1G, GMS_SHARED);
	set_attr(&rig, b, 100, 1, true);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 21: an inhibit to 4K allows 4K in its 2M block, and 2M in the rest of its 1G. */
static void rule_21_inhibits_cap_what_a_guest_maps(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_inhibit(rig.state, 3 * T_2M + 7, 1, GMS_ORDER_4K), 0);
	rig_faults(&rig, 3 * T_2M + 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 3 * T_2M + 8, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(gms_inhibit(rig.state, T_1G + 8, 1, GMS_ORDER_2M), 0);
	rig_faults(&rig, T_1G + 8, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, T_1G + 9 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	/* An inhibit of a whole block caps that block, too, unlike an attribute. */
	assert_int_equal(gms_inhibit(rig.state, 0, T_1G, GMS_ORDER_4K), 0);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	/* An inhibit can be lifted in parts. */
	assert_int_equal(gms_uninhibit(rig.state, 4 * T_2M, T_2M), 0);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 5 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	assert_int_equal(gms_uninhibit(rig.state, 0, 2 * T_1G), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	/* An inhibit changes neither shareability nor folios, and does not cap host faults. */
	assert_int_equal(gms_inhibit(rig.state, 0, T_1G, GMS_ORDER_4K), 0);
	assert_int_equal(gms_max_order(rig.state, 5), GMS_ORDER_1G);
	rig_convert(&rig, 0, T_1G, GMS_SHARED);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Rules 6 and 21: inhibits cap the incomplete blocks at the end of the object. */
static void rule_21_inhibits_cap_incomplete_blocks(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_inhibit(rig.state, NR_PAGES - 1, 1, GMS_ORDER_4K), 0);
	rig_faults(&rig, NR_PAGES - 1, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(gms_inhibit(rig.state, 2 * T_1G, T_2M + 1, GMS_ORDER_2M), 0);
	rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(gms_inhibit(rig.state, 2 * T_1G + 9, 1, GMS_ORDER_4K), 0);
	rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	assert_int_equal(gms_uninhibit(rig.state, 0, NR_PAGES), 0);
	rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rules 11 and 21: an inhibit to an order other than 4K and 2M is refused. */
static void rule_21_inhibits_of_other_orders_are_refused(void **unused)
{
	unsigned int order;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	for (order = 0; order < 64; order++) {
		if (order != GMS_ORDER_4K && order != GMS_ORDER_2M)
			assert_int_equal(gms_inhibit(rig.state, 5, 1, order), -EINVAL);
	}
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* gms_inhibit() that works. The sequence number changes if and only if hooks are called. */
static void inhibit(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, unsigned int order)
{
	const uint64_t seq = gms_seq_read(rig->state, start);

	rig_forget(rig);
	assert_int_equal(gms_inhibit(rig->state, start, nr_pages, order), 0);
	assert_int_equal(gms_seq_read(rig->state, start) != seq, rig_count(rig, SIM_ALL_HOOKS) > 0);
}

/* Rule 21: gms_inhibit() zaps the guest's mappings of the pages that change. */
static void rule_21_an_inhibit_zaps_the_pages_that_change(void **unused)
{
	struct sim_totals totals;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, T_2M, T_2M, GMS_SHARED);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	inhibit(&rig, 5, 2 * T_2M, GMS_ORDER_4K);
	rig_expect_calls(&rig, 0, BEGIN(5, 2 * T_2M), ZAP(5, 2 * T_2M, GMS_SHARED),
			 ZAP(5, 2 * T_2M, GMS_PRIVATE), END(5, 2 * T_2M));
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.mapped_pages[0][1], 0);
	/* Pages with the inhibit are not zapped again. */
	inhibit(&rig, 7, 2 * T_2M - 2, GMS_ORDER_4K);
	inhibit(&rig, 5, 2 * T_2M, GMS_ORDER_2M);
	rig_expect_none(&rig);
	/* Nor are they zapped where other pages of the range change. */
	inhibit(&rig, 0, 3 * T_2M, GMS_ORDER_4K);
	rig_expect_calls(&rig, 1U << SIM_ZAP_GUEST, BEGIN(0, 5), BEGIN(2 * T_2M + 5, T_2M - 5),
			 END(0, 5), END(2 * T_2M + 5, T_2M - 5));
	inhibit(&rig, 3 * T_2M - 1, 3, GMS_ORDER_2M);
	rig_expect_calls(&rig, 1U << SIM_ZAP_GUEST, BEGIN(3 * T_2M, 2), END(3 * T_2M, 2));
	inhibit(&rig, 3 * T_2M - 1, 3, GMS_ORDER_4K);
	rig_expect_calls(&rig, 1U << SIM_ZAP_GUEST, BEGIN(3 * T_2M, 2), END(3 * T_2M, 2));
	/* gms_uninhibit() zaps nothing. */
	rig_forget(&rig);
	assert_int_equal(gms_uninhibit(rig.state, 0, NR_PAGES), 0);
	rig_expect_none(&rig);
	rig_fini(&rig);
}

/*
 * Rule 14: each allocation of gms_inhibit() fails in turn. Nothing has changed then, and no hook
 * was called.
 */
static void rule_14_inhibit_without_memory_changes_nothing(void **unused)
{
	struct rig_opts opts = all_private;
	uint64_t skip, failed = 0;
	struct rig rig;
	int ret = -1;

	(void)unused;
	opts.folio_order = GMS_ORDER_4K;
	rig_init(&rig, &opts);
	for (gms_pgoff_t i = 0; i < 40; i += 2)
		assert_int_equal(gms_inhibit(rig.state, T_1G + i, 1, GMS_ORDER_2M), 0);
	for (skip = 0; ret; skip++) {
		rig_forget(&rig);
		talloc_fail(&rig.talloc, skip, 1);
		ret = gms_inhibit(rig.state, T_2M + 7, T_1G, GMS_ORDER_4K);
		talloc_fail_never(&rig.talloc);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		rig_expect_none(&rig);
		rig_faults(&rig, 2 * T_2M, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
		rig_check(&rig);
		failed++;
	}
	assert_true(failed > 0);
	assert_int_equal(rig.talloc.failed, failed);
	inhibit(&rig, T_2M + 7, T_1G, GMS_ORDER_4K);
	rig_expect_none(&rig);
	rig_fini(&rig);
}

/*
 * Rule 15: a hook that the backend lacks counts as one that succeeded. A state without any hook
 * behaves as one with all of them.
 */
static void rule_15_a_missing_hook_counts_as_success(void **unused)
{
	const struct gms_backend_ops none = {.struct_size = sizeof(none)};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_fault fault;
	struct gms_state *state;
	const char *reason;
	int with;

	(void)unused;
	opts.nr_pages = NR_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_1G;
	for (with = 0; with < 2; with++) {
		opts.backend = with ? &none : NULL;
		assert_int_equal(gms_state_create(&opts, &state), 0);
		assert_int_equal(gms_fault_begin(state, 5, GMS_GUEST, &fault), 0);
		assert_int_equal(gms_fault_prepare(state, &fault), 0);
		assert_true(fault.prepared);
		gms_fault_end(state, &fault);
		assert_int_equal(gms_convert(state, 5, 1, GMS_SHARED, 0, NULL), 0);
		assert_int_equal(gms_pin(state, 5, 1, NULL), 0);
		assert_int_equal(gms_folio_order(state, 5), GMS_ORDER_4K);
		assert_int_equal(gms_folio_order(state, T_2M), GMS_ORDER_2M);
		assert_int_equal(gms_convert(state, 0, T_1G, GMS_PRIVATE, 0, NULL), -EAGAIN);
		gms_unpin(state, 5, 1);
		assert_int_equal(gms_convert(state, 0, T_1G, GMS_PRIVATE, 0, NULL), 0);
		assert_int_equal(gms_allocate(state, 0, NR_PAGES, NULL), 0);
		assert_int_equal(gms_punch_hole(state, 7, T_1G, NULL), 0);
		if (!gms_state_verify(state, &reason))
			fail_msg("%s", reason);
		gms_state_destroy(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_08_attributes_are_sets_of_pages),
		cmocka_unit_test(rule_08_one_attribute_too_many_is_refused),
		cmocka_unit_test(rule_08_a_change_zaps_the_pages_that_change),
		cmocka_unit_test(rule_08_a_change_zaps_shared_pages_too),
		cmocka_unit_test(rule_08_attributes_cap_what_a_guest_maps),
		cmocka_unit_test(rule_21_inhibits_cap_what_a_guest_maps),
		cmocka_unit_test(rule_21_inhibits_cap_incomplete_blocks),
		cmocka_unit_test(rule_21_inhibits_of_other_orders_are_refused),
		cmocka_unit_test(rule_21_an_inhibit_zaps_the_pages_that_change),
		cmocka_unit_test(rule_14_inhibit_without_memory_changes_nothing),
		cmocka_unit_test(rule_15_a_missing_hook_counts_as_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
