/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/gmemstate.h - all of the library, but for its KVM backend (kvm.h)
 *
 *	types.h alloc.h order.h version.h      the words, memory, arithmetic
 *	rtree.h                                the range tree, which needs none of the rest
 *	policy.h backend.h                     what the caller brings: when to split, what to do
 *	state.h                                the state object, with all that follows
 *	  convert.h query.h fault.h attr.h     changing it, asking it, faults and pins, limits
 *	  repair.h freeze.h snapshot.h         quarantine, holding still, saving and loading
 *	  listener.h binding.h                 notifications of shared memory, memslots
 *
 * Usage:
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
