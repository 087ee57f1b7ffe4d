/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * opts.h - structs of options and hooks that a caller fills in
 *
 * Each begins with its struct_size, and grows at its end only. So a caller that was built against
 * another version of the library has a shorter one, or a longer one:
 *
 *	the caller's    | struct_size | known | known |               older: what is missing is 0
 *	the library's   | struct_size | known | known | known |
 *	the caller's    | struct_size | known | known | known | 0 |   newer: what is more must be 0
 */
#ifndef GMS_OPTS_H
#define GMS_OPTS_H

#include "platform.h"

/* Where a member ends: the least size of a struct in which every caller sets that member. */
#define GMS_OPTS_END(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/*
 * Copies a struct of the caller's to one of @size bytes, and sets its struct_size to that. Returns
 * false where the caller's is smaller than @least, ends inside a member, or has something behind
 * @size that is not 0. *to may then be anything.
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

/* The same for an allocator, where NULL stands for the platform's. */
static inline bool gms_allocator_copy(struct gms_allocator *to, const struct gms_allocator *from)
{
	return gms_opts_copy(to, sizeof(*to), from ? from : gms_platform_allocator(),
			     GMS_OPTS_END(struct gms_allocator, free)) &&
	       to->alloc && to->free;
}

#endif /* GMS_OPTS_H */
