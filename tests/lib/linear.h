/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * linear.h - checks that a history of concurrent calls is linearizable
 *
 * A history has the calls of a few threads on a few pages. Each call has the times of its begin
 * and its end, and its results. The history is linearizable if the calls can be put into an order
 * in which calls that do not overlap in time keep their order, and in which a few lines of
 * sequential code give the same results. The search tries all orders, and remembers the ones that
 * it has tried (Wing and Gong 1993, with Lowe's table).
 *
 * A fault counts as two calls. Between them no page of its shard may be converted or punched out.
 * A pin that succeeds counts as two calls too: it touches the page first. A range is converted as
 * a whole, but a query that takes no lock may see a part of the change. So a history has either
 * conversions of several pages, or queries without a lock that are all of one kind.
 *
 * Usage:
 *
 *	history.ops[history.nr_ops++] = (struct linear_op) {.kind = LINEAR_CONVERT, ...};
 *	if (!linear_check(&history))
 *		linear_print(&history);
 */
#ifndef GMS_TESTS_LINEAR_H
#define GMS_TESTS_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEAR_PAGES 4
#define LINEAR_THREADS 4
#define LINEAR_OPS 56

enum linear_kind {
	LINEAR_CONVERT,
	LINEAR_BEGIN, /* of a fault */
	LINEAR_PREPARE,
	LINEAR_END,
	LINEAR_TOUCH, /* the first half of a pin: allocates the page */
	LINEAR_PIN,
	LINEAR_UNPIN,
	LINEAR_PUNCH,
	LINEAR_IS_PRIVATE,
	LINEAR_IS_PREPARED,
	LINEAR_IS_ALLOCATED,
	LINEAR_IS_PINNED,
	LINEAR_NR_KINDS
};

struct linear_op {
	enum linear_kind kind;
	unsigned int thread;
	unsigned int page;
	unsigned int nr_pages; /* of a conversion or hole */
	int to; /* the shareability; for a fault, the accessor */
	int ret; /* the result, or the answer of a query */
	unsigned int err_page; /* the page at which the call failed */
	bool prepared; /* results of a fault */
	bool fresh;
	uint64_t invoked; /* time */
	uint64_t returned; /* time */
};

struct linear_history {
	unsigned int shard[LINEAR_PAGES]; /* of each page; less than 7 */
	unsigned int private; /* the pages that are private at first, one bit each */
	bool one_folio; /* the first touch allocates all pages; there are no holes */
	size_t nr_ops;
	struct linear_op ops[LINEAR_OPS];
};

/* Returns true if the history is linearizable. */
bool linear_check(const struct linear_history *history);

/* Writes the history to stderr. */
void linear_print(const struct linear_history *history);

#endif /* GMS_TESTS_LINEAR_H */
