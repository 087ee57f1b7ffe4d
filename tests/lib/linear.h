/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * linear.h - is there an order in which these concurrent calls could have been made one by one?
 *
 * A history has the calls of a few threads on a few pages, each with the times between which
 * it was made and with what it returned. It is linearizable if the calls can be put into one
 * order that keeps what was certainly earlier earlier, and in which a few lines of sequential
 * code return the same. The search tries all orders, and remembers what it has tried (Wing and
 * Gong 1993, with Lowe's table).
 *
 * A fault counts as two calls: in between no page of its shard may change sides, or be punched
 * out. So does a pin that succeeds, which touches the page first. Ranges are converted as a
 * whole; but a query that takes no lock may see half of one, and half of what else a call
 * changes. So a history has either conversions of several pages or such queries, of one kind.
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
	LINEAR_TOUCH, /* the first half of a pin: there is memory */
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
	int to; /* shareability; of a fault the accessor */
	int ret; /* what it returned, or answered */
	unsigned int err_page; /* where it failed */
	bool prepared; /* as the fault said */
	bool fresh;
	uint64_t invoked;
	uint64_t returned;
};

struct linear_history {
	unsigned int shard[LINEAR_PAGES]; /* of each page, from 0 on; less than 7 */
	unsigned int private; /* pages that are in the beginning: a bit for each */
	bool one_folio; /* the first touch allocates all pages; there are no holes then */
	size_t nr_ops;
	struct linear_op ops[LINEAR_OPS];
};

bool linear_check(const struct linear_history *history);
void linear_print(const struct linear_history *history);

#endif /* GMS_TESTS_LINEAR_H */
