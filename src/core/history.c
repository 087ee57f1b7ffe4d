// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * history.c - how often the blocks of a 1G went between uniform and mixed, and when last
 *
 * For policies, so an object whose folios are all of order 0 keeps none. A flip is a change of a
 * 1G block or of a 2M block in it; one conversion is one flip of a 1G at most.
 */
#include "core/core.h"

int gms_history_make(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_blocks *blocks = &s->folios.blocks;
	int err = 0;

	/* only those of the two ends may come to be mixed */
	if (start != gms_order_down(start, GMS_ORDER_1G))
		err = gms_block_make(blocks, start);
	if (!err && end != gms_order_down(end, GMS_ORDER_1G))
		err = gms_block_make(blocks, end - 1);
	return err;
}

static bool is_mixed(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	return gms_rtree_fill(s->private, index, order) == GMS_RTREE_MIXED;
}

/* What is mixed of a 1G block: itself, and 2M blocks in [start, end): the ends, those between. */
static uint8_t mixedness(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	const gms_pgoff_t last = gms_order_down(end - 1, GMS_ORDER_2M);
	gms_pgoff_t at = gms_order_down(start, GMS_ORDER_2M);
	uint8_t mixed;

	if (!is_mixed(s, start, GMS_ORDER_1G))
		return 0;
	mixed = (uint8_t)(1 | is_mixed(s, start, GMS_ORDER_2M) << 1 |
			  is_mixed(s, last, GMS_ORDER_2M) << 2);
	while ((at += gms_order_pages(GMS_ORDER_2M)) < last && !(mixed & 8))
		mixed |= (uint8_t)(is_mixed(s, at, GMS_ORDER_2M) << 3);
	return mixed;
}

void gms_history_note(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool committed)
{
	gms_pgoff_t next;

	for (; start < end; start = next) {
		struct gms_block *b = gms_block_at(&s->folios.blocks, start);
		uint8_t mixed;

		next = gms_order_down(start, GMS_ORDER_1G) + gms_order_pages(GMS_ORDER_1G);
		if (!b)
			continue;
		mixed = mixedness(s, start, next < end ? next : end);
		if (committed && mixed != b->mixed) {
			gms_store_relaxed(&b->flips, b->flips + 1);
			gms_store_relaxed(&b->since, gms_now(s, start));
		}
		b->mixed = mixed;
	}
}
