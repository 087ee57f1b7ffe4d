/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * entry.h - how a call enters a state object, and the locks that it takes
 *
 * The 1G blocks of a shard (base/shard.h) share its locks. So a range takes at most 16 locks of a
 * kind, whatever its size. Locks of one kind are taken in ascending order.
 *
 * Every call that takes locks of an object enters by one of two functions. gms_enter() takes
 * convert locks. gms_enter_shared() takes invalidate locks, shared. Both return
 *
 *	-EINVAL		if the range is empty, wraps or passes the end of the object;
 *	-EDEADLK	if the thread would wait for itself: it is inside a hook of the backend,
 *			has a fault of the object open, or holds gms_lock_shared(). gms_enter()
 *			returns it inside a listener, too;
 *	-EPERM		if the object is frozen, unless GMS_ENTER_FROZEN is given.
 *
 * A call that was refused holds no lock. The refusal is not counted yet: see gms_refused(). Both
 * forget the reason of an older error (error.h).
 *
 * Cost. Most ranges lie in one 1G block. For these the inline functions take one lock and build no
 * set of shards.
 */
#ifndef GMS_CORE_ENTRY_H
#define GMS_CORE_ENTRY_H

#include "base/range.h"
#include "core.h"

/* ---- shards, and their locks ---- */

/* A set of shards: bit i stands for shard i. */
typedef uint32_t gms_shards;
#define GMS_ALL_SHARDS ((1U << GMS_NR_SHARDS) - 1)

/* Returns the shards of [start, end), which may cover several 1G blocks. */
gms_shards gms_shards_of_many(gms_pgoff_t start, gms_pgoff_t end);

/* Returns true if [start, end), which is not empty, lies in one 1G block. */
static inline bool gms_shards_is_one_block(gms_pgoff_t start, gms_pgoff_t end)
{
	return gms_likely((start ^ (end - 1)) >> GMS_ORDER_1G == 0);
}

/* Returns the shards of [start, end), which is not empty. */
static inline gms_shards gms_shards_of(gms_pgoff_t start, gms_pgoff_t end)
{
	if (gms_shards_is_one_block(start, end))
		return 1U << gms_shard_of(start);
	return gms_shards_of_many(start, end);
}

/* Initialises the locks of all shards. Returns 0 or -ENOMEM. */
int gms_shards_init(struct gms_state *s);
void gms_shards_fini(struct gms_state *s);

/*
 * Takes the invalidate locks exclusively, and makes the sequence numbers of the shards odd. The
 * unlock makes them even.
 */
void gms_shards_lock_exclusive(struct gms_state *s, gms_shards shards)
	GMS_REQUIRES(gms_convert_lock) GMS_ACQUIRE(gms_invalidate_lock);
void gms_shards_unlock_exclusive(struct gms_state *s, gms_shards shards)
	GMS_REQUIRES(gms_convert_lock) GMS_RELEASE(gms_invalidate_lock);

/* Takes the invalidate locks of a set of shards, shared. */
void gms_shards_lock_shared_many(struct gms_state *s, gms_shards shards)
	GMS_ACQUIRE_SHARED(gms_invalidate_lock);
void gms_shards_unlock_shared_many(struct gms_state *s, gms_shards shards)
	GMS_RELEASE_SHARED(gms_invalidate_lock);

/* Takes the invalidate locks of [start, end), shared. */
static inline void gms_shards_lock_shared(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_ACQUIRE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	if (gms_shards_is_one_block(start, end))
		gms_rwlock_read_lock(&s->shard[gms_shard_of(start)].invalidate);
	else
		gms_shards_lock_shared_many(s, gms_shards_of_many(start, end));
}

static inline void gms_shards_unlock_shared(struct gms_state *s, gms_pgoff_t start, gms_pgoff_t end)
	GMS_RELEASE_SHARED(gms_invalidate_lock) GMS_NO_TSA
{
	if (gms_shards_is_one_block(start, end))
		gms_rwlock_read_unlock(&s->shard[gms_shard_of(start)].invalidate);
	else
		gms_shards_unlock_shared_many(s, gms_shards_of_many(start, end));
}

/* ---- entering and leaving ---- */

enum gms_enter_flags {
	GMS_ENTER_RANGE = 0, /* take the locks of the range's shards */
	GMS_ENTER_WHOLE = 1, /* take the locks of all shards; gms_enter() only */
	GMS_ENTER_FROZEN = 2, /* enter a frozen object, too */
};

/* Counts a refusal by its errno, unless @err is 0. Returns @err. */
int gms_refused(struct gms_state *s, int err);

/* Returns true if a range is not empty and lies in the object, so that its end does not wrap. */
static inline bool gms_state_range_ok(const struct gms_state *s, gms_pgoff_t start,
				      uint64_t nr_pages)
{
	return nr_pages && start < s->nr_pages && nr_pages <= s->nr_pages - start;
}

/*
 * Returns -EPERM if the object is frozen, else 0. The caller holds a convert or an invalidate lock
 * of the object, which keeps the answer true.
 */
static inline int gms_check_frozen(const struct gms_state *s)
{
	return gms_unlikely(gms_load_relaxed(&s->frozen)) ? -EPERM : 0;
}

/*
 * Takes the convert locks of a range, or of all shards. @flags: of enum gms_enter_flags. Returns
 * 0, or an error as above.
 */
int gms_enter(struct gms_state *s, unsigned int flags, gms_pgoff_t start, uint64_t nr_pages)
	GMS_TRY_ACQUIRE(0, gms_convert_lock);
/*
 * Releases what gms_enter() took with these flags for this range. Counts a refusal if @err, the
 * result of the call, is not 0. Returns @err.
 */
int gms_leave(struct gms_state *s, unsigned int flags, gms_pgoff_t start, uint64_t nr_pages,
	      int err) GMS_RELEASE(gms_convert_lock);

/* Returns -EDEADLK if the thread is inside a hook or holds shared locks of the object, else 0. */
int gms_enter_shared_check(const struct gms_state *s);

/* Takes the invalidate locks of a range, shared. Returns 0, or an error as above. */
static inline int gms_enter_shared(struct gms_state *s, unsigned int flags, gms_pgoff_t start,
				   uint64_t nr_pages)
	GMS_TRY_ACQUIRE_SHARED(0, gms_invalidate_lock) GMS_NO_TSA
{
	int err = 0;

	if (gms_unlikely(!gms_state_range_ok(s, start, nr_pages)))
		return gms_because(-EINVAL, gms_range_why(s->nr_pages, start, nr_pages));
	(void)gms_because(0, NULL);
	if (gms_unlikely(!gms_thread_is_outside()))
		err = gms_enter_shared_check(s);
	if (gms_unlikely(err))
		return err;
	gms_shards_lock_shared(s, start, start + nr_pages);
	if (gms_likely((flags & GMS_ENTER_FROZEN) || !gms_load_relaxed(&s->frozen))) {
		gms_thread_hold(s);
		return 0;
	}
	gms_shards_unlock_shared(s, start, start + nr_pages);
	return -EPERM;
}

/* Releases what gms_enter_shared() took. Counts a refusal unless @err is 0. Returns @err. */
static inline int gms_leave_shared(struct gms_state *s, gms_pgoff_t start, uint64_t nr_pages,
				   int err) GMS_NO_TSA GMS_RELEASE_SHARED(gms_invalidate_lock)
{
	gms_thread_drop(s);
	gms_shards_unlock_shared(s, start, start + nr_pages);
	return gms_unlikely(err) ? gms_refused(s, err) : 0;
}

#endif /* GMS_CORE_ENTRY_H */
