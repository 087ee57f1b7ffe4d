/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * touch.h - calls a hook before each memory access of the range tree's code
 *
 * For these tests the sources of the tree are compiled with -fsanitize=thread, and linked without
 * ThreadSanitizer. The compiler inserts a call such as __tsan_read8() before each plain access,
 * and replaces each atomic access by a call. touch.c implements these functions: each calls the
 * hook, and then makes the access if it is atomic.
 *
 * Usage:
 *
 *	touch_hook = count_access;
 *	gms_rtree_set(tree, 5, 1);
 *	touch_hook = NULL;
 */
#ifndef GMS_TESTS_TOUCH_H
#define GMS_TESTS_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The hook, or NULL. It is not called for accesses to the stack, nor for accesses that are made in
 * a call of the hook.
 */
extern void (*touch_hook)(const void *address, size_t size, bool store);

/* In a call of the hook: true if the access is plain, false if it is atomic. */
extern bool touch_plain;

#endif /* GMS_TESTS_TOUCH_H */
