// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pin_stops_other_merges.c - a pin in one 2M block kept all others from being merged
 *
 * Wrong: the policy wanted 1G. A pin in one of the 512 blocks prevented that merge, and
 * gms_maintain() did not try the other 511 blocks of 2M.
 * Right: merging is best effort: each block is merged as far as its own pins allow (rule 31).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};

static void blocks_without_a_pin_are_merged(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_HOST, GMS_ORDER_4K, true, 0};
	struct rig rig;

	(void)unused;
	wish_init(&rig, &opts, &wish);
	rig_pin(&rig, 5, 1);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_4K);
	wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_1G, true, 0};
	assert_int_equal(gms_maintain(rig.state, 1), T_FANOUT - 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	gms_unpin(rig.state, 5, 1);
	assert_int_equal(gms_maintain(rig.state, 1), 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_without_a_pin_are_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
