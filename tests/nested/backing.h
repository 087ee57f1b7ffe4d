/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * backing.h - the guest_memfd of a conversion in place: its options, and calls without the library
 *
 * The flags say which folios the guest_memfd has, and which policy splits and merges them. Only a
 * kernel with this library has these flags. With flags 0 the parameters of the kernel decide.
 */
#ifndef BACKING_H
#define BACKING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Parses "--folio-order 0|9" and "--policy NAME", and adds to the flags. Returns 0; -EINVAL: bad
 * value; -ENOENT: the option has another name.
 */
int backing_option(const char *name, const char *value, uint64_t *flags);

/* Creates a guest_memfd whose pages are shared at first. Returns the fd, or -errno. */
int backing_create(int vm, uint64_t nr_pages, uint64_t flags);

/* Returns the order of the largest folio of a guest_memfd with these flags. */
unsigned int backing_folio_order(uint64_t flags);

/* Converts pages of the file in KVM, without the library. Returns 0 or -errno. */
int backing_convert(int fd, uint64_t start, uint64_t nr_pages, bool private);

/* Discards pages of the file, without the library: they hold 0 then. Returns 0 or -errno. */
int backing_discard(int fd, uint64_t start, uint64_t nr_pages);

/* Prints the kernel's counters of a guest_memfd and of its VM, if debugfs has them. */
void backing_report(int fd, int vm);

#endif /* BACKING_H */
