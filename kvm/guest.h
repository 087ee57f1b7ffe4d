/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guest.h - whether the guest sees a page as private or as shared, in each of the three modes
 *
 *  G1  The guest sees a page that is not unsure as private says.
 *  G2  A change that fails leaves each run of the range as it was, or changed and recorded, or
 *      unsure. By memslots it may leave a map broken instead of unsure pages; the table of slots
 *      says which slots exist.
 *  G3  Before the guest sees a side, the side is emptied, unless the caller asks to keep what it
 *      holds. After the change the other side is stale. In place there is only one side, and it is
 *      never stale.
 *
 * The caller of each function holds gms_kvm.lock.
 */
#ifndef GMS_KVM_GUEST_H
#define GMS_KVM_GUEST_H

#include "kvm_priv.h"

/*
 * Makes the guest see [start, end) as @to. If @keep, the pages go back to what they were before a
 * change, and keep what they hold. Returns 0 or -errno; G2 says what a failure leaves. If the
 * kernel names the page at which it failed, *failed is set to that page. @failed may be NULL.
 */
int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed);

/*
 * Returns true if there are enough slots to make [start, end) @to. A caller checks this before it
 * changes anything, so that a lack of slots needs no undo.
 */
bool gms_kvm_guest_fits(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			enum gms_shareability to);

/*
 * Prepares [start, end) for gms_kvm_guest_mark_unsure(), which then needs no memory. Returns 0 or
 * -ENOMEM.
 */
int gms_kvm_guest_prepare(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

/*
 * Marks [start, end) as unsure, because an undo failed. Nothing is punched out there until
 * gms_kvm_guest_set() has succeeded for the pages.
 */
void gms_kvm_guest_mark_unsure(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

/*
 * Sets *run to the next run in [at, end) of shared pages that are not unsure. Returns false if
 * there is none.
 */
bool gms_kvm_guest_next_shared(const struct gms_kvm *kvm, gms_pgoff_t at, gms_pgoff_t end,
			       struct gms_rtree_run *run);

/*
 * Punches out the stale sides in [start, end), as far as K4 allows. What cannot be punched out now
 * stays stale.
 */
void gms_kvm_guest_punch_stale(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

#endif /* GMS_KVM_GUEST_H */
