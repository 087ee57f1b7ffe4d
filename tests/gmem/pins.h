/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pins.h - references to pages of the host's mapping, which the kernel holds for somebody
 *
 *	pins.c          the program, and the tests
 *	pins_direct.c   I/O with O_DIRECT on a block device that is slow
 *	pins_hold.c     pages in a pipe, and buffers that are registered with io_uring
 *
 * The block device is null_blk. It is made through configfs, with memory behind it, when it is
 * needed first. It copies the data at once, and reports the end of the I/O later: until then the
 * kernel has the pages pinned.
 */
#ifndef PINS_H
#define PINS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PIN_MAX 16 /* pages of one pin */

struct pin_kind;

struct pin {
	const struct pin_kind *kind;
	unsigned char *at; /* where the pages were mapped when they were pinned */
	uint64_t nr_pages;
	int fds[2]; /* a pipe; a ring; a device */

	/* of I/O in flight */
	pthread_t thread;
	uint64_t offset; /* in the device */
	_Atomic bool done;
	int err;
};

struct pin_kind {
	const char *name;

	/*
	 * Pins pages. They hold the same afterwards. Returns 0 or -errno; -EOPNOTSUPP: this kernel
	 * has not got what is needed.
	 */
	int (*take)(struct pin *pin, unsigned char *at, uint64_t nr_pages);

	/* Returns true if the kernel still has the pages. */
	bool (*holds)(const struct pin *pin);

	/*
	 * Ends the pin. @copy is NULL, or gets what the holder of the pin read, or has read, from
	 * the pages. Returns 0 or -errno.
	 */
	int (*release)(struct pin *pin, unsigned char *copy);

	bool slow; /* a pin takes pins_direct_ms, and ends by itself then */
	bool live; /* the holder reads the pages at the end, and not when they are pinned */
};

/* How long an I/O takes, in milliseconds. It counts when the device is made. */
extern uint64_t pins_direct_ms;

extern const struct pin_kind pin_vmsplice, pin_uring, pin_direct_write, pin_direct_read;

#endif /* PINS_H */
