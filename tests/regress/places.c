// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * places.c - places that were taken where none was needed, or left where one was not
 *
 * Found by a review of the tree whose places never move. Each test fails without its fix.
 */
#include <gmemstate/fault.h>
#include <gmemstate/listener.h>
#include <gmemstate/state.h>

#include "talloc.h"
#include "test.h"

struct object {
	struct gms_state *state;
	struct talloc talloc;
	bool refuse; /* what the listener is given */
	gms_pgoff_t unmapped; /* pages that the backend was told to unmap from the host */
};

static int count_unmapped(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)start;
	((struct object *)ctx)->unmapped += nr_pages;
	return 0;
}

/* Touches the 2M block behind the first as the host would, and refuses. */
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

static void make(struct object *o, unsigned int folio_order)
{
	static const struct gms_backend_ops backend = {
		.struct_size = sizeof(backend),
		.unmap_host = count_unmapped,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;

	*o = (struct object) {0};
	talloc_init(&o->talloc);
	opts.nr_pages = 4 * T_1G;
	opts.flags = GMS_INIT_PRIVATE;
	opts.folio_order = folio_order;
	opts.backend = &backend;
	opts.backend_ctx = o;
	opts.allocator = &o->talloc.ops;
	assert_int_equal(gms_state_create(&opts, &o->state), 0);
}

static void destroy(struct object *o)
{
	assert_true(gms_state_verify(o->state, NULL));
	gms_state_destroy(o->state);
	assert_int_equal(o->talloc.live_blocks, 0);
	assert_fine(talloc_check(&o->talloc));
}

static void listen(struct object *o, unsigned int *id)
{
	static const struct gms_listener_ops ops = {
		.struct_size = sizeof(ops),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = touch_and_refuse,
	};

	assert_int_equal(gms_listener_register(o->state, &ops, o, 0, 4 * T_1G, 1, id), 0);
}

/* A 1G boundary ends no block, so a conversion there needs nothing for a quarantine either. */
static void whole_1g_takes_no_memory_for_a_quarantine(void **unused)
{
	struct object o;
	unsigned int id;

	(void)unused;
	make(&o, GMS_ORDER_4K);
	listen(&o, &id);
	talloc_trap(&o.talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_convert(o.state, T_1G, T_1G, GMS_SHARED, 0, NULL), 0);
	assert_int_equal(gms_convert(o.state, T_1G, T_1G, GMS_PRIVATE, 0, NULL), 0);
	talloc_trap(&o.talloc, 0);
	destroy(&o);
}

static void lifting_no_inhibit_takes_no_memory(void **unused)
{
	struct object o;

	(void)unused;
	make(&o, GMS_ORDER_4K);
	talloc_trap(&o.talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_uninhibit(o.state, 5, 1), 0);
	talloc_trap(&o.talloc, 0);
	assert_int_equal(gms_inhibit(o.state, 5, 1, GMS_ORDER_4K), 0);
	talloc_trap(&o.talloc, TALLOC_TRAP_BOTH);
	assert_int_equal(gms_inhibit(o.state, 5, 1, GMS_ORDER_4K), 0);
	assert_int_equal(gms_inhibit(o.state, 5, 1, GMS_ORDER_2M), 0);
	assert_int_equal(gms_uninhibit(o.state, 5, 1), 0);
	talloc_trap(&o.talloc, 0);
	destroy(&o);
}

/*
 * Rule 28: an undo that has unmapped a folio leaves it not exposed, so a later conversion unmaps
 * its own page and no 2M.
 */
static void an_undo_forgets_what_it_unmapped(void **unused)
{
	struct object o;
	unsigned int id;

	(void)unused;
	make(&o, GMS_ORDER_2M);
	assert_int_equal(gms_convert(o.state, 0, 10, GMS_SHARED, 0, NULL), 0);
	listen(&o, &id);
	o.refuse = true;
	assert_int_equal(gms_convert(o.state, 100, 3 * T_2M, GMS_SHARED, 0, NULL), -EIO);
	o.refuse = false;
	assert_int_equal(gms_convert(o.state, T_2M + 7, 1, GMS_SHARED, 0, NULL), 0);
	o.unmapped = 0;
	assert_int_equal(gms_convert(o.state, T_2M + 7, 1, GMS_PRIVATE, 0, NULL), 0);
	assert_int_equal(o.unmapped, 1);
	destroy(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_1g_takes_no_memory_for_a_quarantine),
		cmocka_unit_test(lifting_no_inhibit_takes_no_memory),
		cmocka_unit_test(an_undo_forgets_what_it_unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
