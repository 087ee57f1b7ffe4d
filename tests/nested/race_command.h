/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race_command.h - the commands of the host for race_guest.S, and where the guest puts its results
 *
 * A command is a row of entries of 128 bytes. An entry is a touch of a page, which reads eight
 * words and writes one; or a request to convert pages, which the guest makes by port I/O. @next
 * is the number of the guest's entry.
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

#define RACE_WRITE_BIT 1 /* write the word after the reads */
#define RACE_WRITE_FIRST_BIT 2 /* write the word before the reads, too */

/* A request: value is twice the number of pages, plus 1 for a conversion to private. */
#define RACE_CONVERT_BIT 4

#define RACE_CONVERT_PORT 0x11
#define RACE_DONE_PORT 0x12

#endif /* RACE_COMMAND_H */
