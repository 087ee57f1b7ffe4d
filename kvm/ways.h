/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ways.h - creates guest_memfds, and finds the modes that a VM offers
 *
 *  P1  A probe leaves nothing behind: the guest_memfd that it tries is closed again.
 *  P2  A mode is reported only if the VM itself, and not only /dev/kvm, can create the memory.
 *
 * gms_kvm_modes_on() of sys.h is defined here, too. No lock is needed.
 */
#ifndef GMS_KVM_WAYS_H
#define GMS_KVM_WAYS_H

#include "kvm_priv.h"

/* Creates a guest_memfd. Returns the fd, or -errno. */
int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages,
			uint64_t flags);

#endif /* GMS_KVM_WAYS_H */
