// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * repair_keeps_guest_mapping.c - gms_repair() left a mapping of the guest
 *
 * Wrong: a page between two pages that changed was quarantined with them. gms_repair() set its
 * shareability, and did not zap what the guest had mapped before.
 * Right: gms_repair() zaps shared and private mappings of all its pages (rule 39 and state.h).
 */
#include "regress.h"

static const struct rig_opts opts = {.nr_pages = 8 * T_2M};
static struct mirrors all;

static bool guest_maps(gms_pgoff_t index)
{
	gms_pgoff_t unmapped;

	return !sim_next_unmapped(all.rig.sim, GMS_GUEST, index, index + 1, &unmapped);
}

static void repair(enum gms_shareability from, enum gms_shareability to)
{
	mirrors_init(&all, &opts);
	rig_convert(&all.rig, 10, 3, to);
	rig_convert(&all.rig, 11, 1, from);
	rig_faults(&all.rig, 11, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_true(guest_maps(11));
	mirrors_quarantine(&all, from);
	rig_repair(&all.rig, 10, 3, to);
	assert_false(guest_maps(11));
	mirrors_fini(&all);
}

static void repair_to_private_zaps_the_guest(void **unused)
{
	(void)unused;
	repair(GMS_SHARED, GMS_PRIVATE);
}

static void repair_to_shared_zaps_the_guest(void **unused)
{
	(void)unused;
	repair(GMS_PRIVATE, GMS_SHARED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repair_to_private_zaps_the_guest),
		cmocka_unit_test(repair_to_shared_zaps_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
