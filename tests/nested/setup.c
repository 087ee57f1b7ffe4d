// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * setup.c - shared by the programs here: the command line, a VM, its memory
 */
#include "setup.h"

#include <gmemstate/order.h>

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

int setup_mode(const char *name, enum gms_kvm_way *mode)
{
	if (!strcmp(name, "any"))
		*mode = GMS_KVM_ANY;
	else if (!strcmp(name, "attributes"))
		*mode = GMS_KVM_ATTRIBUTES;
	else if (!strcmp(name, "memslots"))
		*mode = GMS_KVM_MEMSLOTS;
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

int setup_machine(struct machine *m, enum gms_kvm_way *mode)
{
	int err = -EINVAL;

	if (*mode != GMS_KVM_MEMSLOTS)
		err = machine_create(m, MACHINE_VM_SW_PROTECTED);
	if (!err && gms_kvm_ways(m->vm) & 1U << GMS_KVM_ATTRIBUTES) {
		*mode = GMS_KVM_ATTRIBUTES;
		return 0;
	}
	machine_destroy(m);
	if (*mode == GMS_KVM_ATTRIBUTES)
		return -EOPNOTSUPP;
	err = machine_create(m, MACHINE_VM_DEFAULT);
	*mode = GMS_KVM_MEMSLOTS;
	return err;
}

int setup_memory(struct memory *memory, struct gms_kvm_opts *opts, uint64_t nr_pages, bool private,
		 const struct gms_backend_ops *backend)
{
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	int err;

	*memory = (struct memory) {
		.start = gms_order_pages(GMS_ORDER_1G) - nr_pages / 2,
		.nr_pages = nr_pages,
	};
	opts->nr_pages = memory->start + nr_pages;
	opts->first_slot = FIRST_SLOT;
	opts->nr_slots = NR_SLOTS;
	err = gms_kvm_create(opts, &memory->kvm);
	if (err)
		return err;

	state_opts.nr_pages = opts->nr_pages;
	state_opts.flags = private ? GMS_INIT_PRIVATE : 0;
	state_opts.folio_order = GMS_ORDER_2M;
	state_opts.backend = backend;
	state_opts.backend_ctx = memory->kvm;
	err = gms_state_create(&state_opts, &memory->state);
	if (!err)
		err = gms_kvm_sync(memory->kvm, memory->state);
	if (!err)
		err = gms_kvm_map(memory->kvm, MAIN_GFN, memory->start, nr_pages);
	memory->host =
		(unsigned char *)gms_kvm_host(memory->kvm) + (memory->start << GMS_PAGE_SHIFT);
	return err;
}

void memory_destroy(struct memory *memory)
{
	gms_state_destroy(memory->state);
	gms_kvm_destroy(memory->kvm);
}
