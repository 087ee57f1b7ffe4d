/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_fake.h - a kernel in a few arrays: guest_memfd, memslots, attributes, mappings
 *
 * Stands in for any of the kernels that the backend for KVM knows, refuses what they refuse,
 * and fails the n-th call where it is told to, perhaps after a part was done. Contents are a number
 * a page. After each call it looks whether the host can touch a page that the guest sees as
 * private. That is the same memory in place; in the other ways it is the host's view that shows a
 * page of which the guest has another one, which is wrong unless the page is quarantined.
 */
#ifndef GMS_TESTS_KVM_FAKE_H
#define GMS_TESTS_KVM_FAKE_H

#include "sys.h"

#define FAKE_FILES 8
#define FAKE_PAGES 256 /* of a file; of a view */
#define FAKE_GFNS 1024
#define FAKE_SLOTS 128
#define FAKE_VIEWS 3
#define FAKE_VM 3 /* the fd */

enum fake_sees { FAKE_NOTHING, FAKE_SHARED, FAKE_PRIVATE, FAKE_TORN };

struct fake_file {
	bool open, guest_memfd;
	bool theirs; /* the caller's */
	uint64_t flags; /* of a guest_memfd */
	uint64_t nr_pages;
	uint64_t first; /* the page that is index 0 */
	uint64_t grain; /* in pages */
	unsigned int content[FAKE_PAGES];
	bool private[FAKE_PAGES]; /* attributes, in place */
	bool pinned[FAKE_PAGES];
};

/* A range of addresses; nobody follows a pointer to it. */
struct fake_view {
	uint64_t base;
	uint64_t nr_pages; /* 0: there is none */
	bool theirs;
	int fd[FAKE_PAGES]; /* what is mapped there; -1: nothing */
	uint64_t page[FAKE_PAGES]; /* of the file */
};

struct fake_slot {
	uint64_t gfn, nr_pages; /* 0: there is none */
	unsigned int view;
	uint64_t page; /* of the view */
	uint64_t offset; /* in pages */
	uint32_t flags;
	bool left; /* of what was unmapped, and could not be deleted: what it shows is not looked at */
	int fd;
};

struct fake {
	struct gms_kvm_sys sys;
	bool has_in_place, has_attributes, has_memslots;
	int cap; /* what is answered where conversion in place is asked for: version 13 */
	bool takes_flags; /* of a memslot, beside a guest_memfd */
	struct fake_file files[FAKE_FILES]; /* of fd FAKE_VM + 1 on */
	struct fake_slot slots[FAKE_SLOTS];
	bool private[FAKE_GFNS]; /* attributes of the VM */
	struct fake_view views[FAKE_VIEWS];
	unsigned int host; /* which of them the host's is; the first one, where nobody says */
	unsigned int max_vmas; /* of the host's view */
	const int *stopped; /* where not NULL: memslots change only while this is not 0 */
	const struct gms_state *state; /* where not NULL: says what is quarantined */

	uint64_t calls; /* that may fail */
	uint64_t fail_from, fail_to; /* those fail, */
	int fail_err; /* with this */
	bool tear; /* a map that fails has unmapped what was there */
	uint64_t part; /* pages that attributes are set of before that fails, */
	bool part_once; /* by the first call that fails only */
	bool part_of_pinned; /* where a page is pinned, those before it are converted */
	uint64_t failed;
	const char *broken; /* the first rule that somebody broke */
};

void fake_init(struct fake *fake, enum gms_kvm_way way);

/* NULL, or the first rule that was broken. */
const char *fake_check(const struct fake *fake);

/* Of the calls to come, fail @count from the one numbered @skip (0: the next), with @err. */
void fake_fail(struct fake *fake, uint64_t skip, uint64_t count, int err);
void fake_fail_never(struct fake *fake);

/* A file of the caller's; index 0 is its page @first. The fd. */
int fake_adopt_file(struct fake *fake, bool guest_memfd, uint64_t nr_pages, uint64_t first,
		    uint64_t grain);

/* A mapping of the caller's, of all of a file from its page @first on. Its address. */
void *fake_adopt_view(struct fake *fake, int fd);

/* The host's view is the one at an address. */
void fake_set_host(struct fake *fake, const void *at);

/* Calls that this thread has made, of any fake kernel. */
uint64_t fake_calls_of_thread(void);

/* What is seen; @content, where not NULL, is where to look it up and to change it. */
enum fake_sees fake_host_sees(struct fake *fake, uint64_t page, unsigned int **content);
enum fake_sees fake_guest_sees(struct fake *fake, uint64_t gfn, unsigned int **content);

/* Files and views that are not the caller's; slots; mappings of the host's view. */
unsigned int fake_nr_files(const struct fake *fake);
unsigned int fake_nr_views(const struct fake *fake);
unsigned int fake_nr_slots(const struct fake *fake);
unsigned int fake_nr_vmas(const struct fake *fake);

#endif /* GMS_TESTS_KVM_FAKE_H */
