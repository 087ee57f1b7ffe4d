// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - proves which hooks a conversion calls, and how far a conversion comes that fails
 *
 * Tests rules 9 to 13, 15 and 17. undo.c tests how a failed conversion is undone.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

/* Converts [10, 20), [30, 40) and [1000, 1600). All other pages are of the other kind. */
static void convert_three_runs(struct rig *rig, enum gms_shareability to)
{
	rig_convert(rig, 10, 10, to);
	rig_convert(rig, 30, 10, to);
	rig_convert(rig, 1000, 600, to);
	rig_forget(rig);
}

/* Rule 9: a conversion of a range that has the wanted state returns 0 and calls no hook. */
static void rule_09_a_conversion_without_change_calls_no_hook(void **unused)
{
	struct gms_stats before, after;
	struct rig rig;
	uint64_t seq;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_convert(&rig, 100, 50, GMS_PRIVATE);
	rig_faults(&rig, T_1G + 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_pin(&rig, 20, 3);
	rig_forget(&rig);
	before = rig_stats(&rig);
	seq = gms_seq_read(rig.state, 0);
	rig_convert(&rig, 100, 50, GMS_PRIVATE);
	rig_convert(&rig, 120, 1, GMS_PRIVATE);
	rig_convert(&rig, 0, 100, GMS_SHARED);
	rig_convert(&rig, 150, NR_PAGES - 150, GMS_SHARED);
	rig_expect_none(&rig);
	after = rig_stats(&rig);
	assert_int_equal(after.noops - before.noops, 4);
	assert_int_equal(after.conversions, before.conversions);
	assert_int_equal(after.pages_converted, before.pages_converted);
	assert_int_equal(gms_seq_read(rig.state, 0), seq);
	gms_unpin(rig.state, 20, 3);
	rig_fini(&rig);
}

/*
 * Rules 10 and 15: in a conversion to private the hooks get the runs that change, in the order of
 * backend.h.
 */
static void rule_10_to_private_hooks_get_the_runs_that_change(void **unused)
{
	struct gms_stats before, after;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	convert_three_runs(&rig, GMS_PRIVATE);
	before = rig_stats(&rig);
	rig_convert(&rig, 0, 2000, GMS_PRIVATE);
	rig_expect_calls(&rig, 0, UNMAP(0, 10), UNMAP(20, 10), UNMAP(40, 960), UNMAP(1600, 400),
			 PINS(0, 10), PINS(20, 10), PINS(40, 960), PINS(1600, 400), BEGIN(0, 10),
			 BEGIN(20, 10), BEGIN(40, 960), BEGIN(1600, 400), ZAP(0, 10, GMS_SHARED),
			 ZAP(20, 10, GMS_SHARED), ZAP(40, 960, GMS_SHARED),
			 ZAP(1600, 400, GMS_SHARED), APPLY(0, 10, GMS_PRIVATE),
			 APPLY(20, 10, GMS_PRIVATE), APPLY(40, 960, GMS_PRIVATE),
			 APPLY(1600, 400, GMS_PRIVATE), END(0, 10), END(20, 10), END(40, 960),
			 END(1600, 400));
	after = rig_stats(&rig);
	assert_int_equal(after.conversions - before.conversions, 1);
	assert_int_equal(after.pages_converted - before.pages_converted, 1380);
	rig_fini(&rig);
}

/*
 * Rules 10 and 15: in a conversion to shared the hooks get the runs that change. Nothing is
 * unmapped from the host, and pins are not searched for.
 */
static void rule_10_to_shared_hooks_get_the_runs_that_change(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	convert_three_runs(&rig, GMS_SHARED);
	rig_convert(&rig, 15, 1000, GMS_SHARED);
	rig_expect_calls(&rig, 0, BEGIN(20, 10), BEGIN(40, 960), ZAP(20, 10, GMS_PRIVATE),
			 ZAP(40, 960, GMS_PRIVATE), APPLY(20, 10, GMS_SHARED),
			 APPLY(40, 960, GMS_SHARED), END(20, 10), END(40, 960));
	rig_fini(&rig);
}

/* Rule 10: a run crosses the edges of blocks. In resumable mode it ends at each 1G. */
static void rule_10_runs_are_joined_across_blocks(void **unused)
{
	gms_pgoff_t err_index = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, 7, NR_PAGES - 7, GMS_SHARED);
	rig_expect_calls(&rig, 0, BEGIN(7, NR_PAGES - 7), ZAP(7, NR_PAGES - 7, GMS_PRIVATE),
			 APPLY(7, NR_PAGES - 7, GMS_SHARED), END(7, NR_PAGES - 7));
	rig_forget(&rig);
	assert_int_equal(gms_convert(rig.state, 1, NR_PAGES - 1, GMS_PRIVATE, GMS_CONVERT_RESUMABLE,
				     &err_index),
			 0);
	assert_int_equal(err_index, 0x77);
	rig_expect_calls(&rig, SIM_ALL_HOOKS & ~(1U << SIM_APPLY), APPLY(7, T_1G - 7, GMS_PRIVATE),
			 APPLY(T_1G, T_1G, GMS_PRIVATE), APPLY(2 * T_1G, T_2M + 1, GMS_PRIVATE));
	assert_int_equal(rig_stats(&rig).conversions, 2);
	assert_int_equal(rig_stats(&rig).pages_converted, 2 * (NR_PAGES - 7));
	rig_fini(&rig);
}

/* Each of these ranges is empty, wraps, or passes the end. */
static const struct {
	uint64_t start, nr_pages;
} bad[] = {
	{0, 0},
	{5, 0},
	{NR_PAGES, 0},
	{NR_PAGES, 1},
	{NR_PAGES - 1, 2},
	{0, NR_PAGES + 1},
	{1, UINT64_MAX},
	{UINT64_MAX, 1},
	{UINT64_MAX, 2},
	{5, UINT64_MAX - 4},
	{GMS_MAX_PAGES, 1},
	{UINT64_MAX, UINT64_MAX},
};

/*
 * Rule 11: a bad range, an unknown flag or an unknown shareability returns -EINVAL and changes
 * nothing.
 */
static void rule_11_bad_conversions_are_refused(void **unused)
{
	struct rig_image image;
	uint64_t refused = 0;
	struct rig rig;
	size_t i;

	(void)unused;
	rig_init(&rig, &all_shared);
	convert_three_runs(&rig, GMS_PRIVATE);
	rig_image_take(&image, &rig);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		rig_convert_fails(&rig, bad[i].start, bad[i].nr_pages, GMS_PRIVATE, 0, -EINVAL,
				  bad[i].start);
		rig_convert_fails(&rig, bad[i].start, bad[i].nr_pages, GMS_SHARED,
				  GMS_CONVERT_RESUMABLE, -EINVAL, bad[i].start);
		refused += 2;
	}
	for (i = 1; i < 32; i++, refused++)
		rig_convert_fails(&rig, 3, 1, GMS_PRIVATE, 1U << i, -EINVAL, 3);
	rig_convert_fails(&rig, 3, 1, (enum gms_shareability)2, 0, -EINVAL, 3);
	rig_convert_fails(&rig, 3, 1, (enum gms_shareability) - 1, 0, -EINVAL, 3);
	assert_int_equal(gms_convert(rig.state, 0, 0, GMS_PRIVATE, 0, NULL), -EINVAL);
	assert_int_equal(rig_stats(&rig).refused_inval, refused + 3);
	rig_expect_none(&rig);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

/* Rule 11: gms_pin() and the other calls with a range refuse a bad one. */
static void rule_11_bad_ranges_are_refused_by_each_call(void **unused)
{
	struct rig_image image;
	struct rig rig;
	unsigned int attr;
	size_t i;

	(void)unused;
	rig_init(&rig, &all_shared);
	assert_int_equal(gms_attr_create(rig.state, &attr), 0);
	rig_image_take(&image, &rig);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t start = bad[i].start, nr_pages = bad[i].nr_pages;
		gms_pgoff_t at[3] = {0x77, 0x77, 0x77};

		assert_int_equal(gms_allocate(rig.state, start, nr_pages, &at[0]), -EINVAL);
		assert_int_equal(gms_punch_hole(rig.state, start, nr_pages, &at[1]), -EINVAL);
		assert_int_equal(gms_pin(rig.state, start, nr_pages, &at[2]), -EINVAL);
		assert_int_equal(at[0], start);
		assert_int_equal(at[1], start);
		assert_int_equal(at[2], start);
		assert_int_equal(gms_allocate(rig.state, start, nr_pages, NULL), -EINVAL);
		assert_int_equal(gms_punch_hole(rig.state, start, nr_pages, NULL), -EINVAL);
		assert_int_equal(gms_pin(rig.state, start, nr_pages, NULL), -EINVAL);
		assert_int_equal(gms_lock_shared(rig.state, start, nr_pages), -EINVAL);
		assert_int_equal(gms_inhibit(rig.state, start, nr_pages, 0), -EINVAL);
		assert_int_equal(gms_uninhibit(rig.state, start, nr_pages), -EINVAL);
		assert_int_equal(gms_attr_set(rig.state, attr, start, nr_pages, true), -EINVAL);
		assert_int_equal(gms_repair(rig.state, start, nr_pages, GMS_SHARED), -EINVAL);
	}
	rig_expect_none(&rig);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

/*
 * Rule 12: a conversion to private of a range with pins returns -EAGAIN, names the first pinned
 * page, and changes nothing.
 */
static void rule_12_the_first_pinned_page_is_named(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	convert_three_runs(&rig, GMS_PRIVATE);
	rig_pin(&rig, 5, 1);
	rig_pin(&rig, 170, 2);
	rig_pin(&rig, 150, 1);
	rig_pin(&rig, T_1G + 9, 1);
	rig_forget(&rig);
	rig_image_take(&image, &rig);
	rig_convert_fails(&rig, 100, 100, GMS_PRIVATE, 0, -EAGAIN, 150);
	rig_convert_fails(&rig, 151, 100, GMS_PRIVATE, 0, -EAGAIN, 170);
	rig_convert_fails(&rig, 171, 2 * T_1G, GMS_PRIVATE, 0, -EAGAIN, 171);
	rig_convert_fails(&rig, 172, 2 * T_1G, GMS_PRIVATE, 0, -EAGAIN, T_1G + 9);
	rig_convert_fails(&rig, 0, NR_PAGES, GMS_PRIVATE, 0, -EAGAIN, 5);
	assert_int_equal(gms_convert(rig.state, 0, NR_PAGES, GMS_PRIVATE, 0, NULL), -EAGAIN);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	assert_int_equal(rig_stats(&rig).refused_pinned, 6);
	/* The host was unmapped, and pins were searched for. Nothing else was done. */
	assert_int_equal(rig_count(&rig, 1U << SIM_INVALIDATE_BEGIN | 1U << SIM_ZAP_GUEST |
						 1U << SIM_APPLY | 1U << SIM_FOLIO_SPLIT),
			 0);
	assert_true(rig_count(&rig, 1U << SIM_UNMAP_HOST) > 0);
	/* A pin outside the range refuses nothing. */
	rig_convert(&rig, 100, 50, GMS_PRIVATE);
	rig_convert(&rig, 151, 19, GMS_PRIVATE);
	gms_unpin(rig.state, 0, NR_PAGES);
	rig_fini(&rig);
}

/*
 * Rule 12: after gms_unpin() the conversion succeeds. A page that was pinned twice must be
 * unpinned twice.
 */
static void rule_12_after_unpin_the_conversion_succeeds(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 100, 20);
	rig_pin(&rig, 110, 20);
	rig_convert_fails(&rig, 90, 60, GMS_PRIVATE, 0, -EAGAIN, 100);
	gms_unpin(rig.state, 100, 20);
	rig_convert_fails(&rig, 90, 60, GMS_PRIVATE, 0, -EAGAIN, 110);
	gms_unpin(rig.state, 115, 15);
	rig_convert_fails(&rig, 90, 60, GMS_PRIVATE, 0, -EAGAIN, 110);
	gms_unpin(rig.state, 110, 5);
	rig_convert(&rig, 90, 60, GMS_PRIVATE);
	rig_fini(&rig);
}

/* Rule 12: the backend may know further pins. The first pin of all is named. */
static void rule_12_the_first_pin_of_backend_and_library_is_named(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	convert_three_runs(&rig, GMS_PRIVATE);
	assert_int_equal(sim_pin(rig.sim, 50, 1), 0);
	assert_int_equal(sim_pin(rig.sim, 1700, 1), 0);
	rig_pin(&rig, 1650, 1);
	rig_image_take(&image, &rig);
	rig_convert_fails(&rig, 0, 2000, GMS_PRIVATE, 0, -EAGAIN, 50);
	rig_convert_fails(&rig, 60, 2000, GMS_PRIVATE, 0, -EAGAIN, 1650);
	rig_convert_fails(&rig, 1651, 2000, GMS_PRIVATE, 0, -EAGAIN, 1700);
	/* Both kinds of pins are in one run. */
	assert_int_equal(sim_pin(rig.sim, 1620, 1), 0);
	rig_convert_fails(&rig, 60, 2000, GMS_PRIVATE, 0, -EAGAIN, 1620);
	assert_int_equal(sim_unpin(rig.sim, 1620, 1), 0);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	gms_unpin(rig.state, 1650, 1);
	rig_convert_fails(&rig, 60, 2000, GMS_PRIVATE, 0, -EAGAIN, 1700);
	assert_int_equal(sim_unpin(rig.sim, 1700, 1), 0);
	rig_convert(&rig, 60, 2000, GMS_PRIVATE);
	assert_int_equal(sim_unpin(rig.sim, 50, 1), 0);
	rig_convert(&rig, 0, 2000, GMS_PRIVATE);
	rig_fini(&rig);
}

/*
 * Rule 13: a pin never makes a conversion to shared fail. The split is deferred to the next
 * fault, and counted. The pin is one of the backend, because eager splits a folio before the host
 * can pin a page of it.
 */
static void rule_13_a_pin_defers_the_split_of_eager(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = gms_policy_eager();
	rig_init(&rig, &opts);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(sim_pin(rig.sim, 0, 1), 0);
	rig_convert(&rig, 256, 256, GMS_SHARED);
	assert_int_equal(gms_folio_order(rig.state, 256), GMS_ORDER_2M);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	/* The page is still pinned: the split is deferred again, and the fault is answered. */
	rig_faults(&rig, 300, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 2);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT), 0);
	assert_int_equal(sim_unpin(rig.sim, 0, 1), 0);
	rig_faults(&rig, 300, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_2m, 1);
	assert_int_equal(rig_stats(&rig).splits_deferred, 2);
	assert_int_equal(rig_stats(&rig).refused_pinned, 0);
	rig_fini(&rig);
}

/* Rule 13: a pin of the library defers the split of a mixed 1G that eager-nonuniform wants. */
static void rule_13_a_pin_defers_the_split_of_nonuniform(void **unused)
{
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager_nonuniform();
	rig_init(&rig, &opts);
	rig_pin(&rig, 5, 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	rig_convert(&rig, 4 * T_2M, 4 * T_2M, GMS_PRIVATE);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	rig_convert(&rig, 5 * T_2M, T_2M, GMS_SHARED);
	assert_int_equal(rig_stats(&rig).splits_deferred, 2);
	assert_int_equal(gms_folio_order(rig.state, 5 * T_2M), GMS_ORDER_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT), 0);
	gms_unpin(rig.state, 5, 1);
	rig_faults(&rig, 5 * T_2M + 9, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(rig_stats(&rig).splits_deferred, 2);
	rig_fini(&rig);
}

/* Rule 15: folios are split after the search for pins and before the guest is zapped. */
static void rule_15_splits_come_before_zapping(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager_rfc();
	rig_init(&rig, &opts);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, T_1G - 8, 16, GMS_SHARED);
	rig_expect_calls(&rig, 1U << SIM_CHECK_PINS, SPLIT(0, 18, 0), SPLIT(T_1G, 18, 0),
			 BEGIN(T_1G - 8, 16), ZAP(T_1G - 8, 16, GMS_PRIVATE),
			 APPLY(T_1G - 8, 16, GMS_SHARED), END(T_1G - 8, 16));
	/* check_pins was called for each whole folio before its split. */
	assert_true(rig_covered(&rig, SIM_CHECK_PINS, 0, T_1G));
	assert_true(rig_covered(&rig, SIM_CHECK_PINS, T_1G, T_1G));
	rig_fini(&rig);
}

/* Rule 15: folios are merged last, after the new state is published. */
static void rule_15_merges_come_last(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = gms_policy_eager();
	rig_init(&rig, &opts);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_convert(&rig, T_2M - 8, 16, GMS_SHARED);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, T_2M - 8, 16, GMS_PRIVATE);
	rig_expect_calls(&rig, 0, UNMAP(T_2M - 8, 16), PINS(T_2M - 8, 16), BEGIN(T_2M - 8, 16),
			 ZAP(T_2M - 8, 16, GMS_SHARED), APPLY(T_2M - 8, 16, GMS_PRIVATE),
			 END(T_2M - 8, 16), MERGE(0, 0, 9), MERGE(T_2M, 0, 9));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rule 15: the sequence number changes only in blocks with changed pages, and ends even. */
static void rule_15_the_sequence_number_changes_with_its_block(void **unused)
{
	struct rig rig;
	uint64_t seq[3];
	unsigned int i;

	(void)unused;
	rig_init(&rig, &all_shared);
	for (i = 0; i < 3; i++)
		seq[i] = gms_seq_read(rig.state, i * T_1G);
	rig_convert(&rig, T_1G - 1, 2, GMS_PRIVATE);
	assert_true(gms_seq_retry(rig.state, 0, seq[0]));
	assert_true(gms_seq_retry(rig.state, T_1G, seq[1]));
	assert_false(gms_seq_retry(rig.state, 2 * T_1G, seq[2]));
	rig_fini(&rig);
}

/* Rule 17: a conversion is atomic by default. A pin in the last block refuses all of it. */
static void rule_17_an_atomic_conversion_changes_all_or_nothing(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	convert_three_runs(&rig, GMS_PRIVATE);
	rig_pin(&rig, NR_PAGES - 1, 1);
	rig_image_take(&image, &rig);
	rig_convert_fails(&rig, 3, NR_PAGES - 3, GMS_PRIVATE, 0, -EAGAIN, NR_PAGES - 1);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	gms_unpin(rig.state, NR_PAGES - 1, 1);
	rig_image_take(&image, &rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 3, 1, -EIO);
	rig_convert_fails(&rig, 3, NR_PAGES - 3, GMS_PRIVATE, 0, -EIO, 3);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	rig_fini(&rig);
}

/*
 * Rule 17: a resumable conversion that meets a pin has converted all pages before err_index, and
 * none from there on.
 */
static void rule_17_resumable_converts_up_to_a_pin(void **unused)
{
	const uint64_t pin = T_1G + 700;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, pin, 1);
	rig_convert_fails(&rig, 100, NR_PAGES - 100, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN,
			  pin);
	assert_true(gms_range_is(rig.state, 0, 100, GMS_SHARED));
	assert_true(gms_range_is(rig.state, 100, pin - 100, GMS_PRIVATE));
	assert_true(gms_range_is(rig.state, pin, NR_PAGES - pin, GMS_SHARED));
	rig_expect_calls(&rig, SIM_ALL_HOOKS & ~(1U << SIM_APPLY),
			 APPLY(100, T_1G - 100, GMS_PRIVATE), APPLY(T_1G, 700, GMS_PRIVATE));
	/* A second call, from the pin on, fails at the pin. */
	rig_convert_fails(&rig, pin, 9, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, pin);
	gms_unpin(rig.state, pin, 1);
	assert_int_equal(gms_convert(rig.state, pin, NR_PAGES - pin, GMS_PRIVATE,
				     GMS_CONVERT_RESUMABLE, NULL),
			 0);
	assert_true(gms_range_is(rig.state, 100, NR_PAGES - 100, GMS_PRIVATE));
	rig_fini(&rig);
}

/* Rule 17: a resumable conversion converts up to a pin that only the backend knows. */
static void rule_17_resumable_converts_up_to_a_pin_of_the_backend(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	assert_int_equal(sim_pin(rig.sim, 600, 1), 0);
	rig_convert_fails(&rig, 100, T_1G, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN, 600);
	assert_true(gms_range_is(rig.state, 100, 500, GMS_PRIVATE));
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), 500);
	assert_int_equal(sim_unpin(rig.sim, 600, 1), 0);
	rig_fini(&rig);
}

/* Rule 17: on another error a resumable conversion names the start of the failing 1G block. */
static void rule_17_resumable_stops_before_the_failing_block(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	/* err_index is never below the range: in the first block it is the start of the range. */
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EIO);
	rig_convert_fails(&rig, 50, 2 * T_1G, GMS_SHARED, GMS_CONVERT_RESUMABLE, -EIO, 50);
	assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_PRIVATE));
	convert_three_runs(&rig, GMS_SHARED);
	rig_convert(&rig, T_1G + 10, 10, GMS_SHARED);
	/*
	 * The blocks have four runs, two, and one. The sixth apply fails in the middle of its
	 * run.
	 */
	sim_refuse(rig.sim, 1U << SIM_APPLY, 5, 1, -EIO);
	sim_refuse_after(rig.sim, 100);
	rig_convert_fails(&rig, 0, NR_PAGES, GMS_SHARED, GMS_CONVERT_RESUMABLE, -EIO, T_1G);
	assert_true(gms_range_is(rig.state, 0, T_1G, GMS_SHARED));
	assert_int_equal(gms_count(rig.state, T_1G, NR_PAGES - T_1G, GMS_SHARED), 10);
	rig_check(&rig);
	assert_int_equal(gms_convert(rig.state, T_1G, NR_PAGES - T_1G, GMS_SHARED,
				     GMS_CONVERT_RESUMABLE, NULL),
			 0);
	assert_true(gms_range_is(rig.state, 0, NR_PAGES, GMS_SHARED));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_09_a_conversion_without_change_calls_no_hook),
		cmocka_unit_test(rule_10_to_private_hooks_get_the_runs_that_change),
		cmocka_unit_test(rule_10_to_shared_hooks_get_the_runs_that_change),
		cmocka_unit_test(rule_10_runs_are_joined_across_blocks),
		cmocka_unit_test(rule_11_bad_conversions_are_refused),
		cmocka_unit_test(rule_11_bad_ranges_are_refused_by_each_call),
		cmocka_unit_test(rule_12_the_first_pinned_page_is_named),
		cmocka_unit_test(rule_12_after_unpin_the_conversion_succeeds),
		cmocka_unit_test(rule_12_the_first_pin_of_backend_and_library_is_named),
		cmocka_unit_test(rule_13_a_pin_defers_the_split_of_eager),
		cmocka_unit_test(rule_13_a_pin_defers_the_split_of_nonuniform),
		cmocka_unit_test(rule_15_splits_come_before_zapping),
		cmocka_unit_test(rule_15_merges_come_last),
		cmocka_unit_test(rule_15_the_sequence_number_changes_with_its_block),
		cmocka_unit_test(rule_17_an_atomic_conversion_changes_all_or_nothing),
		cmocka_unit_test(rule_17_resumable_converts_up_to_a_pin),
		cmocka_unit_test(rule_17_resumable_converts_up_to_a_pin_of_the_backend),
		cmocka_unit_test(rule_17_resumable_stops_before_the_failing_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
