// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * folio.c - proves when each of the policies splits and merges folios
 *
 * Tests rules 26, 27 and 30.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

#define ALL_BUT(hook) (~(1U << (hook)))
#define BUT_FOLIOS                                                                \
	(~(1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_SPLIT | \
	   1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED))

static void init_with(struct rig *rig, const struct rig_opts *opts,
		      const struct gms_policy_ops *policy)
{
	struct rig_opts with = *opts;

	with.policy = policy;
	rig_init(rig, &with);
}

/* Checks that the pages of [start, end) belong to folios of @order. */
static void expect_orders(const struct rig *rig, uint64_t start, uint64_t end, unsigned int order)
{
	for (; start < end; start++)
		assert_int_equal(gms_folio_order(rig->state, start), order);
}

/* ---- eager-rfc ---- */

/* Rule 26: eager-rfc splits all that it allocates in a block that is not all private, to 4K. */
static void rule_26_rfc_splits_what_it_allocates_in_shared_blocks(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_eager_rfc());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(0, 18), SPLIT(0, 18, 0));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	rig_convert(&rig, T_1G, T_1G - 1, GMS_PRIVATE);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	expect_orders(&rig, T_1G, 2 * T_1G, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 2);
	assert_int_equal(rig_stats(&rig).splits_2m, 0);
	rig_fini(&rig);
}

/*
 * Rule 26: eager-rfc merges a 1G when all of it is private again, and nothing smaller. In the
 * incomplete last 1G the backing has a 2M, which is split and merged.
 */
static void rule_26_rfc_merges_to_the_order_of_the_backing_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager_rfc());
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	rig_forget(&rig);
	rig_convert(&rig, 9 * T_2M, T_2M + 1, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 0));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	rig_convert(&rig, 9 * T_2M, T_2M, GMS_PRIVATE);
	expect_orders(&rig, 9 * T_2M, 10 * T_2M, GMS_ORDER_4K);
	rig_convert(&rig, 10 * T_2M, 1, GMS_PRIVATE);
	rig_convert(&rig, 2 * T_1G + 7, 1, GMS_SHARED);
	rig_convert(&rig, 2 * T_1G + 7, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 0), MERGE(0, 0, 18), SPLIT(2 * T_1G, 9, 0),
			 MERGE(2 * T_1G, 0, 9));
	rig_fini(&rig);
}

/* Rules 26 and 31: if the backend refuses the merge of a 1G, eager-rfc makes no 2M instead. */
static void rule_26_rfc_makes_nothing_smaller_of_a_refused_merge(void **unused)
{
	static const struct gms_policy_ops *(*const policies[])(void) = {gms_policy_eager_rfc,
									 gms_policy_eager};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct rig rig;

		init_with(&rig, &all_private, policies[i]());
		assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
		rig_convert(&rig, 0, 3 * T_2M, GMS_SHARED);
		rig_forget(&rig);
		sim_refuse(rig.sim, 1U << SIM_FOLIO_MERGE, 0, 1, -EBUSY);
		rig_convert(&rig, 0, 3 * T_2M, GMS_PRIVATE);
		assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_MERGE), i ? 4 : 1);
		assert_int_equal(rig_stats(&rig).merges_refused, 1);
		expect_orders(&rig, 0, 3 * T_2M, i ? GMS_ORDER_2M : GMS_ORDER_4K);
		rig_fini(&rig);
	}
}

/* ---- eager ---- */

/*
 * Rule 26: a folio that is allocated in a block that is not all private is split at once: a 1G to
 * 2M, and each 2M that holds a shared page to 4K.
 */
static void rule_26_eager_splits_what_it_allocates_in_shared_blocks(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_eager());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(rig_stats(&rig).splits_2m, 512);
	rig_convert(&rig, T_1G, T_1G - 1, GMS_PRIVATE);
	rig_forget(&rig);
	rig_faults(&rig, T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(T_1G, 18), SPLIT(T_1G, 18, 9),
			 SPLIT(2 * T_1G - T_2M, 9, 0));
	rig_fini(&rig);
}

/* Rule 26: a conversion to shared splits what holds a shared page. One to private merges. */
static void rule_26_eager_splits_to_shared_and_merges_to_private(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	rig_convert(&rig, 9 * T_2M, T_2M + 1, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 9), SPLIT(9 * T_2M, 9, 0),
			 SPLIT(10 * T_2M, 9, 0));
	expect_orders(&rig, 0, 9 * T_2M, GMS_ORDER_2M);
	expect_orders(&rig, 11 * T_2M, T_1G, GMS_ORDER_2M);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	rig_forget(&rig);
	/* Only the 2M block is all private, so only it is merged. */
	rig_convert(&rig, 9 * T_2M, T_2M, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(9 * T_2M, 0, 9));
	expect_orders(&rig, 9 * T_2M, 10 * T_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, 10 * T_2M, 1, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).merges_1g, 1);
	assert_int_equal(rig_stats(&rig).merges_2m, 1);
	rig_fini(&rig);
}

/*
 * Rule 26: a folio that stays all private is not split, and neither is one that is not allocated.
 */
static void rule_26_eager_splits_no_other_folio(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	init_with(&rig, &opts, gms_policy_eager());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, T_2M, 9, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS);
	rig_faults(&rig, 6, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_2M + 9, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- lazy ---- */

/*
 * Rule 27: the host has filled a 1G, and the guest accepts it 4 MiB at a time. The folio stays
 * whole, and the guest has mappings of 2M. Lazy was proposed for this case.
 */
static void rule_27_lazy_accepting_4m_leaves_1g_whole(void **unused)
{
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_lazy());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 8 * T_2M, 2 * T_2M, GMS_PRIVATE);
	rig_faults(&rig, 8 * T_2M + 3, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 9 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	for (i = 0; i < T_1G; i += 2 * T_2M)
		rig_convert(&rig, i, 2 * T_2M, GMS_PRIVATE);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_MERGE), 0);
	rig_fini(&rig);
}

/* Rule 27: the first host access in a mixed 1G splits to 2M if its 2M is all shared. */
static void rule_27_lazy_host_touch_splits_to_2m(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 8 * T_2M, T_2M, GMS_SHARED);
	rig_forget(&rig);
	rig_faults(&rig, 8 * T_2M + 3, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 9));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_2M);
	rig_faults(&rig, 9, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rule 27: the first host access in a mixed 2M splits that 2M to 4K. All others become 2M. */
static void rule_27_lazy_host_touch_splits_a_mixed_2m_to_4k(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_convert(&rig, 99 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M + 3, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(0, 18), SPLIT(0, 18, 9), SPLIT(8 * T_2M, 9, 0));
	expect_orders(&rig, 0, 8 * T_2M, GMS_ORDER_2M);
	expect_orders(&rig, 8 * T_2M, 9 * T_2M, GMS_ORDER_4K);
	expect_orders(&rig, 9 * T_2M, T_1G, GMS_ORDER_2M);
	rig_faults(&rig, 99 * T_2M + 3, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	rig_faults(&rig, 99 * T_2M + 3, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(rig_stats(&rig).splits_2m, 2);
	rig_fini(&rig);
}

/* Rule 27: guest faults and conversions neither split nor merge. */
static void rule_27_lazy_guest_faults_and_conversions_never_split(void **unused)
{
	static const struct gms_policy_ops *(*const policies[])(void) = {
		gms_policy_lazy, gms_policy_adaptive, gms_policy_lazy_4k};
	uint64_t i, j;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct gms_fault fault;
		struct rig rig;

		init_with(&rig, &all_shared, policies[i]());
		for (j = 0; j < 40; j++) {
			rig_convert(&rig, j * j * 100, 300, j % 3 ? GMS_PRIVATE : GMS_SHARED);
			assert_int_equal(rig_fault(&rig, j * j * 90, GMS_GUEST, &fault), 0);
		}
		rig_convert(&rig, 0, NR_PAGES, GMS_PRIVATE);
		rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
		assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
		assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_MERGE), 0);
		/* The block is uniform, so the first host access splits under lazy-4k only. */
		if (i < 2)
			rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_fini(&rig);
	}
}

/* Rule 27: only cleanup merges. A hole is cleanup. */
static void rule_27_lazy_merges_at_cleanup_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_convert(&rig, 8 * T_2M, 7, GMS_PRIVATE);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_4K);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	rig_forget(&rig);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18), FREE(0, 18), FREED(0));
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 27: gms_state_destroy() merges folios and frees them. */
static void rule_27_destroy_merges_and_frees(void **unused)
{
	struct sim_totals totals;
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 2 * T_1G + 8, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_check(&rig);
	rig_forget(&rig);
	rig.ending = true;
	gms_state_destroy(rig.state);
	rig_expect_calls(&rig, BUT_FOLIOS | 1U << SIM_BLOCK_FREED, MERGE(0, 0, 18), FREE(0, 18),
			 FREE(2 * T_1G, 9));
	assert_fine(sim_check(rig.sim));
	sim_totals(rig.sim, &totals);
	assert_int_equal(totals.vmemmap_bytes, 0);
	sim_destroy(rig.sim);
	assert_int_equal(rig.talloc.live_blocks, 0);
}

/* ---- lazy-4k ---- */

/*
 * Rule 30: under lazy-4k the host's first touch splits all of the folio to 4K in one step, a 1G as
 * well as a 2M. Nothing else splits, and only cleanup merges.
 */
static void rule_30_lazy_4k_splits_all_that_the_host_touches(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_lazy_4k());
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_convert(&rig, 2 * T_1G, 7, GMS_SHARED);
	rig_faults(&rig, 8 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 8 * T_2M + 1, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, 2 * T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 0), SPLIT(2 * T_1G, 9, 0));
	rig_forget(&rig);
	rig_convert(&rig, 8 * T_2M, 7, GMS_PRIVATE);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	rig_expect_calls(&rig, BUT_FOLIOS);
	expect_orders(&rig, 0, T_1G, GMS_ORDER_4K);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18), FREE(0, 18), FREED(0));
	rig_fini(&rig);
}

/* ---- eager-nonuniform ---- */

/*
 * Rule 30: eager-nonuniform splits a mixed 1G to 2M, and its mixed 2M blocks to 4K. It merges a
 * block as soon as that is uniform.
 */
static void rule_30_nonuniform_splits_mixed_blocks_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager_nonuniform());
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 100, 3 * T_2M, GMS_SHARED);
	expect_orders(&rig, 0, T_2M, GMS_ORDER_4K);
	expect_orders(&rig, T_2M, 3 * T_2M, GMS_ORDER_2M);
	expect_orders(&rig, 3 * T_2M, 4 * T_2M, GMS_ORDER_4K);
	expect_orders(&rig, 4 * T_2M, T_1G, GMS_ORDER_2M);
	rig_forget(&rig);
	rig_convert(&rig, 0, 100, GMS_SHARED);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 9));
	rig_forget(&rig);
	rig_convert(&rig, 3 * T_2M, 100, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(3 * T_2M, 0, 9));
	rig_forget(&rig);
	rig_convert(&rig, 0, 3 * T_2M, GMS_PRIVATE);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 9, 18));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/*
 * Rule 30: eager-nonuniform keeps a folio whole that it allocates in a uniform block, also in a
 * shared one.
 */
static void rule_30_nonuniform_keeps_new_folios_of_uniform_blocks(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_shared, gms_policy_eager_nonuniform());
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, T_1G + 3, 1, GMS_PRIVATE);
	rig_faults(&rig, T_1G + T_2M, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/*
 * Rules 26 and 30: an allocation in a mixed 1G splits all of the folio as the policy decides, and
 * not only where the fault is. It queries the policy once for each folio that stays as it is.
 */
static void rule_30_nonuniform_splits_all_that_it_allocates(void **unused)
{
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager_nonuniform());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_convert(&rig, 99 * T_2M, 2 * T_2M + 7, GMS_SHARED);
	rig_convert(&rig, T_1G + 5, 1, GMS_SHARED);
	rig_forget(&rig);
	rig_faults(&rig, 50 * T_2M, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(0, 18), SPLIT(0, 18, 9), SPLIT(8 * T_2M, 9, 0),
			 SPLIT(101 * T_2M, 9, 0));
	rig_forget(&rig);
	assert_int_equal(gms_allocate(rig.state, 2 * T_1G - 1, 2, NULL), 0);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(T_1G, 18), SPLIT(T_1G, 18, 9), SPLIT(T_1G, 9, 0),
			 ALLOC(2 * T_1G, 9));
	rig_fini(&rig);
}

/*
 * Rule 24: if the backend refuses a split of what is allocated, the call returns the error and the
 * folio stays. A pin of the backend defers that split only.
 */
static void rule_30_an_allocation_meets_refused_splits(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	init_with(&rig, &all_private, gms_policy_eager_nonuniform());
	rig_convert(&rig, 8 * T_2M, 7, GMS_SHARED);
	rig_convert(&rig, 99 * T_2M, 7, GMS_SHARED);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 1, 1, -EIO);
	assert_int_equal(rig_fault(&rig, 5, GMS_GUEST, &fault), -EIO);
	assert_true(gms_is_allocated(rig.state, 5));
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_2M);
	rig_convert(&rig, T_1G, 7, GMS_SHARED);
	rig_convert(&rig, T_1G + 99 * T_2M, 7, GMS_SHARED);
	sim_refuse(rig.sim, 1U << SIM_CHECK_PINS, 1, 1, -EAGAIN);
	rig_faults(&rig, T_1G + T_2M, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_2M);
	assert_int_equal(gms_folio_order(rig.state, T_1G + 99 * T_2M), GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_26_rfc_splits_what_it_allocates_in_shared_blocks),
		cmocka_unit_test(rule_26_rfc_merges_to_the_order_of_the_backing_only),
		cmocka_unit_test(rule_26_rfc_makes_nothing_smaller_of_a_refused_merge),
		cmocka_unit_test(rule_26_eager_splits_what_it_allocates_in_shared_blocks),
		cmocka_unit_test(rule_26_eager_splits_to_shared_and_merges_to_private),
		cmocka_unit_test(rule_26_eager_splits_no_other_folio),
		cmocka_unit_test(rule_27_lazy_accepting_4m_leaves_1g_whole),
		cmocka_unit_test(rule_27_lazy_host_touch_splits_to_2m),
		cmocka_unit_test(rule_27_lazy_host_touch_splits_a_mixed_2m_to_4k),
		cmocka_unit_test(rule_27_lazy_guest_faults_and_conversions_never_split),
		cmocka_unit_test(rule_27_lazy_merges_at_cleanup_only),
		cmocka_unit_test(rule_27_destroy_merges_and_frees),
		cmocka_unit_test(rule_30_lazy_4k_splits_all_that_the_host_touches),
		cmocka_unit_test(rule_30_nonuniform_splits_mixed_blocks_only),
		cmocka_unit_test(rule_30_nonuniform_keeps_new_folios_of_uniform_blocks),
		cmocka_unit_test(rule_30_nonuniform_splits_all_that_it_allocates),
		cmocka_unit_test(rule_30_an_allocation_meets_refused_splits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
