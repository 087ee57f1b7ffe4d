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

/* Somebody broke a rule; the first one is kept. */
void fake_breaks(struct fake *fake, const char *rule);

/* A new file. The fd, or -errno. */
int fake_open(struct fake *fake, bool guest_memfd, uint64_t size, uint64_t flags);

/* NULL: it is not open. */
struct fake_file *fake_file_of(struct fake *fake, int fd);

/* A new view, at an odd multiple of @align; where that is 0, at no multiple of 2M. */
struct fake_view *fake_new_view(struct fake *fake, uint64_t nr_pages, uint64_t align);

/* The view around an address, or NULL; *page: where in it. */
struct fake_view *fake_view_of(struct fake *fake, const void *at, uint64_t *page);

/* By a memslot? */
bool fake_is_pointed_to(const struct fake *fake, const struct fake_view *view);

/* Breaks the rule that the host cannot touch what is private to the guest, where that is so. */
void fake_check_safety(struct fake *fake);

/* The system calls. */
void fake_init_sys(struct fake *fake);

#endif /* GMS_TESTS_KVM_FAKE_PRIV_H */
