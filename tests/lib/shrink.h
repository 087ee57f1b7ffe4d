/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrink.h - cuts a history that fails down to the few operations that matter
 *
 * Each operation of a history must be valid without the others. With GMS_TEST_FORK in the
 * environment each run is a process of its own, so that a history that crashes can be shrunk, too.
 *
 * Usage:
 *
 *	struct shrink shrink = {run, history, history->ops, sizeof(*history->ops),
 *				&history->nr_ops};
 *
 *	shrink_end(&shrink);
 *	shrink_halves(&shrink);
 *	shrink_pieces(&shrink, 1);
 */
#ifndef GMS_TESTS_SHRINK_H
#define GMS_TESTS_SHRINK_H

#include <stddef.h>

struct shrink {
	/* Returns NULL, or why the history fails; *failed is then the number of the operation. */
	const char *(*run)(const void *history, size_t *failed);
	const void *history;
	void *ops; /* the operations of @history */
	size_t op_size; /* in bytes */
	size_t *nr_ops; /* the number of operations of @history */
};

/* Removes the operations after the one that fails. Does nothing with GMS_TEST_FORK. */
void shrink_end(const struct shrink *shrink);

/* Removes each piece of @count operations without which the history still fails. */
void shrink_pieces(const struct shrink *shrink, size_t count);

/* Removes pieces of half the history, then of a quarter, and so on down to one operation. */
void shrink_halves(const struct shrink *shrink);

#endif /* GMS_TESTS_SHRINK_H */
