/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/rtree.h - the range tree: a set of page indices that is its own summary
 *
 * A set of indices in [0, nr_pages), kept so that the answer to "is this 2M or
 * 1G block uniform" is part of the structure. It has no policy and takes no lock
 * that a caller could see; use it on its own where you have locks already.
 *
 * Writers. From prepare to release a writer must be the only one in the 1G
 * blocks that its range touches. Writers of different blocks run side by side.
 * Between commit and release the range may be read, but not prepared again.
 *
 * Readers take no lock, never wait, and may run beside any writer:
 *
 *  R1  Each answer for a page is a value that the page had at some time during
 *      the call. A summary may be ahead of or behind its pages by the one store
 *      that is being made.
 *  R2  Writers change published words with atomic stores only.
 *  R3  A reader never waits for a writer, even one that has stopped half-way. It
 *      starts its walk of a block over only if, meanwhile, a writer took apart the
 *      part of the tree that it was reading; as often as that happens.
 *  R4  A query of many pages is no snapshot: each page is answered as in R1. Runs
 *      ascend and do not overlap.
 *
 * Creating and destroying a tree are the owner's: nobody else may use it then.
 */
#ifndef GMEMSTATE_RTREE_H
#define GMEMSTATE_RTREE_H

#include <gmemstate/alloc.h>
#include <gmemstate/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gms_rtree;

/**
 * enum gms_rtree_fill - how full a block or range is
 * @GMS_RTREE_NONE: no page is in the set
 * @GMS_RTREE_ALL: every page is in the set
 * @GMS_RTREE_MIXED: some are, some are not
 */
enum gms_rtree_fill { GMS_RTREE_NONE = 0, GMS_RTREE_ALL = 1, GMS_RTREE_MIXED = 2 };

/**
 * struct gms_rtree_run - neighbouring indices that are all in the set, or all not
 * @start: first index
 * @nr_pages: length in pages, at least 1
 * @set: whether the indices are in the set
 */
struct gms_rtree_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	bool set;
};

/**
 * struct gms_rtree_reserve - what one store needs, from prepare to release
 * @priv: the library's
 *
 * Needs no initialisation; may live on the stack. Not to be copied while in use.
 */
struct gms_rtree_reserve {
	uint64_t priv[16];
};

/**
 * gms_rtree_create() - make a set
 * @nr_pages: size of the index space in pages, 1 to GMS_MAX_PAGES
 * @init: GMS_RTREE_NONE for an empty set, GMS_RTREE_ALL for a full one
 * @allocator: source of memory, copied; NULL: the platform's
 * @tree: where to store the tree; written on success only
 *
 * Takes one byte per 1G block, and time in proportion.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a bad size, @init or allocator; -ENOMEM.
 */
GMS_API int gms_rtree_create(uint64_t nr_pages, enum gms_rtree_fill init,
			     const struct gms_allocator *allocator, struct gms_rtree **tree);

/**
 * gms_rtree_destroy() - free a set and all its memory
 * @tree: the tree; NULL is allowed. No reserve may be outstanding
 *
 * Context: Nobody else may be using the tree. May sleep.
 */
GMS_API void gms_rtree_destroy(struct gms_rtree *tree);

/**
 * gms_rtree_set() - put a range into the set
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 *
 * Prepare, commit and release in one. On failure nothing has changed.
 *
 * Context: A writer of the range's blocks. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_set(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_clear() - take a range out of the set
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 *
 * Prepare, commit and release in one. On failure nothing has changed.
 *
 * Context: A writer of the range's blocks. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_clear(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_prepare() - reserve all that setting or clearing a range may need
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 * @reserve: filled in; to be handed to release in the end, whatever comes between
 *
 * After this neither commit nor revert can fail, and neither allocates. What is
 * reserved is bounded by a constant, plus 2 bits per 1G block of the range where
 * those do not fit into @reserve. On failure the set has not changed and there is
 * nothing to release (releasing all the same is harmless).
 *
 * Context: A writer of the range's blocks, until the release. Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_prepare(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_commit() - set or clear a range that was prepared
 * @tree: the tree
 * @start: as given to gms_rtree_prepare()
 * @nr_pages: as given to gms_rtree_prepare()
 * @set: true: put the range into the set; false: take it out
 * @reserve: from gms_rtree_prepare()
 *
 * Cannot fail. What it replaces is kept in @reserve. To be called once: a reserve that was
 * committed or reverted, or whose prepare failed, is good for nothing but its release.
 *
 * Context: The writer that prepared. Neither allocates, frees nor sleeps.
 */
GMS_API void gms_rtree_commit(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      bool set, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_revert() - undo a commit
 * @tree: the tree
 * @reserve: of the commit
 *
 * The set is what it was before the commit, to the bit, however fragmented it
 * was. Does nothing where @reserve was not committed.
 *
 * Context: The writer that prepared. Neither allocates, frees nor sleeps.
 */
GMS_API void gms_rtree_revert(struct gms_rtree *tree, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_release() - let go of a reserve
 * @tree: the tree
 * @reserve: after prepare, commit or revert
 *
 * What is not in use goes back to the tree's pools; the commit stands from here.
 *
 * Context: The writer that prepared. May free, does not allocate.
 */
GMS_API void gms_rtree_release(struct gms_rtree *tree, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_test() - is an index in the set?
 * @tree: the tree
 * @index: the index
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: true where it is; false past the end.
 */
GMS_API bool gms_rtree_test(const struct gms_rtree *tree, gms_pgoff_t index);

/**
 * gms_rtree_fill() - the summary of one block
 * @tree: the tree
 * @index: any index in the block
 * @order: log2 of the block's size in pages: 0, 9 or 18
 *
 * A last block that is incomplete is judged by the pages that exist.
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the summary; past the end GMS_RTREE_NONE; another @order GMS_RTREE_MIXED.
 */
GMS_API enum gms_rtree_fill gms_rtree_fill(const struct gms_rtree *tree, gms_pgoff_t index,
					   unsigned int order);

/**
 * gms_rtree_fill_range() - the summary of any range
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages; what lies past the end is ignored
 *
 * Stops at the first index that differs from the first.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: the summary; GMS_RTREE_NONE for an empty range.
 */
GMS_API enum gms_rtree_fill gms_rtree_fill_range(const struct gms_rtree *tree, gms_pgoff_t start,
						 uint64_t nr_pages);

/**
 * gms_rtree_uniform_order() - the largest uniform block at an index
 * @tree: the tree
 * @index: the index
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the order of the largest block at @index that lies wholly in the tree and
 * is uniform: 18, 9 or 0; 0 past the end.
 */
GMS_API unsigned int gms_rtree_uniform_order(const struct gms_rtree *tree, gms_pgoff_t index);

/**
 * gms_rtree_count() - how many indices of a range are in the set
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages; what lies past the end is ignored
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: the number of pages.
 */
GMS_API uint64_t gms_rtree_count(const struct gms_rtree *tree, gms_pgoff_t start,
				 uint64_t nr_pages);

/**
 * gms_rtree_next() - the next run of equal indices
 * @tree: the tree
 * @from: where the run starts
 * @end: index after the last one of interest; what lies past the end is ignored
 * @run: the longest run from @from, cut at @end; written where true is returned
 *
 * Runs of indices in the set and not in the set alternate:
 * for (at = 0; gms_rtree_next(tree, at, end, &run); at += run.nr_pages) visits all.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: whether there is an index in [@from, @end).
 */
GMS_API bool gms_rtree_next(const struct gms_rtree *tree, gms_pgoff_t from, gms_pgoff_t end,
			    struct gms_rtree_run *run);

/**
 * gms_rtree_memory() - memory that holds the set
 * @tree: the tree
 *
 * A function of the set alone: two trees of one size with the same indices use the
 * same, whatever their past. Walks the top: a byte per 1G block, a line per mixed one.
 *
 * Context: Any; lock-free (R4).
 * Return: bytes in use, without what is pooled for reuse.
 */
GMS_API size_t gms_rtree_memory(const struct gms_rtree *tree);

/**
 * gms_rtree_pooled() - memory that the tree keeps for reuse
 * @tree: the tree
 *
 * Readers take no lock, so a node that was in use stays a node until the tree is
 * destroyed: it waits in a pool. What outstanding reserves hold is counted here, too.
 *
 * Context: Any; lock-free (R4).
 * Return: bytes taken from the allocator and not counted by gms_rtree_memory().
 */
GMS_API size_t gms_rtree_pooled(const struct gms_rtree *tree);

/**
 * gms_rtree_nodes() - mixed blocks in the tree
 * @tree: the tree
 *
 * Context: Any; lock-free (R4).
 * Return: the number of mixed 1G blocks plus that of mixed 2M blocks. 0 where every
 * 1G block is uniform.
 */
GMS_API uint64_t gms_rtree_nodes(const struct gms_rtree *tree);

/**
 * gms_rtree_verify() - check every invariant by brute force
 * @tree: the tree
 * @reason: where to store what is wrong, a static string; NULL is allowed; written
 *          where false is returned
 *
 * Context: No writer may run, and no reserve may be outstanding.
 * Return: true where the tree is sound.
 */
GMS_API bool gms_rtree_verify(const struct gms_rtree *tree, const char **reason);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_RTREE_H */
