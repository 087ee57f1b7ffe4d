/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check.h - what the library says of pages, beside what KVM does when they are touched
 *
 * A row of pages of a state object, which the guest sees at a gfn. Three are compared, page by
 * page: the library (gms_is_private(), gms_fault_begin()), KVM (probe.h), and a flat array that
 * knows what was converted and what was last written. They have to agree:
 *
 *	                shared                      private
 *	guest           what was written last       what the guest wrote since; at first 0
 *	host            the same memory             SIGBUS
 *
 * A page that was converted is a new one, filled with 0, for whoever sees it then.
 *
 * A bare row is one whose memslot has no guest_memfd: there the guest gets KVM_EXIT_MEMORY_FAULT
 * for a private page, and what it wrote before is still there when it is shared again.
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
	uint64_t guest, host; /* probes */
	uint64_t sigbus, memory_faults;
	uint64_t mismatches;
	uint64_t max_told; /* mismatches that are told one by one; all are counted */
};

struct row {
	struct machine *m;
	struct gms_state *state;
	gms_pgoff_t start; /* index of the first page */
	uint64_t nr_pages;
	uint64_t gfn; /* of the first page */
	unsigned char *host; /* where the host sees the first page; NULL: it does not look */
	bool bare;
	struct page *pages;
	struct tally *tally;
	uint64_t *stamp; /* what the next writes write */
};

/* One mismatch, in words. */
void mismatch(struct tally *tally, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The row's pages, all @private and 0. 0 or -ENOMEM; free() them. */
int row_init(struct row *row, bool private);

/* The flat array's side of a conversion. Positions count from the row's first page. */
void row_converted(struct row *row, uint64_t at, uint64_t nr_pages, enum gms_shareability to);

/* Touch and compare a part of the row, as the guest. 0; -errno: the guest cannot go on. */
int check_guest(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode);

/*
 * One page, as the guest, which only reads: without asking the library, for use in its hooks. As if
 * it had not been converted yet.
 */
int check_guest_unasked(struct row *row, uint64_t at);

/* The same as check_guest(), as the host. */
void check_host(struct row *row, uint64_t at, uint64_t nr_pages, enum probe_mode mode);

#endif /* CHECK_H */
