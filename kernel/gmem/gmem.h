/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmem.h - what virt/kvm/guest_memfd.c calls: a guest_memfd whose state is a gms_state
 *
 * guest_memfd.cocci puts the calls into Linux 7.3. Each inode of guest_memfd has one object. The
 * page cache holds the memory, and the state says which pages are private, and which folio is at
 * an index. docs/guest-memfd.md describes the design.
 *
 * Locks, in the order in which they are taken:
 *
 *	mmap_lock or the lock of a VMA			host faults only
 *	kvm->slots_lock, kvm->srcu
 *	the invalidate lock of the page cache		shared: conversions, fallocate
 *							exclusive: holes, and changes of bindings
 *	the locks of the state (state.h)
 *	the lock of a folio
 *	i_mmap_rwsem, locks of page tables, kvm->mmu_lock, the lock of the page cache
 *
 *  G1  A folio enters or leaves the page cache, is split or is replaced, only under the locks with
 *      which the state calls its hooks.
 *  G2  A host mapping is made between gms_fault_begin() and gms_fault_end(). So a conversion never
 *      meets a host fault that has looked, and has not mapped yet.
 *  G3  A guest mapping is made after gms_fault_end(). So a conversion invalidates the range in
 *      KVM, from before it zaps until the new state is published. The range that is compared with
 *      faults is widened to whole 2M blocks: a fault elsewhere in the block may have seen it
 *      uniform.
 *  G4  A folio of the state of order 9 is one folio of the page cache, or 512 of order 0: if there
 *      was no free 2M page, or if mm has split it by itself (for madvise(MADV_PAGEOUT), or for a
 *      memory error). A mapping is made no larger than the folio in the page cache is then. After
 *      a split, a guest may keep a mapping of 2M, until the block is zapped: each conversion,
 *      merge or hole in the block does that.
 *  G5  A folio is mapped for the host under its lock, as everywhere in mm.
 */
#ifndef GMS_GMEM_H
#define GMS_GMEM_H

#include <linux/kvm_types.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#include "uapi.h"

struct folio;
struct gms_gmem;
struct inode;
struct kvm;
struct kvm_memory_slot;
struct shared_policy;
struct vm_fault;

/*
 * Creates the object of an inode, whose size is set. @mempolicy: where to allocate from; outlives
 * the object. @flags: of KVM_CREATE_GUEST_MEMFD. Returns 0, -EINVAL, -EFBIG (above 4 PiB) or
 * -ENOMEM.
 */
int gms_gmem_create(struct inode *inode, struct shared_policy *mempolicy, u64 flags,
		    struct gms_gmem **gmem);

/* Ends all background work, before the page cache is truncated for good. NULL is allowed. */
void gms_gmem_stop(struct gms_gmem *g);
void gms_gmem_destroy(struct gms_gmem *g);

/* Any context. A caller that maps has to look for a concurrent invalidation. */
bool gms_gmem_is_private(const struct gms_gmem *g, pgoff_t index);

/*
 * Finds the folio at an index for the guest: allocates it, if there is none, and lets the policy
 * split it. Returns it locked, uptodate and with a reference; or an error.
 */
struct folio *gms_gmem_get_folio(struct gms_gmem *g, pgoff_t index);

/*
 * Returns the order of the largest mapping that the guest may have at an index in this folio,
 * which is locked: 0 or 9. @distance: by how much the gfn exceeds the index.
 */
int gms_gmem_max_order(const struct gms_gmem *g, const struct folio *folio, pgoff_t index,
		       gfn_t distance);

/* The guest_memfd's handler of host faults. */
vm_fault_t gms_gmem_fault(struct gms_gmem *g, struct vm_fault *vmf);

/*
 * fallocate(). The caller has checked that both numbers are multiples of the page size. Both take
 * the invalidate lock of the page cache.
 */
long gms_gmem_allocate(struct gms_gmem *g, loff_t offset, loff_t len);
long gms_gmem_punch_hole(struct gms_gmem *g, loff_t offset, loff_t len);

/* Ioctls of the guest_memfd: KVM_SET_MEMORY_ATTRIBUTES2. */
long gms_gmem_ioctl(struct gms_gmem *g, struct kvm *kvm, unsigned int ioctl, unsigned long arg);

/* Where [start, end) changes, widens the range that is compared with guest faults: see G3. */
void gms_gmem_widen(struct kvm *kvm, gfn_t start, gfn_t end);

/* What guest_memfd.c offers to the object. Both look at all files of the inode. */
void kvm_gmem_invalidate_start(struct inode *inode, pgoff_t start, pgoff_t end);
void kvm_gmem_invalidate_end(struct inode *inode, pgoff_t start, pgoff_t end);

#endif /* GMS_GMEM_H */
