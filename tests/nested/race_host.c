// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_host.c - the host's thread, which touches and pins; the balloon's thread, which converts
 *
 * The host touches a page under a fault (shared pages only), under a pin, under gms_lock_shared()
 * (a private page gives SIGBUS), or with nothing held. In the first three cases the page must not
 * be converted meanwhile.
 *
 * In place some pins are references instead, which only the kernel knows (hold.h). They are taken
 * while conversions of the page are in progress.
 */
#include "race.h"

#include <errno.h>
#include <time.h>

#define NR_PINS 8
#define MAX_PINNED 4 /* pages in one call */
#define BALLOON_SHARE 6 /* of this many conversions the balloon makes one */

struct pin {
	uint64_t at, nr_pages;
	bool reference;
	struct hold hold; /* if it is a reference */
	struct look looks[MAX_PINNED];
};

struct host {
	struct race *r;
	uint64_t rng;
	unsigned int nr_pins;
	struct pin pins[NR_PINS];
};

/* The context of touch_words(), which host_touch_by() calls. */
struct touching {
	uint64_t page, value;
	enum probe_mode mode;
	uint64_t words[RACE_WORDS];
};

static void touch_words(unsigned char *page, void *ctx)
{
	struct touching *t = ctx;
	volatile uint64_t *words = (void *)(page + model_words_offset(t->page));

	if (t->mode == PROBE_WRITE_READ)
		words[RACE_HOST] = t->value;
	for (unsigned int i = 0; i < RACE_WORDS; i++)
		t->words[i] = words[i];
	if (t->mode != PROBE_READ)
		words[RACE_HOST] = t->value;
}

static enum answer touch_page(struct race *r, const struct look *look, enum probe_mode mode,
			      bool still)
{
	uint32_t number = model_issue(r, RACE_HOST);
	struct touching t = {
		.page = look->page,
		.value = model_value(RACE_HOST, look->page, number),
		.mode = mode,
	};
	struct touch touch = {
		.writer = RACE_HOST,
		.words = t.words,
		.number = mode == PROBE_READ ? 0 : number,
		.still = still,
	};

	touch.answer = host_touch_by(r->memory.host + look->page * PROBE_PAGE, touch_words, &t);
	look_end(r, look, &touch);
	return touch.answer;
}

static enum answer look_and_touch(struct race *r, uint64_t page, enum probe_mode mode, bool still)
{
	struct look look;

	look_begin(r, page, &look);
	return touch_page(r, &look, mode, still);
}

static enum probe_mode draw_probe(struct host *h)
{
	return (enum probe_mode)race_draw(&h->rng, PROBE_NR_MODES);
}

static void touch_faulted(struct race *r, uint64_t page, enum probe_mode mode)
{
	struct gms_fault fault;
	int err = gms_fault_begin(r->memory.state, r->memory.start + page, GMS_HOST, &fault);

	if (err) {
		if (err != -EACCES)
			race_mismatch(r, "page %llu: gms_fault_begin() returns %d",
				      (unsigned long long)page, err);
		return;
	}
	if (look_and_touch(r, page, mode, true) != ANSWER_DATA)
		race_mismatch(r, "page %llu: the host may fault, and cannot",
			      (unsigned long long)page);
	gms_fault_end(r->memory.state, &fault);
}

static void touch_locked(struct race *r, uint64_t page, enum probe_mode mode)
{
	gms_pgoff_t index = r->memory.start + page;
	int err = gms_lock_shared(r->memory.state, index, 1);
	enum answer want;

	if (err) {
		race_mismatch(r, "page %llu: gms_lock_shared() returns %d",
			      (unsigned long long)page, err);
		return;
	}
	want = gms_is_private(r->memory.state, index) ? ANSWER_SIGBUS : ANSWER_DATA;
	if (look_and_touch(r, page, mode, true) != want)
		race_mismatch(r, "page %llu: the lock is held, and it is not %s",
			      (unsigned long long)page, answer_name(want));
	gms_unlock_shared(r->memory.state, index, 1);
}

/* Touches with nothing held. If the sequence number does not change, neither did the page. */
static void touch_unlocked(struct race *r, uint64_t page, enum probe_mode mode)
{
	gms_pgoff_t index = r->memory.start + page;
	uint64_t seq = gms_seq_read(r->memory.state, index);
	bool private = gms_is_private(r->memory.state, index);
	enum answer answer = look_and_touch(r, page, mode, false);

	if (!gms_seq_retry(r->memory.state, index, seq) &&
	    answer != (private ? ANSWER_SIGBUS : ANSWER_DATA))
		race_mismatch(r, "page %llu: %s by gms_seq_retry(), and the host gets %s",
			      (unsigned long long)page, private ? "private" : "shared",
			      answer_name(answer));
}

/* Updates the counts for race_convert(), which are never below the library's. */
static void count_pins(struct race *r, const struct pin *pin, bool pinned)
{
	for (uint64_t i = pin->at; i < pin->at + pin->nr_pages; i++) {
		if (pinned) {
			atomic_fetch_add(&r->pins[i], 1);
			continue;
		}
		atomic_store(&r->unpinned[i], atomic_fetch_add(&r->clock, 1));
		atomic_fetch_sub(&r->pins[i], 1);
	}
}

/*
 * Waits for a conversion of a page that was in progress when a reference was taken. From then on
 * the page stays shared.
 */
static void settle(struct race *r, uint64_t page)
{
	gms_pgoff_t index = r->memory.start + page;
	int err = gms_lock_shared(r->memory.state, index, 1);

	if (err) {
		race_mismatch(r, "page %llu: gms_lock_shared() returns %d",
			      (unsigned long long)page, err);
		return;
	}
	if (gms_is_private(r->memory.state, index))
		race_mismatch(r, "page %llu: the host has a reference, and it is private",
			      (unsigned long long)page);
	gms_unlock_shared(r->memory.state, index, 1);
}

static void refer_to_page(struct host *h, uint64_t at)
{
	struct pin *pin = &h->pins[h->nr_pins];
	struct race *r = h->r;
	int err;

	*pin = (struct pin) {.at = at, .nr_pages = 1, .reference = true};
	count_pins(r, pin, true);
	err = hold_take(&pin->hold, r->memory.host + at * PROBE_PAGE);
	if (err) {
		count_pins(r, pin, false);
		if (err != -EFAULT)
			race_mismatch(r, "page %llu: vmsplice() returns %d", (unsigned long long)at,
				      err);
		return;
	}
	settle(r, at);
	look_begin(r, at, &pin->looks[0]);
	h->nr_pins++;
	atomic_fetch_add(&r->tally.referred, 1);
}

static void pin_pages(struct host *h, uint64_t at)
{
	struct pin *pin = &h->pins[h->nr_pins];
	struct race *r = h->r;
	int err;

	pin->at = at;
	pin->reference = false;
	pin->nr_pages = 1 + race_draw(&h->rng, MAX_PINNED);
	if (pin->nr_pages > r->options.pages - at)
		pin->nr_pages = r->options.pages - at;
	count_pins(r, pin, true);
	err = gms_pin(r->memory.state, r->memory.start + at, pin->nr_pages, NULL);
	if (err) {
		count_pins(r, pin, false);
		if (err != -EACCES)
			race_mismatch(r, "page %llu: gms_pin() returns %d", (unsigned long long)at,
				      err);
		return;
	}
	for (uint64_t i = 0; i < pin->nr_pages; i++)
		look_begin(r, at + i, &pin->looks[i]);
	h->nr_pins++;
}

/*
 * Drops a reference, and judges what the pipe held like a touch. The page may be converted as soon
 * as the pipe is empty, so the touch is not still.
 */
static void drop_reference(struct race *r, struct pin *pin)
{
	static unsigned char copy[PROBE_PAGE] __attribute__((aligned(8)));
	const struct touch touch = {
		.writer = RACE_HOST,
		.answer = ANSWER_DATA,
		.words = (void *)(copy + model_words_offset(pin->at)),
	};
	struct look look;
	int err;

	look_begin(r, pin->at, &look);
	err = hold_read(&pin->hold, copy);
	if (err)
		race_mismatch(r, "page %llu: the pipe returns %d", (unsigned long long)pin->at,
			      err);
	else
		look_end(r, &look, &touch);
}

static void unpin_pages(struct host *h, unsigned int i)
{
	struct pin *pin = &h->pins[i];

	if (pin->reference)
		drop_reference(h->r, pin);
	else
		gms_unpin(h->r->memory.state, h->r->memory.start + pin->at, pin->nr_pages);
	count_pins(h->r, pin, false);
	h->pins[i] = h->pins[--h->nr_pins];
}

/* Touches a pinned page. At its last use, checks that it did not change since it was pinned. */
static void use_pin(struct host *h)
{
	unsigned int i = (unsigned int)race_draw(&h->rng, h->nr_pins);
	const struct pin *pin = &h->pins[i];
	uint64_t page = race_draw(&h->rng, pin->nr_pages);

	if (look_and_touch(h->r, pin->at + page, draw_probe(h), true) != ANSWER_DATA)
		race_mismatch(h->r, "page %llu: pinned, and the host cannot touch it",
			      (unsigned long long)(pin->at + page));
	if (race_draw(&h->rng, 6))
		return;
	for (uint64_t j = 0; j < pin->nr_pages; j++)
		touch_page(h->r, &pin->looks[j], PROBE_READ, true);
	unpin_pages(h, i);
}

static void do_something(struct host *h)
{
	struct race *r = h->r;
	uint64_t page = race_draw(&h->rng, 2) ? race_draw(&h->rng, r->options.pages)
					      : draw_contested(r, &h->rng, RACE_CONVERTERS);

	switch (race_draw(&h->rng, 8)) {
	case 0:
		if (h->nr_pins < NR_PINS) {
			if (r->in_place && race_draw(&h->rng, 2))
				refer_to_page(h, page);
			else
				pin_pages(h, page);
			break;
		}
		/* fallthrough */
	case 1:
	case 2:
		if (h->nr_pins) {
			use_pin(h);
			break;
		}
		/* fallthrough */
	case 3:
	case 4:
		touch_faulted(r, page, draw_probe(h));
		break;
	case 5:
	case 6:
		touch_locked(r, page, draw_probe(h));
		break;
	default:
		touch_unlocked(r, page, draw_probe(h));
	}
}

void race_host(struct race *r, uint64_t seed)
{
	struct host h = {.r = r, .rng = seed};

	while (atomic_load(&r->left) > 0)
		do_something(&h);
	while (h.nr_pins)
		unpin_pages(&h, 0);
}

/* Converts at a limited rate, so that the vCPUs make most of the conversions. */
void race_balloon(struct race *r, uint64_t seed)
{
	const struct timespec a_while = {.tv_nsec = 50000};
	uint64_t rng = seed, mine = 0, before = atomic_load(&r->tally.conversions);

	while (atomic_load(&r->left) > 0) {
		if (mine * BALLOON_SHARE > atomic_load(&r->tally.conversions) - before) {
			nanosleep(&a_while, NULL);
		} else {
			struct wish wish = draw_wish(r, &rng, RACE_BALLOON);

			race_convert(r, &rng, RACE_BALLOON, &wish);
			mine++;
		}
	}
}

void race_host_all(struct race *r)
{
	for (uint64_t i = 0; i < r->options.pages; i++)
		touch_locked(r, i, i % 2 ? PROBE_READ_WRITE : PROBE_WRITE_READ);
}
