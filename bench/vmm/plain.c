/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/plain.c - peer: a bitmap and a list of listeners, like those of VMMs
 *
 * This file is compiled once for each kind:
 *
 *	BENCH_QEMU	works like QEMU's RamBlockAttributes: a search for the next bit, up to the
 *			end of the map, classifies a range. Bindings are searched one by one.
 *			Granules larger than a page are an addition: QEMU has none.
 *	BENCH_SCAN	works like BENCH_QEMU, but scans end where the range ends, and a binary
 *			search finds bindings
 *	BENCH_COUNTS	works like BENCH_SCAN, with counters for each 2M and 1G block
 *
 * One mutex protects all changes, as in QEMU. A listener cannot refuse, and nothing is undone.
 */
#define _GNU_SOURCE
#include "../peers/counts_ops.h"

#include <pthread.h>
#include <stdlib.h>

#include "vmm.h"

#if defined(BENCH_QEMU)
#define PEER_NAME "as-QEMU"
#define PEER_SYMBOL bench_vmm_qemu
#define VMM_SNAPSHOTS
#define VMM_FROM_THE_TOP
#elif defined(BENCH_SCAN)
#define PEER_NAME "bitmap"
#define PEER_SYMBOL bench_vmm_scan
#define VMM_ORDERS
#else
#define PEER_NAME "bitmap+counts"
#define PEER_SYMBOL bench_vmm_counts
#define VMM_ORDERS
#endif

struct plain_listener {
	struct plain_listener *next;
	void (*change)(void *ctx, uint64_t start, uint64_t nr_pages, bool shared);
	void *ctx;
	uint64_t granule;
	unsigned int id;
	bool split;
};

struct plain_binding {
	uint64_t gfn, start, nr_pages;
};

typedef struct {
	uint64_t *map; /* of private pages */
	uint64_t nr_pages;
#ifdef BENCH_COUNTS
	struct counts *counts; /* owns map */
#endif
	pthread_mutex_t lock;
	pthread_rwlock_t bindings_lock;
	struct plain_listener *listeners;
	unsigned int next_id;
	struct plain_binding *bindings;
	unsigned int nr_bindings;
} vmm_obj;

static vmm_obj *vmm_create(uint64_t nr_pages, bool private)
{
	vmm_obj *o = bench_zalloc(sizeof(*o), 64);

#ifdef BENCH_COUNTS
	o->counts = counts_create(nr_pages, private);
	o->map = o->counts->map;
#else
	o->map = bitmap_create(nr_pages, private);
#endif
	o->nr_pages = nr_pages;
	o->lock = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
	o->bindings_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	return o;
}

static void vmm_destroy(vmm_obj *o)
{
#ifdef BENCH_COUNTS
	counts_destroy(o->counts);
#else
	bench_free(o->map, o->nr_pages / 8, 64);
#endif
	free(o->bindings);
	bench_free(o, sizeof(*o), 64);
}

static inline void plain_store(vmm_obj *o, uint64_t start, uint64_t nr, bool private)
{
#ifdef BENCH_COUNTS
	counts_store(o->counts, start, nr, private);
#else
	bitmap_fill(o->map, start, nr, private);
#endif
}

/* ---- scans ---- */

/* Returns the first page in [from, end) whose shareability is not @private, or @end. */
static inline uint64_t plain_next_not(const vmm_obj *o, uint64_t from, uint64_t end, bool private)
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
	gms_for_each_block(at, next, from, end, GMS_ORDER_2M) {
		if (o->counts->in_2m[at / 512] != same) {
			const uint64_t found = bitmap_next_not(o->map, at, next, private);

			if (found < next)
				return found;
		}
	}
	return end;
#else
	return bitmap_next_not(o->map, from, end, private);
#endif
}

/*
 * Finds the next run of shared pages; with @by_2m, the next run of whole 2M blocks that are
 * shared.
 */
static inline bool plain_next_shared(const vmm_obj *o, uint64_t *at, uint64_t end, bool by_2m,
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
	*start = bitmap_next_not(o->map, *at, end, true);
	*at = bitmap_next_not(o->map, *start, end, false);
	return *start < end;
}

static inline enum bench_class plain_class(const vmm_obj *o, uint64_t start, uint64_t nr)
{
#ifdef BENCH_QEMU
	const bool all_private = bitmap_next_not(o->map, start, o->nr_pages, true) >= start + nr;
	const bool all_shared = bitmap_next_not(o->map, start, o->nr_pages, false) >= start + nr;

	return all_private ? BENCH_ALL_PRIVATE : all_shared ? BENCH_ALL_SHARED : BENCH_BOTH;
#else
	const bool first = bitmap_test(o->map, start);

	if (plain_next_not(o, start, start + nr, first) < start + nr)
		return BENCH_BOTH;
	return first ? BENCH_ALL_PRIVATE : BENCH_ALL_SHARED;
#endif
}

static bench_noinline bool vmm_test(vmm_obj *o, uint64_t i)
{
	return bitmap_test(o->map, i);
}

static bench_noinline enum bench_class vmm_class_2m(vmm_obj *o, uint64_t index)
{
#ifdef BENCH_COUNTS
	const uint16_t n = o->counts->in_2m[index / 512];

	return n == 512 ? BENCH_ALL_PRIVATE : n ? BENCH_BOTH : BENCH_ALL_SHARED;
#else
	return plain_class(o, gms_order_down(index, GMS_ORDER_2M), BENCH_PAGES_2M);
#endif
}

static bench_noinline enum bench_class vmm_class_range(vmm_obj *o, uint64_t start, uint64_t nr)
{
	return plain_class(o, start, nr);
}

/* ---- listeners ---- */

/* Notifies a listener of the granules in [start, end) that are wholly shared. */
static void plain_notify(vmm_obj *o, struct plain_listener *l, uint64_t start, uint64_t end,
			 bool shared)
{
	const uint64_t mask = l->granule - 1;
	uint64_t at = start & ~mask, first, last;

	end = (end + mask) & ~mask;
	while (plain_next_shared(o, &at, end, l->granule >= BENCH_PAGES_2M, &first)) {
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

/* Converts a range, all of whose pages change. */
static void plain_change(vmm_obj *o, uint64_t start, uint64_t nr, bool private)
{
	struct plain_listener *l;

	if (private)
		for (l = o->listeners; l; l = l->next)
			plain_notify(o, l, start, start + nr, false);
	plain_store(o, start, nr, private);
	if (!private)
		for (l = o->listeners; l; l = l->next)
			plain_notify(o, l, start, start + nr, true);
}

static bench_noinline void vmm_convert(vmm_obj *o, uint64_t start, uint64_t nr, bool private)
{
	const uint64_t end = start + nr;
	enum bench_class now;

	pthread_mutex_lock(&o->lock);
	now = plain_class(o, start, nr);
	if (now == BENCH_BOTH) {
		for (uint64_t at = start, stop; at < end; at = stop) {
			at = plain_next_not(o, at, end, private);
			stop = plain_next_not(o, at, end, !private);
			if (at < stop)
				plain_change(o, at, stop - at, private);
		}
	} else if ((now == BENCH_ALL_PRIVATE) != private) {
		plain_change(o, start, nr, private);
	}
	pthread_mutex_unlock(&o->lock);
}

static void plain_sum(void *ctx, uint64_t start, uint64_t nr_pages, bool shared)
{
	bench_notify(ctx, start, nr_pages, shared);
}

static bench_noinline unsigned int vmm_listen(vmm_obj *o, uint64_t granule, bool split,
					      struct bench_notified *h)
{
	struct plain_listener *l = bench_zalloc(sizeof(*l), 8);

	*l = (struct plain_listener) {o->listeners, plain_sum, h, granule, ++o->next_id, split};
	pthread_mutex_lock(&o->lock);
	plain_notify(o, l, 0, o->nr_pages, true);
	o->listeners = l;
	pthread_mutex_unlock(&o->lock);
	return l->id;
}

static void vmm_unlisten(vmm_obj *o, unsigned int id)
{
	struct plain_listener **at = &o->listeners, *l;

	pthread_mutex_lock(&o->lock);
	while ((*at)->id != id)
		at = &(*at)->next;
	l = *at;
	plain_notify(o, l, 0, o->nr_pages, false);
	*at = l->next;
	pthread_mutex_unlock(&o->lock);
	bench_free(l, sizeof(*l), 8);
}

/* ---- bindings ---- */

static void vmm_bind(vmm_obj *o, uint64_t gfn, uint64_t start, uint64_t nr)
{
	unsigned int i = o->nr_bindings++;

	o->bindings = realloc(o->bindings, o->nr_bindings * sizeof(*o->bindings));
	if (!o->bindings)
		abort();
	for (; i && o->bindings[i - 1].gfn > gfn; i--)
		o->bindings[i] = o->bindings[i - 1];
	o->bindings[i] = (struct plain_binding) {gfn, start, nr};
}

static inline bool plain_find(const vmm_obj *o, uint64_t gfn, struct plain_binding *b)
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

static inline bool plain_lookup(vmm_obj *o, uint64_t gfn, struct plain_binding *b)
{
	bool found;

#ifdef BENCH_QEMU
	pthread_mutex_lock(&o->lock);
	found = plain_find(o, gfn, b);
	pthread_mutex_unlock(&o->lock);
#else
	pthread_rwlock_rdlock(&o->bindings_lock);
	found = plain_find(o, gfn, b);
	pthread_rwlock_unlock(&o->bindings_lock);
#endif
	return found;
}

static bench_noinline uint64_t vmm_gfn_index(vmm_obj *o, uint64_t gfn)
{
	struct plain_binding b;

	return plain_lookup(o, gfn, &b) ? b.start + (gfn - b.gfn) : UINT64_MAX;
}

#ifdef VMM_ORDERS
static inline bool plain_uniform(const vmm_obj *o, uint64_t index, unsigned int order)
{
	const uint64_t start = gms_order_down(index, order);

#ifdef BENCH_COUNTS
	return counts_order(o->counts, start) >= order;
#else
	return plain_class(o, start, gms_order_pages(order)) != BENCH_BOTH;
#endif
}

static bench_noinline unsigned int vmm_gfn_order(vmm_obj *o, uint64_t gfn)
{
	static const unsigned int orders[] = {GMS_ORDER_2M, GMS_ORDER_1G};
	unsigned int best = 0;
	struct plain_binding b;

	if (!plain_lookup(o, gfn, &b))
		return 0;
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t size = gms_order_pages(orders[i]);
		const uint64_t index = b.start + (gfn - b.gfn);
		const uint64_t start = gms_order_down(index, orders[i]);

		if ((b.gfn - b.start) % size || start < b.start ||
		    start + size > b.start + b.nr_pages || !plain_uniform(o, index, orders[i]))
			break;
		best = orders[i];
	}
	return best;
}
#endif

/* ---- saving: a snapshot is the size, then the map ---- */

#ifdef VMM_SNAPSHOTS
static bench_noinline size_t vmm_save(vmm_obj *o, void *buf, size_t size)
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

static bench_noinline vmm_obj *vmm_load(const void *buf, size_t size)
{
	vmm_obj *o = bench_zalloc(sizeof(*o), 64);

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
