/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spinlock.h - spinlocks: one atomic exchange to lock, one store to unlock
 *
 * Without contention, as in all rows, this lock is as cheap as a spinlock of the kernel.
 */
#ifndef BENCH_KSHIM_SPINLOCK_H
#define BENCH_KSHIM_SPINLOCK_H

#include <stdbool.h>

typedef struct {
	unsigned char held;
} spinlock_t;

#define __SPIN_LOCK_UNLOCKED(x) \
	{                       \
		0               \
	}
#define DEFINE_SPINLOCK(x) spinlock_t x = __SPIN_LOCK_UNLOCKED(x)

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->held = 0;
}

static inline void spin_lock(spinlock_t *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			;
	}
}

static inline void spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#define spin_lock_nested(lock, subclass) spin_lock(lock)
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)
#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_irqsave(lock, flags) ((void)(flags), spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))
#endif
