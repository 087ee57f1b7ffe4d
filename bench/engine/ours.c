/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/ours.c - peer: the state object, as its users call it
 *
 * This file is compiled once without a backend; once, with BENCH_HOOKS, with a backend whose hooks
 * all exist and do nothing; and with BENCH_BESIDE once for another checkout of the library.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include <gmemstate/state.h>

#include "../allocator.h"
#include "../bench.h"

#define ENGINE_POLICIES

typedef struct gms_state engine_obj;
typedef struct gms_fault engine_fault;

#ifdef BENCH_HOOKS
#define PEER_NAME "engine+hooks"
#define PEER_SYMBOL bench_peer_engine_hooks

static int ours_range_hook(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx;
	(void)start;
	(void)nr_pages;
	return 0;
}

static int ours_check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	(void)pinned;
	return ours_range_hook(ctx, start, nr_pages);
}

static void ours_invalidate(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	ours_range_hook(ctx, start, nr_pages);
}

static void ours_zap_guest(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			   enum gms_shareability only)
{
	(void)only;
	ours_range_hook(ctx, start, nr_pages);
}

static int ours_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		      gms_pgoff_t *failed)
{
	(void)to;
	(void)failed;
	return ours_range_hook(ctx, start, nr_pages);
}

static int ours_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	(void)back_to;
	return ours_range_hook(ctx, start, nr_pages);
}

static int ours_folio_hook(void *ctx, gms_pgoff_t index, unsigned int order)
{
	return ours_range_hook(ctx, index, order);
}

static void ours_folio_free(void *ctx, gms_pgoff_t index, unsigned int order)
{
	ours_range_hook(ctx, index, order);
}

static int ours_reorder(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)to;
	return ours_range_hook(ctx, index, from);
}

static void ours_block_freed(void *ctx, gms_pgoff_t index)
{
	ours_range_hook(ctx, index, 0);
}

static const struct gms_backend_ops ours_hooks = {
	.struct_size = sizeof(ours_hooks),
	.unmap_host = ours_range_hook,
	.check_pins = ours_check_pins,
	.invalidate_begin = ours_invalidate,
	.zap_guest = ours_zap_guest,
	.apply = ours_apply,
	.undo = ours_undo,
	.invalidate_end = ours_invalidate,
	.prepare = ours_folio_hook,
	.folio_alloc = ours_folio_hook,
	.folio_free = ours_folio_free,
	.folio_split = ours_reorder,
	.folio_merge = ours_reorder,
	.block_freed = ours_block_freed,
};
#define OURS_BACKEND (&ours_hooks)
#else
#ifdef BENCH_BESIDE
#define PEER_NAME "beside"
#define PEER_SYMBOL bench_peer_engine_beside
#else
#define PEER_NAME "engine"
#define PEER_SYMBOL bench_peer_engine
#endif
#define OURS_BACKEND NULL
#endif

static engine_obj *engine_create(uint64_t nr_pages, bool private, unsigned int order,
				 const char *policy)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	opts.folio_order = order;
	opts.policy = gms_policy_by_name(policy);
	opts.backend = OURS_BACKEND;
	opts.allocator = &bench_allocator;
	if (gms_state_create(&opts, &state))
		abort();
	return state;
}

static const char *ours_verify(void *obj)
{
	const char *reason = "gms_state_verify";

	return gms_state_verify(obj, &reason) ? NULL : reason;
}

#define ENGINE_VERIFY ours_verify
#define engine_destroy gms_state_destroy
#define engine_convert(o, start, nr, private) \
	gms_convert(o, start, nr, (private) ? GMS_PRIVATE : GMS_SHARED, 0, NULL)
#define engine_allocate(o, start, nr) gms_allocate(o, start, nr, NULL)
#define engine_punch(o, start, nr) gms_punch_hole(o, start, nr, NULL)
#define engine_pin(o, start, nr) gms_pin(o, start, nr, NULL)
#define engine_unpin gms_unpin
#define engine_fault_begin(o, index, guest, f) \
	gms_fault_begin(o, index, (guest) ? GMS_GUEST : GMS_HOST, f)
#define engine_fault_prepare(o, f) ((f)->prepared ? 0 : gms_fault_prepare(o, f))
#define engine_fault_end gms_fault_end
#define engine_fault_order(f) ((f)->max_order)
#define engine_test gms_is_private

#include "rows.h"
