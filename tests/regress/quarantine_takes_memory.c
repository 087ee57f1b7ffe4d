// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine_takes_memory.c - a conversion of whole 1G blocks took memory for a quarantine
 *
 * Wrong: with a listener, a conversion prepares a quarantine of its range. That allocated leaf
 * pages for both ends of the range, although no block ends inside a 1G block there.
 * Right: a conversion that begins and ends at 1G boundaries needs no memory for a quarantine
 * (rule 14 and listener.h).
 */
#include <gmemstate/listener.h>
#include <gmemstate/state.h>

#include "talloc.h"
#include "test.h"

static int accept(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	(void)ctx;
	(void)runs;
	(void)to;
	*done = count;
	return 0;
}

static void a_conversion_of_whole_1g_blocks_takes_no_memory(void **unused)
{
	static const struct gms_listener_ops ops = {
		.struct_size = sizeof(ops),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = accept,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;
	struct talloc talloc;
	unsigned int id;

	(void)unused;
	talloc_init(&talloc);
	opts.nr_pages = 4 * T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.allocator = &talloc.ops;
	assert_int_equal(gms_state_create(&opts, &state), 0);
	assert_int_equal(gms_listener_register(state, &ops, NULL, 0, 4 * T_1G, 1, &id), 0);
	talloc_trap(&talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_convert(state, T_1G, T_1G, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_convert(state, T_1G, T_1G, GMS_PRIVATE, 0, NULL), 0);
	talloc_trap(&talloc, 0);
	assert_true(gms_state_verify(state, NULL));
	gms_state_destroy(state);
	assert_int_equal(talloc.live_blocks, 0);
	assert_fine(talloc_check(&talloc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_of_whole_1g_blocks_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
