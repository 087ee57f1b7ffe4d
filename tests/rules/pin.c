// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pin.c - proves what pins refuse, which folios are exposed, and how pins defer splits
 *
 * Tests rules 24, 28, 29, 31 and 32. A pin is a host fault that lasts. It keeps its page shared
 * and its folio whole. The backend decides whether the pin keeps the rest of the folio shared.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};
static const struct rig_opts by_folio = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.sim_flags = GMS_BACKEND_PINS_BY_FOLIO,
};

#define ALL_BUT(hook) (~(1U << (hook)))

/*
 * Rule 24: gms_pin() acts as a host fault on each page. A private page makes it return -EACCES,
 * and no page is pinned then.
 */
static void rule_24_a_pin_is_a_host_fault_on_each_page(void **unused)
{
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_convert(&rig, T_1G + 70, 9, GMS_PRIVATE);
	rig_forget(&rig);
	assert_int_equal(gms_pin(rig.state, T_1G - 5, 100, &at), -EACCES);
	assert_int_equal(at, T_1G + 70);
	assert_int_equal(gms_pin(rig.state, T_1G + 75, 1, &at), -EACCES);
	assert_int_equal(at, T_1G + 75);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
	assert_int_equal(rig_stats(&rig).refused_access, 2);
	rig_pin(&rig, T_1G - 5, 75);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_1G + T_2M), GMS_ORDER_2M);
	assert_int_equal(rig_stats(&rig).faults_host, 0);
	gms_unpin(rig.state, T_1G - 5, 75);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 0);
	rig_fini(&rig);
}

/* Rule 24: if the backend refuses a folio, its page is named, and no page is pinned. */
static void rule_24_a_pin_refused_by_the_backend_pins_nothing(void **unused)
{
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 1, 1, -EHWPOISON);
	assert_int_equal(gms_pin(rig.state, T_1G - 5, 100, &at), -EHWPOISON);
	assert_int_equal(at, T_1G);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
	assert_true(gms_is_allocated(rig.state, 0));
	assert_false(gms_is_allocated(rig.state, T_1G));
	rig_pin(&rig, T_1G - 5, 100);
	gms_unpin(rig.state, T_1G - 5, 100);
	rig_fini(&rig);
}

/* Rule 24: pins are counted by page. gms_unpin() counts pages that are not pinned. */
static void rule_24_pins_are_counted_page_by_page(void **unused)
{
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, &at));
	assert_int_equal(at, 0x77);
	rig_pin(&rig, T_1G - 5, 10);
	rig_pin(&rig, T_1G, 1);
	assert_true(gms_first_pin(rig.state, 0, UINT64_MAX, &at));
	assert_int_equal(at, T_1G - 5);
	assert_true(gms_first_pin(rig.state, T_1G - 3, 1, NULL));
	assert_false(gms_first_pin(rig.state, T_1G + 5, NR_PAGES, NULL));
	assert_false(gms_first_pin(rig.state, 0, T_1G - 5, NULL));
	assert_false(gms_first_pin(rig.state, T_1G, 0, NULL));
	assert_false(gms_first_pin(rig.state, NR_PAGES, 5, NULL));
	gms_unpin(rig.state, T_1G - 100, 200);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 190);
	assert_true(gms_first_pin(rig.state, 0, NR_PAGES, &at));
	assert_int_equal(at, T_1G);
	gms_unpin(rig.state, T_1G, 1);
	assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
	gms_unpin(rig.state, T_1G, 1);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 191);
	/* A range that passes the end or wraps counts as one page. */
	gms_unpin(rig.state, NR_PAGES - 1, 2);
	gms_unpin(rig.state, 5, UINT64_MAX);
	gms_unpin(rig.state, UINT64_MAX, 1);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 194);
	/* This block never had a pin. */
	gms_unpin(rig.state, 2 * T_1G + 3, 5);
	assert_int_equal(rig_stats(&rig).surplus_unpins, 199);
	rig_fini(&rig);
}

/* Rule 24: gms_allocate() allocates whole folios once, and splits only as the policy says. */
static void rule_24_allocate_takes_whole_folios(void **unused)
{
	static const unsigned int order_of[RIG_NR_POLICIES] = {
		GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_2M, GMS_ORDER_1G, GMS_ORDER_1G, GMS_ORDER_1G};
	unsigned int i;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		struct rig_opts opts = all_private;
		struct rig rig;

		opts.policy = rig_policy(i);
		rig_init(&rig, &opts);
		rig_convert(&rig, 5, 1, GMS_SHARED);
		rig_forget(&rig);
		assert_int_equal(gms_allocate(rig.state, T_2M + 5, T_1G, NULL), 0);
		rig_expect_calls(&rig, ALL_BUT(SIM_FOLIO_ALLOC), ALLOC(0, 18), ALLOC(T_1G, 18));
		assert_int_equal(gms_folio_order(rig.state, T_2M + 5), order_of[i]);
		assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
		assert_true(gms_is_allocated(rig.state, 0));
		assert_true(gms_is_allocated(rig.state, 2 * T_1G - 1));
		assert_false(gms_is_allocated(rig.state, 2 * T_1G));
		assert_int_equal(rig_stats(&rig).folios_allocated, 2);
		assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
		assert_int_equal(rig_stats(&rig).folios_allocated, 4);
		assert_true(gms_is_allocated(rig.state, NR_PAGES - 1));
		assert_false(gms_is_allocated(rig.state, NR_PAGES));
		assert_int_equal(gms_folio_order(rig.state, NR_PAGES), 0);
		rig_fini(&rig);
	}
}

/* Rule 24: a failed gms_allocate() keeps its folios, and names the first page without one. */
static void rule_24_a_failed_allocate_keeps_earlier_folios(void **unused)
{
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 1, -EHWPOISON);
	assert_int_equal(gms_allocate(rig.state, 5, NR_PAGES - 5, &at), -EHWPOISON);
	assert_int_equal(at, 5);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 2, 1, -EHWPOISON);
	assert_int_equal(gms_allocate(rig.state, 5, NR_PAGES - 5, &at), -EHWPOISON);
	assert_int_equal(at, 2 * T_1G);
	assert_true(gms_is_allocated(rig.state, 5));
	assert_true(gms_is_allocated(rig.state, 2 * T_1G - 1));
	assert_false(gms_is_allocated(rig.state, 2 * T_1G));
	assert_int_equal(rig_stats(&rig).folios_allocated, 2);
	assert_int_equal(gms_allocate(rig.state, at, NR_PAGES - at, NULL), 0);
	rig_fini(&rig);
}

/* ---- exposed folios ---- */

/* Rule 28: under every policy a conversion unmaps the whole exposed folio, once. */
static void rule_28_an_exposed_folio_is_unmapped_whole(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		struct rig_opts opts = all_shared;
		struct gms_fault fault;
		struct rig rig;

		opts.policy = rig_policy(i);
		rig_init(&rig, &opts);
		assert_int_equal(rig_fault(&rig, 100, GMS_HOST, &fault), 0);
		rig_forget(&rig);
		rig_convert(&rig, 100, 1, GMS_PRIVATE);
		assert_true(rig_covered(&rig, SIM_UNMAP_HOST, fault.folio_index,
					1ULL << fault.folio_order));
		assert_int_equal(rig_count(&rig, 1U << SIM_UNMAP_HOST), 1);
		rig_forget(&rig);
		rig_convert(&rig, 3 * T_2M + 1, 1, GMS_PRIVATE);
		rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(3 * T_2M + 1, 1));
		rig_fini(&rig);
	}
}

/* Rule 28: a folio is exposed as long as it has a pin. */
static void rule_28_a_pin_keeps_a_folio_exposed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	rig_forget(&rig);
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	rig_convert(&rig, 200, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G), UNMAP(0, T_1G));
	/* The pin is gone and the folio was unmapped whole, so it is not exposed. */
	gms_unpin(rig.state, 7, 1);
	rig_forget(&rig);
	rig_convert(&rig, 300, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(300, 1));
	rig_fini(&rig);
}

/* Rule 28: after gms_unpin() the folio stays exposed until it is unmapped. */
static void rule_28_a_folio_stays_exposed_after_unpin(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	gms_unpin(rig.state, 7, 1);
	rig_forget(&rig);
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	rig_convert(&rig, 200, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G), UNMAP(200, 1));
	rig_fini(&rig);
}

/* Rule 28: an unmap_host that fails leaves the folio exposed. */
static void rule_28_a_refused_unmap_leaves_a_folio_exposed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_UNMAP_HOST, 0, 1, -EINTR);
	rig_convert_fails(&rig, 100, 1, GMS_PRIVATE, 0, -EINTR, 100);
	rig_convert(&rig, 200, 1, GMS_PRIVATE);
	rig_convert(&rig, 300, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G), UNMAP(0, T_1G),
			 UNMAP(300, 1));
	rig_fini(&rig);
}

/* Rule 28: a folio that a failed conversion has unmapped is not exposed. */
static void rule_28_a_failed_conversion_ends_the_exposure(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EINTR);
	rig_convert_fails(&rig, 100, 1, GMS_PRIVATE, 0, -EINTR, 100);
	rig_convert(&rig, 200, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G), UNMAP(200, 1));
	/* Another host fault exposes the folio again. */
	rig_convert(&rig, 200, 1, GMS_SHARED);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, 200, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G));
	rig_fini(&rig);
}

/* Rule 28: only the faulted part of a split folio is exposed. Guest faults expose nothing. */
static void rule_28_only_faulted_parts_of_a_split_folio_are_exposed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(100, 1));
	rig_faults(&rig, T_2M + 9, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, T_2M + 10, 1, GMS_PRIVATE);
	rig_convert(&rig, 3 * T_2M, 1, GMS_PRIVATE);
	rig_convert(&rig, T_2M + 12, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(T_2M, T_2M), UNMAP(3 * T_2M, 1),
			 UNMAP(T_2M + 12, 1));
	rig_fini(&rig);
}

/* Rule 28: after a split each part of an exposed folio is exposed. */
static void rule_28_a_split_leaves_all_parts_exposed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	/* The pin defers the split, so the fault exposes all of the 1G. */
	rig_pin(&rig, 7, 1);
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	rig_faults(&rig, 5 * T_2M, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_2M);
	gms_unpin(rig.state, 7, 1);
	rig_faults(&rig, T_2M + 9, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, 5 * T_2M + 10, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 5 * T_2M, T_2M));
	rig_fini(&rig);
}

/* Rule 28: a run in two exposed folios unmaps both. */
static void rule_28_a_run_unmaps_both_of_its_folios(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G + 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, T_1G - 1, 2, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_1G));
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, T_1G, T_1G));
	rig_forget(&rig);
	rig_convert(&rig, T_1G - 2, 4, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(T_1G - 2, 1), UNMAP(T_1G + 1, 1));
	rig_fini(&rig);
}

/* Rule 28: two runs in one exposed folio unmap it whole, and once. */
static void rule_28_two_runs_unmap_their_folio_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	rig_convert(&rig, 50, 10, GMS_PRIVATE);
	rig_forget(&rig);
	rig_convert(&rig, 40, 40, GMS_PRIVATE);
	rig_expect_calls(&rig, ALL_BUT(SIM_UNMAP_HOST), UNMAP(0, T_1G));
	/* The second run goes on behind that folio. */
	rig_forget(&rig);
	rig_convert(&rig, 30, T_1G, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 80, T_1G - 50));
	gms_unpin(rig.state, 7, 1);
	rig_fini(&rig);
}

/* ---- pins by page and by folio ---- */

/* Rule 29: with pins by page, a pin outside the range refuses nothing. The folio stays whole. */
static void rule_29_by_page_pins_outside_the_range_do_not_matter(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	rig_convert_fails(&rig, 0, 100, GMS_PRIVATE, 0, -EAGAIN, 7);
	rig_convert(&rig, 100, 100, GMS_PRIVATE);
	assert_int_equal(gms_folio_order(rig.state, 7), GMS_ORDER_1G);
	/* A host fault that cannot split is answered unsplit. Each fault tries again. */
	rig_faults(&rig, 8, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, T_2M, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_2M);
	assert_int_equal(rig_stats(&rig).splits_deferred, 2);
	rig_pin(&rig, 8, 1);
	assert_int_equal(rig_stats(&rig).splits_deferred, 3);
	assert_int_equal(gms_folio_order(rig.state, 7), GMS_ORDER_1G);
	gms_unpin(rig.state, 7, 2);
	rig_faults(&rig, T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, 8, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 3);
	rig_fini(&rig);
}

/* Rule 29: pins that only the backend knows defer the split of a host fault, too. */
static void rule_29_the_backends_pins_defer_a_split(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(sim_pin(rig.sim, 3 * T_2M, 1), 0);
	rig_convert(&rig, 100, 100, GMS_PRIVATE);
	rig_faults(&rig, 8, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	assert_int_equal(sim_unpin(rig.sim, 3 * T_2M, 1), 0);
	rig_faults(&rig, 8, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	rig_fini(&rig);
}

/*
 * Rule 29: with pins by folio, a pin anywhere in the folio returns -EAGAIN. err_index is the
 * first pinned page of the range, or else its start.
 */
static void rule_29_by_folio_a_pin_anywhere_counts(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &by_folio);
	rig_pin(&rig, 7, 1);
	rig_image_take(&image, &rig);
	rig_convert_fails(&rig, 100, 100, GMS_PRIVATE, 0, -EAGAIN, 100);
	rig_convert_fails(&rig, T_1G - 1, 100, GMS_PRIVATE, 0, -EAGAIN, T_1G - 1);
	rig_convert_fails(&rig, 0, 100, GMS_PRIVATE, 0, -EAGAIN, 7);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	/* Another folio can be converted. */
	rig_convert(&rig, T_1G, T_1G, GMS_PRIVATE);
	rig_pin(&rig, 150, 1);
	rig_convert_fails(&rig, 100, 100, GMS_PRIVATE, 0, -EAGAIN, 150);
	gms_unpin(rig.state, 150, 1);
	rig_convert_fails(&rig, 100, 100, GMS_PRIVATE, 0, -EAGAIN, 100);
	gms_unpin(rig.state, 7, 1);
	rig_convert(&rig, 100, 100, GMS_PRIVATE);
	rig_fini(&rig);
}

/*
 * Rule 29: with pins by folio, a resumable conversion stops at the first page of the range in the
 * pinned folio.
 */
static void rule_29_by_folio_resumable_stops_before_the_folio(void **unused)
{
	struct rig_opts opts = by_folio;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	rig_init(&rig, &opts);
	rig_pin(&rig, 5 * T_2M + 100, 1);
	rig_convert_fails(&rig, 100, 5 * T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN,
			  5 * T_2M);
	assert_true(gms_range_is(rig.state, 100, 5 * T_2M - 100, GMS_PRIVATE));
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), 5 * T_2M - 100);
	/*
	 * All pages before err_index must be converted, so err_index is not the pinned page of
	 * the range.
	 */
	rig_convert_fails(&rig, 5 * T_2M + 50, T_2M, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, -EAGAIN,
			  5 * T_2M + 50);
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), 5 * T_2M - 100);
	gms_unpin(rig.state, 5 * T_2M + 100, 1);
	rig_fini(&rig);
}

/* Rule 29: with pins by folio, pins that only the backend knows refuse as well. */
static void rule_29_by_folio_the_backends_pins_count(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &by_folio);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(sim_pin(rig.sim, 7, 1), 0);
	rig_convert_fails(&rig, 100, 100, GMS_PRIVATE, 0, -EAGAIN, 100);
	rig_convert_fails(&rig, 0, 100, GMS_PRIVATE, 0, -EAGAIN, 7);
	assert_int_equal(sim_unpin(rig.sim, 7, 1), 0);
	rig_convert(&rig, 100, 100, GMS_PRIVATE);
	rig_fini(&rig);
}

/* Rule 29: with pins by folio, a pin elsewhere in the folio refuses a hole. */
static void rule_29_by_folio_a_pin_refuses_a_hole(void **unused)
{
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &by_folio);
	rig_pin(&rig, 7, 1);
	assert_int_equal(gms_punch_hole(rig.state, T_2M, T_2M, &at), -EAGAIN);
	assert_int_equal(at, T_2M);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_1G);
	assert_true(gms_is_allocated(rig.state, T_2M));
	gms_unpin(rig.state, 7, 1);
	assert_int_equal(gms_punch_hole(rig.state, T_2M, T_2M, &at), 0);
	rig_fini(&rig);
}

/* ---- splits and merges beside pins ---- */

/* Rules 31 and 32: a hole that would split a pinned folio returns -EAGAIN and changes nothing. */
static void rule_31_a_pinned_folio_is_not_split_by_a_hole(void **unused)
{
	struct rig_image image;
	gms_pgoff_t at = 0x77;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, 7, 1);
	rig_image_take(&image, &rig);
	assert_int_equal(gms_punch_hole(rig.state, 9 * T_2M, T_2M, &at), -EAGAIN);
	assert_int_equal(at, 9 * T_2M);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_FREE), 0);
	gms_unpin(rig.state, 7, 1);
	assert_int_equal(gms_punch_hole(rig.state, 9 * T_2M, T_2M, NULL), 0);
	rig_fini(&rig);
}

/* Rule 31: a refused merge is counted, and the conversion returns 0. */
static void rule_31_a_refused_merge_is_counted(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager();
	rig_init(&rig, &opts);
	rig_faults(&rig, 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_MERGE, 0, UINT64_MAX, -EBUSY);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	/* The merge to 1G is tried once, and after it at most one for each 2M. */
	assert_int_equal(gms_folio_order(rig.state, 9), GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).merges_refused, rig_count(&rig, 1U << SIM_FOLIO_MERGE));
	assert_in_range(rig_stats(&rig).merges_refused, 1, 1 + T_1G / T_2M);
	assert_int_equal(rig_stats(&rig).refused_backend, 0);
	rig_check(&rig);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	assert_int_equal(gms_folio_order(rig.state, 9), GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).merges_1g, 1);
	rig_fini(&rig);
}

/* Rule 31: a block with a pin is not merged, and the conversion returns 0. */
static void rule_31_a_pinned_block_is_not_merged(void **unused)
{
	struct rig_opts opts = all_shared;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	opts.policy = gms_policy_eager_nonuniform();
	rig_init(&rig, &opts);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_pin(&rig, 7, 1);
	rig_forget(&rig);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	assert_int_equal(gms_folio_order(rig.state, 9), GMS_ORDER_4K);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_MERGE), 0);
	assert_int_equal(rig_stats(&rig).merges_refused, 1);
	gms_unpin(rig.state, 7, 1);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	assert_int_equal(gms_folio_order(rig.state, 9), GMS_ORDER_2M);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_24_a_pin_is_a_host_fault_on_each_page),
		cmocka_unit_test(rule_24_a_pin_refused_by_the_backend_pins_nothing),
		cmocka_unit_test(rule_24_pins_are_counted_page_by_page),
		cmocka_unit_test(rule_24_allocate_takes_whole_folios),
		cmocka_unit_test(rule_24_a_failed_allocate_keeps_earlier_folios),
		cmocka_unit_test(rule_28_an_exposed_folio_is_unmapped_whole),
		cmocka_unit_test(rule_28_a_pin_keeps_a_folio_exposed),
		cmocka_unit_test(rule_28_a_folio_stays_exposed_after_unpin),
		cmocka_unit_test(rule_28_a_refused_unmap_leaves_a_folio_exposed),
		cmocka_unit_test(rule_28_a_failed_conversion_ends_the_exposure),
		cmocka_unit_test(rule_28_only_faulted_parts_of_a_split_folio_are_exposed),
		cmocka_unit_test(rule_28_a_split_leaves_all_parts_exposed),
		cmocka_unit_test(rule_28_a_run_unmaps_both_of_its_folios),
		cmocka_unit_test(rule_28_two_runs_unmap_their_folio_once),
		cmocka_unit_test(rule_29_by_page_pins_outside_the_range_do_not_matter),
		cmocka_unit_test(rule_29_the_backends_pins_defer_a_split),
		cmocka_unit_test(rule_29_by_folio_a_pin_anywhere_counts),
		cmocka_unit_test(rule_29_by_folio_resumable_stops_before_the_folio),
		cmocka_unit_test(rule_29_by_folio_the_backends_pins_count),
		cmocka_unit_test(rule_29_by_folio_a_pin_refuses_a_hole),
		cmocka_unit_test(rule_31_a_pinned_folio_is_not_split_by_a_hole),
		cmocka_unit_test(rule_31_a_refused_merge_is_counted),
		cmocka_unit_test(rule_31_a_pinned_block_is_not_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
