// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener_race.c - proves what listeners see of conversions and registrations in other threads
 *
 * Tests rules 12, 16, 18, 19, 34, 35 and 39.
 *
 * First a thread is stopped inside a listener or a hook, and another thread makes a call. Then
 * threads make random calls; from time to time the object is frozen, and all must agree. Mirrors
 * take no lock where their calls are serialised, so ThreadSanitizer sees calls that are not.
 */
#define _GNU_SOURCE
#include "gate.h"
#include "mirror.h"
#include "threads.h"

#define NR_PAGES (2 * T_1G + 4 * T_2M)

static const struct rig_opts all_shared = {.nr_pages = NR_PAGES, .folio_order = GMS_ORDER_2M};

/* Stands for the calls of a listener at the gate. No hook has this number. */
#define IN_LISTENER SIM_NR_HOOKS

static struct mirror mirror;

static void mirror_gate(struct mirror *m, const struct mirror_call *call)
{
	const struct sim_call as = {.hook = IN_LISTENER, .start = call->runs[0].start};

	gate_pass(m->arg, &as);
}

/* Stops the calls of the mirror whose first run begins at @start. */
static void close_listener(struct gate *gate, struct rig *rig, gms_pgoff_t start)
{
	gate_close(gate, rig, IN_LISTENER, start);
	mirror.arg = gate;
	mirror.hook = mirror_gate;
}

static void init_mirror(struct rig *rig, uint64_t start, uint64_t nr_pages, uint64_t granule,
			unsigned int flags)
{
	rig_init(rig, &all_shared);
	mirror_init(&mirror, rig, NULL, start, nr_pages, granule, flags);
}

static void fini_mirror(struct rig *rig)
{
	mirror.hook = NULL;
	mirror_check(&mirror);
	if (mirror.live)
		assert_int_equal(mirror_unregister(&mirror), 0);
	mirror_check(&mirror);
	mirror_fini(&mirror);
	rig_fini(rig);
}

struct mirror_job {
	struct job job;
	struct mirror *mirror;
};

static int job_register(struct job *job)
{
	return mirror_register(((struct mirror_job *)job)->mirror);
}

static int job_unregister(struct job *job)
{
	return mirror_unregister(((struct mirror_job *)job)->mirror);
}

static struct mirror_job job_of_mirror(struct rig *rig, int (*run)(struct job *job))
{
	return (struct mirror_job) {job_of(rig, run, 0, 0), &mirror};
}

/* ---- two calls ---- */

/* Rule 34: calls for two shards are serialised, unless the listener is concurrent. */
static void rule_34_calls_are_serialised_unless_concurrent(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		const unsigned int flags = (i & 1 ? GMS_LISTENER_CONCURRENT : 0) |
					   (i & 2 ? GMS_LISTENER_CAN_SPLIT : 0);
		struct job a, b;
		struct gate gate;
		struct rig rig;

		init_mirror(&rig, 0, NR_PAGES, 8, flags);
		assert_int_equal(mirror_register(&mirror), 0);
		close_listener(&gate, &rig, 64);
		a = job_of_convert(&rig, 65, 1, GMS_PRIVATE);
		b = job_of_convert(&rig, T_1G + 65, 1, GMS_PRIVATE);
		assert_int_equal(job_order(&gate, &rig, &a, &b), !(i & 1));
		assert_int_equal(a.ret, 0);
		assert_int_equal(b.ret, 0);
		mirror_check(&mirror);
		close_listener(&gate, &rig, 64);
		a = job_of_convert(&rig, 65, 1, GMS_SHARED);
		b = job_of_convert(&rig, T_1G + 65, 1, GMS_SHARED);
		assert_int_equal(job_order(&gate, &rig, &a, &b), !(i & 1));
		fini_mirror(&rig);
	}
}

/* Rule 19: calls of two listeners, each in its own shard, do not wait for each other. */
static void rule_19_listeners_do_not_wait_for_each_other(void **unused)
{
	struct mirror *other = calloc(1, sizeof(*other));
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	assert_non_null(other);
	init_mirror(&rig, 0, T_1G, 8, 0);
	mirror_init(other, &rig, NULL, T_1G, T_1G, 8, 0);
	assert_int_equal(mirror_register(&mirror), 0);
	assert_int_equal(mirror_register(other), 0);
	close_listener(&gate, &rig, 64);
	a = job_of_convert(&rig, 65, 1, GMS_PRIVATE);
	b = job_of_convert(&rig, T_1G + 65, 1, GMS_PRIVATE);
	assert_false(job_order(&gate, &rig, &a, &b));
	mirror_check(other);
	/* A conversion without a listener does not wait either. */
	assert_int_equal(mirror_unregister(other), 0);
	close_listener(&gate, &rig, 128);
	a = job_of_convert(&rig, 129, 1, GMS_PRIVATE);
	b = job_of_convert(&rig, T_1G + 165, 1, GMS_PRIVATE);
	assert_false(job_order(&gate, &rig, &a, &b));
	mirror_fini(other);
	free(other);
	fini_mirror(&rig);
}

/* Rules 18 and 34: faults and pins are answered while a listener is called. */
static void rule_18_faults_are_answered_beside_a_listener(void **unused)
{
	int (*const calls[])(struct job * job) = {job_fault, job_pin, job_allocate, job_punch};
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
		const enum gms_shareability to = i % 2 ? GMS_SHARED : GMS_PRIVATE;
		struct job a, b;
		struct gate gate;
		struct rig rig;

		init_mirror(&rig, 0, T_1G, 8, 0);
		assert_int_equal(mirror_register(&mirror), 0);
		if (to == GMS_SHARED)
			rig_convert(&rig, 65, 1, GMS_PRIVATE);
		close_listener(&gate, &rig, 64);
		a = job_of_convert(&rig, 65, 1, to);
		b = job_of(&rig, calls[i / 2], 99, 1);
		/* a hole takes a convert lock, and waits */
		assert_int_equal(job_order(&gate, &rig, &a, &b), calls[i / 2] == job_punch);
		assert_int_equal(a.ret, 0);
		assert_int_equal(b.ret, 0);
		if (calls[i / 2] == job_pin)
			gms_unpin(rig.state, 99, 1);
		fini_mirror(&rig);
	}
}

/*
 * Rule 12: a conversion finds a pin that comes after the withdrawal of VFIO and before the lock.
 */
static void rule_12_a_pin_beside_a_withdrawal_is_found(void **unused)
{
	struct job a, b;
	struct gate gate;
	struct rig rig;

	(void)unused;
	init_mirror(&rig, 0, T_1G, 8, 0);
	mirror.pins = true;
	assert_int_equal(mirror_register(&mirror), 0);
	close_listener(&gate, &rig, 64);
	a = job_of_convert(&rig, 65, 5, GMS_PRIVATE);
	b = job_of(&rig, job_pin, 68, 1);
	job_start(&a);
	gate_await(&gate, 1);
	job_start(&b);
	assert_int_equal(job_join(&b), 0);
	gate_open(&gate);
	assert_int_equal(job_join(&a), -EAGAIN);
	gate_fini(&gate, &rig);
	assert_int_equal(a.err_index, 68);
	gms_unpin(rig.state, 68, 1);
	mirror_check(&mirror);
	assert_int_equal(gms_count(rig.state, 0, NR_PAGES, GMS_PRIVATE), 0);
	fini_mirror(&rig);
}

/* ---- registering and unregistering ---- */

/* Rule 35: registering waits for the conversion under way, and notifies of the state after it. */
static void rule_35_registering_waits_for_a_conversion(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		struct mirror_job b;
		struct gate gate;
		struct rig rig;
		struct job a;

		init_mirror(&rig, 0, NR_PAGES, 8, 0);
		if (i)
			rig_convert(&rig, 65, T_1G, GMS_PRIVATE);
		gate_close(&gate, &rig, SIM_APPLY, GATE_ANYWHERE);
		a = job_of_convert(&rig, 65, T_1G, i ? GMS_SHARED : GMS_PRIVATE);
		b = job_of_mirror(&rig, job_register);
		assert_true(job_order(&gate, &rig, &a, &b.job));
		assert_int_equal(a.ret, 0);
		assert_int_equal(b.job.ret, 0);
		fini_mirror(&rig);
	}
}

/*
 * Rule 35: a conversion in any shard waits for registering and for unregistering. It notifies a
 * new listener, and not one that is gone.
 */
static void rule_35_a_conversion_waits_for_registering(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		struct mirror_job a;
		struct gate gate;
		struct rig rig;
		struct job b;

		init_mirror(&rig, 64, T_1G, 64, i & 1 ? GMS_LISTENER_CONCURRENT : 0);
		if (i & 2)
			assert_int_equal(mirror_register(&mirror), 0);
		close_listener(&gate, &rig, 64);
		a = job_of_mirror(&rig, i & 2 ? job_unregister : job_register);
		b = job_of_convert(&rig, T_1G + 10, 10, GMS_PRIVATE);
		mirror_forget(&mirror);
		assert_true(job_order(&gate, &rig, &a.job, &b));
		assert_int_equal(a.job.ret, 0);
		assert_int_equal(b.ret, 0);
		assert_int_equal(mirror.nr_events, i & 2 ? T_1G / 64 : T_1G / 64 + 1);
		mirror.arg = NULL;
		fini_mirror(&rig);
	}
}

/* Rule 35: unregistering waits for the call under way. No call comes afterwards. */
static void rule_35_unregistering_waits_for_a_call(void **unused)
{
	struct mirror_job b;
	struct gate gate;
	struct rig rig;
	struct job a;

	(void)unused;
	init_mirror(&rig, 0, NR_PAGES, 64, GMS_LISTENER_CONCURRENT | GMS_LISTENER_CAN_SPLIT);
	assert_int_equal(mirror_register(&mirror), 0);
	close_listener(&gate, &rig, T_1G);
	a = job_of_convert(&rig, T_1G + 10, 10, GMS_PRIVATE);
	b = job_of_mirror(&rig, job_unregister);
	assert_true(job_order(&gate, &rig, &a, &b.job));
	assert_int_equal(a.ret, 0);
	assert_int_equal(b.job.ret, 0);
	assert_int_equal(rig_stats(&rig).listeners, 0);
	fini_mirror(&rig);
}

/* ---- random calls ---- */

#define MANY_PAGES (17 * T_1G)
#define NR_THREADS 3
#define NR_MIRRORS 6

struct field {
	struct rig rig;
	struct mirror_plan plan;
	struct mirror mirror[NR_MIRRORS];
	bool refusals;
	_Atomic unsigned int threads;
	_Atomic uint64_t converted, refused, pinned;
};

static struct field field;

/*
 * Draws a page near one of four places, so that threads meet: in two blocks of one shard, and at
 * the edge of another block.
 */
static uint64_t any_page(struct prng *prng)
{
	static const uint64_t places[] = {0, T_1G - 2 * T_2M, T_1G, 16 * T_1G};

	return places[prng_below(prng, ARRAY_SIZE(places))] + prng_below(prng, T_2M + 99);
}

static const char *convert_any(struct prng *prng)
{
	const enum gms_shareability to = prng_chance(prng, 50) ? GMS_PRIVATE : GMS_SHARED;
	const uint64_t start = any_page(prng);
	uint64_t nr_pages = 1 + prng_below(prng, prng_chance(prng, 80) ? 40 : 3 * T_2M);
	unsigned int flags;
	int rc;

	if (nr_pages > MANY_PAGES - start)
		nr_pages = MANY_PAGES - start;
	flags = prng_chance(prng, 30) ? GMS_CONVERT_RESUMABLE : 0;
	while ((rc = gms_convert(field.rig.state, start, nr_pages, to, flags, NULL)) == -EPERM)
		test_nap(); /* until the object is thawed */
	if (!rc)
		atomic_fetch_add_explicit(&field.converted, 1, memory_order_relaxed);
	else if (rc == -EAGAIN && to == GMS_PRIVATE)
		atomic_fetch_add_explicit(&field.pinned, 1, memory_order_relaxed);
	else if (rc == -ENXIO)
		atomic_fetch_add_explicit(&field.refused, 1, memory_order_relaxed);
	else if (rc != -ENOTRECOVERABLE)
		return "a conversion returned an unexpected error";
	return NULL;
}

static void run_worker(struct worker *worker)
{
	struct gms_state *s = field.rig.state;
	uint64_t i, pinned = UINT64_MAX;
	struct prng prng;

	prng_init(&prng, test_seed() + worker->number * 7919);
	for (i = 0; i < worker->rounds && !worker->why; i++) {
		const uint64_t at = any_page(&prng), what = prng_below(&prng, 20);
		struct gms_fault fault;

		if (what < 14) {
			worker->why = convert_any(&prng);
		} else if (what < 16) {
			(void)rig_fault(&field.rig, at, what % 2 ? GMS_GUEST : GMS_HOST, &fault);
		} else if (pinned == UINT64_MAX) {
			if (!gms_pin(s, at, 1, NULL))
				pinned = at;
		} else {
			if (gms_is_private(s, pinned))
				worker->why = "a pinned page is private";
			gms_unpin(s, pinned, 1);
			pinned = UINT64_MAX;
		}
	}
	if (pinned != UINT64_MAX)
		gms_unpin(s, pinned, 1);
	atomic_fetch_sub(&field.threads, 1);
}

/* Freezes the object, and checks that all mirrors are exact. */
static const char *check_frozen(void)
{
	const char *why = NULL, *reason = "";
	unsigned int i;

	if (gms_freeze(field.rig.state))
		return "cannot freeze";
	for (i = 0; !why && i < NR_MIRRORS; i++) {
		if (field.mirror[i].live)
			why = mirror_differs(&field.mirror[i]);
	}
	if (!why && !gms_state_verify(field.rig.state, &reason))
		why = reason;
	sim_forget(field.rig.sim);
	if (gms_thaw(field.rig.state))
		return "cannot thaw";
	return why;
}

/* Registers and unregisters mirrors, and checks them, while there are other threads. */
static void run_listeners(struct worker *worker)
{
	struct prng prng;
	uint64_t i;

	prng_init(&prng, test_seed());
	for (i = 0; !worker->why && atomic_load(&field.threads); i++) {
		struct mirror *m = &field.mirror[1 + prng_below(&prng, NR_MIRRORS - 1)];

		/*
		 * Beside refusals the mirrors stay registered. listener_replay.c tests refused
		 * registrations.
		 */
		if (!field.refusals && (m->live ? mirror_unregister(m) : mirror_register(m)))
			worker->why = "a listener cannot be registered or unregistered";
		else if (i % 16 == 0 || field.refusals)
			worker->why = check_frozen();
		if (field.refusals)
			test_nap();
	}
}

static void init_field(bool refusals)
{
	/* blocks 0 and 1; their edge; blocks 0 and 16, which share a shard; the last one pins */
	const struct {
		uint64_t start, nr_pages, granule;
		unsigned int flags;
	} places[NR_MIRRORS] = {
		{0, T_1G + 4 * T_2M, T_2M, GMS_LISTENER_CAN_SPLIT},
		{0, T_1G + 4 * T_2M, 2 * T_2M, GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT},
		{T_1G - T_2M, 2 * T_2M, 8, 0},
		{0, 2 * T_2M, 1, GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT},
		{16 * T_1G, 2 * T_2M, 2, GMS_LISTENER_CONCURRENT},
		{T_1G - 2 * T_2M, 4 * T_2M, 16, GMS_LISTENER_CAN_SPLIT},
	};
	const struct rig_opts opts = {.nr_pages = MANY_PAGES, .folio_order = GMS_ORDER_2M};
	unsigned int i;

	memset(&field, 0, sizeof(field));
	rig_init(&field.rig, &opts);
	for (i = 0; i < NR_MIRRORS; i++)
		mirror_init(&field.mirror[i], &field.rig, &field.plan, places[i].start,
			    places[i].nr_pages, places[i].granule, places[i].flags);
	field.mirror[NR_MIRRORS - 1].pins = true;
	for (i = 0; i < NR_MIRRORS; i++)
		assert_int_equal(mirror_register(&field.mirror[i]), 0);
	field.refusals = refusals;
	/* Fifty calls in a row fail, of changes and of undos. The test repairs the quarantines. */
	if (refusals)
		plan_refuse_undo(&field.plan, test_iters(500), test_iters(500) + 50, -ENXIO,
				 DONE_HALF);
}

static void repair_field(void)
{
	uint64_t block, at;

	for (block = 0; block < 17 && rig_stats(&field.rig).quarantined_pages; block++) {
		for (at = block * T_1G; at < (block + 1) * T_1G; at++)
			if (gms_is_quarantined(field.rig.state, at))
				rig_repair(&field.rig, at, 1, GMS_SHARED);
	}
}

static void run_field(bool refusals)
{
	static struct worker workers[NR_THREADS + 1];
	unsigned int i;

	init_field(refusals);
	memset(workers, 0, sizeof(workers));
	atomic_store(&field.threads, NR_THREADS);
	for (i = 0; i <= NR_THREADS; i++) {
		workers[i].run = i < NR_THREADS ? run_worker : run_listeners;
		workers[i].number = i;
		workers[i].rounds = test_iters(3000);
	}
	workers_run(workers, NR_THREADS + 1);
	plan_refuse_none(&field.plan);
	sim_forget(field.rig.sim);
	rig_check(&field.rig);
	if (refusals)
		assert_true(field.plan.refused[1] > 0);
	repair_field();
	sim_forget(field.rig.sim);
	for (i = 0; i < NR_MIRRORS; i++) {
		mirror_check(&field.mirror[i]);
		if (field.mirror[i].live)
			assert_int_equal(mirror_unregister(&field.mirror[i]), 0);
		mirror_check(&field.mirror[i]);
		mirror_fini(&field.mirror[i]);
	}
	print_message("%llu conversions, %llu pinned, %llu refused\n",
		      (unsigned long long)field.converted, (unsigned long long)field.pinned,
		      (unsigned long long)field.refused);
	assert_true(field.converted > 0);
	assert_true(!refusals || field.refused > 0);
	assert_int_equal(rig_stats(&field.rig).listeners, 0);
	rig_fini(&field.rig);
}

/*
 * Rules 19, 34 and 35: listeners are exact beside conversions and registrations in other threads.
 */
static void rule_35_listeners_are_exact_beside_conversions(void **unused)
{
	(void)unused;
	run_field(false);
}

/* Rules 16 and 39: listeners are exact after some of them have refused. */
static void rule_16_listeners_are_exact_after_refusals(void **unused)
{
	(void)unused;
	run_field(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_34_calls_are_serialised_unless_concurrent),
		cmocka_unit_test(rule_19_listeners_do_not_wait_for_each_other),
		cmocka_unit_test(rule_18_faults_are_answered_beside_a_listener),
		cmocka_unit_test(rule_12_a_pin_beside_a_withdrawal_is_found),
		cmocka_unit_test(rule_35_registering_waits_for_a_conversion),
		cmocka_unit_test(rule_35_a_conversion_waits_for_registering),
		cmocka_unit_test(rule_35_unregistering_waits_for_a_call),
		cmocka_unit_test(rule_35_listeners_are_exact_beside_conversions),
		cmocka_unit_test(rule_16_listeners_are_exact_after_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
