/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guest.h - what the guest sees of its pages
 */
#ifndef GMS_KVM_GUEST_H
#define GMS_KVM_GUEST_H

#include "kvm_priv.h"

/*
 * Show a range to the guest as @to. @keep: it is shown again, with what is in it. On failure
 * *@failed, where not NULL, is set where the kernel names a page; and what was done before
 * stays done, and is recorded.
 */
int gms_kvm_guest_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		      enum gms_shareability to, bool keep, gms_pgoff_t *failed);

/* Will there be enough slots for that? Asked first: then nothing has to be taken back. */
bool gms_kvm_guest_room(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
			enum gms_shareability to);

/*
 * What was to be taken back was not: until it is set again, a range is not punched. That takes
 * no memory where the range was prepared.
 */
int gms_kvm_guest_prepare(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);
void gms_kvm_guest_doubt(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

/* The next run from @at on of pages that the guest, for sure, sees as shared. */
bool gms_kvm_guest_next_shared(const struct gms_kvm *kvm, gms_pgoff_t at, gms_pgoff_t end,
			       struct gms_rtree_run *run);

/* Punch out what nobody sees (K4). What cannot be done now stays stale. */
void gms_kvm_guest_clean(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end);

#endif /* GMS_KVM_GUEST_H */
