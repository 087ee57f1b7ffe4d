// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * platform.c - what is not inline in platform.h: memory, mutexes, slow paths, threads
 */
#define _GNU_SOURCE
#include "platform.h"

#include <sched.h>
#include <stdlib.h>
#ifdef GMS_WITH_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#ifdef GMS_WITH_JEMALLOC
static void *platform_alloc(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	return mallocx(size, MALLOCX_ALIGN(align));
}

static void platform_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	sdallocx(ptr, size, MALLOCX_ALIGN(align));
}
#else
static void *platform_alloc(void *ctx, size_t size, size_t align)
{
	void *ptr;

	(void)ctx;
	return posix_memalign(&ptr, align, size) ? NULL : ptr;
}

static void platform_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	(void)size;
	(void)align;
	free(ptr);
}
#endif

const struct gms_allocator *gms_platform_allocator(void)
{
	static const struct gms_allocator allocator = {
		.struct_size = sizeof(allocator),
		.alloc = platform_alloc,
		.free = platform_free,
	};

	return &allocator;
}

/* The holder unlocks after a few instructions unless it is preempted: hence the yield. */
void gms_spin_lock_slow(struct gms_spinlock *lock)
{
	unsigned int spins = 0;

	do {
		while (gms_load_relaxed(&lock->locked)) {
			if (++spins % 128)
				gms_cpu_relax();
			else
				sched_yield();
		}
	} while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE));
}

__thread struct gms_thread gms_thread;

unsigned int gms_slot_deal(void)
{
	static uint32_t dealt;
	const uint32_t slot = __atomic_fetch_add(&dealt, 1, __ATOMIC_RELAXED) % GMS_NR_SLOTS;

	gms_thread.slot = slot + 1;
	return slot;
}

/*
 * Returns the position of @object in the held array of the calling thread, or, for NULL, the first
 * free position; GMS_MAX_HELD: there is none. The thread holds at least one shared lock.
 */
static unsigned int platform_held_at(const void *object)
{
	unsigned int i = 0;

	while (i < GMS_MAX_HELD && gms_thread.held[i] != object)
		i++;
	return i;
}

void gms_thread_hold_slow(const void *object)
{
	const unsigned int i = platform_held_at(NULL);

	if (i < GMS_MAX_HELD)
		gms_thread.held[i] = object;
	gms_thread.nr_held++;
}

void gms_thread_drop_slow(const void *object)
{
	const unsigned int i = platform_held_at(object);

	if (i < GMS_MAX_HELD)
		gms_thread.held[i] = NULL;
	if (gms_thread.nr_held)
		gms_thread.nr_held--;
}

bool gms_thread_holds_slow(const void *object)
{
	return platform_held_at(object) < GMS_MAX_HELD;
}

/*
 * The mutex is adaptive: a thread that finds it taken spins before it sleeps, because most mutexes
 * of the library are held for less time than it takes to sleep and to be woken.
 */
int gms_mutex_init(struct gms_mutex *mutex, const void *object, enum gms_rank rank,
		   unsigned int key)
{
	pthread_mutexattr_t attr;
	int err;

	gms_place_set(mutex, object, rank, key);
	if (pthread_mutexattr_init(&attr))
		return -ENOMEM;
#ifdef __GLIBC__ /* PTHREAD_MUTEX_ADAPTIVE_NP is an enumerator, which #ifdef cannot see */
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
	err = pthread_mutex_init(&mutex->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return err ? -ENOMEM : 0;
}
