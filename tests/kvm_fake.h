/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_fake.h - a kernel in a few arrays: guest_memfd, memslots, attributes, mappings
 *
 * Stands in for any of the kernels that the backend for KVM knows, refuses what they refuse,
 * and fails the n-th call where it is told to. Contents are a number a page. After each call it
 * looks whether the host can touch a page that the guest sees as private.
 */
#ifndef GMS_TESTS_KVM_FAKE_H
#define GMS_TESTS_KVM_FAKE_H

#include "sys.h"

#define FAKE_FILES 8
#define FAKE_PAGES 256 /* of a file; of the host's view */
#define FAKE_GFNS 1024
#define FAKE_SLOTS 128
#define FAKE_VM 3 /* the fd */

/* The host's view begins here; nobody follows this pointer. */
#define FAKE_HOST 0x100000000ULL

enum fake_sees { FAKE_NOTHING, FAKE_SHARED, FAKE_PRIVATE, FAKE_TORN };

struct fake_file {
	bool open, guest_memfd;
	uint64_t flags; /* of a guest_memfd */
	uint64_t nr_pages;
	unsigned int content[FAKE_PAGES];
	bool private[FAKE_PAGES]; /* attributes, in place */
	bool pinned[FAKE_PAGES];
};

struct fake_slot {
	uint64_t gfn, nr_pages; /* 0: there is none */
	uint64_t page; /* of the host's view */
	uint64_t offset; /* in pages */
	int fd;
};

struct fake {
	struct gms_kvm_sys sys;
	bool has_in_place, has_attributes, has_memslots;
	struct fake_file files[FAKE_FILES]; /* of fd FAKE_VM + 1 on */
	struct fake_slot slots[FAKE_SLOTS];
	bool private[FAKE_GFNS]; /* attributes of the VM */
	uint64_t host_pages; /* 0: no view yet */
	int host_fd[FAKE_PAGES]; /* what is mapped there; -1: nothing */
	unsigned int max_vmas;
	const int *stopped; /* where not NULL: memslots change only while this is not 0 */

	uint64_t calls; /* that may fail */
	uint64_t fail_from, fail_to; /* those fail, */
	int fail_err; /* with this */
	bool tear; /* a map that fails has unmapped what was there */
	uint64_t failed;
	const char *broken; /* the first rule that somebody broke */
};

void fake_init(struct fake *fake, enum gms_kvm_way way);

/* NULL, or the first rule that was broken. */
const char *fake_check(const struct fake *fake);

/* Of the calls to come, fail @count from the one numbered @skip (0: the next), with @err. */
void fake_fail(struct fake *fake, uint64_t skip, uint64_t count, int err);
void fake_fail_never(struct fake *fake);

/* What is seen; @content, where not NULL, is where to look it up and to change it. */
enum fake_sees fake_host_sees(struct fake *fake, uint64_t page, unsigned int **content);
enum fake_sees fake_guest_sees(struct fake *fake, uint64_t gfn, unsigned int **content);

/* Files, slots and mappings that there are. */
unsigned int fake_nr_files(const struct fake *fake);
unsigned int fake_nr_slots(const struct fake *fake);
unsigned int fake_nr_vmas(const struct fake *fake);

#endif /* GMS_TESTS_KVM_FAKE_H */
