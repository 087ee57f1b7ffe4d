/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * range.h - why a range is refused
 */
#ifndef GMS_BASE_RANGE_H
#define GMS_BASE_RANGE_H

#include <gmemstate/types.h>

/* Says why a range does not lie in an object of @size pages, for gms_because(). */
static inline const char *gms_range_why(uint64_t size, gms_pgoff_t start, uint64_t nr_pages)
{
	if (!nr_pages)
		return "the range is empty";
	if (start + nr_pages < start)
		return "the range wraps";
	return start < size ? "the range passes the end of the object"
			    : "the range begins past the end of the object";
}

#endif /* GMS_BASE_RANGE_H */
