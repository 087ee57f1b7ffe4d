// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exceptions.c - an exception in the guest ends it, and the machine says which one it was
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define SKIPPED 77
#define PAGE_FAULT_WRITE 2ULL
#define PAGE_FAULT_USER 4ULL

/* A guest that has one exception, at the offset rip of its code. */
struct guest {
	const char *name;
	const char *code;
	size_t size;
	uint64_t vector, error, rip, cr2;
};

static const struct guest guests[] = {
	{"ud2", "\x90\x0f\x0b", 3, 6, 0, 1, 0},
	{"div", "\x31\xc0\xf7\xf0", 4, 0, 0, 2, 0}, /* xor %eax, %eax; div %eax */
	{"hlt at CPL3", "\xf4", 1, 13, 0, 0, 0},
	/* mov $1, %eax; shl $32, %rax; mov %al, (%rax): 4 GiB, where no page is mapped */
	{"page fault", "\xb8\x01\x00\x00\x00\x48\xc1\xe0\x20\x88\x00", 11, 14,
	 PAGE_FAULT_WRITE | PAGE_FAULT_USER, 9, 1ULL << 32},
};

static void tell_exceptions(void **state)
{
	struct machine m;

	(void)state;
	assert_int_equal(machine_create(&m, MACHINE_VM_DEFAULT), 0);
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		const struct guest *guest = &guests[i];
		struct machine_exit exit;
		char text[200];

		assert_int_equal(machine_load(&m, guest->code, guest->size), 0);
		assert_int_equal(machine_start(&m, &m.vcpu, 0), 0);
		assert_int_equal(machine_run(&m.vcpu, &exit), 0);
		machine_explain(&exit, text, sizeof(text));
		print_message("%s: %s\n", guest->name, text);
		assert_int_equal(exit.kind, MACHINE_EXCEPTION);
		assert_int_equal(exit.value, guest->vector);
		assert_int_equal(exit.args[0], guest->error);
		assert_int_equal(exit.args[1], MACHINE_CODE + guest->rip);
		assert_int_equal(exit.args[2] & 3, 3);
		assert_int_equal(exit.args[4], MACHINE_STACK(0) - 8);
		if (guest->vector == 14)
			assert_int_equal(exit.args[5], guest->cr2);
	}
	machine_destroy(&m);
}

/* Two vCPUs have two exceptions, and neither report is the other's. */
static void tell_two_vcpus_apart(void **state)
{
	static const char code[] = "\x85\xff" /* test %edi, %edi */
				   "\x74\x02" /* jz .+2 */
				   "\x0f\x0b" /* ud2 */
				   "\xf4"; /* hlt */
	struct machine_vcpu second;
	struct machine_exit exits[2];
	struct machine m;

	(void)state;
	assert_int_equal(machine_create(&m, MACHINE_VM_DEFAULT), 0);
	assert_int_equal(machine_add_vcpu(&m, 1, &second), 0);
	assert_int_equal(machine_load(&m, code, sizeof(code)), 0);
	assert_int_equal(machine_start(&m, &m.vcpu, 0), 0);
	assert_int_equal(machine_start(&m, &second, 1), 0);
	assert_int_equal(machine_run(&m.vcpu, &exits[0]), 0);
	assert_int_equal(machine_run(&second, &exits[1]), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(exits[i].kind, MACHINE_EXCEPTION);
	assert_int_equal(exits[0].value, 13);
	assert_int_equal(exits[1].value, 6);
	/* it starts anew after an exception */
	assert_int_equal(machine_start(&m, &second, 0), 0);
	assert_int_equal(machine_run(&second, &exits[1]), 0);
	assert_int_equal(exits[1].kind, MACHINE_EXCEPTION);
	assert_int_equal(exits[1].value, 13);
	machine_remove_vcpu(&second);
	machine_destroy(&m);
}

static void refuse_too_many_vcpus(void **state)
{
	struct machine_vcpu vcpu;
	struct machine m;

	(void)state;
	assert_int_equal(machine_create(&m, MACHINE_VM_DEFAULT), 0);
	assert_int_equal(machine_add_vcpu(&m, 256, &vcpu), -EINVAL);
	machine_destroy(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tell_exceptions),
		cmocka_unit_test(tell_two_vcpus_apart),
		cmocka_unit_test(refuse_too_many_vcpus),
	};
	struct machine m;
	int rc = machine_create(&m, MACHINE_VM_DEFAULT);

	if (rc == -ENOENT || rc == -EACCES || rc == -ENODEV) {
		puts("skipped: no /dev/kvm");
		return SKIPPED;
	}
	machine_destroy(&m);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
