// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gate.c - stops threads inside a hook, so that a test chooses the interleaving
 */
#include "gate.h"

#include <time.h>

/* Nothing but a deadlock takes longer than this, not even under valgrind. */
#define DEADLINE_S 120

/* ---- gates ---- */

static void gate_hook(struct rig *rig, const struct sim_call *call)
{
	gate_pass(rig->arg, call);
}

void gate_close(struct gate *gate, struct rig *rig, enum sim_hook hook, gms_pgoff_t start)
{
	*gate = (struct gate) {.hook = hook, .start = start};
	assert_int_equal(pthread_mutex_init(&gate->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&gate->moved, NULL), 0);
	rig->arg = gate;
	rig->hook = gate_hook;
}

void gate_pass(struct gate *gate, const struct sim_call *call)
{
	if (call->hook != gate->hook ||
	    (gate->start != GATE_ANYWHERE && gate->start != call->start))
		return;
	pthread_mutex_lock(&gate->lock);
	gate->inside++;
	pthread_cond_broadcast(&gate->moved);
	while (!gate->open)
		pthread_cond_wait(&gate->moved, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

void gate_await(struct gate *gate, unsigned int count)
{
	struct timespec end;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&gate->lock);
	while (gate->inside < count && !rc)
		rc = pthread_cond_timedwait(&gate->moved, &gate->lock, &end);
	if (gate->inside < count) {
		/* The threads use the stack of this test, so the test cannot return. */
		fprintf(stderr, "%u of %u threads arrived in %s\n", gate->inside, count,
			sim_hook_name(gate->hook));
		exit(2);
	}
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

void gate_fini(struct gate *gate, struct rig *rig)
{
	rig->hook = NULL;
	pthread_cond_destroy(&gate->moved);
	pthread_mutex_destroy(&gate->lock);
}

/* ---- jobs ---- */

int job_convert(struct job *job)
{
	return gms_convert(job->rig->state, job->start, job->nr_pages, job->to, job->flags,
			   &job->err_index);
}

int job_fault(struct job *job)
{
	return rig_fault(job->rig, job->start, job->accessor, &job->fault);
}

int job_pin(struct job *job)
{
	return gms_pin(job->rig->state, job->start, job->nr_pages, &job->err_index);
}

int job_punch(struct job *job)
{
	return gms_punch_hole(job->rig->state, job->start, job->nr_pages, &job->err_index);
}

int job_allocate(struct job *job)
{
	return gms_allocate(job->rig->state, job->start, job->nr_pages, &job->err_index);
}

static void *job_main(void *arg)
{
	struct job *job = arg;

	atomic_store(&job->tid, test_thread());
	job->ret = job->run(job);
	atomic_store(&job->done, true);
	return NULL;
}

void job_start(struct job *job)
{
	atomic_store(&job->tid, 0);
	atomic_store(&job->done, false);
	job->err_index = UINT64_MAX;
	if (pthread_create(&job->thread, NULL, job_main, job)) {
		fprintf(stderr, "cannot create a thread\n");
		exit(2);
	}
}

bool job_waits(struct job *job)
{
	unsigned int naps, times = 0;
	int tid;

	/* A thread that sleeps a few times in a row is not merely between two steps. */
	for (naps = 0; naps < 1000 && times < 5 && !atomic_load(&job->done); naps++) {
		test_nap();
		tid = atomic_load(&job->tid);
		times = tid && test_thread_sleeps(tid) ? times + 1 : 0;
	}
	return !atomic_load(&job->done);
}

bool job_ends(struct job *job)
{
	for (unsigned int naps = 0; naps < DEADLINE_S * 1000 && !atomic_load(&job->done); naps++)
		test_nap();
	return atomic_load(&job->done);
}

int job_join(struct job *job)
{
	pthread_join(job->thread, NULL);
	return job->ret;
}

struct job job_of(struct rig *rig, int (*run)(struct job *job), gms_pgoff_t start,
		  uint64_t nr_pages)
{
	return (struct job) {.run = run, .rig = rig, .start = start, .nr_pages = nr_pages};
}

struct job job_of_fault(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor)
{
	struct job job = job_of(rig, job_fault, index, 1);

	job.accessor = accessor;
	return job;
}

struct job job_of_convert(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability to)
{
	struct job job = job_of(rig, job_convert, start, nr_pages);

	job.to = to;
	return job;
}

bool job_order(struct gate *gate, struct rig *rig, struct job *first, struct job *second)
{
	bool waits;

	job_start(first);
	gate_await(gate, 1);
	job_start(second);
	waits = job_waits(second);
	gate_open(gate);
	job_join(first);
	job_join(second);
	gate_fini(gate, rig);
	return waits;
}
