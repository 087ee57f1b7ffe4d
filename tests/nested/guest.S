/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guest.S - the guest of the comparison: touches the pages of a command (command.h)
 *
 * The code is copied to MACHINE_CODE and started with the address of the command in rdi. It keeps
 * nothing in registers from one page to the next. So it can be restarted in the middle of a row.
 */
#include "command.h"

	.section .rodata
	.globl	guest_begin, guest_end
guest_begin:
	movq	COMMAND_NEXT(%rdi), %rcx
	cmpq	COMMAND_COUNT(%rdi), %rcx
	jae	3f

	movq	%rcx, %rbx		/* the page */
	shlq	$12, %rbx
	addq	COMMAND_GPA(%rdi), %rbx
	movq	%rcx, %rsi		/* its results */
	shlq	$4, %rsi
	leaq	COMMAND_RESULTS(%rdi, %rsi), %rsi
	movq	COMMAND_STAMP(%rdi), %rax
	addq	%rcx, %rax

	testq	$COMMAND_WRITE_FIRST_BIT, COMMAND_MODE(%rdi)
	jz	1f
	movq	%rax, (%rbx)
1:
	movq	(%rbx), %rdx
	movq	%rdx, (%rsi)
	movq	4088(%rbx), %rdx
	movq	%rdx, 8(%rsi)
	testq	$COMMAND_WRITE_BIT, COMMAND_MODE(%rdi)
	jz	2f
	movq	%rax, (%rbx)
	notq	%rax
	movq	%rax, 4088(%rbx)
2:
	incq	COMMAND_NEXT(%rdi)
	jmp	guest_begin
3:
	outb	%al, $COMMAND_PORT
	jmp	guest_begin
guest_end:

	.section .note.GNU-stack, "", @progbits
