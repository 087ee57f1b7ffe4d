/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vcpus.h - several vCPUs, and how a VMM keeps them out of KVM_RUN for a while
 *
 * What gms_kvm_opts asks for: from the return of vcpus_stop() until vcpus_resume() no vCPU is in
 * KVM_RUN. A vCPU's thread that is elsewhere counts as stopped, and so may itself be in a conversion
 * that stops the others. Calls nest.
 */
#ifndef VCPUS_H
#define VCPUS_H

#include <pthread.h>
#include <stdbool.h>

#include "machine.h"

#define VCPUS_MAX 4

struct vcpus {
	pthread_mutex_t lock;
	pthread_cond_t left; /* a vCPU is out of KVM_RUN */
	pthread_cond_t resumed; /* stops is 0 */
	unsigned int stops;
	unsigned int nr;
	bool deaf; /* a mistake that a VMM could make: nothing is stopped */
	struct {
		struct machine_vcpu *vcpu;
		pthread_t thread; /* where it is in KVM_RUN */
		bool running;
	} cpu[VCPUS_MAX];
};

/* 0 or -errno. Takes SIGUSR1. */
int vcpus_init(struct vcpus *vcpus);
void vcpus_fini(struct vcpus *vcpus);
void vcpus_add(struct vcpus *vcpus, struct machine_vcpu *vcpu);

/* machine_run(), where and when it may be. -EINTR: it was stopped, and is to be run again. */
int vcpus_run(struct vcpus *vcpus, unsigned int i, struct machine_exit *exit);

/* Their ctx is the struct vcpus. */
void vcpus_stop(void *ctx);
void vcpus_resume(void *ctx);

#endif /* VCPUS_H */
