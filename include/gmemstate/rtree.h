/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/rtree.h - the range tree: a set of page indices that is its own summary
 *
 * A set of indices in [0, nr_pages), kept so that the answer to "is this 2M or
 * 1G block uniform" is part of the structure. It has no policy and takes no lock;
 * use it on its own where you have locks already.
 *
 * Writers. One thread at a time changes a 1G block, and a commit that may be reverted
 * keeps others out until it no longer can be:
 *
 *  W1  From the commit of a range until its revert is no longer possible, no other commit
 *      touches the 1G blocks of the range. The caller's locks see to it. A commit without
 *      a reserve cannot be reverted, so it excludes others only while it runs.
 *  W2  gms_rtree_prepare() needs no lock. It may run at any time, beside every other call.
 *  W3  Writers of different 1G blocks need no lock between them.
 *
 * Readers take no lock, never wait, and may run beside any writer:
 *
 *  R1  Each answer for a page is a value that the page had at some time during
 *      the call. A summary may be ahead of or behind its pages by the one store
 *      that is being made.
 *  R2  Writers change what readers may look at with atomic stores only.
 *  R3  A reader never waits and never tries again: its work is bounded by the size of
 *      what it was asked about, whatever writers do.
 *  R4  A query of many pages is no snapshot: each page is answered as in R1. Runs
 *      ascend and do not overlap.
 *
 * For one page, or one block, these answers are linearizable: once a reader has seen a change,
 * no reader that is ordered behind it (by a lock, say) sees the state before. Answers about
 * different pages, or about a page and its block, are not ordered with each other.
 *
 * Creating and destroying a tree are the owner's: no other thread may use it then.
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
 * struct gms_rtree_look - an index and its blocks
 * @set: whether the index is in the set
 * @fill_2m: the summary of the 2M block around it
 * @fill_1g: the summary of the 1G block around it
 */
struct gms_rtree_look {
	bool set;
	enum gms_rtree_fill fill_2m;
	enum gms_rtree_fill fill_1g;
};

/**
 * struct gms_rtree_reserve - what a commit replaces, kept so that it can be reverted
 * @priv: the library's
 *
 * Needs no initialisation. Not to be copied while in use. Only a commit that may be reverted needs
 * one. At 512 bytes it is large for a kernel's stack.
 */
struct gms_rtree_reserve {
	uint64_t priv[64];
};

/**
 * struct gms_rtree_cursor - where a walk over runs has come to
 * @priv: the library's
 */
struct gms_rtree_cursor {
	uint64_t priv[8];
};

/**
 * gms_rtree_create() - make a set
 * @nr_pages: size of the index space in pages, 1 to GMS_MAX_PAGES
 * @init: GMS_RTREE_NONE for an empty set, GMS_RTREE_ALL for a full one
 * @allocator: source of memory, copied; NULL: the platform's
 * @tree: where to store the tree; written on success only
 *
 * Takes 2 bytes a 1G block, rounded up to 64 bytes for each 32 GiB, and 64 bytes; and time in
 * proportion. A tree that is never mixed takes no more.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: a bad size, @init or allocator; -ENOMEM.
 */
GMS_API int gms_rtree_create(uint64_t nr_pages, enum gms_rtree_fill init,
			     const struct gms_allocator *allocator, struct gms_rtree **tree);

/**
 * gms_rtree_destroy() - free a set and all its memory
 * @tree: the tree; NULL is allowed
 *
 * Context: No other thread may be using the tree. May sleep.
 */
GMS_API void gms_rtree_destroy(struct gms_rtree *tree);

/**
 * gms_rtree_set() - put a range into the set
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 *
 * Prepare and commit in one. On failure the set has not changed.
 *
 * Context: The writer of the range's blocks (W1). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_set(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_clear() - take a range out of the set
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 *
 * Prepare and commit in one. On failure the set has not changed.
 *
 * Context: The writer of the range's blocks (W1). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_clear(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_prepare() - make sure that setting or clearing a range needs no memory
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages, at least 1; the range must lie in the tree
 * @reserve: filled in, for gms_rtree_commit(); NULL where the commit will not be reverted
 *
 * After this neither commit nor revert can fail, and neither allocates. What it allocates
 * depends on the range alone and not on the set: where the range begins or ends inside a 1G block,
 * 6 KiB for each 32 GiB of the tree, and where inside a 2M block, 4 KiB for each 128 MiB; twice of
 * each at most, and nothing where an earlier range has brought it. It stays until the tree is
 * destroyed. So a range that was prepared once is prepared for good. So is each part of it that
 * begins and ends where the range does, or inside a block that is mixed.
 *
 * On failure the set has not changed, and there is nothing to release (releasing all the same is
 * harmless).
 *
 * Context: Any thread, without a lock (W2). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_prepare(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_is_prepared() - can a range be set or cleared without memory?
 * @tree: the tree
 * @start: first index
 * @nr_pages: length in pages
 *
 * Context: Any; lock-free.
 * Return: true where a gms_rtree_prepare() of the range has succeeded, or would without allocating;
 * false for a range that is empty, wraps or passes the end.
 */
GMS_API bool gms_rtree_is_prepared(const struct gms_rtree *tree, gms_pgoff_t start,
				   uint64_t nr_pages);

/**
 * gms_rtree_commit() - set or clear a range that was prepared
 * @tree: the tree
 * @start: first index; with a reserve, as given to gms_rtree_prepare()
 * @nr_pages: length in pages; with a reserve, as given to gms_rtree_prepare()
 * @set: true: put the range into the set; false: take it out
 * @reserve: from gms_rtree_prepare(), used once; NULL where the commit will not be reverted
 *
 * Cannot fail. These are the caller's mistakes, and what then happens is undefined: a range that
 * was not prepared; another range than @reserve was prepared for; a reserve that was committed
 * before; a commit in a 1G block in which another commit can still be reverted (W1). Debug builds
 * (GMS_DEBUG) trap on each of them.
 *
 * Context: The writer of the range's blocks (W1); may hold a spinlock. Neither allocates, frees nor
 * sleeps.
 */
GMS_API void gms_rtree_commit(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      bool set, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_revert() - undo a commit, and release its reserve
 * @tree: the tree
 * @reserve: of the commit; not NULL
 *
 * The set is what it was before the commit, to the bit, however fragmented it
 * was. Does nothing where @reserve was not committed.
 *
 * Context: The writer that committed (W1); may hold a spinlock. Neither allocates, frees nor
 * sleeps.
 */
GMS_API void gms_rtree_revert(struct gms_rtree *tree, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_release() - let a commit stand, or give up a reserve
 * @tree: the tree
 * @reserve: after prepare, commit or revert; NULL is allowed
 *
 * From here on the commit can no longer be reverted, and other commits may follow. There is nothing
 * to give back: what was prepared stays.
 *
 * Context: After a commit, the writer that committed (W1); else the thread that holds the reserve.
 * May hold a spinlock. Neither allocates, frees nor sleeps.
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
 * gms_rtree_look() - an index and the summaries of its blocks, in one walk
 * @tree: the tree
 * @index: the index
 *
 * The three answers are those of one walk: a uniform block and its page agree.
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the answers; past the end false and GMS_RTREE_NONE.
 */
GMS_API struct gms_rtree_look gms_rtree_look(const struct gms_rtree *tree, gms_pgoff_t index);

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
 * gms_rtree_fill_mask() - which 2M blocks are none, all or mixed
 * @tree: the tree
 * @index: any index in the 64 neighbouring 2M blocks of interest: 128 MiB, naturally aligned
 * @fill: what to look for
 *
 * A last block that is incomplete is judged by the pages that exist.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: a mask; bit i is set where the i-th of these blocks has that fill. 0 for blocks past the
 * end.
 */
GMS_API uint64_t gms_rtree_fill_mask(const struct gms_rtree *tree, gms_pgoff_t index,
				     enum gms_rtree_fill fill);

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
 * gms_rtree_cursor_init() - begin to walk over a range
 * @cursor: the cursor, filled in; the tree must outlive it
 * @tree: the tree
 * @start: first index
 * @end: index after the last one of interest; what lies past the end of the tree is ignored
 *
 * An empty range gives no runs.
 *
 * Context: Any; lock-free.
 */
GMS_API void gms_rtree_cursor_init(struct gms_rtree_cursor *cursor, const struct gms_rtree *tree,
				   gms_pgoff_t start, gms_pgoff_t end);

/**
 * gms_rtree_cursor_next() - the next run of equal indices
 * @cursor: the cursor; used by one thread at a time
 * @run: the longest run from where the last one ended, cut at the end of the range; written
 *       where true is returned
 *
 * Gives what gms_rtree_next() in a loop would, and is faster at it: it asks for what it will come
 * to.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: whether there was another run.
 */
GMS_API bool gms_rtree_cursor_next(struct gms_rtree_cursor *cursor, struct gms_rtree_run *run);

/**
 * gms_rtree_memory() - memory that holds the set
 * @tree: the tree
 *
 * A function of the set alone: two trees of one size with the same indices use the
 * same, whatever their past. It is what counts: what gms_rtree_create() takes, 192 bytes for each
 * mixed 1G block, and 64 for each mixed 2M block. Walks the tree's top.
 *
 * Context: Any; lock-free (R4).
 * Return: bytes in use.
 */
GMS_API size_t gms_rtree_memory(const struct gms_rtree *tree);

/**
 * gms_rtree_pooled() - memory that the tree keeps beyond that
 * @tree: the tree
 *
 * What ranges were prepared with stays until the tree is destroyed, also where all is uniform
 * again: see gms_rtree_prepare(). gms_rtree_memory() and this together are what the tree has taken
 * from its allocator. However the set looks, that is at most a flat bitmap of the tree's size,
 * rounded up to 32 GiB, and 1%.
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
 * Context: No writer may run.
 * Return: true where the tree is sound.
 */
GMS_API bool gms_rtree_verify(const struct gms_rtree *tree, const char **reason);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_RTREE_H */
