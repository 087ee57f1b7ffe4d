// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fault.c - proves what a fault returns, and when pages are prepared
 *
 * Tests rules 6 to 8, 20 and 21. pin.c tests pre-allocation and pins, and race.c faults of
 * several threads.
 */
#include "oracle.h"
#include "rig.h"

#define NR_PAGES (2 * T_1G + T_2M + 1)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_1G};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

/* ---- PREPARED ---- */

static uint64_t count_prepared(const struct rig *rig, uint64_t start, uint64_t nr_pages)
{
	uint64_t i, count = 0;

	for (i = start; i < start + nr_pages; i++)
		count += gms_is_prepared(rig->state, i);
	return count;
}

/*
 * Rule 7: a fault prepares all pages that max_order covers. A conversion to shared clears
 * PREPARED.
 */
static void rule_07_prepared_is_cleared_by_conversion_to_shared(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_expect_calls(&rig, 0, ALLOC(0, 18), PREPARE(0, 18));
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G);
	rig_convert(&rig, 100, 50, GMS_SHARED);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G - 50);
	assert_int_equal(count_prepared(&rig, 100, 50), 0);
	/* A conversion back to private does not prepare the pages. */
	rig_convert(&rig, 90, 70, GMS_PRIVATE);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G - 50);
	assert_false(gms_is_prepared(rig.state, NR_PAGES));
	rig_fini(&rig);
}

/* Rule 7: a failed conversion to shared clears nothing. */
static void rule_07_prepared_outlives_a_failed_conversion(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	sim_refuse(rig.sim, 1U << SIM_APPLY, 0, 1, -EIO);
	rig_convert_fails(&rig, 100, 50, GMS_SHARED, 0, -EIO, 100);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G);
	rig_fini(&rig);
}

/* Rule 7: a hole clears PREPARED of its own pages, and of no others. */
static void rule_07_prepared_is_cleared_by_a_hole(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(gms_punch_hole(rig.state, T_2M + 7, 9, NULL), 0);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G - 9);
	assert_int_equal(count_prepared(&rig, T_2M + 7, 9), 0);
	assert_true(gms_is_private(rig.state, T_2M + 7));
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(count_prepared(&rig, 0, NR_PAGES), T_1G);
	rig_fini(&rig);
}

/* Rule 7: each page is prepared once, in the largest blocks that are not prepared yet. */
static void rule_07_each_page_is_prepared_once(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_inhibit(rig.state, 3, 1, GMS_ORDER_4K), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	assert_int_equal(gms_uninhibit(rig.state, 3, 1), 0);
	rig_expect_calls(&rig, ~(1U << SIM_PREPARE), PREPARE(5, 0), PREPARE(T_2M, 9));
	rig_forget(&rig);
	/* The rest of the 1G is 511 pages of the first 2M block, and 510 blocks of 2M. */
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 511 + 510);
	assert_int_equal(count_prepared(&rig, 0, T_1G), T_1G);
	assert_int_equal(rig_stats(&rig).prepares, 2 + 511 + 510);
	assert_int_equal(gms_fault_begin(rig.state, 9, GMS_GUEST, &fault), 0);
	assert_true(fault.prepared);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(rig_stats(&rig).prepares, 2 + 511 + 510);
	rig_fini(&rig);
}

/* Rule 7: if prepare fails, the blocks before stay prepared, and are not prepared again. */
static void rule_07_a_refused_prepare_keeps_earlier_blocks(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_inhibit(rig.state, 3, 1, GMS_ORDER_2M), 0);
	rig_faults(&rig, 7 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	assert_int_equal(gms_uninhibit(rig.state, 3, 1), 0);
	rig_forget(&rig);
	sim_refuse(rig.sim, 1U << SIM_PREPARE, 100, 1, -ENOSPC);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), 0);
	assert_false(fault.prepared);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), -ENOSPC);
	assert_false(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(count_prepared(&rig, 0, T_1G), 101 * T_2M);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 511 + 1);
	assert_int_equal(rig_stats(&rig).prepares, 512);
	assert_int_equal(rig_stats(&rig).refused_backend, 1);
	rig_fini(&rig);
}

/* Rule 7: shared pages are not prepared, and a host fault prepares nothing. */
static void rule_07_shared_pages_are_not_prepared(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), 0);
	assert_false(fault.prepared);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_false(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), 0);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), -EINVAL);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 0);
	assert_int_equal(count_prepared(&rig, 0, T_1G), 0);
	rig_fini(&rig);
}

/* ---- errors and results ---- */

/*
 * Rule 20: a host fault on a private page returns -EACCES, and a fault past the end -EINVAL. A
 * fault that failed holds nothing.
 */
static void rule_20_host_faults_on_private_pages_are_refused(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_convert(&rig, 100, 1, GMS_SHARED);
	rig_forget(&rig);
	assert_int_equal(gms_fault_begin(rig.state, 99, GMS_HOST, &fault), -EACCES);
	assert_int_equal(gms_fault_begin(rig.state, 101, GMS_HOST, &fault), -EACCES);
	assert_int_equal(gms_fault_begin(rig.state, NR_PAGES - 1, GMS_HOST, &fault), -EACCES);
	assert_int_equal(gms_fault_begin(rig.state, NR_PAGES, GMS_HOST, &fault), -EINVAL);
	assert_int_equal(gms_fault_begin(rig.state, NR_PAGES, GMS_GUEST, &fault), -EINVAL);
	assert_int_equal(gms_fault_begin(rig.state, UINT64_MAX, GMS_GUEST, &fault), -EINVAL);
	assert_int_equal(gms_fault_begin(rig.state, 100, (enum gms_accessor)2, &fault), -EINVAL);
	rig_expect_none(&rig);
	assert_int_equal(rig_stats(&rig).refused_access, 3);
	assert_int_equal(rig_stats(&rig).refused_inval, 4);
	assert_int_equal(rig_stats(&rig).faults_host, 0);
	assert_int_equal(rig_stats(&rig).faults_guest, 0);
	/* This conversion would wait for a lock that a fault had kept. */
	rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
	rig_faults(&rig, 99, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, 99, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).faults_host, 1);
	assert_int_equal(rig_stats(&rig).faults_guest, 1);
	rig_fini(&rig);
}

/* Rules 20 and 21: a fault returns the error of a hook, and holds nothing then. */
static void rule_21_a_fault_returns_the_error_of_a_hook(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_ALLOC, 0, 1, -EHWPOISON);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), -EHWPOISON);
	assert_false(gms_is_allocated(rig.state, 5));
	rig_convert(&rig, 100, 1, GMS_PRIVATE);
	sim_refuse(rig.sim, 1U << SIM_FOLIO_SPLIT, 0, 1, -ENOSPC);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), -ENOSPC);
	/* The folio that was allocated stays. */
	assert_true(gms_is_allocated(rig.state, 5));
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	sim_refuse(rig.sim, 1U << SIM_CHECK_PINS, 0, 1, -EIO);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), -EIO);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_1G);
	assert_int_equal(rig_stats(&rig).refused_backend, 3);
	assert_int_equal(rig_stats(&rig).splits_deferred, 0);
	rig_convert(&rig, 0, NR_PAGES, GMS_PRIVATE);
	rig_fini(&rig);
}

/*
 * Rule 21: the first fault in a folio is fresh. Each fault has the sequence number of its block.
 */
static void rule_21_a_fault_returns_its_folio_and_sequence_number(void **unused)
{
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_fault_begin(rig.state, T_1G + 5, GMS_GUEST, &fault), 0);
	assert_true(fault.fresh);
	assert_false(fault.prepared);
	assert_int_equal(fault.folio_index, T_1G);
	assert_int_equal(fault.folio_order, GMS_ORDER_1G);
	assert_int_equal(fault.max_order, GMS_ORDER_1G);
	assert_int_equal(fault.seq, gms_seq_read(rig.state, T_1G + 5));
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_true(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_false(gms_seq_retry(rig.state, T_1G + 5, fault.seq));
	rig_convert(&rig, T_1G + 9, 1, GMS_SHARED);
	assert_true(gms_seq_retry(rig.state, T_1G + 5, fault.seq));
	assert_int_equal(gms_fault_begin(rig.state, T_1G + 5, GMS_GUEST, &fault), 0);
	assert_false(fault.fresh);
	/* max_order covers one page only, and that page is prepared. */
	assert_int_equal(fault.max_order, GMS_ORDER_4K);
	assert_true(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(gms_fault_begin(rig.state, T_1G + 9, GMS_GUEST, &fault), 0);
	assert_false(fault.prepared);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(rig_stats(&rig).folios_allocated, 1);
	rig_fini(&rig);
}

/* Rule 21: in a mixed 1G a uniform 2M gives 2M, and a mixed 2M gives 4K. */
static void rule_21_mixed_1g_with_uniform_2m_yields_2m(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_convert(&rig, 3 * T_2M, T_2M + 1, GMS_SHARED);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 3 * T_2M + 9, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 4 * T_2M + 1, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_convert(&rig, 4 * T_2M, 1, GMS_PRIVATE);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_convert(&rig, 3 * T_2M, T_2M, GMS_PRIVATE);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rules 6 and 21: an incomplete block is never mapped as one. */
static void rule_21_an_incomplete_block_is_not_mapped_as_one(void **unused)
{
	static const unsigned int orders[] = {GMS_ORDER_1G, GMS_ORDER_2M};
	size_t i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct rig_opts opts = all_private;
		struct rig rig;

		opts.folio_order = orders[i];
		rig_init(&rig, &opts);
		assert_int_equal(gms_folio_order(rig.state, 2 * T_1G), GMS_ORDER_2M);
		assert_int_equal(gms_folio_order(rig.state, NR_PAGES - 1), GMS_ORDER_4K);
		rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
		rig_faults(&rig, NR_PAGES - 1, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
		rig_faults(&rig, T_1G + 5, GMS_GUEST, orders[i], orders[i]);
		rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
		rig_faults(&rig, 2 * T_1G + 5, GMS_HOST, GMS_ORDER_2M, GMS_ORDER_2M);
		rig_faults(&rig, NR_PAGES - 1, GMS_HOST, GMS_ORDER_4K, GMS_ORDER_4K);
		rig_fini(&rig);
	}
}

/* ---- max_order, against a flat array ---- */

struct flat {
	unsigned char private[NR_PAGES];
	unsigned char attr[2][NR_PAGES];
	unsigned char order[NR_PAGES]; /* the largest that inhibits leave */
	unsigned int id[2];
};

static bool uniform(const unsigned char *pages, uint64_t start, uint64_t nr_pages)
{
	return !memcmp(&pages[start], &pages[start + 1], nr_pages - 1);
}

static bool may_map(const struct flat *flat, uint64_t index, unsigned int order,
		    enum gms_accessor accessor)
{
	uint64_t start = index >> order << order, nr_pages = 1ULL << order, i;

	if (!order)
		return true;
	if (start + nr_pages > NR_PAGES || !uniform(flat->private, start, nr_pages))
		return false;
	if (accessor == GMS_HOST)
		return true;
	if (!uniform(flat->attr[0], start, nr_pages) || !uniform(flat->attr[1], start, nr_pages))
		return false;
	for (i = start; i < start + nr_pages; i++) {
		if (flat->order[i] < order)
			return false;
	}
	return true;
}

static void expect_order(struct rig *rig, const struct flat *flat, uint64_t index,
			 enum gms_accessor accessor)
{
	unsigned int order = GMS_ORDER_1G;
	struct gms_fault fault;
	int rc = rig_fault(rig, index, accessor, &fault);

	if (accessor == GMS_HOST && flat->private[index]) {
		assert_int_equal(rc, -EACCES);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(fault.folio_order, gms_folio_order(rig->state, index));
	while (order > fault.folio_order || !may_map(flat, index, order, accessor))
		order -= GMS_ORDER_2M;
	if (fault.max_order != order)
		fail_msg("page %#llx, accessor %d: max_order %u instead of %u",
			 (unsigned long long)index, accessor, fault.max_order, order);
}

/* Draws a range that begins and ends at edges of blocks, or near them. */
static void some_range(struct prng *prng, uint64_t *start, uint64_t *nr_pages)
{
	uint64_t grain = prng_chance(prng, 60) ? T_2M : prng_chance(prng, 30) ? T_1G : 1;
	uint64_t end;

	*start = prng_below(prng, NR_PAGES) / grain * grain;
	end = *start + (1 + prng_below(prng, prng_chance(prng, 70) ? 3 : 600)) * grain;
	*nr_pages = (end > NR_PAGES ? NR_PAGES : end) - *start;
}

static void change_something(struct rig *rig, struct flat *flat, struct prng *prng)
{
	uint64_t start, nr_pages, which = prng_below(prng, 8);
	bool set = prng_chance(prng, 50);
	unsigned int order;

	some_range(prng, &start, &nr_pages);
	if (which < 4) {
		rig_convert(rig, start, nr_pages, set ? GMS_PRIVATE : GMS_SHARED);
		memset(&flat->private[start], set, nr_pages);
	} else if (which < 6) {
		which -= 4;
		assert_int_equal(gms_attr_set(rig->state, flat->id[which], start, nr_pages, set),
				 0);
		memset(&flat->attr[which][start], set, nr_pages);
	} else {
		assert_int_equal(gms_uninhibit(rig->state, start, nr_pages), 0);
		memset(&flat->order[start], GMS_ORDER_1G, nr_pages);
		order = prng_chance(prng, 50) ? GMS_ORDER_2M : GMS_ORDER_4K;
		if (which == 7 && nr_pages < T_1G && set) {
			assert_int_equal(gms_inhibit(rig->state, start, nr_pages, order), 0);
			memset(&flat->order[start], (int)order, nr_pages);
		}
	}
}

/* Rules 8 and 21: the max_order of a fault is what a search of all pages gives. */
static void rule_21_max_order_agrees_with_a_flat_array(void **unused)
{
	static struct flat flat;
	unsigned int i, j;
	struct prng prng;

	(void)unused;
	prng_init(&prng, test_seed());
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		uint64_t round, rounds = test_iters(150);
		struct rig_opts opts = all_private;
		struct rig rig;

		opts.policy = rig_policy(i);
		rig_init(&rig, &opts);
		memset(&flat, 0, sizeof(flat));
		memset(flat.private, 1, sizeof(flat.private));
		memset(flat.order, GMS_ORDER_1G, sizeof(flat.order));
		assert_int_equal(gms_attr_create(rig.state, &flat.id[0]), 0);
		assert_int_equal(gms_attr_create(rig.state, &flat.id[1]), 0);
		for (round = 0; round < rounds; round++) {
			change_something(&rig, &flat, &prng);
			for (j = 0; j < 6; j++)
				expect_order(&rig, &flat, prng_below(&prng, NR_PAGES),
					     prng_chance(&prng, 30) ? GMS_HOST : GMS_GUEST);
			rig_forget(&rig);
		}
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_07_prepared_is_cleared_by_conversion_to_shared),
		cmocka_unit_test(rule_07_prepared_outlives_a_failed_conversion),
		cmocka_unit_test(rule_07_prepared_is_cleared_by_a_hole),
		cmocka_unit_test(rule_07_each_page_is_prepared_once),
		cmocka_unit_test(rule_07_a_refused_prepare_keeps_earlier_blocks),
		cmocka_unit_test(rule_07_shared_pages_are_not_prepared),
		cmocka_unit_test(rule_20_host_faults_on_private_pages_are_refused),
		cmocka_unit_test(rule_21_a_fault_returns_the_error_of_a_hook),
		cmocka_unit_test(rule_21_a_fault_returns_its_folio_and_sequence_number),
		cmocka_unit_test(rule_21_mixed_1g_with_uniform_2m_yields_2m),
		cmocka_unit_test(rule_21_an_incomplete_block_is_not_mapped_as_one),
		cmocka_unit_test(rule_21_max_order_agrees_with_a_flat_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
