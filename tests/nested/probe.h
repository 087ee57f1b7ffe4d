/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe.h - touch pages, as the guest and as the host, and tell what came of it
 *
 * Whatever a page answers, the next one is touched: a SIGBUS, a KVM_EXIT_MEMORY_FAULT and
 * an exit for want of a memslot are answers like others.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

#define PROBE_PAGE 4096ULL
#define PROBE_MAX 16384 /* pages in one call */

/* The first word of a page and the last. */
struct words {
	uint64_t first, last;
};

enum answer {
	ANSWER_DATA,
	ANSWER_FAULT_PRIVATE, /* KVM_EXIT_MEMORY_FAULT, and KVM takes the page for private */
	ANSWER_FAULT_SHARED, /* the same, for shared */
	ANSWER_MMIO, /* the guest: there is no memory */
	ANSWER_EFAULT, /* the guest: there is none where KVM looked for it */
	ANSWER_SIGBUS,
	ANSWER_SIGSEGV,
	ANSWER_NR,
};

struct seen {
	enum answer answer;
	struct words words; /* where the answer is data */
};

enum probe_mode {
	PROBE_READ,
	PROBE_READ_WRITE,
	PROBE_WRITE_READ, /* the first touch is a write; the last word is still read before */
	PROBE_NR_MODES,
};

const char *answer_name(enum answer answer);

/* What is in page @i of a row after it was written to with @stamp. */
struct words probe_written(uint64_t stamp, size_t i);

/* Load the guest; before the first guest_probe(). 0 or -errno. */
int guest_start(struct machine *m);

/* Have the guest touch a row of @count pages. 0; -errno: it cannot go on at all. */
int guest_probe(struct machine *m, uint64_t gpa, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen);

/* Take the signals; before the first probe by the host. 0 or -errno. */
int host_start(void);

/* Touch a row of @count pages from here. */
void host_probe(unsigned char *at, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen);

/* Touch one page from here, in a way of the caller's, which a signal may break off. */
enum answer host_touch_by(unsigned char *page, void (*touch)(unsigned char *page, void *ctx),
			  void *ctx);

#endif /* PROBE_H */
