/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench/allocator.h - the allocator that the library gets. It calls bench_alloc(), so the library
 * takes its memory from where every peer takes it
 */
#ifndef BENCH_ALLOCATOR_H
#define BENCH_ALLOCATOR_H

#include <gmemstate/alloc.h>

#include "bench.h"

static void *bench_allocator_alloc(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	return bench_alloc(size, align);
}

static void bench_allocator_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	bench_free(ptr, size, align);
}

static const struct gms_allocator bench_allocator = {sizeof(bench_allocator), bench_allocator_alloc,
						     bench_allocator_free, NULL};

#endif /* BENCH_ALLOCATOR_H */
