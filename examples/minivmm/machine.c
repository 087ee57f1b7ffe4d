// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * machine.c - a machine and its vCPUs, by the ioctls of /dev/kvm
 *
 * A VMM has all of this already, in another form. Only the memory fault exit has to do with
 * private memory: the guest touched a shared page as private, or a private page as shared.
 *
 * The guest has no kernel: no interrupts and no system calls. Each exception ends the guest, and
 * tells which it was (MACHINE_EXCEPTION). At CPL3 hlt is an exception as well, so the guest stops
 * by port I/O.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Headers older than Linux 6.8 lack these. */
#define MACHINE_EXIT_MEMORY_FAULT 39
#define MACHINE_FAULT_PRIVATE (1ULL << 3)

struct machine_memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

#define MACHINE_CODE_SIZE (32U << 10)
#define MACHINE_MAX_CPUID 256

#define MACHINE_CR0_LONG_MODE 0x80050033ULL /* PG AM WP NE ET MP PE */
#define MACHINE_CR4_PAE (1ULL << 5)
#define MACHINE_EFER_LONG_MODE 0x500ULL /* LMA LME */
#define MACHINE_RFLAGS_ALWAYS (1ULL << 1)
#define MACHINE_RFLAGS_IOPL_3 (3ULL << 12)

#define MACHINE_PTE_USER 0x7ULL /* present, writable, for CPL3 */
#define MACHINE_PTE_2M (1ULL << 7)

/*
 * The memory at MACHINE_HANDLERS. Each exception has its handler, which pushes its vector and
 * leaves the guest by a port. A vCPU handles exceptions on a stack of its own, behind its TSS.
 */
#define MACHINE_IDT MACHINE_HANDLERS
#define MACHINE_GDT (MACHINE_HANDLERS + 0x400)
#define MACHINE_HANDLER(vector) (MACHINE_HANDLERS + 0x800 + (vector)*8)
#define MACHINE_TSS(number) (MACHINE_HANDLERS + 0x1000 + (number)*0x100)

#define MACHINE_NR_VECTORS 32U
#define MACHINE_HAS_ERROR_CODE 0x60227d00U /* a bit per vector: 8, 10 to 14, 17, 21, 29, 30 */
#define MACHINE_MAX_VCPUS 256U
#define MACHINE_TSS_IST1 0x24 /* the offset of its stack in the TSS */
#define MACHINE_TSS_SIZE 0x68

#define MACHINE_CODE_SELECTOR 0x8
#define MACHINE_CODE_DESCRIPTOR 0x00209b0000000000ULL /* 64-bit code for CPL0 */
#define MACHINE_INTERRUPT_GATE 0x8e01ULL /* present, for CPL0, with the first stack of the TSS */

static int machine_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

/* Makes a request whose argument is a number. */
static int machine_ioctl_nr(int fd, unsigned long request, unsigned long nr)
{
	int rc = ioctl(fd, request, nr);

	return rc < 0 ? -errno : rc;
}

/* Maps 4 GiB one to one: a page of the top level, one of the next level, four of 2M entries. */
static void machine_make_page_tables(unsigned char *low)
{
	uint64_t *top = (uint64_t *)(low + MACHINE_PAGE_TABLES), *next = top + 512;
	uint64_t *entries = next + 512;

	top[0] = (MACHINE_PAGE_TABLES + 0x1000) | MACHINE_PTE_USER;
	for (uint64_t i = 0; i < 4; i++)
		next[i] = (MACHINE_PAGE_TABLES + 0x2000 + (i << 12)) | MACHINE_PTE_USER;
	for (uint64_t i = 0; i < 4 * 512; i++)
		entries[i] = i << 21 | MACHINE_PTE_2M | MACHINE_PTE_USER;
}

/* Makes the tables and the handlers of exceptions, for all vCPUs that may be added. */
static void machine_make_handlers(unsigned char *low)
{
	uint64_t *idt = (uint64_t *)(low + MACHINE_IDT), *gdt = (uint64_t *)(low + MACHINE_GDT);

	gdt[MACHINE_CODE_SELECTOR / 8] = MACHINE_CODE_DESCRIPTOR;
	for (unsigned int i = 0; i < MACHINE_NR_VECTORS; i++) {
		const uint64_t at = MACHINE_HANDLER(i);
		unsigned char *code = low + at;

		idt[2 * i] = (at & 0xffff) | MACHINE_CODE_SELECTOR << 16 |
			     MACHINE_INTERRUPT_GATE << 32 | (at & 0xffff0000) << 32;
		if (!(MACHINE_HAS_ERROR_CODE & 1U << i)) {
			*code++ = 0x6a; /* push $0 */
			*code++ = 0;
		}
		*code++ = 0x6a; /* push $vector */
		*code++ = (unsigned char)i;
		*code++ = 0xe6; /* out %al, $port */
		*code++ = MACHINE_EXCEPTION_PORT;
	}
	for (unsigned int i = 0; i < MACHINE_MAX_VCPUS; i++) {
		const uint64_t stack_end = MACHINE_TSS(i + 1);

		memcpy(low + MACHINE_TSS(i) + MACHINE_TSS_IST1, &stack_end, sizeof(stack_end));
	}
}

static int machine_make_low_memory(struct machine *m)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 0,
		.memory_size = MACHINE_LOW_SIZE,
	};
	void *low = mmap(NULL, MACHINE_LOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	if (low == MAP_FAILED)
		return -errno;
	m->low = low;
	machine_make_page_tables(m->low);
	machine_make_handlers(m->low);
	slot.userspace_addr = (uintptr_t)low;
	return machine_ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

/* Gives a vCPU all features that KVM supports: long mode is one of them. */
static int machine_set_cpuid(const struct machine *m, const struct machine_vcpu *vcpu)
{
	size_t size =
		sizeof(struct kvm_cpuid2) + MACHINE_MAX_CPUID * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *cpuid = calloc(1, size);
	int rc;

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MACHINE_MAX_CPUID;
	rc = machine_ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (rc >= 0)
		rc = machine_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return rc;
}

static int machine_map_run(const struct machine *m, struct machine_vcpu *vcpu)
{
	int size = machine_ioctl_nr(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	if (size < 0)
		return size;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vcpu->run = run;
	vcpu->run_size = (size_t)size;
	return 0;
}

int machine_add_vcpu(const struct machine *m, unsigned int number, struct machine_vcpu *vcpu)
{
	int rc;

	*vcpu = (struct machine_vcpu) {.fd = -1, .number = number};
	if (number >= MACHINE_MAX_VCPUS)
		return -EINVAL;
	vcpu->frame = (const uint64_t *)(m->low + MACHINE_TSS(number + 1));
	vcpu->fd = rc = machine_ioctl_nr(m->vm, KVM_CREATE_VCPU, number);
	if (rc >= 0)
		rc = machine_map_run(m, vcpu);
	if (rc >= 0)
		rc = machine_set_cpuid(m, vcpu);
	if (rc < 0)
		machine_remove_vcpu(vcpu);
	return rc < 0 ? rc : 0;
}

void machine_remove_vcpu(struct machine_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	*vcpu = (struct machine_vcpu) {.fd = -1};
}

unsigned int machine_max_vcpus(const struct machine *m)
{
	int rc = machine_ioctl_nr(m->vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);

	return rc > 0 ? (unsigned int)rc : 1;
}

/* An instruction that KVM cannot emulate ends the guest. In an older KVM it is a #UD. */
static void machine_exit_on_emulation_failure(const struct machine *m)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = {1}};

	machine_ioctl(m->vm, KVM_ENABLE_CAP, &cap);
}

int machine_create(struct machine *m, unsigned long vm_type)
{
	int rc;

	*m = (struct machine)MACHINE_INIT;
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		return -errno;
	m->vm = rc = machine_ioctl_nr(m->kvm, KVM_CREATE_VM, vm_type);
	if (rc >= 0)
		rc = machine_make_low_memory(m);
	if (rc >= 0)
		machine_exit_on_emulation_failure(m);
	if (rc >= 0)
		rc = machine_add_vcpu(m, 0, &m->vcpu);
	if (rc < 0) {
		machine_destroy(m);
		return rc;
	}
	return 0;
}

void machine_destroy(struct machine *m)
{
	machine_remove_vcpu(&m->vcpu);
	if (m->vm >= 0)
		close(m->vm);
	if (m->kvm >= 0)
		close(m->kvm);
	if (m->low)
		munmap(m->low, MACHINE_LOW_SIZE);
	*m = (struct machine)MACHINE_INIT;
}

int machine_enable_hypercalls(struct machine *m)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = {1ULL << KVM_HC_MAP_GPA_RANGE},
	};
	int rc = machine_ioctl_nr(m->vm, KVM_CHECK_EXTENSION, KVM_CAP_EXIT_HYPERCALL);

	if (rc < 0)
		return rc;
	if (!((unsigned int)rc & 1U << KVM_HC_MAP_GPA_RANGE))
		return -EOPNOTSUPP;
	rc = machine_ioctl(m->vm, KVM_ENABLE_CAP, &cap);
	if (rc < 0)
		return rc;
	m->hypercalls = true;
	return 0;
}

/*
 * Puts a vCPU into long mode with flat segments. The guest loads no segment, so the descriptor
 * table has only what the handlers of exceptions need.
 */
static int machine_set_long_mode(const struct machine_vcpu *vcpu, unsigned char cpl)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 1 << 3 | cpl,
		.type = 11, /* code, readable, accessed */
		.present = 1,
		.dpl = cpl,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = code;
	struct kvm_sregs sregs;
	int rc = machine_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (rc)
		return rc;
	data.selector = 2 << 3 | cpl;
	data.type = 3; /* data, writable, accessed */
	data.l = 0;
	data.db = 1;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = (struct kvm_segment) {
		.base = MACHINE_TSS(vcpu->number),
		.limit = MACHINE_TSS_SIZE - 1,
		.selector = 2 << 3,
		.type = 11, /* a busy TSS */
		.present = 1,
	};
	sregs.idt.base = MACHINE_IDT;
	sregs.idt.limit = MACHINE_NR_VECTORS * 16 - 1;
	sregs.gdt.base = MACHINE_GDT;
	sregs.gdt.limit = 2 * 8 - 1;
	sregs.cr0 = MACHINE_CR0_LONG_MODE;
	sregs.cr3 = MACHINE_PAGE_TABLES;
	sregs.cr4 = MACHINE_CR4_PAE;
	sregs.efer = MACHINE_EFER_LONG_MODE;
	return machine_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

int machine_load(struct machine *m, const void *code, size_t size)
{
	if (!size || size > MACHINE_CODE_SIZE)
		return -EINVAL;
	memset(m->low + MACHINE_CODE, 0, MACHINE_CODE_SIZE);
	memcpy(m->low + MACHINE_CODE, code, size);
	memset(m->low + MACHINE_STACK(MACHINE_STACKS), 0, MACHINE_STACKS * 0x1000);
	return 0;
}

int machine_start(const struct machine *m, struct machine_vcpu *vcpu, uint64_t arg)
{
	struct kvm_regs regs = {
		.rip = MACHINE_CODE,
		/* the stack of a function that was just called: aligned, below a return address */
		.rsp = MACHINE_STACK(vcpu->number % MACHINE_STACKS) - 8,
		.rdi = arg,
		.rflags = MACHINE_RFLAGS_ALWAYS | MACHINE_RFLAGS_IOPL_3,
	};
	int rc;

	/* If the vCPU is at an exit, KVM_RUN first completes the instruction of that exit. */
	machine_exit_at_once(vcpu, true);
	rc = machine_ioctl_nr(vcpu->fd, KVM_RUN, 0);
	machine_exit_at_once(vcpu, false);
	if (rc && rc != -EINTR)
		return rc;

	rc = machine_set_long_mode(vcpu, m->hypercalls ? 0 : 3);
	if (!rc)
		rc = machine_ioctl(vcpu->fd, KVM_SET_REGS, &regs);
	return rc;
}

/* Reads what an exception and its handler have pushed, from the end of the stack: ss first. */
static void machine_read_exception(const struct machine_vcpu *vcpu, struct machine_exit *exit)
{
	const uint64_t *frame = vcpu->frame;
	struct kvm_sregs sregs = {0};

	machine_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);
	exit->kind = MACHINE_EXCEPTION;
	exit->value = frame[-7];
	exit->args[0] = frame[-6]; /* error code */
	exit->args[1] = frame[-5]; /* rip */
	exit->args[2] = frame[-4]; /* cs */
	exit->args[3] = frame[-3]; /* rflags */
	exit->args[4] = frame[-2]; /* rsp */
	exit->args[5] = sregs.cr2;
}

static void machine_read_broken(const struct machine_vcpu *vcpu, struct machine_exit *exit)
{
	struct kvm_regs regs = {0};

	machine_ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	exit->kind = MACHINE_BROKEN;
	exit->value = vcpu->run->exit_reason;
	exit->args[1] = regs.rip;
}

static void machine_read_io(const struct machine_vcpu *vcpu, struct machine_exit *exit)
{
	const struct kvm_run *run = vcpu->run;

	if (run->io.port == MACHINE_EXCEPTION_PORT) {
		machine_read_exception(vcpu, exit);
		return;
	}
	if (run->io.count != 1) { /* rep outs, rep ins */
		machine_read_broken(vcpu, exit);
		return;
	}
	exit->kind = run->io.direction == KVM_EXIT_IO_OUT ? MACHINE_OUT : MACHINE_IN;
	exit->port = run->io.port;
	exit->size = run->io.size;
	if (exit->kind == MACHINE_OUT)
		memcpy(&exit->value, (const char *)run + run->io.data_offset, run->io.size);
}

static void machine_read_mmio(const struct kvm_run *run, struct machine_exit *exit)
{
	exit->kind = MACHINE_MMIO;
	exit->gpa = run->mmio.phys_addr;
	exit->size = run->mmio.len;
	exit->is_write = run->mmio.is_write;
	if (exit->is_write && run->mmio.len <= sizeof(exit->value))
		memcpy(&exit->value, run->mmio.data, run->mmio.len);
}

static void machine_read_memory_fault(const struct kvm_run *run, struct machine_exit *exit)
{
	struct machine_memory_fault fault;

	memcpy(&fault, run->padding, sizeof(fault));
	exit->kind = MACHINE_MEMORY_FAULT;
	exit->gpa = fault.gpa;
	exit->size = fault.size;
	exit->private = fault.flags & MACHINE_FAULT_PRIVATE;
}

int machine_run(struct machine_vcpu *vcpu, struct machine_exit *exit)
{
	const struct kvm_run *run = vcpu->run;

	memset(exit, 0, sizeof(*exit));
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	exit->err = machine_ioctl_nr(vcpu->fd, KVM_RUN, 0);
	if (exit->err && run->exit_reason != MACHINE_EXIT_MEMORY_FAULT)
		return exit->err;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		machine_read_io(vcpu, exit);
		break;
	case KVM_EXIT_MMIO:
		machine_read_mmio(run, exit);
		break;
	case MACHINE_EXIT_MEMORY_FAULT:
		machine_read_memory_fault(run, exit);
		break;
	case KVM_EXIT_HYPERCALL:
		exit->kind = MACHINE_HYPERCALL;
		exit->value = run->hypercall.nr;
		for (int i = 0; i < 6; i++)
			exit->args[i] = run->hypercall.args[i];
		break;
	case KVM_EXIT_HLT:
		exit->kind = MACHINE_HALT;
		break;
	default:
		machine_read_broken(vcpu, exit);
		break;
	}
	return 0;
}

void machine_explain(const struct machine_exit *exit, char *text, size_t size)
{
	const uint64_t *args = exit->args;

	if (exit->kind == MACHINE_EXCEPTION)
		snprintf(text, size,
			 "exception %" PRIu64 ", error code %#" PRIx64 ", cs:rip %" PRIx64
			 ":%#" PRIx64 ", rflags %#" PRIx64 ", rsp %#" PRIx64 ", cr2 %#" PRIx64,
			 exit->value, args[0], args[2], args[1], args[3], args[4], args[5]);
	else if (exit->kind == MACHINE_BROKEN)
		snprintf(text, size, "KVM's exit %" PRIu64 ", rip %#" PRIx64, exit->value, args[1]);
	else
		snprintf(text, size, "exit %d, port %#x, gpa %#" PRIx64 ", value %" PRIu64,
			 (int)exit->kind, exit->port, exit->gpa, exit->value);
}

void machine_exit_at_once(struct machine_vcpu *vcpu, bool now)
{
	__atomic_store_n(&vcpu->run->immediate_exit, now, __ATOMIC_SEQ_CST);
}

void machine_answer(struct machine_vcpu *vcpu, uint64_t value)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.direction == KVM_EXIT_IO_IN)
			memcpy((char *)run + run->io.data_offset, &value, run->io.size);
		break;
	case KVM_EXIT_MMIO:
		if (!run->mmio.is_write)
			memcpy(run->mmio.data, &value, sizeof(run->mmio.data));
		break;
	case KVM_EXIT_HYPERCALL:
		run->hypercall.ret = value;
		break;
	default:
		break;
	}
}
