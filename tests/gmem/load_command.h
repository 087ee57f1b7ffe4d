/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load_command.h - what the guest of load.c shares with the host, and what a page holds
 *
 * Both are in the machine's low memory: a command for each vCPU, and a record for each page. A
 * page has 512 words:
 *
 *	0 to 502    key + i * LOAD_STEP; key = (page << 32 | generation) * LOAD_MULTIPLIER
 *	503         the checksum of the words before: sum = rotate_left(sum, 1) + word
 *	504, 505    a word of each host thread: (number << 32 | page << 8 | thread) ^ LOAD_MARK, or
 *	            0 for number 0
 *	the rest    0
 *
 * Each page belongs to one vCPU, which writes words 0 to 503. Each word of a host thread belongs
 * to that thread. A writer stores the new generation or number into the record before it writes to
 * the page (begun), and again after that (done). So a reader that looks at done, then at the page
 * and then at begun knows what may be there.
 */
#ifndef LOAD_COMMAND_H
#define LOAD_COMMAND_H

/* ---- a page ---- */

#define LOAD_SUM 503 /* the word with the checksum */
#define LOAD_HOST 504 /* the word of the first host thread */
#define LOAD_HOSTS 2

#define LOAD_STEP 0x9e3779b97f4a7c15
#define LOAD_MULTIPLIER 0xd6e8feb86659fd93
#define LOAD_MARK 0xa5c3b1e7f2d49680

/* ---- a page's record ---- */

#define LOAD_RECORD_SHIFT 5
#define LOAD_RECORD_BEGUN 0 /* the generation, 32 bits */
#define LOAD_RECORD_DONE 4
#define LOAD_RECORD_HOST 8 /* begun and done of a host thread, 8 bytes for each */

/* ---- a vCPU's command ---- */

#define LOAD_STOP 0 /* not 0: leave by LOAD_DONE_PORT */
#define LOAD_CURSOR 8 /* the host asks for a check of the pages from here ... */
#define LOAD_END 16 /* ... to here; the guest moves the cursor on after each page */
#define LOAD_FOCUS 24 /* the guest chooses half of its pages in this range */
#define LOAD_FOCUS_NR 32
#define LOAD_NR_PAGES 40
#define LOAD_NR_VCPUS 48
#define LOAD_ME 56 /* the number of the vCPU, which owns every LOAD_NR_VCPUS-th page */
#define LOAD_NEXT 64 /* the other half of the pages, one after the other */
#define LOAD_RNG 72
#define LOAD_CHECKS 80 /* pages that were checked */
#define LOAD_RECORDS 88 /* the address of the records */
#define LOAD_PAGES 96 /* the address of the pages */
#define LOAD_BAD_PAGE 104 /* what was wrong when the guest leaves by LOAD_BAD_PORT */
#define LOAD_BAD_WORD 112
#define LOAD_BAD_GOT 120
#define LOAD_BAD_WANT 128 /* of a host's word: the smallest number that may be there */

#define LOAD_DONE_PORT 0x13
#define LOAD_BAD_PORT 0x14

#endif /* LOAD_COMMAND_H */
