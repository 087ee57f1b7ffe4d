/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slots.h - memslots
 */
#ifndef GMS_KVM_SLOTS_H
#define GMS_KVM_SLOTS_H

#include "kvm_priv.h"

/* How many slots a range of a map calls for. */
uint64_t gms_kvm_count_wanted(const struct gms_kvm *kvm, const struct gms_kvm_map *map,
			      gms_pgoff_t start, gms_pgoff_t end);

/*
 * Make the slots of a map what the records say, in the range and at its edges. Where that
 * fails the map is broken.
 */
int gms_kvm_recut(struct gms_kvm *kvm, struct gms_kvm_map *map, gms_pgoff_t start, gms_pgoff_t end);

/* The same for all of the maps that are broken: no slot is made before all have gone. */
int gms_kvm_recut_broken(struct gms_kvm *kvm);

/* May @more slots be used by this thread? They are counted by the second call. */
bool gms_kvm_slots_left(struct gms_kvm *kvm, int64_t more);
void gms_kvm_slots_add(struct gms_kvm *kvm, int64_t more);

/* A conversion of this thread begins and ends. */
void gms_kvm_txn_begin(struct gms_kvm *kvm);
void gms_kvm_txn_end(struct gms_kvm *kvm);

/* By memslots: no vCPU runs in between. */
void gms_kvm_stop_vcpus(struct gms_kvm *kvm);
void gms_kvm_resume_vcpus(struct gms_kvm *kvm);

#endif /* GMS_KVM_SLOTS_H */
