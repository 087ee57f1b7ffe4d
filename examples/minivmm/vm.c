// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vm.c - minivmm's VM: what a VMM does at its beginning, and at its end
 */
#include "vm.h"

#include <errno.h>
#include <string.h>

#include "check.h"

/* The guest is a file of machine code. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"guest_size: .quad 1f - guest_code\n"
	"guest_code: .incbin \"" GUEST_FILE "\"\n"
	"1: .popsection");
extern const uint64_t guest_size;
extern const unsigned char guest_code[];

/*
 * A machine that knows private memory by itself, if KVM has any; else an ordinary one, where
 * gms_kvm finds a way. Hypercalls are for the former: the latter may be a KVM without them.
 */
static int create_machine(struct vm *vm, bool restored)
{
	int rc = machine_create(&vm->machine, MACHINE_VM_SW_PROTECTED);
	bool protected = !rc;

	if (rc == -EINVAL)
		rc = machine_create(&vm->machine, MACHINE_VM_DEFAULT);
	if (rc)
		return rc;
	vm->box = (struct mailbox *)(vm->machine.low + MACHINE_LOW_FREE);
	vm->box->restored = restored;
	vm->next_step = restored ? STEP_RESTORED : STEP_SECRETS;
	vm->box->hypercalls = protected && !machine_enable_hypercalls(&vm->machine);
	rc = machine_load(&vm->machine, guest_code, guest_size);
	return rc ? rc : machine_start(&vm->machine, &vm->machine.vcpu, MACHINE_LOW_FREE);
}

/* What the guest sees of its memory: KVM is told, and the state. */
static int map(struct vm *vm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages)
{
	unsigned int id;
	int rc = gms_kvm_map(vm->kvm, gfn, start, nr_pages);

	if (!rc)
		rc = gms_bind(vm->state, gfn, start, nr_pages, &id);
	return rc;
}

int vm_create(struct vm *vm, const void *snapshot, size_t size)
{
	struct gms_kvm_opts kvm_opts = GMS_KVM_OPTS_INIT;
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	int rc = create_machine(vm, snapshot);

	if (rc)
		return rc;

	kvm_opts.vm_fd = vm->machine.vm;
	kvm_opts.nr_pages = GUEST_PAGES;
	kvm_opts.first_slot = 1; /* 0 is the machine's */
	kvm_opts.nr_slots = 256;
	kvm_opts.flags = GMS_KVM_INIT_PRIVATE; /* nothing is visible before the sync */
	/* There is one vCPU, and it is not running while it asks: nothing has to stop it. */
	rc = gms_kvm_create(&kvm_opts, &vm->kvm);
	if (rc)
		return rc;

	opts.nr_pages = GUEST_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	opts.backend = gms_kvm_backend();
	opts.backend_ctx = vm->kvm;
	rc = snapshot ? gms_snapshot_load(snapshot, size, &opts, &vm->state)
		      : gms_state_create(&opts, &vm->state);
	if (!rc)
		rc = gms_kvm_sync(vm->kvm, vm->state); /* a snapshot may have shared pages */
	if (!rc)
		rc = map(vm, GUEST_GFN, 0, GUEST_PIECE_PAGES);
	if (!rc)
		rc = map(vm, GUEST_GFN_HIGH, GUEST_PIECE_PAGES, GUEST_PIECE_PAGES);

	/* Vhost and VFIO would be listeners; this one only keeps account. */
	if (!rc)
		rc = gms_listener_register(vm->state, &mirror_ops, &vm->mirror, 0, GUEST_PAGES, 1,
					   &vm->listener);
	vm->listening = !rc;
	return rc;
}

void vm_destroy(struct vm *vm)
{
	if (vm->listening) {
		hold(!gms_listener_unregister(vm->state, vm->listener), "the listener ends");
		hold(!mirror_pages(&vm->mirror), "the listener has let go of everything");
	}
	gms_state_destroy(vm->state);
	hold(!gms_kvm_destroy(vm->kvm), "no memslot is left");
	machine_destroy(&vm->machine);
}

int vm_find(const struct vm *vm, uint64_t gfn, uint64_t nr_pages, gms_pgoff_t *index)
{
	gms_pgoff_t last = 0;
	int rc;

	/* The guest may ask for anything. */
	if (!nr_pages || nr_pages > GUEST_PAGES)
		return -EINVAL;
	rc = gms_gfn_to_index(vm->state, gfn, index);
	if (!rc)
		rc = gms_gfn_to_index(vm->state, gfn + nr_pages - 1, &last);
	if (!rc && last - *index != nr_pages - 1)
		rc = -EINVAL;
	return rc;
}

void *vm_host(const struct vm *vm, uint64_t gfn)
{
	gms_pgoff_t index = 0;

	if (gms_gfn_to_index(vm->state, gfn, &index))
		hold(false, "the gfn is bound");
	return (char *)gms_kvm_host(vm->kvm) + index * GUEST_PAGE_SIZE;
}
