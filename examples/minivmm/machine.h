/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * machine.h - a machine with one or more vCPUs: all that a VMM needs of KVM, except the guest
 * memory that is converted
 *
 * The guest runs in long mode. It runs at CPL3 with IOPL 3, which allows port I/O. After
 * machine_enable_hypercalls() it runs at CPL0. Its first 4 GiB are mapped one to one. The lowest
 * 1 MiB is the machine's own, ordinary memory: page tables, code, stack. Memory that is to be
 * converted lies above it: the user of the machine provides that memory. The vCPUs share the page
 * tables and the code. vCPUs 0 to 3 have a stack each; code for more must not use the stack. An
 * exception ends the guest (MACHINE_EXCEPTION).
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

#define MACHINE_LOW_SIZE (1ULL << 20)
#define MACHINE_CODE 0x1000 /* the code, 32 KiB at most; a vCPU starts at its first byte */
#define MACHINE_STACKS 4
#define MACHINE_STACK(number) (0xf000 - (number)*0x1000) /* the end of the stack of 4 KiB */
#define MACHINE_PAGE_TABLES 0x10000
#define MACHINE_HANDLERS 0x20000 /* what handles an exception: tables, code, stacks */
#define MACHINE_LOW_FREE 0x40000 /* from here to MACHINE_LOW_SIZE: free for the machine's user */

#define MACHINE_EXCEPTION_PORT 0xff /* the machine's own */

#define MACHINE_VM_DEFAULT 0UL
#define MACHINE_VM_SW_PROTECTED 1UL

struct machine_vcpu {
	int fd;
	unsigned int number;
	const uint64_t *frame; /* the end of the stack for exceptions, as the host sees it */
	struct kvm_run *run;
	size_t run_size;
};

struct machine {
	int kvm, vm;
	struct machine_vcpu vcpu; /* the first vCPU; others are the caller's */
	unsigned char *low; /* the host's view of the lowest 1 MiB */
	bool hypercalls; /* machine_enable_hypercalls() has succeeded */
};

/* A machine that was not created. machine_destroy() accepts it. */
#define MACHINE_INIT                                     \
	{                                                \
		.kvm = -1, .vm = -1, .vcpu = {.fd = -1}, \
	}

/* The reasons why a guest stops, and the members of struct machine_exit that are set. */
enum machine_exit_kind {
	MACHINE_OUT, /* port, size, value */
	MACHINE_IN, /* port, size; call machine_answer() before the guest runs again */
	MACHINE_MMIO, /* an address in no memslot: sets gpa, size, is_write, value */
	MACHINE_MEMORY_FAULT, /* KVM_EXIT_MEMORY_FAULT: sets gpa, size in bytes, private */
	MACHINE_HYPERCALL, /* value (its number), args */
	MACHINE_HALT,
	MACHINE_EXCEPTION, /* value (its vector), args (error code, rip, cs, rflags, rsp, cr2) */
	MACHINE_BROKEN, /* value (the exit's number), args[1] (rip): a triple fault, or another exit */
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
	int err; /* what KVM_RUN returned: 0 or -errno (-EFAULT with a memory fault) */
};

/*
 * Creates a VM of a type, with its low memory in memslot 0 and one vCPU. Returns 0 or -errno;
 * -ENOENT: there is no /dev/kvm.
 */
int machine_create(struct machine *m, unsigned long vm_type);

/* Destroys a machine. The caller has removed all vCPUs that it added. */
void machine_destroy(struct machine *m);

/* Returns how many vCPUs KVM recommends at most (KVM_CAP_NR_VCPUS). */
unsigned int machine_max_vcpus(const struct machine *m);

/*
 * Adds a vCPU. @number is 1 for the first that is added, and so on. Returns 0 or -errno; -EINVAL:
 * @number is above 255.
 */
int machine_add_vcpu(const struct machine *m, unsigned int number, struct machine_vcpu *vcpu);
void machine_remove_vcpu(struct machine_vcpu *vcpu);

/*
 * Makes KVM_HC_MAP_GPA_RANGE stop the guest (MACHINE_HYPERCALL). KVM accepts hypercalls from CPL0
 * only, so machine_start() starts at CPL0 afterwards. Returns 0 or -errno; -EOPNOTSUPP: KVM does
 * not have this exit.
 */
int machine_enable_hypercalls(struct machine *m);

/* Puts code at MACHINE_CODE. No vCPU may be running. Returns 0 or -errno. */
int machine_load(struct machine *m, const void *code, size_t size);

/*
 * Puts a vCPU, which must not be running, at the first instruction of the code, with rdi = @arg.
 * Returns 0 or -errno.
 */
int machine_start(const struct machine *m, struct machine_vcpu *vcpu, uint64_t arg);

/* Runs a vCPU until the guest stops. Returns 0 or -errno; -EINTR: a signal arrived. */
int machine_run(struct machine_vcpu *vcpu, struct machine_exit *exit);

/* Says in a line why a guest stopped, for a VMM that did not expect it. */
void machine_explain(const struct machine_exit *exit, char *text, size_t size);

/*
 * If @now is true, machine_run() returns -EINTR at once, until this function is called with
 * false. Another thread calls this before it sends a signal to the vCPU's thread. So a signal
 * that arrives just before KVM_RUN has its effect, too.
 */
void machine_exit_at_once(struct machine_vcpu *vcpu, bool now);

/*
 * Sets the value that the guest receives when it goes on: the result of a port read (MACHINE_IN),
 * of an MMIO read (MACHINE_MMIO), or of a hypercall.
 */
void machine_answer(struct machine_vcpu *vcpu, uint64_t value);

#endif /* MACHINE_H */
