/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h - maps: which pages the guest sees at which gfn
 *
 *  A1  Maps are a list in the order of their indices. A page is in one map at most, and so is a
 *      gfn.
 *  A2  By attributes, the pages of a map that is not gone have in KVM the attributes that private
 *      says, except for unsure pages.
 *  A3  A map that is gone exists no longer for the VMM. It stays in the list until all of its
 *      slots are deleted, because KVM would refuse other slots in their place.
 *
 * gms_kvm_maps_fini() runs alone. The caller of the other functions holds gms_kvm.lock. maps.c
 * also defines the public functions gms_kvm_map(), gms_kvm_map_flags() and gms_kvm_unmap(), which
 * take the lock themselves.
 */
#ifndef GMS_KVM_MAPS_H
#define GMS_KVM_MAPS_H

#include "kvm_priv.h"

/*
 * Returns the map that has page @start; NULL: none has. Lowers *end to the end of that map, or to
 * the start of the next map, so that [start, *end) is in one map or in none.
 */
struct gms_kvm_map *gms_kvm_maps_find(const struct gms_kvm *kvm, gms_pgoff_t start,
				      gms_pgoff_t *end);

/* Sets KVM's attributes of a range of a map. Returns 0 or -errno. */
int gms_kvm_maps_set_attributes(struct gms_kvm *kvm, const struct gms_kvm_map *map,
				gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability to);

/* Removes the maps that are gone. Returns 0, or -errno: slots of some of them are left. */
int gms_kvm_maps_sweep(struct gms_kvm *kvm);

/* Removes all maps. Returns 0, or -errno: slots are left, and their maps stay, marked as gone. */
int gms_kvm_maps_fini(struct gms_kvm *kvm);

#endif /* GMS_KVM_MAPS_H */
