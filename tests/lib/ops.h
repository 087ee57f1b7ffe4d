/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ops.h - random histories of a range tree: made, replayed, shrunk, printed
 *
 * A history is an array of operations that means the same however much of it is left
 * out, so a failing one can be cut down to the few operations that matter.
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
	OP_COMMIT_NOMEM, /* prepare, commit, release, likewise */
	NR_OP_KINDS
};

struct op {
	enum op_kind kind;
	uint64_t start;
	uint64_t nr_pages;
	bool set;
	bool full; /* look at everything after this one */
	unsigned int skip; /* allocations that work before one fails */
};

struct history {
	uint64_t nr_pages;
	bool init_full;
	size_t nr_ops;
	struct op *ops;
};

/* Makes @nr_ops operations at places where something may go wrong. */
void history_make(struct history *history, uint64_t nr_pages, size_t nr_ops, struct prng *prng);
void history_free(struct history *history);

/*
 * Runs the operations on a new tree and on the model. Returns NULL, or what differs,
 * with *failed the number of the operation after which it did.
 */
const char *history_run(const struct history *history, size_t *failed);

/* Cuts a history that fails down to one that fails and where each operation matters. */
void history_shrink(struct history *history);
void history_print(const struct history *history);

#endif /* GMS_TESTS_OPS_H */
