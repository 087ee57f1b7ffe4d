/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe.h - touches pages as the guest and as the host, and returns the answers
 *
 * An answer is data, a SIGBUS, a KVM_EXIT_MEMORY_FAULT, or an exit because no memslot is there.
 * Whatever the answer is, the next page is touched.
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
	ANSWER_FAULT_PRIVATE, /* guest: KVM_EXIT_MEMORY_FAULT for a private access */
	ANSWER_FAULT_SHARED, /* guest: KVM_EXIT_MEMORY_FAULT for a shared access */
	ANSWER_MMIO, /* guest: no memslot has the address */
	ANSWER_EFAULT, /* guest: nothing is mapped at the address of the memslot */
	ANSWER_SIGBUS,
	ANSWER_SIGSEGV,
	ANSWER_NR,
};

struct seen {
	enum answer answer;
	struct words words; /* if the answer is data */
};

enum probe_mode {
	PROBE_READ,
	PROBE_READ_WRITE,
	PROBE_WRITE_READ, /* the first touch is a write of the first word */
	PROBE_NR_MODES,
};

const char *answer_name(enum answer answer);

/* Returns what page @i of a row holds after a probe that writes with @stamp. */
struct words probe_written(uint64_t stamp, size_t i);

/* Loads the guest, before the first guest_probe(). Returns 0 or -errno. */
int guest_start(struct machine *m);

/* Makes the guest touch a row of @count pages. Returns 0; -errno: the guest is stuck. */
int guest_probe(struct machine *m, uint64_t gpa, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen);

/* Catches SIGBUS and SIGSEGV, before the first probe by the host. Returns 0 or -errno. */
int host_start(void);

/* Touches a row of @count pages as the host. */
void host_probe(unsigned char *at, size_t count, enum probe_mode mode, uint64_t stamp,
		struct seen *seen);

/* Touches one page as the host by calling @touch, which a signal may end. */
enum answer host_touch_by(unsigned char *page, void (*touch)(unsigned char *page, void *ctx),
			  void *ctx);

#endif /* PROBE_H */
