// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * locks.c - proves which calls wait for which, and that writers do not starve
 *
 * Tests rules 7, 17, 18 and 19, and R5. misuse.c tests calls that wait for their own thread.
 */
#include <sched.h>

#include "gate.h"

#define NR_SHARDS 16

static const struct rig_opts two_rounds = {
	.nr_pages = (NR_SHARDS + 2) * T_1G,
	.folio_order = GMS_ORDER_1G,
};

/* Rule 18: while a block is converted, faults in its shard wait, in this 1G and in others. */
static void rule_18_faults_in_the_shard_wait(void **unused)
{
	struct job convert, jobs[5];
	struct gate gate;
	struct rig rig;
	size_t i;

	(void)unused;
	rig_init(&rig, &two_rounds);
	gate_close(&gate, &rig, SIM_APPLY, 5);
	convert = job_of(&rig, job_convert, 5, 10);
	convert.to = GMS_PRIVATE;
	jobs[0] = job_of(&rig, job_fault, 7, 1);
	jobs[1] = job_of(&rig, job_fault, T_1G - 1, 1);
	jobs[2] = job_of(&rig, job_fault, NR_SHARDS * T_1G, 1);
	jobs[2].accessor = GMS_GUEST;
	jobs[3] = job_of(&rig, job_pin, 9, 1);
	jobs[4] = job_of(&rig, job_allocate, NR_SHARDS * T_1G + 9, 1);
	job_start(&convert);
	gate_await(&gate, 1);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		job_start(&jobs[i]);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_true(job_waits(&jobs[i]));
	/* A little later the fault still waits. */
	assert_true(job_waits(&jobs[0]));
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	/* The calls find the state after the conversion. */
	assert_int_equal(job_join(&jobs[0]), -EACCES);
	assert_int_equal(job_join(&jobs[1]), 0);
	assert_int_equal(job_join(&jobs[2]), 0);
	assert_int_equal(job_join(&jobs[3]), -EACCES);
	assert_int_equal(job_join(&jobs[4]), 0);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/*
 * Rule 18: while a conversion runs, faults in other shards are answered, and so are queries of
 * any page.
 */
static void rule_18_faults_in_other_shards_and_queries_do_not_wait(void **unused)
{
	struct job convert;
	struct gate gate;
	struct rig rig;
	uint64_t seq;

	(void)unused;
	rig_init(&rig, &two_rounds);
	gate_close(&gate, &rig, SIM_APPLY, 5);
	convert = job_of(&rig, job_convert, 5, 10);
	convert.to = GMS_PRIVATE;
	job_start(&convert);
	gate_await(&gate, 1);
	/* A call that waited would hang here. */
	rig_faults(&rig, T_1G + 5, GMS_HOST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_faults(&rig, 15 * T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_1G);
	rig_pin(&rig, 2 * T_1G, 5);
	gms_unpin(rig.state, 2 * T_1G, 5);
	assert_int_equal(gms_punch_hole(rig.state, 2 * T_1G, T_1G, NULL), 0);
	assert_false(gms_is_private(rig.state, 7));
	assert_int_equal(gms_summary(rig.state, 7, GMS_ORDER_1G), GMS_ALL_SHARED);
	assert_int_equal(gms_count(rig.state, 0, T_1G, GMS_PRIVATE), 0);
	seq = gms_seq_read(rig.state, 7);
	assert_int_equal(seq % 2, 1);
	assert_true(gms_seq_retry(rig.state, 7, seq));
	assert_int_equal(gms_folio_order(rig.state, 7), GMS_ORDER_1G);
	assert_false(gms_first_pin(rig.state, 0, T_1G, NULL));
	assert_false(gms_is_quarantined(rig.state, 7));
	assert_int_equal(rig_stats(&rig).conversions, 0);
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/*
 * Rule 19: conversions in disjoint shards run in parallel. In one shard they run one after the
 * other.
 */
static void rule_19_conversions_in_disjoint_shards_run_in_parallel(void **unused)
{
	struct job jobs[3];
	struct gate gate;
	struct rig rig;
	size_t i;

	(void)unused;
	rig_init(&rig, &two_rounds);
	gate_close(&gate, &rig, SIM_APPLY, GATE_ANYWHERE);
	jobs[0] = job_of(&rig, job_convert, 5, T_1G);
	jobs[1] = job_of(&rig, job_convert, 2 * T_1G, 3 * T_1G);
	jobs[2] = job_of(&rig, job_convert, (NR_SHARDS + 1) * T_1G + 9, 1);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i].to = GMS_PRIVATE;
	job_start(&jobs[0]);
	job_start(&jobs[1]);
	gate_await(&gate, 2);
	job_start(&jobs[2]);
	assert_true(job_waits(&jobs[2]));
	assert_int_equal(gate.inside, 2);
	gate_open(&gate);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_int_equal(job_join(&jobs[i]), 0);
	assert_int_equal(gms_count(rig.state, 0, rig.nr_pages, GMS_PRIVATE), 4 * T_1G + 1);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/* Rule 17: a resumable conversion releases its locks between 1G blocks. */
static void rule_17_resumable_releases_locks_between_blocks(void **unused)
{
	struct job convert;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &two_rounds);
	gate_close(&gate, &rig, SIM_APPLY, T_1G);
	convert = job_of(&rig, job_convert, 5, T_1G);
	convert.to = GMS_PRIVATE;
	convert.flags = GMS_CONVERT_RESUMABLE;
	job_start(&convert);
	gate_await(&gate, 1);
	assert_true(gms_range_is(rig.state, 5, T_1G - 5, GMS_PRIVATE));
	assert_false(gms_is_private(rig.state, T_1G));
	rig_faults(&rig, T_2M, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_2M);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/* ---- faults at the same time ---- */

/* Checks that two faults in neighbouring folios can be inside @hook at the same time. */
static void both_inside(enum sim_hook hook, enum gms_accessor accessor, bool init_private)
{
	const struct rig_opts opts = {
		.nr_pages = 2 * T_1G,
		.folio_order = GMS_ORDER_2M,
		.init_private = init_private,
	};
	struct job jobs[2];
	struct gate gate;
	struct rig rig;
	size_t i;

	rig_init(&rig, &opts);
	rig_convert(&rig, 5, 1, init_private ? GMS_SHARED : GMS_PRIVATE);
	rig_convert(&rig, T_2M + 5, 1, init_private ? GMS_SHARED : GMS_PRIVATE);
	gate_close(&gate, &rig, hook, GATE_ANYWHERE);
	for (i = 0; i < 2; i++) {
		jobs[i] = job_of(&rig, job_fault, i * T_2M, 1);
		jobs[i].accessor = accessor;
		job_start(&jobs[i]);
	}
	gate_await(&gate, 2);
	gate_open(&gate);
	assert_int_equal(job_join(&jobs[0]), 0);
	assert_int_equal(job_join(&jobs[1]), 0);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/* Rule 7: two folios can be prepared at the same time. */
static void rule_07_two_folios_are_prepared_at_the_same_time(void **unused)
{
	(void)unused;
	both_inside(SIM_PREPARE, GMS_GUEST, true);
}

/* Rule 7 and backend.h: hooks for different folios run at the same time. */
static void rule_07_two_folios_are_allocated_and_split_at_the_same_time(void **unused)
{
	(void)unused;
	both_inside(SIM_FOLIO_ALLOC, GMS_GUEST, true);
	both_inside(SIM_FOLIO_ALLOC, GMS_HOST, false);
	both_inside(SIM_FOLIO_SPLIT, GMS_HOST, false);
}

/* Rule 18: no page of the shard is converted between gms_fault_begin() and gms_fault_end(). */
static void rule_18_a_conversion_waits_for_an_open_fault(void **unused)
{
	struct job convert, other;
	struct gms_fault fault;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &two_rounds);
	assert_int_equal(gms_fault_begin(rig.state, 5, GMS_HOST, &fault), 0);
	convert = job_of(&rig, job_convert, NR_SHARDS * T_1G + 5, 1);
	convert.to = GMS_PRIVATE;
	other = job_of(&rig, job_convert, 5, 1);
	other.to = GMS_PRIVATE;
	job_start(&convert);
	assert_true(job_waits(&convert));
	job_start(&other);
	assert_true(job_waits(&other));
	assert_false(gms_is_private(rig.state, 5));
	assert_int_equal(gms_seq_read(rig.state, 5), fault.seq);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&convert), 0);
	assert_int_equal(job_join(&other), 0);
	assert_true(gms_seq_retry(rig.state, 5, fault.seq));
	rig_fini(&rig);
}

/* Rule 18 and R5: no page of the shard is converted while gms_lock_shared() is held. */
static void rule_18_a_conversion_waits_for_the_shared_lock(void **unused)
{
	struct job convert;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &two_rounds);
	assert_int_equal(gms_lock_shared(rig.state, T_1G - 1, 2), 0);
	convert = job_of(&rig, job_convert, T_1G + 5, 1);
	convert.to = GMS_PRIVATE;
	job_start(&convert);
	assert_true(job_waits(&convert));
	assert_false(gms_is_private(rig.state, T_1G + 5));
	gms_unlock_shared(rig.state, T_1G - 1, 2);
	assert_int_equal(job_join(&convert), 0);
	rig_fini(&rig);
}

/* ---- writers ---- */

#define NR_READERS 2
#define NR_HANDOVERS 1000000 /* about a second: the conversion is scheduled in that time */

struct relay {
	struct rig *rig;
	_Atomic unsigned int holding[NR_READERS];
	_Atomic bool stop;
	_Atomic unsigned int handovers;
};

struct reader {
	struct relay *relay;
	unsigned int number;
	pthread_t thread;
};

/* Holds a fault until the other reader holds one, so that the shard always has a reader. */
static void *read_in_turns(void *arg)
{
	struct reader *reader = arg;
	struct relay *relay = reader->relay;
	unsigned int other = (reader->number + 1) % NR_READERS, i;
	struct gms_fault fault;

	while (!atomic_load(&relay->stop)) {
		if (gms_fault_begin(relay->rig->state, reader->number, GMS_GUEST, &fault))
			break;
		atomic_store(&relay->holding[reader->number], 1);
		/* The other reader may be waiting behind the writer, so wait for a while only. */
		for (i = 0; i < 3000 && !atomic_load(&relay->holding[other]); i++)
			sched_yield();
		atomic_store(&relay->holding[reader->number], 0);
		gms_fault_end(relay->rig->state, &fault);
		atomic_fetch_add(&relay->handovers, 1);
	}
	return NULL;
}

/* Rule 18: a conversion gets its turn although the shard always has a reader. */
static void rule_18_writers_do_not_starve(void **unused)
{
	const struct rig_opts opts = {.nr_pages = 2 * T_1G, .folio_order = GMS_ORDER_1G};
	struct reader readers[NR_READERS];
	struct relay relay = {0};
	bool starves = false;
	struct job convert;
	struct rig rig;
	unsigned int i;

	(void)unused;
	rig_init(&rig, &opts);
	relay.rig = &rig;
	for (i = 0; i < NR_READERS; i++) {
		readers[i].relay = &relay;
		readers[i].number = i;
		assert_int_equal(
			pthread_create(&readers[i].thread, NULL, read_in_turns, &readers[i]), 0);
	}
	while (atomic_load(&relay.handovers) < 10)
		sched_yield();
	convert = job_of(&rig, job_convert, T_2M, 1);
	convert.to = GMS_PRIVATE;
	job_start(&convert);
	if (job_waits(&convert)) {
		i = atomic_load(&relay.handovers);
		while (!atomic_load(&convert.done) && !starves) {
			sched_yield();
			starves = atomic_load(&relay.handovers) - i > NR_HANDOVERS;
		}
	}
	atomic_store(&relay.stop, true);
	pthread_join(readers[0].thread, NULL);
	pthread_join(readers[1].thread, NULL);
	assert_int_equal(job_join(&convert), 0);
	assert_false(starves);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_18_faults_in_the_shard_wait),
		cmocka_unit_test(rule_18_faults_in_other_shards_and_queries_do_not_wait),
		cmocka_unit_test(rule_19_conversions_in_disjoint_shards_run_in_parallel),
		cmocka_unit_test(rule_17_resumable_releases_locks_between_blocks),
		cmocka_unit_test(rule_07_two_folios_are_prepared_at_the_same_time),
		cmocka_unit_test(rule_07_two_folios_are_allocated_and_split_at_the_same_time),
		cmocka_unit_test(rule_18_a_conversion_waits_for_an_open_fault),
		cmocka_unit_test(rule_18_a_conversion_waits_for_the_shared_lock),
		cmocka_unit_test(rule_18_writers_do_not_starve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
