// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memory.c - the allocator, and the checks of plain accesses
 *
 * The sources that are checked are compiled with -fsanitize=thread, which makes the compiler call
 * a function before each plain access. This file has these functions. No sanitizer is linked.
 *
 * A plain access in allocated memory must be ordered by happens-before with each access of another
 * thread that conflicts with it, plain or atomic. Allocating and freeing count as plain stores to
 * all of the allocation: an access must happen after the former and before the latter. A plain
 * load must not read memory that was never written. The value of a plain load needs no model:
 * without a race, it is what memory holds.
 *
 * Accesses to stacks and to the variables of programs are not checked.
 *
 * Memory is not used twice in one execution. There is a gap between two allocations.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define MEMORY_ARENA (64u << 10)
#define MEMORY_GAP 64u
#define MEMORY_REGIONS 64u

struct memory_shadow {
	uint16_t store; /* time of the last plain store, if a thread made it */
	uint16_t loads[WEAK_THREADS]; /* time of the last plain load of each thread */
	uint8_t storer; /* the thread of that store; WEAK_SETUP: all threads know of it */
	bool written;
	uint16_t location; /* 1 + number of the atomic object; 0: none */
};

struct memory_region {
	uint32_t start, size;
	bool freed;
};

static unsigned char arena[MEMORY_ARENA] __attribute__((aligned(4096)));
static struct memory_shadow shadow[MEMORY_ARENA];
static struct memory_region region[MEMORY_REGIONS];
static unsigned int nr_regions;
static uint32_t used;

void weak_memory_reset(void)
{
	memset(shadow, 0, used * sizeof(*shadow));
	nr_regions = 0;
	used = 0;
}

/*
 * A small pointer is a null pointer plus an offset: the thread did not see a store to the pointer.
 */
static bool memory_in_arena(const void *p)
{
	if ((uintptr_t)p < MEMORY_ARENA)
		weak_fail("an access by a null pointer");
	return (const unsigned char *)p >= arena && (const unsigned char *)p < arena + MEMORY_ARENA;
}

static uint32_t memory_offset_of(const void *p)
{
	return (uint32_t)((const unsigned char *)p - arena);
}

/* Returns the allocation of an access. If there is none, fails the execution. */
static struct memory_region *memory_region_of(const void *p, size_t size)
{
	const uint32_t at = memory_offset_of(p);

	for (unsigned int i = 0; i < nr_regions; i++) {
		struct memory_region *r = &region[i];

		if (at < r->start || at + size > r->start + r->size)
			continue;
		if (r->freed)
			weak_fail("an access to allocation %u after it was freed", i);
		return r;
	}
	weak_fail("an access of %zu bytes outside of all allocations", size);
}

bool weak_memory_name(const void *p, char *name, size_t size)
{
	const uint32_t at = memory_offset_of(p);

	if (!memory_in_arena(p))
		return false;
	for (unsigned int i = 0; i < nr_regions; i++)
		if (at >= region[i].start && at < region[i].start + region[i].size) {
			snprintf(name, size, "%u+%#x", i, at - region[i].start);
			return true;
		}
	return false;
}

/* ---- races ---- */

/*
 * Returns the time of a plain access: that of the thread's next atomic event. A thread that
 * synchronises with that event, or a later one, knows of the access.
 */
static uint16_t memory_plain_time(const struct weak_thread *t)
{
	return t->event + 1;
}

static bool memory_knows(const struct weak_thread *t, uint8_t other, uint16_t time)
{
	return other == t->id || t->now.clock[other] >= time;
}

static void memory_no_race(bool ok, const void *p, const char *what, unsigned int other)
{
	char name[32] = "?";

	if (ok)
		return;
	weak_memory_name(p, name, sizeof(name));
	weak_fail("a race: %s by thread %u at %s is not ordered with an access by thread %u", what,
		  weak.self->id, name, other);
}

static void memory_with_plain_store(const struct memory_shadow *s, const void *p, const char *what)
{
	if (s->storer != WEAK_SETUP && s->store)
		memory_no_race(memory_knows(weak.self, s->storer, s->store), p, what, s->storer);
}

static void memory_with_plain_loads(const struct memory_shadow *s, const void *p, const char *what)
{
	for (uint8_t i = 0; i < WEAK_THREADS; i++)
		memory_no_race(memory_knows(weak.self, i, s->loads[i]), p, what, i);
}

static void memory_with_atomics(const struct memory_shadow *s, const void *p, bool write,
				const char *what)
{
	const struct weak_location *l;

	if (!s->location)
		return;
	l = &weak.location[s->location - 1];
	for (uint8_t i = 0; i < WEAK_THREADS; i++) {
		memory_no_race(memory_knows(weak.self, i, l->stores[i]), p, what, i);
		if (write)
			memory_no_race(memory_knows(weak.self, i, l->loads[i]), p, what, i);
	}
}

void weak_memory_direct(const void *p, size_t size, bool write)
{
	if (!memory_in_arena(p))
		return;
	memory_region_of(p, size);
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; write && i < end; i++) {
		shadow[i].storer = WEAK_SETUP;
		shadow[i].written = true;
	}
}

void weak_memory_atomic(const void *p, size_t size, bool write)
{
	if (!memory_in_arena(p))
		return;
	memory_region_of(p, size);
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		memory_with_plain_store(&shadow[i], p, "an atomic access");
		if (write)
			memory_with_plain_loads(&shadow[i], p, "an atomic store");
	}
}

static void memory_plain_load(const void *p, size_t size)
{
	if (!memory_in_arena(p))
		return;
	memory_region_of(p, size);
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		struct memory_shadow *s = &shadow[i];

		if (!s->written && !s->location)
			weak_fail("a plain load of memory that was never written");
		if (!weak.self)
			continue;
		memory_with_plain_store(s, p, "a plain load");
		memory_with_atomics(s, p, false, "a plain load");
		s->loads[weak.self->id] = memory_plain_time(weak.self);
	}
}

static void memory_store_bytes(void *p, size_t size, bool written, const char *what)
{
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		struct memory_shadow *s = &shadow[i];

		s->written = written;
		if (!weak.self) {
			s->storer = WEAK_SETUP;
			continue;
		}
		memory_with_plain_store(s, p, what);
		memory_with_plain_loads(s, p, what);
		memory_with_atomics(s, p, true, what);
		s->storer = weak.self->id;
		s->store = memory_plain_time(weak.self);
		if (s->location)
			weak_plain_message(&weak.location[s->location - 1]);
	}
}

static void memory_plain_store(void *p, size_t size)
{
	if (!memory_in_arena(p))
		return;
	memory_region_of(p, size);
	memory_store_bytes(p, size, true, "a plain store");
}

void weak_memory_location(const void *p, size_t size, unsigned int location)
{
	if (!memory_in_arena(p))
		return;
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; i < end; i++)
		shadow[i].location = (uint16_t)location;
}

bool weak_memory_unknown(const void *p, size_t size)
{
	if (!memory_in_arena(p))
		return false;
	for (uint32_t i = memory_offset_of(p), end = i + (uint32_t)size; i < end; i++)
		if (!shadow[i].written)
			return true;
	return false;
}

/* ---- the allocator ---- */

static void *memory_alloc(void *ctx, size_t size, size_t align)
{
	const uint32_t start = (uint32_t)((used + MEMORY_GAP + align - 1) / align * align);

	(void)ctx;
	if (nr_regions == MEMORY_REGIONS || start + size > MEMORY_ARENA)
		weak_fail("the checker has no room for more allocations");
	region[nr_regions++] = (struct memory_region) {.start = start, .size = (uint32_t)size};
	used = start + (uint32_t)size;
	memory_store_bytes(arena + start, size, false, "an allocation");
	memset(arena + start, 0xa5, size);
	return arena + start;
}

static void memory_free(void *ctx, void *p, size_t size, size_t align)
{
	struct memory_region *r = memory_region_of(p, size);

	(void)ctx;
	if (r->start != memory_offset_of(p) || r->size != size || (uintptr_t)p % align)
		weak_fail("a free differs from its allocation in address, size or alignment");
	memory_store_bytes(p, size, false, "a free");
	r->freed = true;
}

const struct gms_allocator weak_allocator = {
	.struct_size = sizeof(struct gms_allocator),
	.alloc = memory_alloc,
	.free = memory_free,
};

/* ---- functions that the checked sources call ---- */

void *weak_memset(void *p, int c, size_t n)
{
	memory_plain_store(p, n);
	return memset(p, c, n);
}

void *weak_memcpy(void *to, const void *from, size_t n)
{
	memory_plain_load(from, n);
	memory_plain_store(to, n);
	return memcpy(to, from, n);
}

#define MEMORY_CALLBACKS(n)                      \
	void __tsan_read##n(void *p);            \
	void __tsan_read##n(void *p)             \
	{                                        \
		memory_plain_load(p, n);         \
	}                                        \
	void __tsan_write##n(void *p);           \
	void __tsan_write##n(void *p)            \
	{                                        \
		memory_plain_store(p, n);        \
	}                                        \
	void __tsan_unaligned_read##n(void *p);  \
	void __tsan_unaligned_read##n(void *p)   \
	{                                        \
		memory_plain_load(p, n);         \
	}                                        \
	void __tsan_unaligned_write##n(void *p); \
	void __tsan_unaligned_write##n(void *p)  \
	{                                        \
		memory_plain_store(p, n);        \
	}
MEMORY_CALLBACKS(1)
MEMORY_CALLBACKS(2)
MEMORY_CALLBACKS(4)
MEMORY_CALLBACKS(8)
MEMORY_CALLBACKS(16)

void __tsan_read_range(void *p, size_t n);
void __tsan_read_range(void *p, size_t n)
{
	memory_plain_load(p, n);
}

void __tsan_write_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n)
{
	memory_plain_store(p, n);
}

void *__tsan_memset(void *p, int c, size_t n);
void *__tsan_memset(void *p, int c, size_t n)
{
	return weak_memset(p, c, n);
}

void *__tsan_memcpy(void *to, const void *from, size_t n);
void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	return weak_memcpy(to, from, n);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}
