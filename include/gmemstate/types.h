/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/types.h - the types that all other headers use
 *
 *	page     4 KiB
 *	index    the offset of a page in the memory object, in pages
 *	order    log2 of a size in pages: 0 is 4K, 9 is 2M, 18 is 1G
 *	block    2M or 1G of pages, naturally aligned
 *	range    (start, nr_pages); gms_range_from_bytes() makes one from bytes
 *
 * Usage: make a range of bytes private.
 *
 *	gms_pgoff_t start;
 *	uint64_t nr_pages;
 *	int err = gms_range_from_bytes(offset, size, &start, &nr_pages);
 *
 *	if (!err)
 *		err = gms_convert(state, start, nr_pages, GMS_PRIVATE, 0, NULL);
 */
#ifndef GMEMSTATE_TYPES_H
#define GMEMSTATE_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(__KERNEL__)
#define GMS_API __attribute__((visibility("default")))
#else
#define GMS_API
#endif

/*
 * Annotations for clang -Wthread-safety: which locks a function takes, releases, needs or
 * excludes. Other compilers ignore them. A lock is named by its role: gms_convert_lock, for
 * example, stands for all locks of that rank, and no object of that name exists.
 */
#if defined(__clang__)
#define GMS_TSA(...) __attribute__((__VA_ARGS__))
#else
#define GMS_TSA(...)
#endif
#define GMS_EXCLUDES(...) GMS_TSA(locks_excluded(__VA_ARGS__))
#define GMS_REQUIRES(...) GMS_TSA(requires_capability(__VA_ARGS__))
#define GMS_REQUIRES_SHARED(...) GMS_TSA(requires_shared_capability(__VA_ARGS__))
#define GMS_ACQUIRE(...) GMS_TSA(acquire_capability(__VA_ARGS__))
#define GMS_ACQUIRE_SHARED(...) GMS_TSA(acquire_shared_capability(__VA_ARGS__))
#define GMS_TRY_ACQUIRE(...) GMS_TSA(try_acquire_capability(__VA_ARGS__))
#define GMS_TRY_ACQUIRE_SHARED(...) GMS_TSA(try_acquire_shared_capability(__VA_ARGS__))
#define GMS_RELEASE(...) GMS_TSA(release_capability(__VA_ARGS__))
#define GMS_RELEASE_SHARED(...) GMS_TSA(release_shared_capability(__VA_ARGS__))
#define GMS_NO_TSA GMS_TSA(no_thread_safety_analysis)

struct GMS_TSA(capability("lock")) gms_lock_role;
extern struct gms_lock_role gms_convert_lock; /* one for each shard; the outermost */
extern struct gms_lock_role gms_invalidate_lock; /* one for each shard */

/** typedef gms_pgoff_t - the index of a page in the memory object, in units of 4 KiB */
typedef uint64_t gms_pgoff_t;

#define GMS_PAGE_SHIFT 12
#define GMS_ORDER_4K 0
#define GMS_ORDER_2M 9
#define GMS_ORDER_1G 18

/** GMS_MAX_PAGES - the largest size of an object: 2^40 pages, 4 PiB */
#define GMS_MAX_PAGES (1ULL << 40)

/**
 * enum gms_shareability - which sides may fault a page
 * @GMS_SHARED: the guest and the host may
 * @GMS_PRIVATE: the guest may, the host may not
 */
enum gms_shareability { GMS_SHARED = 0, GMS_PRIVATE = 1 };

/**
 * enum gms_accessor - which side faults a page
 * @GMS_HOST: the VMM, or another process or a device of the host
 * @GMS_GUEST: the guest
 */
enum gms_accessor { GMS_HOST = 0, GMS_GUEST = 1 };

/**
 * enum gms_summary - what the pages of one block are
 * @GMS_ALL_SHARED: every page of the block is shared
 * @GMS_ALL_PRIVATE: every page of the block is private
 * @GMS_MIXED: the block has pages of both kinds
 */
enum gms_summary { GMS_ALL_SHARED = 0, GMS_ALL_PRIVATE = 1, GMS_MIXED = 2 };

/**
 * struct gms_run - neighbouring pages of one shareability
 * @start: the index of the first page
 * @nr_pages: the length in pages, at least 1
 * @shareability: the shareability of each page of the run
 */
struct gms_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	enum gms_shareability shareability;
};

/**
 * gms_range_from_bytes() - turn a range of bytes into a range of pages
 * @offset: the start in bytes, a multiple of 4096
 * @size: the length in bytes, a multiple of 4096 and not 0. @offset + @size must neither wrap nor
 *        pass 2^52, which is GMS_MAX_PAGES pages
 * @start: where to store the index of the first page; written on success only
 * @nr_pages: where to store the length in pages; written on success only
 *
 * Never rounds: a range that does not consist of whole pages is refused. Whether to round up or
 * down is a decision about security, which the caller has to make.
 *
 * Context: Any. Pure function.
 * Return: 0; -EINVAL: the range is empty, not aligned, wraps or is too large.
 */
GMS_API int gms_range_from_bytes(uint64_t offset, uint64_t size, gms_pgoff_t *start,
				 uint64_t *nr_pages);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_TYPES_H */
