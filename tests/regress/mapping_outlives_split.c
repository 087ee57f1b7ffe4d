// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mapping_outlives_split.c - a mapping of the host was forgotten when its folio was split
 *
 * Wrong: the host had mapped a whole folio, and the folio was split under that mapping. A
 * conversion to private then unmapped its own page alone, and the large mapping went on covering
 * a private page.
 * Right: the conversion unmaps all that the host may have mapped since the last unmap, whatever
 * the folio has become (rule 28).
 */
#include "regress.h"

static const struct rig_opts in_2m = {.nr_pages = T_1G, .folio_order = GMS_ORDER_2M};
static const struct rig_opts in_1g = {.nr_pages = T_1G, .folio_order = GMS_ORDER_1G};

/* A pin defers the split until after the host has mapped the folio. */
static void a_mapping_from_before_a_deferred_split_is_unmapped(void **unused)
{
	struct rig_opts eager = in_2m;
	struct rig rig;

	(void)unused;
	eager.policy = gms_policy_eager();
	rig_init(&rig, &eager);
	assert_int_equal(sim_pin(rig.sim, 100, 1), 0);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	assert_int_equal(sim_unpin(rig.sim, 100, 1), 0);
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	/* The large mapping is gone. Later mappings are of single pages. */
	rig_faults(&rig, 7, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 7, 1, GMS_PRIVATE);
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 7, 2));
	assert_false(rig_covered(&rig, SIM_UNMAP_HOST, 6, 2));
	rig_fini(&rig);
}

/* A guest fault splits the folio under the mapping of the host. */
static void a_mapping_from_before_a_guest_fault_is_unmapped(void **unused)
{
	struct wish wish = {GMS_EV_FAULT, GMS_GUEST, GMS_ORDER_4K, true, 0};
	struct rig rig;

	(void)unused;
	wish_init(&rig, &in_2m, &wish);
	rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_faults(&rig, 7, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	rig_fini(&rig);
}

/* A folio of 1G is split to 2M or 4K, and the 2M block of the page may be merged again. */
static void a_mapping_of_1g_is_unmapped_after_a_split(void **unused)
{
	static const struct {
		unsigned int order;
		bool merged;
	} splits[] = {{GMS_ORDER_2M, false}, {GMS_ORDER_4K, false}, {GMS_ORDER_4K, true}};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(splits); i++) {
		struct wish wish = {GMS_EV_FAULT, GMS_GUEST, splits[i].order, true, 0};
		struct rig rig;

		wish_init(&rig, &in_1g, &wish);
		rig_faults(&rig, 0, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
		rig_faults(&rig, 7, GMS_GUEST, splits[i].order, splits[i].order);
		wish = (struct wish) {GMS_EV_MAINTAIN, GMS_HOST, GMS_ORDER_2M, true, 0};
		if (splits[i].merged)
			assert_int_equal(gms_maintain(rig.state, 1), T_FANOUT);
		rig_forget(&rig);
		rig_convert(&rig, 5, 1, GMS_PRIVATE);
		assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_1G));
		rig_faults(&rig, T_2M, GMS_HOST, gms_folio_order(rig.state, T_2M),
			   gms_folio_order(rig.state, T_2M));
		rig_forget(&rig);
		rig_convert(&rig, T_2M, 1, GMS_PRIVATE);
		assert_false(rig_covered(&rig, SIM_UNMAP_HOST, T_2M - 1, 2));
		assert_false(rig_covered(&rig, SIM_UNMAP_HOST, T_2M, T_2M + 1));
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_from_before_a_deferred_split_is_unmapped),
		cmocka_unit_test(a_mapping_from_before_a_guest_fault_is_unmapped),
		cmocka_unit_test(a_mapping_of_1g_is_unmapped_after_a_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
