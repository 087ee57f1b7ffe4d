/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots.h - memslots: the table of those that exist, and re-cutting them
 *
 *  S1  The table is in the order of the slots' indices. Slots do not overlap, and each lies in
 *      one map.
 *  S2  A map that is not broken has, by memslots, one slot for each run of equal pages, and one
 *      slot in the other modes. A map that is gone and not broken has none.
 *  S3  KVM can neither resize a slot that has a guest_memfd nor give it another guest_memfd.
 *      Re-cutting deletes such a slot and creates it anew. A slot that is right already is left
 *      alone.
 *  S4  A conversion that freed slots gets them back for its undo: until its end no other thread
 *      may use them.
 *
 * The caller of each function holds gms_kvm.lock.
 */
#ifndef GMS_KVM_SLOTS_H
#define GMS_KVM_SLOTS_H

#include "kvm_priv.h"

/* Returns how many slots a range of a map calls for. */
uint64_t gms_kvm_slots_count(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			     gms_pgoff_t start, gms_pgoff_t end);

/*
 * Makes the slots of a map what the records call for, in [start, end) and at its edges. Returns 0
 * or -errno. After a failure the map is broken.
 */
int gms_kvm_slots_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			gms_pgoff_t end);

/*
 * Re-cuts all of the broken maps. Deletes all wrong slots before it creates the first, so that the
 * slot numbers suffice. Returns 0 or -errno.
 */
int gms_kvm_slots_recut_broken(struct gms_kvm *kvm);

/* Returns true if this thread may use @more slots than now. */
bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more);

/* Counts @more slots as wanted, for this thread's conversion too. Negative: slots became free. */
void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more);

/* Begins and ends a conversion of this thread: S4. Calls nest. */
void gms_kvm_txn_begin(struct gms_kvm *kvm);
void gms_kvm_txn_end(struct gms_kvm *kvm);

/* By memslots, keep all vCPUs out of KVM_RUN from the first call to the second. Calls nest. */
void gms_kvm_stop_vcpus(struct gms_kvm *kvm);
void gms_kvm_resume_vcpus(struct gms_kvm *kvm);

#endif /* GMS_KVM_SLOTS_H */
