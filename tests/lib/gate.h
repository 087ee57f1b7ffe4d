/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gate.h - threads that are stopped inside a hook, so that an interleaving is made, not awaited
 *
 * A gate holds each thread that comes through a hook at a place. A job is one call, made by a
 * thread of its own. Whether a job waits for a lock is seen by its thread being asleep: a wrong
 * guess there makes a test weaker, never fail.
 */
#ifndef GMS_TESTS_GATE_H
#define GMS_TESTS_GATE_H

#include <pthread.h>

#include "rig.h"

#define GATE_ANYWHERE UINT64_MAX

struct gate {
	enum sim_hook hook;
	gms_pgoff_t start; /* of the calls that are held, or GATE_ANYWHERE */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int inside; /* threads that came, ever */
	bool open;
};

/* Holds calls of @hook at @start from now on; takes the rig's hook. */
void gate_close(struct gate *gate, struct rig *rig, enum sim_hook hook, gms_pgoff_t start);

/* To be called by a hook that a test has put in the gate's place. */
void gate_pass(struct gate *gate, const struct sim_call *call);

/* Returns when @count threads have come to the gate. Ends the program if they never do. */
void gate_await(struct gate *gate, unsigned int count);

/* Lets go those that are held and those to come. */
void gate_open(struct gate *gate);

/* Frees the gate, and the rig's hook. */
void gate_fini(struct gate *gate, struct rig *rig);

/**
 * struct job - a call that a thread of its own makes
 * @run: which, a function below; returns what it returned
 * @rig: on what
 * @start, @nr_pages: where
 * @to: of a conversion
 * @accessor: of a fault
 * @flags: of a conversion
 * @ret: what came of it; to be read after job_join()
 * @err_index: likewise
 * @fault: likewise
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

/* Returns when the job is done, or waits for something: whether it is still at it. */
bool job_waits(struct job *job);

/* Returns true if the job is done, for which it waits as long as nothing but a deadlock takes. */
bool job_ends(struct job *job);

/* Waits for its end, and returns what its call returned. */
int job_join(struct job *job);

/*
 * Starts @first, which stops at the gate; then @second; lets go of both, and ends them and the
 * gate. Returns whether @second waited for the first one. What they returned is in the jobs.
 */
bool job_order(struct gate *gate, struct rig *rig, struct job *first, struct job *second);

#endif /* GMS_TESTS_GATE_H */
