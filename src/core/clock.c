// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * clock.c - the time that policies are shown: see clock.h
 */
#include "clock.h"

#define CLOCK_BATCH 16

static void clock_add_global(struct gms_state *s, uint64_t events)
{
	if (events % CLOCK_BATCH == 0)
		gms_add_relaxed(&s->events, CLOCK_BATCH);
}

void gms_clock_tick(struct gms_state *s, gms_pgoff_t index)
{
	clock_add_global(s, gms_fetch_add_relaxed(&s->shard[gms_shard_of(index)].events, 1) + 1);
}

void gms_clock_tick_exclusive(struct gms_state *s, gms_pgoff_t index)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(index)];
	const uint64_t events = gms_load_relaxed(&shard->events) + 1;

	gms_store_relaxed(&shard->events, events);
	clock_add_global(s, events);
}

uint64_t gms_clock_now(const struct gms_state *s, gms_pgoff_t index)
{
	const struct gms_shard *shard = &s->shard[gms_shard_of(index)];

	if (s->clock_ns)
		return s->clock_ns(s->clock_ctx) - s->clock_start;
	return gms_load_relaxed(&s->events) + gms_load_relaxed(&shard->events) % CLOCK_BATCH;
}
