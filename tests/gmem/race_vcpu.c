// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_vcpu.c - the threads of the vCPUs: batches of touches, conversions, and pre-faults
 *
 * The guest is that of tests/nested/race.c. The model is read for all pages of a batch before the
 * guest runs the batch, and again at its end. In between the guest runs freely.
 */
#include "race.h"

#include <errno.h>
#include <stddef.h>

#include "race_command.h"

#define BATCH 16
#define ALL_BATCH 64
#define MAX_EXITS 1000 /* KVM_EXIT_MEMORY_FAULT for one touch before the touch is skipped */

struct entry {
	uint64_t gpa;
	uint64_t own;
	uint64_t value;
	uint64_t flags;
	uint64_t unused[4];
	uint64_t words[RACE_WORDS];
};

struct command {
	uint64_t count;
	uint64_t next;
	uint64_t unused[6];
	struct entry entries[ALL_BATCH];
};

#define COMMAND_SIZE (16ULL << 10)

_Static_assert(offsetof(struct command, entries) == RACE_ENTRIES, "race_guest.S uses this offset");
_Static_assert(sizeof(struct entry) == 1 << RACE_ENTRY_SHIFT, "race_guest.S uses this size");
_Static_assert(offsetof(struct entry, words) == RACE_ENTRY_WORDS, "race_guest.S uses this offset");
_Static_assert(sizeof(struct command) <= COMMAND_SIZE, "a command fits");
_Static_assert(MACHINE_LOW_FREE + RACE_VCPUS * COMMAND_SIZE <= MACHINE_LOW_SIZE, "they fit");

extern const unsigned char race_guest_begin[], race_guest_end[];

/* A batch: for each entry, what was known before it and how it was answered. */
struct batch {
	struct race *r;
	uint64_t rng;
	unsigned int i; /* the vCPU */
	uint32_t number;
	volatile struct command *command;
	struct {
		struct look look;
		struct touch touch;
	} of[ALL_BATCH];
};

struct machine_vcpu *race_vcpu_of(struct race *r, unsigned int i)
{
	return i ? &r->second : &r->gmem.m.vcpu;
}

static uint64_t command_gpa(unsigned int i)
{
	return MACHINE_LOW_FREE + i * COMMAND_SIZE;
}

static int restart(struct race *r, unsigned int i)
{
	return machine_start(&r->gmem.m, race_vcpu_of(r, i), command_gpa(i));
}

int race_vcpus_start(struct race *r)
{
	int err = machine_load(&r->gmem.m, race_guest_begin,
			       (size_t)(race_guest_end - race_guest_begin));

	for (unsigned int i = 0; !err && i < RACE_VCPUS; i++)
		err = restart(r, i);
	return err;
}

/* ---- batches ---- */

static void batch_begin(struct batch *b)
{
	b->command = (void *)(b->r->gmem.m.low + command_gpa(b->i));
	b->command->count = b->command->next = 0;
	b->number = model_issue(b->r, b->i);
}

static void add_touch(struct batch *b, uint64_t page, enum probe_mode mode)
{
	const uint64_t words = MAIN_GPA + page * PAGE + model_words_offset(page);
	const uint64_t n = b->command->count;
	volatile struct entry *entry = &b->command->entries[n];

	entry->gpa = words;
	entry->own = words + b->i * sizeof(uint64_t);
	entry->value = model_value(b->i, page, b->number);
	entry->flags = mode == PROBE_READ         ? 0
		       : mode == PROBE_READ_WRITE ? RACE_WRITE_BIT
						  : RACE_WRITE_BIT | RACE_WRITE_FIRST_BIT;
	b->of[n].touch = (struct touch) {
		.writer = b->i,
		.answer = ANSWER_DATA,
		.number = mode == PROBE_READ ? 0 : b->number,
	};
	b->of[n].look.page = page;
	b->command->count = n + 1;
}

/* Handles an exit. Returns 0: run the guest again; 1: the batch is done; -errno: it is stuck. */
static int handle(struct batch *b, const struct machine_exit *why)
{
	struct race *r = b->r;
	const uint64_t next = b->command->next;
	char text[200];

	if (why->kind == MACHINE_OUT && why->port == RACE_DONE_PORT && next == b->command->count)
		return 1;
	if (why->kind == MACHINE_MEMORY_FAULT && next < b->command->count) {
		atomic_fetch_add(&r->tally.memory_faults, 1);
		if (++b->of[next].touch.faults < MAX_EXITS)
			return 0;
		b->of[next].touch.answer =
			why->private ? ANSWER_FAULT_PRIVATE : ANSWER_FAULT_SHARED;
		b->command->next = next + 1;
		return restart(r, b->i);
	}
	machine_explain(why, text, sizeof(text));
	race_mismatch(r, "vCPU %u: %s", b->i, text);
	return -EIO;
}

static int batch_run(struct batch *b)
{
	struct machine_exit why;
	int rc = 0;

	for (uint64_t n = 0; n < b->command->count; n++)
		look_begin(b->r, b->of[n].look.page, &b->of[n].look);
	while (!rc) {
		rc = machine_run(race_vcpu_of(b->r, b->i), &why);
		if (rc == -EINTR)
			rc = 0;
		else if (!rc)
			rc = handle(b, &why);
		else
			race_mismatch(b->r, "vCPU %u: KVM_RUN returns %d at page %llu", b->i, rc,
				      (unsigned long long)b->of[b->command->next].look.page);
	}
	return rc < 0 ? rc : 0;
}

static void batch_end(struct batch *b)
{
	for (uint64_t n = 0; n < b->command->count; n++) {
		uint64_t words[RACE_WORDS];

		for (unsigned int i = 0; i < RACE_WORDS; i++)
			words[i] = b->command->entries[n].words[i];
		b->of[n].touch.words = words;
		look_end(b->r, &b->of[n].look, &b->of[n].touch);
	}
}

/* ---- conversions and pre-faults ---- */

int race_convert(struct race *r, uint64_t page, uint64_t nr_pages, enum side to)
{
	uint64_t at;
	int err;

	model_convert_begin(r, page, nr_pages);
	err = gmem_convert(r->gmem.fd, page, nr_pages, to, &at);
	model_convert_end(r, page, nr_pages, to, err);
	atomic_fetch_add(&r->tally.conversions, 1);
	if (err == -EAGAIN) {
		atomic_fetch_add(&r->tally.refused, 1);
		atomic_fetch_add(&r->tally.refused_shared, to == SHARED);
	}
	if ((err && err != -EAGAIN) || (err && (at < page || at >= page + nr_pages)))
		race_mismatch(r, "pages %llu + %llu to %s: %d at page %lld",
			      (unsigned long long)page, (unsigned long long)nr_pages, side_name(to),
			      err, (long long)at);
	return err;
}

/* Draws a range: some pages, many, or a 2M block; often where a vCPU's thread converted last. */
static void draw_range(struct batch *b, uint64_t *page, uint64_t *nr_pages)
{
	const uint64_t max = b->r->options.pages, kind = race_draw(&b->rng, 10);

	*page = race_draw(&b->rng, max);
	if (kind % 3 == 1)
		*page = atomic_load(&b->r->last_at[race_draw(&b->rng, RACE_VCPUS)]);
	*nr_pages = 1 + race_draw(&b->rng, kind < 5 ? 8 : 200);
	if (kind == 9) {
		*page = *page / BLOCK * BLOCK;
		*nr_pages = BLOCK;
	}
	if (*nr_pages > max - *page)
		*nr_pages = max - *page;
}

static void convert_something(struct batch *b)
{
	const enum side to = race_draw(&b->rng, 2) ? PRIVATE : SHARED;
	uint64_t page, nr_pages;

	draw_range(b, &page, &nr_pages);
	atomic_store(&b->r->last_at[b->i], page);
	race_convert(b->r, page, nr_pages, to);
}

/* Beside a conversion a pre-fault may find the wrong side (EFAULT), or give up (EAGAIN). */
static void pre_fault_something(struct batch *b)
{
	uint64_t page, nr_pages;
	int err;

	draw_range(b, &page, &nr_pages);
	err = gmem_pre_fault(race_vcpu_of(b->r, b->i), MAIN_GPA + page * PAGE, nr_pages);
	atomic_fetch_add(&b->r->tally.pre_faults, 1);
	atomic_fetch_add(&b->r->tally.pre_faults_failed, err != 0);
	if (err && err != -EFAULT && err != -EAGAIN)
		race_mismatch(b->r, "pages %llu + %llu: KVM_PRE_FAULT_MEMORY returns %d",
			      (unsigned long long)page, (unsigned long long)nr_pages, err);
}

/* ---- the threads ---- */

/* Draws a page: two thirds are where a vCPU's thread converted last. */
static uint64_t draw_page(struct batch *b)
{
	const uint64_t max = b->r->options.pages;
	uint64_t page = race_draw(&b->rng, max);

	if (race_draw(&b->rng, 3))
		page = atomic_load(&b->r->last_at[race_draw(&b->rng, RACE_VCPUS)]) +
		       race_draw(&b->rng, 16);
	return page % max;
}

int race_vcpu(struct race *r, unsigned int i, uint64_t seed)
{
	struct batch b = {.r = r, .rng = seed, .i = i};
	int err = 0;

	while (!err && !atomic_load(&r->stop)) {
		batch_begin(&b);
		for (uint64_t n = 0; n < BATCH; n++)
			add_touch(&b, draw_page(&b),
				  (enum probe_mode)race_draw(&b.rng, PROBE_NR_MODES));
		err = batch_run(&b);
		if (!err)
			batch_end(&b);
		for (uint64_t n = race_draw(&b.rng, 6); n && !atomic_load(&r->stop); n--)
			convert_something(&b);
		if (!race_draw(&b.rng, 16))
			pre_fault_something(&b);
	}
	return err;
}

int race_vcpu_all(struct race *r, unsigned int i, enum probe_mode mode)
{
	struct batch b = {.r = r, .i = i};
	int err = 0;

	for (uint64_t page = 0; !err && page < r->options.pages;) {
		batch_begin(&b);
		for (; page < r->options.pages && b.command->count < ALL_BATCH; page++)
			add_touch(&b, page, mode);
		err = batch_run(&b);
		if (!err)
			batch_end(&b);
	}
	return err;
}
