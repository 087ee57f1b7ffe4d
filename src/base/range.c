// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * range.c - converts ranges of bytes to ranges of pages
 */
#include <gmemstate/types.h>

#include "platform.h"

int gms_range_from_bytes(uint64_t offset, uint64_t size, gms_pgoff_t *start, uint64_t *nr_pages)
{
	const uint64_t page_mask = (1ULL << GMS_PAGE_SHIFT) - 1;
	const uint64_t max_bytes = GMS_MAX_PAGES << GMS_PAGE_SHIFT;

	if (!size)
		return gms_because(-EINVAL, "the range is empty");
	if ((offset | size) & page_mask)
		return gms_because(-EINVAL, "the range does not consist of whole pages");
	if (offset > max_bytes || size > max_bytes - offset)
		return gms_because(-EINVAL, "the range ends above 4 PiB");
	*start = offset >> GMS_PAGE_SHIFT;
	*nr_pages = size >> GMS_PAGE_SHIFT;
	return 0;
}
