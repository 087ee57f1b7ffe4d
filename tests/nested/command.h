/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * command.h - what the host writes for guest.S to do, and where the guest writes what it saw
 *
 * A command is a row of pages. Of each the guest reads the first word and the last, and writes
 * both: the number of the page in the row added to the stamp, and the complement of that. The
 * results, two words a page, follow the command. @next is the guest's place in the row, so
 * that a page which cannot be had can be stepped over.
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
#define COMMAND_WRITE_BIT 1 /* write both words after they were read */
#define COMMAND_WRITE_FIRST_BIT 2 /* and the first word already before that */

#define COMMAND_PORT 0x10 /* where the guest says that it has come to the end of the row */

#endif /* COMMAND_H */
