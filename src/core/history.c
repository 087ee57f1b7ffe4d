// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * history.c - the time, and the flips of a 1G block: see history.h
 */
#include "history.h"

/* ---- time ---- */

#define HISTORY_BATCH 16

/* Adds to the global count if @events, the count of a shard, has just completed a batch. */
static void history_add_global(struct gms_state *s, uint64_t events)
{
	if (events % HISTORY_BATCH == 0)
		gms_add_relaxed(&s->events, HISTORY_BATCH);
}

void gms_history_tick(struct gms_state *s, gms_pgoff_t index)
{
	history_add_global(s, gms_fetch_add_relaxed(&s->shard[gms_shard_of(index)].events, 1) + 1);
}

void gms_history_tick_exclusive(struct gms_state *s, gms_pgoff_t index)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(index)];
	const uint64_t events = gms_load_relaxed(&shard->events) + 1;

	gms_store_relaxed(&shard->events, events);
	history_add_global(s, events);
}

uint64_t gms_history_now(const struct gms_state *s, gms_pgoff_t index)
{
	const struct gms_shard *shard = &s->shard[gms_shard_of(index)];

	uint64_t now;

	if (s->clock_ns) {
		now = s->clock_ns(s->clock_ctx);
		return now > s->clock_start ? now - s->clock_start : 0;
	}
	return gms_load_relaxed(&s->events) + gms_load_relaxed(&shard->events) % HISTORY_BATCH;
}

/* ---- flips ---- */

int gms_history_make_records(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_folios *f = &s->folios;
	int err = 0;

	/* Only the blocks at the two ends may turn mixed: all others become uniform. */
	if (!gms_order_is_start(start, GMS_ORDER_1G))
		err = gms_folios_make_block(f, start);
	if (!err && !gms_order_is_start(end, GMS_ORDER_1G))
		err = gms_folios_make_block(f, end - 1);
	return err;
}

static bool history_is_mixed(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	return gms_rtree_fill(s->private, index, order) == GMS_RTREE_MIXED;
}

/*
 * Returns which blocks are mixed, for [start, end) in one 1G block. Bit 0: the 1G block; bit 1:
 * the first 2M block that the range touches; bit 2: the last one; bit 3: any 2M block between
 * these.
 */
static uint8_t history_mixed(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	const gms_pgoff_t last = gms_order_down(end - 1, GMS_ORDER_2M);
	gms_pgoff_t at = gms_order_down(start, GMS_ORDER_2M);
	uint8_t mixed;

	if (!history_is_mixed(s, start, GMS_ORDER_1G))
		return 0;
	mixed = (uint8_t)(1 | history_is_mixed(s, start, GMS_ORDER_2M) << 1 |
			  history_is_mixed(s, last, GMS_ORDER_2M) << 2);
	while ((at += gms_order_pages(GMS_ORDER_2M)) < last && !(mixed & 8))
		mixed |= (uint8_t)(history_is_mixed(s, at, GMS_ORDER_2M) << 3);
	return mixed;
}

void gms_history_compare(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool committed)
{
	gms_for_each_1g(at, next, start, end) {
		struct gms_block *b = gms_folios_block(&s->folios, at);
		uint8_t mixed;

		if (!b)
			continue;
		gms_cond_resched();
		mixed = history_mixed(s, at, next);
		if (committed && mixed != b->mixed) {
			gms_store_relaxed(&b->flips, b->flips + 1);
			gms_store_relaxed(&b->since, gms_history_now(s, at));
		}
		b->mixed = mixed;
		if (committed)
			gms_rents_change(s, at, next);
	}
}
