/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lib.h - a VM whose memory is one guest_memfd that is converted in place
 *
 * The kernel under test keeps the state of a guest_memfd by gmemstate. The programs here know only
 * its interface: ioctls, mappings and debugfs. A page has one content, whichever side sees it:
 *
 *	                shared              private
 *	guest           the content         the content
 *	host            the content         SIGBUS
 *
 * A conversion keeps the content. A page that was never written, or was punched out, holds 0.
 *
 * Offsets and sizes are in pages, unless a name says bytes. Calls return 0 or -errno.
 */
#ifndef LIB_H
#define LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../kernel/gmem/uapi.h"
#include "machine.h"
#include "probe.h"
#include "setup.h"

#ifndef KVM_PRE_FAULT_MEMORY
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

#define PAGE 4096ULL
#define BLOCK 512ULL /* the pages of a 2M block */

#define MAIN_GPA (MAIN_GFN * PAGE)
#define MAIN_SLOT 1

enum side { SHARED, PRIVATE };

/* The policies, by their numbers in the flags. */
enum policy {
	POLICY_DEFAULT, /* that of the module's parameter */
	POLICY_EAGER_RFC,
	POLICY_EAGER,
	POLICY_EAGER_NONUNIFORM,
	POLICY_LAZY_4K,
	POLICY_LAZY,
	POLICY_ADAPTIVE,
	POLICY_NR,
};

/* The sizes of folios. */
enum folio { FOLIO_DEFAULT, FOLIO_4K, FOLIO_2M, FOLIO_NR };

const char *policy_name(enum policy policy);
const char *folio_name(enum folio folio);
const char *side_name(enum side side);

/*
 * Parse an argument of the command line. Return 0 or -EINVAL. The order of folios may be given as
 * the parameter of the kernel is: 0 or 9.
 */
int policy_parse(const char *text, enum policy *policy);
int folio_parse(const char *text, enum folio *folio);
int side_parse(const char *text, enum side *side);

struct gmem {
	struct machine m;
	int fd; /* of the guest_memfd */
	uint64_t nr_pages;
	unsigned char *host; /* a mapping of all pages that begins at a multiple of 2M */
};

/* A memory that was not created. gmem_destroy() accepts it. */
#define GMEM_INIT                           \
	{                                   \
		.m = MACHINE_INIT, .fd = -1 \
	}

/* Returns the flags for a guest_memfd that can be mapped, and that converts in place. */
uint64_t gmem_flags(enum folio folio, enum policy policy, enum side first);

/* Returns true if this kernel has /dev/kvm and KVM_SET_MEMORY_ATTRIBUTES2 for a guest_memfd. */
bool gmem_supported(void);

/* Creates a guest_memfd of a VM. Returns its fd or -errno. */
int gmem_create_fd(int vm, uint64_t nr_pages, uint64_t flags);

/*
 * Creates a VM of the type KVM_X86_SW_PROTECTED_VM and a guest_memfd, maps the file, and puts it
 * into a memslot at MAIN_GPA. Loads the guest of probe.h. The caller calls gmem_destroy(), even
 * after a failure.
 */
int gmem_create(struct gmem *g, uint64_t nr_pages, uint64_t flags);
void gmem_destroy(struct gmem *g);

/* Maps a part of the file at an address that is aligned to 2M. Returns NULL if it fails. */
void *gmem_map(int fd, uint64_t page, uint64_t nr_pages);

/* Puts a part of a guest_memfd into a memslot; no pages: deletes the memslot. */
int gmem_set_slot(const struct gmem *g, unsigned int slot, uint64_t gpa, uint64_t page,
		  uint64_t nr_pages);

/* Makes the ioctl. *at receives error_offset as a page; @at may be NULL. */
int gmem_convert(int fd, uint64_t page, uint64_t nr_pages, enum side to, uint64_t *at);

int gmem_allocate(int fd, uint64_t page, uint64_t nr_pages);
int gmem_punch(int fd, uint64_t page, uint64_t nr_pages);

/* Makes KVM map pages for the guest by KVM_PRE_FAULT_MEMORY. */
int gmem_pre_fault(struct machine_vcpu *vcpu, uint64_t gpa, uint64_t nr_pages);

/* ---- what a page holds ---- */

/* Writes to all of a page. The first word and the last are those of probe_written(@stamp, 0). */
void page_fill(unsigned char *page, uint64_t stamp);

/* Returns the offset of the first byte that differs from page_fill(), or PAGE. */
size_t page_differs(const unsigned char *page, uint64_t stamp);

/* ---- debugfs ---- */

/* Reads a counter of a guest_memfd: of struct gms_stats, or of the file gmem. */
int gmem_counter(int fd, const char *name, uint64_t *value);

/* Reads one of KVM's own counters of a VM. */
int vm_counter(int vm, const char *name, uint64_t *value);

#endif /* LIB_H */
