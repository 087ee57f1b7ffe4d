// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * maintain.c - merging folios in blocks that are split, as the policy decides
 *
 * A block in which a folio was ever split is visited even if it is whole: what it has cost under
 * each rule of rent.h is counted, so that the best rule is known.
 */
#include "core/entry.h"
#include "core/rent.h"
#include "core/restructure.h"

/* Merges folios in the 1G block with a number. Returns how many merges there were. */
static uint64_t maintain_block(struct gms_state *s, uint64_t block)
	GMS_EXCLUDES(gms_convert_lock, gms_invalidate_lock)
{
	const struct gms_policy_query query = {.event = GMS_EV_MAINTAIN, .cap = GMS_ORDER_1G};
	const gms_pgoff_t start = block << GMS_ORDER_1G;
	const gms_pgoff_t end = gms_order_cut(start, GMS_ORDER_1G, s->nr_pages);
	const gms_shards shard = gms_shards_of(start, end);
	struct gms_ranges ranges;
	uint64_t merges;

	if (gms_enter(s, GMS_ENTER_RANGE, start, end - start))
		return 0;
	gms_ranges_one(&ranges, start, end);
	gms_shards_lock_exclusive(s, shard);
	gms_rents_settle(s, start);
	merges = gms_restructure_merge_ranges(s, &query, &ranges);
	gms_shards_unlock_exclusive(s, shard);
	(void)gms_leave(s, GMS_ENTER_RANGE, start, end - start, 0);
	return merges;
}

uint64_t gms_maintain(struct gms_state *s, uint64_t max_blocks)
{
	const struct gms_blocks *blocks = &s->folios.blocks;
	uint64_t at = gms_load_relaxed(&s->maintain_at), merges = 0;

	if (!s->folios.order || !gms_policy_wants(s, GMS_EV_MAINTAIN, GMS_HOST))
		return 0;
	/* No block is visited twice in one call. */
	for (uint64_t i = 0; i < blocks->nr && max_blocks; i++) {
		const struct gms_block *b = gms_load_acquire(&blocks->block[at]);

		if (b && (gms_block_is_split(blocks, b) || gms_load_acquire(&b->rents))) {
			merges += maintain_block(s, at);
			max_blocks--;
		}
		at = (at + 1) % blocks->nr;
	}
	gms_store_relaxed(&s->maintain_at, at);
	return merges;
}
