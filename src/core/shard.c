// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * shard.c - the locks of a state object, its sequence numbers and its time
 *
 * Blocks of 1G whose numbers are equal modulo 16 share their locks: however large a range is,
 * it takes 16 of a kind at most. They are always taken in ascending order.
 */
#include "core/core.h"

gms_shards gms_shards_of_many(gms_pgoff_t start, gms_pgoff_t end)
{
	const uint64_t first = start >> GMS_ORDER_1G;
	const uint64_t nr = ((end - 1) >> GMS_ORDER_1G) - first + 1;
	uint32_t shards;

	if (nr >= GMS_NR_SHARDS)
		return GMS_ALL_SHARDS;
	shards = ((1U << nr) - 1) << first % GMS_NR_SHARDS;
	return (shards | shards >> GMS_NR_SHARDS) & GMS_ALL_SHARDS;
}

/* The lowest shard of a set, which is taken out. */
static inline unsigned int take_first(gms_shards *shards)
{
	const unsigned int i = gms_ctz(*shards);

	*shards &= *shards - 1;
	return i;
}

void gms_shards_lock_convert(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_mutex_lock(&s->shard[take_first(&shards)].convert);
}

void gms_shards_unlock_convert(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_mutex_unlock(&s->shard[take_first(&shards)].convert);
}

static void seq_add(struct gms_state *s, gms_shards shards)
{
	while (shards) {
		struct gms_shard *shard = &s->shard[take_first(&shards)];

		gms_store_relaxed(&shard->seq, gms_load_relaxed(&shard->seq) + 1);
	}
}

/*
 * Odd only when all locks are there: whoever waits for an even number may well hold one of
 * them, shared. And odd is seen before anything that changes afterwards, even after all that.
 */
void gms_shards_lock(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	for (gms_shards rest = shards; rest;)
		gms_rwlock_write_lock(&s->shard[take_first(&rest)].invalidate);
	seq_add(s, shards);
	gms_fence_release();
}

void gms_shards_unlock(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards) {
		struct gms_shard *shard = &s->shard[take_first(&shards)];

		gms_store_release(&shard->seq, gms_load_relaxed(&shard->seq) + 1);
		gms_rwlock_write_unlock(&shard->invalidate);
	}
}

void gms_shards_lock_shared_many(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_shard_lock_shared(s, take_first(&shards));
}

void gms_shards_unlock_shared_many(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_shard_unlock_shared(s, take_first(&shards));
}

/* ---- the way in ---- */

int gms_may_enter_shared(const struct gms_state *s)
{
	return gms_backend_in_hook(&s->backend) || gms_thread_holds(s) ? -EDEADLK : 0;
}

static gms_shards shards_to_enter(unsigned int how, gms_pgoff_t start, uint64_t nr_pages)
{
	return how & GMS_ENTER_WHOLE ? GMS_ALL_SHARDS : gms_shards_of(start, start + nr_pages);
}

int gms_enter(struct gms_state *s, unsigned int how, gms_pgoff_t start,
	      uint64_t nr_pages) GMS_NO_TSA
{
	gms_shards shards;

	if (!gms_state_range_ok(s, start, nr_pages))
		return -EINVAL;
	if (gms_backend_inside(&s->backend) || gms_thread_holds(s))
		return -EDEADLK;
	shards = shards_to_enter(how, start, nr_pages);
	gms_shards_lock_convert(s, shards);
	if (gms_likely((how & GMS_ENTER_FROZEN) || !gms_load_relaxed(&s->frozen)))
		return 0;
	gms_shards_unlock_convert(s, shards);
	return -EPERM;
}

int gms_leave(struct gms_state *s, unsigned int how, gms_pgoff_t start, uint64_t nr_pages,
	      int err) GMS_NO_TSA
{
	gms_shards_unlock_convert(s, shards_to_enter(how, start, nr_pages));
	return gms_unlikely(err) ? gms_refused(s, err) : 0;
}

int gms_lock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages) GMS_NO_TSA
{
	return gms_refused(s, gms_enter_shared(s, GMS_ENTER_FROZEN, start, nr_pages));
}

void gms_unlock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)gms_leave_shared(s, start, nr_pages, 0);
}

/* ---- sequence numbers ---- */

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

/* ---- time ---- */

/*
 * Each shard has its own counter, so that conversions in different shards share no cache line. A
 * shard's count is added to the global one every 16 events.
 */
#define EVENTS_AT_ONCE 16

static void pass_on(struct gms_state *s, uint64_t events)
{
	if (events % EVENTS_AT_ONCE == 0)
		gms_add_relaxed(&s->events, EVENTS_AT_ONCE);
}

void gms_event(struct gms_state *s, gms_pgoff_t index)
{
	pass_on(s, gms_fetch_add_relaxed(&s->shard[gms_shard_of(index)].events, 1) + 1);
}

/* Nobody else counts: an ordinary addition will do. */
void gms_event_locked(struct gms_state *s, gms_pgoff_t index)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(index)];
	const uint64_t events = gms_load_relaxed(&shard->events) + 1;

	gms_store_relaxed(&shard->events, events);
	pass_on(s, events);
}

uint64_t gms_now(const struct gms_state *s, gms_pgoff_t index)
{
	const struct gms_shard *shard = &s->shard[gms_shard_of(index)];

	if (s->clock_ns)
		return s->clock_ns(s->clock_ctx) - s->clock_start;
	return gms_load_relaxed(&s->events) + gms_load_relaxed(&shard->events) % EVENTS_AT_ONCE;
}
