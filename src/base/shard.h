/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shard.h - which shard a page belongs to
 *
 * A shard is a set of 1G blocks that share locks: every GMS_NR_SHARDS-th block of the object.
 * Calls in different shards do not wait for each other, and the number of locks does not depend on
 * the size of the object.
 *
 *	1G block	0   1   2  ...  15  16  17  18  ...
 *	shard		0   1   2  ...  15   0   1   2  ...
 */
#ifndef GMS_SHARD_H
#define GMS_SHARD_H

#include <gmemstate/types.h>

#define GMS_NR_SHARDS 16u

/* Returns the number of the shard of the 1G block at @index. */
static inline unsigned int gms_shard_of(gms_pgoff_t index)
{
	return (index >> GMS_ORDER_1G) % GMS_NR_SHARDS;
}

#endif /* GMS_SHARD_H */
