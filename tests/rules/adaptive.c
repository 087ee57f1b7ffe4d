// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * adaptive.c - proves when the policy adaptive merges folios, and what gms_maintain() visits
 *
 * Tests rule 30. W is 1000 for a 2M block and 5000 for a 1G block. Its rules wait 0, 100, 300,
 * 1000, 3000 and 10000, or for ever.
 */
#include "rig.h"

#define W_2M 1000
#define W_1G 5000

#define BUT_FOLIOS                                                                \
	(~(1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_SPLIT | \
	   1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED))

static uint64_t clock_now;

static uint64_t read_clock(void *ctx)
{
	(void)ctx;
	return clock_now;
}

/* What gms_maintain() has shown the policy of a page last. */
static struct {
	gms_pgoff_t index; /* in this 2M block */
	struct gms_policy_view view;
	unsigned int queries;
} seen;

/* Decides as adaptive does, and keeps the views at GMS_EV_MAINTAIN. */
static void decide_and_see(void *ctx, const struct gms_policy_view *view,
			   struct gms_policy_verdict *verdict)
{
	gms_policy_adaptive()->decide(ctx, view, verdict);
	if (view->event != GMS_EV_MAINTAIN || view->index / T_2M != seen.index / T_2M)
		return;
	seen.view = *view;
	seen.queries++;
}

static const struct gms_policy_ops seeing = {
	.struct_size = sizeof(seeing),
	.name = "seeing",
	.decide = decide_and_see,
	.events = GMS_POLICY_HOST_FAULTS | 1U << GMS_EV_FAULT | 1U << GMS_EV_MAINTAIN,
};

/* Makes an object with all of its memory allocated and private, and a clock at 7777777. */
static void init(struct rig *rig, uint64_t nr_pages, unsigned int folio_order)
{
	const struct rig_opts opts = {.nr_pages = nr_pages,
				      .folio_order = folio_order,
				      .init_private = true,
				      .policy = &seeing,
				      .clock_ns = read_clock,
				      .merge_wait_2m = W_2M,
				      .merge_wait_1g = W_1G};

	clock_now = 7777777;
	rig_init(rig, &opts);
	assert_int_equal(gms_allocate(rig->state, 0, nr_pages, NULL), 0);
}

/* Shares a page of a 2M block, has the host touch it, and makes it private after @mixed. */
static void touch(struct rig *rig, gms_pgoff_t block, uint64_t mixed)
{
	rig_convert(rig, block + 5, 1, GMS_SHARED);
	rig_faults(rig, block + 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	clock_now += mixed;
	rig_convert(rig, block + 5, 1, GMS_PRIVATE);
}

/* Shares a page of a 2M block for a while; the host does not touch it. */
static void share(struct rig *rig, gms_pgoff_t block, uint64_t mixed)
{
	rig_convert(rig, block + 5, 1, GMS_SHARED);
	clock_now += mixed;
	rig_convert(rig, block + 5, 1, GMS_PRIVATE);
}

/* Lets some time pass, and maintains. Returns the number of merges. */
static uint64_t pass(struct rig *rig, uint64_t time)
{
	clock_now += time;
	return gms_maintain(rig->state, UINT64_MAX);
}

/* Maintains, and returns what the policy is shown of the 2M block. */
static const struct gms_policy_view *see(struct rig *rig, gms_pgoff_t block)
{
	seen.index = block;
	seen.queries = 0;
	gms_maintain(rig->state, UINT64_MAX);
	assert_int_equal(seen.queries, 1);
	return &seen.view;
}

/* ---- one rule ---- */

/* The policy starts with theta = 1. All periods since the split count together. */
static void rule_30_adaptive_merges_what_has_been_private_for_w(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 100000);
	assert_int_equal(pass(&rig, 400), 0);
	share(&rig, 0, 100000);
	assert_int_equal(see(&rig, 0)->rest_2m, 400);
	assert_int_equal(seen.view.wait_2m, W_2M);
	assert_int_equal(pass(&rig, 599), 0);
	rig_forget(&rig);
	assert_int_equal(pass(&rig, 1), 1);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 9));
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* A block that is mixed or all shared is not merged, however long that lasts. */
static void rule_30_adaptive_merges_private_blocks_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 0);
	assert_int_equal(pass(&rig, W_2M - 1), 0);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	assert_int_equal(pass(&rig, 1000000), 0);
	rig_convert(&rig, 0, T_2M, GMS_SHARED);
	assert_int_equal(pass(&rig, 1000000), 0);
	rig_convert(&rig, 0, T_2M, GMS_PRIVATE);
	assert_int_equal(pass(&rig, 0), 0);
	assert_int_equal(pass(&rig, 1), 1);
	rig_fini(&rig);
}

/* Each 2M block has its own history: the splits of one do not change what another has waited. */
static void rule_30_adaptive_keeps_the_history_of_each_2m(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	init(&rig, T_1G, GMS_ORDER_2M);
	touch(&rig, 9 * T_2M, 0);
	touch(&rig, 8 * T_2M, 0);
	for (i = 0; i < 9; i++) {
		clock_now += 100;
		touch(&rig, 8 * T_2M, 0);
	}
	assert_int_equal(see(&rig, 9 * T_2M)->rest_2m, 900);
	assert_int_equal(see(&rig, 8 * T_2M)->rest_2m, 900);
	/* a split begins the count of its block */
	touch(&rig, 10 * T_2M, 0);
	clock_now += 7;
	assert_int_equal(see(&rig, 10 * T_2M)->rest_2m, 7);
	assert_int_equal(see(&rig, 9 * T_2M)->rest_2m, 907);
	/* this one was never split */
	assert_int_equal(see(&rig, 11 * T_2M)->rest_2m, 0);
	rig_fini(&rig);
}

/* A 1G is merged when it has waited, and else those of its 2M blocks that have. */
static void rule_30_adaptive_merges_1g_and_2m_in_their_time(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 2 * T_1G + T_2M + 1, GMS_ORDER_1G);
	touch(&rig, 8 * T_2M, 0);
	assert_int_equal(rig_stats(&rig).splits_1g, 1);
	assert_int_equal(see(&rig, 8 * T_2M)->wait_1g, W_1G);
	/* another 2M is mixed, so that the 1G does not wait meanwhile */
	rig_convert(&rig, 9 * T_2M, 1, GMS_SHARED);
	rig_forget(&rig);
	assert_int_equal(pass(&rig, W_2M), 1);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(8 * T_2M, 0, 9));
	rig_convert(&rig, 9 * T_2M, 1, GMS_PRIVATE);
	assert_int_equal(pass(&rig, W_1G - 1), 0);
	assert_int_equal(see(&rig, 8 * T_2M)->rest_1g, W_1G - 1);
	rig_forget(&rig);
	assert_int_equal(pass(&rig, 1), 1);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 9, 18));
	assert_int_equal(rig_stats(&rig).merges_1g, 1);
	rig_fini(&rig);
}

/* Rules 30 and 31: if the 1G cannot be merged, a 2M that has not waited stays split. */
static void rule_30_adaptive_merges_no_2m_instead_of_a_1g(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, T_1G, GMS_ORDER_1G);
	touch(&rig, 8 * T_2M, 0);
	clock_now += W_1G - 10;
	/* a hole that is filled again splits another 2M, whose count begins here */
	assert_int_equal(gms_punch_hole(rig.state, 9 * T_2M + 3, 1, NULL), 0);
	assert_int_equal(gms_allocate(rig.state, 9 * T_2M + 3, 1, NULL), 0);
	clock_now += 10;
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_MERGE, 0, 1, -EBUSY);
	assert_int_equal(see(&rig, 9 * T_2M)->rest_2m, 10);
	assert_int_equal(seen.view.wait_2m, W_2M / 10);
	rig_expect_calls(&rig, BUT_FOLIOS, MERGE(0, 0, 18), MERGE(8 * T_2M, 0, 9));
	rig_fini(&rig);
}

/* ---- the best of seven rules ---- */

/*
 * Short periods: each time the block is private for W / 20, and then the host touches it. Rules
 * that wait for less than the whole history lose, so the block is never merged.
 */
static void rule_30_adaptive_leaves_a_ping_pong_split(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	for (i = 0; i < 500; i++) {
		touch(&rig, 0, 5);
		assert_int_equal(pass(&rig, W_2M / 20), 0);
	}
	assert_int_equal(rig_stats(&rig).splits_2m, 1);
	assert_int_equal(see(&rig, 0)->wait_2m, UINT64_MAX);
	/* nothing is merged by a rule that never merges, until another one costs less */
	assert_int_equal(pass(&rig, 1000), 0);
	rig_fini(&rig);
}

/* Long periods: the rule that merges at once wins, also for a block that has just been split. */
static void rule_30_adaptive_merges_at_once_where_that_is_best(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	for (i = 0; i < 12; i++) {
		touch(&rig, 0, 5);
		assert_int_equal(pass(&rig, 20 * W_2M), 1);
	}
	assert_int_equal(see(&rig, 0)->wait_2m, 0);
	touch(&rig, T_2M, 5);
	assert_int_equal(pass(&rig, 0), 1);
	rig_fini(&rig);
}

/* A block that stays private for ever counts, each time that gms_maintain() runs. */
static void rule_30_adaptive_counts_a_period_that_does_not_end(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 5);
	for (i = 0; i < 9; i++)
		assert_int_equal(pass(&rig, W_2M / 10), 0);
	assert_int_equal(see(&rig, 0)->wait_2m, W_2M);
	/* theta = 1 merges here, and so costs 2 W; theta = 0 has cost W */
	assert_int_equal(pass(&rig, W_2M / 10), 1);
	assert_int_equal(see(&rig, 0)->wait_2m, 0);
	/* whole blocks go on counting: a rule that never merges pays rent */
	clock_now += 100 * W_2M;
	assert_int_equal(see(&rig, 0)->rest_2m, 101 * W_2M);
	rig_fini(&rig);
}

/*
 * The virtual rules split when the host touches a block that is mixed, and at no other touch. Two
 * periods of W and a touch cost theta = 0 twice W; without a touch, or if the block was all shared
 * at the touch, W.
 */
static void rule_30_only_a_touch_of_a_mixed_block_splits(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		struct rig rig;

		init(&rig, 4 * T_2M, GMS_ORDER_2M);
		touch(&rig, 0, 0);
		clock_now += W_2M / 2;
		if (i == 0)
			share(&rig, 0, 5);
		if (i == 1) {
			rig_convert(&rig, 0, T_2M, GMS_SHARED);
			rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
			rig_convert(&rig, 0, T_2M, GMS_PRIVATE);
		}
		if (i == 2)
			touch(&rig, 0, 5);
		/* theta = 1 has cost 1.4 W; theta = 0 has cost W, or 2 W with the touch */
		clock_now += W_2M / 2 - 1;
		assert_int_equal(see(&rig, 0)->wait_2m, W_2M);
		clock_now += 1;
		assert_int_equal(see(&rig, 0)->wait_2m, i == 2 ? 3 * W_2M : 0);
		rig_fini(&rig);
	}
}

/* A pin is a touch, also of one page among others that the host has mapped. */
static void rule_30_a_pin_is_a_touch(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 0);
	clock_now += W_2M / 2;
	rig_convert(&rig, 5, 3, GMS_SHARED);
	rig_pin(&rig, 6, 2);
	gms_unpin(rig.state, 6, 2);
	rig_convert(&rig, 5, 3, GMS_PRIVATE);
	clock_now += W_2M / 2;
	assert_int_equal(see(&rig, 0)->wait_2m, 3 * W_2M);
	rig_fini(&rig);
}

/* A hole frees the memory: no rule pays rent for it, and the block is whole when used again. */
static void rule_30_a_freed_block_costs_nothing(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 0);
	clock_now += 50;
	assert_int_equal(gms_punch_hole(rig.state, 0, T_2M, NULL), 0);
	clock_now += 100 * W_2M;
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(see(&rig, 0)->wait_2m, W_2M);
	touch(&rig, 0, 0);
	assert_int_equal(see(&rig, 0)->rest_2m, 0);
	/* a hole in a part splits a block that is all private: its period begins there */
	assert_int_equal(gms_punch_hole(rig.state, T_2M + 9, 1, NULL), 0);
	clock_now += 30;
	assert_int_equal(see(&rig, T_2M)->rest_2m, 30);
	rig_fini(&rig);
}

/* ---- time ---- */

static void rule_30_a_clock_may_step_back(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 100000);
	clock_now += 300;
	assert_int_equal(see(&rig, 0)->rest_2m, 300);
	clock_now -= 5000;
	assert_int_equal(see(&rig, 0)->rest_2m, 300);
	clock_now += 100;
	assert_int_equal(see(&rig, 0)->rest_2m, 400);
	clock_now -= 1000;
	share(&rig, 0, 1);
	assert_int_equal(see(&rig, 0)->rest_2m, 400);
	assert_int_equal(pass(&rig, 600), 1);
	rig_fini(&rig);
}

/* Without a clock, changes of other blocks count as time: 1500 of them, unless W is given. */
static void rule_30_adaptive_counts_changes_without_a_clock(void **unused)
{
	static const uint64_t given[] = {0, 40};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(given); i++) {
		const struct rig_opts opts = {.nr_pages = 2 * T_1G,
					      .folio_order = GMS_ORDER_2M,
					      .init_private = true,
					      .policy = gms_policy_adaptive(),
					      .merge_wait_2m = given[i]};
		const uint64_t wait = given[i] ? given[i] : 1500;
		struct rig rig;
		uint64_t j;

		rig_init(&rig, &opts);
		assert_int_equal(gms_allocate(rig.state, 0, T_2M, NULL), 0);
		touch(&rig, 0, 0);
		/* of the other shard, the last 15 changes may not count yet */
		for (j = 0; j < wait - 1; j++)
			rig_convert(&rig, T_1G + j, 1, GMS_SHARED);
		assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
		for (j = 0; j < 16; j++)
			rig_convert(&rig, T_1G + wait + j, 1, GMS_SHARED);
		assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 1);
		rig_fini(&rig);
	}
}

/* With a clock, W is 1.5 s for a 2M and 0.8 s for a 1G, unless it is given. */
static void rule_30_the_default_waits_are_of_seconds(void **unused)
{
	const struct rig_opts opts = {.nr_pages = T_1G,
				      .folio_order = GMS_ORDER_1G,
				      .init_private = true,
				      .policy = &seeing,
				      .clock_ns = read_clock};
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
	touch(&rig, 0, 0);
	assert_int_equal(see(&rig, 0)->wait_2m, 1500000000);
	assert_int_equal(seen.view.wait_1g, 800000000);
	rig_fini(&rig);
}

/* ---- memory ---- */

/* Splits 2M blocks under a policy. Stores after each split how many bytes the object takes. */
static void measure(const struct gms_policy_ops *policy, uint64_t bytes[4])
{
	static const gms_pgoff_t blocks[] = {8, 9, 16, 512};
	const struct rig_opts opts = {.nr_pages = 2 * T_1G,
				      .folio_order = GMS_ORDER_2M,
				      .init_private = true,
				      .policy = policy};
	struct rig rig;
	size_t i;

	rig_init(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, 2 * T_1G, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct gms_stats stats;

		touch(&rig, blocks[i] * T_2M, 0);
		stats = rig_stats(&rig);
		bytes[i] = stats.bytes_in_use + stats.bytes_pooled;
	}
	rig_fini(&rig);
}

/* Only what was split has records, and only if the policy decides GMS_EV_MAINTAIN. */
static void rule_30_only_split_blocks_have_records(void **unused)
{
	static const uint64_t table = 64 + 64 * sizeof(void *), group = 8 * 64;
	uint64_t adaptive[4], lazy[4];

	(void)unused;
	measure(gms_policy_adaptive(), adaptive);
	measure(gms_policy_lazy(), lazy);
	assert_int_equal(adaptive[0] - lazy[0], table + group);
	assert_int_equal(adaptive[1] - lazy[1], table + group);
	assert_int_equal(adaptive[2] - lazy[2], table + 2 * group);
	assert_int_equal(adaptive[3] - lazy[3], 2 * table + 3 * group);
}

/* The host has touched memory that a hole frees. That splits no block that is filled again. */
static void rule_30_a_hole_forgets_a_touch(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	touch(&rig, 0, 0);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	rig_faults(&rig, 5, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_2M, NULL), 0);
	rig_faults(&rig, 6, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_4K);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	clock_now += 20 * W_2M;
	assert_int_equal(see(&rig, 0)->wait_2m, W_2M);
	rig_fini(&rig);
}

/* A host fault in a pinned folio is answered unsplit, also if there is no memory for a record. */
static void rule_29_a_split_that_is_put_off_needs_no_memory(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	init(&rig, 4 * T_2M, GMS_ORDER_2M);
	rig_convert(&rig, 0, T_2M, GMS_SHARED);
	assert_int_equal(gms_pin(rig.state, 7, 1, NULL), 0);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	talloc_fail(&rig.talloc, 0, UINT64_MAX);
	assert_int_equal(rig_fault(&rig, 9, GMS_HOST, &fault), 0);
	talloc_fail_never(&rig.talloc);
	assert_int_equal(fault.max_order, GMS_ORDER_4K);
	assert_int_equal(rig_stats(&rig).splits_deferred, 1);
	gms_unpin(rig.state, 7, 1);
	rig_fini(&rig);
}

/* Rule 14: without memory for a record the fault fails, and nothing is split. */
static void rule_14_a_split_needs_its_record(void **unused)
{
	struct gms_fault fault;
	struct rig rig;
	uint64_t skip;

	(void)unused;
	init(&rig, T_1G, GMS_ORDER_1G);
	rig_convert(&rig, 8 * T_2M, 1, GMS_SHARED);
	for (skip = 0; skip < 2; skip++) {
		talloc_fail(&rig.talloc, skip, 1);
		assert_int_equal(rig_fault(&rig, 8 * T_2M, GMS_HOST, &fault), -ENOMEM);
		talloc_fail_never(&rig.talloc);
		/* first there was none for the table, then none for the record of the 2M */
		assert_int_equal(gms_folio_order(rig.state, 8 * T_2M),
				 skip ? GMS_ORDER_2M : GMS_ORDER_1G);
		assert_int_equal(rig_stats(&rig).splits_1g, skip);
		assert_int_equal(rig_stats(&rig).splits_2m, 0);
	}
	rig_faults(&rig, 8 * T_2M, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- what gms_maintain() visits ---- */

/*
 * Each call of gms_maintain() goes on where the last one stopped, among the blocks that were
 * split.
 */
static void rule_30_maintain_goes_on_where_it_stopped(void **unused)
{
	static const unsigned int split[] = {1, 4, 8};
	struct rig rig;
	size_t i;

	(void)unused;
	init(&rig, 9 * T_1G, GMS_ORDER_1G);
	for (i = 0; i < ARRAY_SIZE(split); i++)
		touch(&rig, split[i] * T_1G, 0);
	clock_now += W_1G;
	/* the backend keeps one block split: the others are merged all the same */
	sim_refuse(rig.sim, 1U << SIM_FOLIO_MERGE, 1, 2, -EBUSY);
	assert_int_equal(gms_maintain(rig.state, 0), 0);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	assert_int_equal(gms_maintain(rig.state, 1), 0);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, 4 * T_1G), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_1G), GMS_ORDER_1G);
	/* the merge to 1G was refused, and then that to 2M */
	assert_int_equal(rig_stats(&rig).merges_refused, 2);
	/* blocks that are whole again are visited, too: the first call comes to block 1 */
	assert_int_equal(gms_maintain(rig.state, 1), 0);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	rig_fini(&rig);
}

/* gms_maintain() ends, although one block is merged and another stays split. */
static void rule_30_maintain_ends(void **unused)
{
	struct rig rig;

	(void)unused;
	init(&rig, 2 * T_1G, GMS_ORDER_1G);
	touch(&rig, 8 * T_2M, 0);
	rig_convert(&rig, T_1G + 9, 1, GMS_SHARED);
	rig_faults(&rig, T_1G + 9, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(pass(&rig, W_1G), 1);
	assert_int_equal(gms_folio_order(rig.state, 8 * T_2M), GMS_ORDER_1G);
	assert_int_equal(gms_folio_order(rig.state, T_1G + 9), GMS_ORDER_4K);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_30_adaptive_merges_what_has_been_private_for_w),
		cmocka_unit_test(rule_30_adaptive_merges_private_blocks_only),
		cmocka_unit_test(rule_30_adaptive_keeps_the_history_of_each_2m),
		cmocka_unit_test(rule_30_adaptive_merges_1g_and_2m_in_their_time),
		cmocka_unit_test(rule_30_adaptive_merges_no_2m_instead_of_a_1g),
		cmocka_unit_test(rule_30_adaptive_leaves_a_ping_pong_split),
		cmocka_unit_test(rule_30_adaptive_merges_at_once_where_that_is_best),
		cmocka_unit_test(rule_30_adaptive_counts_a_period_that_does_not_end),
		cmocka_unit_test(rule_30_only_a_touch_of_a_mixed_block_splits),
		cmocka_unit_test(rule_30_a_pin_is_a_touch),
		cmocka_unit_test(rule_30_a_freed_block_costs_nothing),
		cmocka_unit_test(rule_30_a_clock_may_step_back),
		cmocka_unit_test(rule_30_adaptive_counts_changes_without_a_clock),
		cmocka_unit_test(rule_30_the_default_waits_are_of_seconds),
		cmocka_unit_test(rule_30_only_split_blocks_have_records),
		cmocka_unit_test(rule_30_a_hole_forgets_a_touch),
		cmocka_unit_test(rule_29_a_split_that_is_put_off_needs_no_memory),
		cmocka_unit_test(rule_14_a_split_needs_its_record),
		cmocka_unit_test(rule_30_maintain_goes_on_where_it_stopped),
		cmocka_unit_test(rule_30_maintain_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
