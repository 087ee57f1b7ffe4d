/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * platform.h - the only door to libc and pthreads; this is the header for user space
 *
 * The header has all that src/ needs from its surroundings: memory, locks, atomics, error numbers.
 * Another platform (a kernel, a deterministic scheduler) has a header of the same name, in which
 * each primitive means the same. Each macro evaluates its arguments once, except that gms_assert()
 * evaluates nothing in release builds.
 *
 *  gms_load_acquire      No later access is made before the load
 *  gms_store_release     No earlier access is made after the store
 *  gms_store_sole        gms_store_release() by the only thread that may write the word now. A
 *                        kernel has a checker of that
 *  gms_fence_acquire     No access that follows the fence is made before a load that precedes it
 *  gms_fence_release     No access that precedes the fence is made after a store that follows it
 *  gms_cmpxchg_pointer   Stores a pointer if it finds the expected one, and returns what it found;
 *                        acquire and release
 *  gms_prefetch          Fetches a cache line that will be read soon
 *  gms_spin_*            Mutual exclusion for a few instructions. The holder does not sleep, and
 *                        so does not allocate
 *  gms_cpu_relax         Pauses in a loop that waits for another thread
 *  gms_cond_resched      Lets other threads run: a kernel may not preempt. Loops over more than 1G
 *                        call it for each 1G or folio, with no lock held but such as allow sleep
 *  gms_slot              A number below GMS_NR_SLOTS, which spreads threads over cache lines. A
 *                        hint: in a kernel it is that of the processor, and may change
 *  gms_mutex_*           Mutual exclusion. The holder may sleep. Not recursive
 *  gms_rwlock_*          Many readers or one writer. The holder may sleep. Not recursive, not even
 *                        for readers. A thread unlocks only what it has locked. The caller
 *                        serialises writers by a mutex, which it holds from before write_lock
 *                        until write_unlock has returned. Neither side starves
 *  gms_thread_*          What the platform keeps for the calling thread: the objects whose shared
 *                        locks it holds, and a list of the hooks that it is inside. A platform
 *                        that keeps nothing answers as if both were empty
 *
 * gms_*_init() gives a lock its place in the order of locks: the object that the lock belongs to,
 * its rank (enum gms_rank) and its key. A thread takes the locks of one object with ascending
 * ranks, and with ascending keys within a rank. Debug builds (GMS_DEBUG) check that.
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

#include "../rank.h"

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
#define gms_store_sole(p, v) gms_store_release(p, v)
#define gms_add_relaxed(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define gms_fetch_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define gms_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define gms_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)

#define gms_prefetch(p) __builtin_prefetch(p)

#define gms_memset(p, c, n) memset(p, c, n)
#define gms_memcpy(to, from, n) memcpy(to, from, n)
#define gms_strcmp(a, b) strcmp(a, b)

/* Where a macro is used in the source, as "file:line". */
#define GMS_STRING_OF(x) #x
#define GMS_STRING(x) GMS_STRING_OF(x)
#define GMS_HERE __FILE__ ":" GMS_STRING(__LINE__)

/*
 * Debug builds (GMS_DEBUG) stop where an invariant is broken: gms_trap() writes one line to the
 * standard error, with the place in the source and the reason, and then traps. Other builds have
 * no code for gms_assert().
 */
#ifdef GMS_DEBUG
#define GMS_CHECKED 1
void gms_trap(const char *where, const char *what) __attribute__((noreturn, cold));
#define gms_assert(cond)                           \
	do {                                       \
		if (gms_unlikely(!(cond)))         \
			gms_trap(GMS_HERE, #cond); \
	} while (0)
#else
#define GMS_CHECKED 0
#define gms_assert(cond) ((void)(0 && (cond)))
#endif

/* Stores @new in *place if *place is @old. Returns what *place was. */
static inline void *gms_cmpxchg_pointer(void **place, void *old, void *new)
{
	__atomic_compare_exchange_n(place, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return old;
}

/* Returns the allocator that is used where a caller passes NULL for one. */
const struct gms_allocator *gms_platform_allocator(void);

/* The place of a lock in the order of locks. */
struct gms_place {
	const void *object;
	enum gms_rank rank;
	unsigned int key;
};

#ifdef GMS_DEBUG
#define GMS_PLACE struct gms_place place;
#define gms_place_set(lock, o, r, k) ((void)((lock)->place = (struct gms_place) {o, r, k}))
#define gms_place_enter(lock, where) gms_rank_enter(&(lock)->place, where)
#define gms_place_leave(lock, where) gms_rank_leave(&(lock)->place, where)
/* Traps if the calling thread may not take the lock now. */
void gms_rank_enter(const struct gms_place *place, const char *where);
/* Traps if the calling thread does not hold the lock. */
void gms_rank_leave(const struct gms_place *place, const char *where);
/* Returns true if the calling thread holds a lock of @object with this rank. */
bool gms_rank_holds(const void *object, enum gms_rank rank);
/* Returns true if the calling thread holds a lock of any object with this rank. */
bool gms_rank_holds_any(enum gms_rank rank);
#else
#define GMS_PLACE
#define gms_place_set(lock, o, r, k) ((void)(lock), (void)(o), (void)(r), (void)(k))
#define gms_place_enter(lock, where) ((void)(lock), (void)(where))
#define gms_place_leave(lock, where) ((void)(lock), (void)(where))
#endif

struct gms_spinlock {
	uint32_t locked;
	GMS_PLACE
};

/* A checker of kernels needs these annotations. */
#define GMS_SPIN_ACQUIRES
#define GMS_SPIN_RELEASES

void gms_spin_lock_slow(struct gms_spinlock *lock);

static inline void gms_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline void gms_cond_resched(void)
{
}

static inline void gms_spin_init(struct gms_spinlock *lock, const void *object, enum gms_rank rank,
				 unsigned int key)
{
	lock->locked = 0;
	gms_place_set(lock, object, rank, key);
}

#define gms_spin_lock(lock) gms_spin_lock_at(lock, GMS_HERE)
#define gms_spin_unlock(lock) gms_spin_unlock_at(lock, GMS_HERE)

static inline void gms_spin_lock_at(struct gms_spinlock *lock, const char *where)
{
	gms_place_enter(lock, where);
	if (gms_unlikely(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)))
		gms_spin_lock_slow(lock);
}

static inline void gms_spin_unlock_at(struct gms_spinlock *lock, const char *where)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
	gms_place_leave(lock, where);
}

#define GMS_MAX_HELD 4

/* What the platform keeps for the calling thread. */
struct gms_thread {
	unsigned int slot; /* the number of the slot + 1; 0: the thread has no slot yet */
	unsigned int nr_held; /* how many shared locks the thread holds */
	const void *held[GMS_MAX_HELD]; /* their objects, as far as they fit; NULL: free */
	void *hooks; /* see gms_thread_hooks() */
	const char *reason; /* of the call that runs, or else of the last one; or NULL */
};

extern __thread struct gms_thread gms_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Notes why a call of this thread is about to return an error. Returns the error. */
static inline int gms_because(int err, const char *why)
{
	gms_thread.reason = why;
	return err;
}

static inline const char *gms_thread_reason(void)
{
	return gms_thread.reason;
}

#define GMS_NR_SLOTS 8u

/* Gives a slot to the calling thread, which has none. Returns the slot. */
unsigned int gms_slot_deal(void);

static inline unsigned int gms_slot(void)
{
	const unsigned int slot = gms_thread.slot;

	return gms_likely(slot) ? slot - 1 : gms_slot_deal();
}

void gms_thread_hold_slow(const void *object);

/* Notes that the calling thread has taken a shared lock of @object. */
static inline void gms_thread_hold(const void *object)
{
	if (gms_likely(!gms_thread.nr_held)) {
		gms_thread.held[0] = object;
		gms_thread.nr_held = 1;
	} else {
		gms_thread_hold_slow(object);
	}
}

void gms_thread_drop_slow(const void *object);

/* Notes that the calling thread is about to release a shared lock of @object. */
static inline void gms_thread_drop(const void *object)
{
	if (gms_likely(gms_thread.nr_held == 1 && gms_thread.held[0] == object))
		gms_thread.nr_held = 0;
	else
		gms_thread_drop_slow(object);
}

bool gms_thread_holds_slow(const void *object);

/*
 * Returns true if the calling thread holds a shared lock of @object. May miss one if the thread
 * holds more than GMS_MAX_HELD shared locks.
 */
static inline bool gms_thread_holds(const void *object)
{
	return gms_unlikely(gms_thread.nr_held) && gms_thread_holds_slow(object);
}

/* Returns the first element of the calling thread's list of hooks. The caller keeps the list. */
static inline void *gms_thread_hooks(void)
{
	return gms_thread.hooks;
}

static inline void gms_thread_set_hooks(void *hooks)
{
	gms_thread.hooks = hooks;
}

/* Returns true if the calling thread holds no shared lock of any object and is inside no hook. */
static inline bool gms_thread_is_outside(void)
{
	return !gms_thread.hooks && !gms_thread.nr_held;
}

struct gms_mutex {
	pthread_mutex_t lock;
	GMS_PLACE
};

/* Returns 0 or -ENOMEM. */
int gms_mutex_init(struct gms_mutex *mutex, const void *object, enum gms_rank rank,
		   unsigned int key);

static inline void gms_mutex_fini(struct gms_mutex *mutex)
{
	pthread_mutex_destroy(&mutex->lock);
}

#define gms_mutex_lock(mutex) gms_mutex_lock_at(mutex, GMS_HERE)
#define gms_mutex_unlock(mutex) gms_mutex_unlock_at(mutex, GMS_HERE)

static inline void gms_mutex_lock_at(struct gms_mutex *mutex, const char *where)
{
	gms_place_enter(mutex, where);
	pthread_mutex_lock(&mutex->lock);
}

static inline void gms_mutex_unlock_at(struct gms_mutex *mutex, const char *where)
{
	pthread_mutex_unlock(&mutex->lock);
	gms_place_leave(mutex, where);
}

/*
 * Each reader counts itself in the slot of its thread, so that readers in different slots write
 * different cache lines. rwlock.c explains how readers and a writer find each other.
 */
struct gms_rwlock_slot {
	uint32_t readers; /* readers that hold the lock, or will find a writer and step back */
	uint32_t waiting; /* readers that wait until the writer unlocks; under the mutex */
} __attribute__((aligned(64)));

enum gms_rwlock_writer { GMS_WRITER_NONE, GMS_WRITER_AWAKE, GMS_WRITER_ASLEEP };

struct gms_rwlock {
	struct gms_rwlock_slot slot[GMS_NR_SLOTS];
	uint32_t writer; /* enum gms_rwlock_writer; not NONE: a writer holds the lock or waits */
	uint32_t waiting; /* the sum over all slots; written under the mutex */
	uint32_t phase; /* how often a writer let waiting readers in; written under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t wake_readers;
	pthread_cond_t wake_writer;
	GMS_PLACE
};

/* Returns 0 or -ENOMEM. */
int gms_rwlock_init(struct gms_rwlock *lock, const void *object, enum gms_rank rank,
		    unsigned int key);
void gms_rwlock_fini(struct gms_rwlock *lock);
void gms_rwlock_read_lock_slow(struct gms_rwlock *lock);
void gms_rwlock_write_lock_slow(struct gms_rwlock *lock);
void gms_rwlock_write_unlock_slow(struct gms_rwlock *lock);
void gms_rwlock_wake_writer(struct gms_rwlock *lock);

#define gms_rwlock_read_lock(lock) gms_rwlock_read_lock_at(lock, GMS_HERE)
#define gms_rwlock_read_unlock(lock) gms_rwlock_read_unlock_at(lock, GMS_HERE)
#define gms_rwlock_write_lock(lock) gms_rwlock_write_lock_at(lock, GMS_HERE)
#define gms_rwlock_write_unlock(lock) gms_rwlock_write_unlock_at(lock, GMS_HERE)

static inline void gms_rwlock_read_lock_at(struct gms_rwlock *lock, const char *where)
{
	gms_place_enter(lock, where);
	__atomic_fetch_add(&lock->slot[gms_slot()].readers, 1, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST)))
		gms_rwlock_read_lock_slow(lock);
}

static inline void gms_rwlock_read_unlock_at(struct gms_rwlock *lock, const char *where)
{
	__atomic_fetch_sub(&lock->slot[gms_slot()].readers, 1, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->writer, __ATOMIC_SEQ_CST) == GMS_WRITER_ASLEEP))
		gms_rwlock_wake_writer(lock);
	gms_place_leave(lock, where);
}

static inline void gms_rwlock_write_lock_at(struct gms_rwlock *lock, const char *where)
{
	const uint32_t other =
		__atomic_exchange_n(&lock->writer, GMS_WRITER_AWAKE, __ATOMIC_SEQ_CST);
	uint32_t readers = 0;

	gms_place_enter(lock, where);
	(void)other;
	gms_assert(other == GMS_WRITER_NONE);
	GMS_UNROLL
	for (unsigned int i = 0; i < GMS_NR_SLOTS; i++)
		readers |= __atomic_load_n(&lock->slot[i].readers, __ATOMIC_SEQ_CST);
	if (gms_unlikely(readers))
		gms_rwlock_write_lock_slow(lock);
}

static inline void gms_rwlock_write_unlock_at(struct gms_rwlock *lock, const char *where)
{
	(void)__atomic_exchange_n(&lock->writer, GMS_WRITER_NONE, __ATOMIC_SEQ_CST);
	if (gms_unlikely(__atomic_load_n(&lock->waiting, __ATOMIC_SEQ_CST)))
		gms_rwlock_write_unlock_slow(lock);
	gms_place_leave(lock, where);
}

#endif /* GMS_PLATFORM_H */
