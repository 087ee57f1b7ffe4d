// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener.c - proves of which granules a listener is notified, when, and which calls it may make
 *
 * Tests rules 15 and 34. A mirror checks each call by itself (mirror.h). These tests check which
 * calls there are.
 */
#include "mirror.h"

#define NR_PAGES (2 * T_1G + T_2M + 5)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};
static const struct rig_opts all_private = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_2M,
	.init_private = true,
};

static struct mirror mirror;

/* Registers the mirror on a new rig, and forgets the notifications of that. */
static void init_mirror(struct rig *rig, const struct rig_opts *opts, uint64_t start,
			uint64_t nr_pages, uint64_t granule, unsigned int flags)
{
	rig_init(rig, opts);
	mirror_init(&mirror, rig, NULL, start, nr_pages, granule, flags);
	assert_int_equal(mirror_register(&mirror), 0);
	mirror_check(&mirror);
	mirror_forget(&mirror);
	rig_forget(rig);
}

static void fini_mirror(struct rig *rig)
{
	mirror_check(&mirror);
	rig_check(rig);
	assert_int_equal(mirror_unregister(&mirror), 0);
	mirror_check(&mirror);
	mirror_fini(&mirror);
	rig_fini(rig);
}

/* ---- arguments ---- */

static int note_and_fail(void *ctx, const struct gms_run *runs, size_t count,
			 enum gms_shareability to, size_t *done)
{
	(void)runs, (void)count, (void)to, (void)done;
	*(bool *)ctx = true;
	return -EIO;
}

static void range_is_refused(struct rig *rig, uint64_t start, uint64_t nr_pages, uint64_t granule)
{
	const struct gms_listener_ops ops = {sizeof(ops), 0, note_and_fail};
	unsigned int id = 0x77;
	bool called = false;

	assert_int_equal(
		gms_listener_register(rig->state, &ops, &called, start, nr_pages, granule, &id),
		-EINVAL);
	assert_int_equal(id, 0x77);
	assert_false(called);
}

/* Rule 34: a range or granule that is not aligned is refused, and the listener is not called. */
static void rule_34_bad_ranges_and_granules_are_refused(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_shared);
	range_is_refused(&rig, 0, 0, 1);
	range_is_refused(&rig, 0, 8, 0);
	range_is_refused(&rig, 0, 8, 3);
	range_is_refused(&rig, 0, 12, 6);
	range_is_refused(&rig, 4, 8, 8);
	range_is_refused(&rig, 8, 12, 8);
	range_is_refused(&rig, 0, 4, 8);
	range_is_refused(&rig, 0, 2 * T_1G, 2 * T_1G);
	range_is_refused(&rig, 0, 2 * T_1G, 1ULL << 63);
	range_is_refused(&rig, 0, NR_PAGES, 2);
	range_is_refused(&rig, 0, NR_PAGES + 1, 1);
	range_is_refused(&rig, NR_PAGES, 1, 1);
	range_is_refused(&rig, 5, UINT64_MAX, 1);
	range_is_refused(&rig, 8, UINT64_MAX - 7, 8);
	range_is_refused(&rig, UINT64_MAX - 7, 8, 8);
	range_is_refused(&rig, 0, 3 * T_1G, T_1G);
	assert_int_equal(rig_stats(&rig).refused_inval, 16);
	assert_int_equal(rig_stats(&rig).listeners, 0);
	rig_fini(&rig);
}

/* Rule 34 and listener.h: ops without a hook, with unknown flags or of a bad size are refused. */
static void rule_34_bad_ops_are_refused(void **unused)
{
	struct {
		struct gms_listener_ops ops;
		uint64_t more;
	} larger = {{sizeof(larger), 0, note_and_fail}, 0};
	struct gms_listener_ops ops = {sizeof(ops), 0, NULL};
	unsigned int id = 0x77;
	bool called = false;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &all_private);
	assert_int_equal(gms_listener_register(rig.state, &ops, &called, 0, 8, 1, &id), -EINVAL);
	ops.change = note_and_fail;
	ops.flags = GMS_LISTENER_CAN_SPLIT << 2;
	assert_int_equal(gms_listener_register(rig.state, &ops, &called, 0, 8, 1, &id), -EINVAL);
	ops.flags = GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT;
	ops.struct_size = sizeof(ops) - 1;
	assert_int_equal(gms_listener_register(rig.state, &ops, &called, 0, 8, 1, &id), -EINVAL);
	larger.more = 1;
	assert_int_equal(gms_listener_register(rig.state, &larger.ops, &called, 0, 8, 1, &id),
			 -EINVAL);
	assert_int_equal(id, 0x77);
	larger.more = 0;
	assert_int_equal(gms_listener_register(rig.state, &larger.ops, &called, 0, 8, 1, &id), 0);
	/* The ops were copied at registration. */
	larger.ops.change = NULL;
	assert_int_equal(gms_convert(rig.state, 0, 1, GMS_SHARED, 0, NULL), -EIO);
	assert_true(called);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	rig_fini(&rig);
}

/* ---- granules ---- */

static const uint64_t granules[] = {1, 2, 8, 64, T_2M, 2 * T_2M, T_1G / 2, T_1G};

/* Converts single pages of the granule at @start, and then a range across its end. */
static void convert_in_granule(struct rig *rig, uint64_t start)
{
	const uint64_t n = mirror.granule;
	const uint64_t places[] = {start, start + n - 1, start + n / 2};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		rig_convert(rig, places[i], 1, GMS_PRIVATE);
		mirror_check(&mirror);
		rig_convert(rig, places[i], 1, GMS_SHARED);
		mirror_check(&mirror);
		mirror_expect_events(&mirror, WITHDRAW(start, n), NOTIFY(start, n));
		mirror_forget(&mirror);
	}
	rig_convert(rig, start + n - 1, 2, GMS_PRIVATE);
	rig_convert(rig, start + n - 1, 2, GMS_SHARED);
	if (mirror.flags & GMS_LISTENER_CAN_SPLIT)
		mirror_expect_events(&mirror, WITHDRAW(start, 2 * n), NOTIFY(start, 2 * n));
	else
		mirror_expect_events(&mirror, WITHDRAW(start, n), WITHDRAW(start + n, n),
				     NOTIFY(start, n), NOTIFY(start + n, n));
	mirror_check(&mirror);
	mirror_forget(&mirror);
}

/* Rule 34: a conversion of one page withdraws its whole granule, and no other. */
static void rule_34_a_granule_is_withdrawn_whole(void **unused)
{
	struct rig rig;
	size_t i;

	(void)unused;
	for (i = 0; i < 2 * ARRAY_SIZE(granules); i++) {
		const uint64_t n = granules[i / 2];
		/* few small granules: the mirror records each of them */
		const uint64_t nr = (NR_PAGES - 1) / n, nr_pages = (nr < 8192 ? nr : 8192) * n;

		init_mirror(&rig, &all_shared, 0, nr_pages, n, i % 2 ? GMS_LISTENER_CAN_SPLIT : 0);
		convert_in_granule(&rig, 0);
		convert_in_granule(&rig, nr_pages - 2 * n);
		/* A listener is not notified of pages outside of its range. */
		rig_convert(&rig, nr_pages, NR_PAGES - nr_pages, GMS_PRIVATE);
		mirror_expect_none(&mirror);
		fini_mirror(&rig);
	}
}

/*
 * Rule 34: the listener is notified of a granule when its last page becomes shared, and withdraws
 * it when the first page becomes private.
 */
static void rule_34_the_last_shared_page_notifies_of_its_granule(void **unused)
{
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_mirror(&rig, &all_private, 0, 4 * T_2M, T_2M, 0);
	for (i = 0; i < T_2M; i++) {
		/* in a scattered order: 5 and 512 have no common divisor */
		mirror_expect_none(&mirror);
		rig_convert(&rig, T_2M + i * 5 % T_2M, 1, GMS_SHARED);
	}
	mirror_expect_events(&mirror, NOTIFY(T_2M, T_2M));
	mirror_check(&mirror);
	mirror_forget(&mirror);
	for (i = 0; i < T_2M; i++) {
		rig_convert(&rig, T_2M + i * 5 % T_2M, 1, GMS_PRIVATE);
		mirror_expect_events(&mirror, WITHDRAW(T_2M, T_2M));
	}
	fini_mirror(&rig);
}

/* Rule 34: several runs in one granule make one notification. */
static void rule_34_runs_in_one_granule_make_one_notification(void **unused)
{
	struct rig rig;
	uint64_t i;

	(void)unused;
	init_mirror(&rig, &all_shared, 0, 8 * T_2M, T_2M, 0);
	for (i = T_2M; i + 3 <= 3 * T_2M; i += 7)
		rig_convert(&rig, i, 3, GMS_PRIVATE);
	mirror_expect_events(&mirror, WITHDRAW(T_2M, T_2M), WITHDRAW(2 * T_2M, T_2M));
	mirror_forget(&mirror);
	rig_convert(&rig, 0, 4 * T_2M, GMS_SHARED);
	mirror_expect_events(&mirror, NOTIFY(T_2M, T_2M), NOTIFY(2 * T_2M, T_2M));
	mirror_forget(&mirror);
	/* Granules that are mixed before and after are left out, and so are unchanged ranges. */
	rig_convert(&rig, 10, 10, GMS_PRIVATE);
	mirror_forget(&mirror);
	rig_convert(&rig, 5, T_2M + 4, GMS_PRIVATE);
	mirror_expect_events(&mirror, WITHDRAW(T_2M, T_2M));
	mirror_forget(&mirror);
	rig_convert(&rig, 6, T_2M, GMS_SHARED);
	rig_convert(&rig, 6, T_2M, GMS_SHARED);
	mirror_expect_none(&mirror);
	rig_convert(&rig, T_2M + 5, 9, GMS_SHARED);
	mirror_expect_events(&mirror, NOTIFY(T_2M, T_2M));
	fini_mirror(&rig);
}

/* Rule 34: with GMS_LISTENER_CAN_SPLIT runs are maximal, and leave out unchanged granules. */
static void rule_34_runs_are_maximal(void **unused)
{
	struct rig rig;

	(void)unused;
	init_mirror(&rig, &all_shared, 0, 2 * T_1G, 8, GMS_LISTENER_CAN_SPLIT);
	rig_convert(&rig, 50, 1, GMS_PRIVATE);
	rig_convert(&rig, 3, 97, GMS_PRIVATE);
	mirror_expect_events(&mirror, WITHDRAW(48, 8), WITHDRAW(0, 48), WITHDRAW(56, 48));
	mirror_forget(&mirror);
	rig_convert(&rig, 16, 8, GMS_SHARED);
	rig_convert(&rig, 41, 1, GMS_SHARED);
	rig_convert(&rig, 0, 99, GMS_SHARED);
	mirror_expect_events(&mirror, NOTIFY(16, 8), NOTIFY(0, 16), NOTIFY(24, 72));
	mirror_forget(&mirror);
	/* The runs of changed pages do not touch, but their granules do. */
	rig_convert(&rig, 200, 6, GMS_PRIVATE);
	rig_convert(&rig, 210, 6, GMS_PRIVATE);
	mirror_forget(&mirror);
	rig_convert(&rig, 200, 16, GMS_SHARED);
	mirror_expect_events(&mirror, NOTIFY(200, 16));
	mirror_forget(&mirror);
	/* Runs cross the edges of blocks and shards. */
	rig_convert(&rig, 9, 2 * T_1G - 8, GMS_PRIVATE);
	rig_convert(&rig, 99, 1, GMS_SHARED);
	rig_convert(&rig, 20, 2 * T_1G, GMS_SHARED);
	rig_convert(&rig, 9, 2 * T_1G, GMS_SHARED);
	mirror_expect_events(&mirror, WITHDRAW(8, 88), WITHDRAW(104, 2 * T_1G - 104),
			     NOTIFY(24, 2 * T_1G - 24), NOTIFY(8, 16));
	fini_mirror(&rig);
}

/* Rule 34: a listener is notified of its own range only. */
static void rule_34_a_listener_is_notified_of_its_range_only(void **unused)
{
	struct rig rig;

	(void)unused;
	init_mirror(&rig, &all_shared, T_1G - 16, 32, 8, GMS_LISTENER_CAN_SPLIT);
	rig_convert(&rig, 0, T_1G - 16, GMS_PRIVATE);
	rig_convert(&rig, T_1G + 16, T_1G, GMS_PRIVATE);
	mirror_expect_none(&mirror);
	rig_convert(&rig, 0, NR_PAGES, GMS_PRIVATE);
	rig_convert(&rig, 0, T_1G - 4, GMS_SHARED);
	rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
	mirror_expect_events(&mirror, WITHDRAW(T_1G - 16, 32), NOTIFY(T_1G - 16, 8),
			     NOTIFY(T_1G - 8, 24));
	mirror_forget(&mirror);
	/* In resumable mode runs end at the edges of 1G blocks. */
	assert_int_equal(
		gms_convert(rig.state, 3, 2 * T_1G, GMS_PRIVATE, GMS_CONVERT_RESUMABLE, NULL), 0);
	mirror_expect_events(&mirror, WITHDRAW(T_1G - 16, 16), WITHDRAW(T_1G, 16));
	fini_mirror(&rig);
}

/* Rule 34: a change of more than GMS_LISTENER_BATCH runs takes several calls. */
static void rule_34_a_large_change_is_several_calls(void **unused)
{
	const unsigned int flags[] = {0, GMS_LISTENER_CAN_SPLIT};
	struct rig rig;
	uint64_t i, k;

	(void)unused;
	for (k = 0; k < 2; k++) {
		const uint64_t n = flags[k] ? 100 : 900;

		init_mirror(&rig, &all_shared, 0, 1024, 1, flags[k]);
		for (i = 0; flags[k] && i < n; i++)
			rig_convert(&rig, 9 * i + 2, 1, GMS_PRIVATE);
		mirror_check(&mirror);
		mirror_forget(&mirror);
		mirror.calls = 0;
		rig_convert(&rig, 0, 900, GMS_PRIVATE);
		assert_int_equal(mirror.nr_events, flags[k] ? 101 : 900);
		assert_true(mirror.calls > mirror.nr_events / GMS_LISTENER_BATCH);
		mirror_tidy(&mirror);
		mirror_check(&mirror);
		for (i = 0; flags[k] && i < n; i++)
			rig_convert(&rig, 9 * i + 2, 1, GMS_SHARED);
		mirror_forget(&mirror);
		rig_convert(&rig, 0, 900, GMS_SHARED);
		assert_int_equal(mirror.nr_events, flags[k] ? 101 : 900);
		mirror_tidy(&mirror);
		fini_mirror(&rig);
	}
}

/* ---- order ---- */

/* Checks that a withdrawal comes before all hooks, and a notification after the last one. */
static void judge_order(struct mirror *m, const struct mirror_call *call)
{
	const size_t begun = rig_count(m->rig, 1U << SIM_INVALIDATE_BEGIN);
	const size_t ended = rig_count(m->rig, 1U << SIM_INVALIDATE_END);

	if (call->to == GMS_PRIVATE ? rig_count(m->rig, SIM_ALL_HOOKS) : !begun || begun != ended)
		m->arg = "a listener is called out of order";
}

/* Rules 15 and 34: listeners withdraw before all hooks, and are notified after the last one. */
static void rule_15_withdrawals_come_first_and_notifications_last(void **unused)
{
	struct rig_opts opts = all_shared;
	struct rig rig;
	unsigned int i;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		opts.policy = rig_policy(i);
		init_mirror(&rig, &opts, 0, 8 * T_2M, 8, 0);
		assert_int_equal(gms_allocate(rig.state, 0, NR_PAGES, NULL), 0);
		mirror.hook = judge_order;
		rig_forget(&rig);
		rig_convert(&rig, 700, 900, GMS_PRIVATE);
		assert_true(rig_count(&rig, 1U << SIM_APPLY));
		rig_forget(&rig);
		rig_convert(&rig, 690, 3 * T_2M, GMS_SHARED);
		assert_true(rig_count(&rig, 1U << SIM_APPLY));
		assert_fine(mirror.arg);
		assert_true(mirror.calls > 8);
		mirror.hook = NULL;
		fini_mirror(&rig);
	}
}

/* Rule 34: listeners are not notified of holes, folios, pins and attributes. */
static void rule_34_only_shareability_is_notified(void **unused)
{
	struct gms_fault fault;
	unsigned int attr;
	struct rig rig;

	(void)unused;
	init_mirror(&rig, &all_shared, 0, NR_PAGES, 1, GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(rig_fault(&rig, 5, GMS_HOST, &fault), 0);
	assert_int_equal(gms_allocate(rig.state, 0, 4 * T_2M, NULL), 0);
	rig_pin(&rig, 9, 9);
	gms_unpin(rig.state, 9, 9);
	assert_int_equal(gms_punch_hole(rig.state, 3, 3 * T_2M, NULL), 0);
	assert_int_equal(gms_attr_create(rig.state, &attr), 0);
	assert_int_equal(gms_attr_set(rig.state, attr, 3, T_2M, true), 0);
	assert_int_equal(gms_inhibit(rig.state, 3, T_2M, GMS_ORDER_4K), 0);
	gms_maintain(rig.state, 99);
	rig_convert(&rig, 0, NR_PAGES, GMS_SHARED);
	rig_convert_fails(&rig, 5, NR_PAGES, GMS_PRIVATE, 0, -EINVAL, 5);
	mirror_expect_none(&mirror);
	fini_mirror(&rig);
}

/* ---- calls of a listener ---- */

/* Makes the calls that a listener may make. Page 0 stays shared, and page T_2M stays private. */
static void make_allowed_calls(struct mirror *m, const struct mirror_call *call)
{
	struct gms_state *s = m->rig->state;
	const uint64_t at = call->runs[0].start;
	struct gms_fault fault;

	m->arg = "a call that a listener may make is refused";
	if (rig_fault(m->rig, 0, GMS_HOST, &fault) || rig_fault(m->rig, at, GMS_HOST, &fault) ||
	    rig_fault(m->rig, T_2M, GMS_GUEST, &fault) || !gms_is_prepared(s, T_2M) ||
	    rig_fault(m->rig, T_2M, GMS_HOST, &fault) != -EACCES)
		return;
	if (gms_allocate(s, at, 3 * T_2M, NULL) || gms_pin(s, at, 1, NULL) ||
	    !gms_first_pin(s, at, 1, NULL))
		return;
	gms_unpin(s, at, 1);
	if (gms_lock_shared(s, 0, NR_PAGES))
		return;
	gms_unlock_shared(s, 0, NR_PAGES);
	if (gms_count(s, 0, NR_PAGES, GMS_PRIVATE) && !gms_first_pin(s, 0, NR_PAGES, NULL))
		m->arg = NULL;
}

/* Rule 34: a listener may fault, pin, allocate, and call gms_lock_shared(). */
static void rule_34_a_listener_may_fault_and_pin(void **unused)
{
	struct rig rig;
	unsigned int i;

	(void)unused;
	for (i = 0; i < RIG_NR_POLICIES; i++) {
		struct rig_opts opts = all_shared;

		opts.policy = rig_policy(i);
		rig_init(&rig, &opts);
		rig_convert(&rig, T_2M, 9, GMS_PRIVATE);
		mirror_init(&mirror, &rig, NULL, 4 * T_2M, 4 * T_2M, 64, 0);
		mirror.hook = make_allowed_calls;
		assert_int_equal(mirror_register(&mirror), 0);
		assert_fine(mirror.arg);
		rig_convert(&rig, 5 * T_2M + 9, T_2M, GMS_PRIVATE);
		assert_fine(mirror.arg);
		rig_convert(&rig, 5 * T_2M, 2 * T_2M, GMS_SHARED);
		assert_fine(mirror.arg);
		fini_mirror(&rig);
	}
}

static int change_nothing(void *ctx, const struct gms_run *runs, size_t count,
			  enum gms_shareability to, size_t *done)
{
	(void)ctx, (void)runs, (void)count, (void)to, (void)done;
	return 0;
}

struct inside {
	unsigned int attr, binding;
	unsigned int calls;
	const char *why;
};

#define inside_expect(inside, cond, text)       \
	do {                                    \
		if (!(cond) && !(inside)->why)  \
			(inside)->why = (text); \
	} while (0)

static void make_forbidden_calls(struct mirror *m, const struct mirror_call *call)
{
	const struct gms_listener_ops ops = {sizeof(ops), 0, change_nothing};
	struct gms_state *s = m->rig->state;
	gms_pgoff_t at[2] = {0, 0};
	struct inside *in = m->arg;
	unsigned int id;
	size_t needed;

	(void)call;
	in->calls++;
	inside_expect(in, gms_convert(s, 3, 1, GMS_PRIVATE, 0, &at[0]) == -EDEADLK, "convert");
	inside_expect(in, gms_convert(s, T_1G, 1, GMS_PRIVATE, 1, NULL) == -EDEADLK, "resumable");
	inside_expect(in, gms_punch_hole(s, 3, 1, &at[1]) == -EDEADLK, "punch_hole");
	inside_expect(in, gms_inhibit(s, 3, 1, GMS_ORDER_4K) == -EDEADLK, "inhibit");
	inside_expect(in, gms_uninhibit(s, 3, 1) == -EDEADLK, "uninhibit");
	inside_expect(in, gms_attr_create(s, &id) == -EDEADLK, "attr_create");
	inside_expect(in, gms_attr_set(s, in->attr, 3, 1, true) == -EDEADLK, "attr_set");
	inside_expect(in, gms_repair(s, 3, 1, GMS_SHARED) == -EDEADLK, "repair");
	inside_expect(in, gms_bind(s, 99, T_1G, 1, &id) == -EDEADLK, "bind");
	inside_expect(in, gms_unbind(s, in->binding) == -EDEADLK, "unbind");
	inside_expect(in, gms_listener_register(s, &ops, NULL, 0, 8, 1, &id) == -EDEADLK,
		      "register");
	inside_expect(in, gms_listener_unregister(s, m->id) == -EDEADLK, "unregister");
	inside_expect(in, gms_freeze(s) == -EDEADLK, "freeze");
	inside_expect(in, gms_thaw(s) == -EDEADLK, "thaw");
	inside_expect(in, gms_snapshot_save(s, NULL, 0, &needed) == -EDEADLK, "snapshot_save");
	inside_expect(in, gms_maintain(s, UINT64_MAX) == 0, "maintain");
	inside_expect(in, !gms_state_verify(s, NULL), "verify");
	inside_expect(in, at[0] == 3 && at[1] == 3, "err_index");
}

/* Rule 34: a listener may make no call that takes a convert lock, in any of its calls. */
static void rule_34_a_listener_may_not_change_its_object(void **unused)
{
	struct gms_stats before, after;
	struct inside in = {0};
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &all_shared);
	assert_int_equal(gms_attr_create(rig.state, &in.attr), 0);
	assert_int_equal(gms_bind(rig.state, 0, 0, T_2M, &in.binding), 0);
	mirror_init(&mirror, &rig, NULL, 0, T_2M, T_2M, 0);
	mirror.hook = make_forbidden_calls;
	mirror.arg = &in;
	assert_int_equal(mirror_register(&mirror), 0);
	before = rig_stats(&rig);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	after = rig_stats(&rig);
	assert_int_equal(mirror_unregister(&mirror), 0);
	assert_fine(in.why);
	assert_int_equal(in.calls, 4);
	assert_int_equal(after.refused_deadlock - before.refused_deadlock, 2 * 15);
	assert_int_equal(after.listeners, 1);
	assert_int_equal(after.bindings, 1);
	assert_false(gms_attr_test(rig.state, in.attr, 3));
	assert_int_equal(gms_unbind(rig.state, in.binding), 0);
	/* Outside of the listener such a call works. */
	rig_convert(&rig, 3, 1, GMS_PRIVATE);
	mirror_fini(&mirror);
	rig_fini(&rig);
}

static void pin_in_hook(struct rig *rig, const struct sim_call *call)
{
	if (call->hook == SIM_FOLIO_ALLOC)
		*(int *)rig->arg = gms_pin(rig->state, T_1G, 1, NULL);
}

static void allocate(struct mirror *m, const struct mirror_call *call)
{
	*(int *)m->arg = gms_allocate(m->rig->state, call->runs[0].start, 1, NULL);
}

/* Rule 34: a hook that is called because a listener allocates may not pin. */
static void rule_34_a_hook_inside_a_listener_may_not_pin(void **unused)
{
	int pinned = 0, allocated = 1;
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	init_mirror(&rig, &all_private, 0, 8, 8, 0);
	mirror.hook = allocate;
	mirror.arg = &allocated;
	rig.hook = pin_in_hook;
	rig.arg = &pinned;
	rig_convert(&rig, 0, 8, GMS_SHARED);
	assert_int_equal(allocated, 0);
	assert_int_equal(pinned, -EDEADLK);
	rig.hook = NULL;
	mirror.hook = NULL;
	fini_mirror(&rig);
}

static void convert_other(struct mirror *m, const struct mirror_call *call)
{
	struct rig *other = m->arg;

	if (gms_convert(other->state, call->runs[0].start, 1, call->to, 0, NULL))
		m->arg = NULL;
}

/* Rule 34: a listener may convert another object. */
static void rule_34_a_listener_may_change_another_object(void **unused)
{
	struct rig rig, other;

	(void)unused;
	skip_in_kernel();
	rig_init(&other, &all_shared);
	init_mirror(&rig, &all_shared, 0, 16, 8, 0);
	mirror.hook = convert_other;
	mirror.arg = &other;
	rig_convert(&rig, 12, 1, GMS_PRIVATE);
	assert_ptr_equal(mirror.arg, &other);
	assert_true(gms_is_private(other.state, 8));
	mirror.hook = NULL;
	fini_mirror(&rig);
	rig_fini(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_34_bad_ranges_and_granules_are_refused),
		cmocka_unit_test(rule_34_bad_ops_are_refused),
		cmocka_unit_test(rule_34_a_granule_is_withdrawn_whole),
		cmocka_unit_test(rule_34_the_last_shared_page_notifies_of_its_granule),
		cmocka_unit_test(rule_34_runs_in_one_granule_make_one_notification),
		cmocka_unit_test(rule_34_runs_are_maximal),
		cmocka_unit_test(rule_34_a_listener_is_notified_of_its_range_only),
		cmocka_unit_test(rule_34_a_large_change_is_several_calls),
		cmocka_unit_test(rule_15_withdrawals_come_first_and_notifications_last),
		cmocka_unit_test(rule_34_only_shareability_is_notified),
		cmocka_unit_test(rule_34_a_listener_may_fault_and_pin),
		cmocka_unit_test(rule_34_a_listener_may_not_change_its_object),
		cmocka_unit_test(rule_34_a_hook_inside_a_listener_may_not_pin),
		cmocka_unit_test(rule_34_a_listener_may_change_another_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
