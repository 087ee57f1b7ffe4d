// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * undo_leaves_exposed.c - an undo left pages exposed that it had unmapped
 *
 * Wrong: a listener refused a conversion, whose undo unmapped its pages from the host. The pages
 * still counted as mapped, so a later conversion of one page unmapped the whole 2M.
 * Right: what an undo has unmapped is no longer exposed (rule 28).
 */
#include <gmemstate/fault.h>
#include <gmemstate/listener.h>
#include <gmemstate/state.h>

#include "test.h"

struct object {
	struct gms_state *state;
	bool refuse; /* the listener refuses shared pages */
	gms_pgoff_t unmapped; /* pages of all calls of unmap_host */
};

static int count_unmapped(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)start;
	((struct object *)ctx)->unmapped += nr_pages;
	return 0;
}

/* Makes a host fault in the second 2M block, and refuses. */
static int touch_and_refuse(void *ctx, const struct gms_run *runs, size_t count,
			    enum gms_shareability to, size_t *done)
{
	struct object *o = ctx;
	struct gms_fault fault;

	(void)runs;
	*done = to == GMS_SHARED && o->refuse ? 0 : count;
	if (to != GMS_SHARED || !o->refuse)
		return 0;
	assert_int_equal(gms_fault_begin(o->state, T_2M, GMS_HOST, &fault), 0);
	gms_fault_end(o->state, &fault);
	return -EIO;
}

static void create(struct object *o)
{
	static const struct gms_backend_ops backend = {
		.struct_size = sizeof(backend),
		.unmap_host = count_unmapped,
	};
	static const struct gms_listener_ops listener = {
		.struct_size = sizeof(listener),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = touch_and_refuse,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	unsigned int id;

	*o = (struct object) {0};
	opts.nr_pages = 4 * T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = GMS_ORDER_2M;
	opts.backend = &backend;
	opts.backend_ctx = o;
	assert_int_equal(gms_state_create(&opts, &o->state), 0);
	assert_int_equal(gms_convert(o->state, 0, 10, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_listener_register(o->state, &listener, o, 0, 4 * T_1G, 1, &id), 0);
}

static void a_conversion_after_an_undo_unmaps_one_page(void **unused)
{
	struct object o;

	(void)unused;
	create(&o);
	o.refuse = true;
	assert_int_equal(gms_convert(o.state, 100, 3 * T_2M, GMS_SHARED, 0, NULL), -EIO);
	o.refuse = false;
	assert_int_equal(gms_convert(o.state, T_2M + 7, 1, GMS_SHARED, 0, NULL), 0);
	o.unmapped = 0;
	assert_int_equal(gms_convert(o.state, T_2M + 7, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(o.unmapped, 1);
	assert_true(gms_state_verify(o.state, NULL));
	gms_state_destroy(o.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_after_an_undo_unmaps_one_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
