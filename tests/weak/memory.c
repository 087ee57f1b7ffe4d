// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memory.c - the allocator, and plain accesses
 *
 * The sources that are checked are compiled with -fsanitize=thread, which makes the compiler call
 * a function before each plain access. These functions are here. No sanitizer is linked.
 *
 * A plain access in allocated memory must be ordered by happens-before with each access of another
 * thread that conflicts with it, plain or atomic. Allocating and freeing count as plain stores to
 * all of the memory: an access must happen after the one and before the other. A plain load must
 * not be of memory that was never written. What a plain load returns needs no model: where there
 * is no race, it is what memory holds.
 *
 * Accesses to other memory are not checked: stacks, and the variables of programs.
 *
 * Memory is not used twice in one execution. Between two allocations there is a gap.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define ARENA (64u << 10)
#define GAP 64u
#define REGIONS 64u

struct shadow {
	uint16_t store; /* time of the last plain store, if by a thread */
	uint16_t loads[WEAK_THREADS]; /* time of the last plain load of each thread */
	uint8_t storer; /* WEAK_SETUP: known to all threads */
	bool written;
	uint16_t location; /* 1 + number of the atomic object; 0: none */
};

struct region {
	uint32_t start, size;
	bool freed;
};

static unsigned char arena[ARENA] __attribute__((aligned(4096)));
static struct shadow shadow[ARENA];
static struct region region[REGIONS];
static unsigned int nr_regions;
static uint32_t used;

void weak_memory_reset(void)
{
	memset(shadow, 0, used * sizeof(*shadow));
	nr_regions = 0;
	used = 0;
}

/* A pointer of which a part was not seen is null, and may have been added to. */
static bool in_arena(const void *p)
{
	if ((uintptr_t)p < ARENA)
		weak_fail("an access by a null pointer");
	return (const unsigned char *)p >= arena && (const unsigned char *)p < arena + ARENA;
}

static uint32_t offset_of(const void *p)
{
	return (uint32_t)((const unsigned char *)p - arena);
}

/* The allocation that an access is in; fails the execution where it is in none. */
static struct region *region_of(const void *p, size_t size)
{
	const uint32_t at = offset_of(p);

	for (unsigned int i = 0; i < nr_regions; i++) {
		struct region *r = &region[i];

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
	const uint32_t at = offset_of(p);

	if (!in_arena(p))
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
 * The time of a plain access is that of the atomic event after it: a thread that synchronises with
 * that event, or a later one, knows of the access.
 */
static uint16_t plain_time(const struct weak_thread *t)
{
	return t->event + 1;
}

static bool knows(const struct weak_thread *t, uint8_t other, uint16_t time)
{
	return other == t->id || t->now.clock[other] >= time;
}

static void no_race(bool ok, const void *p, const char *what, unsigned int other)
{
	char name[32] = "?";

	if (ok)
		return;
	weak_memory_name(p, name, sizeof(name));
	weak_fail("a race: thread %u makes %s at %s, not ordered with one of thread %u",
		  weak.self->id, what, name, other);
}

static void with_plain_store(const struct shadow *s, const void *p, const char *what)
{
	if (s->storer != WEAK_SETUP && s->store)
		no_race(knows(weak.self, s->storer, s->store), p, what, s->storer);
}

static void with_plain_loads(const struct shadow *s, const void *p, const char *what)
{
	for (uint8_t i = 0; i < WEAK_THREADS; i++)
		no_race(knows(weak.self, i, s->loads[i]), p, what, i);
}

static void with_atomics(const struct shadow *s, const void *p, bool write, const char *what)
{
	const struct weak_location *l;

	if (!s->location)
		return;
	l = &weak.location[s->location - 1];
	for (uint8_t i = 0; i < WEAK_THREADS; i++) {
		no_race(knows(weak.self, i, l->stores[i]), p, what, i);
		if (write)
			no_race(knows(weak.self, i, l->loads[i]), p, what, i);
	}
}

void weak_memory_direct(const void *p, size_t size, bool write)
{
	if (!in_arena(p))
		return;
	region_of(p, size);
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; write && i < end; i++) {
		shadow[i].storer = WEAK_SETUP;
		shadow[i].written = true;
	}
}

void weak_memory_atomic(const void *p, size_t size, bool write)
{
	if (!in_arena(p))
		return;
	region_of(p, size);
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		with_plain_store(&shadow[i], p, "an atomic access");
		if (write)
			with_plain_loads(&shadow[i], p, "an atomic store");
	}
}

static void plain_load(const void *p, size_t size)
{
	if (!in_arena(p))
		return;
	region_of(p, size);
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		struct shadow *s = &shadow[i];

		if (!s->written && !s->location)
			weak_fail("a plain load of memory that was never written");
		if (!weak.self)
			continue;
		with_plain_store(s, p, "a plain load");
		with_atomics(s, p, false, "a plain load");
		s->loads[weak.self->id] = plain_time(weak.self);
	}
}

static void store_bytes(void *p, size_t size, bool written, const char *what)
{
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; i < end; i++) {
		struct shadow *s = &shadow[i];

		s->written = written;
		if (!weak.self) {
			s->storer = WEAK_SETUP;
			continue;
		}
		with_plain_store(s, p, what);
		with_plain_loads(s, p, what);
		with_atomics(s, p, true, what);
		s->storer = weak.self->id;
		s->store = plain_time(weak.self);
		if (s->location)
			weak_plain_message(&weak.location[s->location - 1]);
	}
}

static void plain_store(void *p, size_t size)
{
	if (!in_arena(p))
		return;
	region_of(p, size);
	store_bytes(p, size, true, "a plain store");
}

void weak_memory_location(const void *p, size_t size, unsigned int location)
{
	if (!in_arena(p))
		return;
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; i < end; i++)
		shadow[i].location = (uint16_t)location;
}

bool weak_memory_unknown(const void *p, size_t size)
{
	if (!in_arena(p))
		return false;
	for (uint32_t i = offset_of(p), end = i + (uint32_t)size; i < end; i++)
		if (!shadow[i].written)
			return true;
	return false;
}

/* ---- the allocator ---- */

static void *arena_alloc(void *ctx, size_t size, size_t align)
{
	const uint32_t start = (uint32_t)((used + GAP + align - 1) / align * align);

	(void)ctx;
	if (nr_regions == REGIONS || start + size > ARENA)
		weak_fail("more memory than the checker has room for");
	region[nr_regions++] = (struct region) {.start = start, .size = (uint32_t)size};
	used = start + (uint32_t)size;
	store_bytes(arena + start, size, false, "an allocation");
	memset(arena + start, 0xa5, size);
	return arena + start;
}

static void arena_free(void *ctx, void *p, size_t size, size_t align)
{
	struct region *r = region_of(p, size);

	(void)ctx;
	if (r->start != offset_of(p) || r->size != size || (uintptr_t)p % align)
		weak_fail("memory is freed as what it was not allocated as");
	store_bytes(p, size, false, "a free");
	r->freed = true;
}

const struct gms_allocator weak_allocator = {
	.struct_size = sizeof(struct gms_allocator),
	.alloc = arena_alloc,
	.free = arena_free,
};

/* ---- what the checked sources call ---- */

void *weak_memset(void *p, int c, size_t n)
{
	plain_store(p, n);
	return memset(p, c, n);
}

void *weak_memcpy(void *to, const void *from, size_t n)
{
	plain_load(from, n);
	plain_store(to, n);
	return memcpy(to, from, n);
}

#define CALLBACKS(n)                             \
	void __tsan_read##n(void *p);            \
	void __tsan_read##n(void *p)             \
	{                                        \
		plain_load(p, n);                \
	}                                        \
	void __tsan_write##n(void *p);           \
	void __tsan_write##n(void *p)            \
	{                                        \
		plain_store(p, n);               \
	}                                        \
	void __tsan_unaligned_read##n(void *p);  \
	void __tsan_unaligned_read##n(void *p)   \
	{                                        \
		plain_load(p, n);                \
	}                                        \
	void __tsan_unaligned_write##n(void *p); \
	void __tsan_unaligned_write##n(void *p)  \
	{                                        \
		plain_store(p, n);               \
	}
CALLBACKS(1)
CALLBACKS(2)
CALLBACKS(4)
CALLBACKS(8)
CALLBACKS(16)

void __tsan_read_range(void *p, size_t n);
void __tsan_read_range(void *p, size_t n)
{
	plain_load(p, n);
}

void __tsan_write_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n)
{
	plain_store(p, n);
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
