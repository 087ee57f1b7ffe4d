// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guest.c - what runs inside minivmm's VM
 *
 * Freestanding, linked to run at MACHINE_CODE (guest.lds), with its memory mapped one to one.
 * It keeps secrets in private memory, opens a window to the host, and closes it again; after each
 * of these it tells the host by an access to a port, and the host looks whether it is so.
 */
#include "guest.h"

void guest_main(volatile struct mailbox *box);

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static uint32_t in(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* KVM replaces the instruction with vmmcall where the processor wants that. */
static int64_t map_gpa_range(uint64_t gfn, uint64_t nr_pages, uint64_t how)
{
	int64_t rc = HC_MAP_GPA_RANGE;

	__asm__ volatile("vmcall" : "+a"(rc) : "b"(gfn << 12), "c"(nr_pages), "d"(how) : "memory");
	return rc;
}

/* Ask the host to make pages shared or private. */
static int64_t convert(volatile struct mailbox *box, uint64_t gfn, uint64_t nr_pages, int private)
{
	if (box->hypercalls)
		return map_gpa_range(gfn, nr_pages, private ? MAP_GPA_RANGE_PRIVATE : 0);
	box->gfn = gfn;
	box->nr_pages = nr_pages;
	box->to_private = private;
	out(PORT_CONVERT, 0);
	return box->result;
}

static void tell(volatile struct mailbox *box, enum guest_step step, uint64_t value)
{
	box->value = value;
	out(PORT_STEP, step);
}

static volatile uint64_t *page(uint64_t gfn)
{
	return (volatile uint64_t *)(gfn << 12);
}

/* Write all of the pages, and return the sum of what was written. */
static uint64_t fill(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t sum = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++)
		for (uint64_t word = 0; word < 512; word++)
			sum += page(at)[word] = pattern(at, word);
	return sum;
}

/* How many of the pages hold what fill() wrote? */
static uint64_t count_intact(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t intact = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++) {
		uint64_t word = 0;

		while (word < 512 && page(at)[word] == pattern(at, word))
			word++;
		intact += word == 512;
	}
	return intact;
}

static void write_letter(volatile struct letter *letter)
{
	static const char text[] = "Dear host, all the rest is none of your business.";

	for (unsigned int i = 0; i < sizeof(text); i++)
		letter->text[i] = text[i];
	letter->number = LETTER_NUMBER;
}

/*
 * Close the window. While a device of the host has a page of it the host says -EAGAIN, and
 * which, and nothing has changed: wait for it, and ask again.
 */
static uint64_t take_back(volatile struct mailbox *box)
{
	uint64_t asked = 1;

	while (convert(box, WINDOW_GFN, WINDOW_PAGES, 1) == -GUEST_EAGAIN) {
		box->waits_for_gfn = box->pinned_gfn;
		in(PORT_WAIT);
		asked++;
	}
	return asked;
}

static void run(volatile struct mailbox *box)
{
	volatile struct letter *letter = (volatile struct letter *)page(MESSAGE_GFN);
	uint64_t asked;

	fill(SECRET_GFN, SECRET_PAGES);
	tell(box, STEP_SECRETS, 0);

	convert(box, WINDOW_GFN, WINDOW_PAGES, 0);
	write_letter(letter);
	tell(box, STEP_LETTER, 0);
	tell(box, STEP_ANSWER, letter->number);

	tell(box, STEP_BUFFER, fill(BUFFER_GFN, BUFFER_PAGES));
	asked = take_back(box);
	fill(WINDOW_GFN, WINDOW_PAGES);
	tell(box, STEP_TAKEN_BACK, asked);

	for (uint64_t i = 0; i < POSTCARDS; i++) {
		convert(box, POSTCARD_GFN(i), POSTCARD_PAGES, 0);
		fill(POSTCARD_GFN(i), POSTCARD_PAGES);
	}
	tell(box, STEP_POSTCARDS, 0);
	for (uint64_t i = 0; i < POSTCARDS; i++)
		convert(box, POSTCARD_GFN(i), POSTCARD_PAGES, 1);
	tell(box, STEP_DONE, count_intact(SECRET_GFN, SECRET_PAGES));
}

/* In the second VM: the postcards have come along. New secrets are as safe as the old. */
static void run_restored(volatile struct mailbox *box)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < POSTCARDS; i++)
		for (uint64_t at = POSTCARD_GFN(i); at < POSTCARD_GFN(i) + POSTCARD_PAGES; at++)
			for (uint64_t word = 0; word < 512; word++)
				sum += page(at)[word];
	fill(SECRET_GFN, SECRET_PAGES);
	tell(box, STEP_RESTORED, sum);
}

/* The first instruction of this is where the vCPU begins; the host does not run it further. */
__attribute__((section(".text.entry"))) void guest_main(volatile struct mailbox *box)
{
	if (box->restored)
		run_restored(box);
	else
		run(box);
	for (;;)
		in(PORT_WAIT);
}
