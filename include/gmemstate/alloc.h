/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/alloc.h - where the library gets its memory from
 */
#ifndef GMEMSTATE_ALLOC_H
#define GMEMSTATE_ALLOC_H

#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct gms_allocator - a source of memory
 * @struct_size: sizeof(struct gms_allocator). In a smaller one what is missing is 0; a larger
 *               one is accepted where all that this library does not know is 0
 * @alloc: returns @size bytes aligned to @align (a power of two, at least
 *         sizeof(void *)), or NULL; the contents may be anything
 * @free: takes back what @alloc returned, with the same size and align; never
 *        called with NULL
 * @ctx: passed to both
 *
 * The struct is copied when an object is created. Calls come from whichever
 * thread changes the object, and from several at once where several change it:
 * both functions must be thread-safe. They must not call back into the object.
 */
struct gms_allocator {
	size_t struct_size;
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*free)(void *ctx, void *ptr, size_t size, size_t align);
	void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_ALLOC_H */
