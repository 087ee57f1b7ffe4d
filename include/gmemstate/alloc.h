/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/alloc.h - where the library gets its memory from
 *
 * Usage: an object that takes its memory from a pool of the caller's.
 *
 *	const struct gms_allocator allocator = {
 *		.struct_size = sizeof(allocator),
 *		.alloc = pool_alloc,
 *		.free = pool_free,
 *		.ctx = pool,
 *	};
 *	err = gms_rtree_create(nr_pages, GMS_RTREE_NONE, &allocator, &tree);
 */
#ifndef GMEMSTATE_ALLOC_H
#define GMEMSTATE_ALLOC_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct gms_allocator - a source of memory
 * @struct_size: sizeof(struct gms_allocator). The fields that a smaller struct lacks count as 0. A
 *               larger struct is accepted if all bytes that this library does not know are 0
 * @alloc: returns @size bytes, aligned to @align, or NULL. @align is a power of two and at least
 *         sizeof(void *). The contents may be anything
 * @free: frees what @alloc returned, with the same @size and @align; @ptr is not NULL
 * @ctx: passed to both
 *
 * The struct is copied when an object is created. Several threads may call both functions at the
 * same time. They may sleep, and must not call the object that they allocate for.
 */
struct gms_allocator {
	size_t struct_size;
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*free)(void *ctx, void *ptr, size_t size, size_t align);
	void *ctx;
};

/** GMS_ALLOCATOR_INIT - an allocator with @struct_size set, and without functions */
/* clang-format off */
#define GMS_ALLOCATOR_INIT \
	{ sizeof(struct gms_allocator), NULL, NULL, NULL }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_ALLOC_H */
