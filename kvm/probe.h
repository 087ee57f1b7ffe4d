/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe.h - guest_memfds, and which ways a VM has (gms_kvm_ways_on() of sys.h)
 */
#ifndef GMS_KVM_PROBE_H
#define GMS_KVM_PROBE_H

#include "kvm_priv.h"

/* A guest_memfd. The fd, or -errno. */
int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages,
			uint64_t flags);

#endif /* GMS_KVM_PROBE_H */
