/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vmm/ours.c - peer: the state object, by the calls that a VMM makes */
#include <stdlib.h>

#include <gmemstate/state.h>

#include "../allocator.h"
#include "vmm.h"

#ifdef BENCH_BESIDE
#define PEER_NAME "beside"
#define PEER_SYMBOL bench_vmm_beside
#else
#define PEER_NAME "engine"
#define PEER_SYMBOL bench_vmm_engine
#endif
#define VMM_SNAPSHOTS
#define VMM_ORDERS

typedef struct gms_state vmm_obj;

static vmm_obj *vmm_create(uint64_t nr_pages, bool private)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.nr_pages = nr_pages;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	opts.allocator = &bench_allocator;
	if (gms_state_create(&opts, &state))
		abort();
	return state;
}

static int ours_change(void *ctx, const struct gms_run *runs, size_t count,
		       enum gms_shareability to, size_t *done)
{
	struct bench_notified h = *(const struct bench_notified *)ctx;

	(void)done;
	for (size_t i = 0; i < count; i++)
		bench_notify(&h, runs[i].start, runs[i].nr_pages, to == GMS_SHARED);
	*(struct bench_notified *)ctx = h;
	return 0;
}

static unsigned int vmm_listen(vmm_obj *o, uint64_t granule, bool split, struct bench_notified *h)
{
	const struct gms_listener_ops ops = {sizeof(ops), split ? GMS_LISTENER_CAN_SPLIT : 0,
					     ours_change};
	unsigned int id;

	if (gms_listener_register(o, &ops, h, 0, gms_state_nr_pages(o), granule, &id))
		abort();
	return id;
}

static void vmm_unlisten(vmm_obj *o, unsigned int id)
{
	if (gms_listener_unregister(o, id))
		abort();
}

static inline enum bench_class vmm_class_2m(vmm_obj *o, uint64_t index)
{
	return (enum bench_class)gms_summary(o, index, GMS_ORDER_2M);
}

static inline enum bench_class vmm_class_range(vmm_obj *o, uint64_t start, uint64_t nr)
{
	if (gms_range_is(o, start, nr, GMS_SHARED))
		return BENCH_ALL_SHARED;
	return gms_range_is(o, start, nr, GMS_PRIVATE) ? BENCH_ALL_PRIVATE : BENCH_BOTH;
}

static void vmm_bind(vmm_obj *o, uint64_t gfn, uint64_t start, uint64_t nr)
{
	unsigned int id;

	if (gms_bind(o, gfn, start, nr, &id))
		abort();
}

static inline uint64_t vmm_gfn_index(vmm_obj *o, uint64_t gfn)
{
	gms_pgoff_t index;

	return gms_gfn_to_index(o, gfn, &index) ? UINT64_MAX : index;
}

static inline unsigned int vmm_gfn_order(vmm_obj *o, uint64_t gfn)
{
	unsigned int order = 0;

	(void)gms_gfn_max_order(o, gfn, &order);
	return order;
}

static size_t vmm_save(vmm_obj *o, void *buf, size_t size)
{
	size_t needed;

	if (gms_snapshot_save(o, buf, size, &needed))
		abort();
	return needed;
}

static vmm_obj *vmm_load(const void *buf, size_t size)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *state;

	opts.allocator = &bench_allocator;
	if (gms_snapshot_load(buf, size, &opts, &state))
		abort();
	return state;
}

static const char *vmm_verify(void *obj)
{
	const char *reason = "gms_state_verify";

	return gms_state_verify(obj, &reason) ? NULL : reason;
}

#define VMM_VERIFY vmm_verify
#define vmm_destroy gms_state_destroy
#define vmm_convert(o, start, nr, private) \
	((void)gms_convert(o, start, nr, (private) ? GMS_PRIVATE : GMS_SHARED, 0, NULL))
#define vmm_test gms_is_private

#include "rows.h"
