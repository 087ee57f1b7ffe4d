// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * test.c - what the tests need from the system: the environment, processes, threads
 */
#define _GNU_SOURCE
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

#ifndef __has_feature /* gcc says the same by macros */
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define BUILD_SLOWDOWN 10
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || defined(GMS_DEBUG)
#define BUILD_SLOWDOWN 4
#else
#define BUILD_SLOWDOWN 1
#endif

unsigned int test_slowdown(void)
{
	return test_on_valgrind() ? 50 : BUILD_SLOWDOWN;
}

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
		n = normal / test_slowdown();
	return n ? n : 1;
}

uint64_t test_seed(void)
{
	uint64_t seed = 0x67e5;

	from_env("GMS_TEST_SEED", &seed);
	return seed;
}

bool test_forks(void)
{
	return getenv("GMS_TEST_FORK") != NULL;
}

bool test_fails(bool (*fails)(const void *arg), const void *arg)
{
	int status = -1;
	pid_t pid;

	if (!test_forks())
		return fails(arg);
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(fails(arg) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		fprintf(stderr, "cannot run a process\n");
		exit(2);
	}
	return status != 0;
}

bool test_in_kernel(void)
{
	return false;
}

int test_thread(void)
{
	return (int)syscall(SYS_gettid);
}

/* In the stat file, the state of a thread follows its name, which is in brackets. */
bool test_thread_sleeps(int thread)
{
	char path[64], line[256];
	const char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	if (!file)
		return false;
	state = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return state && state[1] == ' ' && state[2] == 'S';
}

void test_nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

void test_end_on_crash(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
}
