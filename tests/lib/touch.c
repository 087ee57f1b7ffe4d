// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * touch.c - the functions that code calls before each access if compiled with -fsanitize=thread
 *
 * The names and parameters are those of the interface between compilers and ThreadSanitizer. All
 * atomic accesses are sequentially consistent here, because the tests have one thread.
 */
#define _GNU_SOURCE /* pthread_getattr_np() */
#include <pthread.h>
#include <string.h>

#include "touch.h"

void (*touch_hook)(const void *address, size_t size, bool store);
bool touch_plain;

static bool in_hook;

static bool on_stack(const void *address)
{
	static const char *low, *high;

	if (!high) {
		pthread_attr_t attr;
		size_t size = 0;
		void *base = NULL;

		if (!pthread_getattr_np(pthread_self(), &attr)) {
			pthread_attr_getstack(&attr, &base, &size);
			pthread_attr_destroy(&attr);
		}
		low = base;
		high = low + size;
	}
	return (const char *)address >= low && (const char *)address < high;
}

static void touch(const void *address, size_t size, bool store)
{
	if (!touch_hook || in_hook || on_stack(address))
		return;
	in_hook = true;
	touch_hook(address, size, store);
	in_hook = false;
}

/* ---- plain accesses ---- */

static void touch_plainly(const void *address, size_t size, bool store)
{
	if (in_hook)
		return;
	touch_plain = true;
	touch(address, size, store);
	touch_plain = false;
}

/* Only the compiler calls these functions, so no header declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PLAIN(n)                                           \
	void __tsan_read##n(void *address)                 \
	{                                                  \
		touch_plainly(address, n, false);          \
	}                                                  \
	void __tsan_write##n(void *address)                \
	{                                                  \
		touch_plainly(address, n, true);           \
	}                                                  \
	void __tsan_unaligned_read##n(void *address)       \
	{                                                  \
		touch_plainly(address, n, false);          \
	}                                                  \
	void __tsan_unaligned_write##n(void *address)      \
	{                                                  \
		touch_plainly(address, n, true);           \
	}                                                  \
	void __tsan_read_write##n(void *address)           \
	{                                                  \
		touch_plainly(address, n, true);           \
	}                                                  \
	void __tsan_unaligned_read_write##n(void *address) \
	{                                                  \
		touch_plainly(address, n, true);           \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *address, size_t size)
{
	touch_plainly(address, size, false);
}

void __tsan_write_range(void *address, size_t size)
{
	touch_plainly(address, size, true);
}

void *__tsan_memset(void *to, int byte, size_t size)
{
	touch_plainly(to, size, true);
	return memset(to, byte, size);
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	touch_plainly(from, size, false);
	touch_plainly(to, size, true);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
	touch_plainly(from, size, false);
	touch_plainly(to, size, true);
	return memmove(to, from, size);
}

/* ---- atomic accesses ---- */

#define RMW(bits, type, name)                                                        \
	type __tsan_atomic##bits##_fetch_##name(volatile type *p, type v, int order) \
	{                                                                            \
		(void)order;                                                         \
		touch((const void *)p, sizeof(*p), true);                            \
		return __atomic_fetch_##name(p, v, __ATOMIC_SEQ_CST);                \
	}

#define ATOMIC(bits, type)                                                                      \
	type __tsan_atomic##bits##_load(const volatile type *p, int order)                      \
	{                                                                                       \
		(void)order;                                                                    \
		touch((const void *)p, sizeof(*p), false);                                      \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                    \
	}                                                                                       \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                   \
	{                                                                                       \
		(void)order;                                                                    \
		touch((const void *)p, sizeof(*p), true);                                       \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                       \
	}                                                                                       \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)                \
	{                                                                                       \
		(void)order;                                                                    \
		touch((const void *)p, sizeof(*p), true);                                       \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                             \
	}                                                                                       \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v,  \
							  int order, int failed)                \
	{                                                                                       \
		(void)order;                                                                    \
		(void)failed;                                                                   \
		touch((const void *)p, sizeof(*p), true);                                       \
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST,          \
						   __ATOMIC_SEQ_CST);                           \
	}                                                                                       \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *old, type v,    \
							int order, int failed)                  \
	{                                                                                       \
		return __tsan_atomic##bits##_compare_exchange_strong(p, old, v, order, failed); \
	}                                                                                       \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type old, type v,     \
							int order, int failed)                  \
	{                                                                                       \
		__tsan_atomic##bits##_compare_exchange_strong(p, &old, v, order, failed);       \
		return old;                                                                     \
	}                                                                                       \
	RMW(bits, type, add)                                                                    \
	RMW(bits, type, sub)                                                                    \
	RMW(bits, type, and)                                                                    \
	RMW(bits, type, or)                                                                     \
	RMW(bits, type, xor)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* ---- functions that do nothing here ---- */

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}
