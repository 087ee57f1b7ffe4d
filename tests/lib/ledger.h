/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger.h - checks the answers of readers against the stores that were made at the time
 *
 * A writer records each store in the ledger before it makes the store, and records its end. A
 * reader has a view: a flat array with all stores that ended before its query. After the query
 * the reader reads how many stores had begun. Each page of the answer must have the value in the
 * array, or the value that one of the stores between these two points gave it. That is R1, for
 * any page and any history.
 *
 *	time           stores that have ended          stores that have begun
 *	query begins ------------ view->at
 *	query ends ----------------------------------------- ledger_begun()
 *
 * Several writers take turns under a lock of their own.
 *
 * Usage, in a reader; a writer calls ledger_store():
 *
 *	view_catch_up(&view);
 *	got = gms_rtree_test(tree, page);
 *	right = view_allows(&view, ledger_begun(&ledger), page, got);
 */
#ifndef GMS_TESTS_LEDGER_H
#define GMS_TESTS_LEDGER_H

#include <stdatomic.h>

#include "twin.h"

struct entry {
	uint64_t start;
	uint64_t nr_pages;
	bool set;
	bool reverted; /* the store was committed and then reverted */
};

struct ledger {
	struct twin twin; /* its oracle holds the content of the tree before the first entry */
	struct entry *entries;
	uint64_t room;
	_Atomic uint64_t begun;
	_Atomic uint64_t ended;
};

void ledger_init(struct ledger *ledger, uint64_t nr_pages, bool full, uint64_t room);

/* Frees all. Fails the test if the content of the tree is not the sum of all entries. */
void ledger_fini(struct ledger *ledger);

/* The functions of a writer. Only one writer at a time may call them. */
bool ledger_has_room(const struct ledger *ledger);
void ledger_begin(struct ledger *ledger, const struct entry *entry);
void ledger_end(struct ledger *ledger);

/* Records a store and makes it: commits it, and reverts it if the entry says so. */
void ledger_store(struct ledger *ledger, const struct entry *entry);

/* The array of a reader. */
struct view {
	const struct ledger *ledger;
	struct oracle oracle;
	struct oracle scratch;
	uint64_t at; /* number of stores in the array */
	uint64_t answers; /* number of answers that were checked */
	uint64_t reported; /* for the reader: number of answers that it has reported */
};

void view_init(struct view *view, const struct ledger *ledger);
void view_fini(struct view *view);

/* Adds all stores that have ended to the array. Call it before a query. */
void view_catch_up(struct view *view);

/* Returns how many stores have begun. Call it after a query. */
uint64_t ledger_begun(const struct ledger *ledger);

/*
 * The functions below are about the time between view->at and @begun, the two points in the
 * ledger where a query began and ended.
 */

/* Returns true if the page had the value @set at some point of that time. */
bool view_allows(const struct view *view, uint64_t begun, uint64_t index, bool set);

/* Returns the fills that a block had, as bits. Each store counts as one step. */
unsigned int view_fills(struct view *view, uint64_t begun, uint64_t index, unsigned int order);

/* Returns the first page of a run that never had the run's value, or UINT64_MAX. */
uint64_t view_first_wrong(const struct view *view, uint64_t begun, const struct gms_rtree_run *run);

#endif /* GMS_TESTS_LEDGER_H */
