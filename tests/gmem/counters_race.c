// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * counters_race.c - a guest's fault beside a conversion of another page of its 2M block
 *
 * The fault has seen the block uniform, and is about to map all of it; then the other page changes
 * sides. The fault's own gfn is not in the range that is converted, so KVM must be told of the
 * whole block: G3 of gmem.h. Otherwise the guest keeps a mapping of 2M over a block that is mixed.
 */
#include "counters.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "steps.h"

#define SECONDS 3.0

/* What a vCPU shares with the host, in the machine's own memory. guest_code uses the offsets. */
struct toucher {
	uint64_t gpa;
	_Atomic uint64_t stop;
	_Atomic uint64_t touches;
};

/* A vCPU's thread, and why the vCPU has stopped: "" while it runs, or if it was asked to. */
struct toucher_thread {
	struct gmem *g;
	_Atomic bool stopped;
	char why[200];
};

/* Reads the byte at gpa, again and again, until stop is set. */
__asm__(".pushsection .rodata\n"
	"toucher_begin: mov (%rdi), %rbx\n"
	"1: mov (%rbx), %al\n"
	"	incq 16(%rdi)\n"
	"	cmpq $0, 8(%rdi)\n"
	"	je 1b\n"
	"	out %al, $0x13\n"
	"toucher_end:\n"
	".popsection");
extern const unsigned char toucher_begin[], toucher_end[];

static void *toucher_run(void *arg)
{
	struct toucher_thread *t = arg;
	struct machine_exit exit;
	int err;

	do
		err = machine_run(&t->g->m.vcpu, &exit);
	while (err == -EINTR || (!err && exit.kind == MACHINE_MEMORY_FAULT));
	if (err)
		snprintf(t->why, sizeof(t->why), "KVM_RUN returns %d", err);
	else if (exit.kind != MACHINE_OUT)
		machine_explain(&exit, t->why, sizeof(t->why));
	atomic_store(&t->stopped, true);
	return NULL;
}

/* Waits until the vCPU has touched its page since now, or has stopped. */
static void wait_for_touch(struct toucher *toucher, struct toucher_thread *t)
{
	const uint64_t seen = atomic_load(&toucher->touches);

	while (atomic_load(&toucher->touches) < seen + 2 && !atomic_load(&t->stopped))
		sched_yield();
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void no_stale_mapping(void **state)
{
	const uint64_t flags = gmem_flags(FOLIO_2M, *(const enum policy *)*state, PRIVATE);
	uint64_t before, stale = 0, rounds = 0;
	struct gmem g;
	struct toucher_thread t = {.g = &g};
	struct toucher *toucher;
	pthread_t thread;
	double end;

	works(gmem_create(&g, BLOCK, flags));
	works(gmem_pre_fault(&g.m.vcpu, 0, MACHINE_LOW_SIZE / PAGE));
	works(vm_counter(g.m.vm, "pages_2m", &before));
	toucher = (void *)(g.m.low + MACHINE_LOW_FREE);
	*toucher = (struct toucher) {.gpa = MAIN_GPA};
	works(machine_load(&g.m, toucher_begin, (size_t)(toucher_end - toucher_begin)));
	works(machine_start(&g.m, &g.m.vcpu, MACHINE_LOW_FREE));
	works(-pthread_create(&thread, NULL, toucher_run, &t));
	for (end = now() + SECONDS; now() < end && !stale && !atomic_load(&t.stopped); rounds++) {
		uint64_t pages_2m;

		/* zaps the vCPU's page: its fault is on its way when the other page changes */
		converts(&g, 0, 1, SHARED);
		converts(&g, 0, 1, PRIVATE);
		converts(&g, BLOCK - 1, 1, SHARED);
		wait_for_touch(toucher, &t);
		works(vm_counter(g.m.vm, "pages_2m", &pages_2m));
		stale += pages_2m != before;
		converts(&g, BLOCK - 1, 1, PRIVATE);
	}
	atomic_store(&toucher->stop, 1);
	pthread_join(thread, NULL);
	print_message("%llu conversions beside faults\n", (unsigned long long)rounds);
	assert_string_equal(t.why, "");
	assert_int_equal(stale, 0);
	gmem_destroy(&g);
}
