/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kvm_fake_priv.h - what the two halves of the fake kernel share: its objects and its calls
 */
#ifndef GMS_TESTS_KVM_FAKE_PRIV_H
#define GMS_TESTS_KVM_FAKE_PRIV_H

#include "kvm_fake.h"
#include "uapi.h"

#define PAGE (1ULL << GMS_PAGE_SHIFT)
#define BOTH (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

/* Records that a rule was broken, unless another one was broken before. */
void fake_breaks(struct fake *fake, const char *rule);

/* Opens a new file. Returns the fd, or -errno. */
int fake_open(struct fake *fake, bool guest_memfd, uint64_t size, uint64_t flags);

/* Returns the file of an fd, or NULL if it is not open. */
struct fake_file *fake_file_of(struct fake *fake, int fd);

/* Makes a view at an odd multiple of @align; if @align is 0, at no multiple of 2M. */
struct fake_view *fake_new_view(struct fake *fake, uint64_t nr_pages, uint64_t align);

/* Returns the view around an address, or NULL. Sets *page to the page in the view. */
struct fake_view *fake_view_of(struct fake *fake, const void *at, uint64_t *page);

/* Returns true if a memslot points to the view. */
bool fake_is_pointed_to(const struct fake *fake, const struct fake_view *view);

/* Checks that the host can touch no page that is private to the guest. */
void fake_check_safety(struct fake *fake);

/* Sets the table of system calls. */
void fake_init_sys(struct fake *fake);

#endif /* GMS_TESTS_KVM_FAKE_PRIV_H */
