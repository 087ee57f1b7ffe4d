// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vcpus.c - several vCPUs, and keeping them out of KVM_RUN for a while
 *
 * A vCPU is marked as running before it enters KVM_RUN. A signal that arrives in between would be
 * lost. Therefore immediate_exit is set before the signal is sent, and KVM_RUN returns at once.
 */
#include "vcpus.h"

#include <errno.h>
#include <signal.h>

static void kicked(int signo)
{
	(void)signo; /* the signal's only effect is that KVM_RUN returns -EINTR */
}

int vcpus_init(struct vcpus *vcpus)
{
	struct sigaction action = {.sa_handler = kicked};

	*vcpus = (struct vcpus) {.nr = 0};
	pthread_mutex_init(&vcpus->lock, NULL);
	pthread_cond_init(&vcpus->left, NULL);
	pthread_cond_init(&vcpus->resumed, NULL);
	sigemptyset(&action.sa_mask);
	return sigaction(SIGUSR1, &action, NULL) ? -errno : 0;
}

void vcpus_fini(struct vcpus *vcpus)
{
	pthread_cond_destroy(&vcpus->resumed);
	pthread_cond_destroy(&vcpus->left);
	pthread_mutex_destroy(&vcpus->lock);
}

void vcpus_add(struct vcpus *vcpus, struct machine_vcpu *vcpu)
{
	vcpus->cpu[vcpus->nr++].vcpu = vcpu;
}

static void enter(struct vcpus *vcpus, unsigned int i)
{
	pthread_mutex_lock(&vcpus->lock);
	while (vcpus->stops)
		pthread_cond_wait(&vcpus->resumed, &vcpus->lock);
	machine_exit_at_once(vcpus->cpu[i].vcpu, false);
	vcpus->cpu[i].thread = pthread_self();
	vcpus->cpu[i].running = true;
	pthread_mutex_unlock(&vcpus->lock);
}

static void leave(struct vcpus *vcpus, unsigned int i)
{
	pthread_mutex_lock(&vcpus->lock);
	vcpus->cpu[i].running = false;
	pthread_cond_broadcast(&vcpus->left);
	pthread_mutex_unlock(&vcpus->lock);
}

bool vcpus_is_running(struct vcpus *vcpus, unsigned int i)
{
	bool running;

	pthread_mutex_lock(&vcpus->lock);
	running = vcpus->cpu[i].running;
	pthread_mutex_unlock(&vcpus->lock);
	return running;
}

int vcpus_run(struct vcpus *vcpus, unsigned int i, struct machine_exit *exit)
{
	int err;

	enter(vcpus, i);
	err = machine_run(vcpus->cpu[i].vcpu, exit);
	leave(vcpus, i);
	return err;
}

void vcpus_stop(void *ctx)
{
	struct vcpus *vcpus = ctx;

	pthread_mutex_lock(&vcpus->lock);
	vcpus->stops++;
	for (unsigned int i = 0; i < vcpus->nr; i++) {
		if (!vcpus->cpu[i].running)
			continue;
		machine_exit_at_once(vcpus->cpu[i].vcpu, true);
		pthread_kill(vcpus->cpu[i].thread, SIGUSR1);
	}
	for (unsigned int i = 0; i < vcpus->nr; i++)
		while (vcpus->cpu[i].running)
			pthread_cond_wait(&vcpus->left, &vcpus->lock);
	pthread_mutex_unlock(&vcpus->lock);
}

void vcpus_resume(void *ctx)
{
	struct vcpus *vcpus = ctx;

	pthread_mutex_lock(&vcpus->lock);
	if (!--vcpus->stops)
		pthread_cond_broadcast(&vcpus->resumed);
	pthread_mutex_unlock(&vcpus->lock);
}
