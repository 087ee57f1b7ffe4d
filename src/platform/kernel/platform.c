// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * platform.c - what is not inline in platform.h: memory, and the classes of locks
 */
#include "platform.h"

#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "trace.h"

/*
 * Returns the size to ask kmalloc() for. Memory of a size that is a power of two is aligned to
 * that size, and other memory to ARCH_KMALLOC_MINALIGN only. kmalloc() rounds most sizes up
 * anyway. What does not come from its caches begins with a page.
 */
static size_t platform_slab_size(size_t size, size_t align)
{
	if (align <= ARCH_KMALLOC_MINALIGN || size > KMALLOC_MAX_CACHE_SIZE)
		return size;
	return roundup_pow_of_two(max(size, align));
}

/*
 * Leaf pages are pages. Arrays that grow with the object may be large, and need not be contiguous:
 * vmalloc() has them if there is no contiguous memory. The rest comes from kmalloc().
 */
static void *platform_alloc(void *ctx, size_t size, size_t align)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;

	if (align > PAGE_SIZE)
		return NULL;
	if (size == PAGE_SIZE)
		return (void *)__get_free_page(gfp);
	return kvmalloc(platform_slab_size(size, align), gfp);
}

static void platform_free(void *ctx, void *ptr, size_t size, size_t align)
{
	if (size == PAGE_SIZE)
		free_page((unsigned long)ptr);
	else
		kvfree(ptr);
}

void gms_because_slow(int err, const char *why)
{
	trace_gms_because(err, why);
}

const struct gms_allocator *gms_platform_allocator(void)
{
	static const struct gms_allocator allocator = {
		.struct_size = sizeof(allocator),
		.alloc = platform_alloc,
		.free = platform_free,
	};

	return &allocator;
}

#ifdef CONFIG_LOCKDEP
struct lock_class_key gms_lock_keys[GMS_NR_RANKS][GMS_NR_KEYS];

const char *const gms_lock_names[GMS_NR_RANKS] = {
	[GMS_RANK_CONVERT] = "gms_convert_lock",
	[GMS_RANK_LISTENER] = "gms_listener_lock",
	[GMS_RANK_INVALIDATE] = "gms_invalidate_lock",
	[GMS_RANK_FOLIO] = "gms_folio_lock",
	[GMS_RANK_TREE] = "gms_tree_lock",
	[GMS_RANK_BLOCKS] = "gms_blocks_lock",
};
#endif
