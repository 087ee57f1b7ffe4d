// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sim.c - the simulated backend: its controls, its counters, and sim_compare()
 */
#include "machine.h"

#include <gmemstate/state.h>

static void refuses_chosen_calls(void **state)
{
	struct machine m = machine(GMS_ORDER_2M, false);
	gms_pgoff_t at = 77;

	(void)state;
	sim_refuse(m.sim, 1U << SIM_FOLIO_ALLOC | 1U << SIM_FOLIO_FREE, 1, 2, -ENOSPC);
	assert_int_equal(CALL(m, folio_alloc, 0, 9), 0);
	assert_int_equal(CALL(m, unmap_host, 0, 1), 0);
	assert_int_equal(CALL(m, folio_alloc, 512, 9), -ENOSPC);
	CALL(m, folio_free, 0, 9); /* counts as refused, and is done */
	CALL(m, block_freed, 0);
	assert_int_equal(CALL(m, folio_alloc, 512, 9), 0);

	sim_refuse(m.sim, 1U << SIM_FOLIO_SPLIT | 1U << SIM_FOLIO_MERGE, 0, 1, -EBUSY);
	assert_int_equal(CALL(m, folio_split, 512, 9, 0), -EBUSY);
	assert_int_equal(CALL(m, folio_split, 512, 9, 0), 0);
	sim_refuse(m.sim, 1U << SIM_FOLIO_MERGE, 0, 1, -EBUSY);
	assert_int_equal(CALL(m, folio_merge, 512, 0, 9), -EBUSY);
	assert_int_equal(CALL(m, folio_merge, 512, 0, 9), 0);

	sim_refuse(m.sim, 1U << SIM_CHECK_PINS | 1U << SIM_PREPARE, 0, 3, -EAGAIN);
	assert_int_equal(CALL(m, check_pins, 3, 2, &at), -EAGAIN);
	assert_int_equal(at, 3);
	machine_end(&m, NULL);
}

static void a_refused_apply_does_what_it_says(void **state)
{
	struct machine m = machine(GMS_ORDER_2M, false);
	gms_pgoff_t at = 8;

	(void)state;
	sim_refuse(m.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 4, -EIO);
	begin_and_zap(&m, 8, 8, GMS_SHARED);
	assert_int_equal(CALL(m, apply, 8, 8, GMS_PRIVATE, &at), -EIO);
	assert_int_equal(at, 8);
	sim_refuse_after(m.sim, 5);
	assert_int_equal(CALL(m, apply, 8, 8, GMS_PRIVATE, &at), -EIO);
	assert_int_equal(at, 13);
	/* an undo that is refused has undone nothing */
	assert_int_equal(CALL(m, undo, 8, 5, GMS_SHARED), -EIO);
	sim_refuse(m.sim, 0, 0, 0, 0);
	assert_int_equal(CALL(m, undo, 8, 5, GMS_SHARED), 0);
	assert_int_equal(CALL(m, apply, 8, 8, GMS_PRIVATE, &at), 0);
	machine_end(&m, NULL);
}

static void pins_are_found(void **state)
{
	struct machine m = machine(GMS_ORDER_2M, false);
	gms_pgoff_t at = 0;

	(void)state;
	assert_int_equal(sim_pin(m.sim, 20, 10), 0);
	assert_int_equal(sim_pin(m.sim, 5, 1), 0);
	assert_int_equal(sim_pin(m.sim, NR_PAGES, 1), -EINVAL);
	assert_int_equal(CALL(m, check_pins, 0, 100, &at), -EAGAIN);
	assert_int_equal(at, 5);
	assert_int_equal(CALL(m, check_pins, 25, 100, &at), -EAGAIN);
	assert_int_equal(at, 25);
	assert_int_equal(CALL(m, check_pins, 6, 14, &at), 0);
	assert_int_equal(CALL(m, check_pins, 30, 1, &at), 0);
	assert_int_equal(sim_unpin(m.sim, 20, 9), -ENOENT);
	assert_int_equal(sim_unpin(m.sim, 5, 1), 0);
	assert_int_equal(sim_unpin(m.sim, 5, 1), -ENOENT);
	assert_int_equal(CALL(m, check_pins, 0, 20, &at), 0);
	machine_end(&m, NULL);
}

static void calls_are_recorded(void **state)
{
	struct machine m = machine_with((struct sim_opts) {.folio_order = 9, .record = 3});
	const struct sim_call *calls;
	struct sim_totals totals;
	size_t nr;

	(void)state;
	CALL(m, folio_alloc, 512, 9);
	sim_refuse(m.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -EBUSY);
	CALL(m, folio_split, 512, 9, 0);
	CALL(m, invalidate_begin, 512, 7);
	CALL(m, zap_guest, 512, 7, GMS_SHARED);
	calls = sim_calls(m.sim, &nr);
	assert_int_equal(nr, 3);
	assert_string_equal(sim_hook_name(calls[0].hook), "folio_alloc");
	assert_int_equal(calls[0].start, 512);
	assert_int_equal(calls[0].nr_pages, 512);
	assert_int_equal(calls[0].from, 9);
	assert_int_equal(calls[1].hook, SIM_FOLIO_SPLIT);
	assert_int_equal(calls[1].from, 9);
	assert_int_equal(calls[1].to, 0);
	assert_int_equal(calls[1].ret, -EBUSY);
	assert_int_equal(calls[2].nr_pages, 7);
	sim_forget(m.sim);
	sim_calls(m.sim, &nr);
	assert_int_equal(nr, 0);
	sim_totals(m.sim, &totals);
	assert_int_equal(totals.calls[SIM_FOLIO_SPLIT], 1);
	assert_int_equal(totals.calls[SIM_ZAP_GUEST], 1);
	machine_end(&m, NULL);
}

static void totals_at(const struct machine *m, struct sim_totals *totals)
{
	sim_totals(m->sim, totals);
}

static void vmemmap_is_counted(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);
	struct sim_totals t;

	(void)state;
	CALL(m, folio_alloc, 0, 18);
	CALL(m, folio_alloc, BLOCK_1G, 9);
	totals_at(&m, &t);
	assert_int_equal(t.vmemmap_bytes, 2 * 4096);
	CALL(m, folio_split, BLOCK_1G, 9, 0);
	totals_at(&m, &t);
	assert_int_equal(t.vmemmap_given_back, 28 << 10);
	assert_int_equal(t.vmemmap_bytes, 4096 + 512 * 64);
	CALL(m, folio_split, 0, 18, 9);
	totals_at(&m, &t);
	assert_int_equal(t.vmemmap_given_back, (28 << 10) + (2 << 20) - 4096);
	CALL(m, folio_merge, 0, 9, 18);
	CALL(m, folio_split, 0, 18, 0);
	totals_at(&m, &t);
	assert_int_equal(t.vmemmap_given_back, (28 << 10) + (2 << 20) - 4096 + (16 << 20) - 4096);
	assert_int_equal(t.vmemmap_bytes, (16 << 20) + 512 * 64);
	machine_end(&m, NULL);
}

static void mappings_are_counted(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);
	struct sim_totals t;
	gms_pgoff_t at;

	(void)state;
	CALL(m, folio_alloc, 0, 18);
	CALL(m, folio_alloc, BLOCK_1G, 18);
	for (int i = 0; i < 2; i++) /* an existing mapping is not made again */
		sim_map(m.sim, 3, 18, GMS_GUEST);
	sim_map(m.sim, 3, 0, GMS_GUEST);
	sim_map(m.sim, BLOCK_1G, 0, GMS_GUEST);
	sim_map(m.sim, BLOCK_1G + 600, 9, GMS_HOST);
	sim_map(m.sim, BLOCK_1G, 9, GMS_HOST);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][2], BLOCK_1G);
	assert_int_equal(t.mapped_pages[0][1], 0);
	assert_int_equal(t.mapped_pages[0][0], 1);
	assert_int_equal(t.mapped_pages[1][1], 1024);
	assert_int_equal(t.work[SIM_WORK_FAULT], 4);
	assert_true(sim_next_unmapped(m.sim, GMS_GUEST, 0, NR_PAGES, &at));
	assert_int_equal(at, BLOCK_1G + 1);
	assert_false(sim_next_unmapped(m.sim, GMS_GUEST, 0, BLOCK_1G + 1, &at));
	/* a zap removes a page's whole mapping; a split removes mappings larger than the folio */
	begin_and_zap(&m, 70, 1, GMS_PRIVATE);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][2], BLOCK_1G);
	CALL(m, zap_guest, 70, 1, GMS_SHARED);
	CALL(m, folio_split, BLOCK_1G, 18, 9);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][2], 0);
	assert_int_equal(t.mapped_pages[1][1], 1024);
	CALL(m, folio_split, BLOCK_1G, 9, 0);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[1][1], 512);
	assert_int_equal(t.work[SIM_WORK_ZAP], 2);
	/* a split removes mappings of guest and host; a merge removes smaller mappings */
	sim_map(m.sim, BLOCK_1G + 512, 9, GMS_GUEST);
	sim_map(m.sim, BLOCK_1G + 1024, 0, GMS_GUEST);
	CALL(m, folio_split, BLOCK_1G + 512, 9, 0);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][1], 0);
	assert_int_equal(t.mapped_pages[1][1], 0);
	assert_int_equal(t.mapped_pages[0][0], 2);
	sim_map(m.sim, BLOCK_1G + 1024, 0, GMS_HOST);
	CALL(m, folio_merge, BLOCK_1G, 0, 18);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][0], 0);
	assert_int_equal(t.mapped_pages[1][0], 0);
	/* a free removes all mappings */
	sim_map(m.sim, BLOCK_1G, 18, GMS_HOST);
	sim_map(m.sim, BLOCK_1G, 18, GMS_GUEST);
	CALL(m, folio_free, BLOCK_1G, 18);
	totals_at(&m, &t);
	assert_int_equal(t.mapped_pages[0][2], 0);
	assert_int_equal(t.mapped_pages[1][2], 0);
	machine_end(&m, NULL);
}

static void work_is_counted_by_kind(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);
	gms_pgoff_t at;
	struct sim_totals t;

	(void)state;
	CALL(m, folio_alloc, 0, 18);
	CALL(m, folio_split, 0, 18, 0);
	CALL(m, folio_merge, 0, 0, 9);
	totals_at(&m, &t);
	assert_int_equal(t.work[SIM_WORK_SPLIT_1G], SIM_VMEMMAP_1G_4K);
	assert_int_equal(t.work[SIM_WORK_MERGE_2M], 1);
	/* one entry of 2M and two of 4K */
	convert(&m, 511, 514, GMS_PRIVATE);
	totals_at(&m, &t);
	assert_int_equal(t.work[SIM_WORK_CONVERT], 1);
	assert_int_equal(t.work[SIM_WORK_APPLY], 3);
	CALL(m, prepare, 511, 0);
	totals_at(&m, &t);
	assert_int_equal(t.work[SIM_WORK_PREPARE], 1);
	assert_int_equal(t.work[SIM_WORK_ALLOC], 1);
	assert_int_equal(t.work[SIM_WORK_CLEAR], BLOCK_1G);
	CALL(m, folio_free, 0, 9);
	totals_at(&m, &t);
	assert_int_equal(t.work[SIM_WORK_FREE], 1);
	/* an undo is as much work as an apply */
	begin_and_zap(&m, 511, 1, GMS_PRIVATE);
	CALL(m, apply, 511, 1, GMS_SHARED, &at);
	CALL(m, undo, 511, 1, GMS_PRIVATE);
	totals_at(&m, &t);
	assert_int_equal(t.work[SIM_WORK_CONVERT], 3);
	assert_int_equal(t.work[SIM_WORK_APPLY], 5);
	machine_end(&m, NULL);
}

/* A merge to 1G counts 511 pages of vmemmap, and 7 more for each 2M that is split. */
static void merges_to_1g_are_counted_by_what_they_do(void **state)
{
	static const unsigned int nr_split[] = {0, 1, 2, 511, 512};
	struct sim_totals t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nr_split); i++) {
		struct machine m = machine(GMS_ORDER_1G, false);

		CALL(m, folio_alloc, 0, 18);
		CALL(m, folio_split, 0, 18, 9);
		totals_at(&m, &t);
		assert_int_equal(t.work[SIM_WORK_SPLIT_1G], 511);
		for (unsigned int k = 0; k < nr_split[i]; k++)
			CALL(m, folio_split, k * 512, 9, 0);
		CALL(m, folio_merge, 0, nr_split[i] ? 0 : 9, 18);
		totals_at(&m, &t);
		assert_int_equal(t.work[SIM_WORK_SPLIT_2M], nr_split[i]);
		assert_int_equal(t.work[SIM_WORK_MERGE_1G], 511 + 7 * nr_split[i]);
		machine_end(&m, NULL);
	}
}

static void see_call(void *arg, const struct sim_call *call)
{
	struct machine *m = arg;
	struct sim_totals t;

	/* the hook has done nothing yet, and the callback may call the sim */
	assert_int_equal(call->hook, SIM_FOLIO_ALLOC);
	sim_totals(m->sim, &t);
	assert_int_equal(t.calls[SIM_FOLIO_ALLOC], 0);
	sim_refuse(m->sim, 1U << SIM_FOLIO_ALLOC, 0, 1, -ENOSPC);
}

static void calls_are_seen_before(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);

	(void)state;
	sim_on_call(m.sim, see_call, &m);
	assert_int_equal(CALL(m, folio_alloc, 0, 18), -ENOSPC);
	sim_on_call(m.sim, NULL, NULL);
	assert_int_equal(CALL(m, folio_alloc, 0, 18), 0);
	machine_end(&m, NULL);
}

static void bad_options(void **state)
{
	struct sim *sim = NULL;

	(void)state;
	assert_int_equal(sim_create(&(struct sim_opts) {.nr_pages = 0}, &sim), -EINVAL);
	assert_int_equal(sim_create(&(struct sim_opts) {.nr_pages = 1, .folio_order = 1}, &sim),
			 -EINVAL);
	assert_int_equal(sim_create(&(struct sim_opts) {.nr_pages = GMS_MAX_PAGES + 1}, &sim),
			 -EINVAL);
	assert_null(sim);
	sim_destroy(NULL);
}

static void flags_are_passed_on(void **state)
{
	struct machine m = machine_with(
		(struct sim_opts) {.folio_order = 9, .flags = GMS_BACKEND_PINS_BY_FOLIO});

	(void)state;
	assert_int_equal(m.ops->flags, GMS_BACKEND_PINS_BY_FOLIO);
	assert_int_equal(m.ops->struct_size, sizeof(*m.ops));
	machine_end(&m, NULL);
}

/* A machine and a library: the 2M at 0 is private and prepared, the 2M at 512 is shared. */
static struct gms_state *library_on(struct machine *m, uint64_t nr_pages)
{
	struct sim_opts sim_opts = {.nr_pages = nr_pages, .folio_order = 9, .init_private = true};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *library;
	struct gms_fault fault;

	assert_int_equal(sim_create(&sim_opts, &m->sim), 0);
	m->ops = sim_ops(m->sim);
	opts.nr_pages = nr_pages;
	opts.folio_order = 9;
	opts.flags = GMS_INIT_PRIVATE;
	opts.backend = m->ops;
	opts.backend_ctx = m->sim;
	assert_int_equal(gms_state_create(&opts, &library), 0);
	assert_int_equal(gms_allocate(library, 0, 1024, NULL), 0);
	assert_int_equal(gms_convert(library, 512, 512, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_fault_begin(library, 0, GMS_GUEST, &fault), 0);
	assert_int_equal(gms_fault_prepare(library, &fault), 0);
	gms_fault_end(library, &fault);
	assert_fine(sim_compare(m->sim, library));
	return library;
}

static void comparing_notices(void **state)
{
	struct machine m;

	(void)state;
#define CHECK(text, nr_pages, ...)                                           \
	do {                                                                 \
		struct gms_state *library = library_on(&m, nr_pages);        \
		const char *why;                                             \
                                                                             \
		__VA_ARGS__;                                                 \
		why = sim_compare(m.sim, library);                           \
		if (!why || !strstr(why, text))                              \
			fail_msg("%s, not %s", why ? why : "nothing", text); \
		gms_state_destroy(library);                                  \
		sim_destroy(m.sim);                                          \
	} while (0)
	CHECK("page 0x203: shared, and private in the sim", NR_PAGES,
	      sim_set(m.sim, 515, 1, GMS_PRIVATE));
	CHECK("page 0x7ffff: private, and shared in the sim", NR_PAGES,
	      sim_set(m.sim, NR_PAGES - 1, 1, GMS_SHARED));
	CHECK("page 0x400: allocated in the sim only", NR_PAGES, CALL(m, folio_alloc, 1024, 9));
	CHECK("page 0x0: allocated, and not in the sim", NR_PAGES, CALL(m, folio_free, 0, 9));
	CHECK("page 0x0: in a folio of another order", NR_PAGES, CALL(m, folio_split, 0, 9, 0));
	CHECK("page 0x0: prepared, and not in the sim", NR_PAGES, CALL(m, folio_free, 0, 9),
	      CALL(m, folio_alloc, 0, 9));
	CHECK("page 0x400: prepared in the sim only", NR_PAGES,
	      assert_int_equal(gms_allocate(library, 1024, 1, NULL), 0), CALL(m, prepare, 1024, 9));
	CHECK("invalidate_begin without", NR_PAGES, CALL(m, invalidate_begin, 0, 1));
	CHECK("page 0x40000: the 1G block became free, and block_freed was not called", NR_PAGES,
	      CALL(m, folio_alloc, BLOCK_1G, 9), CALL(m, folio_free, BLOCK_1G, 9));
	/* in a large object not every page is compared, but each 2M block is */
	CHECK("allocated in the sim only", 16 * BLOCK_1G,
	      CALL(m, folio_alloc, 7 * BLOCK_1G + 512, 9));
	CHECK("allocated, and not in the sim", 16 * BLOCK_1G,
	      assert_int_equal(gms_allocate(library, 7 * BLOCK_1G, 1, NULL), 0),
	      CALL(m, folio_free, 7 * BLOCK_1G, 9), CALL(m, block_freed, 7 * BLOCK_1G));
#undef CHECK
}

static void comparing_leaves_out_quarantine(void **state)
{
	struct machine m;
	struct gms_state *library = library_on(&m, NR_PAGES);

	(void)state;
	sim_refuse(m.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(m.sim, 100);
	assert_int_equal(gms_convert(library, 512, 512, GMS_PRIVATE, 0, NULL), -EIO);
	assert_true(gms_is_quarantined(library, 512));
	assert_fine(sim_compare(m.sim, library));
	assert_int_equal(sim_set(m.sim, 512, 512, GMS_SHARED), 0);
	assert_int_equal(gms_repair(library, 512, 512, GMS_SHARED), 0);
	assert_fine(sim_compare(m.sim, library));
	gms_state_destroy(library);
	machine_end(&m, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_chosen_calls),
		cmocka_unit_test(a_refused_apply_does_what_it_says),
		cmocka_unit_test(pins_are_found),
		cmocka_unit_test(calls_are_recorded),
		cmocka_unit_test(vmemmap_is_counted),
		cmocka_unit_test(mappings_are_counted),
		cmocka_unit_test(work_is_counted_by_kind),
		cmocka_unit_test(merges_to_1g_are_counted_by_what_they_do),
		cmocka_unit_test(calls_are_seen_before),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(flags_are_passed_on),
		cmocka_unit_test(comparing_notices),
		cmocka_unit_test(comparing_leaves_out_quarantine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
