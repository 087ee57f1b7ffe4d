// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * nomem.c - proves that a call without memory changes nothing
 *
 * Tests rules 14, 17 and 39. Each allocation of a call fails in turn, alone and with all that
 * follow. No call allocates after the backend has begun to change anything, or in an undo.
 */
#include "rig.h"

#define NR_PAGES (6 * T_2M + 1)

/* One call, on the object that nomem_init() makes. */
struct nomem_op {
	const char *name;
	int (*call)(struct rig *rig);
	/* A failure changes nothing. Faults may keep folios and splits. */
	bool strict;
};

/*
 * 2M blocks 0 and 2 are shared. Block 1 is shared in its first half, and block 3 from its page 7
 * on. Blocks 0, 1 and 3 have folios.
 */
static void nomem_init(struct rig *rig, const struct gms_policy_ops *policy)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = GMS_ORDER_2M,
		.init_private = true,
		.policy = policy,
	};
	struct gms_fault fault;
	unsigned int attr, i;

	rig_init(rig, &opts);
	assert_int_equal(gms_attr_create(rig->state, &attr), 0);
	assert_int_equal(attr, 0);
	for (i = 0; i < 4; i++) {
		if (i != 2)
			assert_int_equal(rig_fault(rig, i * T_2M, GMS_GUEST, &fault), 0);
	}
	rig_convert(rig, 0, T_2M + 256, GMS_SHARED);
	rig_convert(rig, 2 * T_2M, T_2M, GMS_SHARED);
	rig_convert(rig, 3 * T_2M + 7, T_2M - 7, GMS_SHARED);
	assert_int_equal(gms_inhibit(rig->state, 4 * T_2M + 9, 3, GMS_ORDER_4K), 0);
	rig_check(rig);
}

static int op_to_private(struct rig *rig)
{
	return gms_convert(rig->state, 3, NR_PAGES - 5, GMS_PRIVATE, 0, NULL);
}

static int op_to_shared(struct rig *rig)
{
	return gms_convert(rig->state, 3, NR_PAGES - 5, GMS_SHARED, 0, NULL);
}

static int op_one_page(struct rig *rig)
{
	return gms_convert(rig->state, 5 * T_2M + 99, 1, GMS_SHARED, 0, NULL);
}

static int op_punch(struct rig *rig)
{
	return gms_punch_hole(rig->state, 200, 3 * T_2M + 9, NULL);
}

static int op_inhibit(struct rig *rig)
{
	return gms_inhibit(rig->state, 100, 2 * T_2M, GMS_ORDER_4K);
}

static int op_uninhibit(struct rig *rig)
{
	return gms_uninhibit(rig->state, 4 * T_2M + 10, 1);
}

static int op_attr_create(struct rig *rig)
{
	unsigned int attr;

	return gms_attr_create(rig->state, &attr);
}

static int op_attr_set(struct rig *rig)
{
	return gms_attr_set(rig->state, 0, 100, 2 * T_2M, true);
}

static int op_fault_guest(struct rig *rig)
{
	struct gms_fault fault;

	return rig_fault(rig, 4 * T_2M + 9, GMS_GUEST, &fault);
}

static int op_fault_host(struct rig *rig)
{
	struct gms_fault fault;

	return rig_fault(rig, 3 * T_2M + 9, GMS_HOST, &fault);
}

static int op_allocate(struct rig *rig)
{
	return gms_allocate(rig->state, 3, NR_PAGES - 3, NULL);
}

static int op_pin(struct rig *rig)
{
	return gms_pin(rig->state, 100, T_2M, NULL);
}

static const struct nomem_op ops[] = {
	{"to private", op_to_private, true},    {"to shared", op_to_shared, true},
	{"one page", op_one_page, true},        {"punch", op_punch, true},
	{"inhibit", op_inhibit, true},          {"uninhibit", op_uninhibit, true},
	{"attr_create", op_attr_create, true},  {"attr_set", op_attr_set, true},
	{"fault guest", op_fault_guest, false}, {"fault host", op_fault_host, false},
	{"allocate", op_allocate, false},       {"pin", op_pin, false},
};

/* Returns true if a failure has changed no counters but those that it may change. */
static bool stats_same(const struct rig *rig, const struct gms_stats *before)
{
	struct gms_stats after = rig_stats(rig);

	if (after.refused_nomem != before->refused_nomem + 1)
		return false;
	after.refused_nomem = before->refused_nomem;
	after.bytes_pooled = before->bytes_pooled;
	return !memcmp(&after, before, sizeof(after));
}

/* Allocations @skip to @skip + @count - 1 fail. Returns false if the call made fewer. */
static bool fail_allocation(const struct nomem_op *op, const struct gms_policy_ops *policy,
			    uint64_t skip, uint64_t count)
{
	struct gms_stats before;
	struct rig_image image;
	struct rig rig;
	bool failed;
	int rc;

	nomem_init(&rig, policy);
	rig_image_take(&image, &rig);
	before = rig_stats(&rig);
	talloc_fail(&rig.talloc, skip, count);
	rc = op->call(&rig);
	talloc_fail_never(&rig.talloc);
	failed = atomic_load(&rig.talloc.failed) > 0;
	if (rc) {
		assert_int_equal(rc, -ENOMEM);
		assert_true(failed);
		if (op->strict) {
			rig_image_same(&image, &rig);
			if (!stats_same(&rig, &before))
				fail_msg("%s under %s, allocation %llu: a counter has changed",
					 op->name, policy->name, (unsigned long long)skip);
		}
		assert_false(gms_first_pin(rig.state, 0, NR_PAGES, NULL));
		rig_check(&rig);
		assert_int_equal(op->call(&rig), 0);
	}
	rig_check(&rig);
	gms_unpin(rig.state, 0, NR_PAGES);
	rig_image_free(&image);
	rig_fini(&rig);
	return failed;
}

static void fail_allocations(bool alone)
{
	uint64_t skip, failed = 0;
	unsigned int i;
	size_t op;

	for (op = 0; op < ARRAY_SIZE(ops); op++) {
		for (i = 0; i < RIG_NR_POLICIES; i++) {
			for (skip = 0; skip < 10000; skip++, failed++) {
				if (!fail_allocation(&ops[op], rig_policy(i), skip,
						     alone ? 1 : UINT64_MAX))
					break;
			}
		}
	}
	/* Some calls find enough memory in the pools, but not all. */
	assert_true(failed >= ARRAY_SIZE(ops));
}

/* Rule 14: one allocation fails, and those after it work. */
static void rule_14_any_failed_allocation_changes_nothing(void **unused)
{
	(void)unused;
	fail_allocations(true);
}

/* Rule 14: one allocation fails, and so do all after it. */
static void rule_14_failed_allocations_from_one_on_change_nothing(void **unused)
{
	(void)unused;
	fail_allocations(false);
}

/* Rules 14 and 17: a resumable conversion names the start of the block that found no memory. */
static void rule_14_resumable_keeps_what_was_converted(void **unused)
{
	const struct rig_opts opts = {.nr_pages = 3 * T_1G, .folio_order = GMS_ORDER_1G};
	uint64_t skip, stopped = 0;

	(void)unused;
	for (skip = 0; skip < 1000; skip++) {
		gms_pgoff_t at = 0x77;
		struct rig rig;
		int rc;

		rig_init(&rig, &opts);
		rig_convert(&rig, T_1G + 9, 9, GMS_PRIVATE);
		talloc_fail(&rig.talloc, skip, 1);
		rc = gms_convert(rig.state, 5, 3 * T_1G - 10, GMS_PRIVATE, GMS_CONVERT_RESUMABLE,
				 &at);
		talloc_fail_never(&rig.talloc);
		if (!rc) {
			rig_fini(&rig);
			break;
		}
		assert_int_equal(rc, -ENOMEM);
		assert_true(at == 5 || at == T_1G || at == 2 * T_1G);
		assert_true(at == 5 || gms_range_is(rig.state, 5, at - 5, GMS_PRIVATE));
		assert_int_equal(gms_count(rig.state, at, 3 * T_1G, GMS_PRIVATE),
				 at < 2 * T_1G ? 9 : 0);
		stopped |= 1ULL << (at / T_1G);
		rig_fini(&rig);
	}
	/* The first block becomes mixed, so it needs nodes. */
	assert_true(stopped & 1);
}

/* ---- calls that must not allocate ---- */

/* Forbids allocations from the first apply on. */
static void trap_at_apply(struct rig *rig, const struct sim_call *call)
{
	if (call->hook == SIM_APPLY)
		talloc_trap(&rig->talloc, TALLOC_TRAP_ALLOC);
}

/* Forbids allocations from the first hook that may change anything. */
static void trap_at_begin(struct rig *rig, const struct sim_call *call)
{
	if (call->hook == SIM_INVALIDATE_BEGIN)
		talloc_trap(&rig->talloc, TALLOC_TRAP_ALLOC);
}

static void convert_trapped(const struct gms_policy_ops *policy, enum gms_shareability to,
			    bool fails)
{
	struct rig rig;

	nomem_init(&rig, policy);
	rig.hook = trap_at_apply;
	if (fails)
		sim_refuse(rig.sim, 1U << SIM_APPLY, 1, 1, -EIO);
	sim_refuse_after(rig.sim, fails ? 3 : 0);
	assert_int_equal(gms_convert(rig.state, 3, NR_PAGES - 5, to, 0, NULL), fails ? -EIO : 0);
	talloc_trap(&rig.talloc, 0);
	rig.hook = NULL;
	rig_fini(&rig);
}

/* Rule 14: a conversion allocates neither after the point of no return nor in an undo. */
static void rule_14_no_allocation_after_apply_nor_in_an_undo(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		convert_trapped(rig_policy(i), GMS_PRIVATE, false);
		convert_trapped(rig_policy(i), GMS_PRIVATE, true);
		convert_trapped(rig_policy(i), GMS_SHARED, false);
		convert_trapped(rig_policy(i), GMS_SHARED, true);
	}
}

/* Rule 14: a quarantine after a failed undo does not allocate. */
static void rule_14_quarantine_needs_no_allocation(void **unused)
{
	const struct rig_opts opts = {.nr_pages = 3 * T_1G, .folio_order = GMS_ORDER_1G};
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	rig_convert(&rig, T_1G + 9, 9, GMS_PRIVATE);
	rig.hook = trap_at_begin;
	sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
	assert_int_equal(gms_convert(rig.state, 5, 2 * T_1G + 90, GMS_PRIVATE, 0, NULL), -EIO);
	talloc_trap(&rig.talloc, 0);
	rig.hook = NULL;
	assert_int_equal(rig_stats(&rig).quarantined_pages, 2 * T_1G + 90);
	rig_check(&rig);
	rig_repair(&rig, 5, T_1G + 13, GMS_PRIVATE);
	rig_repair(&rig, T_1G + 18, T_1G + 77, GMS_SHARED);
	rig_fini(&rig);
}

/* Rules 14 and 39: gms_repair() without memory changes nothing. */
static void rule_14_repair_without_memory_changes_nothing(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};
	uint64_t skip;
	int rc = -1;

	(void)unused;
	for (skip = 0; rc && skip < 1000; skip++) {
		struct rig_image image;
		struct rig rig;

		rig_init(&rig, &opts);
		rig_convert(&rig, T_2M + 9, 9, GMS_PRIVATE);
		sim_refuse(rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 1, 2, -EIO);
		rig_convert_fails(&rig, 5, 5 * T_2M, GMS_PRIVATE, 0, -EIO, 5);
		rig_image_take(&image, &rig);
		talloc_fail(&rig.talloc, skip, 1);
		rc = gms_repair(rig.state, 9, T_2M, GMS_PRIVATE);
		talloc_fail_never(&rig.talloc);
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			rig_image_same(&image, &rig);
			assert_int_equal(rig_stats(&rig).quarantined_pages, 5 * T_2M);
		}
		/* In the simulation exactly [5, T_2M + 18) is private. */
		if (rc)
			rig_repair(&rig, 9, T_2M, GMS_PRIVATE);
		rig_repair(&rig, 5, 4, GMS_PRIVATE);
		rig_repair(&rig, T_2M + 9, 9, GMS_PRIVATE);
		rig_repair(&rig, T_2M + 18, 4 * T_2M - 13, GMS_SHARED);
		rig_image_free(&image);
		rig_fini(&rig);
	}
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_14_any_failed_allocation_changes_nothing),
		cmocka_unit_test(rule_14_failed_allocations_from_one_on_change_nothing),
		cmocka_unit_test(rule_14_resumable_keeps_what_was_converted),
		cmocka_unit_test(rule_14_no_allocation_after_apply_nor_in_an_undo),
		cmocka_unit_test(rule_14_quarantine_needs_no_allocation),
		cmocka_unit_test(rule_14_repair_without_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
