/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vmm/vmm.h - what the rows about listeners, bindings and snapshots share
 *
 * rows.h is compiled once for each peer, as ../bench.h says. struct bench_vmm_peer is for the
 * check: no measured loop uses it.
 */
#ifndef GMS_BENCH_VMM_H
#define GMS_BENCH_VMM_H

#include "../bench.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a listener was notified of. "pages" and "sum" do not depend on how runs are cut. Both are 0
 * when all pages have been withdrawn.
 */
struct bench_notified {
	uint64_t runs; /* delivered and withdrawn */
	uint64_t pages, sum; /* of the pages that the listener holds: number, sum of indices */
};

static inline void bench_notify(struct bench_notified *h, uint64_t start, uint64_t nr, bool shared)
{
	const uint64_t sum = nr * start + nr * (nr - 1) / 2;

	h->runs++;
	h->pages += shared ? nr : -nr;
	h->sum += shared ? sum : -sum;
}

enum bench_class { BENCH_ALL_SHARED, BENCH_ALL_PRIVATE, BENCH_BOTH };

/* A function is NULL if the peer does not have it. Sizes are multiples of 1G. */
struct bench_vmm_peer {
	const char *name;
	void *(*create)(uint64_t nr_pages);
	void (*destroy)(void *obj);
	void (*convert)(void *obj, uint64_t start, uint64_t nr_pages, bool to_private);
	bool (*test)(void *obj, uint64_t index);
	unsigned int (*listen)(void *obj, uint64_t granule, bool split, struct bench_notified *h);
	void (*unlisten)(void *obj, unsigned int id);
	enum bench_class (*class_2m)(void *obj, uint64_t index);
	enum bench_class (*class_range)(void *obj, uint64_t start, uint64_t nr_pages);
	void (*bind)(void *obj, uint64_t gfn, uint64_t start, uint64_t nr_pages);
	uint64_t (*gfn_index)(void *obj, uint64_t gfn); /* ~0: the gfn is not bound */
	unsigned int (*gfn_order)(void *obj, uint64_t gfn);
	size_t (*save)(void *obj, void *buf, size_t size);
	void *(*load)(const void *buf, size_t size);
	const char *(*verify)(void *obj);
	const struct bench_row *rows;
};

extern const struct bench_vmm_peer *const bench_vmm_peers[];
extern const size_t bench_nr_vmm_peers;

/* Compares every peer with an array of bytes. Returns 0 if all agree. */
int bench_vmm_selfcheck(uint64_t seed, unsigned int rounds);

#ifdef __cplusplus
}
#endif
#endif /* GMS_BENCH_VMM_H */
