// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vm.c - minivmm's VM: creation and destruction, as in any VMM
 */
#include "vm.h"

#include <errno.h>
#include <string.h>

#include "check.h"

/* The guest is a file of machine code. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"vm_guest_size: .quad 1f - vm_guest_code\n"
	"vm_guest_code: .incbin \"" GUEST_FILE "\"\n"
	"1: .popsection");
extern const uint64_t vm_guest_size;
extern const unsigned char vm_guest_code[];

/*
 * Creates a machine of the protected type, which has private memory of its own, if KVM offers
 * that type; else an ordinary machine. The guest of a protected machine requests conversions by
 * hypercall, unless KVM is too old to exit to the VMM at a hypercall.
 */
static int vm_create_machine(struct vm *vm, bool restored)
{
	int rc = machine_create(&vm->machine, MACHINE_VM_SW_PROTECTED);
	bool protected = !rc;

	if (rc == -EINVAL)
		rc = machine_create(&vm->machine, MACHINE_VM_DEFAULT);
	if (rc)
		return rc;
	vm->box = vm_box(vm, 0);
	vm->box->role = restored ? GUEST_SECOND_VM : GUEST_FIRST;
	vm->next_step = restored ? GUEST_STEP_RESTORED : GUEST_STEP_SECRETS;
	vm->box->hypercalls = protected && !machine_enable_hypercalls(&vm->machine);
	rc = vcpus_init(&vm->vcpus);
	if (!rc)
		vcpus_add(&vm->vcpus, &vm->machine.vcpu);
	if (!rc)
		rc = machine_load(&vm->machine, vm_guest_code, vm_guest_size);
	return rc ? rc : machine_start(&vm->machine, &vm->machine.vcpu, MACHINE_LOW_FREE);
}

struct guest_mailbox *vm_box(const struct vm *vm, unsigned int number)
{
	return (struct guest_mailbox *)(vm->machine.low + MACHINE_LOW_FREE) + number;
}

bool vm_is_request(const struct vm *vm, unsigned int number, const struct machine_exit *exit,
		   struct vm_request *request)
{
	const struct guest_mailbox *box = vm_box(vm, number);
	bool private;

	if (exit->kind == MACHINE_OUT && exit->port == GUEST_PORT_CONVERT) {
		request->gfn = box->gfn;
		request->nr_pages = box->nr_pages;
		private = box->to_private;
	} else if (exit->kind == MACHINE_HYPERCALL && exit->value == GUEST_HC_MAP_GPA_RANGE) {
		request->gfn = exit->args[0] / GUEST_PAGE_SIZE;
		request->nr_pages = exit->args[1];
		private = exit->args[2] & GUEST_HC_PRIVATE;
	} else {
		return false;
	}
	request->to = private ? GMS_PRIVATE : GMS_SHARED;
	return true;
}

void vm_answer(const struct vm *vm, unsigned int number, const struct machine_exit *exit, int rc)
{
	const uint64_t answer = gms_kvm_hypercall_ret(rc);

	if (exit->kind == MACHINE_OUT)
		vm_box(vm, number)->result = answer;
	else
		machine_answer(vm->vcpus.cpu[number].vcpu, answer);
}

/* Lets the guest see pages at a gfn: in KVM, and in the state. */
static int vm_map(struct vm *vm, uint64_t gfn, gms_pgoff_t start, uint64_t nr_pages)
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
	int rc = vm_create_machine(vm, snapshot);

	if (rc)
		return rc;

	kvm_opts.vm_fd = vm->machine.vm;
	kvm_opts.way = vm->way;
	kvm_opts.nr_pages = GUEST_PAGES;
	kvm_opts.first_slot = 1; /* memslot 0 is the machine's */
	kvm_opts.nr_slots = 256;
	kvm_opts.flags = GMS_KVM_INIT_PRIVATE; /* the host sees no page before the sync */
	kvm_opts.stop_vcpus = vcpus_stop; /* by memslots only, and while a second vCPU runs */
	kvm_opts.resume_vcpus = vcpus_resume;
	kvm_opts.ctx = &vm->vcpus;
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
		rc = vm_map(vm, GUEST_GFN, 0, GUEST_PIECE_PAGES);
	if (!rc)
		rc = vm_map(vm, GUEST_GFN_HIGH, GUEST_PIECE_PAGES, GUEST_PIECE_PAGES);

	/* In a VMM vhost and VFIO are listeners. */
	if (!rc)
		rc = gms_listener_register(vm->state, &mirror_ops, &vm->mirror, 0, GUEST_PAGES, 1,
					   &vm->listener);
	vm->listening = !rc;
	return rc;
}

void vm_destroy(struct vm *vm)
{
	if (vm->listening) {
		check_hold(!gms_listener_unregister(vm->state, vm->listener),
			   "the listener can be unregistered");
		check_hold(!mirror_pages(&vm->mirror), "the listener has no pages left");
	}
	gms_state_destroy(vm->state);
	check_hold(!gms_kvm_destroy(vm->kvm), "no memslot is left");
	machine_destroy(&vm->machine);
	vcpus_fini(&vm->vcpus);
}

int vm_find(const struct vm *vm, uint64_t gfn, uint64_t nr_pages, gms_pgoff_t *index)
{
	gms_pgoff_t last = 0;
	int rc;

	/* a guest may request any range */
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
		check_hold(false, "the gfn is bound");
	return (char *)gms_kvm_host(vm->kvm) + index * GUEST_PAGE_SIZE;
}
