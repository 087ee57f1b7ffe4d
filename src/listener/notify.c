// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * notify.c - notifying one listener: see notify.h
 */
#include "notify.h"

/* A part of the range of a listener. 0 stands for the start of the range, or for its end. */
#define NOTIFY_ALL ((struct gms_range) {0, 0})
#define NOTIFY_BEFORE(index) ((struct gms_range) {0, index})
#define NOTIFY_FROM(index) ((struct gms_range) {index, 0})

/* Fills in the next batch of runs. *rest: the rest of a run. Returns the number of runs. */
static size_t notify_fill_batch(struct gms_granule_walk *w, struct gms_range *rest,
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

/* Begins a call of a listener, and takes its lock if its calls are serialised. */
static void notify_enter(struct gms_state *s, struct gms_listener *l, struct gms_hook_frame *frame)
{
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT))
		gms_mutex_lock(&l->lock);
	gms_backend_enter(&s->backend, frame, true);
}

/* Ends a call of a listener, which returned @err. Returns 0 or -errno. */
static int notify_leave(struct gms_listener *l, struct gms_hook_frame *frame, int err)
{
	err = gms_backend_leave(frame, err);
	if (!(l->ops.flags & GMS_LISTENER_CONCURRENT))
		gms_mutex_unlock(&l->lock);
	return err;
}

/*
 * Notifies a listener of the granules in a part of its range. @insist: goes on after a refusal.
 * *end is the first page behind the last granule that the listener has done, or part.start if it
 * has done none. Returns 0, or the error of the listener: the last one, if it refused several
 * times.
 */
static int notify_part(struct gms_state *s, struct gms_listener *l,
		       const struct gms_granules *granules, enum gms_shareability to,
		       struct gms_range part, bool insist, gms_pgoff_t *end)
{
	struct gms_granule_walk w = {
		.s = s,
		.l = l,
		.what = *granules,
		.part = {part.start > l->start ? part.start : l->start,
			 part.end ? part.end : l->end},
	};
	/* The caller holds the convert lock of this shard. */
	struct gms_run *const runs =
		s->listeners.scratch[gms_shard_of(granules->ranges->start)].runs;
	struct gms_range rest = {0};
	struct gms_hook_frame frame;
	int err = 0, refused;
	size_t nr, done;

	/* Granules between ranges are quarantined already. A stuck listener may hold such ones. */
	w.quarantined = granules->which == GMS_GRANULES_BETWEEN ||
			(to == GMS_PRIVATE && gms_load_relaxed(&l->stuck));
	w.more = gms_ranges_next(granules->ranges, &w.at);
	*end = part.start;
	nr = notify_fill_batch(&w, &rest, to, runs);
	if (!nr)
		return 0;
	notify_enter(s, l, &frame);
	do {
		done = 0;
		refused = l->ops.change(l->ctx, runs, nr, to, &done);
		err = refused ? refused : err;
		if (refused && done < nr)
			nr = done;
		if (nr)
			*end = runs[nr - 1].start + runs[nr - 1].nr_pages;
	} while ((!err || insist) && (nr = notify_fill_batch(&w, &rest, to, runs)));
	return notify_leave(l, &frame, err);
}

/* Withdraws the granules in a part. If the listener refuses some, it is stuck: returns false. */
static bool notify_withdraw(struct gms_state *s, struct gms_listener *l,
			    const struct gms_granules *granules, struct gms_range part)
{
	const char *const why = gms_thread_reason();
	gms_pgoff_t end;
	const int err = notify_part(s, l, granules, GMS_PRIVATE, part, true, &end);

	if (err)
		gms_store_relaxed(&l->stuck, true);
	(void)gms_because(0, why); /* no call returns this error */
	return !err;
}

/*
 * Restores the granules before @end, which were withdrawn. Returns true if that succeeds. If the
 * listener refuses, withdraws all granules, and stores in *withdrawn whether that succeeded.
 */
static bool notify_restore(struct gms_state *s, struct gms_listener *l,
			   const struct gms_granules *granules, gms_pgoff_t end, bool *withdrawn)
{
	gms_pgoff_t restored;

	if (!notify_part(s, l, granules, GMS_SHARED, NOTIFY_BEFORE(end), false, &restored))
		return true;
	*withdrawn = notify_withdraw(s, l, granules, NOTIFY_FROM(end));
	if (restored)
		*withdrawn &= notify_withdraw(s, l, granules, NOTIFY_BEFORE(restored));
	return false;
}

int gms_listener_notify(struct gms_state *s, struct gms_listener *l,
			const struct gms_granules *granules, enum gms_shareability to,
			struct gms_notified *notified)
{
	bool withdrawn;
	gms_pgoff_t end;
	int err;

	err = notify_part(s, l, granules, to, NOTIFY_ALL, false, &end);
	notified->any |= end != 0;
	if (!err || !end)
		return err;
	if (to == GMS_SHARED)
		notified->broken |= !notify_withdraw(s, l, granules, NOTIFY_BEFORE(end));
	else
		notified->broken |= !notify_restore(s, l, granules, end, &withdrawn);
	return err;
}

bool gms_listener_withdraw(struct gms_state *s, struct gms_listener *l,
			   const struct gms_granules *granules)
{
	return notify_withdraw(s, l, granules, NOTIFY_ALL);
}

int gms_listener_try_withdraw(struct gms_state *s, struct gms_listener *l,
			      const struct gms_granules *granules, gms_pgoff_t *end)
{
	return notify_part(s, l, granules, GMS_PRIVATE, NOTIFY_ALL, false, end);
}

int gms_listener_withdraw_or_restore(struct gms_state *s, struct gms_listener *l,
				     const struct gms_granules *granules)
{
	bool withdrawn;
	gms_pgoff_t end;
	int err;

	err = gms_listener_try_withdraw(s, l, granules, &end);
	if (!err || !end || notify_restore(s, l, granules, end, &withdrawn))
		return err;
	return withdrawn ? 0 : err;
}
