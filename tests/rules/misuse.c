// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * misuse.c - proves that a call that would wait for its own thread is refused
 *
 * Tests rule 18, and the paragraph on locks of state.h.
 *
 * Each call that takes a lock is made in each situation in which its own thread is in the way:
 * the thread has a fault open, holds gms_lock_shared(), or is inside a hook or a listener. The
 * call returns -EDEADLK and changes nothing. An alarm ends the test if a call waits.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "ground.h"

#define DEADLINE_S 300

/* ---- under the thread's own fault or shared lock ---- */

struct hold {
	int (*begin)(struct ground *g, struct gms_fault *fault);
	void (*end)(struct ground *g, struct gms_fault *fault);
};

static int begin_host(struct ground *g, struct gms_fault *fault)
{
	return gms_fault_begin(g->rig.state, GROUND_OPEN, GMS_HOST, fault);
}

static int begin_guest(struct ground *g, struct gms_fault *fault)
{
	return gms_fault_begin(g->rig.state, GROUND_OPEN, GMS_GUEST, fault);
}

static int begin_gfn(struct ground *g, struct gms_fault *fault)
{
	return gms_fault_begin_gfn(g->rig.state, GROUND_GFN + GROUND_OPEN, GMS_GUEST, fault);
}

static void end_fault(struct ground *g, struct gms_fault *fault)
{
	gms_fault_end(g->rig.state, fault);
}

static int lock_one(struct ground *g, struct gms_fault *unused)
{
	(void)unused;
	return gms_lock_shared(g->rig.state, GROUND_OPEN, 1);
}

static void unlock_one(struct ground *g, struct gms_fault *unused)
{
	(void)unused;
	gms_unlock_shared(g->rig.state, GROUND_OPEN, 1);
}

static int lock_all(struct ground *g, struct gms_fault *unused)
{
	(void)unused;
	return gms_lock_shared(g->rig.state, 0, GROUND_PAGES);
}

static void unlock_all(struct ground *g, struct gms_fault *unused)
{
	(void)unused;
	gms_unlock_shared(g->rig.state, 0, GROUND_PAGES);
}

static const struct hold holds[] = {
	{begin_host, end_fault}, {begin_guest, end_fault}, {begin_gfn, end_fault},
	{lock_one, unlock_one},  {lock_all, unlock_all},
};

/* @waits: a conversion waits for this thread, and later calls would wait behind the conversion. */
static void refuses_under(const struct hold *hold, bool waits)
{
	struct gms_fault fault;
	struct rig_image image;
	const char *why;
	struct ground g;
	struct job job;

	ground_init(&g, NULL);
	job = job_of_convert(&g.rig, GROUND_WAITING, 1, GMS_PRIVATE);
	assert_int_equal(hold->begin(&g, &fault), 0);
	rig_image_take(&image, &g.rig);
	if (waits) {
		job_start(&job);
		assert_true(job_waits(&job));
	}
	why = ground_refuses_all(&g);
	why = why ? why : ground_answers(&g);
	rig_image_same(&image, &g.rig);
	hold->end(&g, &fault);
	if (waits)
		assert_int_equal(job_join(&job), 0);
	assert_fine(why); /* after the join: a failed assertion must leave no job behind */
	assert_int_equal(gms_is_private(g.rig.state, GROUND_WAITING), waits);
	/* The calls work again. */
	assert_fine(ground_works(&g));
	rig_image_free(&image);
	ground_fini(&g);
}

static void calls_under_a_fault_or_lock_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++)
		refuses_under(&holds[i], false);
}

static void calls_are_refused_while_a_conversion_waits(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++)
		refuses_under(&holds[i], true);
}

static int job_pin_and_unpin(struct job *job)
{
	int ret = gms_pin(job->rig->state, job->start, job->nr_pages, NULL);

	if (!ret)
		gms_unpin(job->rig->state, job->start, job->nr_pages);
	return ret;
}

/* A page can be prepared under its open fault. Other threads may pin, or convert elsewhere. */
static void an_open_fault_refuses_only_its_own_thread(void **unused)
{
	struct gms_fault fault;
	struct ground g;
	struct job job;

	(void)unused;
	ground_init(&g, NULL);
	rig_convert(&g.rig, GROUND_OPEN, 1, GMS_PRIVATE);
	assert_int_equal(begin_guest(&g, &fault), 0);
	assert_int_equal(gms_fault_prepare(g.rig.state, &fault), 0);
	job = job_of(&g.rig, job_pin_and_unpin, GROUND_SAME, 1);
	job_start(&job);
	assert_int_equal(job_join(&job), 0);
	job = job_of_convert(&g.rig, GROUND_OTHER, 1, GMS_PRIVATE);
	job_start(&job);
	assert_int_equal(job_join(&job), 0);
	assert_int_equal(rig_stats(&g.rig).refused_deadlock, 0);
	assert_fine(ground_refuses_all(&g));
	gms_fault_end(g.rig.state, &fault);
	ground_fini(&g);
}

/* ---- several objects ---- */

#define NR_KNOWN 4
#define NR_OBJECTS (NR_KNOWN + 1)

/*
 * @open: which of the first @nr objects have a fault open. An object with a fault open refuses
 * all calls if it is one of the first NR_KNOWN objects. In objects without a fault the calls
 * work.
 */
static void check_objects(struct ground *grounds, unsigned int nr, const bool *open)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++) {
		if (i >= nr || !open[i])
			assert_fine(ground_works_at(&grounds[i], GROUND_SAME));
		else if (i < NR_KNOWN)
			assert_fine(ground_refuses_all(&grounds[i]));
		/* a fifth fault is not known to the library, so nothing is promised for it */
		assert_fine(ground_answers(&grounds[i]));
	}
}

/*
 * A fault in one object refuses no calls of another. The library knows of faults in four objects.
 */
static void faults_in_four_objects_are_known(void **unused)
{
	static struct ground grounds[NR_OBJECTS];
	struct gms_fault fault[NR_OBJECTS];
	bool open[NR_OBJECTS];

	(void)unused;
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		ground_init(&grounds[i], NULL);
	for (unsigned int nr = 1; nr <= NR_OBJECTS; nr++) {
		for (unsigned int first = 0; first < nr; first++) {
			for (unsigned int i = 0; i < nr; i++) {
				assert_int_equal(begin_host(&grounds[i], &fault[i]), 0);
				open[i] = true;
			}
			check_objects(grounds, nr, open);
			/*
			 * end one fault, and then the others, from the last one down to the first
			 */
			for (unsigned int i = 0; i <= nr; i++) {
				const unsigned int at = !i ? first : nr - i;

				if (!open[at])
					continue;
				end_fault(&grounds[at], &fault[at]);
				open[at] = false;
				check_objects(grounds, nr, open);
			}
		}
	}
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		ground_fini(&grounds[i]);
}

/* A conversion that waits in one object refuses no calls of another. */
static void a_waiting_conversion_refuses_no_call_of_another_object(void **unused)
{
	struct ground one, other;
	struct gms_fault fault;
	const char *why;
	struct job job;

	(void)unused;
	ground_init(&one, NULL);
	ground_init(&other, NULL);
	assert_int_equal(begin_host(&one, &fault), 0);
	job = job_of_convert(&one.rig, GROUND_WAITING, 1, GMS_PRIVATE);
	job_start(&job);
	assert_true(job_waits(&job));
	why = ground_works(&other);
	why = why ? why : ground_refuses_all(&one);
	end_fault(&one, &fault);
	assert_int_equal(job_join(&job), 0);
	assert_fine(why);
	ground_fini(&other);
	ground_fini(&one);
}

/* ---- from inside a hook ---- */

/*
 * Makes each call inside a hook or a listener. Calls of another object work. They allocate, so
 * they are made at apply, where no folio lock is held.
 */
static void refuse_inside(struct ground *g, const struct sim_call *call)
{
	const char *why;

	if (g->why)
		return;
	why = ground_refuses(g, GROUND_SAME, !call);
	if (!why)
		why = ground_refuses(g, GROUND_OTHER, !call);
	if (!why)
		why = ground_answers(g);
	if (!why && g->aside && call->hook == SIM_APPLY)
		why = ground_works_at(g->aside, GROUND_SAME);
	g->why = why;
}

/* Makes conversions, faults, a hole, an undo and so on, so that each hook is called. */
static void call_each_hook(struct ground *g)
{
	const enum gms_shareability shared = GMS_SHARED, private = GMS_PRIVATE;
	struct rig *rig = &g->rig;
	struct gms_fault fault;

	rig_convert(rig, 0, T_2M, private);
	assert_int_equal(rig_fault(rig, 5, GMS_GUEST, &fault), 0);
	sim_refuse(rig->sim, 1U << SIM_APPLY, 0, 1, -EIO);
	sim_refuse_after(rig->sim, 1);
	rig_convert_fails(rig, 100, 9, shared, 0, -EIO, 100);
	rig_convert(rig, 100, 9, shared);
	assert_int_equal(rig_fault(rig, 100, GMS_HOST, &fault), 0);
	rig_convert(rig, 100, 9, private);
	assert_int_equal(gms_attr_set(rig->state, g->attr, 7, 1, true), 0);
	assert_int_equal(gms_inhibit(rig->state, 7, 1, GMS_ORDER_4K), 0);
	assert_int_equal(gms_punch_hole(rig->state, 0, T_2M, NULL), 0);
	assert_int_equal(gms_punch_hole(rig->state, T_1G, T_1G / T_FANOUT, NULL), 0);
}

static void calls_inside_each_hook_are_refused(void **unused)
{
	struct ground g, aside;

	(void)unused;
	ground_init(&aside, NULL);
	ground_init(&g, gms_policy_eager());
	assert_int_equal(gms_allocate(g.rig.state, T_1G, 1, NULL), 0);
	g.aside = &aside;
	g.inside = refuse_inside;
	call_each_hook(&g);
	g.inside = NULL;
	assert_fine(g.why);
	assert_int_equal(g.hooks, SIM_ALL_HOOKS);
	assert_fine(ground_works_at(&aside, GROUND_OTHER));
	ground_fini(&g);
	ground_fini(&aside);
}

/* ---- from inside a listener ---- */

/* Makes each call inside a hook or a listener, and in a listener once more with a fault open. */
static void fault_inside(struct ground *g, const struct sim_call *call)
{
	struct gms_fault fault;

	refuse_inside(g, call);
	if (call || g->why)
		return;
	if (begin_host(g, &fault)) {
		g->why = "a fault in a listener is refused";
		return;
	}
	g->why = ground_refuses_all(g);
	end_fault(g, &fault);
}

static void calls_inside_a_listener_are_refused(void **unused)
{
	const uint64_t size = 4 * T_2M;
	struct ground g;
	unsigned int id, calls;

	(void)unused;
	ground_init(&g, NULL);
	g.inside = fault_inside;
	calls = g.notified;
	/* the listener withdraws, is notified, and is restored */
	rig_convert(&g.rig, GROUND_UNBOUND, 5, GMS_PRIVATE);
	assert_int_equal(g.notified, ++calls);
	rig_convert(&g.rig, GROUND_UNBOUND, 5, GMS_SHARED);
	assert_int_equal(g.notified, ++calls);
	sim_refuse(g.rig.sim, 1U << SIM_APPLY, 0, 1, -EIO);
	rig_convert_fails(&g.rig, GROUND_UNBOUND, 5, GMS_PRIVATE, 0, -EIO, GROUND_UNBOUND);
	calls += 2;
	assert_int_equal(g.notified, calls);
	/* a second listener is registered, and unregistered */
	assert_int_equal(ground_listen(&g, T_1G, size, &id), 0);
	assert_int_equal(g.notified, ++calls);
	assert_int_equal(gms_listener_unregister(g.rig.state, id), 0);
	assert_int_equal(g.notified, ++calls);
	/* an undo fails, and the quarantine is repaired */
	sim_refuse(g.rig.sim, 1U << SIM_APPLY | 1U << SIM_UNDO, 0, 2, -EIO);
	sim_refuse_after(g.rig.sim, 1);
	assert_int_equal(gms_convert(g.rig.state, GROUND_UNBOUND, 5, GMS_PRIVATE, 0, NULL), -EIO);
	assert_int_equal(g.notified, ++calls);
	rig_repair(&g.rig, GROUND_UNBOUND, 5, GMS_SHARED);
	assert_int_equal(g.notified, ++calls);
	g.inside = NULL;
	assert_fine(g.why);
	assert_fine(ground_works(&g));
	ground_fini(&g);
}

/* ---- from inside gms_state_destroy() ---- */

static void calls_inside_destroy_are_refused(void **unused)
{
	struct ground g;

	(void)unused;
	ground_init(&g, NULL);
	assert_int_equal(gms_allocate(g.rig.state, GROUND_OTHER, 1, NULL), 0);
	rig_check(&g.rig);
	sim_on_call(g.rig.sim, ground_on_call, &g);
	g.inside = fault_inside;
	g.hooks = g.notified = 0;
	gms_state_destroy(g.rig.state);
	assert_fine(g.why);
	assert_int_equal(g.notified, 1);
	assert_int_equal(
		g.hooks & (1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED),
		1U << SIM_FOLIO_FREE | 1U << SIM_FOLIO_MERGE | 1U << SIM_BLOCK_FREED);
	assert_fine(sim_check(g.rig.sim));
	sim_destroy(g.rig.sim);
	assert_int_equal(g.rig.talloc.live_blocks, 0);
	assert_fine(talloc_check(&g.rig.talloc));
}

/* ---- fork() ---- */

/* Makes the calls in a child process. Its exit status is 0 if all was well. */
static void in_child(struct ground *g, struct gms_fault *open)
{
	const char *why = NULL;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(DEADLINE_S);
		if (open) {
			why = ground_refuses_all(g);
			end_fault(g, open);
		}
		why = why ? why : ground_works(g);
		why = why ? why : ground_answers(g);
		if (why)
			fprintf(stderr, "in the child: %s\n", why);
		gms_state_destroy(g->rig.state);
		sim_destroy(g->rig.sim);
		_exit(why != NULL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_process_can_use_its_copy(void **unused)
{
	struct rig_image image;
	struct ground g;

	(void)unused;
	ground_init(&g, NULL);
	rig_convert(&g.rig, T_2M, 9, GMS_PRIVATE);
	rig_image_take(&image, &g.rig);
	in_child(&g, NULL);
	rig_image_same(&image, &g.rig);
	assert_fine(ground_works(&g));
	rig_image_free(&image);
	ground_fini(&g);
}

static void a_child_process_has_its_parents_fault_open(void **unused)
{
	struct gms_fault fault;
	struct ground g;

	(void)unused;
	ground_init(&g, NULL);
	assert_int_equal(begin_host(&g, &fault), 0);
	in_child(&g, &fault);
	assert_fine(ground_refuses_all(&g));
	end_fault(&g, &fault);
	assert_fine(ground_works(&g));
	ground_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_under_a_fault_or_lock_are_refused),
		cmocka_unit_test(calls_are_refused_while_a_conversion_waits),
		cmocka_unit_test(an_open_fault_refuses_only_its_own_thread),
		cmocka_unit_test(faults_in_four_objects_are_known),
		cmocka_unit_test(a_waiting_conversion_refuses_no_call_of_another_object),
		cmocka_unit_test(calls_inside_each_hook_are_refused),
		cmocka_unit_test(calls_inside_a_listener_are_refused),
		cmocka_unit_test(calls_inside_destroy_are_refused),
		cmocka_unit_test(a_child_process_can_use_its_copy),
		cmocka_unit_test(a_child_process_has_its_parents_fault_open),
	};

	alarm(DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
