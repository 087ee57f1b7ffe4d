/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine/locked.c - peer: the plain implementation, a lock and bitmaps
 *
 * This is what a VMM without further needs would write: bitmaps of private, allocated and prepared
 * pages, with counters for their blocks, so that a fault scans nothing; and a count of pins for
 * each page of a 1G block that ever had a pin. There are no policies, transactions, hooks or
 * splits, so no call can fail halfway.
 *
 * This file is compiled once for each kind of lock:
 *
 *	BENCH_MUTEX	one mutex, as in QEMU
 *	BENCH_RWLOCK	one reader/writer lock, which faults hold shared. It is of glibc's default
 *			kind, which prefers readers: that is the best kind for faults.
 *	BENCH_RWLOCK16	16 reader/writer locks; each serves the blocks of one shard of the engine
 */
#define _GNU_SOURCE
#include "../peers/counts_ops.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#ifdef BENCH_MUTEX
#define PEER_NAME "mutex+bitmap"
#define PEER_SYMBOL bench_peer_mutex
#define LOCKED_INIT PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define locked_lock_read pthread_mutex_lock
#define locked_lock_write pthread_mutex_lock
#define locked_unlock pthread_mutex_unlock
typedef pthread_mutex_t locked_type;
#else
#define LOCKED_INIT PTHREAD_RWLOCK_INITIALIZER
#define locked_lock_read pthread_rwlock_rdlock
#define locked_lock_write pthread_rwlock_wrlock
#define locked_unlock pthread_rwlock_unlock
typedef pthread_rwlock_t locked_type;
#endif
#ifdef BENCH_RWLOCK
#define PEER_NAME "rwlock+bitmap"
#define PEER_SYMBOL bench_peer_rwlock
#endif
#ifdef BENCH_RWLOCK16
#define PEER_NAME "16 rwlocks"
#define PEER_SYMBOL bench_peer_rwlock16
#define LOCKED_NR 16
#else
#define LOCKED_NR 1
#endif

struct locked_shard {
	locked_type lock;
	pthread_mutex_t folio; /* for the state that readers of the lock change */
} __attribute__((aligned(64)));

/* The pins of a 1G block. The first pin of the block makes page[]. */
struct locked_pins {
	uint64_t total;
	uint32_t *page;
};

typedef struct {
	struct locked_shard shard[LOCKED_NR];
	struct counts *private, *prepared;
	uint64_t *allocated;
	struct locked_pins *pins;
	uint64_t nr_pages;
	unsigned int folio_order;
} engine_obj;

typedef struct {
	struct locked_shard *shard;
	uint64_t index;
	unsigned int order;
	bool private, prepared;
} engine_fault;

static engine_obj *engine_create(uint64_t nr_pages, bool private, unsigned int order,
				 const char *policy)
{
	engine_obj *o = bench_zalloc(sizeof(*o), 64);

	(void)policy;
	for (int i = 0; i < LOCKED_NR; i++) {
		o->shard[i].lock = (locked_type)LOCKED_INIT;
		o->shard[i].folio = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	}
	o->private = counts_create(nr_pages, private);
	o->allocated = bitmap_create(nr_pages, false);
	o->prepared = counts_create(nr_pages, false);
	o->pins = bench_zalloc((nr_pages >> GMS_ORDER_1G) * sizeof(*o->pins), 64);
	o->nr_pages = nr_pages;
	o->folio_order = order;
	return o;
}

static void engine_destroy(engine_obj *o)
{
	uint64_t blocks = o->nr_pages >> GMS_ORDER_1G;

	for (uint64_t i = 0; i < blocks; i++)
		if (o->pins[i].page)
			bench_free(o->pins[i].page, BENCH_PAGES_1G * sizeof(uint32_t), 64);
	bench_free(o->pins, blocks * sizeof(*o->pins), 64);
	counts_destroy(o->prepared);
	bench_free(o->allocated, o->nr_pages / 8, 64);
	counts_destroy(o->private);
	bench_free(o, sizeof(*o), 64);
}

static inline struct locked_shard *locked_shard_of(engine_obj *o, uint64_t index)
{
	return &o->shard[(index >> GMS_ORDER_1G) % LOCKED_NR];
}

/* Returns the shards of a range, a bit for each. */
static inline uint32_t locked_shards_of(uint64_t start, uint64_t nr)
{
	uint64_t first = start >> GMS_ORDER_1G, last = (start + nr - 1) >> GMS_ORDER_1G;
	uint32_t mask = 0;

	if (last - first >= LOCKED_NR)
		return (1u << LOCKED_NR) - 1;
	for (; first <= last; first++)
		mask |= 1u << first % LOCKED_NR;
	return mask;
}

static inline void locked_lock_range(engine_obj *o, uint32_t shards, bool write)
{
	for (; shards; shards &= shards - 1) {
		struct locked_shard *s = &o->shard[__builtin_ctz(shards)];

		if (write)
			locked_lock_write(&s->lock);
		else
			locked_lock_read(&s->lock);
	}
}

static inline void locked_unlock_range(engine_obj *o, uint32_t shards)
{
	for (; shards; shards &= shards - 1)
		locked_unlock(&o->shard[__builtin_ctz(shards)].lock);
}

/* Readers of a reader/writer lock change state under this mutex. A mutex has no readers. */
static inline void locked_folio_lock(struct locked_shard *s)
{
#ifndef BENCH_MUTEX
	pthread_mutex_lock(&s->folio);
#else
	(void)s;
#endif
}

static inline void locked_folio_unlock(struct locked_shard *s)
{
#ifndef BENCH_MUTEX
	pthread_mutex_unlock(&s->folio);
#else
	(void)s;
#endif
}

static inline bool locked_is_all(const uint64_t *map, uint64_t start, uint64_t nr, bool value)
{
	if (nr == 1)
		return bitmap_test(map, start) == value;
	return bitmap_next_not(map, start, start + nr, value) == start + nr;
}

static inline bool locked_is_pinned(const engine_obj *o, uint64_t start, uint64_t nr)
{
	for (uint64_t i = start; i < start + nr; i++) {
		const struct locked_pins *p = &o->pins[i >> GMS_ORDER_1G];

		if (!p->total)
			i |= BENCH_PAGES_1G - 1;
		else if (p->page[i % BENCH_PAGES_1G])
			return true;
	}
	return false;
}

static bench_noinline int engine_convert(engine_obj *o, uint64_t start, uint64_t nr, bool private)
{
	const uint32_t shards = locked_shards_of(start, nr);
	int err = 0;

	locked_lock_range(o, shards, true);
	if (locked_is_all(o->private->map, start, nr, private)) {
		;
	} else if (private && locked_is_pinned(o, start, nr)) {
		err = -EAGAIN;
	} else {
		counts_store(o->private, start, nr, private);
		if (!private && (nr > 1 || bitmap_test(o->prepared->map, start)))
			counts_store(o->prepared, start, nr, false);
	}
	locked_unlock_range(o, shards);
	return err;
}

static inline void locked_allocate(engine_obj *o, uint64_t start, uint64_t end)
{
	start = gms_order_down(start, o->folio_order);
	end = gms_order_up(end - 1, o->folio_order);
	bitmap_fill(o->allocated, start, end - start, true);
}

static bench_noinline int engine_allocate(engine_obj *o, uint64_t start, uint64_t nr)
{
	const uint64_t end = start + nr;

	gms_for_each_1g(at, next, start, end) {
		struct locked_shard *s = locked_shard_of(o, at);

		locked_lock_read(&s->lock);
		locked_folio_lock(s);
		locked_allocate(o, at, next);
		locked_folio_unlock(s);
		locked_unlock(&s->lock);
	}
	return 0;
}

static bench_noinline int engine_punch(engine_obj *o, uint64_t start, uint64_t nr)
{
	const uint32_t shards = locked_shards_of(start, nr);
	int err = 0;

	locked_lock_range(o, shards, true);
	if (locked_is_pinned(o, start, nr)) {
		err = -EAGAIN;
	} else {
		bitmap_fill(o->allocated, start, nr, false);
		counts_store(o->prepared, start, nr, false);
	}
	locked_unlock_range(o, shards);
	return err;
}

/* Pins (@by is 1) or unpins (@by is -1) a range in one 1G block. */
static inline void locked_count_pins(engine_obj *o, uint64_t start, uint64_t nr, uint32_t by)
{
	struct locked_pins *p = &o->pins[start >> GMS_ORDER_1G];
	uint32_t *page;

	if (!p->page)
		p->page = bench_zalloc(BENCH_PAGES_1G * sizeof(*p->page), 64);
	page = p->page + start % BENCH_PAGES_1G;
	for (uint64_t i = 0; i < nr; i++)
		page[i] += by;
	p->total += by == 1 ? nr : -nr;
}

static bench_noinline int engine_pin(engine_obj *o, uint64_t start, uint64_t nr)
{
	const uint32_t shards = locked_shards_of(start, nr);
	const uint64_t end = start + nr;

	locked_lock_range(o, shards, false);
	if (!locked_is_all(o->private->map, start, nr, false)) {
		locked_unlock_range(o, shards);
		return -EACCES;
	}
	gms_for_each_1g(at, next, start, end) {
		locked_folio_lock(locked_shard_of(o, at));
		if (!locked_is_all(o->allocated, at, next - at, true))
			locked_allocate(o, at, next);
		locked_count_pins(o, at, next - at, 1);
		locked_folio_unlock(locked_shard_of(o, at));
	}
	locked_unlock_range(o, shards);
	return 0;
}

/* Takes only the mutex that protects the counts of pins. */
static bench_noinline void engine_unpin(engine_obj *o, uint64_t start, uint64_t nr)
{
	const uint64_t end = start + nr;

	gms_for_each_1g(at, next, start, end) {
#ifdef BENCH_MUTEX
		pthread_mutex_t *lock = &locked_shard_of(o, at)->lock;
#else
		pthread_mutex_t *lock = &locked_shard_of(o, at)->folio;
#endif
		pthread_mutex_lock(lock);
		locked_count_pins(o, at, next - at, (uint32_t)-1);
		pthread_mutex_unlock(lock);
	}
}

/* Returns true if all pages of a block are prepared. */
static inline bool locked_all_prepared(const engine_obj *o, uint64_t i, unsigned int order)
{
	const struct counts *c = o->prepared;

	if (order == GMS_ORDER_1G)
		return c->in_1g[i >> GMS_ORDER_1G].full == 512;
	if (order == GMS_ORDER_2M)
		return c->in_2m[i >> GMS_ORDER_2M] == 512;
	return bitmap_test(c->map, i);
}

static bench_noinline int engine_fault_begin(engine_obj *o, uint64_t i, bool guest, engine_fault *f)
{
	struct locked_shard *s = locked_shard_of(o, i);
	bool private;

	locked_lock_read(&s->lock);
	private = bitmap_test(o->private->map, i);
	if (private && !guest) {
		locked_unlock(&s->lock);
		return -EACCES;
	}
	if (bench_unlikely(!bitmap_test(o->allocated, i))) {
		locked_folio_lock(s);
		locked_allocate(o, i, i + 1);
		locked_folio_unlock(s);
	}
	*f = (engine_fault) {s, i, counts_order(o->private, i), guest && private, false};
	if (f->order > o->folio_order)
		f->order = o->folio_order;
	f->prepared = f->private && locked_all_prepared(o, i, f->order);
	return 0;
}

static bench_noinline int engine_fault_prepare(engine_obj *o, engine_fault *f)
{
	if (!f->private || f->prepared)
		return 0;
	locked_folio_lock(f->shard);
	counts_store(o->prepared, gms_order_down(f->index, f->order), gms_order_pages(f->order),
		     true);
	locked_folio_unlock(f->shard);
	f->prepared = true;
	return 0;
}

static bench_noinline void engine_fault_end(engine_obj *o, engine_fault *f)
{
	(void)o;
	locked_unlock(&f->shard->lock);
}

#define engine_fault_order(f) ((f)->order)

static bench_noinline bool engine_test(engine_obj *o, uint64_t i)
{
	return bitmap_test(o->private->map, i);
}

#include "rows.h"
