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
 *  gms_cmpxchg_pointer   stores a pointer where it finds the expected one, and returns what it
 *                        found; acquire and release
 *  gms_prefetch          the line will be read soon
 *  gms_spin_*            mutual exclusion for a few instructions; the holder does
 *                        not sleep, and so does not allocate
 *  gms_self              who is calling: an address that no other living thread has
 *  gms_slot              a number below GMS_NR_SLOTS that stays with the thread; the
 *                        threads are dealt over the numbers evenly
 *  gms_mutex_*           mutual exclusion; the holder may sleep; not recursive
 *  gms_rwlock_*          many readers or one writer; the holder may sleep; not recursive,
 *                        for readers either. The caller sees to it that one thread at
 *                        most is between its call of write_lock and its return from
 *                        write_unlock: a mutex outside orders the writers. Neither side
 *                        starves: a writer keeps new readers out, and gives way to those
 *                        that sleep when it ends. The thread that locked unlocks
 *  gms_rank_*            the order in which locks are taken, checked in debug builds: of
 *                        one object's locks that a thread holds, each has a higher rank
 *                        than the one taken before, or the same rank and a higher key
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
#define GMS_UNROLL_ALL _Pragma("GCC unroll 64")

#define gms_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define gms_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define gms_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define gms_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define gms_add_relaxed(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define gms_fetch_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define gms_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define gms_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)

#define gms_prefetch(p) __builtin_prefetch(p)

#define gms_memset(p, c, n) memset(p, c, n)
#define gms_memcpy(to, from, n) memcpy(to, from, n)
#define gms_strcmp(a, b) strcmp(a, b)

/* Debug builds stop where an invariant is broken; others carry no trace of the check. */
#ifdef GMS_DEBUG
#define GMS_CHECKED 1
#define gms_assert(cond)                   \
	do {                               \
		if (gms_unlikely(!(cond))) \
			__builtin_trap();  \
	} while (0)
#else
#define GMS_CHECKED 0
#define gms_assert(cond) ((void)(0 && (cond)))
#endif

static inline void *gms_cmpxchg_pointer(void **place, void *old, void *new)
{
	__atomic_compare_exchange_n(place, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return old;
}

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

static inline void gms_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

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

/* What the platform knows of the calling thread. */
struct gms_thread {
	unsigned int slot; /* counted from 1; 0: not dealt yet */
};

extern __thread struct gms_thread gms_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

#define GMS_NR_SLOTS 8u

unsigned int gms_slot_deal(void);

static inline const void *gms_self(void)
{
	return &gms_thread;
}

static inline unsigned int gms_slot(void)
{
	const unsigned int slot = gms_thread.slot;

	return gms_likely(slot) ? slot - 1 : gms_slot_deal();
}

struct gms_mutex {
	pthread_mutex_t lock;
};

/* 0 or -ENOMEM. */
static inline int gms_mutex_init(struct gms_mutex *mutex)
{
	return pthread_mutex_init(&mutex->lock, NULL) ? -ENOMEM : 0;
}

static inline void gms_mutex_fini(struct gms_mutex *mutex)
{
	pthread_mutex_destroy(&mutex->lock);
}

static inline void gms_mutex_lock(struct gms_mutex *mutex)
{
	pthread_mutex_lock(&mutex->lock);
}

static inline void gms_mutex_unlock(struct gms_mutex *mutex)
{
	pthread_mutex_unlock(&mutex->lock);
}

/*
 * Readers count themselves, each in the slot of its thread: two that come at once write
 * different cache lines. How the two sides find each other is told in rwlock.c.
 */
struct gms_rwlock_slot {
	uint32_t readers; /* who hold it, and who are finding out that they may not */
	uint32_t asleep; /* who wait for the end of the writer; under the mutex */
} __attribute__((aligned(64)));

enum gms_rwlock_writer { GMS_WRITER_NONE, GMS_WRITER_AWAKE, GMS_WRITER_ASLEEP };

struct gms_rwlock {
	struct gms_rwlock_slot slot[GMS_NR_SLOTS];
	uint32_t writer; /* enum gms_rwlock_writer; holds it, or waits for it */
	uint32_t asleep; /* of all slots; written under the mutex */
	uint32_t phase; /* counts the ends of writers at which sleepers were let in; under it */
	struct gms_mutex mutex;
	pthread_cond_t wake_readers;
	pthread_cond_t wake_writer;
};

int gms_rwlock_init(struct gms_rwlock *lock); /* 0 or -ENOMEM */
void gms_rwlock_fini(struct gms_rwlock *lock);
void gms_rwlock_read_lock_slow(struct gms_rwlock *lock);
void gms_rwlock_write_lock_slow(struct gms_rwlock *lock);
void gms_rwlock_write_unlock_slow(struct gms_rwlock *lock);
void gms_rwlock_wake_writer(struct gms_rwlock *lock);

static inline void gms_rwlock_read_lock(struct gms_rwlock *lock)
{
	__atomic_fetch_add(&lock->slot[gms_slot()].readers, 1, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST)))
		gms_rwlock_read_lock_slow(lock);
}

static inline void gms_rwlock_read_unlock(struct gms_rwlock *lock)
{
	__atomic_fetch_sub(&lock->slot[gms_slot()].readers, 1, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST) == GMS_WRITER_ASLEEP))
		gms_rwlock_wake_writer(lock);
}

static inline void gms_rwlock_write_lock(struct gms_rwlock *lock)
{
	const uint32_t other =
		__atomic_exchange_n(&lock->writer, GMS_WRITER_AWAKE, __ATOMIC_SEQ_CST);
	uint32_t readers = 0;

	(void)other;
	gms_assert(other == GMS_WRITER_NONE);
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		readers |= __atomic_load_n(&lock->slot[i].readers, __ATOMIC_SEQ_CST);
	if (gms_unlikely(readers))
		gms_rwlock_write_lock_slow(lock);
}

static inline void gms_rwlock_write_unlock(struct gms_rwlock *lock)
{
	(void)__atomic_exchange_n(&lock->writer, GMS_WRITER_NONE, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->asleep, __ATOMIC_SEQ_CST)))
		gms_rwlock_write_unlock_slow(lock);
}

/* Ranks, the outermost first. The key orders the locks of one rank. */
enum gms_rank {
	GMS_RANK_CONVERT = 1,
	GMS_RANK_LISTENER,
	GMS_RANK_INVALIDATE,
	GMS_RANK_FOLIO,
	GMS_RANK_TREE,
};

/* Does the calling thread hold a lock of this rank? For gms_assert(): debug builds have it. */
bool gms_rank_holds(const void *object, unsigned int rank);
/* The same, of any object. For tests of debug builds. */
bool gms_rank_holds_any(unsigned int rank);

#ifdef GMS_DEBUG
void gms_rank_enter(const void *object, unsigned int rank, unsigned int key);
void gms_rank_leave(const void *object, unsigned int rank, unsigned int key);
#else
static inline void gms_rank_enter(const void *object, unsigned int rank, unsigned int key)
{
	(void)object;
	(void)rank;
	(void)key;
}

static inline void gms_rank_leave(const void *object, unsigned int rank, unsigned int key)
{
	(void)object;
	(void)rank;
	(void)key;
}
#endif

#endif /* GMS_PLATFORM_H */
