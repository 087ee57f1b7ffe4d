// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rent.c - when it pays to merge a block again: see rent.h
 */
#include "rent.h"

#include "history.h"

/* ---- the rules ---- */

/* theta of each rule, in tenths. The rule that wins a tie is the one with theta = 1. */
static const uint64_t rent_tenths[GMS_NR_SKIS] = {0, 1, 3, 10, 30, 100, GMS_SKI_NEVER};
#define RENT_TIE 3

/* The defaults of W: in nanoseconds of a clock, and in counted events. */
static const uint64_t rent_defaults[GMS_NR_RENTS][2] = {
	[GMS_RENT_2M] = {1500000000, 1500},
	[GMS_RENT_1G] = {800000000, 800},
};

uint64_t gms_ski_wait(uint64_t merge, uint64_t tenths)
{
	const uint64_t tenth = merge / 10, rest = merge % 10;

	if (tenths == GMS_SKI_NEVER || (tenths && tenth > UINT64_MAX / tenths))
		return GMS_SKI_NEVER;
	return gms_ski_add(tenth * tenths, rest * tenths / 10);
}

unsigned int gms_ski_best(const uint64_t cost[GMS_NR_SKIS])
{
	unsigned int best = RENT_TIE;

	for (unsigned int i = 0; i < GMS_NR_SKIS; i++)
		if (cost[i] < cost[best])
			best = i;
	return best;
}

/* ---- one record ---- */

static struct gms_ski rent_load(const struct gms_rent *r, unsigned int rule)
{
	const bool waits = rule && rule < GMS_NR_SKIS - 1;

	return (struct gms_ski) {waits ? r->waited[rule - 1] : 0, r->whole >> rule & 1};
}

static void rent_store(struct gms_rent *r, unsigned int rule, struct gms_ski ski)
{
	if (rule && rule < GMS_NR_SKIS - 1)
		r->waited[rule - 1] = ski.waited;
	r->whole = (uint8_t)((r->whole & ~(1U << rule)) | (unsigned int)ski.whole << rule);
}

/* Returns how long the open period has lasted since it was settled. The clock may step back. */
static uint64_t rent_time(const struct gms_rent *r, uint64_t now)
{
	const uint64_t since = gms_load_relaxed(&r->since);

	return gms_load_relaxed(&r->open) && now > since ? now - since : 0;
}

/* Counts what the open period has cost under each rule since it was settled last. */
static void rent_settle(struct gms_state *s, struct gms_rent *r, enum gms_rent_kind kind,
			gms_pgoff_t index, uint64_t now)
{
	uint64_t *const costs = s->rent_costs[gms_shard_of(index)].cost[kind];
	const uint64_t time = rent_time(r, now);

	if (!r->open)
		return;
	for (unsigned int i = 0; i < GMS_NR_SKIS; i++) {
		struct gms_ski ski = rent_load(r, i);
		const uint64_t cost =
			gms_ski_rest(&ski, s->rent.wait[kind][i], s->rent.merge[kind], time);

		rent_store(r, i, ski);
		gms_store_relaxed(&costs[i], gms_ski_add(costs[i], cost));
	}
	gms_store_relaxed(&r->rested, gms_ski_add(r->rested, time));
	gms_store_relaxed(&r->since, now);
}

/* Splits the block under each rule that has it whole. */
static void rent_touch_rules(struct gms_rent *r)
{
	for (unsigned int i = 0; i < GMS_NR_SKIS; i++) {
		struct gms_ski ski = rent_load(r, i);

		gms_ski_touch(&ski);
		rent_store(r, i, ski);
	}
}

static bool rent_is_private(const struct gms_state *s, enum gms_rent_kind kind, gms_pgoff_t index)
{
	return gms_rtree_fill(s->private, index,
			      kind == GMS_RENT_1G ? GMS_ORDER_1G : GMS_ORDER_2M) == GMS_RTREE_ALL;
}

/* Opens or closes a period if the block has become all private, or is so no more. */
static void rent_change(struct gms_state *s, struct gms_rent *r, enum gms_rent_kind kind,
			gms_pgoff_t index, uint64_t now)
{
	const bool private = rent_is_private(s, kind, index);

	if (private == r->open)
		return;
	if (private) {
		if (r->touched)
			rent_touch_rules(r);
		gms_store_relaxed(&r->touched, 0);
		gms_store_relaxed(&r->since, now);
	} else {
		rent_settle(s, r, kind, index, now);
	}
	gms_store_relaxed(&r->open, private);
}

/*
 * Notes a split. In an open period only a hole or a policy of the caller splits. Then the period
 * begins anew, and what it has cost since it was settled last is dropped: under the shared lock
 * another thread may be noting a split in the same shard, so nothing is added to the costs.
 */
static void rent_split(const struct gms_state *s, struct gms_rent *r, enum gms_rent_kind kind,
		       gms_pgoff_t index, uint64_t now)
{
	rent_touch_rules(r);
	gms_store_relaxed(&r->rested, 0);
	gms_store_relaxed(&r->since, now);
	gms_store_relaxed(&r->open, rent_is_private(s, kind, index));
	gms_store_release(&r->used, 1);
}

/* ---- the records of a 1G block ---- */

#define RENT_GROUP_BYTES (GMS_RENT_GROUP * sizeof(struct gms_rent))

/* Returns the record of the 2M block at an index; NULL: the block was never split. */
static struct gms_rent *rents_find(const struct gms_rents *rents, gms_pgoff_t index)
{
	const unsigned int nr = gms_block_2m(index);
	struct gms_rent *group = gms_load_acquire(&rents->group[nr / GMS_RENT_GROUP]);
	struct gms_rent *r = group ? &group[nr % GMS_RENT_GROUP] : NULL;

	return r && gms_load_acquire(&r->used) ? r : NULL;
}

/* Moves *at to the first 2M block of [*at, end) with a record. NULL: there is none. */
static struct gms_rent *rents_next(const struct gms_rents *rents, gms_pgoff_t *at, gms_pgoff_t end)
{
	while (*at < end) {
		const unsigned int nr = gms_block_2m(*at);
		struct gms_rent *r = rents_find(rents, *at);

		if (r)
			return r;
		if (gms_load_relaxed(&rents->group[nr / GMS_RENT_GROUP]))
			*at = gms_order_up(*at, GMS_ORDER_2M);
		else /* a group is as large as a block of this order */
			*at = gms_order_up(*at, GMS_ORDER_2M + 3);
	}
	return NULL;
}

/* Visits the records of the 2M blocks in [start, end): @at lies in the block of @r. */
#define rents_for_each(rents, at, r, start, end)                                                   \
	for (gms_pgoff_t at = (start), end_ = (end); ((r) = rents_next(rents, &at, end_)) != NULL; \
	     at = gms_order_up(at, GMS_ORDER_2M))

static int rents_publish(struct gms_state *s, void **slot, size_t size)
{
	const struct gms_allocator *a = &s->allocator;
	struct gms_spinlock *lock = &s->folios.blocks.lock;
	void *mem;

	if (gms_load_acquire(slot))
		return 0;
	mem = a->alloc(a->ctx, size, 64);
	if (!mem)
		return -ENOMEM;
	gms_memset(mem, 0, size);
	gms_spin_lock(lock);
	if (!*slot) {
		gms_store_release(slot, mem);
		mem = NULL;
	}
	gms_spin_unlock(lock);
	if (mem) /* another thread was faster */
		a->free(a->ctx, mem, size, 64);
	return 0;
}

int gms_rents_make_slow(struct gms_state *s, struct gms_folio folio, unsigned int to)
{
	struct gms_block *b = gms_folios_block(&s->folios, folio.index);
	unsigned int group = gms_block_2m(folio.index) / GMS_RENT_GROUP, last = group;
	struct gms_rents *rents;
	int err;

	err = rents_publish(s, &b->rents, sizeof(*rents));
	if (err || (folio.order == GMS_ORDER_1G && to == GMS_ORDER_2M))
		return err;
	if (folio.order == GMS_ORDER_1G)
		last = GMS_RENT_GROUPS - 1;
	rents = b->rents;
	for (; group <= last && !err; group++)
		err = rents_publish(s, &rents->group[group], RENT_GROUP_BYTES);
	return err;
}

void gms_rents_split_slow(struct gms_state *s, struct gms_folio folio, unsigned int to)
{
	struct gms_rents *rents = gms_rents_at(s, folio.index);
	const uint64_t now = gms_history_now(s, folio.index);

	if (folio.order == GMS_ORDER_1G)
		rent_split(s, &rents->of_1g, GMS_RENT_1G, folio.index, now);
	if (folio.order == GMS_ORDER_1G && to == GMS_ORDER_2M)
		return;
	gms_for_each_block(at, next, folio.index, gms_folio_end(folio), GMS_ORDER_2M) {
		const unsigned int nr = gms_block_2m(at);
		struct gms_rent *group = rents->group[nr / GMS_RENT_GROUP];

		rent_split(s, &group[nr % GMS_RENT_GROUP], GMS_RENT_2M, at, now);
	}
}

static void rent_touch(const struct gms_state *s, struct gms_rent *r, gms_pgoff_t index,
		       unsigned int order)
{
	if (!gms_load_relaxed(&r->touched) &&
	    gms_rtree_fill(s->private, index, order) == GMS_RTREE_MIXED)
		gms_store_relaxed(&r->touched, 1);
}

void gms_rents_touch_slow(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rents *rents = gms_rents_at(s, start);
	struct gms_rent *r;

	if (gms_load_acquire(&rents->of_1g.used))
		rent_touch(s, &rents->of_1g, start, GMS_ORDER_1G);
	rents_for_each(rents, at, r, start, end) rent_touch(s, r, at, GMS_ORDER_2M);
}

void gms_rents_change_slow(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rents *rents = gms_rents_at(s, start);
	const uint64_t now = gms_history_now(s, start);
	struct gms_rent *r;

	if (rents->of_1g.used)
		rent_change(s, &rents->of_1g, GMS_RENT_1G, start, now);
	rents_for_each(rents, at, r, start, end) rent_change(s, r, GMS_RENT_2M, at, now);
}

static void rent_free(struct gms_state *s, struct gms_rent *r, enum gms_rent_kind kind,
		      gms_pgoff_t index, uint64_t now)
{
	const unsigned int order = kind == GMS_RENT_1G ? GMS_ORDER_1G : GMS_ORDER_2M;

	if (gms_rtree_fill(s->folios.allocated, index, order) != GMS_RTREE_NONE)
		return;
	rent_settle(s, r, kind, index, now);
	r->whole = (1U << GMS_NR_SKIS) - 1;
	gms_store_relaxed(&r->touched, 0);
}

void gms_rents_free(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	if (!s->rents)
		return;
	gms_for_each_1g(from, to, start, end) {
		struct gms_rents *rents = gms_rents_at(s, from);
		const uint64_t now = rents ? gms_history_now(s, from) : 0;
		struct gms_rent *r;

		if (!rents)
			continue;
		if (rents->of_1g.used)
			rent_free(s, &rents->of_1g, GMS_RENT_1G, from, now);
		rents_for_each(rents, at, r, from, to) rent_free(s, r, GMS_RENT_2M, at, now);
	}
}

/* ---- all records ---- */

void gms_rents_settle(struct gms_state *s, gms_pgoff_t index)
{
	const gms_pgoff_t start = gms_order_down(index, GMS_ORDER_1G);
	struct gms_rents *rents = gms_rents_at(s, index);
	const uint64_t now = gms_history_now(s, index);
	struct gms_rent *r;

	if (rents && rents->of_1g.used)
		rent_settle(s, &rents->of_1g, GMS_RENT_1G, start, now);
	if (rents)
		rents_for_each(rents, at, r, start, gms_order_cut(start, GMS_ORDER_1G, s->nr_pages))
			rent_settle(s, r, GMS_RENT_2M, at, now);
	for (unsigned int kind = 0; kind < GMS_NR_RENTS; kind++) {
		uint64_t cost[GMS_NR_SKIS] = {0};
		unsigned int best;

		for (unsigned int i = 0; i < GMS_NR_SHARDS * GMS_NR_SKIS; i++) {
			uint64_t *sum = &cost[i % GMS_NR_SKIS];
			const struct gms_rent_costs *costs = &s->rent_costs[i / GMS_NR_SKIS];

			*sum = gms_ski_add(*sum,
					   gms_load_relaxed(&costs->cost[kind][i % GMS_NR_SKIS]));
		}
		best = gms_ski_best(cost);
		/* Every fault reads the cache line. So it is written only if it changes. */
		if (best != gms_load_relaxed(&s->rent.best[kind]))
			gms_store_relaxed(&s->rent.best[kind], best);
	}
}

static uint64_t rent_view(const struct gms_rent *r, uint64_t now)
{
	return gms_ski_add(gms_load_relaxed(&r->rested), rent_time(r, now));
}

void gms_rents_view_slow(const struct gms_state *s, gms_pgoff_t index, struct gms_policy_view *view)
{
	const struct gms_rents *rents = gms_rents_at(s, index);
	const struct gms_rent *r = rents ? rents_find(rents, index) : NULL;
	const unsigned int best_2m = gms_load_relaxed(&s->rent.best[GMS_RENT_2M]),
			   best_1g = gms_load_relaxed(&s->rent.best[GMS_RENT_1G]);
	const uint64_t now = rents ? gms_history_now(s, index) : 0;

	view->wait_2m = s->rent.wait[GMS_RENT_2M][best_2m];
	view->wait_1g = s->rent.wait[GMS_RENT_1G][best_1g];
	view->rest_2m = r ? rent_view(r, now) : 0;
	view->rest_1g =
		rents && gms_load_acquire(&rents->of_1g.used) ? rent_view(&rents->of_1g, now) : 0;
}

static const char *rent_verify(const struct gms_state *s, const struct gms_rent *r,
			       enum gms_rent_kind kind, gms_pgoff_t index)
{
	if (r->used && r->open != rent_is_private(s, kind, index))
		return "a period of rent is not open exactly while its block is all private";
	for (unsigned int i = 0; r->used && i < GMS_NR_SKIS; i++) {
		const struct gms_ski ski = rent_load(r, i);

		if (!ski.whole && ski.waited && ski.waited >= s->rent.wait[kind][i])
			return "a rule has waited long enough, and has not merged";
	}
	return NULL;
}

const char *gms_rents_verify(const struct gms_state *s)
{
	const char *wrong = NULL;

	for (uint64_t i = 0; !wrong && s->rents && i < s->folios.blocks.nr; i++) {
		const gms_pgoff_t start = i << GMS_ORDER_1G;
		const struct gms_rents *rents = gms_rents_at(s, start);
		struct gms_rent *r;

		if (!rents)
			continue;
		wrong = rent_verify(s, &rents->of_1g, GMS_RENT_1G, start);
		rents_for_each(rents, at, r, start, gms_order_cut(start, GMS_ORDER_1G, s->nr_pages))
			wrong = wrong ? wrong : rent_verify(s, r, GMS_RENT_2M, at);
	}
	return wrong;
}

void gms_rents_init(struct gms_state *s, uint64_t merge_2m, uint64_t merge_1g)
{
	const uint64_t asked[GMS_NR_RENTS] = {[GMS_RENT_2M] = merge_2m, [GMS_RENT_1G] = merge_1g};
	const unsigned int events = s->policy.events;

	s->rents = !events || (events >> GMS_EV_MAINTAIN & 1);
	for (unsigned int kind = 0; kind < GMS_NR_RENTS; kind++) {
		const uint64_t merge =
			asked[kind] ? asked[kind] : rent_defaults[kind][!s->clock_ns];

		s->rent.merge[kind] = merge;
		s->rent.best[kind] = RENT_TIE;
		for (unsigned int i = 0; i < GMS_NR_SKIS; i++)
			s->rent.wait[kind][i] = gms_ski_wait(merge, rent_tenths[i]);
	}
}

/* Returns true if a record of the group is used. */
static bool rents_group_is_used(const struct gms_rent *group)
{
	for (unsigned int i = 0; i < GMS_RENT_GROUP; i++)
		if (gms_load_relaxed(&group[i].used))
			return true;
	return false;
}

void gms_rents_bytes(const struct gms_state *s, uint64_t *in_use, uint64_t *pooled)
{
	for (uint64_t i = 0; s->rents && i < s->folios.blocks.nr; i++) {
		const struct gms_rents *rents = gms_rents_at(s, i << GMS_ORDER_1G);
		uint64_t used = 0, all = 0;

		if (!rents)
			continue;
		for (unsigned int j = 0; j < GMS_RENT_GROUPS; j++) {
			const struct gms_rent *group = gms_load_acquire(&rents->group[j]);

			all += group ? RENT_GROUP_BYTES : 0;
			used += group && rents_group_is_used(group) ? RENT_GROUP_BYTES : 0;
		}
		all += sizeof(*rents);
		if (used || gms_load_relaxed(&rents->of_1g.used))
			used += sizeof(*rents);
		*in_use += used;
		*pooled += all - used;
	}
}

void gms_rents_fini(struct gms_state *s)
{
	const struct gms_allocator *a = &s->allocator;

	for (uint64_t i = 0; s->rents && i < s->folios.blocks.nr; i++) {
		struct gms_rents *rents = gms_rents_at(s, i << GMS_ORDER_1G);

		for (unsigned int j = 0; rents && j < GMS_RENT_GROUPS; j++)
			if (rents->group[j])
				a->free(a->ctx, rents->group[j], RENT_GROUP_BYTES, 64);
		if (rents)
			a->free(a->ctx, rents, sizeof(*rents), 64);
	}
}
