/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * command.h - the commands of the host for guest.S, and where the guest puts its results
 *
 * A command is a row of pages. The guest reads the first and the last word of each page, and
 * writes both: the first becomes the stamp plus the number of the page in the row, the last
 * becomes the complement of that. The results, two words a page, follow the command. @next is the
 * guest's place in the row. The host raises it to step over a page that the guest cannot access.
 */
#ifndef COMMAND_H
#define COMMAND_H

#define COMMAND_GPA 0
#define COMMAND_COUNT 8
#define COMMAND_NEXT 16
#define COMMAND_STAMP 24
#define COMMAND_MODE 32
#define COMMAND_RESULTS 64

/* Bits of the mode. Without either, the guest only reads. */
#define COMMAND_WRITE_BIT 1 /* write both words after the reads */
#define COMMAND_WRITE_FIRST_BIT 2 /* write the first word before the reads, too */

#define COMMAND_PORT 0x10 /* the guest writes here at the end of the row */

#endif /* COMMAND_H */
