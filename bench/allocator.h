/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bench/allocator.h - for the library, memory from where the peers have it from */
#ifndef BENCH_ALLOCATOR_H
#define BENCH_ALLOCATOR_H

#include <gmemstate/alloc.h>

#include "bench.h"

static void *bench_take(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	return bench_alloc(size, align);
}

static void bench_give(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	bench_free(ptr, size, align);
}

static const struct gms_allocator bench_allocator = {sizeof(bench_allocator), bench_take,
						     bench_give, NULL};

#endif /* BENCH_ALLOCATOR_H */
