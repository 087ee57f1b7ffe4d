// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy.c - proves that the policies are pure functions with the verdicts of rules 26, 27 and 30
 *
 * The tables have views and the verdicts that the rules require. Impossible views, such as a mixed
 * 2M in a uniform 1G, are in no table.
 */
#include <gmemstate/policy.h>

#include "test.h"

#define S GMS_ALL_SHARED
#define P GMS_ALL_PRIVATE
#define M GMS_MIXED
#define HOST GMS_HOST
#define GUEST GMS_GUEST
#define O4K GMS_ORDER_4K
#define O2M GMS_ORDER_2M
#define O1G GMS_ORDER_1G

struct row {
	enum gms_event event;
	enum gms_accessor accessor;
	enum gms_shareability to;
	unsigned int folio_order;
	enum gms_summary s2m, s1g;
	unsigned int order;
	int uniform; /* -1: any value is right */
};

static struct gms_policy_view view_of(const struct row *row)
{
	const gms_pgoff_t index = 5 * T_1G + 7 * T_2M + 9;

	return (struct gms_policy_view) {
		.event = row->event,
		.accessor = row->accessor,
		.to = row->to,
		.index = index,
		.folio_index = index >> row->folio_order << row->folio_order,
		.folio_order = row->folio_order,
		.s2m = row->s2m,
		.s1g = row->s1g,
		.flips = 3,
		.now = 1000,
		.since = 900,
		.backing_order = O1G,
	};
}

/* Rounds an order down, as the engine does. */
static unsigned int rounded(unsigned int order)
{
	return order >= O1G ? O1G : order >= O2M ? O2M : O4K;
}

static struct gms_policy_verdict query(const struct gms_policy_ops *policy,
				       const struct gms_policy_view *view)
{
	struct gms_policy_verdict verdict = {view->folio_order, true, false};

	policy->decide(NULL, view, &verdict);
	verdict.order = rounded(verdict.order);
	return verdict;
}

/* Checks a verdict. Two queries must have equal verdicts, and must not change the view. */
static void check_row(const struct gms_policy_ops *policy, const struct row *row, size_t number)
{
	struct gms_policy_view view = view_of(row), copy = view;
	struct gms_policy_verdict verdict = query(policy, &view), again = query(policy, &view);

	assert_memory_equal(&view, &copy, sizeof(view));
	assert_int_equal(verdict.order, again.order);
	assert_int_equal(verdict.uniform, again.uniform);
	if (verdict.order != row->order ||
	    (row->uniform >= 0 && verdict.uniform != (bool)row->uniform))
		fail_msg("%s, row %zu: order %u, uniform %d", policy->name, number, verdict.order,
			 verdict.uniform);
}

#define check_rows(policy, rows)                                  \
	do {                                                      \
		size_t row_;                                      \
                                                                  \
		for (row_ = 0; row_ < ARRAY_SIZE(rows); row_++)   \
			check_row((policy), &(rows)[row_], row_); \
	} while (0)

/* clang-format off */

/* Rule 26: eager-rfc with a backing of 1G */
static const struct row eager_rfc[] = {
	/* a folio in a block that is not all private is split at once: all of it, to 4K */
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, S, S, O4K, 1},
	{GMS_EV_ALLOCATE, HOST,  GMS_SHARED,  O1G, S, S, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, M, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, S, M, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, M, M, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, P, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O2M, S, M, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, M, M, O4K, 1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, P, P, O2M, -1},
	/* a conversion to shared splits, because the block is not all private then */
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, M, M, O4K, 1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, M, O4K, 1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, S, O4K, 1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, M, M, O4K, 1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, S, M, O4K, 1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, S, S, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, M, M, O4K, -1},
	/* a conversion to private merges a 1G that is all private, and no 2M */
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, P, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, M, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O2M, P, P, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, P, P, O1G, -1},
	/* a deferred split is made at the next fault */
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, M, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, S, O4K, 1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O1G, P, P, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
};

/* Rule 26 */
static const struct row eager[] = {
	/* a folio in a block that is not all private is split at once: a 1G to 2M */
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, S, S, O4K, 0},
	{GMS_EV_ALLOCATE, HOST,  GMS_SHARED,  O1G, S, S, O4K, 0},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, S, M, O4K, 0},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, P, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O2M, S, M, O4K, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, M, M, O4K, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, P, P, O2M, -1},
	/* and a 2M with a shared page to 4K, also if it is all shared */
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, M, O4K, 0},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, S, O4K, 0},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, S, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, S, S, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, M, M, O4K, -1},
	/* a conversion to private merges the largest block that is all private */
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, P, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, M, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O2M, P, P, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, P, P, O1G, -1},
	/* a deferred split is made at the next fault */
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, M, O4K, 0},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, S, O4K, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O1G, P, M, O2M, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O1G, P, P, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
};

/* Rule 30: lazy-4k */
static const struct row lazy_4k[] = {
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, M, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, S, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, M, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, M, O4K, 1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, S, O4K, 1},
	{GMS_EV_FAULT,    GUEST, GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O2M, M, M, O2M, -1},
	{GMS_EV_ALLOCATE, HOST,  GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, M, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
	{GMS_EV_PUNCH,    HOST,  GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
};

/* Rule 30 */
static const struct row nonuniform[] = {
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, S, S, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, P, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, M, O2M, -1},
	{GMS_EV_ALLOCATE, HOST,  GMS_SHARED,  O1G, S, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O2M, S, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O2M, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, S, S, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, M, M, O4K, 0},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, S, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, S, S, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O2M, P, P, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, S, S, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, S, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, M, M, O4K, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, M, O2M, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, S, O1G, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, M, O2M, -1},
};

/* Rule 27; also the verdicts of adaptive, except for GMS_EV_MAINTAIN */
static const struct row lazy[] = {
	/* guest faults never split */
	{GMS_EV_FAULT,    GUEST, GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O1G, P, M, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_SHARED,  O1G, S, M, O1G, -1},
	{GMS_EV_FAULT,    GUEST, GMS_PRIVATE, O2M, M, M, O2M, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_PRIVATE, O1G, P, M, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_ALLOCATE, GUEST, GMS_SHARED,  O2M, M, M, O2M, -1},
	{GMS_EV_ALLOCATE, HOST,  GMS_SHARED,  O1G, S, S, O1G, -1},
	/* host faults split, but only as far as the page needs */
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, M, O2M, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, M, M, O4K, 0},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O1G, S, S, O1G, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, M, M, O4K, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, M, O2M, -1},
	{GMS_EV_FAULT,    HOST,  GMS_SHARED,  O2M, S, S, O2M, -1},
	/* conversions never split or merge */
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O1G, M, M, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O1G, P, M, O1G, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, M, M, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O2M, S, S, O2M, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_SHARED,  O4K, S, S, O4K, -1},
	{GMS_EV_CONVERT,  HOST,  GMS_PRIVATE, O4K, P, M, O4K, -1},
};

static const struct row lazy_maintain[] = {
	{GMS_EV_MAINTAIN, HOST,  GMS_PRIVATE, O4K, P, P, O4K, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_SHARED,  O2M, S, S, O2M, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_SHARED,  O4K, S, M, O4K, -1},
	{GMS_EV_MAINTAIN, HOST,  GMS_SHARED,  O4K, M, M, O4K, -1},
};
/* clang-format on */

static void rule_26_eager_has_its_verdicts(void **unused)
{
	(void)unused;
	check_rows(gms_policy_eager(), eager);
}

static void rule_26_eager_rfc_has_its_verdicts(void **unused)
{
	(void)unused;
	check_rows(gms_policy_eager_rfc(), eager_rfc);
}

/* Rule 26: eager-rfc merges to the order that the backing has at the page, and to no other. */
static void rule_26_eager_rfc_merges_to_the_order_of_the_backing(void **unused)
{
	static const struct {
		unsigned int backing_order, folio_order;
		enum gms_summary s2m, s1g;
		unsigned int order;
	} rows[] = {
		{O1G, O4K, P, P, O1G}, {O1G, O4K, P, M, O4K}, {O1G, O2M, P, P, O1G},
		{O1G, O2M, P, M, O2M}, {O2M, O4K, P, P, O2M}, {O2M, O4K, P, M, O2M},
		{O2M, O4K, M, M, O4K}, {O4K, O4K, P, P, O4K}, {O4K, O4K, M, M, O4K},
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row row = {GMS_EV_CONVERT,      HOST,        GMS_PRIVATE,
					rows[i].folio_order, rows[i].s2m, rows[i].s1g,
					rows[i].order,       -1};
		struct gms_policy_view view = view_of(&row);
		struct gms_policy_verdict verdict;

		view.backing_order = rows[i].backing_order;
		verdict = query(gms_policy_eager_rfc(), &view);
		if (verdict.order != rows[i].order || !verdict.exact)
			fail_msg("row %zu: order %u, exact %d", i, verdict.order, verdict.exact);
		assert_false(query(gms_policy_eager(), &view).exact);
		assert_false(query(gms_policy_eager_nonuniform(), &view).exact);
	}
}

static void rule_30_lazy_4k_has_its_verdicts(void **unused)
{
	(void)unused;
	check_rows(gms_policy_lazy_4k(), lazy_4k);
}

static void rule_27_lazy_has_its_verdicts(void **unused)
{
	(void)unused;
	check_rows(gms_policy_lazy(), lazy);
	check_rows(gms_policy_lazy(), lazy_maintain);
}

static void rule_30_eager_nonuniform_has_its_verdicts(void **unused)
{
	(void)unused;
	check_rows(gms_policy_eager_nonuniform(), nonuniform);
}

static void rule_30_adaptive_splits_as_lazy(void **unused)
{
	(void)unused;
	check_rows(gms_policy_adaptive(), lazy);
}

/* Rule 30: adaptive merges an all private block whose rest has reached the wait. */
static void rule_30_adaptive_merges_what_has_waited(void **unused)
{
#define NEVER UINT64_MAX
	static const struct {
		unsigned int folio_order;
		enum gms_summary s2m, s1g;
		uint64_t rest_2m, wait_2m, rest_1g, wait_1g;
		unsigned int order;
		bool exact;
	} rows[] = {
		{O4K, P, P, 99, 100, 99, 100, O4K, true},
		{O4K, P, P, 100, 100, 99, 100, O2M, false},
		{O4K, P, P, 99, 100, 100, 100, O1G, true},
		{O4K, P, P, 100, 100, 100, 100, O1G, false},
		{O2M, P, P, 0, 100, 99, 100, O2M, true},
		{O2M, P, P, 500, 100, 99, 100, O2M, false},
		{O2M, P, P, 0, 100, 100, 100, O1G, true},
		{O4K, P, M, 100, 100, 100, 100, O2M, false},
		{O4K, M, M, 100, 100, 100, 100, O4K, true},
		{O2M, P, M, 100, 100, 100, 100, O2M, false},
		/* shared blocks are not merged: the guest pays no rent for them */
		{O4K, S, S, 100, 100, 100, 100, O4K, true},
		{O2M, S, S, 100, 100, 100, 100, O2M, true},
		{O4K, S, M, 100, 100, 100, 100, O4K, true},
		/* at once, and never */
		{O4K, P, M, 0, 0, 0, NEVER, O2M, false},
		{O4K, P, P, 0, NEVER, 0, 0, O1G, true},
		{O4K, P, P, NEVER, NEVER, NEVER, NEVER, O4K, true},
		{O4K, P, P, NEVER, NEVER - 1, NEVER, NEVER, O2M, false},
	};
#undef NEVER
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row row = {GMS_EV_MAINTAIN,     HOST,        GMS_PRIVATE,
					rows[i].folio_order, rows[i].s2m, rows[i].s1g,
					rows[i].order,       -1};
		struct gms_policy_view view = view_of(&row);
		struct gms_policy_verdict verdict;

		view.rest_2m = rows[i].rest_2m;
		view.wait_2m = rows[i].wait_2m;
		view.rest_1g = rows[i].rest_1g;
		view.wait_1g = rows[i].wait_1g;
		verdict = query(gms_policy_adaptive(), &view);
		if (verdict.order != rows[i].order || verdict.exact != rows[i].exact)
			fail_msg("row %zu: order %u, exact %d", i, verdict.order, verdict.exact);
		/* lazy merges nothing */
		assert_int_equal(query(gms_policy_lazy(), &view).order, rows[i].folio_order);
	}
}

/* The index does not change a verdict, and the history changes only those of adaptive. */
static void rule_30_verdicts_depend_only_on_the_block(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(eager); i++) {
		struct gms_policy_view view = view_of(&eager[i]);

		view.index = 0;
		view.folio_index = 0;
		view.flips = 0;
		view.now = 0;
		view.since = 0;
		assert_int_equal(query(gms_policy_eager(), &view).order, eager[i].order);
	}
	for (i = 0; i < ARRAY_SIZE(lazy); i++) {
		struct gms_policy_view view = view_of(&lazy[i]);

		view.index = 0;
		view.folio_index = 0;
		view.flips = UINT32_MAX;
		view.now = UINT64_MAX;
		assert_int_equal(query(gms_policy_lazy(), &view).order, lazy[i].order);
		assert_int_equal(query(gms_policy_adaptive(), &view).order, lazy[i].order);
	}
}

static void policies_have_names(void **unused)
{
	static const char *const names[] = {"eager-rfc", "eager", "eager-nonuniform",
					    "lazy-4k",   "lazy",  "adaptive"};
	const struct gms_policy_ops *const policies[] = {
		gms_policy_eager_rfc(), gms_policy_eager(), gms_policy_eager_nonuniform(),
		gms_policy_lazy_4k(),   gms_policy_lazy(),  gms_policy_adaptive(),
	};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		assert_string_equal(policies[i]->name, names[i]);
		assert_int_equal(policies[i]->struct_size, sizeof(struct gms_policy_ops));
		assert_non_null(policies[i]->decide);
		assert_ptr_equal(gms_policy_by_name(names[i]), policies[i]);
	}
	assert_null(gms_policy_by_name(""));
	assert_null(gms_policy_by_name("eage"));
	assert_null(gms_policy_by_name("eagerly"));
	assert_null(gms_policy_by_name("Lazy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_26_eager_rfc_has_its_verdicts),
		cmocka_unit_test(rule_26_eager_rfc_merges_to_the_order_of_the_backing),
		cmocka_unit_test(rule_26_eager_has_its_verdicts),
		cmocka_unit_test(rule_27_lazy_has_its_verdicts),
		cmocka_unit_test(rule_30_lazy_4k_has_its_verdicts),
		cmocka_unit_test(rule_30_eager_nonuniform_has_its_verdicts),
		cmocka_unit_test(rule_30_adaptive_splits_as_lazy),
		cmocka_unit_test(rule_30_adaptive_merges_what_has_waited),
		cmocka_unit_test(rule_30_verdicts_depend_only_on_the_block),
		cmocka_unit_test(policies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
