/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold.h - a reference to a page, which the kernel counts and the library does not know
 *
 * A pipe holds the reference: vmsplice() moves the page itself into the pipe, and no copy of it.
 * What is read from the pipe later is what the page holds then.
 */
#ifndef HOLD_H
#define HOLD_H

#include <stdint.h>

struct hold {
	int ends[2]; /* of the pipe */
};

/*
 * Takes a reference to the page at an address. Returns 0; -EFAULT: the host may not touch the
 * page; -errno.
 */
int hold_take(struct hold *hold, unsigned char *page);

/* Copies what the page holds, and drops the reference. Returns 0 or -errno. */
int hold_read(struct hold *hold, void *copy);

/* Drops the reference. */
void hold_drop(struct hold *hold);

/*
 * Finds the folio of a page that the process has mapped: stores how many pages of the folio lie
 * before the page, and from the page on. Returns 0; -EACCES: only root may ask; -errno.
 */
int hold_folio(const unsigned char *page, uint64_t *before, uint64_t *from);

#endif /* HOLD_H */
