/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * platform.h - the only door to libc and pthreads; this is the user-space one
 *
 * Whatever src/ needs from its surroundings is named here: memory, locks, atomics,
 * error numbers. Another platform (a kernel, a deterministic scheduler) brings a
 * header of the same name in which each primitive means the same:
 *
 * Each evaluates its arguments once.
 *
 *  gms_load_acquire      no later access is made before it
 *  gms_store_release     no earlier access is made after it
 *  gms_fence_acquire     no later access is made before an earlier load
 *  gms_fence_release     no earlier access is made after a later store
 *  gms_spin_*            mutual exclusion for a few instructions; the holder does
 *                        not sleep, and so does not allocate
 *  gms_rwlock_*          many readers or one writer; writers do not starve; the
 *                        holder may sleep
 *  gms_cpu_relax         what a loop that waits for a spinlock does meanwhile
 */
#ifndef GMS_PLATFORM_H
#define GMS_PLATFORM_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <gmemstate/alloc.h>

#define gms_likely(x) __builtin_expect(!!(x), 1)
#define gms_unlikely(x) __builtin_expect(!!(x), 0)
#define gms_always_inline inline __attribute__((always_inline))
#define gms_may_alias __attribute__((may_alias))
#define gms_noinline __attribute__((noinline))
#define GMS_UNROLL _Pragma("GCC unroll 8")

#define gms_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define gms_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define gms_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define gms_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define gms_add_relaxed(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define gms_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define gms_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)

#define gms_memset(p, c, n) memset(p, c, n)
#define gms_memcpy(to, from, n) memcpy(to, from, n)

/* Debug builds stop where an invariant is broken; others carry no trace of the check. */
#ifdef GMS_DEBUG
#define gms_assert(cond)                   \
	do {                               \
		if (gms_unlikely(!(cond))) \
			__builtin_trap();  \
	} while (0)
#else
#define gms_assert(cond) ((void)sizeof(cond))
#endif

/*
 * Vector code. With GMS_VECTOR a line is filled and copied as one vector, and functions
 * that it pays for are compiled for newer x86 levels as well: the loader picks. Without,
 * or with another compiler or machine, there is the plain path.
 */
#if defined(GMS_VECTOR) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define GMS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GMS_CLONES
#undef GMS_VECTOR
#endif

/* What an option struct holds beyond what this library knows must be zero. */
static inline bool gms_tail_is_zero(const void *opts, size_t known, size_t size)
{
	const unsigned char *p = (const unsigned char *)opts;

	for (size_t i = known; i < size; i++)
		if (p[i])
			return false;
	return true;
}

/* The allocator that NULL stands for. */
const struct gms_allocator *gms_platform_allocator(void);

struct gms_spinlock {
	uint32_t locked;
};

void gms_spin_lock_slow(struct gms_spinlock *lock);

static inline void gms_spin_init(struct gms_spinlock *lock)
{
	lock->locked = 0;
}

static inline void gms_spin_lock(struct gms_spinlock *lock)
{
	if (gms_unlikely(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)))
		gms_spin_lock_slow(lock);
}

static inline void gms_spin_unlock(struct gms_spinlock *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

struct gms_rwlock {
	pthread_rwlock_t lock;
};

int gms_rwlock_init(struct gms_rwlock *lock); /* 0 or -ENOMEM */
void gms_rwlock_fini(struct gms_rwlock *lock);
void gms_rwlock_read_lock(struct gms_rwlock *lock);
void gms_rwlock_read_unlock(struct gms_rwlock *lock);
void gms_rwlock_write_lock(struct gms_rwlock *lock);
void gms_rwlock_write_unlock(struct gms_rwlock *lock);

#endif /* GMS_PLATFORM_H */
