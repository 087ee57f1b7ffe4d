/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * host.h - the host's view of the memory, KVM's window, and punching
 *
 *  H1  The host's view is one range of addresses, in which index i is at i * 4096. No address of
 *      the range is ever unmapped on purpose: a free address could be taken by another mapping.
 *  H2  If kvm->hides is set, a page in hidden is mapped to refusing_file, and a page not in hidden
 *      is mapped to shared_file. While kvm->torn is set, some addresses may be mapped to nothing.
 *  H3  If the window is a mapping of its own, it always shows all of shared_file.
 *
 * gms_kvm_host_init() and gms_kvm_host_fini() run alone. The caller of the other functions holds
 * gms_kvm.lock.
 */
#ifndef GMS_KVM_HOST_H
#define GMS_KVM_HOST_H

#include "kvm_priv.h"

/*
 * Maps the host's view and KVM's window, and sets kvm->hides. The caller has set the mode and the
 * files. Returns 0 or -errno.
 */
int gms_kvm_host_init(struct gms_kvm *kvm);

/*
 * Unmaps what gms_kvm_host_init() has mapped. Returns 0 or -errno. If it fails, what it could not
 * unmap is still mapped, and the call may be repeated.
 */
int gms_kvm_host_fini(struct gms_kvm *kvm);

/*
 * Hides [start, end) from the host, or shows it. Does nothing if kvm->hides is not set. Returns 0
 * or -errno. After a failure each run of the range is as it was, or as requested, or hidden, or
 * kvm->torn is set.
 */
int gms_kvm_host_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden);

/* Punches one side of [start, end) out, so that it holds 0. Returns 0 or -errno. */
int gms_kvm_host_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		       enum gms_shareability side);

#endif /* GMS_KVM_HOST_H */
