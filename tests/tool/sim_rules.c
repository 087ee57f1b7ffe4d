// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sim_rules.c - the simulated backend notices broken rules
 *
 * A test on this backend finds only the mistakes that the backend notices. So each rule for calls
 * of hooks is broken here at least once, on a machine on which no rule was broken before.
 */
#include "machine.h"

static void keeps_quiet_where_rules_are_kept(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);
	gms_pgoff_t at;

	(void)state;
	assert_int_equal(CALL(m, folio_alloc, 0, 18), 0);
	assert_int_equal(sim_map(m.sim, 5, 18, GMS_HOST), 0);
	assert_int_equal(sim_map(m.sim, 5, 18, GMS_GUEST), 0);
	assert_int_equal(CALL(m, unmap_host, 0, BLOCK_1G), 0);
	convert(&m, 512, 512, GMS_PRIVATE);
	/* two runs of one conversion; the second fails half-way and both are undone */
	CALL(m, invalidate_begin, 0, 512);
	CALL(m, invalidate_begin, 2048, 8);
	CALL(m, zap_guest, 0, 512, GMS_SHARED);
	CALL(m, zap_guest, 2048, 8, GMS_SHARED);
	sim_refuse(m.sim, 1U << SIM_APPLY, 1, 1, -EIO);
	sim_refuse_after(m.sim, 3);
	assert_int_equal(CALL(m, apply, 0, 512, GMS_PRIVATE, &at), 0);
	assert_int_equal(CALL(m, apply, 2048, 8, GMS_PRIVATE, &at), -EIO);
	assert_int_equal(at, 2051);
	assert_int_equal(CALL(m, undo, 2048, 3, GMS_SHARED), 0);
	assert_int_equal(CALL(m, undo, 0, 512, GMS_SHARED), 0);
	CALL(m, invalidate_end, 0, 512);
	CALL(m, invalidate_end, 2048, 8);
	/* the guest maps its part; the folio is split and merged */
	assert_int_equal(CALL(m, prepare, 512, 9), 0);
	assert_int_equal(CALL(m, prepare, 512, 9), 0);
	assert_int_equal(sim_map(m.sim, 513, 9, GMS_GUEST), 0);
	assert_int_equal(CALL(m, folio_split, 0, 18, 9), 0);
	assert_int_equal(CALL(m, folio_split, 1024, 9, 0), 0);
	assert_int_equal(sim_map(m.sim, 0, 9, GMS_HOST), 0);
	assert_int_equal(CALL(m, folio_merge, 0, 0, 18), 0);
	convert(&m, 512, 512, GMS_SHARED);
	CALL(m, folio_free, 0, 18);
	CALL(m, block_freed, 0);
	assert_int_equal(CALL(m, folio_alloc, 0, 18), 0);
	machine_end(&m, NULL);
}

static void notices_bad_ranges(void **state)
{
	struct machine m = machine(GMS_ORDER_1G, false);

	(void)state;
	assert_int_equal(CALL(m, unmap_host, NR_PAGES - 1, 2), -EINVAL);
	machine_end(&m, "unmap_host [0x7ffff, 0x80001) 0 0: outside the object");

	m = machine(GMS_ORDER_1G, false);
	CALL(m, invalidate_begin, 0, 0);
	machine_end(&m, "outside the object");

	m = machine(GMS_ORDER_1G, false);
	assert_int_equal(CALL(m, folio_alloc, 1, 9), -EINVAL);
	machine_end(&m, "outside the object");

	m = machine(GMS_ORDER_1G, false);
	assert_int_equal(CALL(m, folio_alloc, 0, 3), -EINVAL);
	machine_end(&m, "outside the object");
}

static void notices_bad_folios(void **state)
{
	struct machine m;

	(void)state;
#define CHECK(text, order, ...)                 \
	do {                                    \
		m = machine(order, false);      \
		CALL(m, folio_alloc, 0, order); \
		assert_null(sim_check(m.sim));  \
		__VA_ARGS__;                    \
		machine_end(&m, text);          \
	} while (0)
	CHECK("the order is larger than the backing's", 9, CALL(m, folio_alloc, BLOCK_1G, 18));
	CHECK("part of the range is allocated", 9, CALL(m, folio_alloc, 7, 0));
	CHECK("folio_alloc [0x0, 0x40000) 18 0: part of the range is allocated", 18,
	      CALL(m, folio_alloc, 0, 18));
	CHECK("there is no such folio", 9, CALL(m, folio_free, 512, 9));
	CHECK("there is no such folio", 9, CALL(m, folio_free, 0, 0));
	CHECK("there is no such folio", 9, CALL(m, folio_split, 512, 9, 0));
	CHECK("there is no such folio", 18, CALL(m, folio_split, 0, 9, 0));
	CHECK("the order is not smaller", 9, CALL(m, folio_split, 0, 9, 9));
	CHECK("part of the range is pinned", 9, sim_pin(m.sim, 511, 1),
	      CALL(m, folio_split, 0, 9, 0));
	CHECK("part of the range is in no folio of these orders", 9, CALL(m, folio_merge, 0, 0, 9));
	CHECK("part of the range is in no folio of these orders", 18,
	      CALL(m, folio_split, 0, 18, 0), CALL(m, folio_merge, 0, 9, 18));
	CHECK("part of the range is in no folio of these orders", 18,
	      CALL(m, folio_split, 0, 18, 0), CALL(m, folio_free, 99, 0),
	      CALL(m, folio_merge, 0, 0, 9));
	CHECK("no folio of the smaller order", 18, CALL(m, folio_split, 0, 18, 9),
	      CALL(m, folio_merge, 0, 0, 18));
	CHECK("the new order is not above the old one, or above the backing's", 9,
	      CALL(m, folio_merge, 0, 9, 18));
	CHECK("the new order is not above the old one, or above the backing's", 9,
	      CALL(m, folio_merge, 0, 9, 9));
	CHECK("part of the range is pinned", 9, CALL(m, folio_split, 0, 9, 0),
	      sim_pin(m.sim, 511, 1), CALL(m, folio_merge, 0, 0, 9));
	CHECK("the block still has folios", 9, CALL(m, block_freed, 0));
	CHECK("the block had no folios", 9, CALL(m, block_freed, BLOCK_1G));
	CHECK("the block had no folios", 9, CALL(m, folio_free, 0, 9), CALL(m, block_freed, 0),
	      CALL(m, block_freed, 0));
	CHECK("not the first page of a 1G block", 9, CALL(m, folio_free, 0, 9),
	      CALL(m, block_freed, 1));
	CHECK("part of the range is mapped", 9, sim_map(m.sim, 4, 0, GMS_HOST),
	      CALL(m, invalidate_begin, 0, 512), CALL(m, folio_free, 0, 9));
	CHECK("part of the range is mapped", 9, sim_map(m.sim, 4, 9, GMS_GUEST),
	      CALL(m, invalidate_begin, 0, 512), CALL(m, zap_guest, 0, 512, GMS_PRIVATE),
	      CALL(m, folio_free, 0, 9));
	CHECK("part of the range is pinned", 9, sim_pin(m.sim, 4, 1),
	      CALL(m, invalidate_begin, 0, 512), CALL(m, folio_free, 0, 9));
	CHECK(NULL, 9, sim_map(m.sim, 4, 9, GMS_GUEST), sim_pin(m.sim, 4, 1),
	      CALL(m, folio_free, 0, 9));
	CHECK("block_freed was not called", 9, CALL(m, folio_free, 0, 9),
	      CALL(m, folio_alloc, 512, 9));
#undef CHECK
}

static void notices_bad_conversions(void **state)
{
	struct machine m;
	gms_pgoff_t at;

	(void)state;
	/* [0, 512) is private at first, the rest shared; all in one folio, nothing is mapped */
#define CHECK(text, ...)                          \
	do {                                      \
		m = machine(GMS_ORDER_1G, false); \
		CALL(m, folio_alloc, 0, 18);      \
		convert(&m, 0, 512, GMS_PRIVATE); \
		assert_null(sim_check(m.sim));    \
		__VA_ARGS__;                      \
		machine_end(&m, text);            \
	} while (0)
#define BEGIN(start, nr) CALL(m, invalidate_begin, start, nr)
#define ZAP(start, nr, only) CALL(m, zap_guest, start, nr, only)
#define APPLY(start, nr, to) CALL(m, apply, start, nr, to, &at)
#define END(start, nr) CALL(m, invalidate_end, start, nr)
	CHECK("part of the range has begun already", BEGIN(600, 8), BEGIN(607, 2));
	CHECK("the range adjoins another run", BEGIN(600, 8), BEGIN(608, 2));
	CHECK("the range adjoins another run", BEGIN(600, 8), BEGIN(598, 2));
	CHECK(NULL, BEGIN(BLOCK_1G - 2, 2), BEGIN(BLOCK_1G, 2));
	CHECK("outside of invalidate_begin", ZAP(600, 8, GMS_SHARED));
	CHECK("outside of invalidate_begin", BEGIN(600, 8), ZAP(600, 9, GMS_SHARED));
	CHECK("another range than that", BEGIN(600, 8), ZAP(600, 7, GMS_SHARED));
	CHECK("outside of invalidate_begin", APPLY(600, 8, GMS_PRIVATE));
	CHECK("another range than that", begin_and_zap(&m, 600, 8, GMS_SHARED),
	      APPLY(601, 7, GMS_PRIVATE));
	CHECK("part of the range is converted already", begin_and_zap(&m, 510, 8, GMS_SHARED),
	      APPLY(510, 8, GMS_PRIVATE));
	CHECK("part of the range is converted already", begin_and_zap(&m, 510, 8, GMS_PRIVATE),
	      APPLY(510, 8, GMS_SHARED));
	CHECK("not zapped before", BEGIN(600, 8), APPLY(600, 8, GMS_PRIVATE));
	CHECK("not zapped before", begin_and_zap(&m, 600, 8, GMS_PRIVATE),
	      APPLY(600, 8, GMS_PRIVATE));
	CHECK("not zapped before", begin_and_zap(&m, 0, 8, GMS_SHARED), APPLY(0, 8, GMS_SHARED));
	CHECK("not zapped before", begin_and_zap(&m, 0, 8, GMS_PRIVATE), END(0, 8), BEGIN(0, 8),
	      APPLY(0, 8, GMS_SHARED));
	CHECK("the host maps part of the range", sim_map(m.sim, 600, 0, GMS_HOST),
	      begin_and_zap(&m, 600, 8, GMS_SHARED), APPLY(600, 8, GMS_PRIVATE));
	CHECK(NULL, sim_map(m.sim, 600, 0, GMS_HOST), CALL(m, unmap_host, 600, 8),
	      begin_and_zap(&m, 600, 8, GMS_SHARED), APPLY(600, 8, GMS_PRIVATE));
	CHECK("the range cuts a mapping", sim_map(m.sim, 1024, 9, GMS_HOST),
	      CALL(m, unmap_host, 1024, 511));
	CHECK("the range cuts a mapping", sim_map(m.sim, 1024, 9, GMS_HOST),
	      CALL(m, unmap_host, 1025, 511));
	CHECK("part of the range is pinned", sim_pin(m.sim, 607, 2),
	      begin_and_zap(&m, 600, 8, GMS_SHARED), APPLY(600, 8, GMS_PRIVATE));
	CHECK(NULL, sim_pin(m.sim, 4, 1), begin_and_zap(&m, 0, 8, GMS_PRIVATE),
	      APPLY(0, 8, GMS_SHARED));
	CHECK("invalidate_end [0x258, 0x260) 0 0: outside", END(600, 8));
	CHECK("another range than that", BEGIN(600, 8), END(600, 4));
	CHECK("more often than invalidate_begin", BEGIN(BLOCK_1G - 8, 16), END(BLOCK_1G - 8, 8),
	      END(BLOCK_1G, 8));
#undef END
}

static void notices_bad_undoing(void **state)
{
	struct machine m;
	gms_pgoff_t at;

	(void)state;
#define UNDO(start, nr, to) CALL(m, undo, start, nr, to)
	CHECK("outside of invalidate_begin", UNDO(0, 8, GMS_SHARED));
	CHECK("part of the range was not applied", begin_and_zap(&m, 600, 8, GMS_SHARED),
	      UNDO(600, 8, GMS_SHARED));
	CHECK("part of the range was not applied", begin_and_zap(&m, 600, 8, GMS_SHARED),
	      APPLY(600, 8, GMS_PRIVATE), UNDO(600, 8, GMS_SHARED), UNDO(600, 1, GMS_SHARED));
	CHECK("part of the range is converted already", begin_and_zap(&m, 600, 8, GMS_SHARED),
	      APPLY(600, 8, GMS_PRIVATE), UNDO(600, 8, GMS_PRIVATE));
	CHECK("a later run must be undone first", begin_and_zap(&m, 600, 8, GMS_SHARED),
	      begin_and_zap(&m, 700, 8, GMS_SHARED), APPLY(600, 8, GMS_PRIVATE),
	      APPLY(700, 8, GMS_PRIVATE), UNDO(600, 8, GMS_SHARED));
#undef UNDO
#undef APPLY
#undef ZAP
#undef BEGIN
#undef CHECK
}

static void notices_bad_preparing_and_mapping(void **state)
{
	struct machine m;

	(void)state;
	/* the 2M at 0 is private, in folios of 4K; at 512, private, one folio; at 1024, shared */
#define CHECK(text, ...)                           \
	do {                                       \
		m = machine(GMS_ORDER_2M, false);  \
		CALL(m, folio_alloc, 0, 9);        \
		CALL(m, folio_split, 0, 9, 0);     \
		CALL(m, folio_alloc, 512, 9);      \
		CALL(m, folio_alloc, 1024, 9);     \
		convert(&m, 0, 1024, GMS_PRIVATE); \
		assert_null(sim_check(m.sim));     \
		__VA_ARGS__;                       \
		machine_end(&m, text);             \
	} while (0)
	CHECK("part of the range is not private", CALL(m, prepare, 1024, 9));
	CHECK("not allocated, or in a smaller folio", CALL(m, prepare, 0, 9));
	CHECK("not allocated, or in a smaller folio", convert(&m, 2048, 1, GMS_PRIVATE),
	      CALL(m, prepare, 2048, 0));
	CHECK("part of the range is being invalidated", CALL(m, invalidate_begin, 513, 1),
	      CALL(m, prepare, 512, 9));
	CHECK("map [0x0, 0x1) 0 0: the host maps a private page", sim_map(m.sim, 0, 0, GMS_HOST));
	CHECK("part of the range is private and not prepared", CALL(m, prepare, 0, 0),
	      sim_map(m.sim, 0, 0, GMS_GUEST), sim_map(m.sim, 1, 0, GMS_GUEST));
	CHECK("one mapping of shared and private", CALL(m, prepare, 512, 9),
	      convert(&m, 512, 1, GMS_SHARED), sim_map(m.sim, 600, 9, GMS_GUEST));
	CHECK("part of the range is not allocated", sim_map(m.sim, 2048, 0, GMS_GUEST));
	CHECK("part of the range is being invalidated", CALL(m, invalidate_begin, 1024, 1),
	      sim_map(m.sim, 1024, 9, GMS_GUEST));
	CHECK("not a block of the object", sim_map(m.sim, NR_PAGES, 0, GMS_GUEST));
	CHECK("not a block of the object", sim_map(m.sim, 0, 4, GMS_GUEST));
	/*
	 * a page that was converted to shared, or freed, is no longer prepared; after an undo it
	 * is
	 */
	CHECK("part of the range is private and not prepared", CALL(m, prepare, 512, 9),
	      convert(&m, 512, 1, GMS_SHARED), convert(&m, 512, 1, GMS_PRIVATE),
	      sim_map(m.sim, 512, 0, GMS_GUEST));
	CHECK("part of the range is private and not prepared", CALL(m, prepare, 512, 9),
	      CALL(m, folio_free, 512, 9), CALL(m, folio_alloc, 512, 9),
	      sim_map(m.sim, 512, 9, GMS_GUEST));
	CHECK(NULL, CALL(m, prepare, 512, 9), begin_and_zap(&m, 512, 1, GMS_PRIVATE),
	      CALL(m, apply, 512, 1, GMS_SHARED, &(gms_pgoff_t) {512}),
	      CALL(m, undo, 512, 1, GMS_PRIVATE), CALL(m, invalidate_end, 512, 1),
	      sim_map(m.sim, 512, 9, GMS_GUEST));
	CHECK("part of the range is private and not prepared", CALL(m, prepare, 512, 9),
	      sim_set(m.sim, 512, 1, GMS_PRIVATE), sim_map(m.sim, 512, 9, GMS_GUEST));
#undef CHECK
}

static void the_first_broken_rule_stays(void **state)
{
	struct machine m = machine(GMS_ORDER_2M, false);

	(void)state;
	CALL(m, folio_free, 0, 9);
	CALL(m, block_freed, 1);
	machine_end(&m, "folio_free [0x0, 0x200) 9 0: there is no such folio");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_quiet_where_rules_are_kept),
		cmocka_unit_test(notices_bad_ranges),
		cmocka_unit_test(notices_bad_folios),
		cmocka_unit_test(notices_bad_conversions),
		cmocka_unit_test(notices_bad_undoing),
		cmocka_unit_test(notices_bad_preparing_and_mapping),
		cmocka_unit_test(the_first_broken_rule_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
