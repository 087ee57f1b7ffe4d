// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maintain_does_not_end.c - gms_maintain() did not return
 *
 * Wrong: gms_maintain() of all blocks returned again and again to the blocks that the policy
 * leaves split, and did not end.
 * Right: one call looks at each split block once (rule 30).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 2 * T_1G, .folio_order = GMS_ORDER_2M};

static void maintain_ends(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_HOST, GMS_ORDER_4K, true, 0};
	struct rig rig;

	(void)unused;
	wish_init(&rig, &opts, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_faults(&rig, T_1G, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_4K, true, 0};
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	assert_int_equal(wish.queries, 2);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maintain_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
