/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * opts.h - structs of options and hooks that a caller fills in
 *
 * Each struct begins with its struct_size, and grows at its end only. A caller that was built with
 * another version of the library has a smaller struct or a larger one:
 *
 *	an older caller   | struct_size | known | known |              missing fields count as 0
 *	the library       | struct_size | known | known | known |
 *	a newer caller    | struct_size | known | known | known | 0 |  unknown fields must be 0
 */
#ifndef GMS_OPTS_H
#define GMS_OPTS_H

#include "platform.h"

/* Reasons for gms_because(). */
#define GMS_WHY_STRUCT_SIZE "struct_size is too small, or a field of a newer version is set"
#define GMS_WHY_ALLOCATOR "the allocator lacks a function, or its struct_size is wrong"

/* The offset at which a member ends: the size of the smallest struct that has the member. */
#define GMS_OPTS_END(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/*
 * Copies the caller's struct @from to *to, a struct of @size bytes, and sets its struct_size to
 * @size. Returns false if @from has fewer than @least bytes, ends inside a word of *to, or has a
 * byte past @size that is not 0. The contents of *to are then undefined.
 */
static inline bool gms_opts_copy(void *to, size_t size, const void *from, size_t least)
{
	const unsigned char *bytes = (const unsigned char *)from;
	size_t given;

	gms_memcpy(&given, from, sizeof(given));
	if (given < least || (given < size && given % sizeof(size_t)))
		return false;
	for (size_t i = size; i < given; i++)
		if (bytes[i])
			return false;
	gms_memset(to, 0, size);
	gms_memcpy(to, from, given < size ? given : size);
	gms_memcpy(to, &size, sizeof(size));
	return true;
}

/*
 * Copies an allocator as gms_opts_copy() does. If @from is NULL, copies the allocator of the
 * platform. Returns false also if @from lacks a function.
 */
static inline bool gms_allocator_copy(struct gms_allocator *to, const struct gms_allocator *from)
{
	return gms_opts_copy(to, sizeof(*to), from ? from : gms_platform_allocator(),
			     GMS_OPTS_END(struct gms_allocator, free)) &&
	       to->alloc && to->free;
}

#endif /* GMS_OPTS_H */
