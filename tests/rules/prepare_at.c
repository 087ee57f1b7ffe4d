// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * prepare_at.c - proves that a block that was prepared in smaller parts is inhibited
 *
 * Tests rules 7, 14, 21 and 37.
 *
 * A prepare hook that returns GMS_PREPARED_AT() inhibits the block, as gms_inhibit() would. Tests
 * compare the snapshots of two objects. The hook does this under the shared invalidate lock:
 * beside other faults, and beside calls that look at inhibits before they have the exclusive
 * lock. snapshot/threads.c tests saving beside such faults, and attr.c tests gms_inhibit().
 */
#include <limits.h>

#include "gate.h"
#include "snap.h"
#include "threads.h"

#define NR_PAGES (T_1G + 8 * T_2M)
#define AT_4K GMS_PREPARED_AT(GMS_ORDER_4K)
#define AT_2M GMS_PREPARED_AT(GMS_ORDER_2M)

/* What the hook returns: for the block at an index, or for all. */
#define ANY UINT64_MAX
static struct {
	int (*prepare)(void *ctx, gms_pgoff_t start, unsigned int order); /* the simulation's */
	int ret;
	gms_pgoff_t only; /* the hook returns 0 for other blocks */
	int (*ret_of)(gms_pgoff_t start); /* if set, it decides instead */
} hook;

static int prepare_at(void *ctx, gms_pgoff_t start, unsigned int order)
{
	int ret = hook.ret;

	if (hook.ret_of)
		ret = hook.ret_of(start);
	else if (hook.only != ANY && hook.only != start)
		ret = 0;
	if (ret < 0)
		return ret;
	return hook.prepare(ctx, start, order) ? -EFAULT : ret;
}

static void tune(struct gms_backend_ops *ops)
{
	hook.prepare = ops->prepare;
	ops->prepare = prepare_at;
}

static void answer(int ret, gms_pgoff_t only)
{
	hook.ret = ret;
	hook.only = only;
	hook.ret_of = NULL;
}

static void rig_private(struct rig *rig, unsigned int folio_order)
{
	const struct rig_opts opts = {
		.nr_pages = NR_PAGES,
		.folio_order = folio_order,
		.init_private = true,
		.policy = &rig_never_splits,
		.tune = tune,
	};

	answer(0, ANY);
	rig_init(rig, &opts);
}

static void saves_alike(const struct gms_state *a, const struct gms_state *b)
{
	struct snap one, other;

	snap_save(&one, a);
	snap_save(&other, b);
	assert_true(snap_same(&one, &other));
	snap_fini(&one);
	snap_fini(&other);
}

/* Checks that the object saves as one of private pages with this inhibit. */
static void is_inhibited(const struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
			 unsigned int order)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *other;

	opts.nr_pages = rig->nr_pages;
	opts.folio_order = gms_folio_order(rig->state, 0);
	opts.flags = GMS_INIT_PRIVATE;
	assert_int_equal(gms_state_create(&opts, &other), 0);
	if (nr_pages)
		assert_int_equal(gms_inhibit(other, start, nr_pages, order), 0);
	saves_alike(rig->state, other);
	gms_state_destroy(other);
}

static void is_prepared(const struct rig *rig, gms_pgoff_t start, uint64_t nr_pages, bool prepared)
{
	for (gms_pgoff_t i = start; i < start + nr_pages; i++)
		assert_int_equal(gms_is_prepared(rig->state, i), prepared);
}

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* ---- one thread ---- */

static void prepared_at(unsigned int folio_order, unsigned int limit)
{
	const gms_pgoff_t start = folio_order < GMS_ORDER_1G ? 3ULL << folio_order : 0;
	const unsigned int order = smaller(folio_order, limit);
	struct gms_fault fault;
	struct rig rig;

	rig_private(&rig, folio_order);
	answer(GMS_PREPARED_AT(limit), ANY);
	assert_int_equal(gms_fault_begin(rig.state, start, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.max_order, folio_order);
	assert_false(fault.prepared);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_true(fault.prepared);
	assert_int_equal(fault.max_order, order);
	assert_int_equal(sim_map(rig.sim, start, fault.max_order, GMS_GUEST), 0);
	gms_fault_end(rig.state, &fault);
	is_prepared(&rig, start, 1ULL << folio_order, true);
	is_inhibited(&rig, start, 1ULL << folio_order, limit);
	/* No mapping was zapped. */
	rig_expect_calls(&rig, 1U << SIM_FOLIO_ALLOC, PREPARE(start, folio_order));
	/* Later faults in the block get no larger max_order, and prepare nothing. */
	rig_faults(&rig, start, GMS_GUEST, folio_order, order);
	rig_faults(&rig, start + (1ULL << folio_order) - 1, GMS_GUEST, folio_order, order);
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 1);
	assert_int_equal(rig_stats(&rig).prepares, 1);
	/* After gms_uninhibit() the block can be mapped as one. */
	assert_int_equal(gms_uninhibit(rig.state, 0, NR_PAGES), 0);
	is_inhibited(&rig, 0, 0, 0);
	rig_faults(&rig, start, GMS_GUEST, folio_order, folio_order);
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 1);
	rig_fini(&rig);
}

static void a_block_prepared_in_parts_is_inhibited(void **unused)
{
	(void)unused;
	for (unsigned int order = 0; order <= GMS_ORDER_1G; order += GMS_ORDER_2M) {
		prepared_at(order, GMS_ORDER_4K);
		prepared_at(order, GMS_ORDER_2M);
	}
}

/* The inhibit caps other pages of its 2M and its 1G. */
static void other_pages_of_the_block_are_capped(void **unused)
{
	struct rig_opts opts = {.nr_pages = NR_PAGES, .init_private = true, .tune = tune};
	struct gms_fault fault;
	unsigned int id, order;
	struct rig rig;

	(void)unused;
	opts.folio_order = GMS_ORDER_1G;
	opts.policy = &rig_never_splits;
	answer(0, ANY);
	rig_init(&rig, &opts);
	assert_int_equal(gms_bind(rig.state, 2 * T_1G, 0, NR_PAGES, &id), 0);
	/*
	 * A page that differs in an attribute is prepared alone. Of the other blocks, one returns
	 * AT_4K.
	 */
	assert_int_equal(gms_attr_create(rig.state, &id), 0);
	assert_int_equal(gms_attr_set(rig.state, id, 7, 1, true), 0);
	rig_faults(&rig, 7, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	assert_int_equal(gms_attr_set(rig.state, id, 7, 1, false), 0);
	answer(AT_4K, 3 * T_2M);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_1G);
	assert_int_equal(gms_fault_prepare(rig.state, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	assert_true(fault.prepared);
	gms_fault_end(rig.state, &fault);
	is_prepared(&rig, 0, T_1G, true);
	assert_int_equal(rig_stats(&rig).prepares, T_2M + T_FANOUT - 1);
	rig_faults(&rig, 3 * T_2M + 9, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_faults(&rig, 4 * T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	assert_int_equal(gms_gfn_max_order(rig.state, 2 * T_1G + 3 * T_2M, &order), 0);
	assert_int_equal(order, GMS_ORDER_4K);
	assert_int_equal(gms_gfn_max_order(rig.state, 2 * T_1G + 4 * T_2M, &order), 0);
	assert_int_equal(order, GMS_ORDER_2M);
	/* The second 1G is not capped. */
	rig_faults(&rig, T_1G + 9, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* Rule 37: a snapshot holds the inhibit that a prepare hook has set. */
static void a_snapshot_holds_the_inhibit(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *loaded;
	struct gms_fault fault;
	struct snap snap;
	struct rig rig;

	(void)unused;
	rig_private(&rig, GMS_ORDER_1G);
	answer(AT_2M, ANY);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	snap_save(&snap, rig.state);
	assert_int_equal(gms_snapshot_load(snap.data, snap.size, &opts, &loaded), 0);
	assert_int_equal(gms_fault_begin(loaded, 5, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	assert_false(fault.prepared);
	gms_fault_end(loaded, &fault);
	saves_alike(loaded, rig.state);
	gms_state_destroy(loaded);
	snap_fini(&snap);
	rig_fini(&rig);
}

/* Another positive value counts as -EIO. A negative one is returned. */
static void other_positive_values_are_errors(void **unused)
{
	static const int wrong[] = {1,         GMS_ORDER_2M,        GMS_ORDER_1G,
				    AT_4K - 1, AT_4K + 1,           AT_2M - 1,
				    AT_2M + 1, GMS_PREPARED_AT(18), INT_MAX};
	static const int errors[] = {-EIO, -ENOMEM, -EBUSY, -AT_4K, -AT_2M};
	struct gms_fault fault;
	struct rig rig;
	size_t i;

	(void)unused;
	rig_private(&rig, GMS_ORDER_2M);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), 0);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		answer(errors[i], ANY);
		assert_int_equal(gms_fault_prepare(rig.state, &fault), errors[i]);
		assert_false(fault.prepared);
	}
	assert_int_equal(rig_stats(&rig).refused_backend, ARRAY_SIZE(errors) - 1);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		answer(wrong[i], ANY);
		assert_int_equal(gms_fault_prepare(rig.state, &fault), -EIO);
		assert_false(fault.prepared);
		assert_int_equal(fault.max_order, GMS_ORDER_2M);
	}
	gms_fault_end(rig.state, &fault);
	is_prepared(&rig, 0, T_2M, false);
	is_inhibited(&rig, 0, 0, 0);
	assert_int_equal(rig_stats(&rig).prepares, 0);
	/* The simulation has prepared the block, and may prepare it again. */
	answer(0, ANY);
	rig_faults(&rig, 5, GMS_GUEST, GMS_ORDER_2M, GMS_ORDER_2M);
	rig_fini(&rig);
}

/* ---- without memory ---- */

/* Rule 14: each allocation of gms_fault_prepare() fails in turn, and nothing is left half done. */
static void prepare_without_memory(unsigned int folio_order, unsigned int limit)
{
	const unsigned int order = smaller(folio_order, limit);
	uint64_t skip, failed = 0, prepares;
	struct gms_fault fault;
	struct rig rig;
	int ret = -1;

	rig_private(&rig, folio_order);
	answer(GMS_PREPARED_AT(limit), ANY);
	for (skip = 0; ret; skip++) {
		assert_int_equal(gms_fault_begin(rig.state, 5, GMS_GUEST, &fault), 0);
		assert_int_equal(fault.max_order, folio_order);
		rig_forget(&rig);
		talloc_fail(&rig.talloc, skip, 1);
		ret = gms_fault_prepare(rig.state, &fault);
		talloc_fail_never(&rig.talloc);
		/* The hook is called once at most. */
		prepares = rig_count(&rig, 1U << SIM_PREPARE);
		assert_true(ret ? prepares <= 1 : prepares == 1);
		assert_int_equal(fault.prepared, !ret);
		assert_int_equal(fault.max_order, ret ? folio_order : order);
		gms_fault_end(rig.state, &fault);
		if (!ret)
			break;
		failed++;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(rig_stats(&rig).refused_nomem, failed);
		assert_int_equal(rig_stats(&rig).prepares, 0);
		is_prepared(&rig, 0, T_2M, false);
		is_inhibited(&rig, 0, 0, 0);
		/* the simulation has prepared the pages: reset it, so that both agree */
		assert_int_equal(sim_set(rig.sim, 0, NR_PAGES, GMS_PRIVATE), 0);
	}
	assert_int_equal(rig.talloc.failed, failed);
	/* An inhibit of a whole 1G needs no memory. */
	assert_int_equal(failed != 0, folio_order != GMS_ORDER_1G);
	is_inhibited(&rig, 5 >> folio_order << folio_order, 1ULL << folio_order, limit);
	rig_fini(&rig);
}

static void rule_14_prepare_without_memory_changes_nothing(void **unused)
{
	(void)unused;
	for (unsigned int order = 0; order <= GMS_ORDER_1G; order += GMS_ORDER_2M) {
		prepare_without_memory(order, GMS_ORDER_4K);
		prepare_without_memory(order, GMS_ORDER_2M);
	}
}

/* ---- several threads ---- */

/* Two folios of a 2M block are prepared. The other pages of the block are inhibited already. */
static void two_folios_are_prepared_at_the_same_time(void **unused)
{
	struct job jobs[2];
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_private(&rig, GMS_ORDER_4K);
	assert_int_equal(gms_inhibit(rig.state, T_2M, T_2M - 1, GMS_ORDER_4K), 0);
	answer(AT_4K, ANY);
	gate_close(&gate, &rig, SIM_PREPARE, GATE_ANYWHERE);
	jobs[0] = job_of_fault(&rig, 2 * T_2M - 2, GMS_GUEST);
	jobs[1] = job_of_fault(&rig, 2 * T_2M - 1, GMS_GUEST);
	job_start(&jobs[0]);
	job_start(&jobs[1]);
	gate_await(&gate, 2);
	gate_open(&gate);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_join(&jobs[i]), 0);
		assert_int_equal(jobs[i].fault.max_order, GMS_ORDER_4K);
		assert_true(jobs[i].fault.prepared);
	}
	gate_fini(&gate, &rig);
	is_inhibited(&rig, T_2M, T_2M, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Two faults in one folio prepare it once. The second fault waits, and is capped as well. */
static void one_folio_is_prepared_once(void **unused)
{
	struct job jobs[2];
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_private(&rig, GMS_ORDER_1G);
	answer(AT_2M, ANY);
	gate_close(&gate, &rig, SIM_PREPARE, GATE_ANYWHERE);
	jobs[0] = job_of_fault(&rig, 5, GMS_GUEST);
	jobs[1] = job_of_fault(&rig, 4 * T_2M, GMS_GUEST);
	assert_true(job_order(&gate, &rig, &jobs[0], &jobs[1]));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jobs[i].ret, 0);
		assert_int_equal(jobs[i].fault.max_order, GMS_ORDER_2M);
		assert_true(jobs[i].fault.prepared);
	}
	assert_int_equal(rig_count(&rig, 1U << SIM_PREPARE), 1);
	is_inhibited(&rig, 0, T_1G, GMS_ORDER_2M);
	rig_fini(&rig);
}

/*
 * gms_inhibit() and gms_uninhibit() look at inhibits before they have the lock. Then an open
 * fault inhibits its block. The calls must still act on their whole range.
 */
static int job_uninhibit(struct job *job)
{
	return gms_uninhibit(job->rig->state, job->start, job->nr_pages);
}

static int job_inhibit_4k(struct job *job)
{
	return gms_inhibit(job->rig->state, job->start, job->nr_pages, GMS_ORDER_4K);
}

static void prepare_beside(struct rig *rig, int (*run)(struct job *job), gms_pgoff_t start,
			   uint64_t nr_pages)
{
	struct job job = job_of(rig, run, start, nr_pages);
	struct gms_fault fault;

	answer(AT_4K, ANY);
	assert_int_equal(gms_fault_begin(rig->state, 5, GMS_GUEST, &fault), 0);
	job_start(&job);
	(void)job_waits(&job);
	assert_int_equal(gms_fault_prepare(rig->state, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_4K);
	gms_fault_end(rig->state, &fault);
	assert_int_equal(job_join(&job), 0);
	rig_check(rig);
}

static void inhibit_calls_see_a_prepare_beside_them(void **unused)
{
	struct rig rig;

	(void)unused;
	/* the block is inhibited to 2M before, and to 4K by the fault */
	rig_private(&rig, GMS_ORDER_2M);
	assert_int_equal(gms_inhibit(rig.state, 3, 1, GMS_ORDER_2M), 0);
	prepare_beside(&rig, job_uninhibit, 0, T_2M);
	is_inhibited(&rig, 0, 0, 0);
	rig_fini(&rig);
	/* only a part of the block is lifted */
	rig_private(&rig, GMS_ORDER_2M);
	assert_int_equal(gms_inhibit(rig.state, 100, 1, GMS_ORDER_2M), 0);
	prepare_beside(&rig, job_uninhibit, 100, T_2M);
	is_inhibited(&rig, 0, 100, GMS_ORDER_4K);
	rig_fini(&rig);
	/* first there are many runs to inhibit, and after the fault there is one */
	rig_private(&rig, GMS_ORDER_2M);
	for (gms_pgoff_t i = 0; i < 64; i += 2)
		assert_int_equal(gms_inhibit(rig.state, T_2M + i, 1, GMS_ORDER_4K), 0);
	rig_forget(&rig);
	prepare_beside(&rig, job_inhibit_4k, 0, 2 * T_2M);
	is_inhibited(&rig, 0, 2 * T_2M, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* ---- many faults ---- */

#define NR_BLOCKS 1024
#define NR_THREADS 3

/* Returns 0, AT_4K and AT_2M in turn, by the number of the 2M block. */
static int by_number(gms_pgoff_t start)
{
	static const int ret[] = {0, AT_4K, AT_2M};

	return ret[(start >> GMS_ORDER_2M) % 3];
}

static const char *prepare_all(struct rig *rig)
{
	struct gms_fault fault;
	int ret;

	for (gms_pgoff_t at = 0; at < NR_BLOCKS * T_2M; at += T_2M) {
		const unsigned int order = by_number(at) == AT_4K ? GMS_ORDER_4K : GMS_ORDER_2M;

		do { /* until a thread has prepared the block */
			ret = gms_fault_begin(rig->state, at + 7, GMS_GUEST, &fault);
			if (ret)
				return "gms_fault_begin() failed";
			if (fault.prepared && fault.max_order != order)
				return "the max_order of a prepared block is too large";
			if (!fault.prepared)
				ret = gms_fault_prepare(rig->state, &fault);
			gms_fault_end(rig->state, &fault);
		} while (!ret && !fault.prepared);
		if (ret || fault.max_order != order)
			return "a fault failed, or had another order";
	}
	return NULL;
}

static _Atomic bool gave_up; /* a worker has failed, so that no thread waits for it */

static void work_on_all(struct worker *worker)
{
	worker->why = prepare_all(worker->shared);
	if (worker->why)
		atomic_store(&gave_up, true);
}

/* Checks that a fault that finds a block prepared finds its inhibit, too. */
static void watch_all(struct worker *worker)
{
	struct rig *rig = worker->shared;
	struct gms_fault fault;

	for (gms_pgoff_t at = 0; at < NR_BLOCKS * T_2M; at += T_2M) {
		do {
			worker_expect(worker,
				      !gms_fault_begin(rig->state, at + 9, GMS_GUEST, &fault),
				      "gms_fault_begin() failed");
			gms_fault_end(rig->state, &fault);
			worker_expect(worker,
				      !fault.prepared || by_number(at) != AT_4K ||
					      fault.max_order == GMS_ORDER_4K,
				      "the max_order of a prepared block is too large");
		} while (!fault.prepared && !atomic_load(&gave_up));
	}
}

static void threads_prepare_each_block_once(void **unused)
{
	struct rig_opts opts = {.nr_pages = NR_BLOCKS * T_2M, .init_private = true, .tune = tune};
	struct worker workers[NR_THREADS + 1];
	struct rig rig;
	unsigned int i;

	(void)unused;
	opts.folio_order = GMS_ORDER_2M;
	rig_init(&rig, &opts);
	hook.ret_of = by_number;
	memset(workers, 0, sizeof(workers));
	for (i = 0; i <= NR_THREADS; i++) {
		workers[i].run = i < NR_THREADS ? work_on_all : watch_all;
		workers[i].shared = &rig;
	}
	workers_run(workers, NR_THREADS + 1);
	/* Each block counts as prepared once, although the hook may be called again for it. */
	assert_int_equal(rig_stats(&rig).prepares, NR_BLOCKS);
	for (gms_pgoff_t at = 0; at < NR_BLOCKS * T_2M; at += T_2M)
		rig_faults(&rig, at + 3, GMS_GUEST, GMS_ORDER_2M,
			   by_number(at) == AT_4K ? GMS_ORDER_4K : GMS_ORDER_2M);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_prepared_in_parts_is_inhibited),
		cmocka_unit_test(other_pages_of_the_block_are_capped),
		cmocka_unit_test(a_snapshot_holds_the_inhibit),
		cmocka_unit_test(other_positive_values_are_errors),
		cmocka_unit_test(rule_14_prepare_without_memory_changes_nothing),
		cmocka_unit_test(two_folios_are_prepared_at_the_same_time),
		cmocka_unit_test(one_folio_is_prepared_once),
		cmocka_unit_test(inhibit_calls_see_a_prepare_beside_them),
		cmocka_unit_test(threads_prepare_each_block_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
