/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guest.h - what the guest of minivmm and its host have agreed on
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>

/* As in linux/kvm_para.h, which is not for a guest without a libc. */
#define HC_MAP_GPA_RANGE 12
#define MAP_GPA_RANGE_PRIVATE (1ULL << 4)

/* Its memory: two pieces, as around a PC's hole at 4G. The second is not aligned to 2M. */
#define GUEST_PIECE_PAGES 4096ULL
#define GUEST_PAGES (2 * GUEST_PIECE_PAGES)
#define GUEST_GFN 0x40000ULL
#define GUEST_GFN_HIGH 0x80010ULL

/* What it does with it, by gfn and pages. */
#define SECRET_GFN GUEST_GFN /* what it writes here it keeps to itself, */
#define SECRET_PAGES 64ULL
#define WINDOW_GFN (GUEST_GFN + 16) /* but for these, for a while: */
#define WINDOW_PAGES 16ULL
#define MESSAGE_GFN WINDOW_GFN /* a letter to the host */
#define BUFFER_GFN (WINDOW_GFN + 4) /* what a device of the host is to read */
#define BUFFER_PAGES 2ULL
#define POSTCARDS 8ULL /* small pieces that it shares when the state is saved */
#define POSTCARD_GFN(i) (GUEST_GFN_HIGH + 4 * (i))
#define POSTCARD_PAGES 2ULL

/* Ports, 32 bits wide. */
#define PORT_CONVERT 0x10 /* out: there is a request in the mailbox */
#define PORT_STEP 0x11 /* out: enum guest_step */
#define PORT_WAIT 0x12 /* in: nothing to do until the device is ready */

enum guest_step {
	STEP_SECRETS, /* the secrets are written */
	STEP_LETTER, /* the letter is, and waits for an answer */
	STEP_ANSWER, /* the answer is read: its number is in @value */
	STEP_BUFFER, /* the buffer is filled and the device's: the sum of its words is in @value */
	STEP_TAKEN_BACK, /* the window is private, with secrets in it: @value requests it took */
	STEP_POSTCARDS, /* the postcards are written */
	STEP_DONE, /* @value pages of secrets are as they were */
	STEP_RESTORED, /* the second VM's guest: the sum of the postcards is in @value */
};

/* In the machine's own memory, which is never private. */
struct mailbox {
	uint64_t hypercalls; /* host to guest: ask by hypercall, not by PORT_CONVERT */
	uint64_t restored; /* host to guest: this is the second VM */
	uint64_t gfn, nr_pages, to_private; /* guest to host */
	int64_t result; /* host to guest: 0 or -errno */
	uint64_t pinned_gfn; /* host to guest: which page is in the way, with -EAGAIN */
	uint64_t waits_for_gfn; /* guest to host, with PORT_WAIT */
	uint64_t value; /* guest to host: see the steps */
};

/* At the beginning of the page MESSAGE_GFN. */
struct letter {
	uint64_t number;
	char text[56];
};

#define LETTER_NUMBER 0x6d656d66646dULL
#define GUEST_EAGAIN 11

/* Such that no two pages, and no two things that are written, look alike. */
static inline uint64_t pattern(uint64_t gfn, uint64_t word)
{
	return (gfn << 20 | word) * 0x9e3779b97f4a7c15ULL;
}

#endif /* GUEST_H */
