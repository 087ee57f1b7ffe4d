/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * race_guest.S - the guest of race.c: touches pages and requests conversions (race_command.h)
 *
 * Each vCPU is started here with the address of its own command in rdi. The code uses no stack,
 * and keeps nothing in registers from one entry to the next.
 */
#include "race_command.h"

	.section .rodata
	.globl	race_guest_begin, race_guest_end
race_guest_begin:
	movq	RACE_NEXT(%rdi), %rcx
	cmpq	RACE_COUNT(%rdi), %rcx
	jae	4f

	shlq	$RACE_ENTRY_SHIFT, %rcx
	leaq	RACE_ENTRIES(%rdi, %rcx), %rsi
	testq	$RACE_CONVERT_BIT, RACE_ENTRY_FLAGS(%rsi)
	jnz	3f

	movq	RACE_ENTRY_GPA(%rsi), %rbx
	movq	RACE_ENTRY_OWN(%rsi), %r8
	movq	RACE_ENTRY_VALUE(%rsi), %rax
	testq	$RACE_WRITE_FIRST_BIT, RACE_ENTRY_FLAGS(%rsi)
	jz	1f
	movq	%rax, (%r8)
1:
	.irp	word, 0, 8, 16, 24, 32, 40, 48, 56
	movq	\word(%rbx), %rdx
	movq	%rdx, RACE_ENTRY_WORDS + \word(%rsi)
	.endr
	testq	$RACE_WRITE_BIT, RACE_ENTRY_FLAGS(%rsi)
	jz	2f
	movq	%rax, (%r8)
2:
	incq	RACE_NEXT(%rdi)
	jmp	race_guest_begin
3:
	outb	%al, $RACE_CONVERT_PORT
	jmp	2b
4:
	outb	%al, $RACE_DONE_PORT
	jmp	race_guest_begin
race_guest_end:

	.section .note.GNU-stack, "", @progbits
