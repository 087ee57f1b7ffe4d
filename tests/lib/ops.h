/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ops.h - random histories of a range tree
 *
 * A history is an array of operations. Each operation is valid without the others, so a history
 * that fails can be cut down to the few operations that matter.
 *
 * Usage:
 *
 *	history_make(&history, nr_pages, 1000, &prng);
 *	why = history_run(&history, &failed);
 *	if (why)
 *		history_shrink(&history), history_print(&history);
 *	history_free(&history);
 */
#ifndef GMS_TESTS_OPS_H
#define GMS_TESTS_OPS_H

#include "twin.h"

enum op_kind {
	OP_STORE, /* gms_rtree_set() or gms_rtree_clear() */
	OP_COMMIT, /* prepare, commit, release */
	OP_REVERT, /* prepare, commit, revert, release */
	OP_RELEASE, /* prepare, release */
	OP_STORE_NOMEM, /* a store while the allocation numbered @skip fails */
	OP_COMMIT_NOMEM, /* a commit while the allocation numbered @skip fails */
	NR_OP_KINDS
};

struct op {
	enum op_kind kind;
	uint64_t start;
	uint64_t nr_pages;
	bool set;
	bool full; /* compare everything after this operation */
	unsigned int skip; /* number of allocations that succeed before one fails */
};

struct history {
	uint64_t nr_pages;
	bool init_full;
	size_t nr_ops;
	struct op *ops;
};

/* Makes @nr_ops random operations, most of them at the edges of blocks. */
void history_make(struct history *history, uint64_t nr_pages, size_t nr_ops, struct prng *prng);
void history_free(struct history *history);

/*
 * Runs the operations on a new tree and on a flat array. Returns NULL, or what differs; *failed is
 * then the number of the operation.
 */
const char *history_run(const struct history *history, size_t *failed);

/* Removes operations from a history that fails, as long as it still fails. */
void history_shrink(struct history *history);
void history_print(const struct history *history);

#endif /* GMS_TESTS_OPS_H */
