/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ways.h - creates guest_memfds, and finds the modes that a VM offers
 *
 *  P1  A probe closes the guest_memfd that it has created.
 *  P2  A mode is reported only if the VM itself, and not only /dev/kvm, can create the memory.
 *
 * ways.c also defines gms_kvm_modes_on() of sys.h. No lock is needed. A way is a mode: the public
 * names say way, all others say mode.
 */
#ifndef GMS_KVM_WAYS_H
#define GMS_KVM_WAYS_H

#include "kvm_priv.h"

/* Creates a guest_memfd. Returns the fd, or -errno. */
int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages,
			uint64_t flags);

#endif /* GMS_KVM_WAYS_H */
