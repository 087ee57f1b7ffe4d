/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * host.h - what the host sees, and punching
 */
#ifndef GMS_KVM_HOST_H
#define GMS_KVM_HOST_H

#include "kvm_priv.h"

/* Make the host's view, and KVM's window. The way and the files are known; decides kvm->cut. */
int gms_kvm_host_init(struct gms_kvm *kvm);

/* Unmap what was made. On failure the rest is still there, and the call may be made again. */
int gms_kvm_host_fini(struct gms_kvm *kvm);

/* Show a range to the host, or make a touch of it raise SIGBUS. */
int gms_kvm_host_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden);

/* Punch out one side of a range. */
int gms_kvm_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		  enum gms_shareability side);

#endif /* GMS_KVM_HOST_H */
