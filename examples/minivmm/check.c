// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * check.c - what minivmm says, and what it looks at
 */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static unsigned int checks;
static const char *failed; /* the first check that did not hold */

double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void say(double us, const char *format, ...)
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

void hold(bool ok, const char *what)
{
	checks++;
	if (ok)
		return;
	say(NO_TIME, "DOES NOT HOLD: %s", what);
	if (!failed)
		failed = what;
}

int verdict(void)
{
	if (failed)
		printf("It did not hold that %s\n", failed);
	else
		printf("All of it held: %u checks\n", checks);
	return failed ? 1 : 0;
}

static sigjmp_buf out_of_bus;
static volatile sig_atomic_t touching;

static void on_sigbus(int number)
{
	static const char text[] = "It did not hold that shared memory is in the host's reach\n";

	if (touching)
		siglongjmp(out_of_bus, number);
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

void catch_sigbus(void)
{
	struct sigaction action = {.sa_handler = on_sigbus};

	sigaction(SIGBUS, &action, NULL);
}

/* Read a byte, or write it. True: SIGBUS. */
static bool touch(volatile char *byte, bool is_write)
{
	if (sigsetjmp(out_of_bus, 1)) {
		touching = 0;
		return true;
	}
	touching = 1;
	if (is_write)
		*byte = 'X';
	else
		(void)*byte;
	touching = 0;
	return false;
}

uint64_t count_sigbus(char *pages, uint64_t nr_pages)
{
	uint64_t raised = 0;

	for (uint64_t i = 0; i < nr_pages; i++) {
		raised += touch(pages + i * 4096, false);
		raised += touch(pages + i * 4096, true);
	}
	return raised;
}
