/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gate.h - stops threads inside a hook, so that a test chooses the interleaving
 *
 * A gate stops each thread that calls a certain hook at a certain page. A job is one call of the
 * library, made by a thread of its own. A job counts as waiting for a lock while its thread
 * sleeps. If the thread sleeps for another reason, the test is weaker, but never fails.
 *
 * Usage:
 *
 *	struct job convert = job_of_convert(&rig, 5, 1, GMS_PRIVATE);
 *	struct job fault = job_of_fault(&rig, 5, GMS_GUEST);
 *
 *	gate_close(&gate, &rig, SIM_APPLY, 5);
 *	job_start(&convert);
 *	gate_await(&gate, 1);           the conversion is in its apply hook
 *	job_start(&fault);
 *	assert_true(job_waits(&fault));
 *	gate_open(&gate);
 *	job_join(&convert), job_join(&fault);
 *	gate_fini(&gate, &rig);
 */
#ifndef GMS_TESTS_GATE_H
#define GMS_TESTS_GATE_H

#include <pthread.h>

#include "rig.h"

#define GATE_ANYWHERE UINT64_MAX

struct gate {
	enum sim_hook hook;
	gms_pgoff_t start; /* of the calls that are stopped, or GATE_ANYWHERE */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int inside; /* number of threads that have arrived so far */
	bool open;
};

/* Stops calls of @hook at @start from now on. The gate replaces the rig's hook. */
void gate_close(struct gate *gate, struct rig *rig, enum sim_hook hook, gms_pgoff_t start);

/* A test that puts a hook of its own in the gate's place calls this function in that hook. */
void gate_pass(struct gate *gate, const struct sim_call *call);

/* Returns when @count threads have arrived. Ends the program if they do not. */
void gate_await(struct gate *gate, unsigned int count);

/* Releases the stopped threads, and stops no more. */
void gate_open(struct gate *gate);

/* Destroys the gate, and clears the rig's hook. */
void gate_fini(struct gate *gate, struct rig *rig);

/**
 * struct job - a call that is made by a thread of its own
 * @run: makes the call, and returns its result; one of the functions below
 * @rig: the rig of the call
 * @start, @nr_pages: the range of the call
 * @to: the new shareability, for a conversion
 * @accessor: the accessor, for a fault
 * @flags: the flags, for a conversion
 * @ret: the result of the call; @ret, @err_index and @fault are valid after job_join()
 * @err_index: err_index of the call
 * @fault: the fault that the call returned
 */
struct job {
	int (*run)(struct job *job);
	struct rig *rig;
	gms_pgoff_t start;
	uint64_t nr_pages;
	enum gms_shareability to;
	enum gms_accessor accessor;
	unsigned int flags;
	int ret;
	gms_pgoff_t err_index;
	struct gms_fault fault;
	_Atomic int tid;
	_Atomic bool done;
	pthread_t thread;
};

int job_convert(struct job *job);
int job_fault(struct job *job);
int job_pin(struct job *job);
int job_punch(struct job *job);
int job_allocate(struct job *job);

struct job job_of_fault(struct rig *rig, gms_pgoff_t index, enum gms_accessor accessor);
struct job job_of_convert(struct rig *rig, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability to);
struct job job_of(struct rig *rig, int (*run)(struct job *job), gms_pgoff_t start,
		  uint64_t nr_pages);

void job_start(struct job *job);

/* Returns when the job is done or its thread sleeps. Returns true if it is not done. */
bool job_waits(struct job *job);

/* Waits for the job, for so long that only a deadlock takes longer. Returns true if it is done. */
bool job_ends(struct job *job);

/* Waits for the end of the job. Returns the result of its call. */
int job_join(struct job *job);

/*
 * Starts @first, which stops at the gate, and then @second. Opens the gate, joins both jobs and
 * destroys the gate. Returns true if @second waited for @first. The results are in the jobs.
 */
bool job_order(struct gate *gate, struct rig *rig, struct job *first, struct job *second);

#endif /* GMS_TESTS_GATE_H */
