/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vm.h - minivmm's VM: a machine, its memory, and the state of that
 */
#ifndef VM_H
#define VM_H

#include <gmemstate/kvm.h>
#include <gmemstate/state.h>

#include "guest.h"
#include "machine.h"
#include "mirror.h"

#define GUEST_PAGE_SIZE 4096U

struct vm {
	struct machine machine;
	struct gms_kvm *kvm;
	struct gms_state *state;
	struct mirror mirror;
	unsigned int listener; /* the mirror's number, if it is listening */
	bool listening;
	struct mailbox *box;
	bool device_busy;
	unsigned int next_step; /* of the guest */
};

/*
 * A VM whose memory is all private or, with a snapshot, as that says; its guest is about to
 * begin. 0 or -errno; vm_destroy() is due either way.
 */
int vm_create(struct vm *vm, const void *snapshot, size_t size);
void vm_destroy(struct vm *vm);

/* The index of the pages at a gfn. -ENOENT, -EINVAL: they are not all there, in one piece. */
int vm_find(const struct vm *vm, uint64_t gfn, uint64_t nr_pages, gms_pgoff_t *index);

/* Where the host sees what the guest sees at a gfn, one of guest.h's. */
void *vm_host(const struct vm *vm, uint64_t gfn);

#endif /* VM_H */
