// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * listener.c - telling listeners what comes to be shared, and what is about to go private
 *
 * What a listener holds is not written down anywhere. It follows from the state:
 *
 *  1. At rest a listener holds a granule if and only if all of it is shared and no page of it is
 *     quarantined.
 *  2. Listeners let go before a change to private is made, and get after a change to shared was:
 *     so whenever they are told of a change, or of its undoing, all pages that change are shared
 *     in the tree, and what is to be told is the granules that these pages touch, and that are
 *     wholly shared.
 *  3. A listener that refused to let go in an undo is stuck: nobody knows what it holds of the
 *     quarantined granules. It is asked to let go of them before they are anything else.
 *
 *	  pages that change      ####        ##            #####     spans
 *	  granules they touch   [    |    ][    ]        [    |    ]
 *	  all shared            [    |    ]              [    ]      runs; CAN_SPLIT: two, else three
 *
 * A batch of runs is all the memory that this takes, whatever the range: nothing here allocates
 * but registering.
 */
#include "base/opts.h"
#include "listener_priv.h"

/* ---- calling one listener ---- */

/* The next batch. *rest: what is left of a run. */
static size_t fill_batch(struct gms_granule_walk *w, struct gms_span *rest,
			 enum gms_shareability to, struct gms_run runs[GMS_LISTENER_BATCH])
{
	const bool split = w->l->ops.flags & GMS_LISTENER_CAN_SPLIT;
	size_t nr = 0;

	if (!split && w->l->granule == gms_order_pages(GMS_ORDER_2M) &&
	    (w->quarantined || !gms_load_relaxed(&w->s->quarantined)))
		return gms_granule_walk_2m(w, to, runs, GMS_LISTENER_BATCH);
	while (nr < GMS_LISTENER_BATCH &&
	       (rest->start < rest->end || gms_granule_walk_next(w, rest))) {
		const uint64_t nr_pages = split ? rest->end - rest->start : w->l->granule;
		gms_pgoff_t at = rest->start;

		for (; at < rest->end && nr < GMS_LISTENER_BATCH; at += nr_pages)
			runs[nr++] = (struct gms_run) {at, nr_pages, to};
		rest->start = at;
	}
	return nr;
}

static void enter(struct gms_state *s, struct gms_listener *l, struct gms_hook_frame *frame)
{
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT))
		gms_mutex_lock(&l->lock);
	gms_backend_enter(&s->backend, frame, true);
}

/* Returns 0 or -errno, whatever the listener made of it. */
static int leave(struct gms_listener *l, struct gms_hook_frame *frame, int err)
{
	err = gms_backend_leave(frame, err);
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT))
		gms_mutex_unlock(&l->lock);
	return err;
}

/*
 * Tell one listener of a part of it all; where part.end is 0, to its end. 0, or what it returned;
 * then *end ends what was done, or is part.start. @insist: go on after a refusal.
 */
static int tell_part(struct gms_state *s, struct gms_listener *l, const struct gms_granules *what,
		     enum gms_shareability to, struct gms_span part, bool insist, gms_pgoff_t *end)
{
	struct gms_granule_walk w = {
		.s = s,
		.l = l,
		.what = *what,
		.part = {part.start > l->start ? part.start : l->start,
			 part.end ? part.end : l->end},
	};
	/* of a shard whose convert lock the caller holds */
	struct gms_run *const runs = s->listeners.room[gms_shard_of(what->spans->start)].runs;
	struct gms_span rest = {0};
	struct gms_hook_frame frame;
	int err = 0, refused;
	size_t nr, done;

	w.quarantined = what->which == GMS_GRANULES_BETWEEN ||
			(to == GMS_PRIVATE && gms_load_relaxed(&l->stuck));
	w.more = gms_spans_next(what->spans, &w.span);
	*end = part.start;
	nr = fill_batch(&w, &rest, to, runs);
	if (!nr)
		return 0;
	enter(s, l, &frame);
	do {
		done = 0;
		refused = l->ops.change(l->ctx, runs, nr, to, &done);
		err = refused ? refused : err;
		if (refused && done < nr)
			nr = done;
		if (nr)
			*end = runs[nr - 1].start + runs[nr - 1].nr_pages;
	} while ((!err || insist) && (nr = fill_batch(&w, &rest, to, runs)));
	return leave(l, &frame, err);
}

#define ALL ((struct gms_span) {0, 0})

/* It is to be left with none of a part. False: it refused some of it, and is stuck. */
static bool let_go(struct gms_state *s, struct gms_listener *l, const struct gms_granules *what,
		   struct gms_span part)
{
	gms_pgoff_t end;
	const int err = tell_part(s, l, what, GMS_PRIVATE, part, true, &end);

	if (err)
		gms_store_relaxed(&l->stuck, true);
	return !err;
}

/* It has let go of what comes before @end, and should have it again; where it refuses: of all. */
static bool undo_let_go(struct gms_state *s, struct gms_listener *l,
			const struct gms_granules *what, gms_pgoff_t end, bool *all_gone)
{
	gms_pgoff_t back;

	if (!tell_part(s, l, what, GMS_SHARED, (struct gms_span) {0, end}, false, &back))
		return true;
	*all_gone = let_go(s, l, what, (struct gms_span) {end, 0});
	if (back)
		*all_gone &= let_go(s, l, what, (struct gms_span) {0, back});
	return false;
}

/*
 * Tell one listener. Where it refuses, what it has done of it is undone; told->broken: it refused
 * that, too, and was told to let go of all.
 */
static int tell(struct gms_state *s, struct gms_listener *l, const struct gms_granules *what,
		enum gms_shareability to, struct gms_told *told)
{
	gms_pgoff_t end;
	bool all_gone;
	int err;

	err = tell_part(s, l, what, to, ALL, false, &end);
	told->any |= end != 0;
	if (!err || !end)
		return err;
	if (to == GMS_SHARED)
		told->broken |= !let_go(s, l, what, (struct gms_span) {0, end});
	else
		told->broken |= !undo_let_go(s, l, what, end, &all_gone);
	return err;
}

/* ---- calling all ---- */

bool gms_listeners_hear(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	const struct gms_listener *l = s->listeners.first;

	while (l && (l->start >= end || l->end <= start))
		l = l->next;
	return l;
}

/*
 * Those before @from, from the last, had let go: give back. Where one refuses, all others are left
 * without: what comes before it has let go, what comes after lets go.
 */
static void give_back(struct gms_state *s, const struct gms_granules *what,
		      struct gms_listener *from, struct gms_told *told)
{
	struct gms_listener *l = from ? from->prev : s->listeners.last;

	while (l && !tell(s, l, what, GMS_SHARED, told))
		l = l->prev;
	if (!l)
		return;
	told->broken = true;
	while ((l = l->next))
		let_go(s, l, what, ALL);
}

void gms_listeners_give_back(struct gms_state *s, const struct gms_spans *spans,
			     struct gms_told *told)
{
	give_back(s, &(struct gms_granules) {spans, GMS_GRANULES_TOUCHED}, NULL, told);
}

int gms_listeners_tell(struct gms_state *s, const struct gms_spans *spans, enum gms_shareability to,
		       struct gms_told *told)
{
	const struct gms_granules what = {spans, GMS_GRANULES_TOUCHED};
	struct gms_listener *l;
	int err = 0;

	for (l = s->listeners.first; l; l = l->next) {
		err = tell(s, l, &what, to, told);
		if (err)
			break;
	}
	if (!err)
		return 0;
	if (to == GMS_SHARED) {
		while ((l = l->prev))
			told->broken |= !let_go(s, l, &what, ALL);
	} else if (told->broken) { /* those before have let go, and are left so */
		while ((l = l->next))
			let_go(s, l, &what, ALL);
	} else {
		give_back(s, &what, l, told);
	}
	return err;
}

void gms_listeners_withdraw(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_spans spans;
	const struct gms_granules what = {&spans, GMS_GRANULES_TOUCHED};

	gms_spans_one(&spans, start, end);
	for (struct gms_listener *l = s->listeners.last; l; l = l->prev)
		let_go(s, l, &what, ALL);
}

void gms_listeners_drop_gaps(struct gms_state *s, const struct gms_spans *spans)
{
	const struct gms_granules what = {spans, GMS_GRANULES_BETWEEN};

	for (struct gms_listener *l = s->listeners.last; l; l = l->prev)
		let_go(s, l, &what, ALL);
}

int gms_listeners_unstick(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_spans spans;
	const struct gms_granules what = {&spans, GMS_GRANULES_TOUCHED};
	gms_pgoff_t told;
	int err = 0;

	gms_spans_one(&spans, start, end);
	for (struct gms_listener *l = s->listeners.last; !err && l; l = l->prev)
		if (l->stuck)
			err = tell_part(s, l, &what, GMS_PRIVATE, ALL, false, &told);
	return err;
}

void gms_listeners_repaired(struct gms_state *s)
{
	for (struct gms_listener *l = s->listeners.first; l; l = l->next)
		if (l->stuck && gms_rtree_fill_range(s->quarantine, l->start, l->end - l->start) ==
					GMS_RTREE_NONE)
			l->stuck = false;
}

/* ---- registering ---- */

static bool ops_copy(struct gms_listener_ops *to, const struct gms_listener_ops *from)
{
	return gms_opts_copy(to, sizeof(*to), from,
			     GMS_OPTS_END(struct gms_listener_ops, change)) &&
	       to->change && !(to->flags & ~(GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT));
}

static bool aligned(gms_pgoff_t start, uint64_t nr_pages, uint64_t granule)
{
	return granule && granule <= GMS_LISTENER_MAX_GRANULE && !(granule & (granule - 1)) &&
	       !(start & (granule - 1)) && !(nr_pages & (granule - 1));
}

static struct gms_listener *make(struct gms_state *s, const struct gms_listener_ops *ops, void *ctx,
				 struct gms_span range, uint64_t granule)
	GMS_REQUIRES(gms_convert_lock)
{
	const struct gms_allocator *a = &s->allocator;
	const size_t room = GMS_NR_SHARDS * sizeof(*s->listeners.room);
	struct gms_listener *l;

	if (!s->listeners.room)
		gms_store_relaxed(&s->listeners.room, a->alloc(a->ctx, room, 64));
	l = s->listeners.room ? a->alloc(a->ctx, sizeof(*l), sizeof(void *)) : NULL;
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

static void unmake(struct gms_state *s, struct gms_listener *l)
{
	const struct gms_allocator *a = &s->allocator;

	gms_mutex_fini(&l->lock);
	a->free(a->ctx, l, sizeof(*l), sizeof(void *));
}

static void append(struct gms_state *s, struct gms_listener *l) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_listeners *all = &s->listeners;

	l->prev = all->last;
	*(all->last ? &all->last->next : &all->first) = l;
	all->last = l;
	gms_store_relaxed(&all->nr, all->nr + 1);
}

static void take_out(struct gms_state *s, struct gms_listener *l) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_listeners *all = &s->listeners;

	*(l->prev ? &l->prev->next : &all->first) = l->next;
	*(l->next ? &l->next->prev : &all->last) = l->prev;
	gms_store_relaxed(&all->nr, all->nr - 1);
}

/*
 * Give it what is shared. If it refuses, and refuses to let go again, no page of its range may
 * go private any more: there will be nobody to ask.
 */
static int replay(struct gms_state *s, struct gms_listener *l) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_quarantine q;
	struct gms_spans spans;
	const struct gms_granules what = {&spans, GMS_GRANULES_TOUCHED};
	struct gms_told told = {0};
	int err;

	err = gms_quarantine_prepare(s, &q, l->start, l->end);
	if (err)
		return err;
	gms_spans_one(&spans, l->start, l->end);
	err = tell(s, l, &what, GMS_SHARED, &told);
	if (told.broken) {
		gms_listeners_withdraw(s, l->start, l->end);
		gms_quarantine_commit(s, &q);
	}
	return err;
}

int gms_listener_register(struct gms_state *s, const struct gms_listener_ops *given, void *ctx,
			  gms_pgoff_t start, uint64_t nr_pages, uint64_t granule, unsigned int *id)
{
	const struct gms_span range = {start, start + nr_pages};
	struct gms_listener_ops ops;
	struct gms_listener *l;
	int err;

	if (!ops_copy(&ops, given) || !aligned(start, nr_pages, granule))
		return gms_refused(s, -EINVAL);
	err = gms_enter(s, GMS_ENTER_WHOLE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	l = make(s, &ops, ctx, range, granule);
	err = l ? replay(s, l) : -ENOMEM;
	if (!err) {
		*id = l->id;
		append(s, l);
	} else if (l) {
		unmake(s, l);
	}
	return gms_leave(s, GMS_ENTER_WHOLE, start, nr_pages, err);
}

/* Withdraws all. If the listener refuses, it gets back what it let go of, or lets go of the rest. */
static int drop(struct gms_state *s, struct gms_listener *l) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_spans spans;
	const struct gms_granules what = {&spans, GMS_GRANULES_TOUCHED};
	bool all_gone;
	gms_pgoff_t end;
	int err;

	gms_spans_one(&spans, l->start, l->end);
	err = tell_part(s, l, &what, GMS_PRIVATE, ALL, false, &end);
	if (!err || !end || undo_let_go(s, l, &what, end, &all_gone))
		return err;
	return all_gone ? 0 : err;
}

int gms_listener_unregister(struct gms_state *s, unsigned int id)
{
	const unsigned int how = GMS_ENTER_WHOLE | GMS_ENTER_FROZEN;
	struct gms_listener *l;
	int err;

	err = gms_enter(s, how, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	for (l = s->listeners.first; l && l->id != id; l = l->next)
		;
	err = l ? drop(s, l) : -EINVAL;
	if (!err) {
		take_out(s, l);
		unmake(s, l);
	}
	return gms_leave(s, how, 0, s->nr_pages, err);
}

size_t gms_listeners_bytes(const struct gms_state *s)
{
	const size_t room = gms_load_relaxed(&s->listeners.room) ? GMS_NR_SHARDS : 0;

	return room * sizeof(struct gms_listening) +
	       gms_load_relaxed(&s->listeners.nr) * sizeof(struct gms_listener);
}

void gms_listeners_fini(struct gms_state *s) GMS_NO_TSA
{
	const struct gms_allocator *a = &s->allocator;

	while (s->listeners.last) {
		struct gms_listener *l = s->listeners.last;
		struct gms_spans spans;

		gms_spans_one(&spans, l->start, l->end);
		(void)let_go(s, l, &(struct gms_granules) {&spans, GMS_GRANULES_TOUCHED},
			     ALL); /* it is asked for all */
		take_out(s, l);
		unmake(s, l);
	}
	if (s->listeners.room)
		a->free(a->ctx, s->listeners.room, GMS_NR_SHARDS * sizeof(*s->listeners.room), 64);
}
