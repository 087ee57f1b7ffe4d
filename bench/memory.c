/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memory.c - the allocator under every peer
 *
 * If jemalloc is installed, it is the allocator, and malloc() and operator new use it, too. It
 * counts what each thread has allocated and freed, so the memory rows cost the other rows nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#ifdef BENCH_JEMALLOC
#include <jemalloc/jemalloc.h>

void *bench_alloc(size_t size, size_t align)
{
	void *p = mallocx(size, MALLOCX_ALIGN(align));

	if (!p)
		abort();
	return p;
}

void *bench_zalloc(size_t size, size_t align)
{
	void *p = mallocx(size, MALLOCX_ALIGN(align) | MALLOCX_ZERO);

	if (!p)
		abort();
	return p;
}

void bench_free(void *ptr, size_t size, size_t align)
{
	sdallocx(ptr, size, MALLOCX_ALIGN(align));
}

uint64_t bench_allocated(void)
{
	uint64_t in = 0, out = 0;
	size_t len = sizeof(in);

	if (mallctl("thread.allocated", &in, &len, NULL, 0) ||
	    mallctl("thread.deallocated", &out, &len, NULL, 0))
		return 0;
	return in - out;
}

static void memory_control(const char *name, void *value, size_t size)
{
	if (mallctl(name, NULL, NULL, value, size))
		abort();
}

/*
 * With @on, returns the free memory of a separate arena to the system, and makes the thread
 * allocate from that arena. Only this function uses the arena. Without @on, the thread allocates
 * from its old arena again.
 */
void bench_fresh(bool on)
{
	static unsigned int arena = UINT32_MAX, old;
	size_t len = sizeof(arena);
	char purge[32];

	if (arena == UINT32_MAX && mallctl("arenas.create", &arena, &len, NULL, 0))
		abort();
	memory_control("thread.tcache.flush", NULL, 0);
	if (!on) {
		memory_control("thread.arena", &old, sizeof(old));
		return;
	}
	snprintf(purge, sizeof(purge), "arena.%u.purge", arena);
	memory_control(purge, NULL, 0);
	if (mallctl("thread.arena", &old, &len, &arena, sizeof(arena)))
		abort();
}
#else
void bench_fresh(bool on)
{
	(void)on;
}

void *bench_alloc(size_t size, size_t align)
{
	void *p;

	if (posix_memalign(&p, align > sizeof(void *) ? align : sizeof(void *), size))
		abort();
	return p;
}

void *bench_zalloc(size_t size, size_t align)
{
	return memset(bench_alloc(size, align), 0, size);
}

void bench_free(void *ptr, size_t size, size_t align)
{
	(void)size;
	(void)align;
	free(ptr);
}

uint64_t bench_allocated(void)
{
	return 0;
}
#endif
