/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stdatomic.h - C11's atomics for the tests, by the compiler's builtins
 *
 * The library itself uses the kernel's primitives (src/platform/kernel). The tests say _Atomic,
 * and with it sequentially consistent accesses. Loads let other threads run: a test that waits in
 * a loop would stop a kernel that does not preempt.
 */
#ifndef TEST_STDATOMIC_H
#define TEST_STDATOMIC_H

#include "test_kernel.h"

typedef _Atomic _Bool atomic_bool;
typedef _Atomic int atomic_int;
typedef _Atomic unsigned int atomic_uint;

enum test_memory_order {
	memory_order_relaxed = __ATOMIC_RELAXED,
	memory_order_acquire = __ATOMIC_ACQUIRE,
	memory_order_release = __ATOMIC_RELEASE,
	memory_order_acq_rel = __ATOMIC_ACQ_REL,
	memory_order_seq_cst = __ATOMIC_SEQ_CST
};

#define atomic_init(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_load(p) atomic_load_explicit(p, __ATOMIC_SEQ_CST)
#define atomic_store(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_exchange(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, v) __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define atomic_load_explicit(p, order) (test_resched(), __atomic_load_n(p, order))
#define atomic_store_explicit(p, v, order) __atomic_store_n(p, v, order)
#define atomic_fetch_add_explicit(p, v, order) __atomic_fetch_add(p, v, order)
#define atomic_fetch_sub_explicit(p, v, order) __atomic_fetch_sub(p, v, order)
#define atomic_compare_exchange_strong(p, old, v) \
	__atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define atomic_thread_fence(order) __atomic_thread_fence(order)

#endif /* TEST_STDATOMIC_H */
