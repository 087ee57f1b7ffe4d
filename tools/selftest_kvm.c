// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * selftest_kvm.c - writes which ways of conversion /dev/kvm offers: see selftest.h
 */
#include "selftest.h"

#include <gmemstate/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef KVM_CAP_VM_TYPES
#define KVM_CAP_VM_TYPES 235
#endif

/* Types of VMs on x86, by number. */
static const char *const kvm_types[] = {"default", "software-protected", "SEV", "SEV-ES", "SNP",
					"TDX"};

#define KVM_NR_TYPES (sizeof(kvm_types) / sizeof(*kvm_types))

/* Creates a VM of one type, and writes which ways of conversion it offers. */
static void kvm_write_type(FILE *out, int kvm, unsigned int type)
{
	const int vm = ioctl(kvm, KVM_CREATE_VM, (unsigned long)type);
	const char *separator = "";
	unsigned int ways;

	fprintf(out, "          VM type %s: ", kvm_types[type]);
	if (vm < 0) {
		fprintf(out, "%s\n", strerror(errno));
		return;
	}
	ways = gms_kvm_ways(vm);
	for (unsigned int way = GMS_KVM_IN_PLACE; way <= GMS_KVM_MEMSLOTS; way++) {
		if (!(ways >> way & 1))
			continue;
		fprintf(out, "%s%s", separator, gms_kvm_way_name((enum gms_kvm_way)way));
		separator = ", ";
	}
	fputs(ways ? "\n" : "no way of conversion\n", out);
	close(vm);
}

void selftest_kvm(FILE *out)
{
	const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int types;

	if (kvm < 0) {
		if (errno == ENOENT)
			fputs("KVM       no /dev/kvm\n", out);
		else
			fprintf(out, "KVM       /dev/kvm: %s\n", strerror(errno));
		return;
	}
	fputs("KVM       /dev/kvm converts\n", out);
	types = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	/* A kernel that does not know the question has one type. */
	for (unsigned int type = 0; type < KVM_NR_TYPES; type++) {
		if (!type || (types > 0 && types >> type & 1))
			kvm_write_type(out, kvm, type);
	}
	close(kvm);
}
