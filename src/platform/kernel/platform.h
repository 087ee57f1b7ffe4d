/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * platform.h - the only door to the kernel; this is the header for kernel code
 *
 * Each primitive means what user/platform.h says of it; docs/porting.md compares them one by one.
 * What is particular to this side:
 *
 *  1. The model of memory is the kernel's (LKMM). Fences are smp_mb(), because smp_rmb() and
 *     smp_wmb() order accesses of one kind only.
 *  2. Spinlocks disable interrupts, so gms_unpin() may be called in interrupts, too, though not in
 *     an NMI. A thread releases spinlocks in the reverse of the order in which it took them.
 *  3. The kernel keeps nothing for the calling thread. So no call returns -EDEADLK. A call that
 *     user space would refuse may deadlock, and lockdep reports it.
 *  4. lockdep checks the order of locks. Each lock has the class of its rank and of its key modulo
 *     GMS_NR_KEYS, because a thread may hold the locks of all 16 shards at once, and the
 *     subclasses of one class end at 8. Objects share their classes. So a thread that holds a lock
 *     of one object, or has a fault of it open, or is inside its hook or listener, must not lock
 *     another object.
 */
#ifndef GMS_PLATFORM_H
#define GMS_PLATFORM_H

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kcsan-checks.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/prefetch.h>
#include <linux/processor.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>

#include <asm/page.h>

#include <gmemstate/alloc.h>

#include "../rank.h"

#ifndef CONFIG_64BIT
#error "gmemstate needs a 64-bit kernel: it accesses words of 64 bits atomically"
#endif

#if PAGE_SHIFT != 12
#error "gmemstate needs pages of 4 KiB"
#endif

#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif

#define gms_likely(x) likely(x)
#define gms_unlikely(x) unlikely(x)
#define gms_always_inline __always_inline
#define gms_may_alias __attribute__((may_alias))
#define gms_noinline noinline
#define GMS_UNROLL _Pragma("GCC unroll 8")
#define GMS_UNROLL_ALL _Pragma("GCC unroll 64")

#define gms_load_relaxed(p) READ_ONCE(*(p))
#define gms_load_acquire(p) smp_load_acquire(p) /* before all that follows */
#define gms_store_relaxed(p, v) WRITE_ONCE(*(p), v)
#define gms_store_release(p, v) smp_store_release(p, v) /* after all that precedes */
#define gms_store_sole(p, v)                            \
	do {                                            \
		__auto_type sole_ = (p);                \
                                                        \
		ASSERT_EXCLUSIVE_WRITER(*sole_);        \
		smp_store_release(sole_, v); /* same */ \
	} while (0)
#define gms_fence_acquire() smp_mb() /* the loads that precede: before all that follows */
#define gms_fence_release() smp_mb() /* the stores that follow: after all that precedes */

/* The two functions are for words of 64 bits: others do not compile. */
#define gms_fetch_add_relaxed(p, v) ((u64)atomic64_fetch_add_relaxed((s64)(v), gms_word_atomic(p)))
#define gms_add_relaxed(p, v) atomic64_add((s64)(v), gms_word_atomic(p))

static __always_inline atomic64_t *gms_word_atomic(uint64_t *p)
{
	return (atomic64_t *)p;
}

/* Stores @new in *place if *place is @old. Returns what *place was. */
static inline void *gms_cmpxchg_pointer(void **place, void *old, void *new)
{
	void *was = cmpxchg(place, old, new);

	/* A cmpxchg() that fails orders nothing. */
	if (was != old)
		smp_acquire__after_ctrl_dep();
	return was;
}

#define gms_prefetch(p) prefetch(p)

#define gms_memset(p, c, n) memset(p, c, n)
#define gms_memcpy(to, from, n) memcpy(to, from, n)
#define gms_strcmp(a, b) strcmp(a, b)

/* Debug builds (GMS_DEBUG) warn where an invariant is broken, and go on. */
#ifdef GMS_DEBUG
#define GMS_CHECKED 1
#define gms_assert(cond) ((void)WARN_ON_ONCE(!(cond)))
#else
#define GMS_CHECKED 0
#define gms_assert(cond) ((void)(0 && (cond)))
#endif

/*
 * Returns the allocator that is used where a caller passes NULL for one. Its memory is accounted
 * to the cgroup of the thread that allocates.
 */
const struct gms_allocator *gms_platform_allocator(void);

#define GMS_NR_KEYS 16

#ifdef CONFIG_LOCKDEP
extern struct lock_class_key gms_lock_keys[GMS_NR_RANKS][GMS_NR_KEYS];
extern const char *const gms_lock_names[GMS_NR_RANKS];

#define gms_place_set(lock, rank, key)                                              \
	lockdep_set_class_and_name(lock, &gms_lock_keys[rank][(key) % GMS_NR_KEYS], \
				   gms_lock_names[rank])
#else
#define gms_place_set(lock, rank, key) ((void)(lock), (void)(rank), (void)(key))
#endif

struct gms_spinlock {
	spinlock_t lock; /* is held with interrupts disabled */
	unsigned long flags; /* the interrupt state of the thread that holds the lock */
};

/* For sparse, which counts spinlocks: a function returns with one more, or one less. */
#define GMS_SPIN_ACQUIRES __acquires(gms_spinlock)
#define GMS_SPIN_RELEASES __releases(gms_spinlock)

static inline void gms_cpu_relax(void)
{
	cpu_relax();
}

static inline void gms_cond_resched(void)
{
	cond_resched();
}

static inline void gms_spin_init(struct gms_spinlock *lock, const void *object, enum gms_rank rank,
				 unsigned int key)
{
	spin_lock_init(&lock->lock);
	gms_place_set(&lock->lock, rank, key);
}

static inline void gms_spin_lock(struct gms_spinlock *lock) __acquires(&lock->lock)
{
	unsigned long flags;

	spin_lock_irqsave(&lock->lock, flags);
	lock->flags = flags;
}

static inline void gms_spin_unlock(struct gms_spinlock *lock) __releases(&lock->lock)
{
	spin_unlock_irqrestore(&lock->lock, lock->flags);
}

/* One slot for each processor, as far as they fit. */
#define GMS_NR_SLOTS (NR_CPUS < 64 ? NR_CPUS : 64)

static inline unsigned int gms_slot(void)
{
	return raw_smp_processor_id() % GMS_NR_SLOTS;
}

void gms_because_slow(int err, const char *why);

/* A kernel keeps no reason: the tracepoint gms_because has it. gms_refused follows. */
static inline int gms_because(int err, const char *why)
{
	if (err && why)
		gms_because_slow(err, why);
	return err;
}

static inline const char *gms_thread_reason(void)
{
	return NULL;
}

static inline void gms_thread_hold(const void *object)
{
}

static inline void gms_thread_drop(const void *object)
{
}

static inline bool gms_thread_holds(const void *object)
{
	return false;
}

static inline void *gms_thread_hooks(void)
{
	return NULL;
}

static inline void gms_thread_set_hooks(void *hooks)
{
}

static inline bool gms_thread_is_outside(void)
{
	return true;
}

struct gms_mutex {
	struct mutex lock; /* has the class of its rank and key */
};

static inline int gms_mutex_init(struct gms_mutex *mutex, const void *object, enum gms_rank rank,
				 unsigned int key)
{
	mutex_init(&mutex->lock);
	gms_place_set(&mutex->lock, rank, key);
	return 0;
}

static inline void gms_mutex_fini(struct gms_mutex *mutex)
{
	mutex_destroy(&mutex->lock);
}

static inline void gms_mutex_lock(struct gms_mutex *mutex)
{
	mutex_lock(&mutex->lock);
}

static inline void gms_mutex_unlock(struct gms_mutex *mutex)
{
	mutex_unlock(&mutex->lock);
}

/*
 * A percpu_rw_semaphore would let readers share no cache line, but its writer waits for a grace
 * period of RCU. A conversion of one page is a writer.
 */
struct gms_rwlock {
	struct rw_semaphore sem;
};

static inline int gms_rwlock_init(struct gms_rwlock *lock, const void *object, enum gms_rank rank,
				  unsigned int key)
{
	init_rwsem(&lock->sem);
	gms_place_set(&lock->sem, rank, key);
	return 0;
}

static inline void gms_rwlock_fini(struct gms_rwlock *lock)
{
}

static inline void gms_rwlock_read_lock(struct gms_rwlock *lock)
{
	down_read(&lock->sem);
}

static inline void gms_rwlock_read_unlock(struct gms_rwlock *lock)
{
	up_read(&lock->sem);
}

static inline void gms_rwlock_write_lock(struct gms_rwlock *lock)
{
	down_write(&lock->sem);
}

static inline void gms_rwlock_write_unlock(struct gms_rwlock *lock)
{
	up_write(&lock->sem);
}

#endif /* GMS_PLATFORM_H */
