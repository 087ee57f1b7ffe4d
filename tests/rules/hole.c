// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hole.c - proves what folios are split to, what a hole takes, and when a block is free
 *
 * Tests rules 6, 16, 25, 32 and 33. A policy with a script decides the splits.
 */
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

#define BUT_FOLIOS                                                                \
	(~(1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_SPLIT | \
	   1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED))

static void punch(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages)
{
	gms_pgoff_t at = 0x77;

	assert_int_equal(gms_punch_hole(rig->state, start, nr_pages, &at), 0);
	assert_int_equal(at, 0x77);
	assert_false(gms_is_allocated(rig->state, start));
	assert_false(gms_is_allocated(rig->state, start + nr_pages - 1));
}

static void punch_fails(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, int err,
			gms_pgoff_t index)
{
	struct rig_image image;
	gms_pgoff_t at = 0x77;

	rig_image_take(&image, rig);
	assert_int_equal(gms_punch_hole(rig->state, start, nr_pages, &at), err);
	assert_int_equal(at, index);
	assert_int_equal(gms_punch_hole(rig->state, start, nr_pages, NULL), err);
	rig_image_same(&image, rig);
	rig_image_free(&image);
}

static void expect_orders(const struct rig *rig, uint64_t start, uint64_t end, unsigned int order)
{
	for (; start < end; start++)
		assert_int_equal(gms_folio_order(rig->state, start), order);
}

/* ---- orders ---- */

/*
 * Rule 25: folios are of the order of the backing. The incomplete blocks at the end of the object
 * have the largest folios that fit.
 */
static void rule_25_folios_are_of_the_order_of_the_backing(void **unused)
{
	static const unsigned int orders[] = {GMS_ORDER_4K, GMS_ORDER_2M, GMS_ORDER_1G};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct rig_opts opts = all_private;
		unsigned int rest = orders[i] ? GMS_ORDER_2M : GMS_ORDER_4K;
		struct rig rig;

		opts.folio_order = orders[i];
		rig_init(&rig, &opts);
		expect_orders(&rig, 0, 2 * T_1G, orders[i]);
		expect_orders(&rig, 2 * T_1G, 2 * T_1G + T_2M, rest);
		expect_orders(&rig, 2 * T_1G + T_2M, NR_PAGES, GMS_ORDER_4K);
		assert_int_equal(gms_folio_order(rig.state, NR_PAGES), 0);
		rig_fini(&rig);
	}
}

/* The verdict of the scripted policy at one event, and the views that the policy was shown. */
struct script {
	enum gms_event event; /* at other events a folio stays as it is */
	unsigned int order;
	bool uniform;
	struct gms_policy_view views[16];
	size_t count;
};

static void decide_by_script(void *ctx, const struct gms_policy_view *view,
			     struct gms_policy_verdict *verdict)
{
	struct script *script = ctx;

	/* Before the call the verdict holds the folio's order, and true. */
	assert_int_equal(verdict->order, view->folio_order);
	assert_true(verdict->uniform);
	if (script->count < ARRAY_SIZE(script->views))
		script->views[script->count++] = *view;
	if (view->event == script->event) {
		verdict->order = script->order;
		verdict->uniform = script->uniform;
	}
}

static const struct gms_policy_ops scripted = {
	.struct_size = sizeof(scripted), .name = "scripted", .decide = decide_by_script};

static void init_scripted(struct rig *rig, const struct rig_opts *opts, struct script *script,
			  enum gms_event event, unsigned int order, bool uniform)
{
	struct rig_opts with = *opts;

	*script = (struct script) {.event = event, .order = order, .uniform = uniform};
	with.policy = &scripted;
	with.policy_ctx = script;
	rig_init(rig, &with);
}

/* Rule 25: a 1G is split to 2M, to 4K, or to both. Another order is rounded down. */
static void rule_25_a_folio_is_split_as_the_policy_says(void **unused)
{
	static const struct {
		unsigned int order;
		bool uniform;
		unsigned int at, beside; /* orders in that 2M block, and in the others */
		unsigned int splits_1g, splits_2m;
	} cases[] = {
		{GMS_ORDER_4K, true, GMS_ORDER_4K, GMS_ORDER_4K, 1, 0},
		{GMS_ORDER_4K, false, GMS_ORDER_4K, GMS_ORDER_2M, 1, 1},
		{GMS_ORDER_2M, true, GMS_ORDER_2M, GMS_ORDER_2M, 1, 0},
		{GMS_ORDER_2M, false, GMS_ORDER_2M, GMS_ORDER_2M, 1, 0},
		{5, false, GMS_ORDER_4K, GMS_ORDER_2M, 1, 1},
		{17, true, GMS_ORDER_2M, GMS_ORDER_2M, 1, 0},
		{GMS_ORDER_1G, true, GMS_ORDER_1G, GMS_ORDER_1G, 0, 0},
		{30, true, GMS_ORDER_1G, GMS_ORDER_1G, 0, 0},
	};
	struct script script;
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		init_scripted(&rig, &all_private, &script, GMS_EV_FAULT, cases[i].order,
			      cases[i].uniform);
		/*
		 * The engine queries again after the split, and the verdict asks for no further
		 * split.
		 */
		rig_faults(&rig, 7 * T_2M + 5, GMS_GUEST, cases[i].at, cases[i].at);
		expect_orders(&rig, 0, 7 * T_2M, cases[i].beside);
		expect_orders(&rig, 7 * T_2M, 8 * T_2M, cases[i].at);
		expect_orders(&rig, 8 * T_2M, T_1G, cases[i].beside);
		expect_orders(&rig, T_1G, 2 * T_1G, GMS_ORDER_1G);
		assert_int_equal(rig_stats(&rig).splits_1g, cases[i].splits_1g);
		assert_int_equal(rig_stats(&rig).splits_2m, cases[i].splits_2m);
		rig_fini(&rig);
	}
}

static void expect_view(const struct gms_policy_view *view, enum gms_event event, gms_pgoff_t index,
			gms_pgoff_t folio_index, unsigned int folio_order)
{
	assert_int_equal(view->event, event);
	assert_int_equal(view->index, index);
	assert_int_equal(view->folio_index, folio_index);
	assert_int_equal(view->folio_order, folio_order);
}

/* Rule 25: at an allocation and at a fault the policy is shown the page and its blocks. */
static void rule_25_a_policy_is_shown_the_blocks_at_a_fault(void **unused)
{
	struct script s;
	struct rig rig;

	(void)unused;
	init_scripted(&rig, &all_private, &s, GMS_EV_PUNCH, 0, true);
	rig_convert(&rig, 3 * T_2M, T_2M + 1, GMS_SHARED);
	assert_int_equal(s.count, 0);
	rig_faults(&rig, 9, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	assert_int_equal(s.count, 2);
	expect_view(&s.views[0], GMS_EV_ALLOCATE, 0, 0, GMS_ORDER_1G);
	expect_view(&s.views[1], GMS_EV_FAULT, 9, 0, GMS_ORDER_1G);
	assert_int_equal(s.views[0].accessor, GMS_GUEST);
	assert_int_equal(s.views[1].accessor, GMS_GUEST);
	assert_int_equal(s.views[1].to, GMS_PRIVATE);
	assert_int_equal(s.views[1].s2m, GMS_ALL_PRIVATE);
	assert_int_equal(s.views[1].s1g, GMS_MIXED);
	assert_int_equal(s.views[1].flips, 1);
	assert_false(s.views[1].pinned);
	s.count = 0;
	rig_pin(&rig, 4 * T_2M, 1);
	assert_int_equal(s.count, 1);
	expect_view(&s.views[0], GMS_EV_FAULT, 4 * T_2M, 0, GMS_ORDER_1G);
	assert_int_equal(s.views[0].accessor, GMS_HOST);
	assert_int_equal(s.views[0].to, GMS_SHARED);
	assert_int_equal(s.views[0].s2m, GMS_MIXED);
	assert_false(s.views[0].pinned);
	rig_faults(&rig, 3 * T_2M, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_2M);
	expect_view(&s.views[1], GMS_EV_FAULT, 3 * T_2M, 0, GMS_ORDER_1G);
	assert_int_equal(s.views[1].s2m, GMS_ALL_SHARED);
	assert_true(s.views[1].pinned);
	gms_unpin(rig.state, 4 * T_2M, 1);
	rig_fini(&rig);
}

/*
 * Rule 25: at a conversion the policy is shown the first page that changes, and the blocks as
 * they will be.
 */
static void rule_25_a_policy_is_shown_the_blocks_after_a_conversion(void **unused)
{
	struct script s;
	struct rig rig;

	(void)unused;
	init_scripted(&rig, &all_private, &s, GMS_EV_PUNCH, 0, true);
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	s.count = 0;
	rig_convert(&rig, T_1G - 100, 300, GMS_SHARED);
	assert_int_equal(s.count, 2);
	expect_view(&s.views[0], GMS_EV_CONVERT, T_1G - 100, 0, GMS_ORDER_1G);
	expect_view(&s.views[1], GMS_EV_CONVERT, T_1G, T_1G, GMS_ORDER_1G);
	assert_int_equal(s.views[0].s2m, GMS_MIXED);
	assert_int_equal(s.views[0].s1g, GMS_MIXED);
	assert_int_equal(s.views[0].to, GMS_SHARED);
	assert_int_equal(s.views[0].accessor, GMS_HOST);
	s.count = 0;
	/* The pages up to T_1G + 200 are shared already. */
	rig_convert(&rig, T_1G, T_1G, GMS_SHARED);
	assert_int_equal(s.count, 1);
	expect_view(&s.views[0], GMS_EV_CONVERT, T_1G + 200, T_1G, GMS_ORDER_1G);
	assert_int_equal(s.views[0].s2m, GMS_ALL_SHARED);
	assert_int_equal(s.views[0].s1g, GMS_ALL_SHARED);
	/* The next fault shows both flips of the block. */
	s.count = 0;
	rig_faults(&rig, T_1G, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.views[0].flips, 2);
	rig_fini(&rig);
}

/*
 * Rule 25: a conversion queries once for each huge folio, and once for each 2M block of 4K
 * folios, however many runs change.
 */
static void rule_25_a_policy_is_queried_once_for_a_folio(void **unused)
{
	struct script s;
	struct rig rig;

	(void)unused;
	init_scripted(&rig, &all_private, &s, GMS_EV_PUNCH, 0, false);
	assert_int_equal(gms_allocate(rig.state, 0, 2 * T_1G, NULL), 0);
	punch(&rig, T_1G + 9, 1);
	rig_convert(&rig, 50, 10, GMS_SHARED);
	rig_convert(&rig, 7 * T_2M, 10, GMS_SHARED);
	rig_convert(&rig, T_1G + 50, 10, GMS_SHARED);
	s.count = 0;
	rig_convert(&rig, 40, 9 * T_2M, GMS_SHARED);
	assert_int_equal(s.count, 1);
	expect_view(&s.views[0], GMS_EV_CONVERT, 40, 0, GMS_ORDER_1G);
	s.count = 0;
	rig_convert(&rig, T_1G + 40, 40, GMS_SHARED);
	assert_int_equal(s.count, 1);
	expect_view(&s.views[0], GMS_EV_CONVERT, T_1G + 40, T_1G + 40, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- holes ---- */

/* Rule 32: a hole drops pages and clears PREPARED. Shareability stays. */
static void rule_32_a_hole_leaves_shareability(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, T_1G + 9, 9, GMS_SHARED);
	rig_faults(&rig, T_1G + 3 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_forget(&rig);
	punch(&rig, 0, 2 * T_1G);
	rig_expect_calls(&rig, BUT_FOLIOS | 1U << SIM_BLOCK_FREED, FREE(0, 18), FREE(T_1G, 18));
	rig_expect_calls(&rig, ~(1U << SIM_BLOCK_FREED), FREED(0), FREED(T_1G));
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_SHARED), 9);
	assert_true(gms_range_is(rig.state, T_1G + 9, 9, GMS_SHARED));
	assert_false(gms_is_prepared(rig.state, 5));
	assert_int_equal(rig_stats(&rig).folios_freed, 2);
	rig_fini(&rig);
}

/* Rule 32: a folio that lies partly in the hole is split no further than needed. */
static void rule_32_a_hole_splits_as_far_as_needed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 0, 2 * T_1G, NULL), 0);
	rig_forget(&rig);
	punch(&rig, T_2M, 2 * T_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(0, 18, 9), FREE(T_2M, 9), FREE(2 * T_2M, 9));
	assert_true(gms_is_allocated(rig.state, T_2M - 1));
	assert_true(gms_is_allocated(rig.state, 3 * T_2M));
	expect_orders(&rig, 0, T_1G, GMS_ORDER_2M);
	assert_int_equal(gms_folio_order(rig.state, T_1G), GMS_ORDER_1G);
	rig_forget(&rig);
	punch(&rig, T_1G + T_2M + 5, 2);
	rig_expect_calls(&rig, BUT_FOLIOS, SPLIT(T_1G, 18, 9), SPLIT(T_1G + T_2M, 9, 0),
			 FREE(T_1G + T_2M + 5, 0), FREE(T_1G + T_2M + 6, 0));
	expect_orders(&rig, T_1G, T_1G + T_2M, GMS_ORDER_2M);
	expect_orders(&rig, T_1G + T_2M, T_1G + 2 * T_2M, GMS_ORDER_4K);
	/* A fault allocates a folio of the order that its place has now. */
	rig_forget(&rig);
	rig_faults(&rig, T_2M + 7, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, T_1G + T_2M + 6, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(T_2M, 9), ALLOC(T_1G + T_2M + 6, 0));
	rig_fini(&rig);
}

/* Rule 32: under eager, too, a hole splits no further than needed. */
static void rule_32_a_hole_splits_no_more_under_eager(void **unused)
{
	struct rig_opts opts = all_private;
	struct rig rig;

	(void)unused;
	opts.policy = gms_policy_eager();
	rig_init(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
	punch(&rig, T_2M + 5, 1);
	expect_orders(&rig, 0, T_2M, GMS_ORDER_2M);
	expect_orders(&rig, T_2M, 2 * T_2M, GMS_ORDER_4K);
	expect_orders(&rig, 2 * T_2M, T_1G, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rule 32: a hole splits the folios at both of its ends. */
static void rule_32_a_hole_splits_at_both_ends(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	punch(&rig, T_2M + 3, 2 * T_1G - T_2M);
	assert_true(gms_is_allocated(rig.state, T_2M + 2));
	assert_true(gms_is_allocated(rig.state, 2 * T_1G + 3));
	assert_false(gms_is_allocated(rig.state, T_1G + 3));
	expect_orders(&rig, 0, T_2M, GMS_ORDER_2M);
	expect_orders(&rig, T_2M, T_2M + 3, GMS_ORDER_4K);
	expect_orders(&rig, T_1G, 2 * T_1G, GMS_ORDER_1G);
	expect_orders(&rig, 2 * T_1G + 3, NR_PAGES, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Rule 32: a hole where nothing is allocated changes nothing. */
static void rule_32_a_hole_without_folios_changes_nothing(void **unused)
{
	struct rig_image image;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_image_take(&image, &rig);
	punch(&rig, 5, T_1G + 7);
	punch(&rig, 0, NR_PAGES);
	rig_expect_calls(&rig, BUT_FOLIOS);
	rig_image_same(&image, &rig);
	rig_image_free(&image);
	assert_int_equal(gms_allocate(rig.state, 0, 1, NULL), 0);
	punch(&rig, 0, T_2M);
	rig_forget(&rig);
	punch(&rig, 0, T_2M);
	rig_expect_calls(&rig, BUT_FOLIOS);
	rig_fini(&rig);
}

/* Rule 32: folios that cannot be merged, because a page is missing, are freed as they are. */
static void rule_32_folios_that_cannot_be_merged_are_freed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 0, 1, NULL), 0);
	punch(&rig, 5, 1);
	rig_forget(&rig);
	/*
	 * The first 2M block has 511 folios of 4K, and the other blocks are 2M folios. They
	 * cannot become 1G, because one page is missing.
	 */
	punch(&rig, 0, T_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_FREE), 511 + 511);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_MERGE), 0);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 32: a 2M that is free again is one folio again, although its 1G stays split. */
static void rule_32_a_free_2m_is_one_folio_again(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 0, 1, NULL), 0);
	punch(&rig, T_2M + 5, 1);
	assert_int_equal(gms_folio_order(rig.state, T_2M + 5), GMS_ORDER_4K);
	punch(&rig, T_2M, T_2M);
	assert_int_equal(gms_folio_order(rig.state, T_2M + 5), GMS_ORDER_2M);
	rig_forget(&rig);
	rig_faults(&rig, T_2M + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, ALLOC(T_2M, 9));
	rig_fini(&rig);
}

/*
 * Rule 32: a hole over a page that the library or the backend has pinned returns -EAGAIN, names
 * the page, and changes nothing.
 */
static void rule_32_a_pinned_page_is_not_punched_out(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	rig_pin(&rig, T_1G + 70, 1);
	rig_pin(&rig, 90, 2);
	punch_fails(&rig, 0, T_2M, -EAGAIN, 90);
	punch_fails(&rig, 91, T_1G, -EAGAIN, 91);
	punch_fails(&rig, T_1G, T_1G, -EAGAIN, T_1G + 70);
	assert_int_equal(sim_pin(rig.sim, 50, 1), 0);
	punch_fails(&rig, 0, T_2M, -EAGAIN, 50);
	assert_int_equal(rig_count(&rig, 1U << SIM_FOLIO_FREE), 0);
	assert_int_equal(rig_stats(&rig).refused_pinned, 8);
	gms_unpin(rig.state, 0, NR_PAGES);
	punch_fails(&rig, 0, T_2M, -EAGAIN, 50);
	assert_int_equal(sim_unpin(rig.sim, 50, 1), 0);
	punch(&rig, 0, T_2M);
	punch(&rig, 0, NR_PAGES);
	rig_fini(&rig);
}

/* Rules 16 and 32: if a hook of a hole fails, splits are undone, and nothing has changed. */
static void rule_32_a_failed_hole_is_undone(void **unused)
{
	uint64_t skip;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
	for (skip = 0; skip < 100; skip++) {
		struct rig_image image;
		gms_pgoff_t at = 0x77;
		int rc;

		rig_image_take(&image, &rig);
		sim_refuse(rig.sim,
			   1U << SIM_UNMAP_HOST | 1U << SIM_CHECK_PINS | 1U << SIM_FOLIO_SPLIT,
			   skip, 1, -ENXIO);
		rc = gms_punch_hole(rig.state, T_2M + 5, T_1G, &at);
		if (rc) {
			assert_int_equal(rc, -ENXIO);
			assert_int_equal(at, T_2M + 5);
			rig_image_same(&image, &rig);
			rig_check(&rig);
		}
		rig_image_free(&image);
		if (!rc)
			break;
	}
	/* There were four splits at least, and searches for pins. */
	assert_true(skip >= 5 && skip < 100);
	sim_refuse(rig.sim, 0, 0, 0, 0);
	assert_int_equal(rig_stats(&rig).refused_backend, skip);
	rig_fini(&rig);
}

/* Rule 33: block_freed is called once for each 1G that becomes free. */
static void rule_33_block_freed_is_called_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
	punch(&rig, 0, T_2M);
	punch(&rig, 2 * T_2M, T_1G - 2 * T_2M);
	assert_int_equal(rig_count(&rig, 1U << SIM_BLOCK_FREED), 0);
	rig_forget(&rig);
	/* The next block had no folio, so block_freed is not called for it. */
	punch(&rig, T_2M, 2 * T_1G - T_2M);
	rig_expect_calls(&rig, ~(1U << SIM_BLOCK_FREED), FREED(0));
	punch(&rig, 0, NR_PAGES);
	rig_expect_calls(&rig, ~(1U << SIM_BLOCK_FREED), FREED(0));
	assert_int_equal(rig_stats(&rig).blocks_freed, 1);
	/* A block that is filled and freed again gets another call. */
	rig_forget(&rig);
	assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
	punch(&rig, 0, T_1G);
	rig_expect_calls(&rig, ~(1U << SIM_BLOCK_FREED), FREED(0));
	assert_int_equal(rig_stats(&rig).blocks_freed, 2);
	rig_fini(&rig);
}

/* Rules 6 and 33: block_freed is called for an incomplete last block, too. */
static void rule_33_block_freed_is_called_for_an_incomplete_block(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_allocate(rig.state, 2 * T_1G, T_2M + 1, NULL), 0);
	rig_forget(&rig);
	punch(&rig, 2 * T_1G, T_2M);
	rig_expect_calls(&rig, BUT_FOLIOS, FREE(2 * T_1G, 9));
	rig_forget(&rig);
	punch(&rig, NR_PAGES - 1, 1);
	rig_expect_calls(&rig, BUT_FOLIOS, FREE(NR_PAGES - 1, 0), FREED(2 * T_1G));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_25_folios_are_of_the_order_of_the_backing),
		cmocka_unit_test(rule_25_a_folio_is_split_as_the_policy_says),
		cmocka_unit_test(rule_25_a_policy_is_shown_the_blocks_at_a_fault),
		cmocka_unit_test(rule_25_a_policy_is_shown_the_blocks_after_a_conversion),
		cmocka_unit_test(rule_25_a_policy_is_queried_once_for_a_folio),
		cmocka_unit_test(rule_32_a_hole_leaves_shareability),
		cmocka_unit_test(rule_32_a_hole_splits_as_far_as_needed),
		cmocka_unit_test(rule_32_a_hole_splits_no_more_under_eager),
		cmocka_unit_test(rule_32_a_hole_splits_at_both_ends),
		cmocka_unit_test(rule_32_a_hole_without_folios_changes_nothing),
		cmocka_unit_test(rule_32_folios_that_cannot_be_merged_are_freed),
		cmocka_unit_test(rule_32_a_free_2m_is_one_folio_again),
		cmocka_unit_test(rule_32_a_pinned_page_is_not_punched_out),
		cmocka_unit_test(rule_32_a_failed_hole_is_undone),
		cmocka_unit_test(rule_33_block_freed_is_called_once),
		cmocka_unit_test(rule_33_block_freed_is_called_for_an_incomplete_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
