/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check.h - compares what the library says of pages with what KVM does when they are touched
 *
 * A row is a range of pages of a state object, which the guest sees at a gfn. Three sources are
 * compared, page by page: the library (gms_is_private(), gms_fault_begin()), KVM (probe.h), and a
 * flat array that knows what was converted and what was written last. They have to agree:
 *
 *	                shared                      private
 *	guest           what was written last       what the guest wrote since; at first 0
 *	host            the same memory             SIGBUS
 *
 * A converted page is a new one, filled with 0. In place it keeps what it holds, in both
 * directions: there the guest always sees what was written last.
 *
 * The memslot of a bare row has no guest_memfd. There the guest gets KVM_EXIT_MEMORY_FAULT for a
 * private page. When the page is shared again, it holds what was written before.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <gmemstate/state.h>

#include "probe.h"

struct page {
	struct words words;
	bool private;
};

struct tally {
	uint64_t guest, host; /* number of probes */
	uint64_t sigbus, memory_faults;
	uint64_t mismatches;
	uint64_t max_printed; /* mismatches that are printed; all are counted */
};

struct row {
	struct machine *m;
	struct gms_state *state;
	gms_pgoff_t start; /* index of the first page */
	uint64_t nr_pages;
	uint64_t gfn; /* of the first page */
	unsigned char *host; /* where the host sees the first page; NULL: it does not probe */
	bool bare;
	bool keeps; /* a converted page keeps what it holds */
	struct page *pages;
	struct tally *tally;
	uint64_t *stamp; /* the value that the next writes write */
};

/* Counts a mismatch, and prints it unless too many were printed. */
void mismatch(struct tally *tally, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Allocates the row's pages, all of them private or shared, and 0. Returns 0 or -ENOMEM. */
int row_init(struct row *row, bool private);

/* Converts pages of the flat array. @at counts from the row's first page. */
void row_converted(struct row *row, uint64_t at, uint64_t nr_pages, enum gms_shareability to);

/* Touches a part of the row as the guest, and compares. Returns 0; -errno: the guest is stuck. */
int check_guest(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode);

/*
 * Reads one page as the guest, and compares it with what it was before the conversion. For use in
 * a hook: does not call the library. Returns 0; -errno: the guest is stuck.
 */
int check_guest_in_hook(struct row *row, uint64_t at);

/* Compares what a shared page was found to hold, other than by a touch, with the array. */
void check_content(struct row *row, uint64_t at, const char *name, struct words words);

/* Touches a part of the row as the host, and compares. */
void check_host(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode);

#endif /* CHECK_H */
