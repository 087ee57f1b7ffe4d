// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ways.c - the modes that a VM offers
 *
 * Capabilities are checked first. They are not enough: /dev/kvm reports them, too, but cannot
 * create memory. So for each mode the VM also has to create a guest_memfd of one page.
 */
#include "ways.h"

#include "uapi.h"

#define WAYS_MMAP_SHARED (GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)

int gms_kvm_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t nr_pages, uint64_t flags)
{
	return sys->guest_memfd(sys->ctx, vm_fd, gms_kvm_bytes(nr_pages), flags);
}

/* Returns the VM's value of a capability; 0 if the fd is no VM. */
static int ways_capability(const struct gms_kvm_sys *sys, int vm_fd, uintptr_t cap)
{
	const int ret = sys->ioctl(sys->ctx, vm_fd, KVM_CHECK_EXTENSION, (void *)cap);

	return ret < 0 ? 0 : ret;
}

/* Returns true if the VM creates a guest_memfd with these flags. */
static bool ways_guest_memfd(const struct gms_kvm_sys *sys, int vm_fd, uint64_t flags)
{
	const int fd = gms_kvm_guest_memfd(sys, vm_fd, 1, flags);

	if (fd < 0)
		return false;
	sys->close(sys->ctx, fd);
	return true;
}

/*
 * Returns true if a guest_memfd can be converted in place. If the capability does not say so,
 * tries the ioctl, because earlier versions of the series had another capability.
 */
static bool ways_in_place(const struct gms_kvm_sys *sys, int vm_fd)
{
	const int known = ways_capability(sys, vm_fd, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES);
	struct kvm_memory_attributes2 attributes = {
		.size = gms_kvm_bytes(1),
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	const int fd = gms_kvm_guest_memfd(sys, vm_fd, 1, WAYS_MMAP_SHARED);
	int err = 0;

	if (fd < 0)
		return false;
	if (!(known & (int)KVM_MEMORY_ATTRIBUTE_PRIVATE))
		err = sys->ioctl(sys->ctx, fd, KVM_SET_MEMORY_ATTRIBUTES2, &attributes);
	sys->close(sys->ctx, fd);
	return !err;
}

unsigned int gms_kvm_modes_on(const struct gms_kvm_sys *sys, int vm_fd)
{
	const int flags = ways_capability(sys, vm_fd, KVM_CAP_GUEST_MEMFD_FLAGS);
	const bool mappable = (flags & WAYS_MMAP_SHARED) == WAYS_MMAP_SHARED;
	unsigned int modes = 0;

	if (!ways_capability(sys, vm_fd, KVM_CAP_GUEST_MEMFD) ||
	    !ways_capability(sys, vm_fd, KVM_CAP_USER_MEMORY2))
		return 0;
	if (mappable && ways_in_place(sys, vm_fd))
		modes |= 1U << GMS_KVM_IN_PLACE;
	if ((ways_capability(sys, vm_fd, KVM_CAP_MEMORY_ATTRIBUTES) &
	     KVM_MEMORY_ATTRIBUTE_PRIVATE) &&
	    ways_guest_memfd(sys, vm_fd, 0))
		modes |= 1U << GMS_KVM_ATTRIBUTES;
	if (mappable && ways_guest_memfd(sys, vm_fd, WAYS_MMAP_SHARED) &&
	    ways_guest_memfd(sys, vm_fd, GUEST_MEMFD_FLAG_MMAP))
		modes |= 1U << GMS_KVM_MEMSLOTS;
	return modes;
}

unsigned int gms_kvm_ways(int vm_fd)
{
	return gms_kvm_modes_on(&gms_kvm_sys_linux, vm_fd);
}

const char *gms_kvm_way_name(enum gms_kvm_way mode)
{
	switch (mode) {
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

enum gms_kvm_way gms_kvm_get_way(const struct gms_kvm *kvm)
{
	return kvm->mode;
}
