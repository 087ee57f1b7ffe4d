/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h - what the guest sees where
 */
#ifndef GMS_KVM_MAPS_H
#define GMS_KVM_MAPS_H

#include "kvm_priv.h"

/* The map that a piece which begins at @start lies in, or NULL. *end: cut where the piece ends. */
struct gms_kvm_map *gms_kvm_piece(const struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t *end);

/* The attributes of a range of a map, in the VM. */
int gms_kvm_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map, gms_pgoff_t start,
			   gms_pgoff_t end, enum gms_shareability to);

/* Delete what is left of maps that are gone. */
int gms_kvm_sweep(struct gms_kvm *kvm);

/* Take away all maps. On failure those that could not be are left, and are gone to the caller. */
int gms_kvm_maps_fini(struct gms_kvm *kvm);

#endif /* GMS_KVM_MAPS_H */
