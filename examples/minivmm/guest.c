// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guest.c - the program that runs inside minivmm's VM
 *
 * The program is freestanding and linked to run at MACHINE_CODE (guest.lds). Its memory is mapped
 * one to one. It keeps secrets in private memory, opens a window to the host, and closes the
 * window. After each step it writes to a port, and the host checks what should hold then.
 */
#include "guest.h"

void guest_main(volatile struct guest_mailbox *box);

static void guest_out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static uint32_t guest_in(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* Makes the hypercall. KVM replaces the instruction with vmmcall on a processor that needs it. */
static int64_t guest_map_gpa_range(uint64_t gfn, uint64_t nr_pages, uint64_t attributes)
{
	int64_t rc = GUEST_HC_MAP_GPA_RANGE;

	__asm__ volatile("vmcall"
			 : "+a"(rc)
			 : "b"(gfn << 12), "c"(nr_pages), "d"(attributes)
			 : "memory");
	return rc;
}

/* Requests that the host makes pages shared or private. Returns 0 or -errno. */
static int64_t guest_convert(volatile struct guest_mailbox *box, uint64_t gfn, uint64_t nr_pages,
			     int private)
{
	if (box->hypercalls)
		return guest_map_gpa_range(gfn, nr_pages, private ? GUEST_HC_PRIVATE : 0);
	box->gfn = gfn;
	box->nr_pages = nr_pages;
	box->to_private = private;
	guest_out(GUEST_PORT_CONVERT, 0);
	return box->result;
}

static void guest_report(volatile struct guest_mailbox *box, enum guest_step step, uint64_t value)
{
	box->value = value;
	guest_out(GUEST_PORT_STEP, step);
}

static volatile uint64_t *guest_page(uint64_t gfn)
{
	return (volatile uint64_t *)(gfn << 12);
}

/* Writes all words of the pages. Returns the sum of the words. */
static uint64_t guest_fill(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t sum = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++)
		for (uint64_t word = 0; word < GUEST_PAGE_WORDS; word++)
			sum += guest_page(at)[word] = guest_pattern(at, word);
	return sum;
}

/* Returns how many of the pages hold what guest_fill() wrote. */
static uint64_t guest_count_intact(uint64_t gfn, uint64_t nr_pages)
{
	uint64_t intact = 0;

	for (uint64_t at = gfn; at < gfn + nr_pages; at++) {
		uint64_t word = 0;

		while (word < GUEST_PAGE_WORDS && guest_page(at)[word] == guest_pattern(at, word))
			word++;
		intact += word == GUEST_PAGE_WORDS;
	}
	return intact;
}

static void guest_write_letter(volatile struct guest_letter *letter)
{
	static const char text[] = "Dear host, all the rest is none of your business.";

	for (unsigned int i = 0; i < sizeof(text); i++)
		letter->text[i] = text[i];
	letter->number = GUEST_LETTER_NUMBER;
}

/*
 * Closes the window, and returns how many requests that took. While a device of the host has a
 * page pinned, the host answers EAGAIN, names the page, and changes nothing. Then the guest
 * waits for that page, and repeats its request.
 */
static uint64_t guest_close_window(volatile struct guest_mailbox *box)
{
	uint64_t requests = 1;

	while (guest_convert(box, GUEST_WINDOW_GFN, GUEST_WINDOW_PAGES, 1) == GUEST_EAGAIN) {
		box->waits_for_gfn = box->pinned_gfn;
		guest_in(GUEST_PORT_WAIT);
		requests++;
	}
	return requests;
}

static void guest_run(volatile struct guest_mailbox *box)
{
	volatile struct guest_letter *letter =
		(volatile struct guest_letter *)guest_page(GUEST_LETTER_GFN);
	uint64_t requests;

	guest_fill(GUEST_SECRET_GFN, GUEST_SECRET_PAGES);
	guest_report(box, GUEST_STEP_SECRETS, 0);

	guest_convert(box, GUEST_WINDOW_GFN, GUEST_WINDOW_PAGES, 0);
	guest_write_letter(letter);
	guest_report(box, GUEST_STEP_LETTER, 0);
	guest_report(box, GUEST_STEP_ANSWER, letter->number);

	guest_report(box, GUEST_STEP_BUFFER, guest_fill(GUEST_BUFFER_GFN, GUEST_BUFFER_PAGES));
	requests = guest_close_window(box);
	guest_fill(GUEST_WINDOW_GFN, GUEST_WINDOW_PAGES);
	guest_report(box, GUEST_STEP_WINDOW, requests);

	for (uint64_t i = 0; i < GUEST_POSTCARDS; i++) {
		guest_convert(box, GUEST_POSTCARD_GFN(i), GUEST_POSTCARD_PAGES, 0);
		guest_fill(GUEST_POSTCARD_GFN(i), GUEST_POSTCARD_PAGES);
	}
	guest_report(box, GUEST_STEP_POSTCARDS, 0);
	for (uint64_t i = 0; i < GUEST_POSTCARDS; i++)
		guest_convert(box, GUEST_POSTCARD_GFN(i), GUEST_POSTCARD_PAGES, 1);
	guest_report(box, GUEST_STEP_DONE,
		     guest_count_intact(GUEST_SECRET_GFN, GUEST_SECRET_PAGES));
}

/* The second VM: the shared postcards came with the snapshot, and the secrets are new. */
static void guest_run_restored(volatile struct guest_mailbox *box)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < GUEST_POSTCARDS; i++)
		for (uint64_t page = 0; page < GUEST_POSTCARD_PAGES; page++)
			for (uint64_t word = 0; word < GUEST_PAGE_WORDS; word++)
				sum += guest_page(GUEST_POSTCARD_GFN(i) + page)[word];
	guest_fill(GUEST_SECRET_GFN, GUEST_SECRET_PAGES);
	guest_report(box, GUEST_STEP_RESTORED, sum);
}

/* Converts pages, and asks again while somebody has a page for a moment. */
static int64_t guest_convert_patiently(volatile struct guest_mailbox *box, uint64_t gfn,
				       uint64_t nr_pages, int private)
{
	int64_t rc;

	do
		rc = guest_convert(box, gfn, nr_pages, private);
	while (rc == GUEST_EAGAIN);
	return rc;
}

/* Shows a piece to the host, and makes it private again. Returns the host's answer. */
static uint64_t guest_show_piece(volatile struct guest_mailbox *box, uint64_t gfn)
{
	uint64_t answer;

	guest_convert_patiently(box, gfn, GUEST_PAIR_PAGES, 0);
	guest_fill(gfn, GUEST_PAIR_PAGES);
	guest_report(box, GUEST_STEP_PIECE, gfn);
	answer = *guest_page(gfn);
	guest_convert_patiently(box, gfn, GUEST_PAIR_PAGES, 1);
	guest_fill(gfn, GUEST_PAIR_PAGES);
	return answer;
}

/* Returns how many pages of a vCPU of two hold what it wrote. */
static uint64_t guest_count_pair(uint64_t number)
{
	uint64_t intact = 0;

	for (uint64_t i = 0; i < GUEST_PAIR_PIECES; i++)
		intact += guest_count_intact(guest_pair_gfn(number, i), GUEST_PAIR_PAGES);
	return intact;
}

/*
 * One of two vCPUs, which convert at the same time. Their pieces are neighbours, in the same 2M.
 * Each vCPU shows all its pieces to the host, one by one, some times over, and looks at all of
 * them each time. It reports how many pages were intact when they were fewest; 0 if an answer was
 * wrong.
 */
static void guest_run_pair(volatile struct guest_mailbox *box)
{
	uint64_t intact, least = GUEST_PAIR_PIECES * GUEST_PAIR_PAGES;

	for (uint64_t i = 0; i < GUEST_PAIR_PIECES; i++)
		guest_fill(guest_pair_gfn(box->number, i), GUEST_PAIR_PAGES);
	for (uint64_t i = 0; i < GUEST_PAIR_ROUNDS * GUEST_PAIR_PIECES; i++) {
		const uint64_t gfn = guest_pair_gfn(box->number, i % GUEST_PAIR_PIECES);

		if (guest_show_piece(box, gfn) != guest_pattern(gfn, 0) + 1)
			least = 0;
		intact = guest_count_pair(box->number);
		if (intact < least)
			least = intact;
	}
	guest_report(box, GUEST_STEP_PAIR, least);
}

/*
 * A vCPU begins at the first instruction. The host does not run the guest beyond its last step.
 */
__attribute__((section(".text.entry"))) void guest_main(volatile struct guest_mailbox *box)
{
	if (box->role == GUEST_PAIR)
		guest_run_pair(box);
	else if (box->role == GUEST_SECOND_VM)
		guest_run_restored(box);
	else
		guest_run(box);
	for (;;)
		guest_in(GUEST_PORT_WAIT);
}
