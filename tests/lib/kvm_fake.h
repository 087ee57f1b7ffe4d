/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_fake.h - a kernel in a few arrays: guest_memfd, memslots, attributes, mappings
 *
 * The fake stands in for each kernel that the backend knows, and refuses what that kernel
 * refuses. A test can make the n-th call fail, with or without a part of its work done. The
 * content of a page is one number.
 *
 * After each call the fake checks that the host cannot touch a page that the guest sees as
 * private. In place, host and guest would touch the same memory. In the other modes the host's
 * view would show the other side of the page, which is allowed only if the page is quarantined.
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
	bool theirs; /* the backend's caller opened the file */
	uint64_t flags; /* of a guest_memfd */
	uint64_t nr_pages;
	uint64_t first; /* the page that is index 0 */
	uint64_t grain; /* in pages */
	unsigned int content[FAKE_PAGES];
	bool private[FAKE_PAGES]; /* attributes, in place */
	bool pinned[FAKE_PAGES];
};

/* A range of addresses. No pointer to it is ever dereferenced. */
struct fake_view {
	uint64_t base;
	uint64_t nr_pages; /* 0: the view is not in use */
	bool theirs; /* the backend's caller made the mapping */
	int fd[FAKE_PAGES]; /* the file that is mapped at the page; -1: none */
	uint64_t page[FAKE_PAGES]; /* of the file */
};

struct fake_slot {
	uint64_t gfn, nr_pages; /* nr_pages is 0: the slot does not exist */
	unsigned int view;
	uint64_t page; /* of the view */
	uint64_t offset; /* in pages */
	uint32_t flags;
	bool left; /* the map is gone and the slot is not: the fake does not check it */
	int fd;
};

struct fake {
	struct gms_kvm_sys sys;
	bool has_in_place, has_attributes, has_memslots;
	int cap; /* value of the capability for conversion in place, as of version 13 */
	bool takes_flags; /* a memslot with a guest_memfd may have other flags, too */
	struct fake_file files[FAKE_FILES]; /* fds FAKE_VM + 1 and up */
	struct fake_slot slots[FAKE_SLOTS];
	bool private[FAKE_GFNS]; /* attributes of the VM */
	struct fake_view views[FAKE_VIEWS];
	unsigned int host; /* the number of the host's view; 0 unless fake_set_host() was called */
	unsigned int max_vmas; /* of the host's view */
	const int *stopped; /* if not NULL: memslots may change only while *stopped is not 0 */
	const struct gms_state *state; /* if not NULL: has the quarantined pages */

	uint64_t calls; /* number of calls so far that could be made to fail */
	uint64_t fail_from, fail_to; /* calls [fail_from, fail_to) fail */
	int fail_err; /* the error of those calls */
	bool tear; /* a map that fails has unmapped the range */
	uint64_t part; /* a call that sets attributes sets this many pages before it fails */
	bool part_once; /* only the first such call sets a part */
	bool part_of_pinned; /* the pages before a pinned page are converted */
	uint64_t failed; /* number of calls that failed */
	const char *broken; /* the first rule that was broken */
};

void fake_init(struct fake *fake, enum gms_kvm_way mode);

/* Returns NULL, or the first rule that was broken. */
const char *fake_check(const struct fake *fake);

/* Makes @count calls fail with @err, after the next @skip calls. */
void fake_fail(struct fake *fake, uint64_t skip, uint64_t count, int err);
void fake_fail_never(struct fake *fake);

/* Opens a file of the caller's, whose page @first is index 0. Returns the fd. */
int fake_adopt_file(struct fake *fake, bool guest_memfd, uint64_t nr_pages, uint64_t first,
		    uint64_t grain);

/* Maps all of a caller's file from its page @first on. Returns the address. */
void *fake_adopt_view(struct fake *fake, int fd);

/* Declares the view at an address to be the host's. */
void fake_set_host(struct fake *fake, const void *at);

/* Returns how many calls this thread has made, to all fake kernels. */
uint64_t fake_calls_of_thread(void);

/* Return what is seen. Where @content is not NULL, *content is set to the page's content. */
enum fake_sees fake_host_sees(struct fake *fake, uint64_t page, unsigned int **content);
enum fake_sees fake_guest_sees(struct fake *fake, uint64_t gfn, unsigned int **content);

/* Count files and views that are not the caller's, slots, and mappings in the host's view. */
unsigned int fake_nr_files(const struct fake *fake);
unsigned int fake_nr_views(const struct fake *fake);
unsigned int fake_nr_slots(const struct fake *fake);
unsigned int fake_nr_vmas(const struct fake *fake);

#endif /* GMS_TESTS_KVM_FAKE_H */
