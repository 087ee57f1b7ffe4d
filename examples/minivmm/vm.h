/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vm.h - minivmm's VM: a machine, its memory, and the state of that memory
 */
#ifndef VM_H
#define VM_H

#include <gmemstate/kvm.h>
#include <gmemstate/state.h>

#include "guest.h"
#include "machine.h"
#include "mirror.h"
#include "vcpus.h"

struct vm {
	enum gms_kvm_way way; /* the mode to ask for; set before vm_create() */
	struct machine machine;
	struct vcpus vcpus;
	struct gms_kvm *kvm;
	struct gms_state *state;
	struct mirror mirror;
	unsigned int
		listener; /* the id of the listener that feeds the mirror; valid if listening is true */
	bool listening;
	struct guest_mailbox *box; /* of the first vCPU */
	bool device_busy;
	unsigned int next_step; /* of the guest */
};

/*
 * Creates a VM whose guest has not begun to run. Its memory is all private or, with a snapshot,
 * what the snapshot says. Returns 0 or -errno. The caller calls vm_destroy() even after a
 * failure.
 */
int vm_create(struct vm *vm, const void *snapshot, size_t size);
void vm_destroy(struct vm *vm);

/*
 * Finds the index of the pages at a gfn. Returns 0; -ENOENT: the first or the last gfn is not
 * bound; -EINVAL: the pages are not contiguous in the memory, or their number is 0 or too large.
 */
int vm_find(const struct vm *vm, uint64_t gfn, uint64_t nr_pages, gms_pgoff_t *index);

/* The mailbox of a vCPU. */
struct guest_mailbox *vm_box(const struct vm *vm, unsigned int number);

/* What a guest asks for: pages at a gfn are to be shared or private. */
struct vm_request {
	uint64_t gfn, nr_pages;
	enum gms_shareability to;
};

/* Returns true if an exit of a vCPU asks for a conversion, by port or by hypercall. */
bool vm_is_request(const struct vm *vm, unsigned int number, const struct machine_exit *exit,
		   struct vm_request *request);

/* Answers the request of a vCPU. @rc: 0 or -errno. */
void vm_answer(const struct vm *vm, unsigned int number, const struct machine_exit *exit, int rc);

/* Returns the host's address of the page at a gfn. guest.h says which gfns there are. */
void *vm_host(const struct vm *vm, uint64_t gfn);

#endif /* VM_H */
