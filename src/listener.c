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
#include "state_priv.h"

struct gms_listener {
	struct gms_listener *prev, *next;
	struct gms_listener_ops ops;
	void *ctx;
	gms_pgoff_t start, end;
	uint64_t granule;
	unsigned int id;
	bool stuck; /* set under a convert lock of its range, cleared under all */
	struct gms_mutex lock; /* around its calls, without GMS_LISTENER_CONCURRENT */
};

/* Granules are counted off from page 0: a granule is a power of two. */
static inline gms_pgoff_t down(const struct gms_listener *l, gms_pgoff_t at)
{
	return at & ~(l->granule - 1);
}

static inline gms_pgoff_t up(const struct gms_listener *l, gms_pgoff_t at)
{
	return down(l, at + l->granule - 1);
}

/* ---- which granules ---- */

enum which {
	TOUCHED, /* by the spans */
	BETWEEN, /* the spans, touched by none */
};

struct what {
	const struct gms_spans *spans;
	enum which which;
};

struct walk {
	const struct gms_state *s;
	const struct gms_listener *l;
	struct what what;
	bool quarantined; /* these too */
	bool more; /* at.span is the next that was not looked at */
	struct gms_span_at at;
	struct gms_span granules; /* candidates */
	struct gms_clear_walk clear; /* in them; what comes before clear.at is done */
	struct gms_span part; /* look at nothing beyond */
};

/* The next candidates, as many as touch. */
static bool next_granules(struct walk *w)
{
	struct gms_span *g = &w->granules;

	for (g->start = g->end = 0; w->more; w->more = gms_spans_next(w->what.spans, &w->at)) {
		const struct gms_span span = w->at.span;
		const gms_pgoff_t first = down(w->l, span.start);

		if (g->end && first > g->end)
			break;
		if (!g->end)
			g->start = first;
		g->end = up(w->l, span.end);
	}
	return g->end;
}

/* The same for what is between. */
static bool next_gap(struct walk *w)
{
	struct gms_span *g = &w->granules;
	bool found = false;

	while (!found && w->more) {
		g->start = up(w->l, w->at.span.end);
		w->more = gms_spans_next(w->what.spans, &w->at);
		if (!w->more)
			break;
		g->end = down(w->l, w->at.span.start);
		found = g->start < g->end;
	}
	return found;
}

static bool next_candidates(struct walk *w)
{
	struct gms_span *g = &w->granules;

	while (w->what.which == TOUCHED ? next_granules(w) : next_gap(w)) {
		g->start = g->start < w->part.start ? w->part.start : g->start;
		g->end = g->end > w->part.end ? w->part.end : g->end;
		if (g->start < g->end) {
			gms_clear_walk_init(&w->clear, w->s->private, g->start, g->end);
			return true;
		}
	}
	return false;
}

/* Leave out what is quarantined: *run, from whole granules, ends where such a granule begins. */
static void cut_quarantined(const struct walk *w, struct gms_span *run, gms_pgoff_t *next)
{
	struct gms_rtree_run q;

	if (!gms_load_relaxed(&w->s->quarantined) || w->quarantined ||
	    !gms_rtree_next(w->s->quarantine, run->start, run->end, &q))
		return;
	if (q.set) {
		*next = up(w->l, q.start + q.nr_pages);
		run->end = run->start;
	} else if (q.nr_pages < run->end - run->start) {
		run->end = down(w->l, q.start + q.nr_pages);
		*next = run->end > run->start ? run->end : run->start + w->l->granule;
	}
}

/* The next run of wholly shared granules in the candidates. */
static bool next_shared(struct walk *w, struct gms_span *run)
{
	const bool by_2m = w->l->granule >= gms_order_pages(GMS_ORDER_2M);
	struct gms_rtree_run r;

	while (by_2m ? gms_clear_walk_next_2m(&w->clear, &r) : gms_clear_walk_next(&w->clear, &r)) {
		run->start = up(w->l, r.start);
		run->end = down(w->l, r.start + r.nr_pages);
		if (run->start >= run->end)
			continue;
		cut_quarantined(w, run, &w->clear.at);
		if (run->start < run->end)
			return true;
	}
	return false;
}

static bool walk_next(struct walk *w, struct gms_span *run)
{
	while (!next_shared(w, run)) /* at first there is nothing to walk over */
		if (!next_candidates(w))
			return false;
	return true;
}

/* ---- calling one listener ---- */

/*
 * A batch of single granules of 2M, which is what VFIO wants of a guest backed by 2M: where runs
 * begin and end does not matter then, so they are not looked for.
 */
static size_t fill_batch_2m(struct walk *w, enum gms_shareability to,
			    struct gms_run runs[GMS_LISTENER_BATCH])
{
	size_t nr = 0;

	do
		nr += gms_clear_walk_fill_2m(&w->clear, to, runs + nr, GMS_LISTENER_BATCH - nr);
	while (nr < GMS_LISTENER_BATCH && next_candidates(w));
	return nr;
}

/* The next batch. *rest: what is left of a run. */
static size_t fill_batch(struct walk *w, struct gms_span *rest, enum gms_shareability to,
			 struct gms_run runs[GMS_LISTENER_BATCH])
{
	const bool split = w->l->ops.flags & GMS_LISTENER_CAN_SPLIT;
	size_t nr = 0;

	if (!split && w->l->granule == gms_order_pages(GMS_ORDER_2M) &&
	    (w->quarantined || !gms_load_relaxed(&w->s->quarantined)))
		return fill_batch_2m(w, to, runs);
	while (nr < GMS_LISTENER_BATCH && (rest->start < rest->end || walk_next(w, rest))) {
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
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT)) {
		gms_rank_enter(&s->folios, GMS_RANK_LISTENER, l->id);
		gms_mutex_lock(&l->lock);
	}
	gms_backend_enter(&s->backend, frame, true);
}

/* 0 or -errno, whatever the listener makes of it. */
static int leave(struct gms_state *s, struct gms_listener *l, struct gms_hook_frame *frame, int err)
{
	err = gms_backend_leave(&s->backend, frame, err);
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT)) {
		gms_mutex_unlock(&l->lock);
		gms_rank_leave(&s->folios, GMS_RANK_LISTENER, l->id);
	}
	return err;
}

/*
 * Tell one listener of a part of it all; where part.end is 0, to its end. 0, or what it returned;
 * then *end ends what was done, or is part.start. @insist: go on after a refusal.
 */
static int tell_part(struct gms_state *s, struct gms_listener *l, const struct what *what,
		     enum gms_shareability to, struct gms_span part, bool insist, gms_pgoff_t *end)
{
	struct walk w = {
		.s = s,
		.l = l,
		.what = *what,
		.part = {part.start > l->start ? part.start : l->start,
			 part.end ? part.end : l->end},
	};
	struct gms_run runs[GMS_LISTENER_BATCH];
	struct gms_span rest = {0};
	struct gms_hook_frame frame;
	int err = 0, refused;
	size_t nr, done;

	w.quarantined =
		what->which == BETWEEN || (to == GMS_PRIVATE && gms_load_relaxed(&l->stuck));
	w.more = gms_spans_next(what->spans, &w.at);
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
	return leave(s, l, &frame, err);
}

#define ALL ((struct gms_span) {0, 0})

/* It is to be left with none of a part. False: it refused some of it, and is stuck. */
static bool let_go(struct gms_state *s, struct gms_listener *l, const struct what *what,
		   struct gms_span part)
{
	gms_pgoff_t end;
	const int err = tell_part(s, l, what, GMS_PRIVATE, part, true, &end);

	if (err)
		gms_store_relaxed(&l->stuck, true);
	return !err;
}

/* It has let go of what comes before @end, and should have it again; where it refuses: of all. */
static bool undo_let_go(struct gms_state *s, struct gms_listener *l, const struct what *what,
			gms_pgoff_t end, bool *all_gone)
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
static int tell(struct gms_state *s, struct gms_listener *l, const struct what *what,
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
static void give_back(struct gms_state *s, const struct what *what, struct gms_listener *from,
		      struct gms_told *told)
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
	give_back(s, &(struct what) {spans, TOUCHED}, NULL, told);
}

int gms_listeners_tell(struct gms_state *s, const struct gms_spans *spans, enum gms_shareability to,
		       struct gms_told *told)
{
	const struct what what = {spans, TOUCHED};
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

void gms_listeners_drop_gaps(struct gms_state *s, const struct gms_spans *spans)
{
	const struct what what = {spans, BETWEEN};

	for (struct gms_listener *l = s->listeners.last; l; l = l->prev)
		let_go(s, l, &what, ALL);
}

int gms_listeners_unstick(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_spans spans;
	const struct what what = {&spans, TOUCHED};
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

static bool ops_ok(const struct gms_listener_ops *ops)
{
	return ops->struct_size >= sizeof(*ops) &&
	       gms_tail_is_zero(ops, sizeof(*ops), ops->struct_size) && ops->change &&
	       !(ops->flags & ~(GMS_LISTENER_CAN_SPLIT | GMS_LISTENER_CONCURRENT));
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
	struct gms_listener *l = a->alloc(a->ctx, sizeof(*l), sizeof(void *));

	if (!l)
		return NULL;
	gms_memset(l, 0, sizeof(*l));
	if (gms_mutex_init(&l->lock)) {
		a->free(a->ctx, l, sizeof(*l), sizeof(void *));
		return NULL;
	}
	l->ops = *ops;
	l->ctx = ctx;
	l->start = range.start;
	l->end = range.end;
	l->granule = granule;
	l->id = s->listeners.next_id++;
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
	const struct what what = {&spans, TOUCHED};
	struct gms_told told = {0};
	int err;

	err = gms_quarantine_prepare(s, &q, l->start, l->end);
	if (err)
		return err;
	gms_spans_one(&spans, l->start, l->end);
	err = tell(s, l, &what, GMS_SHARED, &told);
	if (told.broken) {
		for (struct gms_listener *other = s->listeners.last; other; other = other->prev)
			let_go(s, other, &what, ALL);
		gms_quarantine_commit(s, &q);
	}
	gms_quarantine_release(s, &q);
	return err;
}

int gms_listener_register(struct gms_state *s, const struct gms_listener_ops *ops, void *ctx,
			  gms_pgoff_t start, uint64_t nr_pages, uint64_t granule, unsigned int *id)
{
	const struct gms_span range = {start, start + nr_pages};
	struct gms_listener *l = NULL;
	int err;

	if (!ops_ok(ops) || !gms_state_range_ok(s, start, nr_pages) ||
	    !aligned(start, nr_pages, granule))
		return gms_refused(s, -EINVAL);
	if (gms_backend_inside(&s->backend))
		return gms_refused(s, -EDEADLK);
	gms_shards_lock_convert(s, GMS_ALL_SHARDS);
	err = gms_frozen(s);
	if (!err) {
		l = make(s, ops, ctx, range, granule);
		err = l ? replay(s, l) : -ENOMEM;
	}
	if (!err) {
		*id = l->id;
		append(s, l);
	} else if (l) {
		unmake(s, l);
	}
	gms_shards_unlock_convert(s, GMS_ALL_SHARDS);
	return err ? gms_refused(s, err) : 0;
}

/* All that it has. If it refuses it gets back what it had let go of, or lets go of all after all. */
static int drop(struct gms_state *s, struct gms_listener *l) GMS_REQUIRES(gms_convert_lock)
{
	struct gms_spans spans;
	const struct what what = {&spans, TOUCHED};
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
	struct gms_listener *l;
	int err = -EINVAL;

	if (gms_backend_inside(&s->backend))
		return gms_refused(s, -EDEADLK);
	gms_shards_lock_convert(s, GMS_ALL_SHARDS);
	for (l = s->listeners.first; l && l->id != id; l = l->next)
		;
	if (l)
		err = drop(s, l);
	if (!err)
		take_out(s, l);
	gms_shards_unlock_convert(s, GMS_ALL_SHARDS);
	if (err)
		return gms_refused(s, err);
	unmake(s, l);
	return 0;
}

size_t gms_listeners_bytes(const struct gms_state *s)
{
	return gms_load_relaxed(&s->listeners.nr) * sizeof(struct gms_listener);
}

void gms_listeners_fini(struct gms_state *s) GMS_NO_TSA
{
	while (s->listeners.last) {
		struct gms_listener *l = s->listeners.last;
		struct gms_spans spans;

		gms_spans_one(&spans, l->start, l->end);
		(void)let_go(s, l, &(struct what) {&spans, TOUCHED}, ALL); /* it is asked for all */
		take_out(s, l);
		unmake(s, l);
	}
}
