// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state.c - the state object: making and freeing it, queries, counters
 */
#include "base/opts.h"
#include "core/core.h"

/* ---- making and freeing ---- */

static bool policy_copy(struct gms_policy_ops *to, const struct gms_policy_ops *from)
{
	return gms_opts_copy(to, sizeof(*to), from ? from : gms_policy_lazy(),
			     GMS_OPTS_END(struct gms_policy_ops, decide)) &&
	       to->name && to->decide;
}

bool gms_state_opts_copy(struct gms_state_opts *to, const struct gms_state_opts *from)
{
	return gms_opts_copy(to, sizeof(*to), from,
			     GMS_OPTS_END(struct gms_state_opts, nr_pages)) &&
	       !(to->flags & ~GMS_INIT_PRIVATE) &&
	       (to->folio_order == GMS_ORDER_4K || to->folio_order == GMS_ORDER_2M ||
		to->folio_order == GMS_ORDER_1G) &&
	       (to->policy || !to->policy_ctx) && (to->clock_ns || !to->clock_ctx);
}

static void destroy_trees(struct gms_state *s)
{
	for (unsigned int i = 0; i < s->nr_attrs; i++)
		gms_rtree_destroy(s->attr[i]);
	for (unsigned int i = 0; i < GMS_NR_INHIBITS; i++)
		gms_rtree_destroy(s->inhibit[i]);
	gms_rtree_destroy(s->quarantine);
	gms_rtree_destroy(s->private);
}

static int make_trees(struct gms_state *s, uint64_t flags)
{
	const struct gms_allocator *a = &s->allocator;
	int err;

	err = gms_rtree_create(s->nr_pages,
			       flags & GMS_INIT_PRIVATE ? GMS_RTREE_ALL : GMS_RTREE_NONE, a,
			       &s->private);
	if (!err)
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, a, &s->quarantine);
	for (unsigned int i = 0; !err && i < GMS_NR_INHIBITS; i++)
		err = gms_rtree_create(s->nr_pages, GMS_RTREE_NONE, a, &s->inhibit[i]);
	if (err)
		destroy_trees(s);
	return err;
}

static void fini_shards(struct gms_state *s, unsigned int nr)
{
	while (nr--) {
		gms_rtree_spare_free(s->quarantine, &s->shard[nr].spare);
		gms_rwlock_fini(&s->shard[nr].invalidate);
		gms_mutex_fini(&s->shard[nr].convert);
	}
}

static int init_shards(struct gms_state *s)
{
	unsigned int i;

	for (i = 0; i < GMS_NR_SHARDS; i++) {
		struct gms_shard *shard = &s->shard[i];

		if (gms_mutex_init(&shard->convert, &s->folios, GMS_RANK_CONVERT, i))
			goto no_mutex;
		if (gms_rwlock_init(&shard->invalidate, &s->folios, GMS_RANK_INVALIDATE, i))
			goto no_rwlock;
	}
	return 0;

no_rwlock:
	gms_mutex_fini(&s->shard[i].convert);
no_mutex:
	fini_shards(s, i);
	return -ENOMEM;
}

static int init(struct gms_state *s, const struct gms_state_opts *opts)
{
	int err;

	err = make_trees(s, opts->flags);
	if (err)
		return err;
	err = init_shards(s);
	if (err)
		goto no_shards;
	err = gms_folios_init(&s->folios, s->nr_pages, opts->folio_order, &s->allocator,
			      &s->backend, &s->counters);
	if (err)
		goto no_folios;
	if (s->clock_ns)
		s->clock_start = s->clock_ns(s->clock_ctx);
	return 0;

no_folios:
	fini_shards(s, GMS_NR_SHARDS);
no_shards:
	destroy_trees(s);
	return err;
}

int gms_state_create(const struct gms_state_opts *opts, struct gms_state **state)
{
	struct gms_allocator a;
	struct gms_state_opts o;
	struct gms_state *s;
	int err = -EINVAL;

	if (!gms_state_opts_copy(&o, opts) || !gms_allocator_copy(&a, o.allocator) || !o.nr_pages ||
	    o.nr_pages > GMS_MAX_PAGES)
		return -EINVAL;
	s = a.alloc(a.ctx, sizeof(*s), 64);
	if (!s)
		return -ENOMEM;
	gms_memset(s, 0, sizeof(*s));
	s->nr_pages = o.nr_pages;
	s->allocator = a;
	s->policy_ctx = o.policy_ctx;
	s->clock_ns = o.clock_ns;
	s->clock_ctx = o.clock_ctx;
	if (policy_copy(&s->policy, o.policy) &&
	    gms_backend_init(&s->backend, o.backend, o.backend_ctx))
		err = init(s, &o);
	if (err) {
		a.free(a.ctx, s, sizeof(*s), 64);
		return err;
	}
	*state = s;
	return 0;
}

/*
 * As if by a hole of everything. Needs no memory: a 1G block is emptied as a whole, and the hooks
 * may ask what is left.
 */
static void free_folios(struct gms_state *s)
{
	struct gms_folios *f = &s->folios;
	const uint64_t size = gms_order_pages(GMS_ORDER_1G);

	for (gms_pgoff_t b = 0; b < s->nr_pages; b += size) {
		const gms_pgoff_t end = b + size < s->nr_pages ? b + size : s->nr_pages;

		if (gms_rtree_fill(f->allocated, b, GMS_ORDER_1G) == GMS_RTREE_NONE)
			continue;
		gms_folios_free(f, b, end);
		gms_folios_commit(f, f->prepared, b, end - b, false);
		gms_folios_commit(f, f->mapped, b, end - b, false);
		gms_folios_commit(f, f->allocated, b, end - b, false);
		gms_folios_reset(f, b, end);
		gms_folios_notify_freed(f, b);
	}
}

/* Every query is answered until the last hook has returned. Only then is anything freed. */
void gms_state_destroy(struct gms_state *s)
{
	struct gms_allocator a;

	if (!s)
		return;
	gms_listeners_fini(s);
	free_folios(s);

	gms_bindings_fini(s);
	gms_folios_fini(&s->folios);
	fini_shards(s, GMS_NR_SHARDS);
	destroy_trees(s);
	a = s->allocator;
	a.free(a.ctx, s, sizeof(*s), 64);
}

uint64_t gms_state_nr_pages(const struct gms_state *s)
{
	return s->nr_pages;
}

/* ---- queries ---- */

bool gms_is_private(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->private, index) || index >= s->nr_pages;
}

bool gms_range_is(const struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
		  enum gms_shareability shareability)
{
	return gms_state_range_ok(s, start, nr_pages) &&
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

bool gms_is_allocated(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->folios.allocated, index);
}

bool gms_is_prepared(const struct gms_state *s, gms_pgoff_t index)
{
	return gms_rtree_test(s->folios.prepared, index);
}

unsigned int gms_folio_order(const struct gms_state *s, gms_pgoff_t index)
{
	return index < s->nr_pages ? gms_folio_at(&s->folios, index).order : 0;
}

/* ---- the iterator ---- */

_Static_assert(sizeof(struct gms_rtree_cursor) <= sizeof(struct gms_iter), "the iterator's size");

static struct gms_rtree_cursor *cursor_of(struct gms_iter *iter)
{
	return (void *)iter;
}

void gms_iter_init(struct gms_iter *iter, const struct gms_state *s, gms_pgoff_t start,
		   uint64_t nr_pages)
{
	const gms_pgoff_t end = nr_pages > UINT64_MAX - start ? UINT64_MAX : start + nr_pages;

	gms_rtree_cursor_init(cursor_of(iter), s->private, start, end);
}

bool gms_iter_next(struct gms_iter *iter, struct gms_run *run)
{
	struct gms_rtree_run r;

	if (!gms_rtree_cursor_next(cursor_of(iter), &r))
		return false;
	*run = (struct gms_run) {
		.start = r.start,
		.nr_pages = r.nr_pages,
		.shareability = r.set ? GMS_PRIVATE : GMS_SHARED,
	};
	return true;
}

/* ---- counters ---- */

int gms_refused(struct gms_state *s, int err)
{
	enum gms_counter which;

	switch (err) {
	case 0:
		return 0;
	case -EINVAL:
	case -ENOENT:
		which = GMS_REFUSED_INVAL;
		break;
	case -ENOMEM:
		which = GMS_REFUSED_NOMEM;
		break;
	case -EACCES:
		which = GMS_REFUSED_ACCESS;
		break;
	case -EAGAIN:
		which = GMS_REFUSED_PINNED;
		break;
	case -ENOTRECOVERABLE:
		which = GMS_REFUSED_QUARANTINED;
		break;
	case -EDEADLK:
		which = GMS_REFUSED_DEADLOCK;
		break;
	case -EPERM:
		which = GMS_REFUSED_FROZEN;
		break;
	case -EEXIST:
		which = GMS_REFUSED_EXISTS;
		break;
	default:
		which = GMS_REFUSED_BACKEND;
	}
	gms_count_add(&s->counters, which, 1);
	return err;
}

/* Nodes and bytes of all trees. */
static void measure(const struct gms_state *s, struct gms_stats *stats)
{
	const struct gms_rtree *const trees[] = {
		s->private,          s->quarantine,      s->inhibit[0],    s->inhibit[1],
		s->folios.allocated, s->folios.prepared, s->folios.mapped,
	};
	const unsigned int nr = sizeof(trees) / sizeof(trees[0]);
	const unsigned int nr_attrs = gms_load_acquire(&s->nr_attrs);
	uint64_t in_use, pooled;

	gms_blocks_bytes(&s->folios.blocks, &in_use, &pooled);
	stats->bytes_in_use = sizeof(*s) + in_use + gms_bindings_bytes(s) + gms_listeners_bytes(s);
	stats->bytes_pooled = pooled;
	for (unsigned int i = 0; i < nr + nr_attrs; i++) {
		const struct gms_rtree *t = i < nr ? trees[i] : s->attr[i - nr];

		size_t used, kept;
		uint64_t mixed;

		gms_rtree_usage(t, &used, &kept, &mixed);
		stats->bytes_in_use += used;
		stats->bytes_pooled += kept;
		if (t == s->private)
			stats->nodes = mixed;
	}
}

int gms_stats_read(const struct gms_state *s, struct gms_stats *stats)
{
	const struct gms_counters *c = &s->counters;
	struct gms_stats now = {
		.struct_size = stats->struct_size,
		.refused_inval = gms_counted(c, GMS_REFUSED_INVAL),
		.refused_nomem = gms_counted(c, GMS_REFUSED_NOMEM),
		.refused_access = gms_counted(c, GMS_REFUSED_ACCESS),
		.refused_pinned = gms_counted(c, GMS_REFUSED_PINNED),
		.refused_quarantined = gms_counted(c, GMS_REFUSED_QUARANTINED),
		.refused_deadlock = gms_counted(c, GMS_REFUSED_DEADLOCK),
		.refused_backend = gms_counted(c, GMS_REFUSED_BACKEND),
		.faults_host = gms_counted(c, GMS_FAULTS_HOST),
		.faults_guest = gms_counted(c, GMS_FAULTS_GUEST),
		.folios_allocated = gms_counted(c, GMS_FOLIOS_ALLOCATED),
		.folios_freed = gms_counted(c, GMS_FOLIOS_FREED),
		.blocks_freed = gms_counted(c, GMS_BLOCKS_FREED),
		.prepares = gms_counted(c, GMS_PREPARES),
		.splits_1g = gms_counted(c, GMS_SPLITS_1G),
		.splits_2m = gms_counted(c, GMS_SPLITS_2M),
		.merges_1g = gms_counted(c, GMS_MERGES_1G),
		.merges_2m = gms_counted(c, GMS_MERGES_2M),
		.splits_deferred = gms_counted(c, GMS_SPLITS_DEFERRED),
		.merges_refused = gms_counted(c, GMS_MERGES_REFUSED),
		.undone = gms_counted(c, GMS_UNDONE),
		.quarantined_pages = gms_load_relaxed(&s->quarantined),
		.surplus_unpins = gms_counted(c, GMS_SURPLUS_UNPINS),
		.refused_frozen = gms_counted(c, GMS_REFUSED_FROZEN),
		.refused_exists = gms_counted(c, GMS_REFUSED_EXISTS),
		.listeners = gms_load_relaxed(&s->listeners.nr),
		.bindings = gms_load_relaxed(&s->bindings.copy[0].nr),
	};

	if (now.struct_size < sizeof(now.struct_size))
		return -EINVAL;
	for (unsigned int i = 0; i < GMS_NR_SHARDS; i++) {
		now.conversions += gms_load_relaxed(&s->shard[i].conversions);
		now.pages_converted += gms_load_relaxed(&s->shard[i].pages_converted);
		now.noops += gms_load_relaxed(&s->shard[i].noops);
	}
	measure(s, &now);
	gms_memset(stats, 0, now.struct_size);
	gms_memcpy(stats, &now, now.struct_size < sizeof(now) ? now.struct_size : sizeof(now));
	return 0;
}
