// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * host.c - proves what a backend with map_host, which keeps the host's view, can rely on
 *
 * Tests rules 12, 14 to 17, 28, 32, 34 and 39, and the contract of unmap_host and map_host in
 * backend.h.
 */
#include "vmm.h"

/* Checks that the calls of @hooks so far were these, in this order, and forgets all calls. */
static void expect(struct vmm *v, unsigned int hooks, const struct call *want, size_t count)
{
	size_t n = 0;

	assert_true(v->nr_calls <= VMM_CALLS);
	for (size_t i = 0; i < v->nr_calls; i++) {
		const struct call *c = &v->calls[i];

		if (!(hooks & 1U << c->hook))
			continue;
		assert_true(n < count);
		assert_int_equal(c->hook, want[n].hook);
		assert_int_equal(c->start, want[n].start);
		assert_int_equal(c->nr_pages, want[n].nr_pages);
		n++;
	}
	assert_int_equal(n, count);
	v->nr_calls = 0;
}

#define VIEW (1U << UNMAP | 1U << MAP)
#define EXPECT(v, hooks, ...)                               \
	do {                                                \
		const struct call want_[] = {__VA_ARGS__};  \
                                                            \
		expect(v, hooks, want_, ARRAY_SIZE(want_)); \
	} while (0)
#define EXPECT_NONE(v, hooks) expect(v, hooks, NULL, 0)

/* ---- unmapping ---- */

/*
 * Rule 28: for a host that faults, unmap_host covers the whole exposed folio. With map_host it
 * covers exactly the pages that change.
 */
static void rule_28_with_map_host_only_changed_pages_are_unmapped(void **unused)
{
	struct gms_backend_ops faulting = vmm_by_page;
	struct gms_fault fault;
	static struct vmm v;

	(void)unused;
	for (int own = 0; own < 2; own++) {
		if (!own)
			faulting.map_host = NULL;
		vmm_init(&v, gms_policy_lazy(), 0, own ? &vmm_by_page : &faulting);
		assert_int_equal(gms_fault_begin(v.state, 5, GMS_HOST, &fault), 0);
		gms_fault_end(v.state, &fault);
		v.nr_calls = 0;
		assert_int_equal(gms_convert(v.state, 7, 2, GMS_PRIVATE, 0, NULL), 0);
		if (own) {
			EXPECT(&v, VIEW, {UNMAP, 7, 2});
			vmm_fini(&v);
			continue;
		}
		EXPECT(&v, VIEW, {UNMAP, 0, T_2M});
		gms_state_destroy(v.state);
	}
}

/* Rule 12: from the first pinned page on no hook is called. The pages before are mapped again. */
static void rule_12_no_hook_is_called_behind_a_pin(void **unused)
{
	gms_pgoff_t at;
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
	assert_int_equal(gms_convert(v.state, 12, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(gms_pin(v.state, 15, 1, NULL), 0);
	v.nr_calls = 0;
	assert_int_equal(gms_convert(v.state, 10, 20, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 15);
	EXPECT(&v, VIEW | 1U << PINS, {UNMAP, 10, 2}, {UNMAP, 13, 2}, {PINS, 10, 2}, {PINS, 13, 2},
	       {MAP, 10, 2}, {MAP, 13, 2});
	assert_int_equal(gms_convert(v.state, 15, 20, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 15);
	EXPECT_NONE(&v, VIEW | 1U << PINS | 1U << BEGIN);
	assert_int_equal(gms_punch_hole(v.state, 10, 20, &at), -EAGAIN);
	assert_int_equal(at, 15);
	assert_int_equal(gms_convert(v.state, 10, 20, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, &at),
			 -EAGAIN);
	assert_int_equal(at, 15);
	assert_true(gms_range_is(v.state, 10, 5, GMS_PRIVATE));
	assert_true(v.visible[15]);
	gms_unpin(v.state, 15, 1);
	vmm_fini(&v);
}

/* Rule 12: of a pin of the backend and one of the library, the first is named. */
static void rule_12_the_first_pin_of_both_kinds_is_named(void **unused)
{
	gms_pgoff_t at;
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
	assert_int_equal(gms_pin(v.state, 11, 1, NULL), 0);
	v.fail[PINS] = 1; /* called for page 10 only, which it names */
	assert_int_equal(gms_convert(v.state, 10, 9, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 10);
	assert_int_equal(gms_convert(v.state, 10, 9, GMS_PRIVATE, 0, &at), -EAGAIN);
	assert_int_equal(at, 11);
	gms_unpin(v.state, 11, 1);
	vmm_fini(&v);
}

/* ---- mapping again ---- */

/* Rule 16: if any step fails the shared pages are mapped for the host again, after the undo. */
static void rule_16_a_failure_maps_shared_pages_again(void **unused)
{
	static const enum hook steps[] = {UNMAP, PINS, SPLIT, APPLY};
	static const int errs[] = {-EIO, -EAGAIN, -ENOSPC, -EBUSY};
	static struct vmm v;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		vmm_init(&v, gms_policy_eager_nonuniform(), 0, &vmm_by_page);
		assert_int_equal(gms_allocate(v.state, 0, VMM_PAGES, NULL), 0);
		assert_int_equal(gms_convert(v.state, 5, 1, GMS_PRIVATE, 0, NULL), 0);
		v.nr_calls = 0;
		v.fail[steps[i]] = steps[i] == SPLIT ? 1 : 2; /* the second run, or the split */
		assert_int_equal(gms_convert(v.state, 3, T_2M, GMS_PRIVATE, 0, NULL), errs[i]);
		assert_fine(vmm_agrees(&v));
		if (steps[i] == APPLY)
			EXPECT(&v, 1U << MAP, {MAP, 3, 2}, {MAP, 6, T_2M - 3});
		vmm_fini(&v);
	}
}

/* Rule 39: if map_host fails the whole range is quarantined and unmapped. */
static void rule_39_a_failed_map_host_quarantines(void **unused)
{
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
	v.fail[APPLY] = v.fail[MAP] = 1;
	assert_int_equal(gms_convert(v.state, 20, 30, GMS_PRIVATE, 0, NULL), -EBUSY);
	for (uint64_t i = 20; i < 50; i++) {
		assert_true(gms_is_quarantined(v.state, i));
		assert_false(v.visible[i]);
	}
	assert_false(gms_is_quarantined(v.state, 19) || gms_is_quarantined(v.state, 50));
	vmm_fini(&v);
}

/* Rule 32: a hole unmaps its pages from the host, and maps those that are shared again. */
static void rule_32_a_hole_maps_shared_pages_again(void **unused)
{
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
	assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
	assert_int_equal(gms_convert(v.state, 9, 9, GMS_PRIVATE, 0, NULL), 0);
	v.nr_calls = 0;
	assert_int_equal(gms_punch_hole(v.state, 0, T_2M, NULL), 0);
	EXPECT(&v, VIEW, {UNMAP, 0, T_2M}, {MAP, 0, 9}, {MAP, 18, T_2M - 18});
	assert_fine(vmm_agrees(&v));
	/* if map_host fails the hole is made and quarantined */
	assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
	v.fail[MAP] = 1;
	assert_int_equal(gms_punch_hole(v.state, 0, T_2M, NULL), 0);
	assert_false(gms_is_allocated(v.state, 0));
	assert_true(gms_is_quarantined(v.state, 0) && gms_is_quarantined(v.state, T_2M - 1));
	vmm_fini(&v);
}

/* Rules 34 and 39: listeners withdraw a quarantined hole, whether the hole was made or not. */
static void rule_34_a_quarantined_hole_is_withdrawn(void **unused)
{
	static struct vmm v;

	(void)unused;
	for (int fails = 0; fails < 2; fails++) {
		unsigned int id;

		vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
		assert_int_equal(
			gms_listener_register(v.state, &vmm_listener, &v, 0, VMM_PAGES, 1, &id), 0);
		assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
		v.fail[MAP] = 1;
		v.fail[PINS] = (unsigned int)fails;
		assert_int_equal(gms_punch_hole(v.state, 7, 9, NULL), fails ? -EAGAIN : 0);
		for (uint64_t i = 0; i < VMM_PAGES; i++) {
			assert_int_equal(gms_is_quarantined(v.state, i), i >= 7 && i < 16);
			assert_int_equal(v.held[i], i < 7 || i >= 16);
		}
		for (uint64_t i = 7; i < 16; i++)
			v.private[i] = true;
		assert_int_equal(gms_repair(v.state, 7, 9, GMS_PRIVATE), 0);
		vmm_fini(&v);
	}
}

/* Rule 39: a hole maps no quarantined page for the host. */
static void rule_39_a_hole_maps_no_quarantined_page(void **unused)
{
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
	assert_int_equal(gms_allocate(v.state, 0, T_2M, NULL), 0);
	v.fail[APPLY] = v.fail[MAP] = 1;
	assert_int_equal(gms_convert(v.state, 20, 30, GMS_PRIVATE, 0, NULL), -EBUSY);
	v.nr_calls = 0;
	assert_int_equal(gms_punch_hole(v.state, 10, 50, NULL), 0);
	EXPECT(&v, 1U << MAP, {MAP, 10, 10}, {MAP, 50, 10});
	for (uint64_t i = 20; i < 50; i++)
		assert_false(v.visible[i]);
	vmm_fini(&v);
}

/* Rule 16: if unmap_host fails, map_host is called for the runs up to the one that failed. */
static void rule_16_a_failed_unmap_host_maps_its_runs_again(void **unused)
{
	static struct vmm v;

	(void)unused;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		vmm_init(&v, gms_policy_lazy(), 0, &vmm_by_page);
		assert_int_equal(gms_convert(v.state, 12, 1, GMS_PRIVATE, 0, NULL), 0);
		assert_int_equal(gms_convert(v.state, 15, 1, GMS_PRIVATE, 0, NULL), 0);
		v.nr_calls = 0;
		v.fail[UNMAP] = nth;
		assert_int_equal(gms_convert(v.state, 10, 9, GMS_PRIVATE, 0, NULL), -EIO);
		if (nth == 1)
			EXPECT(&v, VIEW, {UNMAP, 10, 2}, {MAP, 10, 2});
		else if (nth == 2)
			EXPECT(&v, VIEW, {UNMAP, 10, 2}, {UNMAP, 13, 2}, {MAP, 10, 2},
			       {MAP, 13, 2});
		vmm_fini(&v);
	}
}

static int unmap_host_is_busy(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	return vmm_unmap_host(ctx, start, nr_pages) ? -EAGAIN : 0;
}

/* Rule 17: -EAGAIN of unmap_host names no page, and does not count as a pin by folio. */
static void rule_17_eagain_of_unmap_host_names_no_page(void **unused)
{
	struct gms_backend_ops busy = vmm_by_page;
	gms_pgoff_t at;
	static struct vmm v;

	(void)unused;
	busy.unmap_host = unmap_host_is_busy;
	for (unsigned int by = 0; by < 4; by++) {
		busy.flags = by % 2 ? GMS_BACKEND_PINS_BY_FOLIO : 0;
		vmm_init(&v, gms_policy_lazy(), 0, &busy);
		assert_int_equal(gms_allocate(v.state, 0, VMM_PAGES, NULL), 0);
		v.fail[UNMAP] = 1;
		assert_int_equal(gms_convert(v.state, T_2M + 90, 20, GMS_PRIVATE,
					     by / 2 ? GMS_CONVERT_RESUMABLE : 0, &at),
				 -EAGAIN);
		assert_int_equal(at, T_2M + 90);
		v.fail[APPLY] = v.fail[MAP] = 1;
		assert_int_equal(gms_convert(v.state, 3, 9, GMS_PRIVATE, 0, NULL), -EBUSY);
		for (uint64_t i = 3; i < 12; i++)
			v.private[i] = true;
		v.fail[UNMAP] = 1;
		assert_int_equal(gms_repair(v.state, 3, 9, GMS_PRIVATE), -EAGAIN);
		assert_int_equal(gms_repair(v.state, 3, 9, GMS_PRIVATE), 0);
		vmm_fini(&v);
	}
}

/* Rule 39: gms_repair() to private unmaps all of its pages from the host, also private ones. */
static void rule_39_repair_to_private_unmaps_all_pages(void **unused)
{
	static struct vmm v;

	(void)unused;
	vmm_init(&v, gms_policy_lazy(), GMS_INIT_PRIVATE, &vmm_by_page);
	assert_int_equal(gms_convert(v.state, 33, 2, GMS_SHARED, 0, NULL), 0);
	v.fail[APPLY] = 2; /* the second of two runs fails, and so does the undo */
	v.fail[UNDO] = 1;
	assert_int_equal(gms_convert(v.state, 30, 10, GMS_SHARED, 0, NULL), -EBUSY);
	assert_true(gms_is_quarantined(v.state, 30) && gms_is_quarantined(v.state, 39));
	for (uint64_t i = 30; i < 40; i++) {
		v.private[i] = true; /* the caller has made the page private, and left it mapped */
		v.visible[i] = true;
	}
	v.fail[UNMAP] = 1;
	assert_int_equal(gms_repair(v.state, 30, 10, GMS_PRIVATE), -EIO);
	assert_true(gms_is_quarantined(v.state, 30) && gms_is_quarantined(v.state, 39));
	assert_int_equal(gms_repair(v.state, 30, 10, GMS_PRIVATE), 0);
	vmm_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_28_with_map_host_only_changed_pages_are_unmapped),
		cmocka_unit_test(rule_12_no_hook_is_called_behind_a_pin),
		cmocka_unit_test(rule_12_the_first_pin_of_both_kinds_is_named),
		cmocka_unit_test(rule_16_a_failure_maps_shared_pages_again),
		cmocka_unit_test(rule_39_a_failed_map_host_quarantines),
		cmocka_unit_test(rule_32_a_hole_maps_shared_pages_again),
		cmocka_unit_test(rule_39_repair_to_private_unmaps_all_pages),
		cmocka_unit_test(rule_34_a_quarantined_hole_is_withdrawn),
		cmocka_unit_test(rule_39_a_hole_maps_no_quarantined_page),
		cmocka_unit_test(rule_16_a_failed_unmap_host_maps_its_runs_again),
		cmocka_unit_test(rule_17_eagain_of_unmap_host_names_no_page),
	};

	return cmocka_run_group_tests_name("rules-host", tests, NULL, NULL);
}
