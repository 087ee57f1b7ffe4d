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

#include "attributes.h"
#include "backing.h"

int setup_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

static int parse_mode(const char *name, enum gms_kvm_way *mode)
{
	if (!strcmp(name, "any"))
		*mode = GMS_KVM_ANY;
	else if (!strcmp(name, "in-place"))
		*mode = GMS_KVM_IN_PLACE;
	else if (!strcmp(name, "attributes"))
		*mode = GMS_KVM_ATTRIBUTES;
	else if (!strcmp(name, "memslots"))
		*mode = GMS_KVM_MEMSLOTS;
	else
		return -EINVAL;
	return 0;
}

int setup_way(const char *name, const char *value, struct way *way)
{
	if (!strcmp(name, "--mode"))
		return parse_mode(value, &way->mode);
	return backing_option(name, value, &way->flags) ? -EINVAL : 0;
}

bool setup_have_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Creates a VM of a type. If *mode is GMS_KVM_ANY, sets it to the first mode that it offers. */
static int try_machine(struct machine *m, unsigned long vm_type, enum gms_kvm_way *mode)
{
	const enum gms_kvm_way first = *mode ? *mode : GMS_KVM_IN_PLACE;
	const enum gms_kvm_way last = *mode ? *mode : GMS_KVM_MEMSLOTS;
	int err = machine_create(m, vm_type);
	unsigned int modes;

	if (err)
		return err;
	modes = gms_kvm_ways(m->vm);
	for (enum gms_kvm_way fits = first; fits <= last; fits++)
		if (modes & 1U << fits) {
			*mode = fits;
			return 0;
		}
	machine_destroy(m);
	return -EOPNOTSUPP;
}

int setup_machine(struct machine *m, enum gms_kvm_way *mode)
{
	int err = -EINVAL;

	if (*mode != GMS_KVM_MEMSLOTS)
		err = try_machine(m, MACHINE_VM_SW_PROTECTED, mode);
	if (!err)
		return 0;
	if (*mode && *mode != GMS_KVM_MEMSLOTS)
		return -EOPNOTSUPP;
	return try_machine(m, MACHINE_VM_DEFAULT, mode);
}

/*
 * Creates the guest_memfd of a conversion in place, for all indices of the memory. It begins with
 * some blocks that are not used, so that an offset is not mistaken for an index.
 */
static int create_backing(struct memory *memory, struct gms_kvm_opts *opts, uint64_t flags)
{
	const uint64_t unused = 3 * gms_order_pages(GMS_ORDER_2M);
	int fd = backing_create(opts->vm_fd, unused + opts->nr_pages, flags);

	if (fd < 0)
		return fd;
	memory->offset = unused;
	opts->guest_memfd_offset = unused << GMS_PAGE_SHIFT;
	memory->guest_memfd = fd;
	memory->folio_order = backing_folio_order(flags);
	opts->guest_memfd = fd;
	opts->flags |= GMS_KVM_GUEST_MEMFD;
	return 0;
}

int setup_memory(struct memory *memory, struct gms_kvm_opts *opts, const struct way *way,
		 bool private, const struct gms_backend_ops *backend)
{
	struct gms_state_opts state_opts = GMS_STATE_OPTS_INIT;
	int err = 0;

	memory->start = gms_order_pages(GMS_ORDER_1G) - memory->nr_pages / 2;
	memory->gfn = MAIN_GFN + memory->start;
	memory->vm = opts->vm_fd;
	opts->way = way->mode;
	opts->nr_pages = memory->start + memory->nr_pages;
	opts->first_slot = FIRST_SLOT;
	opts->nr_slots = NR_SLOTS;
	if (way->mode == GMS_KVM_IN_PLACE)
		err = create_backing(memory, opts, way->flags);
	else if (way->flags)
		err = -EINVAL;
	if (!err)
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
		err = gms_kvm_map(memory->kvm, memory->gfn, memory->start, memory->nr_pages);
	memory->host =
		(unsigned char *)gms_kvm_host(memory->kvm) + (memory->start << GMS_PAGE_SHIFT);
	return err;
}

void memory_destroy(struct memory *memory)
{
	gms_state_destroy(memory->state);
	gms_kvm_destroy(memory->kvm);
	if (memory->guest_memfd >= 0)
		close(memory->guest_memfd);
}

int memory_deceive(const struct memory *memory, uint64_t at, uint64_t nr_pages, bool private)
{
	if (memory->guest_memfd < 0)
		return set_attributes(memory->vm, memory->gfn + at, nr_pages, private);
	return backing_convert(memory->guest_memfd, memory->offset + memory->start + at, nr_pages,
			       private);
}

int memory_discard(const struct memory *memory, uint64_t at, uint64_t nr_pages)
{
	return backing_discard(memory->guest_memfd, memory->offset + memory->start + at, nr_pages);
}
