/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine.h - a machine with a vCPU, or several: what a VMM needs of KVM besides its memory
 *
 * The guest runs in long mode, at CPL3 with IOPL 3 (so that it may use ports) or, with hypercalls,
 * at CPL0; its first 4 GiB are mapped one to one. The lowest 1 MiB is the machine's own, ordinary
 * memory: page tables, code, stack. The guest's memory that is converted is put elsewhere, by
 * whoever uses this. The vCPUs share the page tables, the code and the stack: code for several of
 * them uses no stack.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

#define MACHINE_LOW_SIZE (1ULL << 20)
#define MACHINE_CODE 0x1000 /* where code is put, 32 KiB at most, and begins */
#define MACHINE_STACK 0xf000 /* its stack ends here; 16 KiB */
#define MACHINE_PAGE_TABLES 0x10000
#define MACHINE_LOW_FREE 0x40000 /* from here to MACHINE_LOW_SIZE: whatever the user likes */

#define MACHINE_VM_DEFAULT 0UL
#define MACHINE_VM_SW_PROTECTED 1UL

struct machine_vcpu {
	int fd;
	struct kvm_run *run;
	size_t run_size;
};

struct machine {
	int kvm, vm;
	struct machine_vcpu vcpu; /* the first; others are the caller's */
	unsigned char *low; /* the host's view of the lowest 1 MiB */
	bool hypercalls; /* machine_enable_hypercalls() was called */
};

/* A machine that was not created, for machine_destroy(). */
#define MACHINE_INIT                                     \
	{                                                \
		.kvm = -1, .vm = -1, .vcpu = {.fd = -1}, \
	}

/* Why the guest stopped. */
enum machine_exit_kind {
	MACHINE_OUT, /* port, size, value */
	MACHINE_IN, /* port, size; the answer goes to machine_answer() before it runs again */
	MACHINE_MMIO, /* gpa, size, is_write, value: it touched what is in no memslot */
	MACHINE_MEMORY_FAULT, /* gpa, size (bytes), private: KVM_EXIT_MEMORY_FAULT */
	MACHINE_HYPERCALL, /* value is its number, args */
	MACHINE_HALT,
	MACHINE_BROKEN, /* a triple fault or another exit: value is its number */
};

struct machine_exit {
	enum machine_exit_kind kind;
	uint16_t port;
	bool is_write;
	bool private;
	uint64_t gpa;
	uint64_t size;
	uint64_t value;
	uint64_t args[6];
	int err; /* what KVM_RUN itself returned: 0 or -errno (-EFAULT with a memory fault) */
};

/* A VM of a type, its low memory in memslot 0, and a vCPU. 0 or -errno; -ENOENT: no /dev/kvm. */
int machine_create(struct machine *m, unsigned long vm_type);

/* The vCPUs that were added have been removed. */
void machine_destroy(struct machine *m);

/* How many vCPUs KVM recommends at most (KVM_CAP_NR_VCPUS). */
unsigned int machine_max_vcpus(const struct machine *m);

/* One more vCPU. @number: 1 for the first that is added, and so on. 0 or -errno. */
int machine_add_vcpu(const struct machine *m, unsigned int number, struct machine_vcpu *vcpu);
void machine_remove_vcpu(struct machine_vcpu *vcpu);

/*
 * Let KVM_HC_MAP_GPA_RANGE stop the guest (MACHINE_HYPERCALL). KVM takes hypercalls from CPL0 only,
 * so that is where machine_start() begins from then on. 0; -EOPNOTSUPP: KVM has no such exit.
 */
int machine_enable_hypercalls(struct machine *m);

/* Put code at MACHINE_CODE. No vCPU is running. 0 or -errno. */
int machine_load(struct machine *m, const void *code, size_t size);

/* Put a vCPU, which is not running, at the first instruction, with rdi = @arg. 0 or -errno. */
int machine_start(const struct machine *m, struct machine_vcpu *vcpu, uint64_t arg);

/* Run until the guest stops. 0 or -errno; -EINTR: a signal came. */
int machine_run(struct machine_vcpu *vcpu, struct machine_exit *exit);

/*
 * @now: machine_run() returns -EINTR at once, until the same is called with false. For other
 * threads, with a signal: one that comes just before the vCPU's thread enters the kernel is
 * not lost then.
 */
void machine_exit_at_once(struct machine_vcpu *vcpu, bool now);

/* What a MACHINE_IN, or the read of a MACHINE_MMIO, is to find; or a hypercall to return. */
void machine_answer(struct machine_vcpu *vcpu, uint64_t value);

#endif /* MACHINE_H */
