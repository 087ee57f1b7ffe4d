// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_model.c - the model: what is known of a page, and what a touch may see
 *
 * Sides. A page's cell has its side, if that is known, and the number of threads that convert the
 * page at the moment. If two of them do so at once, nobody knows which one comes last: then the
 * side is unknown, until a touch of the host tells it, or the next conversion. Each change of the
 * cell gives it another value.
 *
 *  S1  If the cell is the same before and after a touch of the host, nobody converts the page and
 *      the side is known, the answer is SIGBUS for a private page and data for a shared one.
 *  S2  The guest gets data. A KVM_EXIT_MEMORY_FAULT may come before only beside a conversion.
 *  S3  A pinned page is shared.
 *
 * Contents. Each writer has a word of its own in each page. It writes its number, the page, and a
 * number that rises. A conversion keeps what a page holds. A hole sets all words to 0. Holes are
 * counted when they begin and when they end; last_hole is the number of the last one that
 * succeeded. A hole that was refused may have taken the page, as far as the model knows. After a
 * touch the writer notes what it wrote, how many holes had begun, and whether the note is stable:
 * no hole began, ended or was in progress.
 *
 *  C1  A word is 0, or a value that its writer wrote to this page. Anything else is corruption.
 *  C2  A word is no older than the writer's note.
 *  C3  A word is not the one of a stable note from before a hole that succeeded.
 *  C4  A word is not 0 if there is a stable note, and no hole began since.
 */
#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TAG 0xaULL

/* ---- cells ---- */

#define CELL_CONVERTER (1ULL << 0)
#define CELL_CONVERTERS (CELL_CONVERTER * 0xff)
#define CELL_CONFLICT (1ULL << 8) /* two threads have converted the page at once */
#define CELL_KNOWN (1ULL << 9)
#define CELL_PRIVATE (1ULL << 10)
#define CELL_CHANGE (1ULL << 16) /* may wrap */

static uint64_t cell_of(enum side side)
{
	return CELL_KNOWN | (side == PRIVATE ? CELL_PRIVATE : 0);
}

/* Returns true if the side is known, and nobody converts the page. */
static bool cell_is_known(uint64_t cell)
{
	return (cell & CELL_KNOWN) && !(cell & CELL_CONVERTERS);
}

static const char *cell_name(uint64_t cell)
{
	if (!cell_is_known(cell))
		return cell & CELL_CONVERTERS ? "being converted" : "of unknown side";
	return cell & CELL_PRIVATE ? "private" : "shared";
}

bool model_is(const struct race *r, uint64_t page, enum side side)
{
	const uint64_t cell = atomic_load(&r->pages[page].cell);

	return cell_is_known(cell) && !(cell & CELL_PRIVATE) == (side == SHARED);
}

void model_convert_begin(struct race *r, uint64_t page, uint64_t nr_pages)
{
	bool overlapped = false;

	pthread_mutex_lock(&r->lock);
	for (uint64_t i = page; i < page + nr_pages; i++) {
		uint64_t cell = atomic_load(&r->pages[i].cell);

		if (cell & CELL_CONVERTERS) {
			cell |= CELL_CONFLICT;
			overlapped = true;
		}
		atomic_store(&r->pages[i].cell, cell + CELL_CONVERTER + CELL_CHANGE);
	}
	pthread_mutex_unlock(&r->lock);
	atomic_fetch_add(&r->tally.overlapped, overlapped);
}

void model_convert_end(struct race *r, uint64_t page, uint64_t nr_pages, enum side to, int err)
{
	pthread_mutex_lock(&r->lock);
	for (uint64_t i = page; i < page + nr_pages; i++) {
		uint64_t cell = atomic_load(&r->pages[i].cell) - CELL_CONVERTER + CELL_CHANGE;

		if (!err) {
			cell &= ~(CELL_KNOWN | CELL_PRIVATE);
			if (!(cell & CELL_CONFLICT))
				cell |= cell_of(to);
		}
		if (!(cell & CELL_CONVERTERS))
			cell &= ~CELL_CONFLICT;
		atomic_store(&r->pages[i].cell, cell);
	}
	pthread_mutex_unlock(&r->lock);
}

/* The host has seen a page whose side was unknown, and whose cell is still @cell. */
static void learn(struct race *r, uint64_t page, uint64_t cell, enum side side)
{
	pthread_mutex_lock(&r->lock);
	if (atomic_load(&r->pages[page].cell) == cell)
		atomic_store(&r->pages[page].cell,
			     ((cell & ~CELL_PRIVATE) | cell_of(side)) + CELL_CHANGE);
	pthread_mutex_unlock(&r->lock);
}

/* ---- holes ---- */

void model_hole_begin(struct race *r, uint64_t page, uint64_t nr_pages)
{
	for (uint64_t i = page; i < page + nr_pages; i++)
		atomic_fetch_add(&r->pages[i].holes_begun, 1);
}

void model_hole_end(struct race *r, uint64_t page, uint64_t nr_pages, int err)
{
	for (uint64_t i = page; i < page + nr_pages; i++) {
		struct page *p = &r->pages[i];
		const uint32_t number = atomic_load(&p->holes_begun);

		if (!err)
			atomic_store(&p->last_hole, number);
		atomic_store(&p->holes_ended, number);
	}
}

/* ---- notes ---- */

static uint64_t note_make(uint32_t number, bool stable, uint32_t holes)
{
	return (uint64_t)number << 32 | (uint64_t)stable << 31 | (holes & 0x7fffffff);
}

static uint32_t note_number(uint64_t note)
{
	return (uint32_t)(note >> 32);
}

static bool note_stable(uint64_t note)
{
	return note >> 31 & 1;
}

static uint32_t note_holes(uint64_t note)
{
	return note & 0x7fffffff;
}

uint64_t model_words_offset(uint64_t page)
{
	const uint64_t size = RACE_WORDS * sizeof(uint64_t);

	return page * 7 % (PAGE / size) * size;
}

uint32_t model_issue(struct race *r, unsigned int writer)
{
	return atomic_fetch_add(&r->issued[writer], 1) + 1;
}

uint64_t model_value(unsigned int writer, uint64_t page, uint32_t number)
{
	return TAG << 60 | (uint64_t)writer << 56 | page << 32 | number;
}

int model_create(struct race *r, enum side first)
{
	r->pages = calloc(r->options.pages, sizeof(*r->pages));
	if (!r->pages)
		return -ENOMEM;
	for (uint64_t i = 0; i < r->options.pages; i++)
		r->pages[i].cell = cell_of(first);
	return 0;
}

void model_destroy(struct race *r)
{
	free(r->pages);
	r->pages = NULL;
}

/* ---- touches ---- */

void look_begin(const struct race *r, uint64_t page, struct look *look)
{
	const struct page *p = &r->pages[page];

	look->page = page;
	/* a hole raises begun first and ended last, so these are read in the other order */
	look->holes_ended = atomic_load(&p->holes_ended);
	look->last_hole = atomic_load(&p->last_hole);
	look->holes_begun = atomic_load(&p->holes_begun);
	for (unsigned int i = 0; i < RACE_WRITERS; i++)
		look->written[i] = atomic_load(&p->written[i]);
	look->cell = atomic_load(&p->cell);
	atomic_thread_fence(memory_order_seq_cst);
}

/* S1 to S3: checks the answer. @cell is the cell after the touch. */
static void check_answer(struct race *r, const struct look *look, uint64_t cell,
			 const struct touch *touch)
{
	const bool still = look->cell == cell && !(cell & CELL_CONVERTERS);
	const bool is_host = touch->writer >= RACE_VCPUS;
	/* A pin ends in the touch that reads the pipe, so a conversion may come before its end. */
	const uint64_t pinned_cell = touch->writer == RACE_NOBODY ? look->cell : cell;
	bool ok = touch->answer == ANSWER_DATA;

	if (is_host && !touch->pinned) {
		ok = ok || touch->answer == ANSWER_SIGBUS;
		if (still && (cell & CELL_KNOWN))
			ok = touch->answer == (cell & CELL_PRIVATE ? ANSWER_SIGBUS : ANSWER_DATA);
	} else if (touch->pinned) {
		ok = ok && !(cell_is_known(pinned_cell) && (pinned_cell & CELL_PRIVATE));
	} else {
		ok = ok && (!touch->faults || !still);
	}
	if (!ok)
		race_mismatch(r, "page %llu, %s before and %s after: writer %u gets %s, %s%u exits",
			      (unsigned long long)look->page, cell_name(look->cell),
			      cell_name(cell), touch->writer, answer_name(touch->answer),
			      touch->pinned ? "pinned, " : "", touch->faults);
	else if (is_host && !touch->pinned && still && !(cell & CELL_KNOWN))
		learn(r, look->page, cell, touch->answer == ANSWER_SIGBUS ? PRIVATE : SHARED);
}

/* C1 to C4: checks the word of one writer. @holes_begun is the count after the touch. */
static void check_word(struct race *r, const struct look *look, const struct touch *touch,
		       unsigned int writer, uint32_t holes_begun)
{
	const uint64_t word = touch->words[writer], note = look->written[writer];
	const uint32_t number = (uint32_t)word;
	const char *wrong = NULL;

	if (!word) {
		if (note_stable(note) && note_holes(note) == holes_begun)
			wrong = "what was written is lost";
	} else if (word != model_value(writer, look->page, number) ||
		   number > atomic_load(&r->issued[writer])) {
		wrong = "this was never written here";
	} else if (number < note_number(note)) {
		wrong = "this is older than what was written last";
	} else if (number == note_number(note) && note_stable(note) &&
		   note_holes(note) < look->last_hole) {
		wrong = "this was before a hole";
	}
	if (wrong)
		race_mismatch(r,
			      "page %llu, %s: writer %u sees 0x%llx of writer %u: %s (note 0x%llx; "
			      "holes: %u begun, the last was %u)",
			      (unsigned long long)look->page, cell_name(look->cell), touch->writer,
			      (unsigned long long)word, writer, wrong, (unsigned long long)note,
			      holes_begun, look->last_hole);
}

void look_end(struct race *r, const struct look *look, const struct touch *touch)
{
	struct page *p = &r->pages[look->page];
	uint64_t cell;
	uint32_t holes_begun;
	bool no_hole;

	atomic_thread_fence(memory_order_seq_cst);
	cell = atomic_load(&p->cell);
	holes_begun = atomic_load(&p->holes_begun);
	no_hole = look->holes_ended == holes_begun;

	check_answer(r, look, cell, touch);
	atomic_fetch_add(touch->writer >= RACE_VCPUS ? &r->tally.host : &r->tally.guest, 1);
	atomic_fetch_add(&r->tally.raced, look->cell != cell || !no_hole);
	atomic_fetch_add(&r->tally.sigbus, touch->answer == ANSWER_SIGBUS);
	if (touch->answer != ANSWER_DATA)
		return;
	for (unsigned int i = 0; i < RACE_WRITERS; i++)
		check_word(r, look, touch, i, holes_begun);
	if (touch->number)
		atomic_store(&p->written[touch->writer],
			     note_make(touch->number, no_hole, look->holes_ended));
}
