// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * events.c - proves at which events the engine queries a policy, and for which folios
 *
 * Tests rule 25. A policy is queried at the events of its mask, and after a conversion for the
 * folios that changed.
 */
#include "oracle.h"
#include "rig.h"

#define NR_EVENTS (GMS_EV_MAINTAIN + 1)

/* ---- masks ---- */

/* The number of queries at each event, by accessor. */
struct queries {
	unsigned int nr[NR_EVENTS][2];
};

static void count_query(void *ctx, const struct gms_policy_view *view,
			struct gms_policy_verdict *verdict)
{
	struct queries *queries = ctx;

	(void)verdict; /* each folio stays as it is, so that all rounds are alike */
	queries->nr[view->event][view->accessor]++;
}

static void run_all_events(unsigned int mask, struct queries *queries)
{
	const struct gms_policy_ops policy = {.struct_size = sizeof(policy),
					      .name = "counts",
					      .decide = count_query,
					      .events = mask};
	struct rig_opts opts = {.nr_pages = 8 * T_2M, .policy = &policy, .policy_ctx = queries};
	struct gms_fault fault;
	struct rig rig;

	memset(queries, 0, sizeof(*queries));
	opts.folio_order = GMS_ORDER_2M;
	rig_init(&rig, &opts);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), 0);
	assert_int_equal(rig_fault(&rig, T_2M, GMS_GUEST, &fault), 0);
	assert_int_equal(rig_fault(&rig, 6, GMS_GUEST, &fault), 0);
	assert_int_equal(rig_fault(&rig, 7, GMS_HOST, &fault), 0);
	assert_int_equal(gms_allocate(rig.state, 2 * T_2M, 2 * T_2M, NULL), 0);
	rig_pin(&rig, 9, 1);
	gms_unpin(rig.state, 9, 1);
	rig_convert(&rig, 100, T_2M, GMS_PRIVATE);
	rig_convert(&rig, 200, T_2M, GMS_SHARED);
	/* a hole splits a folio under any mask, so that there is a block to maintain */
	assert_int_equal(gms_punch_hole(rig.state, 3 * T_2M + 8, 8, NULL), 0);
	(void)gms_maintain(rig.state, UINT64_MAX);
	rig_fini(&rig);
}

static bool is_in_mask(unsigned int mask, unsigned int event, unsigned int accessor)
{
	if (!mask)
		return true;
	if (event == GMS_EV_FAULT && accessor == GMS_GUEST && (mask & GMS_POLICY_HOST_FAULTS))
		return false;
	return mask & 1U << event;
}

static void rule_25_a_policy_is_queried_at_its_events_only(void **unused)
{
	struct queries all, queries;

	(void)unused;
	run_all_events(0, &all);
	for (unsigned int event = 0; event < NR_EVENTS; event++)
		assert_true(all.nr[event][GMS_HOST] > 0);
	assert_true(all.nr[GMS_EV_FAULT][GMS_GUEST] > 0);
	assert_true(all.nr[GMS_EV_ALLOCATE][GMS_GUEST] > 0);
	for (unsigned int i = 0; i < 2U << NR_EVENTS; i++) {
		const unsigned int mask = (i & ((1U << NR_EVENTS) - 1)) |
					  (i >> NR_EVENTS ? GMS_POLICY_HOST_FAULTS : 0);

		run_all_events(mask, &queries);
		for (unsigned int event = 0; event < NR_EVENTS; event++)
			for (unsigned int accessor = 0; accessor < 2; accessor++)
				assert_int_equal(queries.nr[event][accessor],
						 is_in_mask(mask, event, accessor)
							 ? all.nr[event][accessor]
							 : 0);
	}
}

/* ---- merging after a conversion ---- */

static struct {
	gms_pgoff_t at[64];
	unsigned int nr;
} places;

/* Notes the page of each query at a conversion, and asks for order 18. */
static void note_place(void *ctx, const struct gms_policy_view *view,
		       struct gms_policy_verdict *verdict)
{
	(void)ctx;
	if (view->event != GMS_EV_CONVERT)
		return;
	if (places.nr < ARRAY_SIZE(places.at))
		places.at[places.nr] = view->index;
	places.nr++;
	verdict->order = GMS_ORDER_1G;
}

/*
 * Checks that the policy was queried for each of these pages, once before the change and once
 * after it, and for no others.
 */
static void expect_queries(const gms_pgoff_t *want, unsigned int nr)
{
	assert_int_equal(places.nr, 2 * nr);
	for (unsigned int i = 0; i < 2 * nr; i++)
		assert_int_equal(places.at[i], want[i % nr]);
	places.nr = 0;
}

#define EXPECT_QUERIES(...)                                             \
	do {                                                            \
		const gms_pgoff_t want_[] = {__VA_ARGS__};              \
                                                                        \
		expect_queries(want_, (unsigned int)ARRAY_SIZE(want_)); \
	} while (0)

static void rule_25_merging_queries_for_changed_folios_only(void **unused)
{
	static const struct gms_policy_ops policy = {
		.struct_size = sizeof(policy), .name = "notes", .decide = note_place};
	struct rig_opts opts = {.nr_pages = T_1G, .policy = &policy};
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_1G;
	rig_init(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, T_1G, NULL), 0);
	/* the hole leaves folios of 2M and 4K, which cannot be merged to 1G */
	assert_int_equal(gms_punch_hole(rig.state, 2 * T_2M + 8, 8, NULL), 0);
	assert_int_equal(gms_folio_order(rig.state, 0), GMS_ORDER_2M);
	assert_int_equal(gms_folio_order(rig.state, 2 * T_2M), GMS_ORDER_4K);
	rig_convert(&rig, T_2M + 3, 5, GMS_PRIVATE);
	EXPECT_QUERIES(T_2M + 3);
	/* one page is pinned in the 2M block before, and one in the split block behind */
	rig_pin(&rig, 7, 1);
	rig_pin(&rig, 2 * T_2M, 1);
	rig_convert(&rig, T_2M, 10, GMS_PRIVATE);
	/* two runs in one folio */
	EXPECT_QUERIES(T_2M);
	/* the middle of the range is private already, so that only its ends change */
	rig_convert(&rig, 4 * T_2M, 2 * T_2M, GMS_PRIVATE);
	EXPECT_QUERIES(4 * T_2M, 5 * T_2M);
	rig_convert(&rig, 3 * T_2M, 4 * T_2M, GMS_PRIVATE);
	EXPECT_QUERIES(3 * T_2M, 6 * T_2M);
	rig_convert(&rig, 3 * T_2M, 4 * T_2M, GMS_PRIVATE);
	assert_int_equal(places.nr, 0);
	gms_unpin(rig.state, 7, 1);
	gms_unpin(rig.state, 2 * T_2M, 1);
	rig_fini(&rig);
}

/* ---- the policies of the library ---- */

#define LOG_PAGES (T_1G + 3 * T_2M + 5)

/* Draws a range, often in a few 2M blocks, at times all pages. */
static struct gms_run some_range(struct prng *prng)
{
	const gms_pgoff_t base = prng_chance(prng, 50) ? 0 : T_1G;
	gms_pgoff_t start = base + prng_below(prng, 3 * T_2M), nr_pages = 1;

	switch (prng_below(prng, 4)) {
	case 0:
		nr_pages += prng_below(prng, 16);
		break;
	case 1:
		start = base + T_2M * prng_below(prng, 3);
		nr_pages = T_2M;
		break;
	case 2:
		start = 0;
		nr_pages = prng_chance(prng, 50) ? T_1G : LOG_PAGES;
		break;
	default:
		nr_pages += prng_below(prng, 2 * T_2M);
	}
	if (nr_pages > LOG_PAGES - start)
		nr_pages = LOG_PAGES - start;
	return (struct gms_run) {start, nr_pages, GMS_SHARED};
}

/* Defers the split of a 2M block by a pin, and punches a hole in the block. */
static int defer_split_and_punch(struct rig *rig, gms_pgoff_t start)
{
	if (!gms_pin(rig->state, start, 1, NULL)) {
		(void)gms_convert(rig->state, start + 1, 1, GMS_PRIVATE, 0, NULL);
		gms_unpin(rig->state, start, 1);
	}
	return gms_punch_hole(rig->state, start, T_2M, NULL);
}

/* Makes one random step on a rig. Both rigs have generators with one seed. */
static int step(struct rig *rig, struct prng *prng)
{
	struct gms_run run = some_range(prng);
	struct gms_fault fault;
	gms_pgoff_t pinned;

	sim_refuse(rig->sim, 1U << SIM_FOLIO_MERGE, 0, prng_chance(prng, 10), -EBUSY);
	switch (prng_below(prng, 10)) {
	case 0:
		return rig_fault(rig, run.start, GMS_HOST, &fault);
	case 1:
		return rig_fault(rig, run.start, GMS_GUEST, &fault);
	case 2:
		return gms_allocate(rig->state, run.start, run.nr_pages, NULL);
	case 3:
		return gms_punch_hole(rig->state, run.start, run.nr_pages, NULL);
	case 4:
		return gms_pin(rig->state, run.start, 1, NULL);
	case 5: /* without pins, deferred splits are due */
		while (gms_first_pin(rig->state, 0, LOG_PAGES, &pinned))
			gms_unpin(rig->state, pinned, 1);
		return 0;
	case 6:
		return (int)gms_maintain(rig->state, UINT64_MAX);
	case 7:
		return defer_split_and_punch(rig, run.start / T_2M * T_2M);
	default:
		return gms_convert(rig->state, run.start, run.nr_pages,
				   prng_chance(prng, 50) ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	}
}

static void same_calls(struct rig *a, struct rig *b)
{
	const struct sim_call *calls[2];
	size_t nr[2];

	calls[0] = sim_calls(a->sim, &nr[0]);
	calls[1] = sim_calls(b->sim, &nr[1]);
	assert_int_equal(nr[0], nr[1]);
	for (size_t i = 0; i < nr[0]; i++) {
		assert_int_equal(calls[0][i].hook, calls[1][i].hook);
		assert_int_equal(calls[0][i].start, calls[1][i].start);
		assert_int_equal(calls[0][i].nr_pages, calls[1][i].nr_pages);
		assert_int_equal(calls[0][i].from, calls[1][i].from);
		assert_int_equal(calls[0][i].to, calls[1][i].to);
	}
	sim_forget(a->sim);
	sim_forget(b->sim);
}

static void unpin_all(struct rig *rig)
{
	gms_pgoff_t at;

	while (gms_first_pin(rig->state, 0, LOG_PAGES, &at))
		gms_unpin(rig->state, at, 1);
}

/*
 * Makes one random history under a policy, and under a copy of it without a mask. The hooks that
 * are called must be equal.
 */
static void run_log(const struct gms_policy_ops *policy, unsigned int folio_order, uint64_t seed)
{
	struct gms_policy_ops no_mask = *policy;
	struct rig_opts opts = {.nr_pages = LOG_PAGES, .folio_order = folio_order};
	struct prng prng[2];
	struct rig rig[2];

	no_mask.events = 0;
	opts.policy = policy;
	rig_init(&rig[0], &opts);
	opts.policy = &no_mask;
	rig_init(&rig[1], &opts);
	for (int i = 0; i < 2; i++)
		prng_init(&prng[i], seed);
	for (uint64_t n = test_iters(2000); n--;) {
		assert_int_equal(step(&rig[0], &prng[0]), step(&rig[1], &prng[1]));
		same_calls(&rig[0], &rig[1]);
	}
	for (int i = 0; i < 2; i++) {
		unpin_all(&rig[i]);
		sim_refuse(rig[i].sim, 0, 0, 0, 0);
		rig_fini(&rig[i]);
	}
}

static void rule_25_a_mask_of_events_changes_no_hook_calls(void **unused)
{
	const uint64_t seed = test_seed();

	(void)unused;
	print_message("seed %#llx\n", (unsigned long long)seed);
	for (unsigned int i = 0; i < RIG_NR_POLICIES; i++) {
		run_log(rig_policy(i), GMS_ORDER_1G, seed + i);
		run_log(rig_policy(i), GMS_ORDER_2M, seed + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_25_a_policy_is_queried_at_its_events_only),
		cmocka_unit_test(rule_25_merging_queries_for_changed_folios_only),
		cmocka_unit_test(rule_25_a_mask_of_events_changes_no_hook_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
