/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/plain.c - peer: a bitmap and a list of listeners, as VMMs have it; compiled once for each kind
 *
 *	BENCH_QEMU	in the manner of QEMU's RamBlockAttributes: a range is classified by looking
 *			for the next bit as far as the map goes; bindings are looked at one by one. It
 *			knows no granule but a page; that its listeners may have larger ones is
 *			an addition
 *	BENCH_SCAN	the same with scans that end where the range ends, and a binary search for
 *			bindings
 *	BENCH_COUNTS	that, and counters for each 2M and 1G
 *
 * One mutex around what changes something, as QEMU has. Nobody may refuse, nothing is undone.
 */
#define _GNU_SOURCE
#include "../peers/counts_ops.h"

#include <pthread.h>
#include <stdlib.h>

#include "vmm.h"

#if defined(BENCH_QEMU)
#define PEER_NAME "as-QEMU"
#define PEER_SYMBOL bench_vmm_qemu
#define V_SNAPSHOTS
#define V_FROM_THE_TOP
#elif defined(BENCH_SCAN)
#define PEER_NAME "bitmap"
#define PEER_SYMBOL bench_vmm_scan
#define V_ORDERS
#else
#define PEER_NAME "bitmap+counts"
#define PEER_SYMBOL bench_vmm_counts
#define V_ORDERS
#endif

struct listener {
	struct listener *next;
	void (*change)(void *ctx, uint64_t start, uint64_t nr_pages, bool shared);
	void *ctx;
	uint64_t granule;
	unsigned int id;
	bool split;
};

struct binding {
	uint64_t gfn, start, nr_pages;
};

typedef struct {
	uint64_t *map; /* of private pages */
	uint64_t nr_pages;
#ifdef BENCH_COUNTS
	struct counts *counts; /* map is its */
#endif
	pthread_mutex_t lock;
	pthread_rwlock_t bindings_lock;
	struct listener *listeners;
	unsigned int next_id;
	struct binding *bindings;
	unsigned int nr_bindings;
} v_obj;

static v_obj *v_create(uint64_t nr_pages, bool private)
{
	v_obj *o = bench_zalloc(sizeof(*o), 64);

#ifdef BENCH_COUNTS
	o->counts = counts_create(nr_pages, private);
	o->map = o->counts->map;
#else
	o->map = map_create(nr_pages, private);
#endif
	o->nr_pages = nr_pages;
	o->lock = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	o->bindings_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	return o;
}

static void v_destroy(v_obj *o)
{
#ifdef BENCH_COUNTS
	counts_destroy(o->counts);
#else
	bench_free(o->map, o->nr_pages / 8, 64);
#endif
	free(o->bindings);
	bench_free(o, sizeof(*o), 64);
}

static inline void store(v_obj *o, uint64_t start, uint64_t nr, bool private)
{
#ifdef BENCH_COUNTS
	counts_store(o->counts, start, nr, private);
#else
	map_fill(o->map, start, nr, private);
#endif
}

/* ---- scans ---- */

/* First page in [from, end) that is not as private says, or end. */
static inline uint64_t next_not(const v_obj *o, uint64_t from, uint64_t end, bool private)
{
#ifdef BENCH_COUNTS
	const uint16_t same = private ? 512 : 0;

	while (from < end && from % 512 == 0) {
		const uint16_t n = o->counts->in_2m[from / 512];

		if (n == 512 - same)
			return from;
		if (n != same)
			break;
		from += 512;
	}
	while (from < end) {
		uint64_t stop = (from / 512 + 1) * 512, at;

		stop = stop < end ? stop : end;
		if (o->counts->in_2m[from / 512] != same) {
			at = map_next_not(o->map, from, stop, private);
			if (at < stop)
				return at;
		}
		from = stop;
	}
	return end;
#else
	return map_next_not(o->map, from, end, private);
#endif
}

/* The next run of shared pages; by whole 2M where that is all that is asked for, else by the map. */
static inline bool next_shared(const v_obj *o, uint64_t *at, uint64_t end, bool by_2m,
			       uint64_t *start)
{
#ifdef BENCH_COUNTS
	const uint16_t *n = o->counts->in_2m;
	uint64_t i = *at / 512;

	if (by_2m) {
		while (i < end / 512 && n[i])
			i++;
		*start = i * 512;
		while (i < end / 512 && !n[i])
			i++;
		*at = i * 512;
		return *start < *at;
	}
#endif
	(void)by_2m;
	*start = map_next_not(o->map, *at, end, true);
	*at = map_next_not(o->map, *start, end, false);
	return *start < end;
}

static inline enum bench_class class_of(const v_obj *o, uint64_t start, uint64_t nr)
{
#ifdef BENCH_QEMU
	const bool all_private = map_next_not(o->map, start, o->nr_pages, true) >= start + nr;
	const bool all_shared = map_next_not(o->map, start, o->nr_pages, false) >= start + nr;

	return all_private ? BENCH_ALL_PRIVATE : all_shared ? BENCH_ALL_SHARED : BENCH_BOTH;
#else
	const bool first = map_test(o->map, start);

	if (next_not(o, start, start + nr, first) < start + nr)
		return BENCH_BOTH;
	return first ? BENCH_ALL_PRIVATE : BENCH_ALL_SHARED;
#endif
}

static bench_noinline bool v_test(v_obj *o, uint64_t i)
{
	return map_test(o->map, i);
}

static bench_noinline enum bench_class v_class_2m(v_obj *o, uint64_t index)
{
#ifdef BENCH_COUNTS
	const uint16_t n = o->counts->in_2m[index / 512];

	return n == 512 ? BENCH_ALL_PRIVATE : n ? BENCH_BOTH : BENCH_ALL_SHARED;
#else
	return class_of(o, index & ~(BENCH_PAGES_2M - 1), BENCH_PAGES_2M);
#endif
}

static bench_noinline enum bench_class v_class_range(v_obj *o, uint64_t start, uint64_t nr)
{
	return class_of(o, start, nr);
}

/* ---- listeners ---- */

/* The granules in [start, end) that are wholly shared. */
static void tell(v_obj *o, struct listener *l, uint64_t start, uint64_t end, bool shared)
{
	const uint64_t mask = l->granule - 1;
	uint64_t at = start & ~mask, first, last;

	end = (end + mask) & ~mask;
	while (next_shared(o, &at, end, l->granule >= BENCH_PAGES_2M, &first)) {
		first = (first + mask) & ~mask;
		last = at & ~mask;
		if (first >= last)
			continue;
		if (l->split)
			l->change(l->ctx, first, last - first, shared);
		else
			for (; first < last; first += l->granule)
				l->change(l->ctx, first, l->granule, shared);
	}
}

/* All pages of the range change. */
static void change(v_obj *o, uint64_t start, uint64_t nr, bool private)
{
	struct listener *l;

	if (private)
		for (l = o->listeners; l; l = l->next)
			tell(o, l, start, start + nr, false);
	store(o, start, nr, private);
	if (!private)
		for (l = o->listeners; l; l = l->next)
			tell(o, l, start, start + nr, true);
}

static bench_noinline void v_convert(v_obj *o, uint64_t start, uint64_t nr, bool private)
{
	const uint64_t end = start + nr;
	enum bench_class now;

	pthread_mutex_lock(&o->lock);
	now = class_of(o, start, nr);
	if (now == BENCH_BOTH) {
		for (uint64_t at = start, stop; at < end; at = stop) {
			at = next_not(o, at, end, private);
			stop = next_not(o, at, end, !private);
			if (at < stop)
				change(o, at, stop - at, private);
		}
	} else if ((now == BENCH_ALL_PRIVATE) != private) {
		change(o, start, nr, private);
	}
	pthread_mutex_unlock(&o->lock);
}

static void hear(void *ctx, uint64_t start, uint64_t nr_pages, bool shared)
{
	bench_hear(ctx, start, nr_pages, shared);
}

static bench_noinline unsigned int v_listen(v_obj *o, uint64_t granule, bool split,
					    struct bench_heard *h)
{
	struct listener *l = bench_zalloc(sizeof(*l), 8);

	*l = (struct listener) {o->listeners, hear, h, granule, ++o->next_id, split};
	pthread_mutex_lock(&o->lock);
	tell(o, l, 0, o->nr_pages, true);
	o->listeners = l;
	pthread_mutex_unlock(&o->lock);
	return l->id;
}

static void v_unlisten(v_obj *o, unsigned int id)
{
	struct listener **at = &o->listeners, *l;

	pthread_mutex_lock(&o->lock);
	while ((*at)->id != id)
		at = &(*at)->next;
	l = *at;
	tell(o, l, 0, o->nr_pages, false);
	*at = l->next;
	pthread_mutex_unlock(&o->lock);
	bench_free(l, sizeof(*l), 8);
}

/* ---- bindings ---- */

static void v_bind(v_obj *o, uint64_t gfn, uint64_t start, uint64_t nr)
{
	unsigned int i = o->nr_bindings++;

	o->bindings = realloc(o->bindings, o->nr_bindings * sizeof(*o->bindings));
	if (!o->bindings)
		abort();
	for (; i && o->bindings[i - 1].gfn > gfn; i--)
		o->bindings[i] = o->bindings[i - 1];
	o->bindings[i] = (struct binding) {gfn, start, nr};
}

static inline bool find(const v_obj *o, uint64_t gfn, struct binding *b)
{
#ifdef BENCH_QEMU
	for (unsigned int i = 0; i < o->nr_bindings; i++) {
		if (gfn - o->bindings[i].gfn < o->bindings[i].nr_pages) {
			*b = o->bindings[i];
			return true;
		}
	}
	return false;
#else
	unsigned int low = 0, high = o->nr_bindings;

	while (low < high) {
		const unsigned int mid = (low + high) / 2;

		if (o->bindings[mid].gfn <= gfn)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || gfn - o->bindings[low - 1].gfn >= o->bindings[low - 1].nr_pages)
		return false;
	*b = o->bindings[low - 1];
	return true;
#endif
}

static inline bool lookup(v_obj *o, uint64_t gfn, struct binding *b)
{
	bool found;

#ifdef BENCH_QEMU
	pthread_mutex_lock(&o->lock);
	found = find(o, gfn, b);
	pthread_mutex_unlock(&o->lock);
#else
	pthread_rwlock_rdlock(&o->bindings_lock);
	found = find(o, gfn, b);
	pthread_rwlock_unlock(&o->bindings_lock);
#endif
	return found;
}

static bench_noinline uint64_t v_gfn_index(v_obj *o, uint64_t gfn)
{
	struct binding b;

	return lookup(o, gfn, &b) ? b.start + (gfn - b.gfn) : UINT64_MAX;
}

#ifdef V_ORDERS
static inline bool uniform(const v_obj *o, uint64_t index, unsigned int order)
{
	const uint64_t size = (uint64_t)1 << order, start = index & ~(size - 1);

#ifdef BENCH_COUNTS
	return counts_order(o->counts, start) >= order;
#else
	return class_of(o, start, size) != BENCH_BOTH;
#endif
}

static bench_noinline unsigned int v_gfn_order(v_obj *o, uint64_t gfn)
{
	static const unsigned int orders[] = {BENCH_ORDER_2M, BENCH_ORDER_1G};
	unsigned int best = 0;
	struct binding b;

	if (!lookup(o, gfn, &b))
		return 0;
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t size = (uint64_t)1 << orders[i];
		const uint64_t index = b.start + (gfn - b.gfn), start = index & ~(size - 1);

		if ((b.gfn - b.start) % size || start < b.start ||
		    start + size > b.start + b.nr_pages || !uniform(o, index, orders[i]))
			break;
		best = orders[i];
	}
	return best;
}
#endif

/* ---- saving: the map as it is, behind its size ---- */

#ifdef V_SNAPSHOTS
static bench_noinline size_t v_save(v_obj *o, void *buf, size_t size)
{
	const size_t needed = sizeof(o->nr_pages) + o->nr_pages / 8;

	if (needed > size)
		abort();
	pthread_mutex_lock(&o->lock);
	memcpy(buf, &o->nr_pages, sizeof(o->nr_pages));
	memcpy((char *)buf + sizeof(o->nr_pages), o->map, o->nr_pages / 8);
	pthread_mutex_unlock(&o->lock);
	return needed;
}

static bench_noinline v_obj *v_load(const void *buf, size_t size)
{
	v_obj *o = bench_zalloc(sizeof(*o), 64);

	memcpy(&o->nr_pages, buf, sizeof(o->nr_pages));
	if (size != sizeof(o->nr_pages) + o->nr_pages / 8)
		abort();
	o->map = bench_alloc(o->nr_pages / 8, 64);
	memcpy(o->map, (const char *)buf + sizeof(o->nr_pages), o->nr_pages / 8);
	o->lock = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	o->bindings_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	return o;
}
#endif

#include "rows.h"
