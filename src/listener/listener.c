// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener.c - registering listeners, and notifying all of them: see listener.h
 */
#include "listener.h"

#include "base/opts.h"
#include "core/entry.h"
#include "core/quarantine.h"
#include "notify.h"

/* ---- notifying all ---- */

bool gms_listeners_overlap(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	const struct gms_listener *l = s->listeners.first;

	while (l && (l->start >= end || l->end <= start))
		l = l->next;
	return l;
}

struct gms_rtree_reserve *gms_listeners_undo_reserve(struct gms_state *s, gms_pgoff_t start)
{
	struct gms_listener_scratch *scratch = s->listeners.scratch;

	return scratch ? &scratch[gms_shard_of(start)].undo : NULL;
}

/*
 * Restores granules to the listeners before @from, or to all if @from is NULL, the last first. If
 * one refuses, the granules are about to be quarantined: they stay withdrawn from the listeners
 * before it, and are withdrawn from all behind it.
 */
static void listeners_restore(struct gms_state *s, const struct gms_granules *granules,
			      struct gms_listener *from, struct gms_notified *notified)
{
	struct gms_listener *l = from ? from->prev : s->listeners.last;

	while (l && !gms_listener_notify(s, l, granules, GMS_SHARED, notified))
		l = l->prev;
	if (!l)
		return;
	notified->broken = true;
	while ((l = l->next))
		gms_listener_withdraw(s, l, granules);
}

void gms_listeners_restore(struct gms_state *s, const struct gms_ranges *ranges,
			   struct gms_notified *notified)
{
	const struct gms_granules granules = {ranges, GMS_GRANULES_TOUCHED};
	const char *const why = gms_thread_reason();

	listeners_restore(s, &granules, NULL, notified);
	(void)gms_because(0, why); /* the call returns the error that stopped it */
}

int gms_listeners_notify(struct gms_state *s, const struct gms_ranges *ranges,
			 enum gms_shareability to, struct gms_notified *notified)
{
	const struct gms_granules granules = {ranges, GMS_GRANULES_TOUCHED};
	struct gms_listener *l;
	int err = 0;

	for (l = s->listeners.first; l; l = l->next) {
		err = gms_listener_notify(s, l, &granules, to, notified);
		if (err)
			break;
	}
	if (!err)
		return 0;
	if (to == GMS_SHARED) {
		while ((l = l->prev))
			notified->broken |= !gms_listener_withdraw(s, l, &granules);
	} else if (notified->broken) { /* the granules stay withdrawn from the listeners before */
		while ((l = l->next))
			gms_listener_withdraw(s, l, &granules);
	} else {
		listeners_restore(s, &granules, l, notified);
	}
	return err;
}

/* Withdraws granules from all listeners, the last first. */
static void listeners_withdraw(struct gms_state *s, const struct gms_granules *granules)
{
	for (struct gms_listener *l = s->listeners.last; l; l = l->prev)
		gms_listener_withdraw(s, l, granules);
}

void gms_listeners_withdraw(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_ranges ranges;

	gms_ranges_one(&ranges, start, end);
	listeners_withdraw(s, &(struct gms_granules) {&ranges, GMS_GRANULES_TOUCHED});
}

void gms_listeners_withdraw_gaps(struct gms_state *s, const struct gms_ranges *ranges)
{
	listeners_withdraw(s, &(struct gms_granules) {ranges, GMS_GRANULES_BETWEEN});
}

int gms_listeners_retry_stuck(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_ranges ranges;
	const struct gms_granules granules = {&ranges, GMS_GRANULES_TOUCHED};
	gms_pgoff_t withdrawn;
	int err = 0;

	gms_ranges_one(&ranges, start, end);
	for (struct gms_listener *l = s->listeners.last; !err && l; l = l->prev)
		if (l->stuck)
			err = gms_listener_try_withdraw(s, l, &granules, &withdrawn);
	return err;
}

void gms_listeners_clear_stuck(struct gms_state *s)
{
	for (struct gms_listener *l = s->listeners.first; l; l = l->next)
		if (l->stuck && gms_rtree_fill_range(s->quarantine, l->start, l->end - l->start) ==
					GMS_RTREE_NONE)
			l->stuck = false;
}

/* ---- registering ---- */

/* Copies the caller's hooks. Returns NULL, or why they are not valid. */
static const char *listener_copy_ops(struct gms_listener_ops *to,
				     const struct gms_listener_ops *from)
{
	if (!gms_opts_copy(to, sizeof(*to), from, GMS_OPTS_END(struct gms_listener_ops, change)))
		return GMS_WHY_STRUCT_SIZE;
	if (!to->change)
		return "the listener has no change";
	if (to->flags & ~(GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT))
		return "a flag of the listener is unknown";
	return NULL;
}

/* Returns NULL, or why a granule is not valid for a range. */
static const char *listener_why_granule(gms_pgoff_t start, uint64_t nr_pages, uint64_t granule)
{
	if (!granule || granule > GMS_LISTENER_MAX_GRANULE || granule & (granule - 1))
		return "the granule is not a power of two, or is too large";
	if ((start | nr_pages) & (granule - 1))
		return "the range does not consist of whole granules";
	return NULL;
}

/* Creates a listener, which the list does not have yet. Returns NULL if there is no memory. */
static struct gms_listener *listener_create(struct gms_state *s, const struct gms_listener_ops *ops,
					    void *ctx, struct gms_range range, uint64_t granule)
	GMS_REQUIRES(gms_convert_lock)
{
	const struct gms_allocator *a = &s->allocator;
	const size_t scratch_size = GMS_NR_SHARDS * sizeof(*s->listeners.scratch);
	struct gms_listener *l;

	if (!s->listeners.scratch)
		gms_store_relaxed(&s->listeners.scratch, a->alloc(a->ctx, scratch_size, 64));
	l = s->listeners.scratch ? a->alloc(a->ctx, sizeof(*l), sizeof(void *)) : NULL;
	if (!l)
		return NULL;
	gms_memset(l, 0, sizeof(*l));
	l->id = s->listeners.next_id++;
	if (gms_mutex_init(&l->lock, &s->folios, GMS_RANK_LISTENER, l->id)) {
		a->free(a->ctx, l, sizeof(*l), sizeof(void *));
		return NULL;
	}
	l->ops = *ops;
	l->ctx = ctx;
	l->start = range.start;
	l->end = range.end;
	l->granule = granule;
	return l;
}

static void listener_free(struct gms_state *s, struct gms_listener *l)
{
	const struct gms_allocator *a = &s->allocator;

	gms_mutex_fini(&l->lock);
	a->free(a->ctx, l, sizeof(*l), sizeof(void *));
}

static void listener_append(struct gms_state *s, struct gms_listener *l)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_listeners *all = &s->listeners;

	l->prev = all->last;
	*(all->last ? &all->last->next : &all->first) = l;
	all->last = l;
	gms_store_relaxed(&all->nr, all->nr + 1);
}

static void listener_remove(struct gms_state *s, struct gms_listener *l)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_listeners *all = &s->listeners;

	*(l->prev ? &l->prev->next : &all->first) = l->next;
	*(l->next ? &l->next->prev : &all->last) = l->prev;
	gms_store_relaxed(&all->nr, all->nr - 1);
}

/*
 * Notifies a new listener of what is shared in its range. A listener that refuses is not
 * registered. If it refuses the undo as well, it keeps granules that no later notification could
 * withdraw, so its range is quarantined.
 */
static int listener_replay(struct gms_state *s, struct gms_listener *l)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_quarantine q;
	struct gms_ranges ranges;
	const struct gms_granules granules = {&ranges, GMS_GRANULES_TOUCHED};
	struct gms_notified notified = {0};
	int err;

	err = gms_quarantine_prepare(s, &q, l->start, l->end);
	if (err)
		return err;
	gms_ranges_one(&ranges, l->start, l->end);
	err = gms_listener_notify(s, l, &granules, GMS_SHARED, &notified);
	if (notified.broken) {
		gms_listeners_withdraw(s, l->start, l->end);
		gms_quarantine_commit(s, &q);
	}
	return err;
}

int gms_listener_register(struct gms_state *s, const struct gms_listener_ops *given, void *ctx,
			  gms_pgoff_t start, uint64_t nr_pages, uint64_t granule, unsigned int *id)
{
	const struct gms_range range = {start, start + nr_pages};
	struct gms_listener_ops ops;
	struct gms_listener *l;
	int err;

	const char *why = listener_copy_ops(&ops, given);

	if (!why)
		why = listener_why_granule(start, nr_pages, granule);
	if (why)
		return gms_refused(s, gms_because(-EINVAL, why));
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	l = listener_create(s, &ops, ctx, range, granule);
	err = l ? listener_replay(s, l) : -ENOMEM;
	if (!err) {
		*id = l->id;
		listener_append(s, l);
	} else if (l) {
		listener_free(s, l);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}

int gms_listener_unregister(struct gms_state *s, unsigned int id)
{
	const unsigned int flags = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	struct gms_ranges ranges;
	struct gms_granules granules = {&ranges, GMS_GRANULES_TOUCHED};
	struct gms_listener *l;
	int err;

	err = gms_enter(s, flags, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	for (l = s->listeners.first; l && l->id != id; l = l->next)
		;
	if (!l) {
		err = gms_because(-EINVAL, "no listener has this number");
	} else {
		gms_ranges_one(&ranges, l->start, l->end);
		err = gms_listener_withdraw_or_restore(s, l, &granules);
	}
	if (!err) {
		listener_remove(s, l);
		listener_free(s, l);
	}
	return gms_leave(s, flags, 0, s->nr_pages, err);
}

size_t gms_listeners_bytes(const struct gms_state *s)
{
	const size_t nr_scratch = gms_load_relaxed(&s->listeners.scratch) ? GMS_NR_SHARDS : 0;

	return nr_scratch * sizeof(struct gms_listener_scratch) +
	       gms_load_relaxed(&s->listeners.nr) * sizeof(struct gms_listener);
}

void gms_listeners_fini(struct gms_state *s) GMS_NO_TSA
{
	const struct gms_allocator *a = &s->allocator;

	while (s->listeners.last) {
		struct gms_listener *l = s->listeners.last;
		struct gms_ranges ranges;

		gms_ranges_one(&ranges, l->start, l->end);
		(void)gms_listener_withdraw(s, l,
					    &(struct gms_granules) {&ranges, GMS_GRANULES_TOUCHED});
		listener_remove(s, l);
		listener_free(s, l);
	}
	if (s->listeners.scratch)
		a->free(a->ctx, s->listeners.scratch, GMS_NR_SHARDS * sizeof(*s->listeners.scratch),
			64);
}
