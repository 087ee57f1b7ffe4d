// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * binding_race.c - proves what faults and lookups see of bindings that are made and removed
 *
 * Tests rule 22. A change of bindings waits for the faults in its range. A lookup waits for
 * nothing, and returns the answer from before a change or from after it.
 */
#include <sched.h>

#include "gate.h"
#include "threads.h"

#define NR_PAGES (4 * T_1G)

static const struct rig_opts four_blocks = {
	.nr_pages = NR_PAGES,
	.folio_order = GMS_ORDER_1G,
	.init_private = true,
};

/* ---- which call waits ---- */

/* Unbinds the binding whose number is @start of the job. */
static int job_unbind(struct job *job)
{
	return gms_unbind(job->rig->state, (unsigned int)job->start);
}

/* Binds the range of the job, at gfns that are equal to its indices. */
static int job_bind(struct job *job)
{
	unsigned int id;

	return gms_bind(job->rig->state, job->start, job->start, job->nr_pages, &id);
}

/* Returns 1 if the fault was answered although nothing is bound at its gfn. */
static int job_fault_gfn(struct job *job)
{
	const struct gms_state *state = job->rig->state;
	int rc = gms_fault_begin_gfn(job->rig->state, job->start, job->accessor, &job->fault);
	gms_pgoff_t index;

	if (rc)
		return rc;
	if (gms_gfn_to_index(state, job->start, &index))
		rc = 1;
	gms_fault_end(job->rig->state, &job->fault);
	return rc;
}

static unsigned int bind_at(const struct rig *rig, uint64_t gfn, gms_pgoff_t start,
			    uint64_t nr_pages)
{
	unsigned int id = 0x77;

	assert_int_equal(gms_bind(rig->state, gfn, start, nr_pages, &id), 0);
	return id;
}

/* Rule 22: gms_unbind() waits for an open fault in its range. */
static void rule_22_unbind_waits_for_an_open_fault(void **unused)
{
	struct job gone, other;
	struct gms_fault fault;
	gms_pgoff_t index = 0;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &four_blocks);
	/* The last page of the binding is in the shard of the fault. */
	gone = job_of(&rig, job_unbind, bind_at(&rig, 9 * T_1G, T_1G, T_1G + 6), 0);
	other = job_of(&rig, job_unbind, bind_at(&rig, 20 * T_1G, 3 * T_1G, T_1G), 0);
	assert_int_equal(gms_fault_begin_gfn(rig.state, 10 * T_1G + 5, GMS_GUEST, &fault), 0);
	/* gms_unbind() in another shard does not wait. */
	job_start(&other);
	assert_int_equal(job_join(&other), 0);
	assert_int_equal(gms_gfn_to_index(rig.state, 20 * T_1G, &index), -ENOENT);
	job_start(&gone);
	assert_true(job_waits(&gone));
	assert_int_equal(gms_gfn_to_index(rig.state, 10 * T_1G + 5, &index), 0);
	assert_int_equal(index, 2 * T_1G + 5);
	assert_int_equal(gms_seq_read(rig.state, 2 * T_1G), fault.seq);
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&gone), 0);
	assert_int_equal(gms_gfn_to_index(rig.state, 10 * T_1G + 5, &index), -ENOENT);
	/* A thread that maps only now must try again. */
	assert_true(gms_seq_retry(rig.state, 2 * T_1G, fault.seq));
	rig_fini(&rig);
}

/* Rule 22: gms_bind() waits for an open fault in its range, whose max_order it would cap. */
static void rule_22_bind_waits_for_an_open_fault(void **unused)
{
	struct gms_fault fault;
	struct rig rig;
	struct job job;

	(void)unused;
	rig_init(&rig, &four_blocks);
	assert_int_equal(gms_fault_begin(rig.state, 2 * T_1G + 5, GMS_GUEST, &fault), 0);
	assert_int_equal(fault.max_order, GMS_ORDER_1G);
	job = job_of(&rig, job_bind, T_1G, 0);
	job.nr_pages = T_1G;
	job_start(&job);
	assert_int_equal(job_join(&job), 0);
	job = job_of(&rig, job_bind, 2 * T_1G, 9);
	job_start(&job);
	assert_true(job_waits(&job));
	gms_fault_end(rig.state, &fault);
	assert_int_equal(job_join(&job), 0);
	assert_true(gms_seq_retry(rig.state, 2 * T_1G, fault.seq));
	rig_faults(&rig, 2 * T_1G + 5, GMS_GUEST, GMS_ORDER_1G, GMS_ORDER_4K);
	rig_fini(&rig);
}

/* Rule 22: gms_unbind() waits for a fault at a gfn that is inside a hook. */
static void rule_22_unbind_waits_for_a_fault_in_a_hook(void **unused)
{
	struct job fault, gone;
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &four_blocks);
	gone = job_of(&rig, job_unbind, bind_at(&rig, T_1G, 0, T_1G), 0);
	gate_close(&gate, &rig, SIM_FOLIO_ALLOC, 0);
	fault = job_of(&rig, job_fault_gfn, T_1G + 5, 1);
	fault.accessor = GMS_GUEST;
	assert_true(job_order(&gate, &rig, &fault, &gone));
	assert_int_equal(fault.ret, 0);
	assert_int_equal(gone.ret, 0);
	assert_int_equal(fault.fault.max_order, GMS_ORDER_1G);
	rig_fini(&rig);
}

/* Rule 22: a fault at a gfn that waits behind gms_unbind() returns -ENOENT. */
static void rule_22_a_fault_behind_an_unbind_finds_nothing(void **unused)
{
	struct gms_fault open;
	struct job fault, gone;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &four_blocks);
	gone = job_of(&rig, job_unbind, bind_at(&rig, T_1G, 0, T_1G), 0);
	assert_int_equal(gms_fault_begin(rig.state, 9, GMS_GUEST, &open), 0);
	job_start(&gone);
	assert_true(job_waits(&gone));
	fault = job_of(&rig, job_fault_gfn, T_1G + 5, 1);
	fault.accessor = GMS_GUEST;
	job_start(&fault);
	job_waits(&fault);
	gms_fault_end(rig.state, &open);
	assert_int_equal(job_join(&gone), 0);
	/* The fault may have come first; then it was answered. */
	if (job_join(&fault))
		assert_int_equal(fault.ret, -ENOENT);
	rig_fini(&rig);
}

/* Rule 22: gms_bind() and gms_unbind() take all convert locks, so they wait for any conversion. */
static void rule_22_bind_and_unbind_wait_for_a_conversion(void **unused)
{
	struct job convert, jobs[2];
	struct gate gate;
	struct rig rig;

	(void)unused;
	rig_init(&rig, &four_blocks);
	jobs[0] = job_of(&rig, job_unbind, bind_at(&rig, T_1G, T_1G, T_1G), 0);
	jobs[1] = job_of(&rig, job_bind, 3 * T_1G, 9);
	gate_close(&gate, &rig, SIM_APPLY, 5);
	convert = job_of_convert(&rig, 5, 1, GMS_SHARED);
	job_start(&convert);
	gate_await(&gate, 1);
	job_start(&jobs[0]);
	job_start(&jobs[1]);
	assert_true(job_waits(&jobs[0]));
	assert_true(job_waits(&jobs[1]));
	gate_open(&gate);
	assert_int_equal(job_join(&convert), 0);
	assert_int_equal(job_join(&jobs[0]), 0);
	assert_int_equal(job_join(&jobs[1]), 0);
	assert_int_equal(rig_stats(&rig).bindings, 1);
	gate_fini(&gate, &rig);
	rig_fini(&rig);
}

/* ---- from inside a listener ---- */

struct inside {
	struct rig *rig;
	unsigned int id;
	unsigned int calls;
	const char *why;
};

static int try_inside(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		      size_t *done)
{
	struct inside *inside = ctx;
	struct gms_state *state = inside->rig->state;
	struct gms_fault fault;
	gms_pgoff_t index = 0;
	unsigned int id = 0x77;

	(void)runs;
	(void)to;
	*done = count;
	inside->calls++;
	if (gms_bind(state, 0, T_1G, 1, &id) != -EDEADLK || id != 0x77)
		inside->why = "bind from inside a listener";
	if (gms_unbind(state, inside->id) != -EDEADLK)
		inside->why = "unbind from inside a listener";
	if (gms_gfn_to_index(state, 7 * T_1G + 5, &index) || index != 5)
		inside->why = "gfn_to_index from inside a listener";
	if (gms_fault_begin_gfn(state, 7 * T_1G + T_2M, GMS_GUEST, &fault))
		inside->why = "fault_begin_gfn from inside a listener";
	else
		gms_fault_end(state, &fault);
	return 0;
}

/* Rule 22: a listener may fault at a gfn. It may not change bindings. */
static void rule_22_a_listener_may_fault_and_not_change(void **unused)
{
	const struct gms_listener_ops ops = {.struct_size = sizeof(ops), .change = try_inside};
	unsigned int listener;
	struct inside inside = {0};
	struct rig rig;

	(void)unused;
	skip_in_kernel();
	rig_init(&rig, &four_blocks);
	inside.rig = &rig;
	inside.id = bind_at(&rig, 7 * T_1G, 0, T_1G);
	assert_int_equal(gms_listener_register(rig.state, &ops, &inside, 0, T_1G, 1, &listener), 0);
	rig_convert(&rig, 5, 1, GMS_SHARED);
	rig_convert(&rig, 5, 1, GMS_PRIVATE);
	assert_int_equal(gms_listener_unregister(rig.state, listener), 0);
	assert_int_equal(inside.calls, 2);
	assert_fine(inside.why);
	assert_int_equal(gms_unbind(rig.state, inside.id), 0);
	rig_fini(&rig);
}

/* ---- lookups and faults beside a writer ---- */

#define NR_READERS 2
#define NR_STATES 6
#define AT T_1G /* the gfn that moves */
#define LENGTH (3 * T_2M)

/* The bindings at AT, one after the other. One call leads from one to the next. */
static const struct place {
	bool bound;
	gms_pgoff_t start;
	uint64_t nr_pages;
	unsigned int order; /* max_order at each of its gfns */
} places[NR_STATES] = {
	{false, 0, 0, 0}, {true, T_1G + 7 * T_2M, LENGTH, GMS_ORDER_2M},
	{false, 0, 0, 0}, {true, 2 * T_1G, T_1G, GMS_ORDER_1G},
	{false, 0, 0, 0}, {true, 3 * T_1G + 1, LENGTH, GMS_ORDER_4K},
};

/* In phase 2 * n the binding is places[n % NR_STATES]. In an odd phase it is being changed. */
struct moving {
	struct rig *rig;
	_Atomic uint64_t phase;
	_Atomic bool stop;
	_Atomic uint64_t undisturbed; /* lookups without a change beside them */
};

/* Pages that are bound and unbound elsewhere, so that lists grow and their entries move. */
#define NR_FILLERS 300U

struct fillers {
	unsigned int id[NR_FILLERS];
	bool bound[NR_FILLERS];
};

static const char *change_filler(struct gms_state *state, struct fillers *all, uint64_t round)
{
	const uint64_t i = round * 7 % NR_FILLERS;
	const gms_pgoff_t index = 3 * T_2M + (i % 2 ? i : NR_FILLERS - i);
	int err;

	if (all->bound[i])
		err = gms_unbind(state, all->id[i]);
	else
		err = gms_bind(state, 3 * i, index, 1, &all->id[i]);
	all->bound[i] = !all->bound[i];
	return err ? "a filler was refused" : NULL;
}

static void move(struct worker *worker)
{
	struct moving *moving = worker->shared;
	struct gms_state *state = moving->rig->state;
	struct fillers fillers = {0};
	unsigned int id = 0, naps;
	uint64_t round, undisturbed;

	for (round = 1; round <= worker->rounds && !worker->why; round++) {
		const struct place *to = &places[round % NR_STATES];

		atomic_store(&moving->phase, 2 * round - 1);
		if (to->bound && gms_bind(state, AT, to->start, to->nr_pages, &id))
			worker->why = "bind failed";
		if (!to->bound && gms_unbind(state, id))
			worker->why = "unbind failed";
		atomic_store(&moving->phase, 2 * round);
		undisturbed = atomic_load(&moving->undisturbed);
		for (naps = 0; naps < 4 && undisturbed == atomic_load(&moving->undisturbed); naps++)
			sched_yield();
		if (!worker->why)
			worker->why = change_filler(state, &fillers, round);
	}
	atomic_store(&moving->stop, true);
}

/* Returns true if gms_gfn_to_index() may return @err and @index between phase[0] and phase[1]. */
static bool in_time(const uint64_t phase[2], uint64_t ahead, int err, gms_pgoff_t index)
{
	uint64_t n;

	for (n = phase[0] / 2; n <= (phase[1] + 1) / 2 && n < phase[0] / 2 + NR_STATES; n++) {
		const struct place *place = &places[n % NR_STATES];

		if (!place->bound || ahead >= place->nr_pages
			    ? err == -ENOENT
			    : !err && index == place->start + ahead)
			return true;
	}
	return false;
}

/* Returns true if gms_gfn_max_order() may return @err and @order between phase[0] and phase[1]. */
static bool order_in_time(const uint64_t phase[2], uint64_t ahead, int err, unsigned int order)
{
	uint64_t n;

	for (n = phase[0] / 2; n <= (phase[1] + 1) / 2 && n < phase[0] / 2 + NR_STATES; n++) {
		const struct place *place = &places[n % NR_STATES];

		if (!place->bound || ahead >= place->nr_pages ? err == -ENOENT
							      : !err && order == place->order)
			return true;
	}
	return false;
}

static void look(struct worker *worker)
{
	struct moving *moving = worker->shared;
	const struct gms_state *state = moving->rig->state;
	uint64_t round;

	for (round = 0; !atomic_load(&moving->stop); round++) {
		const uint64_t ahead = round % 7 ? round % T_2M : LENGTH + round % T_2M;
		unsigned int order = 0x77, i;
		gms_pgoff_t index = 0;
		uint64_t phase[2];
		int err;

		phase[0] = atomic_load(&moving->phase);
		err = gms_gfn_to_index(state, AT + ahead, &index);
		phase[1] = atomic_load(&moving->phase);
		worker_expect(worker, in_time(phase, ahead, err, index),
			      "gms_gfn_to_index() returned a torn answer");
		if (phase[0] == phase[1] && phase[0] % 2 == 0)
			atomic_fetch_add(&moving->undisturbed, 1);
		/* gms_gfn_max_order() reads more than a lookup, so it is called more often. */
		for (i = 0; i < 8; i++) {
			phase[0] = atomic_load(&moving->phase);
			err = gms_gfn_max_order(state, AT + ahead, &order);
			phase[1] = atomic_load(&moving->phase);
			worker_expect(worker, order_in_time(phase, ahead, err, order),
				      "gms_gfn_max_order() returned a torn answer");
		}
		if (round % 64 == 0)
			sched_yield();
	}
}

/* Looks up bindings that no thread changes. They must be found at all times. */
static void look_beside(struct worker *worker)
{
	struct moving *moving = worker->shared;
	const struct gms_state *state = moving->rig->state;
	unsigned int order = 0x77;
	gms_pgoff_t index = 0;

	while (!atomic_load(&moving->stop)) {
		worker_expect(worker, !gms_gfn_to_index(state, AT - 1, &index) && index == T_2M - 1,
			      "the binding before AT was not found");
		worker_expect(worker,
			      !gms_gfn_max_order(state, AT - 1, &order) && order == GMS_ORDER_2M,
			      "the binding before AT had another order");
		worker_expect(worker,
			      !gms_gfn_to_index(state, AT + T_1G + 9, &index) && index == T_2M,
			      "the binding behind AT was not found");
		worker_expect(worker,
			      !gms_gfn_max_order(state, AT + T_1G + 9, &order) &&
				      order == GMS_ORDER_4K,
			      "the binding behind AT had another order");
		worker_expect(worker, gms_gfn_to_index(state, AT + T_1G + 8, &index) == -ENOENT,
			      "something was found in a gap");
		sched_yield();
	}
}

/* The binding of a fault stays as it is while the fault is open. */
static void fault_there(struct worker *worker)
{
	struct moving *moving = worker->shared;
	struct gms_state *state = moving->rig->state;
	struct gms_fault fault;
	uint64_t round;

	for (round = 0; !atomic_load(&moving->stop); round++) {
		const uint64_t ahead = round % LENGTH;
		unsigned int order = 0x77, i;
		gms_pgoff_t index = 0;
		int err;

		if (round % 16 == 0)
			sched_yield();
		err = gms_fault_begin_gfn(state, AT + ahead, GMS_GUEST, &fault);
		if (err == -ENOENT)
			continue;
		worker_expect(worker, !err, "a fault was refused");
		err = gms_gfn_to_index(state, AT + ahead, &index);
		if (!err)
			err = gms_gfn_max_order(state, AT + ahead, &order);
		for (i = 1; i < NR_STATES && places[i].start + ahead != index; i += 2)
			;
		gms_fault_end(state, &fault);
		worker_expect(worker, !err && i < NR_STATES, "an open fault lost its binding");
		worker_expect(worker, fault.folio_index == index / T_1G * T_1G,
			      "a fault was answered for another page");
		worker_expect(worker,
			      fault.max_order == places[i].order && order == fault.max_order,
			      "a fault was answered with another binding");
	}
}

static void beside_a_mover(void (*run)(struct worker *worker))
{
	struct worker workers[1 + NR_READERS] = {{.run = move, .rounds = test_iters(6000)}};
	struct moving moving = {0};
	struct rig rig;
	unsigned int i;

	rig_init(&rig, &four_blocks);
	bind_at(&rig, AT - T_2M, 0, T_2M);
	bind_at(&rig, AT + T_1G + 9, T_2M, T_2M);
	moving.rig = &rig;
	for (i = 0; i <= NR_READERS; i++) {
		workers[i].shared = &moving;
		if (i)
			workers[i].run = run;
	}
	workers_run(workers, 1 + NR_READERS);
	if (run == look)
		assert_true(atomic_load(&moving.undisturbed) > 0);
	rig_fini(&rig);
}

/* Rule 22: a lookup returns the answer from before a change or from after it. */
static void rule_22_a_lookup_is_never_torn(void **unused)
{
	(void)unused;
	beside_a_mover(look);
}

static void rule_22_unchanged_bindings_are_always_found(void **unused)
{
	(void)unused;
	beside_a_mover(look_beside);
}

static void rule_22_an_open_fault_keeps_its_binding(void **unused)
{
	(void)unused;
	beside_a_mover(fault_there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_22_unbind_waits_for_an_open_fault),
		cmocka_unit_test(rule_22_bind_waits_for_an_open_fault),
		cmocka_unit_test(rule_22_unbind_waits_for_a_fault_in_a_hook),
		cmocka_unit_test(rule_22_a_fault_behind_an_unbind_finds_nothing),
		cmocka_unit_test(rule_22_bind_and_unbind_wait_for_a_conversion),
		cmocka_unit_test(rule_22_a_listener_may_fault_and_not_change),
		cmocka_unit_test(rule_22_a_lookup_is_never_torn),
		cmocka_unit_test(rule_22_unchanged_bindings_are_always_found),
		cmocka_unit_test(rule_22_an_open_fault_keeps_its_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
