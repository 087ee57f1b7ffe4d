// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * linear.c - a sequential model of the calls, and the search for an order of the calls in which
 * the model gives the recorded results: see linear.h
 */
#include <gmemstate/types.h>

#include "linear.h"
#include "test.h"

/* The state of the pages. It has no padding, so equal states have equal bytes. */
struct pages {
	uint8_t private, allocated, prepared; /* a bit for each page */
	uint8_t pins[LINEAR_PAGES];
	uint8_t open[LINEAR_THREADS]; /* 1 + the shard of the thread's open fault, or 0 */
};

/* A position that the search has reached: these calls were made, and led to this state. */
struct tried {
	uint64_t made;
	struct pages pages;
};

struct search {
	const struct linear_history *history;
	struct tried *table; /* open addressing; an empty entry has made == 0 */
	size_t size;
	size_t used;
};

static bool is_open(const struct linear_history *history, const struct pages *pages,
		    const struct linear_op *op)
{
	unsigned int page, thread;

	for (page = op->page; page < op->page + op->nr_pages; page++) {
		for (thread = 0; thread < LINEAR_THREADS; thread++) {
			if (pages->open[thread] == history->shard[page] + 1)
				return true;
		}
	}
	return false;
}

static unsigned int first_pin(const struct pages *pages, const struct linear_op *op)
{
	unsigned int page;

	for (page = op->page; page < op->page + op->nr_pages && !pages->pins[page]; page++)
		;
	return page;
}

static uint8_t mask_of(const struct linear_op *op)
{
	return (uint8_t)(((1U << op->nr_pages) - 1) << op->page);
}

/*
 * Each of the do_ functions makes a call on the pages. It returns true if the call could be made
 * in this state with these results.
 */
static bool do_convert(const struct linear_history *history, struct pages *pages,
		       const struct linear_op *op)
{
	uint8_t mask = mask_of(op);
	uint8_t want = op->to == GMS_PRIVATE ? mask : 0;

	if ((pages->private & mask) == want)
		return !op->ret;
	if (op->to == GMS_PRIVATE && first_pin(pages, op) < op->page + op->nr_pages)
		return op->ret == -EAGAIN && op->err_page == first_pin(pages, op);
	if (op->ret || is_open(history, pages, op))
		return false;
	pages->private = (uint8_t)((pages->private & ~mask) | want);
	if (op->to == GMS_SHARED)
		pages->prepared &= (uint8_t)~mask;
	return true;
}

static bool do_punch(const struct linear_history *history, struct pages *pages,
		     const struct linear_op *op)
{
	uint8_t mask = mask_of(op);

	if (first_pin(pages, op) < op->page + op->nr_pages)
		return op->ret == -EAGAIN && op->err_page == first_pin(pages, op);
	if (op->ret)
		return false;
	if (!(pages->allocated & mask))
		return true;
	pages->allocated &= (uint8_t)~mask;
	pages->prepared &= (uint8_t)~mask;
	return !is_open(history, pages, op);
}

static void touch(const struct linear_history *history, struct pages *pages, uint8_t bit)
{
	pages->allocated |= history->one_folio ? (uint8_t)((1U << LINEAR_PAGES) - 1) : bit;
}

static bool do_begin(const struct linear_history *history, struct pages *pages,
		     const struct linear_op *op)
{
	uint8_t bit = (uint8_t)(1U << op->page);

	if (op->to == GMS_HOST && pages->private & bit)
		return op->ret == -EACCES;
	if (op->ret || op->fresh != !(pages->allocated & bit))
		return false;
	/*
	 * A fault that allocated the page counts as made when it allocates. It reads PREPARED
	 * later, and another fault may have prepared the page in between. So PREPARED is not
	 * compared.
	 */
	if (!op->fresh && op->prepared != !!(pages->prepared & bit))
		return false;
	touch(history, pages, bit);
	pages->open[op->thread] = (uint8_t)(history->shard[op->page] + 1);
	return true;
}

static bool do_touch(const struct linear_history *history, struct pages *pages,
		     const struct linear_op *op)
{
	uint8_t bit = (uint8_t)(1U << op->page);

	touch(history, pages, bit);
	return !(pages->private & bit);
}

/*
 * A pin that succeeds is recorded as two calls, do_touch() and then this one. A pin that is
 * refused is recorded as this call alone.
 */
static bool do_pin(struct pages *pages, const struct linear_op *op)
{
	uint8_t bit = (uint8_t)(1U << op->page);

	if (pages->private & bit)
		return op->ret == -EACCES;
	pages->pins[op->page]++;
	return !op->ret && pages->allocated & bit;
}

static bool make_call(const struct linear_history *history, struct pages *pages,
		      const struct linear_op *op)
{
	uint8_t bit = (uint8_t)(1U << op->page);

	switch (op->kind) {
	case LINEAR_CONVERT:
		return do_convert(history, pages, op);
	case LINEAR_BEGIN:
		return do_begin(history, pages, op);
	case LINEAR_PREPARE:
		pages->prepared |= pages->private & bit;
		return !op->ret && op->prepared == !!(pages->private & bit);
	case LINEAR_END:
		pages->open[op->thread] = 0;
		return true;
	case LINEAR_TOUCH:
		return do_touch(history, pages, op);
	case LINEAR_PIN:
		return do_pin(pages, op);
	case LINEAR_UNPIN:
		pages->pins[op->page] -= pages->pins[op->page] != 0;
		return true;
	case LINEAR_PUNCH:
		return do_punch(history, pages, op);
	case LINEAR_IS_PRIVATE:
		return op->ret == !!(pages->private & bit);
	case LINEAR_IS_PREPARED:
		return op->ret == !!(pages->prepared & bit);
	case LINEAR_IS_ALLOCATED:
		return op->ret == !!(pages->allocated & bit);
	case LINEAR_IS_PINNED:
		return op->ret == (pages->pins[op->page] != 0);
	default:
		return false;
	}
}

static size_t slot_of(const struct tried *tried, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)&tried->pages;
	uint64_t hash = tried->made * 0x9e3779b97f4a7c15ULL;
	size_t i;

	for (i = 0; i < sizeof(tried->pages); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return (size_t)(hash >> 20) & (size - 1);
}

static bool is_equal(const struct tried *a, const struct tried *b)
{
	return a->made == b->made && !memcmp(&a->pages, &b->pages, sizeof(a->pages));
}

/* Adds a position to a table that has room. Returns false if the table has it already. */
static bool insert(struct tried *table, size_t size, const struct tried *tried)
{
	size_t at = slot_of(tried, size);

	while (table[at].made) {
		if (is_equal(&table[at], tried))
			return false;
		at = (at + 1) & (size - 1);
	}
	table[at] = *tried;
	return true;
}

static bool is_new(struct search *search, const struct tried *tried)
{
	if (2 * search->used >= search->size) {
		size_t size = search->size ? 2 * search->size : 1024;
		struct tried *table = calloc(size, sizeof(*table));
		size_t i;

		if (!table) {
			fprintf(stderr, "no memory for the search\n");
			exit(2);
		}
		for (i = 0; i < search->size; i++) {
			if (search->table[i].made)
				insert(table, size, &search->table[i]);
		}
		free(search->table);
		search->table = table;
		search->size = size;
	}
	if (!insert(search->table, search->size, tried))
		return false;
	search->used++;
	return true;
}

/*
 * Returns the earliest end among the calls that the search has not made yet. A call that begins
 * after this time cannot be the next one in the order.
 */
static uint64_t deadline(const struct linear_history *history, uint64_t made)
{
	uint64_t first = UINT64_MAX;
	size_t i;

	for (i = 0; i < history->nr_ops; i++) {
		if (!(made >> i & 1) && history->ops[i].returned < first)
			first = history->ops[i].returned;
	}
	return first;
}

/*
 * Returns true if the calls that @so_far has not made can be made after it, in some order, so
 * that the model gives the recorded result of each. The recursion is at most history->nr_ops
 * deep.
 */
static bool complete(struct search *search, const struct tried *so_far)
{
	const struct linear_history *history = search->history;
	uint64_t until = deadline(history, so_far->made);
	size_t i;

	if (so_far->made == (1ULL << history->nr_ops) - 1)
		return true;
	for (i = 0; i < history->nr_ops; i++) {
		struct tried next = *so_far;

		if (so_far->made >> i & 1 || history->ops[i].invoked > until)
			continue;
		next.made |= 1ULL << i;
		if (make_call(history, &next.pages, &history->ops[i]) && is_new(search, &next) &&
		    complete(search, &next))
			return true;
	}
	return false;
}

bool linear_check(const struct linear_history *history)
{
	struct search search = {.history = history};
	struct tried nothing;
	bool found;

	memset(&nothing, 0, sizeof(nothing));
	nothing.pages.private = (uint8_t)history->private;
	found = complete(&search, &nothing);
	free(search.table);
	return found;
}

void linear_print(const struct linear_history *history)
{
	static const char *const names[LINEAR_NR_KINDS] = {
		"convert", "begin", "prepare",    "end",         "touch",        "pin",
		"unpin",   "punch", "is_private", "is_prepared", "is_allocated", "is_pinned",
	};
	size_t i;

	fprintf(stderr, "%zu calls, private at first %#x%s:\n", history->nr_ops, history->private,
		history->one_folio ? ", one folio" : "");
	for (i = 0; i < history->nr_ops; i++) {
		const struct linear_op *op = &history->ops[i];

		fprintf(stderr,
			"\t[%3llu, %3llu] thread %u: %s(%u, %u) to %d = %d, at %u, prepared %d "
			"fresh %d\n",
			(unsigned long long)op->invoked, (unsigned long long)op->returned,
			op->thread, names[op->kind], op->page, op->nr_pages, op->to, op->ret,
			op->err_page, op->prepared, op->fresh);
	}
}
