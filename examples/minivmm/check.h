/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check.h - the output of minivmm, and its checks
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double check_now_us(void);

#define CHECK_NO_TIME (-1.0)

/* Prints a line, with the time in microseconds that the step took, or CHECK_NO_TIME. */
__attribute__((format(printf, 2, 3))) void check_say(double us, const char *format, ...);

/* Counts a check. If it is not @ok, reports @what, which says what should hold. */
void check_hold(bool ok, const char *what);

/* Prints the last line. Returns the exit status. */
int check_verdict(void);

/*
 * Catches SIGBUS. Outside of check_count_sigbus() a SIGBUS is a failed check, and ends the
 * program.
 */
void check_catch_sigbus(void);

/* Reads and writes a byte of each page. Returns how many of these accesses raised SIGBUS. */
uint64_t check_count_sigbus(char *pages, uint64_t nr_pages);

#endif /* CHECK_H */
