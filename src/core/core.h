/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state_priv.h - the inside of a state object
 *
 * Which locks protect what (a shard's locks protect what belongs to its 1G blocks):
 *
 *	private, attributes, quarantine, history               convert lock and exclusive
 *	                                                       invalidate lock; to read: either
 *	inhibits                                               the same; a guest's fault may set
 *	                                                       some with the shared invalidate lock
 *	                                                       and the tree lock
 *	allocated, prepared, mapped, splits, pins              see folio.h
 *	listeners                                              all convert locks; to read: one
 *	bindings                                               all convert locks, and exclusive
 *	                                                       invalidate lock of the pages; to read:
 *	                                                       none, see binding.c
 *
 * Order: convert locks, ascending; a listener's lock; invalidate locks, ascending; a folio lock;
 * a tree lock; the lock of the block records.
 * All writers of a shard's invalidate lock hold its convert lock.
 */
#ifndef GMS_STATE_PRIV_H
#define GMS_STATE_PRIV_H

#include <gmemstate/state.h>

#include "folio/folio.h"
#include "tree/tree.h"

#define GMS_NR_INHIBITS 2

/* ---- what a call is about ---- */

/**
 * struct gms_ask - what is happening
 * @event: the event
 * @accessor: who faults
 * @start: GMS_EV_CONVERT, before it is committed: the range; else empty
 * @end: its end
 * @to: GMS_EV_CONVERT: what the range becomes
 * @cap: GMS_EV_PUNCH: the largest order that a folio at the index may have; else 18
 * @journal: where to note splits; NULL: nowhere
 * @look: GMS_EV_FAULT: what the page and its blocks are; NULL: have a look
 */
struct gms_ask {
	enum gms_event event;
	enum gms_accessor accessor;
	gms_pgoff_t start, end;
	enum gms_shareability to;
	unsigned int cap;
	struct gms_block **journal;
	const struct gms_rtree_look *look;
};

struct gms_span {
	gms_pgoff_t start, end;
};

/*
 * The runs of [start, end) that are, or are not, in a tree. They are looked up in the tree as it
 * is, or kept: then they outlast a change of the tree.
 */
#define GMS_SPANS_INLINE 8
struct gms_spans {
	const struct gms_rtree *tree;
	bool set;
	gms_pgoff_t start, end;
	gms_pgoff_t unmapped; /* what lies before this may have been unmapped from the host */
	size_t nr; /* kept */
	struct gms_span *kept; /* NULL: they are not */
	struct gms_span few[GMS_SPANS_INLINE];
};

struct gms_quarantine {
	gms_pgoff_t start, end;
};

struct gms_told {
	bool any; /* a listener has done something */
	bool broken; /* one refused an undo: whatever the spans touch is to be quarantined */
};

struct gms_shard {
	uint64_t seq; /* odd while a block of this shard is being changed */
	uint64_t events; /* see gms_event() */
	/* calls of gms_convert(), counted by the first shard that they touch, under its convert lock */
	uint64_t conversions, pages_converted, noops;
	struct gms_mutex convert;
	struct gms_rwlock invalidate;
	/* leaf pages for the quarantine; of the holder of the convert lock, whose range begins here */
	struct gms_rtree_spare spare;
} __attribute__((aligned(64)));

struct gms_listener;

/*
 * Room for what the listeners of a change need: it belongs to the holder of the convert lock of the
 * shard where the range begins. All shards get theirs with the first listener.
 */
struct gms_listening {
	struct gms_rtree_reserve undo; /* what a commit that may be reverted replaces */
	struct gms_run runs[GMS_LISTENER_BATCH];
};

struct gms_listeners {
	struct gms_listening *room; /* of each shard; NULL: there never was a listener */
	struct gms_listener *first, *last; /* in the order of registering */
	uint64_t nr;
	unsigned int next_id;
};

enum gms_binding_key { GMS_BY_GFN, GMS_BY_INDEX, GMS_NR_BINDING_KEYS };

struct gms_binding {
	uint64_t key[GMS_NR_BINDING_KEYS]; /* gfn and index of the first page */
	uint64_t nr_pages;
	uint64_t id;
};

/* Sorted by one key. */
struct gms_binding_list {
	struct gms_binding_list *retired; /* the one that this replaced */
	uint64_t room;
	struct gms_binding at[];
};

struct gms_bindings {
	uint64_t seq; /* readers use copy[seq % 2] */
	struct {
		uint64_t nr;
		struct gms_binding_list *list[GMS_NR_BINDING_KEYS];
	} copy[2];
	uint64_t next_id;
};

struct gms_state {
	/* what every call looks at, in one line, as it is often not in the cache; hardly ever written */
	struct gms_rtree *private;
	uint64_t nr_pages;
	bool frozen; /* written with all locks held; stable under any of them */
	unsigned int nr_attrs;
	uint64_t quarantined; /* pages */
	bool inhibited; /* a page is, or was: false saves looking */
	struct gms_listeners listeners;
	struct gms_bindings bindings;
	struct gms_rtree *quarantine;
	struct gms_rtree *inhibit[GMS_NR_INHIBITS]; /* to 4K; to 2M, or less */
	struct gms_rtree *attr[GMS_MAX_ATTRS];
	struct gms_policy_ops policy;
	void *policy_ctx;
	uint64_t (*clock_ns)(void *ctx);
	void *clock_ctx;
	uint64_t clock_start;
	uint64_t maintain_at; /* the 1G block where gms_maintain() goes on */
	struct gms_allocator allocator;
	struct gms_backend backend;
	struct gms_folios folios;
	uint64_t events __attribute__((aligned(64)));
	struct gms_counters counters;
	struct gms_shard shard[GMS_NR_SHARDS];
};

static inline bool gms_state_range_ok(const struct gms_state *s, gms_pgoff_t start,
				      uint64_t nr_pages)
{
	return nr_pages && start < s->nr_pages && nr_pages <= s->nr_pages - start;
}

/* Copies the caller's options. Returns false where one is not sound, but for what they point to. */
bool gms_state_opts_copy(struct gms_state_opts *to, const struct gms_state_opts *from);

/* Counts a refusal, unless @err is 0; returns it. */
int gms_refused(struct gms_state *s, int err);

/* ---- shards: sets of them are bits ---- */

typedef uint32_t gms_shards;
#define GMS_ALL_SHARDS ((1U << GMS_NR_SHARDS) - 1)

gms_shards gms_shards_of_many(gms_pgoff_t start, gms_pgoff_t end);

/* The shards of [start, end): most often one. */
static inline gms_shards gms_shards_of(gms_pgoff_t start, gms_pgoff_t end)
{
	if (gms_likely((start ^ (end - 1)) >> GMS_ORDER_1G == 0))
		return 1U << gms_shard_of(start);
	return gms_shards_of_many(start, end);
}

void gms_shards_lock_convert(struct gms_state *s, gms_shards shards) GMS_ACQUIRE(gms_convert_lock);
void gms_shards_unlock_convert(struct gms_state *s, gms_shards shards)
	GMS_RELEASE(gms_convert_lock);

/* Exclusively; the sequence numbers are odd meanwhile. */
void gms_shards_lock(struct gms_state *s, gms_shards shards) GMS_REQUIRES(gms_convert_lock)
	GMS_ACQUIRE(gms_invalidate_lock);
void gms_shards_unlock(struct gms_state *s, gms_shards shards) GMS_REQUIRES(gms_convert_lock)
	GMS_RELEASE(gms_invalidate_lock);

/* Shared. */
static inline void gms_shard_lock_shared(struct gms_state *s, unsigned int shard)
	GMS_ACQUIRE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	gms_rwlock_read_lock(&s->shard[shard].invalidate);
}

static inline void gms_shard_unlock_shared(struct gms_state *s, unsigned int shard)
	GMS_RELEASE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	gms_rwlock_read_unlock(&s->shard[shard].invalidate);
}

void gms_shards_lock_shared_many(struct gms_state *s, gms_shards shards)
	GMS_ACQUIRE_SHARED(gms_invalidate_lock);
void gms_shards_unlock_shared_many(struct gms_state *s, gms_shards shards)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

/* Of [start, end), most often in one 1G block. */
static inline void gms_range_lock_shared(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_ACQUIRE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	if (gms_likely((start ^ (end - 1)) >> GMS_ORDER_1G == 0))
		gms_shard_lock_shared(s, gms_shard_of(start));
	else
		gms_shards_lock_shared_many(s, gms_shards_of_many(start, end));
}

static inline void gms_range_unlock_shared(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_RELEASE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	if (gms_likely((start ^ (end - 1)) >> GMS_ORDER_1G == 0))
		gms_shard_unlock_shared(s, gms_shard_of(start));
	else
		gms_shards_unlock_shared_many(s, gms_shards_of_many(start, end));
}

/* ---- the way in ---- */

/*
 * Every call that takes locks of an object comes in by one of two doors: gms_enter() takes convert
 * locks, gms_enter_shared() invalidate locks, shared. Both refuse with
 *
 *	-EINVAL		a range that is empty, wraps or passes the end;
 *	-EDEADLK	a thread that would wait for itself: it is inside a hook of the backend, or, at
 *			gms_enter(), inside a listener; or it has a fault open, or holds
 *			gms_lock_shared(), and a writer may be waiting for that;
 *	-EPERM		a frozen object.
 *
 * Nothing is held then, and nothing is counted yet.
 */
enum gms_entry {
	GMS_ENTER_RANGE = 0, /* the locks of the range's shards */
	GMS_ENTER_WHOLE = 1, /* the locks of all shards */
	GMS_ENTER_FROZEN = 2, /* a bit: also where the object is frozen */
};

int gms_enter(struct gms_state *s, unsigned int how, gms_pgoff_t start, uint64_t nr_pages)
	GMS_TRY_ACQUIRE(0, gms_convert_lock);
/* Unlocks, counts a refusal, and returns @err. */
int gms_leave(struct gms_state *s, unsigned int how, gms_pgoff_t start, uint64_t nr_pages, int err)
	GMS_RELEASE(gms_convert_lock);

/* What is left of gms_enter_shared() where the thread is inside something. */
int gms_may_enter_shared(const struct gms_state *s);

static inline int gms_enter_shared(struct gms_state *s, unsigned int how, gms_pgoff_t start,
				   uint64_t nr_pages)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock) GMS_NO_TSA
{
	int err = 0;

	if (gms_unlikely(!gms_state_range_ok(s, start, nr_pages)))
		return -EINVAL;
	if (gms_unlikely(!gms_thread_is_outside()))
		err = gms_may_enter_shared(s);
	if (gms_unlikely(err))
		return err;
	gms_range_lock_shared(s, start, start + nr_pages);
	if (gms_likely((how & GMS_ENTER_FROZEN) || !gms_load_relaxed(&s->frozen))) {
		gms_thread_hold(s);
		return 0;
	}
	gms_range_unlock_shared(s, start, start + nr_pages);
	return -EPERM;
}

static inline int gms_leave_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
				   int err) GMS_RELEASE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	gms_thread_drop(s);
	gms_range_unlock_shared(s, start, start + nr_pages);
	return gms_unlikely(err) ? gms_refused(s, err) : 0;
}

/* ---- time: the clock, or a count of events ---- */

/* Something has changed in the 1G block at an index. */
void gms_event(struct gms_state *s, gms_pgoff_t index);
void gms_event_locked(struct gms_state *s, gms_pgoff_t index) GMS_REQUIRES(gms_invalidate_lock);
uint64_t gms_now(const struct gms_state *s, gms_pgoff_t index);

/* ---- history ---- */

int gms_history_make(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end);
void gms_history_note(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, bool committed)
	GMS_REQUIRES(gms_invalidate_lock);

/* Records for what [start, end) may turn mixed. 0 or -ENOMEM. */
static inline int gms_history_prepare(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
{
	return s->folios.order ? gms_history_make(s, start, end) : 0;
}

/* Before a change of [start, end) is committed: note how things stand. After it: compare. */
static inline void gms_history(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end,
			       bool committed) GMS_REQUIRES(gms_invalidate_lock)
{
	if (s->folios.order)
		gms_history_note(s, start, end, committed);
}

/* ---- frozen ---- */

/* 0 or -EPERM. Any convert or invalidate lock. */
static inline int gms_frozen(const struct gms_state *s)
{
	return gms_unlikely(gms_load_relaxed(&s->frozen)) ? -EPERM : 0;
}

/* ---- asking the policy ---- */

/* Does the policy want to be asked about an event? */
static inline bool gms_policy_minds(const struct gms_state *s, enum gms_event event,
				    enum gms_accessor accessor)
{
	const unsigned int minds = s->policy.events;

	return !minds ||
	       ((minds >> event & 1) && !(event == GMS_EV_FAULT && accessor == GMS_GUEST &&
					  (minds & GMS_POLICY_HOST_FAULTS)));
}

/* What the policy says of the folio at an index. Any lock that keeps the range from changing. */
struct gms_policy_verdict gms_policy_ask(const struct gms_state *s, const struct gms_ask *ask,
					 gms_pgoff_t index, struct gms_folio folio);

/*
 * Split the folio at an index until the policy is content. *folio: what gms_folio_at() says before,
 * and what is there then; *above: the order that the policy would like, where that is more.
 * Returns 0; GMS_BUSY: a pin is in the way; the backend's error.
 */
int gms_settle(struct gms_state *s, const struct gms_ask *ask, gms_pgoff_t index,
	       struct gms_folio *folio, unsigned int *above)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/* How far gms_settle_up() is, over several ranges that ascend. */
struct gms_settled {
	gms_pgoff_t next; /* what lies before was looked at */
	gms_pgoff_t refused; /* the last 1G block that could not be merged */
};
#define GMS_SETTLED_NOTHING ((struct gms_settled) {0, UINT64_MAX})

/* Merges what the policy wants merged of the folios in [start, end). Returns how many were. */
uint64_t gms_settle_up(struct gms_state *s, const struct gms_ask *ask, gms_pgoff_t start,
		       gms_pgoff_t end, struct gms_settled *settled)
	GMS_REQUIRES(gms_invalidate_lock);

/* ---- runs of pages, and the hooks that are called for each ---- */

/* 0 or -ENOMEM. */
int gms_spans_init(struct gms_state *s, struct gms_spans *spans, const struct gms_rtree *tree,
		   bool set, gms_pgoff_t start, gms_pgoff_t end, bool keep);
void gms_spans_fini(struct gms_state *s, struct gms_spans *spans);

/* All of [start, end) is one. */
static inline void gms_spans_one(struct gms_spans *spans, gms_pgoff_t start, gms_pgoff_t end)
{
	spans->start = start;
	spans->end = end;
	spans->unmapped = start;
	spans->nr = 1;
	spans->kept = spans->few;
	spans->few[0] = (struct gms_span) {start, end};
}

/* for (at = {0}; gms_spans_next(spans, &at);) visits all; ascending, and none touch. */
struct gms_span_at {
	struct gms_span span;
	size_t next;
};
bool gms_spans_next_in_tree(const struct gms_spans *spans, struct gms_span_at *at);

static inline bool gms_spans_next(const struct gms_spans *spans, struct gms_span_at *at)
{
	if (!spans->kept)
		return gms_spans_next_in_tree(spans, at);
	if (at->next == spans->nr)
		return false;
	at->span = spans->kept[at->next++];
	return true;
}

/*
 * Takes the spans from the host, and looks for pins that keep them from going private or from
 * being freed. Pins that the library counts are looked for first: what lies behind one stays
 * mapped. Returns 0, the backend's error, or -EAGAIN: then *pinned is the first pinned page in the
 * spans, or their start where the pin is outside of them, and *stop is the first page of the spans
 * that has to stay. On failure gms_spans_map_host() is to follow.
 */
int gms_spans_isolate(struct gms_state *s, struct gms_spans *spans, gms_pgoff_t *pinned,
		      gms_pgoff_t *stop) GMS_REQUIRES(gms_invalidate_lock);

/*
 * Unmaps the spans from the host for an undo, without allocating. Returns false where that fails,
 * or where a page of them is pinned itself, or may be.
 */
bool gms_spans_isolate_undo(struct gms_state *s, struct gms_spans *spans)
	GMS_REQUIRES(gms_invalidate_lock);

/* The host may have again what was unmapped of the spans and is shared. Returns 0 or an error. */
int gms_spans_map_host(struct gms_state *s, const struct gms_spans *spans)
	GMS_REQUIRES(gms_invalidate_lock);

/* Unmaps one range from host and guest, whatever it is. Cannot fail: it is quarantined anyway. */
void gms_range_unmap(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_invalidate_lock);

/* Begin to invalidate, and zap what is @only of them. */
void gms_spans_begin(struct gms_state *s, const struct gms_spans *spans)
	GMS_REQUIRES(gms_invalidate_lock);
void gms_spans_zap(struct gms_state *s, const struct gms_spans *spans, enum gms_shareability only)
	GMS_REQUIRES(gms_invalidate_lock);
void gms_spans_end(struct gms_state *s, const struct gms_spans *spans)
	GMS_REQUIRES(gms_invalidate_lock);

/* ---- quarantine ---- */

/* Makes ready to quarantine a range, with the spare of its first shard. Returns 0 or -ENOMEM. */
int gms_quarantine_prepare(struct gms_state *s, struct gms_quarantine *q, gms_pgoff_t start,
			   gms_pgoff_t end) GMS_REQUIRES(gms_convert_lock);
/* Unmaps the range from host and guest, and quarantines it. */
void gms_quarantine_commit_locked(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock, gms_invalidate_lock);
/* The same for a caller that does not hold the invalidate locks. */
void gms_quarantine_commit(struct gms_state *s, const struct gms_quarantine *q)
	GMS_REQUIRES(gms_convert_lock);

/* ---- bindings ---- */

/* The binding with a gfn, or an index, in it. Lock-free. False where there is none. */
bool gms_binding_find_slow(const struct gms_state *s, enum gms_binding_key by, uint64_t at,
			   struct gms_binding *b);

static inline bool gms_binding_find(const struct gms_state *s, enum gms_binding_key by, uint64_t at,
				    struct gms_binding *b)
{
	return gms_unlikely(gms_load_relaxed(&s->bindings.copy[0].nr)) &&
	       gms_binding_find_slow(s, by, at, b);
}

/* The largest order, not above @order, of a mapping at an index of a binding. */
unsigned int gms_binding_order(const struct gms_binding *b, gms_pgoff_t index, unsigned int order);

/* The memory that they take. */
size_t gms_bindings_bytes(const struct gms_state *s);
/* What is wrong with them; NULL: nothing. */
const char *gms_bindings_verify(const struct gms_state *s);
void gms_bindings_fini(struct gms_state *s);

/* ---- listeners: for conversions and repairs, under the convert locks of the range ---- */

/* Does any listen to a part of [start, end)? */
bool gms_listeners_hear(const struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Tell the listeners, first to last, of the granules that the spans touch and that are wholly
 * shared: they get them (@to shared), or let go of them. 0; or what one refused with, and then
 * those that were told before have been told the opposite, the last first.
 */
int gms_listeners_tell(struct gms_state *s, const struct gms_spans *spans, enum gms_shareability to,
		       struct gms_told *told) GMS_REQUIRES(gms_convert_lock);

/* All are to have nothing of [start, end), which is about to be quarantined. */
void gms_listeners_withdraw(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);

/* They had let go: give back, the last first. */
void gms_listeners_give_back(struct gms_state *s, const struct gms_spans *spans,
			     struct gms_told *told) GMS_REQUIRES(gms_convert_lock);

/*
 * [spans->start, spans->end) is quarantined: let go of the granules between the spans, which
 * nobody was told of, from the first span to the last.
 */
void gms_listeners_drop_gaps(struct gms_state *s, const struct gms_spans *spans)
	GMS_REQUIRES(gms_convert_lock);

/*
 * Before a repair, under all convert locks: ask those that refused to let go in an undo again. 0,
 * or what one returned. After it: forget about that where nothing is quarantined any more.
 */
int gms_listeners_unstick(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_REQUIRES(gms_convert_lock);
void gms_listeners_repaired(struct gms_state *s) GMS_REQUIRES(gms_convert_lock);

/* The memory that they take. */
size_t gms_listeners_bytes(const struct gms_state *s);
/* All let go of all, and are forgotten. */
void gms_listeners_fini(struct gms_state *s);

/* ---- memory ---- */

/* Allocate the folio at an index, unless it is there, and settle it. 0 or an error. */
int gms_populate(struct gms_state *s, gms_pgoff_t index, enum gms_accessor accessor, bool *fresh)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

/* All of them in a part of one 1G block. *at: where it failed. */
int gms_populate_range(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end, gms_pgoff_t *at)
	GMS_REQUIRES_SHARED(gms_invalidate_lock);

#endif /* GMS_STATE_PRIV_H */
