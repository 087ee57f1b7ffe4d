/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race_command.h - what the host writes for race_guest.S to do, and where the guest says what it saw
 *
 * A command is a row of entries, 128 bytes each. An entry is a touch of a page (read eight words,
 * write one), or a request to convert pages, which the guest makes by port I/O, as a guest does
 * that has no hypercall for it. @next is the entry that the guest is at.
 */
#ifndef RACE_COMMAND_H
#define RACE_COMMAND_H

#define RACE_COUNT 0
#define RACE_NEXT 8
#define RACE_ENTRIES 64

#define RACE_ENTRY_SHIFT 7
#define RACE_ENTRY_GPA 0 /* of the eight words */
#define RACE_ENTRY_OWN 8 /* of the word that this vCPU writes */
#define RACE_ENTRY_VALUE 16
#define RACE_ENTRY_FLAGS 24
#define RACE_ENTRY_WORDS 64

#define RACE_WRITE_BIT 1 /* write the word after the eight were read */
#define RACE_WRITE_FIRST_BIT 2 /* and before that */
#define RACE_CONVERT_BIT \
	4 /* no touch: gpa, and in value the pages, shifted by 1, + 1: to private */

#define RACE_CONVERT_PORT 0x11
#define RACE_DONE_PORT 0x12

#endif /* RACE_COMMAND_H */
