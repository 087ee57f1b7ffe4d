/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/gmemstate.h - the state of a guest's memory: all of the library but kvm.h
 *
 *	types.h alloc.h order.h version.h    types, memory, arithmetic on orders, the version
 *	rtree.h                              the range tree, which can be used without the rest
 *	policy.h backend.h                   what the caller brings: a policy, and hooks
 *	state.h                              the state object; it includes the headers below
 *	convert.h query.h fault.h attr.h     conversions, queries, faults and pins, limits
 *	repair.h freeze.h snapshot.h         ending a quarantine, freezing, saving and loading
 *	listener.h binding.h error.h         what is shared, memslots, errors in words
 *
 * Each header also compiles by itself, as C11 and as C++17.
 *
 * Usage: create an object, and convert a range.
 *
 *	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
 *	struct gms_state *state;
 *	int err;
 *
 *	opts.nr_pages = ram_bytes >> GMS_PAGE_SHIFT;
 *	opts.folio_order = GMS_ORDER_2M;
 *	err = gms_state_create(&opts, &state);
 *	if (!err)
 *		err = gms_convert(state, start, nr_pages, GMS_PRIVATE, 0, NULL);
 */
#ifndef GMEMSTATE_GMEMSTATE_H
#define GMEMSTATE_GMEMSTATE_H

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>
#include <gmemstate/state.h>
#include <gmemstate/version.h>

#endif /* GMEMSTATE_GMEMSTATE_H */
