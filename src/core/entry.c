// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * entry.c - how a call enters a state object, and the locks that it takes: see entry.h
 */
#include "entry.h"

#include "trace.h"

/* ---- shards, and their locks ---- */

gms_shards gms_shards_of_many(gms_pgoff_t start, gms_pgoff_t end)
{
	const uint64_t first = start >> GMS_ORDER_1G;
	const uint64_t nr = ((end - 1) >> GMS_ORDER_1G) - first + 1;
	uint32_t shards;

	if (nr >= GMS_NR_SHARDS)
		return GMS_ALL_SHARDS;
	shards = ((1U << nr) - 1) << first % GMS_NR_SHARDS;
	return (shards | shards >> GMS_NR_SHARDS) & GMS_ALL_SHARDS;
}

static void entry_fini_shards(struct gms_state *s, unsigned int nr)
{
	while (nr--) {
		gms_rwlock_fini(&s->shard[nr].invalidate);
		gms_mutex_fini(&s->shard[nr].convert);
	}
}

/* In the order of locks (platform.h) s->folios stands for the object: src/folio/ knows no more. */
int gms_shards_init(struct gms_state *s)
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
	entry_fini_shards(s, i);
	return -ENOMEM;
}

void gms_shards_fini(struct gms_state *s)
{
	entry_fini_shards(s, GMS_NR_SHARDS);
}

/* Takes the lowest shard out of a set, which is not empty. Returns it. */
static inline struct gms_shard *entry_pop_shard(struct gms_state *s, gms_shards *shards)
{
	const unsigned int i = gms_ctz(*shards);

	*shards &= *shards - 1;
	return &s->shard[i];
}

static void entry_lock_convert(struct gms_state *s, gms_shards shards)
	GMS_ACQUIRE(gms_convert_lock) GMS_NO_TSA
{
	while (shards)
		gms_mutex_lock(&entry_pop_shard(s, &shards)->convert);
}

static void entry_unlock_convert(struct gms_state *s, gms_shards shards)
	GMS_RELEASE(gms_convert_lock) GMS_NO_TSA
{
	while (shards)
		gms_mutex_unlock(&entry_pop_shard(s, &shards)->convert);
}

/*
 * The sequence numbers become odd after the last lock is taken. If a number became odd earlier, a
 * thread that waits for it to become even, and holds another of these locks shared, would wait for
 * ever. The fence makes the odd numbers visible before any change that follows.
 */
void gms_shards_lock_exclusive(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	for (gms_shards rest = shards; rest;)
		gms_rwlock_write_lock(&entry_pop_shard(s, &rest)->invalidate);
	while (shards) {
		struct gms_shard *shard = entry_pop_shard(s, &shards);

		gms_store_relaxed(&shard->seq, gms_load_relaxed(&shard->seq) + 1);
	}
	gms_fence_release();
}

void gms_shards_unlock_exclusive(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards) {
		struct gms_shard *shard = entry_pop_shard(s, &shards);

		gms_store_release(&shard->seq, gms_load_relaxed(&shard->seq) + 1);
		gms_rwlock_write_unlock(&shard->invalidate);
	}
}

void gms_shards_lock_shared_many(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_rwlock_read_lock(&entry_pop_shard(s, &shards)->invalidate);
}

void gms_shards_unlock_shared_many(struct gms_state *s, gms_shards shards) GMS_NO_TSA
{
	while (shards)
		gms_rwlock_read_unlock(&entry_pop_shard(s, &shards)->invalidate);
}

/* ---- entering and leaving ---- */

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
	gms_trace_refused(&s->folios, err);
	return err;
}

int gms_enter_shared_check(const struct gms_state *s)
{
	return gms_backend_in_hook(&s->backend) || gms_thread_holds(s) ? -EDEADLK : 0;
}

/* Returns the shards whose convert locks gms_enter() takes. */
static gms_shards entry_shards(unsigned int flags, gms_pgoff_t start, uint64_t nr_pages)
{
	return flags & GMS_ENTER_WHOLE ? GMS_ALL_SHARDS : gms_shards_of(start, start + nr_pages);
}

int gms_enter(struct gms_state *s, unsigned int flags, gms_pgoff_t start,
	      uint64_t nr_pages) GMS_NO_TSA
{
	gms_shards shards;

	if (!gms_state_range_ok(s, start, nr_pages))
		return gms_because(-EINVAL, gms_range_why(s->nr_pages, start, nr_pages));
	(void)gms_because(0, NULL);
	if (gms_backend_in_hook_or_listener(&s->backend) || gms_thread_holds(s))
		return -EDEADLK;
	shards = entry_shards(flags, start, nr_pages);
	entry_lock_convert(s, shards);
	if (gms_likely((flags & GMS_ENTER_FROZEN) || !gms_load_relaxed(&s->frozen)))
		return 0;
	entry_unlock_convert(s, shards);
	return -EPERM;
}

int gms_leave(struct gms_state *s, unsigned int flags, gms_pgoff_t start, uint64_t nr_pages,
	      int err) GMS_NO_TSA
{
	entry_unlock_convert(s, entry_shards(flags, start, nr_pages));
	return gms_unlikely(err) ? gms_refused(s, err) : 0;
}
