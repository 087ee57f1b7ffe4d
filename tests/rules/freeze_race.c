// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * freeze_race.c - proves that no policy, hook, listener or thread changes a frozen object
 *
 * Tests rule 38. When gms_freeze() returns no change is under way, and none begins until
 * gms_thaw().
 */
#include <sched.h>

#include "gate.h"
#include "threads.h"

static const struct rig_opts three_blocks = {
	.nr_pages = 3 * T_1G,
	.folio_order = GMS_ORDER_1G,
};

/* ---- policies ---- */

static void split_at_faults(void *ctx, const struct gms_policy_view *view,
			    struct gms_policy_verdict *verdict)
{
	(void)ctx;
	if (view->event == GMS_EV_FAULT)
		verdict->order = GMS_ORDER_4K;
	if (view->event == GMS_EV_MAINTAIN)
		verdict->order = GMS_ORDER_2M;
}

/* Rule 38: a frozen object is neither split nor merged, whatever the policy decides. */
static void rule_38_a_frozen_object_is_neither_split_nor_merged(void **unused)
{
	static const struct gms_policy_ops policy = {
		.struct_size = sizeof(policy),
		.name = "splitter",
		.decide = split_at_faults,
	};
	const struct rig_opts opts = {
		.nr_pages = 4 * T_2M, .folio_order = GMS_ORDER_2M, .policy = &policy};
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(gms_allocate(rig.state, 0, 2 * T_2M, NULL), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_forget(&rig);
	assert_int_equal(gms_freeze(rig.state), 0);
	assert_int_equal(gms_fault_begin(rig.state, T_2M, GMS_GUEST, &fault), -EPERM);
	assert_int_equal(gms_fault_begin(rig.state, T_2M, GMS_HOST, &fault), -EPERM);
	rig_faults(&rig, 6, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 0);
	rig_expect_none(&rig);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_4K);
	assert_int_equal(gms_folio_order(rig.state, T_2M), GMS_ORDER_2M);
	/* gms_maintain() has returned 0, so it does not count as refused. */
	assert_int_equal(rig_stats(&rig).refused_frozen, 2);
	assert_int_equal(gms_thaw(rig.state), 0);
	assert_int_equal(gms_maintain(rig.state, UINT64_MAX), 1);
	assert_int_equal(gms_folio_order(rig.state, 5), GMS_ORDER_2M);
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_4K, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- from inside hooks and listeners ---- */

struct inside {
	unsigned int calls;
	const char *why;
};

static void try_from_inside(struct gms_state *state, struct inside *in)
{
	size_t needed = 0x77;

	in->calls++;
	if (gms_freeze(state) != -EDEADLK)
		in->why = "freeze";
	if (gms_thaw(state) != -EDEADLK)
		in->why = "thaw";
	if (gms_snapshot_save(state, NULL, 0, &needed) != -EDEADLK || needed != 0x77)
		in->why = "snapshot_save";
}

static void freeze_in_hook(struct rig *rig, const struct sim_call *call)
{
	(void)call;
	try_from_inside(rig->state, rig->arg);
}

struct from_listener {
	struct gms_state *state;
	struct inside in;
};

static int freeze_in_listener(void *ctx, const struct gms_run *runs, size_t count,
			      enum gms_shareability to, size_t *done)
{
	struct from_listener *from_listener = ctx;

	(void)runs;
	(void)to;
	*done = count;
	try_from_inside(from_listener->state, &from_listener->in);
	return 0;
}

/* Rule 38: a hook or a listener can neither freeze, thaw nor save. */
static void rule_38_hooks_and_listeners_cannot_freeze(void **unused)
{
	const struct gms_listener_ops ops = {.struct_size = sizeof(ops),
					     .change = freeze_in_listener};
	struct inside in = {0};
	struct from_listener from_listener = {0};
	unsigned int id;
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &three_blocks);
	rig.arg = &in;
	rig.hook = freeze_in_hook;
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	assert_int_equal(gms_punch_hole(rig.state, 0, T_1G, NULL), 0);
	rig.hook = NULL;
	assert_fine(in.why);
	assert_true(in.calls > 5);
	from_listener.state = rig.state;
	assert_int_equal(
		gms_listener_register(rig.state, &ops, &from_listener, 0, 3 * T_1G, 1, &id), 0);
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_convert(&rig, 9, 1, GMS_SHARED);
	assert_int_equal(gms_listener_unregister(rig.state, id), 0);
	assert_fine(from_listener.in.why);
	assert_true(from_listener.in.calls >= 4);
	assert_int_equal(rig_stats(&rig).refused_deadlock, 3 * (in.calls + from_listener.in.calls));
	/* The object is not frozen. */
	rig_convert(&rig, 9, 1, GMS_PRIVATE);
	rig_fini(&rig);
}

/* ---- which call waits ---- */

static int job_freeze(struct job *job)
{
	return gms_freeze(job->rig->state);
}

static int job_thaw(struct job *job)
{
	return gms_thaw(job->rig->state);
}

/*
 * Checks that gms_freeze() waits for a job that is stopped in a hook, and that the job succeeds.
 */
static void freeze_waits(struct rig *rig, struct job first, enum sim_hook hook)
{
	struct job freeze = job_of(rig, job_freeze, 0, 0);
	struct gate gate;

	gate_close(&gate, rig, hook, GATE_ANYWHERE);
	assert_true(job_order(&gate, rig, &first, &freeze));
	assert_int_equal(first.ret, 0);
	assert_int_equal(freeze.ret, 0);
	assert_int_equal(gms_convert(rig->state, 0, 1, GMS_SHARED, 0, NULL), -EPERM);
	rig_check(rig);
	assert_int_equal(gms_thaw(rig->state), 0);
}

/* Rule 38: gms_freeze() waits for conversions, holes, allocations and faults, in any shard. */
static void rule_38_freeze_waits_for_calls_under_way(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig, &three_blocks);
	freeze_waits(&rig, job_of_convert(&rig, T_1G + 5, 9, GMS_PRIVATE), SIM_APPLY);
	assert_true(gms_range_is(rig.state, T_1G + 5, 9, GMS_PRIVATE));
	freeze_waits(&rig, job_of(&rig, job_allocate, 2 * T_1G, 1), SIM_FOLIO_ALLOC);
	assert_true(gms_is_allocated(rig.state, 3 * T_1G - 1));
	freeze_waits(&rig, job_of(&rig, job_punch, 2 * T_1G, T_1G), SIM_FOLIO_FREE);
	assert_false(gms_is_allocated(rig.state, 2 * T_1G));
	freeze_waits(&rig, job_of_fault(&rig, T_1G + 7, GMS_GUEST), SIM_PREPARE);
	assert_true(gms_is_prepared(rig.state, T_1G + 7));
	freeze_waits(&rig, job_of_fault(&rig, T_1G + 100, GMS_HOST), SIM_FOLIO_SPLIT);
	assert_int_equal(gms_folio_order(rig.state, T_1G + 100), GMS_ORDER_4K);
	rig_fini(&rig);
}

/*
 * Rule 38: gms_freeze() waits for an open fault, which may still prepare pages. gms_thaw() waits
 * for the open faults of a frozen object.
 */
static void rule_38_freeze_and_thaw_wait_for_an_open_fault(void **unused)
{
	struct gms_fault fault;
	struct rig rig;
	struct job job;

	(void)unused;
	rig_init(&rig, &three_blocks);
	rig_convert(&rig, T_1G, T_1G, GMS_PRIVATE);
	assert_int_equal(gms_fault_begin(rig.state, T_1G + 5, GMS_GUEST, &fault), 0);
	job = job_of(&rig, job_freeze, 0, 0);
	job_start(&job);
	assert_true(job_waits(&job));
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_true(job_waits(&job));
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&job), 0);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), -EPERM);
	assert_int_equal(gms_fault_begin(rig.state, T_1G + 5, GMS_GUEST, &fault), 0);
	assert_true(fault.prepared);
	job = job_of(&rig, job_thaw, 0, 0);
	job_start(&job);
	assert_true(job_waits(&job));
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&job), 0);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 38: a conversion that waits behind gms_freeze() is refused. */
static void rule_38_a_conversion_behind_a_freeze_is_refused(void **unused)
{
	struct job convert, freeze;
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &three_blocks);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), 0);
	freeze = job_of(&rig, job_freeze, 0, 0);
	job_start(&freeze);
	assert_true(job_waits(&freeze));
	convert = job_of_convert(&rig, 2 * T_1G, 1, GMS_PRIVATE);
	job_start(&convert);
	/* gms_freeze() holds all convert locks now, so a later conversion waits for it. */
	assert_true(job_waits(&convert));
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&freeze), 0);
	assert_int_equal(job_join(&convert), -EPERM);
	assert_int_equal(convert.err_index, 2 * T_1G);
	assert_false(gms_is_private(rig.state, 2 * T_1G));
	assert_int_equal(gms_thaw(rig.state), 0);
	rig_fini(&rig);
}

/* ---- threads ---- */

#define NR_CHANGERS 3
#define NR_RACE_PAGES (3 * T_2M + 5)

struct race {
	struct rig *rig;
	_Atomic bool stop;
	_Atomic uint64_t changes; /* changes that worked */
	_Atomic uint64_t refusals;
};

static int change(struct gms_state *state, uint64_t what, gms_pgoff_t start)
{
	struct gms_fault fault;
	int rc;

	switch (what % 8) {
	case 0:
		return gms_convert(state, start, 9, GMS_PRIVATE, 0, NULL);
	case 1:
		return gms_convert(state, start, 9, GMS_SHARED, 0, NULL);
	case 2:
		return gms_allocate(state, start, 9, NULL);
	case 3:
		return gms_punch_hole(state, start, 9, NULL);
	case 4:
		rc = gms_pin(state, start, 1, NULL);
		if (!rc)
			gms_unpin(state, start, 1);
		return rc;
	case 5:
		return gms_inhibit(state, start, 1, GMS_ORDER_4K);
	case 6:
		return gms_attr_set(state, 0, start, 1, start % 2);
	default:
		rc = gms_fault_begin(state, start, GMS_GUEST, &fault);
		if (rc)
			return rc;
		rc = gms_fault_prepare(state, &fault);
		gms_fault_end(state, &fault);
		return rc;
	}
}

static void change_all_the_time(struct worker *worker)
{
	struct race *race = worker->shared;
	uint64_t seed = test_seed() + worker->number * 7919 + 1, round;

	for (round = 0; !atomic_load(&race->stop); round++) {
		int rc;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		rc = change(race->rig->state, seed >> 60, (seed >> 33) % (NR_RACE_PAGES - 9));
		worker_expect(worker, !rc || rc == -EPERM || rc == -EAGAIN || rc == -EACCES,
			      "a change returned an unexpected error");
		atomic_fetch_add(rc == -EPERM ? &race->refusals : &race->changes, 1);
		if (round % 16 == 0)
			sched_yield();
	}
}

/* Returns a hash of all pages. It leaves out pins, because gms_unpin() works while frozen. */
static uint64_t fingerprint(const struct gms_state *state)
{
	uint64_t i, sum = 0;

	for (i = 0; i < NR_RACE_PAGES; i++) {
		const unsigned int page = (unsigned int)gms_is_private(state, i) |
					  (unsigned int)gms_is_allocated(state, i) << 1 |
					  (unsigned int)gms_is_prepared(state, i) << 2 |
					  (unsigned int)gms_attr_test(state, 0, i) << 3 |
					  gms_folio_order(state, i) << 4;

		sum = (sum ^ page) * 1099511628211ULL;
	}
	return sum;
}

static void freeze_now_and_then(struct worker *worker)
{
	struct race *race = worker->shared;
	struct gms_state *state = race->rig->state;
	uint64_t round, seen, before;
	unsigned int naps;

	for (round = 0; round < worker->rounds && !worker->why; round++) {
		if (gms_freeze(state))
			worker->why = "freeze failed";
		before = fingerprint(state);
		seen = atomic_load(&race->refusals);
		for (naps = 0; naps < 1000 && atomic_load(&race->refusals) < seen + 4; naps++)
			sched_yield();
		if (fingerprint(state) != before)
			worker->why = "a page changed while frozen";
		if (!gms_state_verify(state, NULL))
			worker->why = "a frozen object is not sound";
		if (gms_thaw(state))
			worker->why = "thaw failed";
		seen = atomic_load(&race->changes);
		for (naps = 0; naps < 1000 && atomic_load(&race->changes) < seen + 4; naps++)
			sched_yield();
	}
	atomic_store(&race->stop, true);
}

/* Rule 38: no thread can change anything from gms_freeze() to gms_thaw(). */
static void rule_38_nothing_changes_while_frozen(void **unused)
{
	const struct rig_opts opts = {.nr_pages = NR_RACE_PAGES, .folio_order = GMS_ORDER_2M};
	struct worker workers[1 + NR_CHANGERS] = {
		{.run = freeze_now_and_then, .rounds = test_iters(200)}};
	struct race race = {0};
	unsigned int i, attr;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(gms_attr_create(rig.state, &attr), 0);
	race.rig = &rig;
	for (i = 0; i <= NR_CHANGERS; i++) {
		workers[i].shared = &race;
		workers[i].number = i;
		if (i)
			workers[i].run = change_all_the_time;
	}
	workers_run(workers, 1 + NR_CHANGERS);
	assert_true(atomic_load(&race.changes) > 0);
	assert_true(atomic_load(&race.refusals) > 0);
	assert_int_equal(rig_stats(&rig).refused_frozen, atomic_load(&race.refusals));
	/* Some calls were not recorded, so the recorded begins and ends need not balance. */
	sim_forget(rig.sim);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_38_a_frozen_object_is_neither_split_nor_merged),
		cmocka_unit_test(rule_38_hooks_and_listeners_cannot_freeze),
		cmocka_unit_test(rule_38_freeze_waits_for_calls_under_way),
		cmocka_unit_test(rule_38_freeze_and_thaw_wait_for_an_open_fault),
		cmocka_unit_test(rule_38_a_conversion_behind_a_freeze_is_refused),
		cmocka_unit_test(rule_38_nothing_changes_while_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
