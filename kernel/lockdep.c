// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lockdep.c - shows lockdep the order of the library's locks, when the module is loaded
 *
 * lockdep knows an order when it has seen it. Most calls take the locks of one shard. From these,
 * it would not learn that the convert lock of a shard comes before the invalidate lock of another
 * one. So an object is made here whose locks are taken in their order, all of them:
 *
 *	gms_freeze()               all convert locks, ascending; all invalidate locks, ascending
 *	gms_listener_register()    all convert locks; the listener's lock; and in its call
 *	gms_fault_begin()          an invalidate lock, a folio lock, a tree lock, the blocks' lock
 */
#include "lockdep.h"

#include <gmemstate/state.h>

#define LOCKDEP_BLOCKS 16

static int lockdep_fault(void *ctx, const struct gms_run *runs, size_t count,
			 enum gms_shareability to, size_t *done)
{
	struct gms_state *s = ctx;
	struct gms_fault fault;
	unsigned int i;
	int err = 0;

	for (i = 0; i < LOCKDEP_BLOCKS && to == GMS_SHARED && !err; i++) {
		err = gms_fault_begin(s, (gms_pgoff_t)i << GMS_ORDER_1G, GMS_HOST, &fault);
		if (!err)
			gms_fault_end(s, &fault);
	}
	*done = count;
	return err;
}

int gms_lockdep_init(void)
{
	static const struct gms_listener_ops ops = {
		.struct_size = sizeof(ops),
		.flags = GMS_LISTENER_CAN_SPLIT,
		.change = lockdep_fault,
	};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s;
	unsigned int id;
	int err;

	opts.nr_pages = (u64)LOCKDEP_BLOCKS << GMS_ORDER_1G;
	opts.folio_order = GMS_ORDER_2M;
	err = gms_state_create(&opts, &s);
	if (err)
		return err;
	err = gms_freeze(s);
	if (!err)
		err = gms_thaw(s);
	if (!err)
		err = gms_listener_register(s, &ops, s, 0, opts.nr_pages, 1, &id);
	if (!err)
		err = gms_listener_unregister(s, id);
	gms_state_destroy(s);
	return err;
}
