// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * engine.c - the peer gms_convert(): the tree with its locks, sequence numbers, folios and pins
 *
 * The object has no backend and no listeners, so a conversion is what it costs by itself. Locked
 * peers are the maple tree and the XArray with the locks that the kernel has around them, and
 * nothing else: see engine_maple.c and engine_xarray.c.
 */
#include <gmemstate/state.h>

#include <linux/bug.h>
#include <linux/compiler.h>

#include "bench.h"

static void peer_store(void *o, u64 start, u64 nr_pages, bool private)
{
	WARN_ON_ONCE(gms_convert(o, start, nr_pages, private ? GMS_PRIVATE : GMS_SHARED, 0, NULL));
}

static bool peer_load(void *o, u64 page)
{
	return gms_is_private(o, page);
}

#include "rows.h"

static noinline bool engine_do_fault(void *o, u64 page)
{
	struct gms_fault fault;

	if (WARN_ON_ONCE(gms_fault_begin(o, page, GMS_GUEST, &fault)))
		return false;
	gms_fault_end(o, &fault);
	return true;
}

/* Faults anywhere in the first 1G. */
static u64 engine_fault(void *o, u64 x, unsigned int nr)
{
	unsigned int i, sum = 0;

	for (i = 0; i < nr; i++) {
		x = bench_next(x);
		sum += engine_do_fault(o, bench_page(x, 18));
	}
	OPTIMIZER_HIDE_VAR(sum);
	return x;
}

/* Converts single pages in every 16th 2M of a 1G. */
static u64 engine_convert_in(void *o, u64 x, unsigned int nr, unsigned int block_1g)
{
	const u64 base = block_1g * BENCH_1G;
	unsigned int i;

	for (i = 0; i < nr; i += 2) {
		x = bench_next(x);
		rows_clear(o, base + bench_page(x, 5) * 16 * BENCH_2M + (x >> 40) % BENCH_2M, 1);
		x = bench_next(x);
		rows_set(o, base + bench_page(x, 5) * 16 * BENCH_2M + (x >> 40) % BENCH_2M, 1);
	}
	return x;
}

static void *engine_create(u64 nr_pages, bool private)
{
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct gms_state *s;

	opts.nr_pages = nr_pages;
	opts.flags = private ? GMS_INIT_PRIVATE : 0;
	if (gms_state_create(&opts, &s))
		return NULL;
	/* Faults find memory, as those of a running guest do. */
	if (nr_pages == BENCH_16G && gms_allocate(s, 0, nr_pages, NULL)) {
		gms_state_destroy(s);
		return NULL;
	}
	return s;
}

static void *engine_create_rcu(u64 nr_pages)
{
	return engine_create(nr_pages, true);
}

static void engine_destroy(void *o)
{
	gms_state_destroy(o);
}

const struct bench_peer bench_engine = {
	.name = "gms_convert",
	.create = engine_create,
	.create_rcu = engine_create_rcu,
	.destroy = engine_destroy,
	.store = rows_store,
	.load = rows_load,
	.fault = engine_fault,
	.convert_in = engine_convert_in,
};
