// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * check.c - compares what the library says of pages with what KVM does when they are touched
 */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A word shows which side wrote it, and when. */
#define STAMP_STEP (1ULL << 20)
#define STAMP_HOST (1ULL << 62)

static struct seen seen[PROBE_MAX];

void mismatch(struct tally *tally, const char *format, ...)
{
	va_list args;

	if (++tally->mismatches > tally->max_printed)
		return;
	fputs("mismatch: ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts(tally->mismatches == tally->max_printed ? " (and so on)" : "");
}

int row_init(struct row *row, bool private)
{
	row->pages = calloc(row->nr_pages, sizeof(*row->pages));
	if (!row->pages)
		return -ENOMEM;
	for (uint64_t i = 0; i < row->nr_pages; i++)
		row->pages[i].private = private;
	return 0;
}

void row_converted(struct row *row, uint64_t at, uint64_t nr_pages, enum gms_shareability to)
{
	for (uint64_t i = at; i < at + nr_pages; i++) {
		struct page *page = &row->pages[i];

		if (page->private == (to == GMS_PRIVATE))
			continue;
		page->private = to == GMS_PRIVATE;
		if (!row->keeps)
			page->words = (struct words) {0, 0};
	}
}

/* Compares the library with the array, and returns what it answers to a fault. */
static int library_says(struct row *row, uint64_t at, enum gms_accessor side)
{
	gms_pgoff_t index = row->start + at;
	bool private = gms_is_private(row->state, index);
	struct gms_fault fault;
	int err;

	if (private != row->pages[at].private)
		mismatch(row->tally,
			 "page %llu: the library says %s, and was asked for the opposite",
			 (unsigned long long)at, private ? "private" : "shared");

	err = gms_fault_begin(row->state, index, side, &fault);
	if (!err) {
		if (side == GMS_GUEST && !fault.prepared && gms_fault_prepare(row->state, &fault))
			mismatch(row->tally, "page %llu: cannot be prepared",
				 (unsigned long long)at);
		gms_fault_end(row->state, &fault);
	}
	if (err != (side == GMS_HOST && private ? -EACCES : 0))
		mismatch(row->tally,
			 "page %llu, which is %s: the library answers %d to the %s's fault",
			 (unsigned long long)at, private ? "private" : "shared", err,
			 side == GMS_HOST ? "host" : "guest");
	return err;
}

static enum answer expected(const struct row *row, uint64_t at, enum gms_accessor side, int err)
{
	if (side == GMS_HOST)
		return err == -EACCES ? ANSWER_SIGBUS : ANSWER_DATA;
	if (row->bare && gms_is_private(row->state, row->start + at))
		return ANSWER_FAULT_PRIVATE;
	return ANSWER_DATA;
}

/* Compares the answer to a touch by @name with @answer, and data with @want. */
static void compare_answer(struct row *row, uint64_t at, const char *name, const struct seen *s,
			   enum answer answer, struct words want)
{
	if (s->answer != answer)
		mismatch(row->tally, "page %llu: the %s gets %s, not %s", (unsigned long long)at,
			 name, answer_name(s->answer), answer_name(answer));
	else if (answer == ANSWER_DATA &&
		 (s->words.first != want.first || s->words.last != want.last))
		mismatch(row->tally,
			 "page %llu, %s: the %s reads 0x%llx, 0x%llx, not 0x%llx, 0x%llx",
			 (unsigned long long)at, row->pages[at].private ? "private" : "shared",
			 name, (unsigned long long)s->words.first,
			 (unsigned long long)s->words.last, (unsigned long long)want.first,
			 (unsigned long long)want.last);
	if (s->answer == ANSWER_SIGBUS)
		row->tally->sigbus++;
	if (s->answer == ANSWER_FAULT_PRIVATE || s->answer == ANSWER_FAULT_SHARED)
		row->tally->memory_faults++;
}

/* Compares one page. @s is the answer to a touch, @written is what the touch wrote, if it did. */
static void compare(struct row *row, uint64_t at, enum gms_accessor side, enum probe_mode mode,
		    const struct seen *s, struct words written)
{
	struct page *page = &row->pages[at];
	enum answer answer = expected(row, at, side, library_says(row, at, side));
	struct words want = page->words;

	if (mode == PROBE_WRITE_READ)
		want.first = written.first;
	compare_answer(row, at, side == GMS_HOST ? "host" : "guest", s, answer, want);
	if (s->answer == ANSWER_DATA && mode != PROBE_READ)
		page->words = written;
}

static uint64_t next_stamp(struct row *row)
{
	return *row->stamp += STAMP_STEP;
}

int check_guest(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode)
{
	uint64_t stamp = next_stamp(row);
	int err = guest_probe(row->m, (row->gfn + at) * PROBE_PAGE, nr_pages, mode, stamp, seen);

	if (err)
		return err;
	for (uint64_t i = 0; i < nr_pages; i++)
		compare(row, at + i, GMS_GUEST, mode, &seen[i], probe_written(stamp, i));
	row->tally->guest += nr_pages;
	return 0;
}

int check_guest_in_hook(struct row *row, uint64_t at)
{
	int err = guest_probe(row->m, (row->gfn + at) * PROBE_PAGE, 1, PROBE_READ, 0, seen);

	if (err)
		return err;
	compare_answer(row, at, "guest, not converted yet,", &seen[0], ANSWER_DATA,
		       row->pages[at].words);
	row->tally->guest++;
	return 0;
}

void check_content(struct row *row, uint64_t at, const char *name, struct words words)
{
	const struct seen found = {.answer = ANSWER_DATA, .words = words};

	compare_answer(row, at, name, &found, ANSWER_DATA, row->pages[at].words);
}

void check_host(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode)
{
	uint64_t stamp = next_stamp(row) | STAMP_HOST;

	host_probe(row->host + at * PROBE_PAGE, nr_pages, mode, stamp, seen);
	for (uint64_t i = 0; i < nr_pages; i++)
		compare(row, at + i, GMS_HOST, mode, &seen[i], probe_written(stamp, i));
	row->tally->host += nr_pages;
}
