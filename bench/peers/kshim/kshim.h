/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kshim.h - the functions that the kernel's containers need, in their cheapest form
 *
 * The kernel's shim for user space is made for finding bugs: it has a mutex and a list for every
 * allocation, poisons freed memory, and uses pthread mutexes as spinlocks. This shim replaces it.
 * Nodes come straight from jemalloc, spinlocks spin, and reading under RCU costs nothing, like in
 * a kernel, because RCU is the QSBR flavour of liburcu.
 */
#ifndef BENCH_KSHIM_H
#define BENCH_KSHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bench.h"

/*
 * Set while another thread may read. Without readers a grace period is over as soon as it begins,
 * and memory is freed at once.
 */
extern bool kshim_readers;

struct kmem_cache {
	size_t size, align;
	void (*ctor)(void *);
};

struct list_lru;

/*
 * Constructs an object each time that it is allocated. The kernel constructs an object once, when
 * it makes the slab.
 */
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
