/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots.h - memslots: the table of those that exist, and re-cutting them
 *
 *  S1  The table is in the order of the slots' indices. Slots do not overlap, and each of them
 *      lies in one map.
 *  S2  A map that is not broken has the slots that it calls for. A map that is gone calls for
 *      none. By memslots, any other map calls for one slot for each run of equal pages; in the
 *      other modes it calls for one slot.
 *  S3  KVM can neither resize a slot that has a guest_memfd nor give it another guest_memfd. So
 *      re-cutting deletes a slot that is wrong and creates it anew. It leaves all other slots
 *      alone.
 *  S4  A conversion that has freed slots can use them again for its undo: until it ends, no other
 *      thread may use them.
 *
 * The caller of each function holds gms_kvm.lock.
 */
#ifndef GMS_KVM_SLOTS_H
#define GMS_KVM_SLOTS_H

#include "kvm_priv.h"

/* Returns how many slots a map calls for in a range. */
uint64_t gms_kvm_slots_count(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			     gms_pgoff_t start, gms_pgoff_t end);

/*
 * Makes the slots that touch or adjoin [start, end) those that the map calls for. Returns 0 or
 * -errno. After a failure the map is broken.
 */
int gms_kvm_slots_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start,
			gms_pgoff_t end);

/*
 * Re-cuts the slots of all broken maps. Deletes all wrong slots before it creates the first one,
 * so that there are enough slot numbers. Returns 0 or -errno.
 */
int gms_kvm_slots_recut_broken(struct gms_kvm *kvm);

/* Returns true if the calling thread may use @more slots in addition to those in use. */
bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more);

/*
 * Counts @more slots as wanted; if negative, counts slots as free. If the calling thread has a
 * conversion, counts them there, too (S4).
 */
void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more);

/* Begin and end a conversion of the calling thread (S4). Calls nest. */
void gms_kvm_txn_begin(struct gms_kvm *kvm);
void gms_kvm_txn_end(struct gms_kvm *kvm);

/* By memslots, keep all vCPUs out of KVM_RUN between the two calls. Calls nest. */
void gms_kvm_stop_vcpus(struct gms_kvm *kvm);
void gms_kvm_resume_vcpus(struct gms_kvm *kvm);

#endif /* GMS_KVM_SLOTS_H */
