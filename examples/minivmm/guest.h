/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guest.h - the protocol between the guest of minivmm and its host
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>

/* KVM_HC_MAP_GPA_RANGE of linux/kvm_para.h. A guest without a libc cannot include that header. */
#define GUEST_HC_MAP_GPA_RANGE 12
#define GUEST_HC_PRIVATE (1ULL << 4)

#define GUEST_PAGE_SIZE 4096ULL
#define GUEST_PAGE_WORDS (GUEST_PAGE_SIZE / 8)

/* The guest's memory: two pieces, like around a PC's hole at 4G. The second is not 2M aligned. */
#define GUEST_PIECE_PAGES 4096ULL
#define GUEST_PAGES (2 * GUEST_PIECE_PAGES)
#define GUEST_GFN 0x40000ULL
#define GUEST_GFN_HIGH 0x80010ULL

/* What the guest does with its memory, by gfn and pages. */
#define GUEST_SECRET_GFN GUEST_GFN /* private data */
#define GUEST_SECRET_PAGES 64ULL
#define GUEST_WINDOW_GFN (GUEST_GFN + 16) /* in the secrets: shared for a while */
#define GUEST_WINDOW_PAGES 16ULL
#define GUEST_LETTER_GFN GUEST_WINDOW_GFN /* in the window: a letter to the host */
#define GUEST_BUFFER_GFN (GUEST_WINDOW_GFN + 4) /* in the window: data for a device of the host */
#define GUEST_BUFFER_PAGES 2ULL
#define GUEST_POSTCARDS 8ULL /* small pieces that are shared when the state is saved */
#define GUEST_POSTCARD_GFN(i) (GUEST_GFN_HIGH + 4 * (i))
#define GUEST_POSTCARD_PAGES 2ULL
#define GUEST_PAIR_GFN (GUEST_GFN + 2048) /* two vCPUs: their pieces alternate */
#define GUEST_PAIR_PIECES 32ULL /* of each vCPU */
#define GUEST_PAIR_PAGES 2ULL /* of each piece */
#define GUEST_PAIR_ROUNDS 4ULL

/* Ports, 32 bits wide. */
#define GUEST_PORT_CONVERT 0x10 /* out: the mailbox has a request */
#define GUEST_PORT_STEP 0x11 /* out: enum guest_step */
#define GUEST_PORT_WAIT 0x12 /* in: wait until the device is ready */

enum guest_step {
	GUEST_STEP_SECRETS, /* the secrets are written */
	GUEST_STEP_LETTER, /* the letter is written, and waits for an answer */
	GUEST_STEP_ANSWER, /* the answer is read: its number is in @value */
	GUEST_STEP_BUFFER, /* the buffer is filled: the sum of its words is in @value */
	GUEST_STEP_WINDOW, /* the window is private again and has secrets, after @value requests */
	GUEST_STEP_POSTCARDS, /* the postcards are written */
	GUEST_STEP_DONE, /* @value pages of secrets did not change */
	GUEST_STEP_RESTORED, /* the second VM's guest: the sum of the postcards is in @value */
	GUEST_STEP_PIECE, /* a vCPU of two has written the shared piece at the gfn @value */
	GUEST_STEP_PAIR, /* a vCPU of two is done: @value of its pages were always intact */
};

/* What a vCPU runs. */
enum guest_role { GUEST_FIRST, GUEST_SECOND_VM, GUEST_PAIR };

/* The mailbox of a vCPU is in the machine's own memory, which is never private. */
struct guest_mailbox {
	uint64_t hypercalls; /* host to guest: convert by hypercall, not by GUEST_PORT_CONVERT */
	uint64_t role; /* host to guest: enum guest_role */
	uint64_t number; /* host to guest: of the vCPU, for GUEST_PAIR */
	uint64_t gfn, nr_pages, to_private; /* guest to host: a request */
	int64_t result; /* host to guest: 0 or -errno */
	uint64_t pinned_gfn; /* host to guest: with EAGAIN, the pinned page */
	uint64_t waits_for_gfn; /* guest to host, with GUEST_PORT_WAIT */
	uint64_t value; /* guest to host: see the steps */
};

/* At the beginning of the page GUEST_LETTER_GFN. */
struct guest_letter {
	uint64_t number;
	char text[56];
};

#define GUEST_LETTER_NUMBER 0x6d656d66646dULL
#define GUEST_EAGAIN 11

/* Returns the gfn of a piece of a vCPU of two. */
static inline uint64_t guest_pair_gfn(uint64_t number, uint64_t piece)
{
	return GUEST_PAIR_GFN + (2 * piece + number) * GUEST_PAIR_PAGES;
}

/* Returns what the guest writes to a word of a page: a different value for each word. */
static inline uint64_t guest_pattern(uint64_t gfn, uint64_t word)
{
	return (gfn << 20 | word) * 0x9e3779b97f4a7c15ULL;
}

#endif /* GUEST_H */
