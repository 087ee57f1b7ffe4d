// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_model.c - the model: what is known of a page, and what a touch may see
 *
 * A converted page is a new one, filled with 0, and its generation rises by one. For each page a
 * cell holds the generation, the number of converters that have the page in hand, and a number
 * that changes with each change of the cell. A converter has a page in hand from the first hook
 * for the page until gms_convert() returns.
 *
 * A touch is stable if the cell is the same before and after it, and no converter has the page in
 * hand. Any other touch races with a conversion: it may see each generation between the two, and
 * one more at each end. Where the page must not be converted during a touch (a still touch), the
 * touch is stable if the generation is the same.
 *
 * Each writer has a word of its own in each page. It writes its number, the page, and a number
 * that rises. After a touch the writer notes which number it wrote into which generation, and
 * whether the touch was stable. So each reader knows what each word may hold:
 *
 *  M1  A word is 0, or a value that its writer wrote into this page. Anything else is corruption.
 *  M2  A value was written in one of the generations that the touch may see. Else it comes from a
 *      stale side.
 *  M3  If the touch is stable, and the writer's last stable note is of the same generation, the
 *      word holds the number of that note or a later one. Else a write was lost, or this is the
 *      wrong side.
 *
 * An undone conversion lowers the generation again, and the page has its former content.
 *
 * In place a page is one memory in all of its generations. So M2 is void, and M3 is stricter:
 *
 *  M3' In place a word holds the number of its writer's last note or a later one, whatever the
 *      generations are, and whether the touches were stable or not.
 */
#include "race.h"

#include <errno.h>
#include <stdlib.h>

#define TAG 0xaULL

static struct race *hooked;
static struct gms_backend_ops hooks;

/* ---- cells and notes ---- */

/* The fields of a cell. They change by additions. In odd generations the page is private. */
#define CELL_CONVERTER (1ULL << 0)
#define CELL_GENERATION (1ULL << 8)
#define CELL_CHANGE (1ULL << 44) /* may wrap */

static bool cell_moving(uint64_t cell)
{
	return cell % CELL_GENERATION;
}

static uint64_t cell_generation(uint64_t cell)
{
	return cell % CELL_CHANGE / CELL_GENERATION;
}

static bool cell_private(uint64_t cell)
{
	return cell_generation(cell) % 2;
}

static uint64_t note_make(uint32_t number, bool stable, uint64_t generation)
{
	return (uint64_t)number << 32 | (uint64_t)stable << 31 | (generation & 0x7fffffff);
}

static uint32_t note_number(uint64_t note)
{
	return (uint32_t)(note >> 32);
}

static bool note_stable(uint64_t note)
{
	return note >> 31 & 1;
}

static uint64_t note_generation(uint64_t note)
{
	return note & 0x7fffffff;
}

bool model_private(const struct race *r, uint64_t page)
{
	return cell_private(atomic_load(&r->cells[page]));
}

bool model_moving(const struct race *r, uint64_t page)
{
	return cell_moving(atomic_load(&r->cells[page]));
}

uint64_t model_words_offset(uint64_t page)
{
	const uint64_t size = RACE_WORDS * sizeof(uint64_t);

	return page * 7 % (PROBE_PAGE / size) * size;
}

uint32_t model_issue(struct race *r, unsigned int writer)
{
	return atomic_fetch_add(&r->issued[writer], 1) + 1;
}

uint64_t model_value(unsigned int writer, uint64_t page, uint32_t number)
{
	return TAG << 60 | (uint64_t)writer << 56 | page << 32 | number;
}

int model_create(struct race *r, bool private)
{
	uint64_t nr_pages = r->options.pages;
	bool enough;

	r->cells = calloc(nr_pages, sizeof(*r->cells));
	r->pins = calloc(nr_pages, sizeof(*r->pins));
	r->unpinned = calloc(nr_pages, sizeof(*r->unpinned));
	enough = r->cells && r->pins && r->unpinned;
	for (unsigned int i = 0; i < RACE_WRITERS; i++) {
		r->written[i] = calloc(nr_pages, sizeof(*r->written[i]));
		enough = enough && r->written[i];
	}
	for (uint64_t i = 0; enough && i < nr_pages; i++)
		r->cells[i] = (private ? 1 : 2) * CELL_GENERATION;
	return enough ? 0 : -ENOMEM;
}

void model_destroy(struct race *r)
{
	for (unsigned int i = 0; i < RACE_WRITERS; i++)
		free(r->written[i]);
	free(r->unpinned);
	free(r->pins);
	free(r->cells);
}

/* ---- the hooks ---- */

/* The calling thread's conversion. */
static _Thread_local struct {
	const struct wish *wish;
	bool in_hand[MODEL_MAX_WISH];
	unsigned int fail_apply;
	bool apply_failed;
} mine;

static void change(struct race *r, uint64_t page, uint64_t by)
{
	atomic_fetch_add(&r->cells[page], by + CELL_CHANGE);
}

static void take_in_hand(struct race *r, gms_pgoff_t start, uint64_t nr_pages)
{
	for (uint64_t page = start - r->memory.start; nr_pages--; page++) {
		bool *in_hand = &mine.in_hand[page - mine.wish->at];

		if (!*in_hand)
			change(r, page, CELL_CONVERTER);
		*in_hand = true;
	}
}

static void next_generation(struct race *r, gms_pgoff_t start, uint64_t nr_pages)
{
	for (uint64_t page = start - r->memory.start; nr_pages--; page++)
		change(r, page, CELL_GENERATION);
}

static void last_generation(struct race *r, gms_pgoff_t start, uint64_t nr_pages)
{
	for (uint64_t page = start - r->memory.start; nr_pages--; page++)
		change(r, page, -CELL_GENERATION);
}

void model_begin(const struct wish *wish, unsigned int fail_apply)
{
	mine.wish = wish;
	mine.fail_apply = fail_apply;
	mine.apply_failed = false;
}

bool model_end(struct race *r)
{
	for (uint64_t i = 0; i < mine.wish->nr_pages; i++) {
		if (mine.in_hand[i])
			change(r, mine.wish->at + i, -CELL_CONVERTER);
		mine.in_hand[i] = false;
	}
	return mine.apply_failed;
}

/* Used only if the backend has the hook. Without it nothing changes for the host before apply. */
static int hook_unmap(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	take_in_hand(hooked, start, nr_pages);
	return gms_kvm_backend()->unmap_host(ctx, start, nr_pages);
}

static int hook_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	struct race *r = hooked;
	int err;

	if (mine.fail_apply && !--mine.fail_apply) {
		mine.apply_failed = true;
		return -EIO;
	}
	take_in_hand(r, start, nr_pages);
	err = gms_kvm_backend()->apply(ctx, start, nr_pages, to, failed);
	/* -EAGAIN in place: the engine calls undo for the pages before *failed */
	if (err == -EAGAIN && r->in_place)
		nr_pages = *failed - start;
	else if (err)
		race_mismatch(r, "the backend's apply returns %d", err);
	if (!err || err == -EAGAIN)
		next_generation(r, start, nr_pages);
	if (!err && r->deaf && to == GMS_PRIVATE)
		err = memory_deceive(&r->memory, start - r->memory.start, nr_pages, false);
	return err;
}

static int hook_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	int err = gms_kvm_backend()->undo(ctx, start, nr_pages, back_to);

	if (err)
		race_mismatch(hooked, "the backend's undo returns %d", err);
	else
		last_generation(hooked, start, nr_pages);
	return err;
}

const struct gms_backend_ops *model_backend(struct race *r)
{
	hooked = r;
	hooks = *gms_kvm_backend();
	hooks.apply = hook_apply;
	hooks.undo = hook_undo;
	if (hooks.unmap_host)
		hooks.unmap_host = hook_unmap;
	return &hooks;
}

/* ---- touches ---- */

/* The generations that a touch may have seen, from what was known before it and after it. */
struct range {
	uint64_t page;
	uint64_t first, last;
	bool stable;
	bool private; /* if it is stable */
};

void look_begin(const struct race *r, uint64_t page, struct look *look)
{
	look->page = page;
	look->cell = atomic_load(&r->cells[page]);
	for (unsigned int i = 0; i < RACE_WRITERS; i++)
		look->written[i] = atomic_load(&r->written[i][page]);
	atomic_thread_fence(memory_order_seq_cst);
}

static struct range look_range(const struct look *look, uint64_t cell, bool still)
{
	uint64_t first = cell_generation(look->cell), last = cell_generation(cell);
	bool moving = !still && (cell_moving(look->cell) || cell_moving(cell));

	return (struct range) {
		.page = look->page,
		.first = first - moving,
		.last = last + moving,
		.stable = still ? first == last : look->cell == cell && !moving,
		.private = cell_private(cell),
	};
}

/* Checks M2. @before and @after are the notes of the writer of the word. */
static bool other_side(const struct range *range, uint32_t number, uint64_t before, uint64_t after)
{
	for (int i = 0; i < 2; i++) {
		uint64_t note = i ? after : before;

		if (note_number(note) == number && note_stable(note) &&
		    (note_generation(note) < range->first || note_generation(note) > range->last))
			return true;
	}
	return false;
}

/* Checks M3 and M3'. A word that is 0 has number 0. */
static bool write_lost(const struct race *r, const struct range *range, uint32_t number,
		       uint64_t before)
{
	if (r->in_place)
		return number < note_number(before);
	return range->stable && note_stable(before) &&
	       (number ? number < note_number(before) : note_generation(before) == range->first);
}

/* Checks M1 to M3 for the word of one writer. @before and @after are the writer's notes. */
static void check_word(struct race *r, const struct range *range, const struct touch *touch,
		       unsigned int writer, uint64_t before, uint64_t after)
{
	uint64_t word = touch->words[writer];
	uint32_t number = (uint32_t)word;
	const char *wrong = NULL;

	if (word && (word != model_value(writer, range->page, number) ||
		     number > atomic_load(&r->issued[writer])))
		wrong = "which was never written there";
	if (word && !wrong && !r->in_place && other_side(range, number, before, after))
		wrong = "which was on the other side";
	if (!wrong && write_lost(r, range, number, before))
		wrong = "and a later write is lost";
	if (wrong)
		race_mismatch(r,
			      "page %llu, %s: writer %u sees 0x%llx of writer %u, %s (note 0x%llx, "
			      "generations %llu to %llu)",
			      (unsigned long long)range->page,
			      !range->stable   ? "being converted"
			      : range->private ? "private"
					       : "shared",
			      touch->writer, (unsigned long long)word, writer, wrong,
			      (unsigned long long)before, (unsigned long long)range->first,
			      (unsigned long long)range->last);
}

/* Returns true if the touch may have had this answer. */
static bool answer_ok(const struct range *range, const struct touch *touch)
{
	if (touch->writer == RACE_HOST) {
		if (range->stable)
			return touch->answer == (range->private ? ANSWER_SIGBUS : ANSWER_DATA);
		return touch->answer == ANSWER_DATA || touch->answer == ANSWER_SIGBUS;
	}
	/* beside a conversion KVM may report a memory fault before the access succeeds */
	return touch->answer == ANSWER_DATA && (!touch->faults || !range->stable);
}

void look_end(struct race *r, const struct look *look, const struct touch *touch)
{
	struct range range;

	atomic_thread_fence(memory_order_seq_cst);
	range = look_range(look, atomic_load(&r->cells[look->page]), touch->still);
	if (touch->still && !range.stable)
		race_mismatch(r, "page %llu was converted, which was not allowed",
			      (unsigned long long)look->page);
	if (!answer_ok(&range, touch))
		race_mismatch(r, "page %llu, %s: writer %u gets %s, after %u exits for it",
			      (unsigned long long)look->page,
			      !range.stable   ? "being converted"
			      : range.private ? "private"
					      : "shared",
			      touch->writer, answer_name(touch->answer), touch->faults);
	atomic_fetch_add(touch->writer == RACE_HOST ? &r->tally.host : &r->tally.guest, 1);
	atomic_fetch_add(&r->tally.raced, !range.stable);
	atomic_fetch_add(&r->tally.sigbus, touch->answer == ANSWER_SIGBUS);
	if (touch->answer != ANSWER_DATA)
		return;
	for (unsigned int i = 0; i < RACE_WRITERS; i++)
		check_word(r, &range, touch, i, look->written[i],
			   atomic_load(&r->written[i][look->page]));
	if (touch->number)
		atomic_store(&r->written[touch->writer][look->page],
			     note_make(touch->number, range.stable, range.first));
}

void model_check(struct race *r)
{
	const char *why;

	for (uint64_t i = 0; i < r->memory.nr_pages; i++) {
		bool private = gms_is_private(r->memory.state, r->memory.start + i);

		if (private != model_private(r, i) || model_moving(r, i))
			race_mismatch(r, "page %llu: the library says %s, its hooks did not",
				      (unsigned long long)i, private ? "private" : "shared");
	}
	if (!gms_state_verify(r->memory.state, &why))
		race_mismatch(r, "gms_state_verify(): %s", why);
}
