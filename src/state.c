// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state.c - the state object: one range tree of private pages, one lock, sequence numbers
 *
 * A conversion: lock, look, prepare, sequence odd, commit, sequence even, release, unlock.
 * Prepare is the last step that may fail. Queries go straight to the tree.
 *
 * Sequence numbers are per shard (1G block number modulo 16), so that a reader of one
 * block need not start over because of a conversion far away.
 */
#include <gmemstate/rtree.h>
#include <gmemstate/state.h>

#include "platform.h"

#define NR_SHARDS 16

struct shard {
	uint64_t seq; /* odd while a block of this shard is being changed */
} __attribute__((aligned(64)));

struct gms_state {
	/* what queries load; written once */
	struct gms_rtree *private;
	uint64_t nr_pages;
	struct gms_allocator allocator;
	/* what conversions write, under the lock; the counters are read without it */
	struct gms_rwlock lock __attribute__((aligned(64)));
	uint64_t conversions, pages_converted, noops, refused_inval, refused_nomem;
	struct shard shard[NR_SHARDS];
};

static bool opts_ok(const struct gms_state_opts *o)
{
	return o->struct_size >= sizeof(*o) && gms_tail_is_zero(o, sizeof(*o), o->struct_size) &&
	       !(o->flags & ~GMS_INIT_PRIVATE) &&
	       (o->folio_order == GMS_ORDER_4K || o->folio_order == GMS_ORDER_2M ||
		o->folio_order == GMS_ORDER_1G) &&
	       !o->policy && !o->policy_ctx && !o->backend && !o->backend_ctx && !o->clock_ns &&
	       !o->clock_ctx;
}

int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state)
{
	const struct gms_allocator *a;
	struct gms_rtree *private;
	struct gms_state *s;
	int err;

	if (!opts_ok(opts))
		return -EINVAL;
	/* checks the size and the allocator */
	err = gms_rtree_create(opts->nr_pages,
			       opts->flags & GMS_INIT_PRIVATE ? GMS_RTREE_ALL : GMS_RTREE_NONE,
			       opts->allocator, &private);
	if (err)
		return err;
	a = opts->allocator ? opts->allocator : gms_platform_allocator();
	s = a->alloc(a->ctx, sizeof(*s), 64);
	if (!s)
		goto no_state;
	gms_memset(s, 0, sizeof(*s));
	s->private = private;
	s->nr_pages = opts->nr_pages;
	s->allocator = *a;
	if (gms_rwlock_init(&s->lock))
		goto no_lock;
	*state = s;
	return 0;
no_lock:
	a->free(a->ctx, s, sizeof(*s), 64);
no_state:
	gms_rtree_destroy(private);
	return -ENOMEM;
}

void gms_state_destroy(struct gms_state *s)
{
	struct gms_allocator a;

	if (!s)
		return;
	a = s->allocator;
	gms_rwlock_fini(&s->lock);
	gms_rtree_destroy(s->private);
	a.free(a.ctx, s, sizeof(*s), 64);
}

uint64_t gms_state_nr_pages(const struct gms_state *s)
{
	return s->nr_pages;
}

static bool range_ok(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	return nr_pages && start < s->nr_pages && nr_pages <= s->nr_pages - start;
}

/* ---- conversion ---- */

static void count(uint64_t *counter, uint64_t n)
{
	gms_store_relaxed(counter, gms_load_relaxed(counter) + n);
}

/* The shards of a range: @nr from @first on, wrapping round. */
static unsigned int shards_of(gms_pgoff_t start, uint64_t nr_pages, unsigned int *nr)
{
	const uint64_t first = start >> GMS_ORDER_1G;
	const uint64_t blocks = ((start + nr_pages - 1) >> GMS_ORDER_1G) - first + 1;

	*nr = blocks < NR_SHARDS ? (unsigned int)blocks : NR_SHARDS;
	return first % NR_SHARDS;
}

/* Odd is seen before anything that changes afterwards, even after all that changed. */
static void seq_begin(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	unsigned int nr, shard = shards_of(start, nr_pages, &nr);

	for (; nr--; shard = (shard + 1) % NR_SHARDS)
		count(&s->shard[shard].seq, 1);
	gms_fence_release();
}

static void seq_end(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	unsigned int nr, shard = shards_of(start, nr_pages, &nr);

	for (; nr--; shard = (shard + 1) % NR_SHARDS)
		gms_store_release(&s->shard[shard].seq, gms_load_relaxed(&s->shard[shard].seq) + 1);
}

static int convert_locked(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, bool private)
{
	struct gms_rtree_reserve reserve;
	uint64_t changed = gms_rtree_count(s->private, start, nr_pages);
	int err;

	if (private)
		changed = nr_pages - changed;
	if (!changed) {
		count(&s->noops, 1);
		return 0;
	}
	err = gms_rtree_prepare(s->private, start, nr_pages, &reserve);
	if (err)
		return err;
	seq_begin(s, start, nr_pages);
	gms_rtree_commit(s->private, start, nr_pages, private, &reserve);
	seq_end(s, start, nr_pages);
	gms_rtree_release(s->private, &reserve);
	count(&s->conversions, 1);
	count(&s->pages_converted, changed);
	return 0;
}

int gms_convert(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		unsigned int flags, gms_pgoff_t *err_index)
{
	int err = -EINVAL;

	gms_rwlock_write_lock(&s->lock);
	if (range_ok(s, start, nr_pages) && (to == GMS_SHARED || to == GMS_PRIVATE) && !flags)
		err = convert_locked(s, start, nr_pages, to == GMS_PRIVATE);
	if (err == -EINVAL)
		count(&s->refused_inval, 1);
	else if (err == -ENOMEM)
		count(&s->refused_nomem, 1);
	gms_rwlock_write_unlock(&s->lock);
	if (err && err_index)
		*err_index = start;
	return err;
}

int gms_lock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	if (!range_ok(s, start, nr_pages))
		return -EINVAL;
	gms_rwlock_read_lock(&s->lock);
	return 0;
}

void gms_unlock_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages)
{
	(void)start;
	(void)nr_pages;
	gms_rwlock_read_unlock(&s->lock);
}

/* ---- queries ---- */

bool gms_is_private(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->private, index) || index >= s->nr_pages;
}

bool gms_range_is(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		  enum gms_shareability shareability)
{
	return range_ok(s, start, nr_pages) &&
	       (shareability == GMS_SHARED || shareability == GMS_PRIVATE) &&
	       (unsigned int)gms_rtree_fill_range(s->private, start, nr_pages) ==
		       (unsigned int)shareability;
}

/* The summaries of a block are the fills of the tree of private pages. */
_Static_assert((int)GMS_ALL_SHARED == (int)GMS_RTREE_NONE &&
		       (int)GMS_ALL_PRIVATE == (int)GMS_RTREE_ALL &&
		       (int)GMS_MIXED == (int)GMS_RTREE_MIXED,
	       "a summary is a fill");

enum gms_summary gms_summary(const struct gms_state *s, gms_pgoff_t index, unsigned int order)
{
	if (order != GMS_ORDER_4K && order != GMS_ORDER_2M && order != GMS_ORDER_1G)
		return GMS_MIXED;
	if (index >= s->nr_pages)
		return GMS_ALL_PRIVATE;
	return (enum gms_summary)gms_rtree_fill(s->private, index, order);
}

unsigned int gms_max_order(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_uniform_order(s->private, index);
}

uint64_t gms_count(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		   enum gms_shareability shareability)
{
	uint64_t private;

	if (start >= s->nr_pages || (shareability != GMS_SHARED && shareability != GMS_PRIVATE))
		return 0;
	if (nr_pages > s->nr_pages - start)
		nr_pages = s->nr_pages - start;
	private = gms_rtree_count(s->private, start, nr_pages);
	return shareability == GMS_PRIVATE ? private : nr_pages - private;
}

static const uint64_t *seq_of(const struct gms_state *s, gms_pgoff_t index)
{
	return &s->shard[(index >> GMS_ORDER_1G) % NR_SHARDS].seq;
}

uint64_t gms_seq_read(const struct gms_state *s, gms_pgoff_t index)
{
	return index < s->nr_pages ? gms_load_acquire(seq_of(s, index)) : 0;
}

bool gms_seq_retry(const struct gms_state *s, gms_pgoff_t index, uint64_t seq)
{
	gms_fence_acquire();
	return (seq & 1) || (index < s->nr_pages && gms_load_relaxed(seq_of(s, index)) != seq);
}

/* ---- the iterator ---- */

struct gms_may_alias iter {
	const struct gms_state *state;
	gms_pgoff_t at, end;
};

_Static_assert(sizeof(struct iter) <= sizeof(struct gms_iter), "the iterator's size");

void gms_iter_init(struct gms_iter *iter, const struct gms_state *s, gms_pgoff_t start,
		   uint64_t nr_pages)
{
	struct iter *it = (void *)iter;

	it->state = s;
	it->at = start;
	it->end = start >= s->nr_pages             ? start
		  : nr_pages > s->nr_pages - start ? s->nr_pages
						   : start + nr_pages;
}

bool gms_iter_next(struct gms_iter *iter, struct gms_run *run)
{
	struct iter *it = (void *)iter;
	struct gms_rtree_run r;

	if (!gms_rtree_next(it->state->private, it->at, it->end, &r))
		return false;
	it->at = r.start + r.nr_pages;
	*run = (struct gms_run) {
		.start = r.start,
		.nr_pages = r.nr_pages,
		.shareability = r.set ? GMS_PRIVATE : GMS_SHARED,
	};
	return true;
}

/* ---- counters and checks ---- */

void gms_stats_read(const struct gms_state *s, struct gms_stats *stats)
{
	const struct gms_stats now = {
		.struct_size = stats->struct_size,
		.conversions = gms_load_relaxed(&s->conversions),
		.pages_converted = gms_load_relaxed(&s->pages_converted),
		.noops = gms_load_relaxed(&s->noops),
		.refused_inval = gms_load_relaxed(&s->refused_inval),
		.refused_nomem = gms_load_relaxed(&s->refused_nomem),
		.nodes = gms_rtree_nodes(s->private),
		.bytes_in_use = sizeof(*s) + gms_rtree_memory(s->private),
		.bytes_pooled = gms_rtree_pooled(s->private),
	};

	gms_memset(stats, 0, now.struct_size);
	gms_memcpy(stats, &now, now.struct_size < sizeof(now) ? now.struct_size : sizeof(now));
}

bool gms_state_verify(struct gms_state *s, const char **reason)
{
	const char *wrong = NULL;

	gms_rwlock_write_lock(&s->lock);
	gms_rtree_verify(s->private, &wrong);
	for (unsigned int i = 0; i < NR_SHARDS && !wrong; i++)
		if (s->shard[i].seq & 1)
			wrong = "a sequence number is odd at rest";
	gms_rwlock_write_unlock(&s->lock);
	if (wrong && reason)
		*reason = wrong;
	return !wrong;
}
