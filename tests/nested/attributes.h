/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attributes.h - KVM_SET_MEMORY_ATTRIBUTES, also for headers older than Linux 6.8
 */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

struct attributes {
	uint64_t address;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
};

#define SET_ATTRIBUTES _IOW(KVMIO, 0xd2, struct attributes)
#define ATTRIBUTE_PRIVATE (1ULL << 3)

/* Sets attributes in KVM, without the library. Returns 0 or -errno. */
static inline int set_attributes(int vm, uint64_t gfn, uint64_t nr_pages, bool private)
{
	struct attributes attributes = {
		.address = gfn << 12,
		.size = nr_pages << 12,
		.attributes = private ? ATTRIBUTE_PRIVATE : 0,
	};

	return ioctl(vm, SET_ATTRIBUTES, &attributes) ? -errno : 0;
}

#endif /* ATTRIBUTES_H */
