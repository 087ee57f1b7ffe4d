// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * seq.c - the sequence numbers of shards, for readers
 *
 * gms_shards_lock_exclusive() makes a number odd, and gms_shards_unlock_exclusive() makes it even.
 */
#include "core/core.h"

uint64_t gms_seq_read(const struct gms_state *s, gms_pgoff_t index)
{
	return index < s->nr_pages ? gms_load_acquire(&s->shard[gms_shard_of(index)].seq) : 0;
}

bool gms_seq_retry(const struct gms_state *s, gms_pgoff_t index, uint64_t seq)
{
	gms_fence_acquire();
	return (seq & 1) ||
	       (index < s->nr_pages && gms_load_relaxed(&s->shard[gms_shard_of(index)].seq) != seq);
}
