/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger.h - readers beside writers, judged page by page against what was written when
 *
 * Writers note each store in a ledger before they make it, and note its end. A reader brings a
 * flat array to what had ended before its call. After the call it knows which stores had begun.
 * Each page of an answer must be what the array says, or what one of the stores in between made
 * it for a while: that is R1, to the letter, for any page and any history.
 *
 *	time          stores that have ended          stores that have begun
 *	call begins ------------ view->at
 *	call ends ----------------------------------------- ledger_begun()
 *
 * Several writers take turns under a lock of theirs.
 */
#ifndef GMS_TESTS_LEDGER_H
#define GMS_TESTS_LEDGER_H

#include <stdatomic.h>

#include "twin.h"

struct entry {
	uint64_t start;
	uint64_t nr_pages;
	bool set;
	bool reverted; /* it was there for a while only */
};

struct ledger {
	struct twin twin; /* the oracle: what the tree holds before the first entry */
	struct entry *entries;
	uint64_t room;
	_Atomic uint64_t begun;
	_Atomic uint64_t ended;
};

void ledger_init(struct ledger *ledger, uint64_t nr_pages, bool full, uint64_t room);
/* Frees all; fails the test where the tree is not what the ledger says. */
void ledger_fini(struct ledger *ledger);

/* For the one writer whose turn it is. False where there is no room. */
bool ledger_has_room(const struct ledger *ledger);
void ledger_begin(struct ledger *ledger, const struct entry *entry);
void ledger_end(struct ledger *ledger);
/* Notes a store and makes it: commits, and reverts where the entry says so. */
void ledger_store(struct ledger *ledger, const struct entry *entry);

/* A reader's array, and how many stores are in it. */
struct view {
	const struct ledger *ledger;
	struct oracle oracle;
	struct oracle scratch;
	uint64_t at;
	uint64_t answers; /* that were judged */
	uint64_t told; /* the reader's own use */
};

void view_init(struct view *view, const struct ledger *ledger);
void view_fini(struct view *view);
/* Before a call: takes in all stores that have ended. */
void view_catch_up(struct view *view);
/* After a call: how many stores have begun. */
uint64_t ledger_begun(const struct ledger *ledger);

/* Had page @index the value @set at some time from view->at on, before store @begun? */
bool view_allows(const struct view *view, uint64_t begun, uint64_t index, bool set);
/* The fills that a block had in that time, each store being one step: bit i is fill i. */
unsigned int view_fills(struct view *view, uint64_t begun, uint64_t index, unsigned int order);
/* The first page of a run that had not its value; UINT64_MAX: each of them had. */
uint64_t view_first_wrong(const struct view *view, uint64_t begun, const struct gms_rtree_run *run);

#endif /* GMS_TESTS_LEDGER_H */
