// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * setup.c - what the programs here have in common: numbers on the command line, a VM
 */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int setup_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

int setup_way(const char *name, enum gms_kvm_way *way)
{
	if (!strcmp(name, "any"))
		*way = GMS_KVM_ANY;
	else if (!strcmp(name, "attributes"))
		*way = GMS_KVM_ATTRIBUTES;
	else if (!strcmp(name, "memslots"))
		*way = GMS_KVM_MEMSLOTS;
	else
		return -EINVAL;
	return 0;
}

bool setup_have_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int setup_machine(struct machine *m, enum gms_kvm_way *way)
{
	int err = -EINVAL;

	if (*way != GMS_KVM_MEMSLOTS)
		err = machine_create(m, MACHINE_VM_SW_PROTECTED);
	if (!err && gms_kvm_ways(m->vm) & 1U << GMS_KVM_ATTRIBUTES) {
		*way = GMS_KVM_ATTRIBUTES;
		return 0;
	}
	machine_destroy(m);
	if (*way == GMS_KVM_ATTRIBUTES)
		return -EOPNOTSUPP;
	err = machine_create(m, MACHINE_VM_DEFAULT);
	*way = GMS_KVM_MEMSLOTS;
	return err;
}
