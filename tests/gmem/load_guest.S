/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load_guest.S - the guest of load.c: checks its pages and writes new generations (load_command.h)
 *
 * Each vCPU is started here with the address of its own command in rdi. The code uses no stack.
 * A fault that leaves KVM_RUN repeats its instruction, so all is kept in registers.
 *
 *	r8 page   rbx its address   r9 its record   r10 generation   r12 step   r15 asked by the host
 */
#include "load_command.h"

	.section .rodata
	.globl	load_guest_begin, load_guest_end
load_guest_begin:
	movabsq	$LOAD_STEP, %r12
.Lnext:
	cmpq	$0, LOAD_STOP(%rdi)
	jne	.Ldone
	movl	$1, %r15d
	movq	LOAD_CURSOR(%rdi), %r8
	cmpq	LOAD_END(%rdi), %r8
	jb	.Lcheck
	xorl	%r15d, %r15d

	/* choose a page: half of them by chance in the focus */
	movq	LOAD_RNG(%rdi), %rax
	movabsq	$6364136223846793005, %rdx
	imulq	%rdx, %rax
	incq	%rax
	movq	%rax, LOAD_RNG(%rdi)
	shrq	$33, %rax
	movq	LOAD_FOCUS_NR(%rdi), %rcx
	testq	%rcx, %rcx
	jz	.Lsequential
	testl	$0x40000000, %eax
	jz	.Lsequential
	xorl	%edx, %edx
	divq	%rcx
	movq	LOAD_FOCUS(%rdi), %r8
	addq	%rdx, %r8
	movq	%r8, %rax /* the vCPU's own page that is nearest */
	xorl	%edx, %edx
	divq	LOAD_NR_VCPUS(%rdi)
	subq	%rdx, %r8
	addq	LOAD_ME(%rdi), %r8
	cmpq	LOAD_NR_PAGES(%rdi), %r8
	jb	.Lcheck
.Lsequential:
	movq	LOAD_NEXT(%rdi), %r8
	movq	LOAD_NR_VCPUS(%rdi), %rax
	addq	%r8, %rax
	cmpq	LOAD_NR_PAGES(%rdi), %rax
	jb	1f
	movq	LOAD_ME(%rdi), %rax
1:
	movq	%rax, LOAD_NEXT(%rdi)

.Lcheck:
	movq	%r8, %rbx
	shlq	$12, %rbx
	addq	LOAD_PAGES(%rdi), %rbx
	movq	%r8, %r9
	shlq	$LOAD_RECORD_SHIFT, %r9
	addq	LOAD_RECORDS(%rdi), %r9
	movl	LOAD_RECORD_DONE(%r9), %r10d

	/* r11 the next word, r13 the checksum, rcx the number of the word */
	movq	%r8, %r11
	shlq	$32, %r11
	orq	%r10, %r11
	movabsq	$LOAD_MULTIPLIER, %rax
	imulq	%rax, %r11
	xorl	%r13d, %r13d
	xorl	%ecx, %ecx
1:
	movq	(%rbx, %rcx, 8), %rdx
	rolq	$1, %r13
	addq	%rdx, %r13
	cmpq	%rdx, %r11
	jne	.Lbad
	addq	%r12, %r11
	incl	%ecx
	cmpl	$LOAD_SUM, %ecx
	jb	1b
	movq	(%rbx, %rcx, 8), %rdx
	movq	%r13, %r11
	cmpq	%rdx, %r11
	jne	.Lbad

	/* the words of the hosts: rdx the word, eax its number, from r11d to esi */
	.irp	host, 0, 1
	movl	$(LOAD_HOST + \host), %ecx
	movl	LOAD_RECORD_HOST + 8 * \host + LOAD_RECORD_DONE(%r9), %r11d
	movq	(%rbx, %rcx, 8), %rdx
	movl	LOAD_RECORD_HOST + 8 * \host + LOAD_RECORD_BEGUN(%r9), %esi
	movq	%rdx, %rax
	testq	%rdx, %rdx
	jz	2f
	movabsq	$LOAD_MARK, %r13
	xorq	%r13, %rax
	movl	%r8d, %r13d
	shll	$8, %r13d
	orl	$\host, %r13d
	cmpl	%r13d, %eax
	jne	.Lbad
	shrq	$32, %rax
2:
	cmpl	%r11d, %eax
	jb	.Lbad
	cmpl	%esi, %eax
	ja	.Lbad
	.endr

	incq	LOAD_CHECKS(%rdi)
	testl	%r15d, %r15d
	jz	3f
	addq	LOAD_NR_VCPUS(%rdi), %r8
	movq	%r8, LOAD_CURSOR(%rdi)
	jmp	.Lnext
3:
	btq	$40, LOAD_RNG(%rdi)
	jnc	.Lnext

	/* a new generation */
	incl	%r10d
	movl	%r10d, LOAD_RECORD_BEGUN(%r9)
	movq	%r8, %r11
	shlq	$32, %r11
	orq	%r10, %r11
	movabsq	$LOAD_MULTIPLIER, %rax
	imulq	%rax, %r11
	xorl	%r13d, %r13d
	xorl	%ecx, %ecx
4:
	movq	%r11, (%rbx, %rcx, 8)
	rolq	$1, %r13
	addq	%r11, %r13
	addq	%r12, %r11
	incl	%ecx
	cmpl	$LOAD_SUM, %ecx
	jb	4b
	movq	%r13, (%rbx, %rcx, 8)
	movl	%r10d, LOAD_RECORD_DONE(%r9)
	jmp	.Lnext

	/* rcx the number of the word, rdx the word, r11 what it should be */
.Lbad:
	movq	%r8, LOAD_BAD_PAGE(%rdi)
	movq	%rcx, LOAD_BAD_WORD(%rdi)
	movq	%rdx, LOAD_BAD_GOT(%rdi)
	movq	%r11, LOAD_BAD_WANT(%rdi)
	outb	%al, $LOAD_BAD_PORT
	jmp	.Lbad
.Ldone:
	outb	%al, $LOAD_DONE_PORT
	jmp	.Ldone
load_guest_end:

	.section .note.GNU-stack, "", @progbits
