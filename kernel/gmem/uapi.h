/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * uapi.h - flags of KVM_CREATE_GUEST_MEMFD that only a kernel with this library has
 *
 * KVM_CAP_GUEST_MEMFD_FLAGS of a VM reports their bits. Without them, the parameters of the kernel
 * decide (gmem.policy and gmem.order).
 */
#ifndef GMS_GMEM_UAPI_H
#define GMS_GMEM_UAPI_H

#include "../../kvm/uapi.h"

/* When folios are split: one of gms_gmem_policies in gmem.c, from 1 on; see gmemstate/policy.h. */
#define GUEST_MEMFD_FLAG_POLICY(n) ((n) << 8)
#define GUEST_MEMFD_FLAG_POLICY_MASK (7ULL << 8)

/* The size of the folios. */
#define GUEST_MEMFD_FLAG_4K (1ULL << 11)
#define GUEST_MEMFD_FLAG_2M (1ULL << 12)

#define GUEST_MEMFD_FLAGS_GMS \
	(GUEST_MEMFD_FLAG_POLICY_MASK | GUEST_MEMFD_FLAG_4K | GUEST_MEMFD_FLAG_2M)

#endif /* GMS_GMEM_UAPI_H */
