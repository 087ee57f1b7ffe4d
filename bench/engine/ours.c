/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/ours.c - the state object as its users call it; compiled more than once
 *
 * Without a backend, and (BENCH_HOOKS) with one that has every hook, and does nothing in it.
 * BENCH_BESIDE: the same as the first, of another checkout of the library.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include <gmemstate/state.h>

#include "../allocator.h"
#include "../bench.h"

#define E_POLICIES

typedef struct gms_state e_obj;
typedef struct gms_fault e_fault;

#ifdef BENCH_HOOKS
#define PEER_NAME "engine+hooks"
#define PEER_SYMBOL bench_peer_engine_hooks

static int range_hook(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)ctx;
	(void)start;
	(void)nr_pages;
	return 0;
}

static int check_pins(void *ctx, gms_pgoff_t start, uint64_t nr_pages, gms_pgoff_t *pinned)
{
	(void)pinned;
	return range_hook(ctx, start, nr_pages);
}

static void invalidate(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	range_hook(ctx, start, nr_pages);
}

static void zap_guest(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability only)
{
	(void)only;
	range_hook(ctx, start, nr_pages);
}

static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	(void)to;
	(void)failed;
	return range_hook(ctx, start, nr_pages);
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	(void)back_to;
	return range_hook(ctx, start, nr_pages);
}

static int folio_hook(void *ctx, gms_pgoff_t index, unsigned int order)
{
	return range_hook(ctx, index, order);
}

static void folio_free(void *ctx, gms_pgoff_t index, unsigned int order)
{
	range_hook(ctx, index, order);
}

static int reorder(void *ctx, gms_pgoff_t index, unsigned int from, unsigned int to)
{
	(void)to;
	return range_hook(ctx, index, from);
}

static void block_freed(void *ctx, gms_pgoff_t index)
{
	range_hook(ctx, index, 0);
}

static const struct gms_backend_ops hooks = {
	.struct_size = sizeof(hooks),
	.unmap_host = range_hook,
	.check_pins = check_pins,
	.invalidate_begin = invalidate,
	.zap_guest = zap_guest,
	.apply = apply,
	.undo = undo,
	.invalidate_end = invalidate,
	.prepare = folio_hook,
	.folio_alloc = folio_hook,
	.folio_free = folio_free,
	.folio_split = reorder,
	.folio_merge = reorder,
	.block_freed = block_freed,
};
#define BACKEND (&hooks)
#else
#ifdef BENCH_BESIDE
#define PEER_NAME "beside"
#define PEER_SYMBOL bench_peer_engine_beside
#else
#define PEER_NAME "engine"
#define PEER_SYMBOL bench_peer_engine
#endif
#define BACKEND NULL
#endif

static e_obj *e_create(uint64_t nr_pages, bool private, unsigned int order, const char *policy)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	opts.folio_order = order;
	opts.policy = gms_policy_by_name(policy);
	opts.backend = BACKEND;
	opts.allocator = &bench_allocator;
	if (gms_state_create(&opts, &state))
		abort();
	return state;
}

static const char *verify(void *obj)
{
	const char *reason = "gms_state_verify";

	return gms_state_verify(obj, &reason) ? NULL : reason;
}

#define E_VERIFY verify
#define e_destroy gms_state_destroy
#define e_convert(o, start, nr, private) \
	gms_convert(o, start, nr, (private) ? GMS_PRIVATE : GMS_SHARED, 0, NULL)
#define e_allocate(o, start, nr) gms_allocate(o, start, nr, NULL)
#define e_punch(o, start, nr) gms_punch_hole(o, start, nr, NULL)
#define e_pin(o, start, nr) gms_pin(o, start, nr, NULL)
#define e_unpin gms_unpin
#define e_fault_begin(o, index, guest, f) \
	gms_fault_begin(o, index, (guest) ? GMS_GUEST : GMS_HOST, f)
#define e_fault_prepare(o, f) ((f)->prepared ? 0 : gms_fault_prepare(o, f))
#define e_fault_end gms_fault_end
#define e_fault_order(f) ((f)->max_order)
#define e_test gms_is_private

#include "rows.h"
