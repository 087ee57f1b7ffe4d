/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check.h - what minivmm says, and what it looks at
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double now_us(void);

#define NO_TIME (-1.0)

/* A line of output, with the microseconds that the thing took. */
__attribute__((format(printf, 2, 3))) void say(double us, const char *format, ...);

/* A check, and what is wrong if it is not @ok: "it did not hold that ..." */
void hold(bool ok, const char *what);

/* The last line of output. The exit status. */
int verdict(void);

/* From now on SIGBUS is caught. Outside of count_sigbus() it ends the program, as a failed check. */
void catch_sigbus(void);

/* Read and write a byte of each page: how many of these accesses raised SIGBUS? */
uint64_t count_sigbus(char *pages, uint64_t nr_pages);

#endif /* CHECK_H */
