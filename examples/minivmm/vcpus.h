/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vcpus.h - several vCPUs, and keeping them out of KVM_RUN for a while
 *
 * From the return of vcpus_stop() to the call of vcpus_resume() no vCPU is in KVM_RUN, as struct
 * gms_kvm_opts demands. A vCPU's thread outside of KVM_RUN counts as stopped: it may itself be in
 * a conversion that stops the other vCPUs. Calls nest.
 */
#ifndef VCPUS_H
#define VCPUS_H

#include <pthread.h>
#include <stdbool.h>

#include "machine.h"

#define VCPUS_MAX 4

struct vcpus {
	pthread_mutex_t lock;
	pthread_cond_t left; /* signalled when a vCPU has left KVM_RUN */
	pthread_cond_t resumed; /* signalled when stops becomes 0 */
	unsigned int stops;
	unsigned int nr;
	struct {
		struct machine_vcpu *vcpu;
		pthread_t thread; /* the thread that runs the vCPU */
		bool running;
	} cpu[VCPUS_MAX];
};

/* Initializes a set without vCPUs, and catches SIGUSR1. Returns 0 or -errno. */
int vcpus_init(struct vcpus *vcpus);
void vcpus_fini(struct vcpus *vcpus);
void vcpus_add(struct vcpus *vcpus, struct machine_vcpu *vcpu);

/* Runs a vCPU by machine_run() when no stop is in force. Returns -EINTR if it was stopped. */
int vcpus_run(struct vcpus *vcpus, unsigned int i, struct machine_exit *exit);

/* Returns true if a vCPU is in KVM_RUN, or about to enter it. */
bool vcpus_is_running(struct vcpus *vcpus, unsigned int i);

/* The callbacks of struct gms_kvm_opts. Their ctx is the struct vcpus. */
void vcpus_stop(void *ctx);
void vcpus_resume(void *ctx);

#endif /* VCPUS_H */
