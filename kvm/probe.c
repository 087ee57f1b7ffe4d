// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * probe.c - which of the three ways a VM has
 *
 * Asked where the kernel's answer is to be had from a capability, and always tried on a
 * guest_memfd of one page, too: /dev/kvm itself answers for capabilities, but makes no memory.
 */
#include "probe.h"

#include "uapi.h"

#define MMAP_SHARED (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages, uint64_t flags)
{
	return sys->guest_memfd(sys->ctx, vm_fd, gms_kvm_bytes(nr_pages), flags);
}

/* What the VM says of a capability; 0 also where it is no VM. */
static int ask(const struct gms_kvm_sys *sys, int vm_fd, uintptr_t cap)
{
	const int ret = sys->ioctl(sys->ctx, vm_fd, KVM_CHECK_EXTENSION, (void *)cap);

	return ret < 0 ? 0 : ret;
}

static bool makes(const struct gms_kvm_sys *sys, int vm_fd, uint64_t flags)
{
	const int fd = gms_kvm_guest_memfd(sys, vm_fd, 1, flags);

	if (fd < 0)
		return false;
	sys->close(sys->ctx, fd);
	return true;
}

/* Asked, and tried where there is no answer: earlier versions had the capability elsewhere. */
static bool has_in_place(const struct gms_kvm_sys *sys, int vm_fd)
{
	const int asked = ask(sys, vm_fd, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES);
	struct kvm_memory_attributes2 attributes = {
		.size = gms_kvm_bytes(1),
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	const int fd = gms_kvm_guest_memfd(sys, vm_fd, 1, MMAP_SHARED);
	int err = 0;

	if (fd < 0)
		return false;
	if (!(asked & (int)KVM_MEMORY_ATTRIBUTE_PRIVATE))
		err = sys->ioctl(sys->ctx, fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes);
	sys->close(sys->ctx, fd);
	return !err;
}

unsigned int gms_kvm_ways_on(const struct gms_kvm_sys *sys, int vm_fd)
{
	const bool both = (ask(sys, vm_fd, KVM_CAP_GUEST_MEMFD_FLAGS) & MMAP_SHARED) == MMAP_SHARED;
	unsigned int ways = 0;

	if (!ask(sys, vm_fd, KVM_CAP_GUEST_MEMFD) || !ask(sys, vm_fd, KVM_CAP_USER_MEMORY2))
		return 0;
	if (both && has_in_place(sys, vm_fd))
		ways |= 1U << GMS_KVM_IN_PLACE;
	if ((ask(sys, vm_fd, KVM_CAP_MEMORY_ATTRIBUTES) & KVM_MEMORY_ATTRIBUTE_PRIVATE) &&
	    makes(sys, vm_fd, 0))
		ways |= 1U << GMS_KVM_ATTRIBUTES;
	if (both && makes(sys, vm_fd, MMAP_SHARED) && makes(sys, vm_fd, GUEST_MEMFD_FLAG_MMAP))
		ways |= 1U << GMS_KVM_MEMSLOTS;
	return ways;
}

unsigned int gms_kvm_ways(int vm_fd)
{
	return gms_kvm_ways_on(&gms_kvm_sys_linux, vm_fd);
}

const char *gms_kvm_way_name(enum gms_kvm_way way)
{
	switch (way) {
	case GMS_KVM_IN_PLACE:
		return "in place";
	case GMS_KVM_ATTRIBUTES:
		return "attributes";
	case GMS_KVM_MEMSLOTS:
		return "memslots";
	default:
		return "none";
	}
}
