// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_host.c - the threads of the host, which touch and pin pages; and the thread that allocates,
 * punches holes, and changes the mapping
 *
 * A pin is a page in a pipe. At its end the page is read from there. So a page that was moved or
 * freed while it was pinned shows old data or other data.
 */
#define _GNU_SOURCE
#include "race.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "hold.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PIN_TOUCHES 200 /* of the thread while it has a page pinned, at most */
#define PAUSE_TOUCHES 32 /* between pauses, so that the conversions get processors, too */

struct host {
	struct race *r;
	uint64_t rng;
	unsigned int i;
	struct hold hold;
	bool pinned;
	uint64_t page; /* that is pinned */
	uint64_t left; /* touches until the pin ends */
};

/* The context of touch_words(), which host_touch_by() calls. */
struct touching {
	uint64_t page, value;
	unsigned int writer;
	enum probe_mode mode;
	uint64_t words[RACE_WORDS];
};

static void touch_words(unsigned char *page, void *ctx)
{
	struct touching *t = ctx;
	volatile uint64_t *words = (void *)(page + model_words_offset(t->page));

	if (t->mode == PROBE_WRITE_READ)
		words[t->writer] = t->value;
	for (unsigned int i = 0; i < RACE_WORDS; i++)
		t->words[i] = words[i];
	if (t->mode != PROBE_READ)
		words[t->writer] = t->value;
}

static void touch_page(struct race *r, unsigned int writer, uint64_t page, enum probe_mode mode,
		       bool pinned)
{
	const uint32_t number = model_issue(r, writer);
	struct touching t = {
		.page = page,
		.value = model_value(writer, page, number),
		.writer = writer,
		.mode = mode,
	};
	struct touch touch = {
		.writer = writer,
		.words = t.words,
		.number = mode == PROBE_READ ? 0 : number,
		.pinned = pinned,
	};
	struct look look;

	look_begin(r, page, &look);
	touch.answer = host_touch_by(r->gmem.host + page * PAGE, touch_words, &t);
	look_end(r, &look, &touch);
}

static uint64_t draw_page(struct host *h)
{
	const uint64_t max = h->r->options.pages;
	uint64_t page = race_draw(&h->rng, max);

	if (race_draw(&h->rng, 2))
		page = atomic_load(&h->r->last_at[race_draw(&h->rng, RACE_VCPUS)]) +
		       race_draw(&h->rng, 16);
	return page % max;
}

/* ---- pins ---- */

static void pin_page(struct host *h, uint64_t page)
{
	const int err = hold_take(&h->hold, h->r->gmem.host + page * PAGE);

	if (err && err != -EFAULT)
		race_mismatch(h->r, "page %llu: a pipe cannot take it: %d",
			      (unsigned long long)page, err);
	h->pinned = !err;
	h->page = page;
	h->left = 1 + race_draw(&h->rng, PIN_TOUCHES);
}

static void unpin_page(struct host *h)
{
	static _Thread_local unsigned char copy[PAGE];
	struct touch touch = {
		.writer = RACE_NOBODY,
		.words = (void *)(copy + model_words_offset(h->page)),
		.pinned = true,
	};
	struct look look;

	look_begin(h->r, h->page, &look);
	touch.answer = hold_read(&h->hold, copy) ? ANSWER_EFAULT : ANSWER_DATA;
	look_end(h->r, &look, &touch);
	h->pinned = false;
	atomic_fetch_add(&h->r->tally.pins, 1);
}

static void use_pin(struct host *h)
{
	if (!h->pinned) {
		pin_page(h, draw_page(h));
		return;
	}
	touch_page(h->r, RACE_HOST(h->i), h->page,
		   (enum probe_mode)race_draw(&h->rng, PROBE_NR_MODES), true);
	if (!--h->left)
		unpin_page(h);
}

void race_host(struct race *r, unsigned int i, uint64_t seed)
{
	const struct timespec a_while = {.tv_nsec = 200000};
	struct host h = {.r = r, .rng = seed, .i = i};

	for (uint64_t n = 1; !atomic_load(&r->stop); n++) {
		if (!race_draw(&h.rng, h.pinned ? 4 : 64))
			use_pin(&h);
		else
			touch_page(r, RACE_HOST(i), draw_page(&h),
				   (enum probe_mode)race_draw(&h.rng, PROBE_NR_MODES), false);
		if (n % PAUSE_TOUCHES == 0)
			nanosleep(&a_while, NULL);
	}
	if (h.pinned)
		unpin_page(&h);
}

void race_host_all(struct race *r, unsigned int i, enum probe_mode mode)
{
	for (uint64_t page = 0; page < r->options.pages; page++)
		touch_page(r, RACE_HOST(i), page, mode, false);
}

/* ---- holes, allocations, mappings ---- */

static void punch(struct race *r, uint64_t page, uint64_t nr_pages)
{
	int err;

	model_hole_begin(r, page, nr_pages);
	err = gmem_punch(r->gmem.fd, page, nr_pages);
	model_hole_end(r, page, nr_pages, err);
	atomic_fetch_add(&r->tally.holes, !err);
	atomic_fetch_add(&r->tally.holes_refused, err == -EAGAIN);
	if (err && err != -EAGAIN)
		race_mismatch(r, "pages %llu + %llu: the hole returns %d", (unsigned long long)page,
			      (unsigned long long)nr_pages, err);
}

static void allocate(struct race *r, uint64_t page, uint64_t nr_pages)
{
	int err = gmem_allocate(r->gmem.fd, page, nr_pages);

	if (err)
		race_mismatch(r, "pages %llu + %llu: the allocation returns %d",
			      (unsigned long long)page, (unsigned long long)nr_pages, err);
}

static void change_mapping(struct race *r, uint64_t *rng, uint64_t page, uint64_t nr_pages)
{
	/* each of them may fail, and none may do harm */
	static const int advice[] = {MADV_POPULATE_READ, MADV_PAGEOUT, MADV_COLD, MADV_COLLAPSE};
	const uint64_t kind = race_draw(rng, 2 * sizeof(advice) / sizeof(advice[0]));
	unsigned char *at = r->gmem.host + page * PAGE;
	const size_t size = nr_pages * PAGE;

	switch (kind) {
	case 0:
	case 1:
	case 2:
	case 3:
		(void)madvise(at, size, advice[kind]);
		break;
	case 4:
	case 5:
		if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r->gmem.fd,
			 (off_t)(page * PAGE)) == MAP_FAILED)
			race_mismatch(r, "cannot map: errno %d", errno);
		break;
	default:
		if (madvise(at, size, MADV_DONTNEED))
			race_mismatch(r, "madvise: errno %d", errno);
	}
}

/* Does something every millisecond or so, so that pages have time to live. */
void race_mappings(struct race *r, uint64_t seed)
{
	const struct timespec a_while = {.tv_nsec = 1000000};
	const uint64_t max = r->options.pages;
	uint64_t rng = seed;

	while (!atomic_load(&r->stop)) {
		uint64_t page = race_draw(&rng, max), kind = race_draw(&rng, 12);
		uint64_t nr_pages = 1 + race_draw(&rng, race_draw(&rng, 2) ? 8 : 2 * BLOCK);

		if (kind == 0) {
			page = page / BLOCK * BLOCK;
			nr_pages = BLOCK;
		}
		if (nr_pages > max - page)
			nr_pages = max - page;
		if (kind < 4)
			punch(r, page, nr_pages);
		else if (kind < 7)
			allocate(r, page, nr_pages);
		else
			change_mapping(r, &rng, page, nr_pages);
		nanosleep(&a_while, NULL);
	}
}
