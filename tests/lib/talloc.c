// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * talloc.c - an allocator that checks its callers
 *
 *     raw block:  | ... padding ... | header | size bytes | tail |
 *                                            ^ aligned: the address that is returned
 */
#include "talloc.h"
#include "test.h"

#ifdef TALLOC_KNOWS_LOCKS
#include "platform.h"
#endif

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_MAKE_MEM_UNDEFINED
#define VALGRIND_MAKE_MEM_UNDEFINED(ptr, size) ((void)(ptr), (void)(size))
#endif

#define MAGIC 0x6d656d7374617465ULL
#define TAIL_SIZE 16
#define TAIL_BYTE 0xe7
#define FRESH_BYTE 0xa5
#define STALE_BYTE 0x5a

struct header {
	uint64_t magic;
	struct talloc *owner;
	size_t size;
	size_t align;
};

static void keep_broken(struct talloc *talloc, const char *what)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&talloc->broken, &none, what);
}

#ifdef TALLOC_KNOWS_LOCKS
/* An allocator may sleep or be slow. So the library must not call it under a spinlock. */
static void check_locks(struct talloc *talloc)
{
	if (gms_rank_holds_any(GMS_RANK_TREE))
		keep_broken(talloc, "called under a tree lock");
	if (gms_rank_holds_any(GMS_RANK_FOLIO))
		keep_broken(talloc, "called under a folio lock");
}
#else
static void check_locks(struct talloc *talloc)
{
	(void)talloc;
}
#endif

/* Returns the size of the room in front of a block: the header, rounded up to the alignment. */
static size_t front_of(size_t align)
{
	return (sizeof(struct header) + align - 1) / align * align;
}

static bool must_fail(struct talloc *talloc)
{
	uint64_t number = atomic_fetch_add(&talloc->allocs, 1);

	if (number < atomic_load(&talloc->fail_from) || number >= atomic_load(&talloc->fail_to))
		return false;
	atomic_fetch_add(&talloc->failed, 1);
	return true;
}

static void *talloc_alloc(void *ctx, size_t size, size_t align)
{
	struct talloc *talloc = ctx;
	struct header *header;
	char *raw;

	check_locks(talloc);
	if (atomic_load(&talloc->trap) & TALLOC_TRAP_ALLOC)
		keep_broken(talloc, "alloc was called while it was forbidden");
	if (align < sizeof(void *) || align & (align - 1)) {
		keep_broken(talloc, "alloc: the alignment is no power of two, or too small");
		return NULL;
	}
	if (!size)
		keep_broken(talloc, "alloc: the size is 0");
	if (must_fail(talloc))
		return NULL;
	if (posix_memalign((void **)&raw, align, front_of(align) + size + TAIL_SIZE))
		return NULL;
	raw += front_of(align);
	header = (struct header *)raw - 1;
	*header = (struct header) {.magic = MAGIC, .owner = talloc, .size = size, .align = align};
	memset(raw, FRESH_BYTE, size);
	memset(raw + size, TAIL_BYTE, TAIL_SIZE);
	VALGRIND_MAKE_MEM_UNDEFINED(raw, size);
	atomic_fetch_add(&talloc->live_bytes, size);
	atomic_fetch_add(&talloc->live_blocks, 1);
	atomic_fetch_add(&talloc->total_bytes, size);
	return raw;
}

static bool tail_is_whole(const char *ptr, size_t size)
{
	size_t i;

	for (i = 0; i < TAIL_SIZE; i++) {
		if ((unsigned char)ptr[size + i] != TAIL_BYTE)
			return false;
	}
	return true;
}

static void talloc_free(void *ctx, void *ptr, size_t size, size_t align)
{
	struct talloc *talloc = ctx;
	struct header *header;

	check_locks(talloc);
	if (atomic_load(&talloc->trap) & TALLOC_TRAP_FREE)
		keep_broken(talloc, "free was called while it was forbidden");
	if (!ptr) {
		keep_broken(talloc, "free: the address is NULL");
		return;
	}
	header = (struct header *)ptr - 1;
	if (header->magic != MAGIC || header->owner != talloc) {
		keep_broken(talloc, "free: the block is not from this allocator");
		return;
	}
	if (header->size != size || header->align != align) {
		keep_broken(talloc, "free: the size or alignment differs from the allocation");
		size = header->size;
		align = header->align;
	}
	if (!tail_is_whole(ptr, size))
		keep_broken(talloc, "bytes behind a block were written");
	header->magic = 0;
	memset(ptr, STALE_BYTE, size);
	atomic_fetch_sub(&talloc->live_bytes, size);
	atomic_fetch_sub(&talloc->live_blocks, 1);
	free((char *)ptr - front_of(align));
}

void talloc_init(struct talloc *talloc)
{
	memset(talloc, 0, sizeof(*talloc));
	talloc->ops.struct_size = sizeof(talloc->ops);
	talloc->ops.alloc = talloc_alloc;
	talloc->ops.free = talloc_free;
	talloc->ops.ctx = talloc;
}

void talloc_fail(struct talloc *talloc, uint64_t skip, uint64_t count)
{
	uint64_t from = atomic_load(&talloc->allocs) + skip;
	uint64_t to = from + count;

	atomic_store(&talloc->fail_from, from);
	atomic_store(&talloc->fail_to, to < from ? UINT64_MAX : to);
}

void talloc_fail_never(struct talloc *talloc)
{
	atomic_store(&talloc->fail_to, 0);
}

void talloc_trap(struct talloc *talloc, unsigned int calls)
{
	atomic_store(&talloc->trap, calls);
}

const char *talloc_check(struct talloc *talloc)
{
	return atomic_load(&talloc->broken);
}
