/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * twin.h - a range tree and the flat array that it must agree with
 *
 * What is stored through a twin goes to both. The checks return NULL where the tree
 * agrees, else a text that says what differs and where; the text lasts until the next
 * check of the same thread.
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

/* What is left of a tree when its history is forgotten. */
struct twin_print {
	uint64_t hash;
	uint64_t nodes;
	size_t memory;
};

void twin_init(struct twin *twin, uint64_t nr_pages, bool full);
/* Destroys, and fails the test where memory is left over or was misused. */
void twin_fini(struct twin *twin);
/* Stores, and fails the test where that fails. */
void twin_store(struct twin *twin, uint64_t start, uint64_t nr_pages, bool set);

/* Formats an error text. */
__attribute__((format(printf, 1, 2))) const char *twin_say(const char *fmt, ...);

/* All queries in and around a range, and the memory account. */
const char *twin_check_near(const struct twin *twin, uint64_t start, uint64_t nr_pages);
/* Everything: each run, block and page, the invariants, memory like that of a new tree. */
const char *twin_check(struct twin *twin);
/* memory + pooled is what the allocator has handed out. */
const char *twin_check_account(const struct twin *twin);

struct twin_print twin_print(const struct twin *twin);
bool twin_print_equal(const struct twin_print *a, const struct twin_print *b);

/* A second tree with the oracle's content, made in one pass. */
struct gms_rtree *twin_fresh(const struct twin *twin, const struct gms_allocator *allocator);

#endif /* GMS_TESTS_TWIN_H */
