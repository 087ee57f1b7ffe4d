/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/locked.c - peer: the plain way, a lock and bitmaps; compiled once for each kind of lock
 *
 * What a VMM writes that needs no more than this: bitmaps of private, allocated and prepared
 * pages with counters for their blocks, so that a fault scans nothing; a count of pins for each page,
 * where there is one. No policies, no transactions, no hooks, no splits: it cannot fail halfway,
 * having nothing to fail.
 *
 *	BENCH_MUTEX	one mutex, as QEMU has
 *	BENCH_RWLOCK	one reader/writer lock, shared by faults; glibc's default kind,
 *			which lets readers pass: the best one for faults
 *	BENCH_RWLOCK16	as many as ours has, for the same blocks
 */
#define _GNU_SOURCE
#include "../peers/counts_ops.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#ifdef BENCH_MUTEX
#define PEER_NAME "mutex+bitmap"
#define PEER_SYMBOL bench_peer_mutex
#define LOCK_INIT PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define lock_read pthread_mutex_lock
#define lock_write pthread_mutex_lock
#define lock_drop pthread_mutex_unlock
typedef pthread_mutex_t lock_type;
#else
#define LOCK_INIT PTHREAD_RWLOCK_INITIALIZER
#define lock_read pthread_rwlock_rdlock
#define lock_write pthread_rwlock_wrlock
#define lock_drop pthread_rwlock_unlock
typedef pthread_rwlock_t lock_type;
#endif
#ifdef BENCH_RWLOCK
#define PEER_NAME "rwlock+bitmap"
#define PEER_SYMBOL bench_peer_rwlock
#endif
#ifdef BENCH_RWLOCK16
#define PEER_NAME "16 rwlocks"
#define PEER_SYMBOL bench_peer_rwlock16
#define NR_LOCKS 16
#else
#define NR_LOCKS 1
#endif

struct shard {
	lock_type lock;
	pthread_mutex_t folio; /* for what changes under the lock held by readers */
} __attribute__((aligned(64)));

/* pins of a 1G block; the pages' are made with the first one */
struct pins {
	uint64_t total;
	uint32_t *page;
};

typedef struct {
	struct shard shard[NR_LOCKS];
	struct counts *private, *prepared;
	uint64_t *allocated;
	struct pins *pins;
	uint64_t nr_pages;
	unsigned int folio_order;
} e_obj;

typedef struct {
	struct shard *shard;
	uint64_t index;
	unsigned int order;
	bool private, prepared;
} e_fault;

static e_obj *e_create(uint64_t nr_pages, bool private, unsigned int order, const char *policy)
{
	e_obj *o = bench_zalloc(sizeof(*o), 64);

	(void)policy;
	for (int i = 0; i < NR_LOCKS; i++) {
		o->shard[i].lock = (lock_type)LOCK_INIT;
		o->shard[i].folio = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	}
	o->private = counts_create(nr_pages, private);
	o->allocated = map_create(nr_pages, false);
	o->prepared = counts_create(nr_pages, false);
	o->pins = bench_zalloc((nr_pages >> BENCH_ORDER_1G) * sizeof(*o->pins), 64);
	o->nr_pages = nr_pages;
	o->folio_order = order;
	return o;
}

static void e_destroy(e_obj *o)
{
	uint64_t blocks = o->nr_pages >> BENCH_ORDER_1G;

	for (uint64_t i = 0; i < blocks; i++)
		if (o->pins[i].page)
			bench_free(o->pins[i].page, BENCH_PAGES_1G * sizeof(uint32_t), 64);
	bench_free(o->pins, blocks * sizeof(*o->pins), 64);
	counts_destroy(o->prepared);
	bench_free(o->allocated, o->nr_pages / 8, 64);
	counts_destroy(o->private);
	bench_free(o, sizeof(*o), 64);
}

static inline struct shard *shard_of(e_obj *o, uint64_t index)
{
	return &o->shard[(index >> BENCH_ORDER_1G) % NR_LOCKS];
}

/* The shards of a range, a bit for each. */
static inline uint32_t shards_of(uint64_t start, uint64_t nr)
{
	uint64_t first = start >> BENCH_ORDER_1G, last = (start + nr - 1) >> BENCH_ORDER_1G;
	uint32_t mask = 0;

	if (last - first >= NR_LOCKS)
		return (1u << NR_LOCKS) - 1;
	for (; first <= last; first++)
		mask |= 1u << first % NR_LOCKS;
	return mask;
}

static inline void take_range(e_obj *o, uint32_t shards, bool write)
{
	for (; shards; shards &= shards - 1) {
		struct shard *s = &o->shard[__builtin_ctz(shards)];

		if (write)
			lock_write(&s->lock);
		else
			lock_read(&s->lock);
	}
}

static inline void drop_range(e_obj *o, uint32_t shards)
{
	for (; shards; shards &= shards - 1)
		lock_drop(&o->shard[__builtin_ctz(shards)].lock);
}

/* What readers change: nobody else reads it beside them where the lock is a mutex. */
static inline void folio_lock(struct shard *s)
{
#ifndef BENCH_MUTEX
	pthread_mutex_lock(&s->folio);
#else
	(void)s;
#endif
}

static inline void folio_unlock(struct shard *s)
{
#ifndef BENCH_MUTEX
	pthread_mutex_unlock(&s->folio);
#else
	(void)s;
#endif
}

static inline bool is_all(const uint64_t *map, uint64_t start, uint64_t nr, bool value)
{
	if (nr == 1)
		return map_test(map, start) == value;
	return map_next_not(map, start, start + nr, value) == start + nr;
}

static inline bool is_pinned(const e_obj *o, uint64_t start, uint64_t nr)
{
	for (uint64_t i = start; i < start + nr; i++) {
		const struct pins *p = &o->pins[i >> BENCH_ORDER_1G];

		if (!p->total)
			i |= BENCH_PAGES_1G - 1;
		else if (p->page[i % BENCH_PAGES_1G])
			return true;
	}
	return false;
}

static bench_noinline int e_convert(e_obj *o, uint64_t start, uint64_t nr, bool private)
{
	const uint32_t shards = shards_of(start, nr);
	int err = 0;

	take_range(o, shards, true);
	if (is_all(o->private->map, start, nr, private)) {
		;
	} else if (private && is_pinned(o, start, nr)) {
		err = -EAGAIN;
	} else {
		counts_store(o->private, start, nr, private);
		if (!private && (nr > 1 || map_test(o->prepared->map, start)))
			counts_store(o->prepared, start, nr, false);
	}
	drop_range(o, shards);
	return err;
}

static inline void allocate_locked(e_obj *o, uint64_t start, uint64_t end)
{
	const uint64_t pages = (uint64_t)1 << o->folio_order;

	start &= ~(pages - 1);
	end = (end + pages - 1) & ~(pages - 1);
	map_fill(o->allocated, start, end - start, true);
}

static bench_noinline int e_allocate(e_obj *o, uint64_t start, uint64_t nr)
{
	const uint64_t end = start + nr;

	while (start < end) {
		struct shard *s = shard_of(o, start);
		uint64_t stop = (start | (BENCH_PAGES_1G - 1)) + 1;

		stop = stop < end ? stop : end;
		lock_read(&s->lock);
		folio_lock(s);
		allocate_locked(o, start, stop);
		folio_unlock(s);
		lock_drop(&s->lock);
		start = stop;
	}
	return 0;
}

static bench_noinline int e_punch(e_obj *o, uint64_t start, uint64_t nr)
{
	const uint32_t shards = shards_of(start, nr);
	int err = 0;

	take_range(o, shards, true);
	if (is_pinned(o, start, nr)) {
		err = -EAGAIN;
	} else {
		map_fill(o->allocated, start, nr, false);
		counts_store(o->prepared, start, nr, false);
	}
	drop_range(o, shards);
	return err;
}

/* One block's part of a range pinned (by = 1) or unpinned (by = -1). */
static inline void count_pins(e_obj *o, uint64_t start, uint64_t nr, uint32_t by)
{
	struct pins *p = &o->pins[start >> BENCH_ORDER_1G];
	uint32_t *page;

	if (!p->page)
		p->page = bench_zalloc(BENCH_PAGES_1G * sizeof(*p->page), 64);
	page = p->page + start % BENCH_PAGES_1G;
	for (uint64_t i = 0; i < nr; i++)
		page[i] += by;
	p->total += by == 1 ? nr : -nr;
}

static bench_noinline int e_pin(e_obj *o, uint64_t start, uint64_t nr)
{
	const uint32_t shards = shards_of(start, nr);
	const uint64_t end = start + nr;
	uint64_t stop;
	int err = 0;

	take_range(o, shards, false);
	if (!is_all(o->private->map, start, nr, false))
		err = -EACCES;
	for (; !err && start < end; start = stop) {
		stop = (start | (BENCH_PAGES_1G - 1)) + 1;
		stop = stop < end ? stop : end;
		folio_lock(shard_of(o, start));
		if (!is_all(o->allocated, start, stop - start, true))
			allocate_locked(o, start, stop);
		count_pins(o, start, stop - start, 1);
		folio_unlock(shard_of(o, start));
	}
	drop_range(o, shards);
	return err;
}

/* Needs nobody but those who count pins to stay away. */
static bench_noinline void e_unpin(e_obj *o, uint64_t start, uint64_t nr)
{
	const uint64_t end = start + nr;
	uint64_t stop;

	for (; start < end; start = stop) {
#ifdef BENCH_MUTEX
		pthread_mutex_t *lock = &shard_of(o, start)->lock;
#else
		pthread_mutex_t *lock = &shard_of(o, start)->folio;
#endif
		stop = (start | (BENCH_PAGES_1G - 1)) + 1;
		stop = stop < end ? stop : end;
		pthread_mutex_lock(lock);
		count_pins(o, start, stop - start, (uint32_t)-1);
		pthread_mutex_unlock(lock);
	}
}

/* Is all of a block prepared? */
static inline bool all_prepared(const e_obj *o, uint64_t i, unsigned int order)
{
	const struct counts *c = o->prepared;

	if (order == BENCH_ORDER_1G)
		return c->in_1g[i >> BENCH_ORDER_1G].full == 512;
	if (order == BENCH_ORDER_2M)
		return c->in_2m[i >> BENCH_ORDER_2M] == 512;
	return map_test(c->map, i);
}

static bench_noinline int e_fault_begin(e_obj *o, uint64_t i, bool guest, e_fault *f)
{
	struct shard *s = shard_of(o, i);
	bool private;

	lock_read(&s->lock);
	private = map_test(o->private->map, i);
	if (private && !guest) {
		lock_drop(&s->lock);
		return -EACCES;
	}
	if (bench_unlikely(!map_test(o->allocated, i))) {
		folio_lock(s);
		allocate_locked(o, i, i + 1);
		folio_unlock(s);
	}
	*f = (e_fault) {s, i, counts_order(o->private, i), guest && private, false};
	if (f->order > o->folio_order)
		f->order = o->folio_order;
	f->prepared = f->private && all_prepared(o, i, f->order);
	return 0;
}

static bench_noinline int e_fault_prepare(e_obj *o, e_fault *f)
{
	const uint64_t pages = (uint64_t)1 << f->order;

	if (!f->private || f->prepared)
		return 0;
	folio_lock(f->shard);
	counts_store(o->prepared, f->index & ~(pages - 1), pages, true);
	folio_unlock(f->shard);
	f->prepared = true;
	return 0;
}

static bench_noinline void e_fault_end(e_obj *o, e_fault *f)
{
	(void)o;
	lock_drop(&f->shard->lock);
}

#define e_fault_order(f) ((f)->order)

static bench_noinline bool e_test(e_obj *o, uint64_t i)
{
	return map_test(o->private->map, i);
}

#include "rows.h"
