// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy_query_per_run.c - the policy was queried once for each run
 *
 * Wrong: a conversion of many runs in one folio queried the policy at each run. A policy that
 * counts conversions counted runs.
 * Right: a conversion queries the policy once for each folio (rule 30).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};

static void many_runs_in_a_folio_make_one_query(void **unused)
{
	struct wish wish = {GMS_EV_CONVERT, GMS_HOST, GMS_ORDER_1G, true, 0};
	struct rig rig;
	uint64_t i;

	(void)unused;
	wish_init(&rig, &opts, &wish);
	assert_int_equal(gms_allocate(rig.state, 0, 1, NULL), 0);
	for (i = 0; i < 64; i += 2)
		rig_convert(&rig, i, 1, GMS_PRIVATE);
	wish.queries = 0;
	rig_convert(&rig, 0, 64, GMS_PRIVATE);
	assert_int_equal(wish.queries, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_runs_in_a_folio_make_one_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
