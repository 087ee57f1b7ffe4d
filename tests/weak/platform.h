/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * platform.h - the platform of the checker: each atomic access is an event of its machine
 *
 * This header replaces src/platform/user/platform.h: the checker's include path finds it first. It
 * has what the range tree needs, and no more. Each use of a macro is a weak_site, so that each can
 * be weakened alone.
 *
 * Assertions are off, as in the build that is installed. An assertion loads with acquire: it could
 * stand in for an ordering that the code lacks.
 */
#ifndef GMS_PLATFORM_H
#define GMS_PLATFORM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmemstate/alloc.h>

#include "weak.h"

#define gms_likely(x) __builtin_expect(!!(x), 1)
#define gms_unlikely(x) __builtin_expect(!!(x), 0)
#define gms_always_inline inline __attribute__((always_inline))
#define gms_may_alias __attribute__((may_alias))
#define gms_noinline __attribute__((noinline))
#define GMS_UNROLL
#define GMS_UNROLL_ALL

#define GMS_CHECKED 0
#define gms_assert(cond) ((void)(0 && (cond)))

/* The section has pointers, because the linker may leave gaps between larger objects. */
#define WEAK_SITE(op_, order_, text_)                                          \
	({                                                                     \
		static struct weak_site site_ = {.file = __FILE__,             \
						 .function = __func__,         \
						 .text = text_,                \
						 .line = __LINE__,             \
						 .op = op_,                    \
						 .order = order_};             \
		static struct weak_site *const pointer_                        \
			__attribute__((section("weak_sites"), used)) = &site_; \
		&site_;                                                        \
	})

#define weak_typed_load(p, order, text) \
	((__typeof__(*(p)))weak_load(p, sizeof(*(p)), order, WEAK_SITE(WEAK_LOAD, order, text)))
#define weak_typed_store(p, v, order, text)                                 \
	weak_store(p, sizeof(*(p)), (uint64_t)(__typeof__(*(p)))(v), order, \
		   WEAK_SITE(WEAK_STORE, order, text))

#define gms_load_relaxed(p) weak_typed_load(p, WEAK_RELAXED, #p)
#define gms_load_acquire(p) weak_typed_load(p, WEAK_ACQUIRE, #p)
#define gms_store_relaxed(p, v) weak_typed_store(p, v, WEAK_RELAXED, #p)
#define gms_store_release(p, v) weak_typed_store(p, v, WEAK_RELEASE, #p)
#define gms_store_sole(p, v) gms_store_release(p, v)
#define gms_fetch_add_relaxed(p, v)                                               \
	((__typeof__(*(p)))weak_add(p, sizeof(*(p)), (uint64_t)(v), WEAK_RELAXED, \
				    WEAK_SITE(WEAK_ADD, WEAK_RELAXED, #p)))
#define gms_add_relaxed(p, v) ((void)gms_fetch_add_relaxed(p, v))
#define gms_cmpxchg(p, old, new)                                                            \
	((__typeof__(*(p)))weak_cmpxchg(p, sizeof(*(p)), (uint64_t)(__typeof__(*(p)))(old), \
					(uint64_t)(__typeof__(*(p)))(new), WEAK_ACQ_REL,    \
					WEAK_SITE(WEAK_CMPXCHG, WEAK_ACQ_REL, #p)))
#define gms_cmpxchg_pointer(p, old, new) gms_cmpxchg(p, old, new)
#define gms_fence_acquire() weak_fence(WEAK_ACQUIRE, WEAK_SITE(WEAK_FENCE, WEAK_ACQUIRE, ""))
#define gms_fence_release() weak_fence(WEAK_RELEASE, WEAK_SITE(WEAK_FENCE, WEAK_RELEASE, ""))

#define gms_prefetch(p) ((void)(p))

#define gms_memset(p, c, n) weak_memset(p, c, n)
#define gms_memcpy(to, from, n) weak_memcpy(to, from, n)

static inline int gms_because(int err, const char *why)
{
	(void)why;
	return err;
}

static inline const struct gms_allocator *gms_platform_allocator(void)
{
	return &weak_allocator;
}

struct gms_spinlock {
	struct weak_mutex mutex;
};

static inline void gms_spin_init(struct gms_spinlock *lock)
{
	lock->mutex.locked = 0;
}

static inline void gms_spin_lock(struct gms_spinlock *lock)
{
	weak_lock(&lock->mutex);
}

static inline void gms_spin_unlock(struct gms_spinlock *lock)
{
	weak_unlock(&lock->mutex);
}

#endif /* GMS_PLATFORM_H */
