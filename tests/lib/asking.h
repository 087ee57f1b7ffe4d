/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * asking.h - every question that a reader can ask, judged by a ledger
 *
 * Each function brings the view up, asks the tree, and judges the answer by R1 and R4, whatever
 * was stored meanwhile. It returns NULL where the answer is right, else a static text.
 */
#ifndef GMS_TESTS_ASKING_H
#define GMS_TESTS_ASKING_H

#include "ledger.h"

/* A tree with an incomplete 2M and 1G block at its end. */
#define ASK_PAGES (3 * T_1G + T_2M + 3)

/* Few pages, in 2M blocks of one word of states, at ends of 1G blocks, at the end of the tree. */
uint64_t ask_hot_page(struct prng *prng);
/* A range that begins at one of them: a page, a 2M or 1G block, or of any length. */
void ask_hot_range(struct prng *prng, uint64_t *start, uint64_t *nr_pages);
/* Stores some ranges, before the ledger begins: blocks of every kind. */
void ask_set_the_scene(struct twin *twin, struct prng *prng);

/* One page, in a way that depends on @how. */
const char *ask_page(struct view *view, uint64_t page, uint64_t how);
/* The blocks around a page, likewise. */
const char *ask_blocks(struct view *view, uint64_t page, uint64_t how);
const char *ask_order(struct view *view, uint64_t page);
const char *ask_range(struct view *view, uint64_t start, uint64_t nr_pages);
const char *ask_count(struct view *view, uint64_t start, uint64_t nr_pages);
/* All runs of [start, end). */
const char *ask_runs(struct view *view, uint64_t start, uint64_t end, bool by_cursor);
/* Any of them. */
const char *ask_something(struct view *view, struct prng *prng);

#endif /* GMS_TESTS_ASKING_H */
