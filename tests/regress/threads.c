// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * threads.c - bugs that were found by review, those between threads
 *
 * Where a hook lies in the window the interleaving is made. Where none does, in the commit, a
 * reader spins beside a writer: what it asserts holds at any timing.
 */
#include "threads.h"
#include "gate.h"

/* ---- made: a thread is held in a hook ---- */

/*
 * Rule 28 was broken: a fault is answered with 2M, another fault splits the folio, and only then
 * the first one is mapped.
 */
static void a_mapping_is_made_after_the_split(void **unused)
{
	const struct rig_opts opts = {
		.nr_pages = T_1G,
		.folio_order = GMS_ORDER_2M,
		.policy = gms_policy_eager(),
	};
	struct gms_fault fault;
	struct job splitter;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &opts);
	assert_int_equal(sim_pin(rig.sim, 100, 1), 0);
	assert_int_equal(gms_fault_begin(rig.state, 0, GMS_HOST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_2M);
	assert_int_equal(sim_unpin(rig.sim, 100, 1), 0);
	splitter = job_of_fault(&rig, 7, GMS_HOST);
	job_start(&splitter);
	assert_int_equal(job_join(&splitter), 0);
	assert_int_equal(splitter.fault.folio_order, GMS_ORDER_4K);
	assert_int_equal(sim_map(rig.sim, 0, fault.max_order, GMS_HOST), 0);
	gms_fault_end(rig.state, &fault);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_true(rig_covered(&rig, SIM_UNMAP_HOST, 0, T_2M));
	rig_fini(&rig);
}

/* ---- awaited: a reader spins ---- */

struct beside {
	struct gms_state *state;
	_Atomic bool stopped; /* the writer */
};

/* A private object of one 1G folio, which eager splits to 4K and merges in one step each. */
static void run_beside(void (*writer)(struct worker *), void (*reader)(struct worker *),
		       uint64_t rounds)
{
	struct worker workers[] = {{.run = writer, .rounds = rounds},
				   {.run = reader, .rounds = rounds}};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct beside beside;
	struct gms_fault fault;

	opts.nr_pages = T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_1G;
	opts.policy = gms_policy_eager();
	assert_int_equal(gms_state_create(&opts, &beside.state), 0);
	assert_int_equal(gms_fault_begin(beside.state, 0, GMS_GUEST, &fault), 0);
	assert_int_equal(gms_fault_prepare(beside.state, &fault), 0);
	gms_fault_end(beside.state, &fault);
	atomic_init(&beside.stopped, false);
	workers[0].shared = workers[1].shared = &beside;
	workers_run(workers, ARRAY_SIZE(workers));
	gms_state_destroy(beside.state);
}

/* Each page once, and never back. */
static void share_page_by_page(struct worker *worker)
{
	struct beside *beside = worker->shared;
	int rc = 0;

	for (uint64_t i = 0; i < worker->rounds && !rc; i++)
		rc = gms_convert(beside->state, i, 1, GMS_SHARED, 0, NULL);
	atomic_store(&beside->stopped, true);
	worker_expect(worker, !rc, "a conversion failed");
}

static void watch_prepared(struct worker *worker)
{
	struct beside *beside = worker->shared;
	uint64_t i = 0;

	while (i < worker->rounds && !atomic_load(&beside->stopped)) {
		const bool private = gms_is_private(beside->state, i);
		const bool prepared = gms_is_prepared(beside->state, i);

		worker_expect(worker, private || !prepared,
			      "a page is shared already, and prepared still");
		i += !private;
	}
}

/* Rule 7 was broken: a page became shared first, and lost PREPARED after that. */
static void nothing_shared_is_prepared(void **unused)
{
	const uint64_t rounds = test_iters(T_1G);
	int i;

	(void)unused;
	for (i = 0; i < 6; i++)
		run_beside(share_page_by_page, watch_prepared, rounds < T_1G ? rounds : T_1G);
}

static void split_and_merge(struct worker *worker)
{
	struct beside *beside = worker->shared;
	int rc = 0;

	for (uint64_t i = 0; i < worker->rounds && !rc; i++)
		rc = gms_convert(beside->state, 0, 1, i % 2 ? GMS_PRIVATE : GMS_SHARED, 0, NULL);
	atomic_store(&beside->stopped, true);
	worker_expect(worker, !rc, "a conversion failed");
}

static void watch_order(struct worker *worker)
{
	struct beside *beside = worker->shared;

	while (!atomic_load(&beside->stopped))
		worker_expect(worker, gms_folio_order(beside->state, 0) != GMS_ORDER_2M,
			      "an order that the folio never had");
}

/*
 * R1 was broken: a merge changed the record of the 1G, then that of its 2M, and a reader saw one
 * of the two.
 */
static void a_folio_has_no_order_that_it_never_had(void **unused)
{
	(void)unused;
	run_beside(split_and_merge, watch_order, test_iters(1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_is_made_after_the_split),
		cmocka_unit_test(nothing_shared_is_prepared),
		cmocka_unit_test(a_folio_has_no_order_that_it_never_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
