// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * platform.c - user-space side of platform.h: libc or jemalloc, and pthreads
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

static inline void gms_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* The holder is at most a few instructions from its unlock, unless it was preempted. */
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

/*
 * glibc's default prefers readers: beside a few that overlap, a writer waits for
 * seconds. The non-recursive writer preference is the one that glibc honours.
 */
int gms_rwlock_init(struct gms_rwlock *lock)
{
	pthread_rwlockattr_t attr;
	int err;

	if (pthread_rwlockattr_init(&attr))
		return -ENOMEM;
#ifdef __GLIBC__
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	err = pthread_rwlock_init(&lock->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return err ? -ENOMEM : 0;
}

void gms_rwlock_fini(struct gms_rwlock *lock)
{
	pthread_rwlock_destroy(&lock->lock);
}

void gms_rwlock_read_lock(struct gms_rwlock *lock)
{
	pthread_rwlock_rdlock(&lock->lock);
}

void gms_rwlock_read_unlock(struct gms_rwlock *lock)
{
	pthread_rwlock_unlock(&lock->lock);
}

void gms_rwlock_write_lock(struct gms_rwlock *lock)
{
	pthread_rwlock_wrlock(&lock->lock);
}

void gms_rwlock_write_unlock(struct gms_rwlock *lock)
{
	pthread_rwlock_unlock(&lock->lock);
}
