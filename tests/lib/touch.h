/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * touch.h - every access of the range tree's code to memory, as it is made
 *
 * The tree's sources are compiled once more with -fsanitize=thread. So the compiler puts a call of
 * __tsan_read8() or the like before each access, with its address, and makes each atomic access by
 * one. Not ThreadSanitizer answers those calls, but touch.c: it tells a hook, makes the access where
 * it is an atomic one, and goes on.
 */
#ifndef GMS_TESTS_TOUCH_H
#define GMS_TESTS_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Called before each access, but not for accesses to the stack, nor for those that are made
 * within a call of the hook. NULL: nothing is called.
 */
extern void (*touch_hook)(const void *address, size_t size, bool store);

/* In a call of the hook: the access is a plain one, not an atomic one. */
extern bool touch_plain;

#endif /* GMS_TESTS_TOUCH_H */
