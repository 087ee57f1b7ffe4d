// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * convert.c - the calls that convert: a range of pages in two modes, and a range of gfns
 */
#include "convert.h"

#include "core/entry.h"
#include "trace.h"

/*
 * Counts a call that begins at @start. The convert lock of that shard is held, so no other thread
 * counts there, and the additions need not be atomic.
 */
static void convert_count_call(struct gms_state *s, gms_pgoff_t start, uint64_t changed, int err)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_shard *shard = &s->shard[gms_shard_of(start)];
	uint64_t *const which = changed ? &shard->conversions : &shard->noops;

	if (err && !changed)
		return;
	gms_store_relaxed(which, *which + 1);
	gms_store_relaxed(&shard->pages_converted, shard->pages_converted + changed);
}

/* ---- the two modes ---- */

static int convert_atomic(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			  enum gms_shareability to, gms_pgoff_t *err_index)
{
	const struct gms_range part = {start, start + nr_pages};
	struct gms_converted done;
	int err;

	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	err = gms_convert_parts(s, &part, 1, to, &done);
	convert_count_call(s, start, done.changed, err);
	*err_index = done.err_index;
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

/*
 * Converts a range in one 1G block up to the first page that is pinned, in use or quarantined. A
 * try that meets such a page converts nothing, so the pages before it are tried again. Returns 0,
 * or the error of that page, or another error. *next is the first page that is not converted.
 */
static int convert_up_to_obstacle(struct gms_state *s, struct gms_range part,
				  enum gms_shareability to, struct gms_converted *done,
				  gms_pgoff_t *next) GMS_REQUIRES(gms_convert_lock)
{
	const char *why = NULL;
	int err, in_the_way = 0;

	for (;;) {
		err = gms_convert_parts(s, &part, 1, to, done);
		*next = err ? part.start : part.end;
		if (!err)
			return gms_because(in_the_way, why);
		if (done->stop == part.start)
			return err;
		in_the_way = err;
		why = gms_thread_reason();
		(void)gms_because(0, NULL);
		part.end = done->stop;
	}
}

static int convert_resumable(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
			     enum gms_shareability to, gms_pgoff_t *err_index)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_converted done;
	uint64_t changed = 0;
	const char *why;
	int err = 0;

	if (!gms_state_range_ok(s, start, nr_pages)) {
		why = gms_range_why(s->nr_pages, start, nr_pages);
		return gms_refused(s, gms_because(-EINVAL, why));
	}
	gms_for_each_1g(at, next, start, end) {
		*err_index = at;
		err = gms_enter(s, GMS_ENTER_RANGE, at, next - at);
		if (err) {
			gms_refused(s, err);
			break;
		}
		err = convert_up_to_obstacle(s, (struct gms_range) {at, next}, to, &done,
					     err_index);
		changed += done.changed;
		err = gms_leave(s, GMS_ENTER_RANGE, at, next - at, err);
		if (err)
			break;
	}
	/* The call counts once, in its first shard. */
	why = gms_thread_reason();
	if (!gms_enter(s, GMS_ENTER_FROZEN, start, 1)) {
		convert_count_call(s, start, changed, err);
		(void)gms_leave(s, GMS_ENTER_FROZEN, start, 1, 0);
	}
	return gms_because(err, why);
}

int gms_convert(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		unsigned int flags, gms_pgoff_t *err_index)
{
	gms_pgoff_t failed = start;
	int err;

	if (to != GMS_SHARED && to != GMS_PRIVATE)
		err = gms_refused(s, gms_because(-EINVAL, "the shareability is unknown"));
	else if (flags & ~GMS_CONVERT_RESUMABLE)
		err = gms_refused(s, gms_because(-EINVAL, "a flag is unknown"));
	else if (flags & GMS_CONVERT_RESUMABLE)
		err = convert_resumable(s, start, nr_pages, to, &failed);
	else
		err = convert_atomic(s, start, nr_pages, to, &failed);
	gms_trace_convert(&s->folios, start, nr_pages, to, err);
	if (err && err_index)
		*err_index = failed;
	return err;
}

/* ---- a range of gfns ---- */

#define CONVERT_FEW_PARTS 4

/* Finds the index of a range of gfns. Returns false if they are not all in one binding. */
static bool convert_in_one_binding(const struct gms_state *s, uint64_t gfn, uint64_t nr_pages,
				   gms_pgoff_t *index)
{
	struct gms_binding b;

	if (!gms_bindings_find(&s->bindings, GMS_BY_GFN, gfn, &b) ||
	    nr_pages > b.key[GMS_BY_GFN] + b.nr_pages - gfn)
		return false;
	*index = gms_binding_index(&b, gfn);
	return true;
}

/* The pages at a range of gfns, binding by binding, in the order of their indices. */
struct convert_walk {
	uint64_t gfn, nr_pages;
	uint64_t next; /* the position of the next binding */
	struct gms_range piece; /* what the last binding has of the range */
};

static bool convert_next_piece(const struct gms_state *s, struct convert_walk *walk)
	GMS_REQUIRES(gms_convert_lock)
{
	while (walk->next < gms_bindings_nr(&s->bindings)) {
		const struct gms_binding b = gms_bindings_at(&s->bindings, walk->next++);
		const uint64_t begin = b.key[GMS_BY_GFN];
		const uint64_t from = walk->gfn > begin ? walk->gfn : begin;
		const uint64_t rest = begin + b.nr_pages - from,
			       wanted = walk->nr_pages - (from - walk->gfn);

		gms_cond_resched();
		if (from - begin >= b.nr_pages || from - walk->gfn >= walk->nr_pages)
			continue;
		walk->piece.start = gms_binding_index(&b, from);
		walk->piece.end = walk->piece.start + (rest < wanted ? rest : wanted);
		return true;
	}
	return false;
}

/*
 * Stores the first @room parts that are at the gfns: pieces that follow each other are one part.
 * Returns how many there are. *nr_bound is how many of the gfns are bound.
 */
static size_t convert_find_parts(const struct gms_state *s, uint64_t gfn, uint64_t nr_pages,
				 struct gms_range *parts, size_t room, uint64_t *nr_bound)
	GMS_REQUIRES(gms_convert_lock)
{
	struct convert_walk walk = {.gfn = gfn, .nr_pages = nr_pages};
	struct gms_range part = {0};
	size_t nr = 0;

	*nr_bound = 0;
	while (convert_next_piece(s, &walk)) {
		*nr_bound += walk.piece.end - walk.piece.start;
		if (nr && part.end == walk.piece.start) {
			part.end = walk.piece.end;
		} else {
			part = walk.piece;
			nr++;
		}
		if (nr <= room)
			parts[nr - 1] = part;
	}
	return nr;
}

/* Returns the first gfn from @gfn on that is in no binding. */
static uint64_t convert_first_unbound(const struct gms_state *s, uint64_t gfn)
{
	struct gms_binding b;

	while (gms_bindings_find(&s->bindings, GMS_BY_GFN, gfn, &b))
		gfn = b.key[GMS_BY_GFN] + b.nr_pages;
	return gfn;
}

/*
 * Converts parts that are known. *err_gfn is the first gfn of their @nr_pages. On failure it
 * becomes the gfn of the page that is in the way, if that is one of them.
 */
static int convert_gfn_parts(struct gms_state *s, const struct gms_range *parts, size_t nr_parts,
			     uint64_t nr_pages, enum gms_shareability to, uint64_t *err_gfn)
	GMS_REQUIRES(gms_convert_lock)
{
	struct gms_converted done;
	struct gms_binding b;
	uint64_t at;
	int err;

	err = gms_convert_parts(s, parts, nr_parts, to, &done);
	convert_count_call(s, parts[0].start, done.changed, err);
	gms_trace_convert(&s->folios, parts[0].start, nr_pages, to, err);
	if ((err == -EAGAIN || err == -ENOTRECOVERABLE) && done.named &&
	    gms_bindings_find(&s->bindings, GMS_BY_INDEX, done.err_index, &b)) {
		at = b.key[GMS_BY_GFN] + (done.err_index - b.key[GMS_BY_INDEX]);
		if (at - *err_gfn < nr_pages) /* else the page lies between the parts */
			*err_gfn = at;
	}
	return err;
}

/* Converts gfns that may be in several bindings. */
static int convert_gfn_many(struct gms_state *s, uint64_t gfn, uint64_t nr_pages,
			    enum gms_shareability to, uint64_t *err_gfn)
{
	const struct gms_allocator *a = &s->allocator;
	struct gms_range few[CONVERT_FEW_PARTS], *parts = few;
	uint64_t nr_bound;
	size_t nr;
	int err;

	err = gms_enter(s, GMS_ENTER_WHOLE, 0, s->nr_pages);
	if (err)
		return gms_refused(s, err);
	nr = convert_find_parts(s, gfn, nr_pages, few, CONVERT_FEW_PARTS, &nr_bound);
	if (nr_bound != nr_pages) {
		*err_gfn = convert_first_unbound(s, gfn);
		err = -ENOENT;
	} else if (nr > CONVERT_FEW_PARTS) {
		parts = a->alloc(a->ctx, nr * sizeof(*parts), sizeof(void *));
		err = parts ? 0 : -ENOMEM;
		if (parts)
			convert_find_parts(s, gfn, nr_pages, parts, nr, &nr_bound);
	}
	if (!err)
		err = convert_gfn_parts(s, parts, nr, nr_pages, to, err_gfn);
	if (parts && parts != few)
		a->free(a->ctx, parts, nr * sizeof(*parts), sizeof(void *));
	return gms_leave(s, GMS_ENTER_WHOLE, 0, s->nr_pages, err);
}

static int convert_gfn(struct gms_state *s, uint64_t gfn, uint64_t nr_pages,
		       enum gms_shareability to, uint64_t *err_gfn)
{
	gms_pgoff_t start, now;
	struct gms_range part;
	int err;

	if (!convert_in_one_binding(s, gfn, nr_pages, &start))
		return convert_gfn_many(s, gfn, nr_pages, to, err_gfn);
	err = gms_enter(s, GMS_ENTER_RANGE, start, nr_pages);
	if (err)
		return gms_refused(s, err);
	/* A convert lock keeps all bindings as they are. They may have changed before. */
	if (!convert_in_one_binding(s, gfn, nr_pages, &now) || now != start) {
		(void)gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, 0);
		return convert_gfn_many(s, gfn, nr_pages, to, err_gfn);
	}
	part = (struct gms_range) {start, start + nr_pages};
	err = convert_gfn_parts(s, &part, 1, nr_pages, to, err_gfn);
	return gms_leave(s, GMS_ENTER_RANGE, start, nr_pages, err);
}

int gms_convert_gfn(struct gms_state *s, uint64_t gfn, uint64_t nr_pages, enum gms_shareability to,
		    unsigned int flags, uint64_t *err_gfn)
{
	uint64_t failed = gfn;
	const char *why = NULL;
	int err;

	if (to != GMS_SHARED && to != GMS_PRIVATE)
		why = "the shareability is unknown";
	else if (flags)
		why = "a flag is unknown";
	else if (!nr_pages)
		why = "the range is empty";
	else if (gfn + nr_pages < gfn)
		why = "the gfns wrap";
	err = why ? gms_refused(s, gms_because(-EINVAL, why))
		  : convert_gfn(s, gfn, nr_pages, to, &failed);
	if (err && err_gfn)
		*err_gfn = failed;
	return err;
}
