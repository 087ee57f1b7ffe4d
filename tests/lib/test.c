// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test.c - seed and iteration counts of the tests, from the environment
 */
#include "test.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

bool test_on_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

/* ThreadSanitizer costs a factor of ten or more. */
#if defined(__SANITIZE_THREAD__)
#define SLOWDOWN 10
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOWDOWN 10
#endif
#endif
#ifndef SLOWDOWN
#define SLOWDOWN 1
#endif

static bool from_env(const char *name, uint64_t *value)
{
	const char *text = getenv(name);
	char *end;

	if (!text || !*text)
		return false;
	*value = strtoull(text, &end, 0);
	if (*end) {
		fprintf(stderr, "%s=%s is not a number\n", name, text);
		exit(2);
	}
	return true;
}

uint64_t test_iters(uint64_t normal)
{
	uint64_t n;

	if (!from_env("GMS_TEST_ITERS", &n))
		n = normal / (test_on_valgrind() ? 50 : SLOWDOWN);
	return n ? n : 1;
}

uint64_t test_seed(void)
{
	uint64_t seed = 0x67e5;

	from_env("GMS_TEST_SEED", &seed);
	return seed;
}
