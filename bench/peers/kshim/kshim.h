/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kshim.h - what the kernel's containers need of a kernel, in its cheapest form
 *
 * The kernel's own shim for user space is made for finding bugs: a mutex and a list
 * around every allocation, poison in what is freed, pthread mutexes as spinlocks. This
 * one takes its place: nodes come straight from jemalloc, spinlocks spin, and reading
 * under RCU is free, as it is in a kernel (the QSBR flavour of liburcu).
 */
#ifndef BENCH_KSHIM_H
#define BENCH_KSHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bench.h"

/*
 * Set while a reader may be under way in another thread. Without one a grace period is
 * over as soon as it begins: what is to be freed after it is freed at once.
 */
extern bool kshim_readers;

struct kmem_cache {
	size_t size, align;
	void (*ctor)(void *);
};

struct list_lru;

/* The kernel constructs once per slab and objects come back clean; here each time. */
static inline void *kmem_cache_alloc_lru(struct kmem_cache *c, struct list_lru *lru, int gfp)
{
	void *p = bench_alloc(c->size, c->align);

	(void)lru;
	(void)gfp;
	if (c->ctor)
		c->ctor(p);
	return p;
}

static inline void *kmem_cache_alloc(struct kmem_cache *c, int gfp)
{
	return kmem_cache_alloc_lru(c, NULL, gfp);
}

static inline void kmem_cache_free(struct kmem_cache *c, void *p)
{
	bench_free(p, c->size, c->align);
}

static inline int kmem_cache_alloc_bulk(struct kmem_cache *c, int gfp, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++)
		p[i] = kmem_cache_alloc(c, gfp);
	return (int)nr;
}

static inline void kmem_cache_free_bulk(struct kmem_cache *c, size_t nr, void **p)
{
	for (size_t i = 0; i < nr; i++)
		kmem_cache_free(c, p[i]);
}

static inline struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
						   unsigned int align, unsigned int flags,
						   void (*ctor)(void *))
{
	struct kmem_cache *c = (struct kmem_cache *)bench_alloc(sizeof(*c), 8);

	(void)name;
	(void)flags;
	c->size = size;
	c->align = align > 8 ? align : 8;
	c->ctor = ctor;
	return c;
}
#endif /* BENCH_KSHIM_H */
