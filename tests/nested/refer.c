// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * refer.c - in place: references that the kernel counts, and what it has to refuse
 *
 * A pipe refers to one or two shared pages, in the range of a conversion or near it. The library
 * does not know of them. A folio has one count of references, so one reference keeps all pages of
 * its folio from going private. The rule that is checked: a conversion to private fails with
 * -EAGAIN if a page that would change is in such a folio. The first such page is the one that the
 * conversion names. With folios of 4K that is the page of the reference itself.
 *
 * The folio of a reference is neither split nor replaced while the reference is held. So what the
 * pipe returns at the end is what the page holds then.
 */
#include "compare.h"

#include <gmemstate/order.h>

#include <errno.h>

#define NR_WORDS (PROBE_PAGE / sizeof(uint64_t))
#define NEAR 512 /* pages before and after the range */

static uint64_t draw_page(struct compare *c, const struct conversion *v)
{
	uint64_t first = v->at > NEAR ? v->at - NEAR : 0;
	uint64_t end = v->at + v->nr_pages + NEAR;

	if (draw(c, 4))
		return v->at + draw(c, v->nr_pages);
	return first + draw(c, (end < c->row.nr_pages ? end : c->row.nr_pages) - first);
}

/* Finds the folio of a page to which a reference is held. */
static int find_folio(struct compare *c, struct held *held)
{
	uint64_t before = 0, from = 1;
	int err = 0;

	if (c->memory.folio_order)
		err = hold_folio(c->row.host + held->page * PROBE_PAGE, &before, &from);
	if (err)
		return err;
	held->start = before < held->page ? held->page - before : 0;
	held->end = held->page + from;
	c->large += held->end - held->start > 1;
	return 0;
}

/* Takes a reference to a page, if the page is shared. A private page must be refused. */
static int take_one(struct compare *c, uint64_t page)
{
	struct held *held = &c->held[c->nr_held];
	bool private = c->row.pages[page].private;
	int err = hold_take(&held->hold, c->row.host + page * PROBE_PAGE);

	if (err != (private ? -EFAULT : 0))
		mismatch(&c->tally, "page %llu, which is %s: vmsplice() returns %d",
			 (unsigned long long)page, private ? "private" : "shared", err);
	if (err)
		return 0;
	c->nr_held++;
	held->page = page;
	return find_folio(c, held);
}

static bool is_held(const struct compare *c, uint64_t page)
{
	for (unsigned int i = 0; i < c->nr_held; i++)
		if (c->held[i].page == page)
			return true;
	return false;
}

/* Returns the first page that would go private and is in a folio with a reference, or NO_PAGE. */
static uint64_t first_in_use(const struct compare *c, const struct conversion *v)
{
	for (uint64_t page = v->at; page < v->at + v->nr_pages; page++)
		for (unsigned int i = 0; i < c->nr_held; i++)
			if (v->to == GMS_PRIVATE && !c->row.pages[page].private &&
			    page >= c->held[i].start && page < c->held[i].end)
				return page;
	return NO_PAGE;
}

int refer_take(struct compare *c, struct conversion *v)
{
	unsigned int nr = 1 + (unsigned int)draw(c, MAX_HELD);
	int err = 0;

	while (!err && nr--)
		err = take_one(c, draw_page(c, v));
	if (err)
		return err;
	v->stop = first_in_use(c, v);
	c->others += v->stop != NO_PAGE && !is_held(c, v->stop);
	return c->drained ? refer_release(c) : 0;
}

int refer_release(struct compare *c)
{
	static uint64_t copy[NR_WORDS];
	int err = 0;

	while (!err && c->nr_held) {
		const struct held *held = &c->held[--c->nr_held];
		struct hold hold = held->hold;
		struct words words;

		err = hold_read(&hold, copy);
		words = (struct words) {copy[0], copy[NR_WORDS - 1]};
		if (!err)
			check_content(&c->row, held->page, "pipe", words);
	}
	return err;
}
