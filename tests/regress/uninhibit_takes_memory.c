// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * uninhibit_takes_memory.c - lifting an inhibit that is not there took memory
 *
 * Wrong: gms_uninhibit() of pages without an inhibit allocated, and could fail with -ENOMEM.
 * Right: a call of gms_inhibit() or gms_uninhibit() that changes nothing, or removes a page from
 * a set, allocates nothing (rule 14).
 */
#include <gmemstate/fault.h>
#include <gmemstate/state.h>

#include "talloc.h"
#include "test.h"

static void uninhibit_takes_no_memory(void **unused)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct talloc talloc;

	(void)unused;
	talloc_init(&talloc);
	opts.nr_pages = 4 * T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.allocator = &talloc.ops;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_uninhibit(state, 5, 1), 0);
	talloc_trap(&talloc, 0);
	assert_int_equal(gms_inhibit(state, 5, 1, GMS_ORDER_4K), 0);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_inhibit(state, 5, 1, GMS_ORDER_4K), 0);
	assert_int_equal(gms_inhibit(state, 5, 1, GMS_ORDER_2M), 0);
	assert_int_equal(gms_uninhibit(state, 5, 1), 0);
	talloc_trap(&talloc, 0);
	assert_true(gms_state_verify(state, NULL));
	gms_state_destroy(state);
	assert_int_equal(talloc.live_blocks, 0);
	assert_fine(talloc_check(&talloc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uninhibit_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
