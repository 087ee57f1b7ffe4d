// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * check.c - the output of minivmm, and its checks
 */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static unsigned int check_count;
static const char *check_failed; /* the first check that did not hold */

double check_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void check_say(double us, const char *format, ...)
{
	va_list args;

	if (us < 0)
		printf("%13s", "");
	else
		printf("%8.1f us  ", us);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void check_hold(bool ok, const char *what)
{
	check_count++;
	if (ok)
		return;
	check_say(CHECK_NO_TIME, "DOES NOT HOLD: %s", what);
	if (!check_failed)
		check_failed = what;
}

int check_verdict(void)
{
	if (check_failed)
		printf("A check did not hold: %s\n", check_failed);
	else
		printf("All %u checks held\n", check_count);
	return check_failed ? 1 : 0;
}

static sigjmp_buf check_escape;
static volatile sig_atomic_t check_touching;

static void check_on_sigbus(int number)
{
	static const char text[] = "A check did not hold: the host can touch shared memory\n";

	if (check_touching)
		siglongjmp(check_escape, number);
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

void check_catch_sigbus(void)
{
	struct sigaction action = {.sa_handler = check_on_sigbus};

	sigaction(SIGBUS, &action, NULL);
}

/* Reads or writes a byte. Returns true if that raised SIGBUS. */
static bool check_touch(volatile char *byte, bool is_write)
{
	if (sigsetjmp(check_escape, 1)) {
		check_touching = 0;
		return true;
	}
	check_touching = 1;
	if (is_write)
		*byte = 'X';
	else
		(void)*byte;
	check_touching = 0;
	return false;
}

uint64_t check_count_sigbus(char *pages, uint64_t nr_pages)
{
	uint64_t raised = 0;

	for (uint64_t i = 0; i < nr_pages; i++) {
		raised += check_touch(pages + i * 4096, false);
		raised += check_touch(pages + i * 4096, true);
	}
	return raised;
}
