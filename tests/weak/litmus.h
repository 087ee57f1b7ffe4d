/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * litmus.h - straight-line programs over a few variables, for tests of the checker
 */
#ifndef GMS_WEAK_LITMUS_H
#define GMS_WEAK_LITMUS_H

#include "weak.h"

#define LITMUS_THREADS WEAK_THREADS
#define LITMUS_OPS 6u
#define LITMUS_VARS 3u

struct litmus_op {
	enum weak_op op;
	enum weak_order order;
	uint8_t var, value;
	uint8_t old; /* WEAK_CMPXCHG */
};

struct litmus {
	unsigned int nr_threads;
	unsigned int nr_ops[LITMUS_THREADS];
	struct litmus_op op[LITMUS_THREADS][LITMUS_OPS];
};

/* A program that runs @litmus; @end is called after each execution. */
struct weak_program litmus_program(const char *name, const struct litmus *litmus,
				   void (*end)(void));

/* For end(): the values that loads and rmws read, in the order of threads and ops. */
extern uint64_t litmus_value[LITMUS_THREADS * LITMUS_OPS];
extern unsigned int litmus_nr_values;
/* The store that each of them read from: 1 + thread * LITMUS_OPS + op; 0 is the initial value. */
extern unsigned int litmus_source[LITMUS_THREADS * LITMUS_OPS];
/* Lists the stores to a variable in modification order. Returns their number. */
unsigned int litmus_order(unsigned int var, unsigned int *stores);
/* Returns the last value of a variable. */
uint64_t litmus_final(unsigned int var);

/* Each runs its tests, and prints those that fail. Returns true if none fails. */
bool litmus_classics(void);
bool litmus_random(unsigned int rounds);

#endif /* GMS_WEAK_LITMUS_H */
