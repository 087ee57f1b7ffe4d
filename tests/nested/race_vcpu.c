// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_vcpu.c - a vCPU's thread: batches of touches, some with a request to convert
 *
 * The model is read for all pages of a batch before the guest runs the batch, and again at its
 * end. In between the guest runs freely. An exit that the guest did not cause is counted, and the
 * guest runs again, as in a VMM.
 */
#include "race.h"

#include <errno.h>
#include <stddef.h>

#include "race_command.h"

#define MAX_EXITS 1000 /* KVM_EXIT_MEMORY_FAULT for one touch before the touch is skipped */
#define MAX_EFAULTS 3

#define ALL_BATCH 64

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
_Static_assert(MACHINE_LOW_FREE + VCPUS_MAX * COMMAND_SIZE <= MACHINE_LOW_SIZE, "all commands fit");

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
		unsigned int efaults;
	} of[ALL_BATCH];
};

static uint64_t command_gpa(unsigned int i)
{
	return MACHINE_LOW_FREE + i * COMMAND_SIZE;
}

int race_vcpus_start(struct race *r)
{
	int err =
		machine_load(&r->m, race_guest_begin, (size_t)(race_guest_end - race_guest_begin));

	for (unsigned int i = 0; !err && i < r->vcpus.nr; i++)
		err = machine_start(&r->m, r->vcpus.cpu[i].vcpu, command_gpa(i));
	return err;
}

static void batch_begin(struct batch *b)
{
	b->command = (void *)(b->r->m.low + command_gpa(b->i));
	b->command->count = b->command->next = 0;
	b->number = model_issue(b->r, b->i);
}

static void add_touch(struct batch *b, uint64_t page, enum probe_mode mode)
{
	const uint64_t words = (b->r->memory.gfn + page) * PROBE_PAGE + model_words_offset(page);
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
	b->of[n].efaults = 0;
	b->of[n].look.page = page;
	b->command->count = n + 1;
}

static void add_request(struct batch *b)
{
	volatile struct entry *entry = &b->command->entries[b->command->count++];
	struct wish wish = draw_wish(b->r, &b->rng, b->i);

	entry->gpa = (b->r->memory.gfn + wish.at) * PROBE_PAGE;
	entry->value = wish.nr_pages << 1 | (wish.to == GMS_PRIVATE);
	entry->flags = RACE_CONVERT_BIT;
}

/* Reads the model for the touches from @from on, none of which the guest has made yet. */
static void look_ahead(struct batch *b, uint64_t from)
{
	for (uint64_t n = from; n < b->command->count; n++)
		if (!(b->command->entries[n].flags & RACE_CONVERT_BIT))
			look_begin(b->r, b->of[n].look.page, &b->of[n].look);
}

static int convert_asked(struct batch *b)
{
	const uint64_t next = b->command->next;
	volatile const struct entry *entry = &b->command->entries[next];
	struct wish wish = {
		.at = entry->gpa / PROBE_PAGE - b->r->memory.gfn,
		.nr_pages = entry->value >> 1,
		.to = entry->value & 1 ? GMS_PRIVATE : GMS_SHARED,
	};

	if (next >= b->command->count || !(entry->flags & RACE_CONVERT_BIT))
		return -EIO;
	race_convert(b->r, &b->rng, b->i, &wish);
	look_ahead(b, next + 1);
	return 0;
}

/* Makes the guest skip an entry, and records the answer. */
static int give_up(struct batch *b, enum answer answer)
{
	b->of[b->command->next++].touch.answer = answer;
	return machine_start(&b->r->m, b->r->vcpus.cpu[b->i].vcpu, command_gpa(b->i));
}

/* Reports that KVM_RUN returned -EFAULT without an exit, which must not happen. */
static int efault(struct batch *b)
{
	const uint64_t next = b->command->next;

	if (next >= b->command->count)
		return -EFAULT;
	atomic_fetch_add(&b->r->tally.efaults, 1);
	race_mismatch(b->r, "page %llu: KVM_RUN returns -EFAULT to vCPU %u",
		      (unsigned long long)b->of[next].look.page, b->i);
	return ++b->of[next].efaults < MAX_EFAULTS ? 0 : give_up(b, ANSWER_EFAULT);
}

/* Handles an exit. Returns 0: run the guest again; 1: the batch is done; -errno: it is stuck. */
static int handle(struct batch *b, const struct machine_exit *why)
{
	struct race *r = b->r;
	const uint64_t next = b->command->next;
	char text[200];

	if (why->kind == MACHINE_OUT && why->port == RACE_DONE_PORT && next == b->command->count)
		return 1;
	if (next >= b->command->count)
		return -EIO;
	if (why->kind == MACHINE_OUT && why->port == RACE_CONVERT_PORT)
		return convert_asked(b);
	if (why->kind == MACHINE_MEMORY_FAULT) {
		atomic_fetch_add(&r->tally.memory_faults, 1);
		if (++b->of[next].touch.faults < MAX_EXITS)
			return 0;
		return give_up(b, why->private ? ANSWER_FAULT_PRIVATE : ANSWER_FAULT_SHARED);
	}
	if (why->kind == MACHINE_MMIO) {
		atomic_fetch_add(&r->tally.mmio, 1);
		return give_up(b, ANSWER_MMIO);
	}
	machine_explain(why, text, sizeof(text));
	race_mismatch(r, "vCPU %u: %s", b->i, text);
	return -EIO;
}

static int batch_run(struct batch *b)
{
	struct machine_exit why;
	int rc = 0;

	look_ahead(b, 0);
	while (!rc) {
		rc = vcpus_run(&b->r->vcpus, b->i, &why);
		if (rc == -EINTR) {
			atomic_fetch_add(&b->r->tally.stopped, 1);
			rc = 0;
		} else if (rc == -EFAULT) {
			rc = efault(b);
		} else if (!rc) {
			rc = handle(b, &why);
		}
	}
	return rc < 0 ? rc : 0;
}

static void batch_end(struct batch *b, bool still)
{
	for (uint64_t n = 0; n < b->command->count; n++) {
		volatile const struct entry *entry = &b->command->entries[n];
		uint64_t words[RACE_WORDS];

		if (entry->flags & RACE_CONVERT_BIT)
			continue;
		for (unsigned int i = 0; i < RACE_WORDS; i++)
			words[i] = entry->words[i];
		b->of[n].touch.words = words;
		b->of[n].touch.still = still;
		look_end(b->r, &b->of[n].look, &b->of[n].touch);
	}
}

/* Draws a page: one third are the vCPU's own pages, one third are being converted. */
static uint64_t draw_page(struct batch *b)
{
	const uint64_t nr_pages = b->r->options.pages, nr = b->r->vcpus.nr;
	uint64_t page = race_draw(&b->rng, nr_pages);

	switch (race_draw(&b->rng, 3)) {
	case 0:
		page = page / nr * nr + b->i;
		return page < nr_pages ? page : b->i;
	case 1:
		return draw_contested(b->r, &b->rng, b->i);
	default:
		return page;
	}
}

int race_vcpu(struct race *r, unsigned int i, uint64_t seed)
{
	struct batch b = {.r = r, .rng = seed, .i = i};
	int err = 0;

	while (!err && atomic_load(&r->left) > 0) {
		uint64_t request = race_draw(&b.rng, 2 * RACE_BATCH);

		batch_begin(&b);
		for (uint64_t n = 0; n < RACE_BATCH; n++) {
			if (n == request)
				add_request(&b);
			add_touch(&b, draw_page(&b),
				  (enum probe_mode)race_draw(&b.rng, PROBE_NR_MODES));
		}
		err = batch_run(&b);
		if (!err)
			batch_end(&b, false);
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
			batch_end(&b, true);
	}
	return err;
}
