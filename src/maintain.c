// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maintain.c - merging what has come to rest
 */
#include "state_priv.h"

/* Is a folio of the block smaller than the backing? */
static bool is_split(const struct gms_state *s, const struct gms_block *b)
{
	return b && ((s->folios.order == GMS_ORDER_1G && gms_load_relaxed(&b->split_1g)) ||
		     !gms_line_is(&b->split_2m, false));
}

/* The next split block from the @from-th on, all the way round; false where there is none. */
static bool next_split(const struct gms_state *s, uint64_t from, uint64_t *found)
{
	const struct gms_blocks *blocks = &s->folios.blocks;

	for (uint64_t i = 0; i < blocks->nr; i++) {
		*found = (from + i) % blocks->nr;
		if (is_split(s, gms_load_acquire(&blocks->block[*found])))
			return true;
	}
	return false;
}

static uint64_t maintain(struct gms_state *s, uint64_t block)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock)
{
	const struct gms_ask ask = {.event = GMS_EV_MAINTAIN, .cap = GMS_ORDER_1G};
	const gms_pgoff_t start = block << GMS_ORDER_1G;
	const gms_pgoff_t next = start + gms_order_pages(GMS_ORDER_1G);
	const gms_shards shard = gms_shards_of(start, start + 1);
	uint64_t merges;

	gms_shards_lock_convert(s, shard);
	gms_shards_lock(s, shard);
	merges = gms_settle_up(s, &ask, start, next < s->nr_pages ? next : s->nr_pages);
	gms_shards_unlock(s, shard);
	gms_shards_unlock_convert(s, shard);
	return merges;
}

uint64_t gms_maintain(struct gms_state *s, uint64_t max_blocks)
{
	uint64_t at = gms_load_relaxed(&s->maintain_at), merges = 0, block, first = 0;

	if (gms_backend_inside(&s->backend)) {
		gms_refused(s, -EDEADLK);
		return 0;
	}
	if (!s->folios.order)
		return 0;
	for (uint64_t i = 0; i < max_blocks && next_split(s, at, &block); i++) {
		if (i && block == first) /* all have been looked at */
			break;
		if (!i)
			first = block;
		merges += maintain(s, block);
		at = block + 1;
	}
	gms_store_relaxed(&s->maintain_at, at);
	return merges;
}
