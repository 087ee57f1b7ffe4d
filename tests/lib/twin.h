/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * twin.h - a range tree, and the flat array that it must agree with
 *
 * A twin stores to both. The checks return NULL, or a text that says what differs and where. The
 * text is valid until the next check of the thread.
 *
 * Usage:
 *
 *	twin_init(&twin, nr_pages, false);
 *	twin_store(&twin, 5, 1, true);
 *	assert_fine(twin_check(&twin));
 *	twin_fini(&twin);
 */
#ifndef GMS_TESTS_TWIN_H
#define GMS_TESTS_TWIN_H

#include "oracle.h"
#include "talloc.h"

struct twin {
	struct talloc talloc;
	struct gms_rtree *tree;
	struct oracle oracle;
};

/* A fingerprint of the content of a tree. It does not depend on the history. */
struct twin_print {
	uint64_t hash;
	uint64_t nodes;
	size_t memory;
};

void twin_init(struct twin *twin, uint64_t nr_pages, bool full);

/* Destroys both. Fails the test if memory is left or was misused. */
void twin_fini(struct twin *twin);

/* Stores to both. Fails the test if the tree refuses. */
void twin_store(struct twin *twin, uint64_t start, uint64_t nr_pages, bool set);

/* Formats an error text. */
__attribute__((format(printf, 1, 2))) const char *twin_say(const char *fmt, ...);

/* Checks all queries in and around a range, and the account of memory. */
const char *twin_check_near(const struct twin *twin, uint64_t start, uint64_t nr_pages);

/* Checks each run, block and page, the invariants, and the memory against that of a new tree. */
const char *twin_check(struct twin *twin);

/* Checks that gms_rtree_memory() and gms_rtree_pooled() add up to the bytes allocated. */
const char *twin_check_account(const struct twin *twin);

struct twin_print twin_print(const struct twin *twin);
bool twin_print_equal(const struct twin_print *a, const struct twin_print *b);

/* Makes a second tree with the content of the oracle, in one pass. */
struct gms_rtree *twin_fresh(const struct twin *twin, const struct gms_allocator *allocator);

#endif /* GMS_TESTS_TWIN_H */
