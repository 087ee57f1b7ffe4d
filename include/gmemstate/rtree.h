/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gmemstate/rtree.h - the range tree: a set of page indices that is its own summary
 *
 * A range tree is a set of indices in [0, nr_pages). A 2M or 1G block is uniform if all or none of
 * its indices are in the set. The structure of the tree says which blocks are uniform, so a query
 * need not count indices. The tree has no policy and takes no lock: it can be used on its own
 * where writers are serialised already.
 *
 * Usage: put a range into the set, unless the hardware refuses it.
 *
 *	struct gms_rtree_reserve reserve;
 *	struct gms_rtree *tree;
 *	int err = gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &tree);
 *
 *	if (!err)
 *		err = gms_rtree_prepare(tree, 512, 100, &reserve); // may fail
 *	if (err)
 *		return err;
 *	gms_rtree_commit(tree, 512, 100, true, &reserve); // cannot fail
 *	err = set_hardware(512, 100);
 *	if (err)
 *		gms_rtree_revert(tree, &reserve); // cannot fail
 *	else
 *		gms_rtree_release(tree, &reserve);
 *
 * Writers. One thread at a time changes a 1G block:
 *
 *  W1  From the commit of a range until gms_rtree_release() or gms_rtree_revert() ends it, no
 *      other commit touches the 1G blocks of the range. The locks of the caller guarantee this. A
 *      commit without a reserve cannot be reverted, so it excludes others only while it runs.
 *  W2  gms_rtree_prepare() needs no lock. It may run at any time, beside every other call.
 *  W3  Writers of different 1G blocks need no lock between them.
 *
 * Readers take no lock, and may run beside any writer:
 *
 *  R1  The answer for a page is a value that the page had at some time during the call. A summary
 *      may lead or trail its pages by the one store that is being made.
 *  R2  Every store to memory that a reader may look at is atomic.
 *  R3  A reader never waits and never retries. The size of the range that it queries bounds its
 *      work, whatever writers do.
 *  R4  A query of many pages is no snapshot: each page is answered as in R1. Runs ascend and do
 *      not overlap.
 *
 * For one page, or one block, the answers are linearizable: once a reader has seen a change, no
 * reader that is ordered after it (by a lock, for example) sees the state before the change. The
 * answers about different pages, or about a page and its block, are not ordered with each other.
 *
 * Cost. A query of one page or block reads four cache lines at most, besides the first line of the
 * tree. A change of one page stores one to three words, and fills a leaf of 64 bytes or a node of
 * 192 bytes if a uniform block becomes mixed by it. A change of a longer range costs that for each
 * end, two bits for each whole 2M block and one byte for each whole 1G block.
 *
 * The owner creates and destroys a tree while no other thread uses it.
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
 * enum gms_rtree_fill - how many pages of a block or range are in the set
 * @GMS_RTREE_NONE: none
 * @GMS_RTREE_ALL: all
 * @GMS_RTREE_MIXED: some, but not all
 */
enum gms_rtree_fill { GMS_RTREE_NONE = 0, GMS_RTREE_ALL = 1, GMS_RTREE_MIXED = 2 };

/**
 * struct gms_rtree_run - neighbouring indices that are all in the set, or all not in it
 * @start: the first index
 * @nr_pages: the length in pages, at least 1
 * @set: whether the indices are in the set
 */
struct gms_rtree_run {
	gms_pgoff_t start;
	uint64_t nr_pages;
	bool set;
};

/**
 * struct gms_rtree_look - an index and the summaries of its blocks
 * @set: whether the index is in the set
 * @fill_2m: the summary of the 2M block at the index
 * @fill_1g: the summary of the 1G block at the index
 */
struct gms_rtree_look {
	bool set;
	enum gms_rtree_fill fill_2m;
	enum gms_rtree_fill fill_1g;
};

/**
 * struct gms_rtree_reserve - what a commit replaces, kept so that the commit can be reverted
 * @priv: private to the library
 *
 * Only a commit that may be reverted needs a reserve. A reserve needs no initialisation, and must
 * not be copied while it is in use. With its 512 bytes it is large for the stack of a kernel.
 */
struct gms_rtree_reserve {
	uint64_t priv[64];
};

/**
 * struct gms_rtree_cursor - the position of a walk over runs
 * @priv: private to the library
 */
struct gms_rtree_cursor {
	uint64_t priv[8];
};

/**
 * gms_rtree_create() - create a set
 * @nr_pages: the size of the index space in pages, 1 to GMS_MAX_PAGES
 * @init: GMS_RTREE_NONE for an empty set, GMS_RTREE_ALL for a full one
 * @allocator: the source of memory, copied; NULL: that of the platform
 * @tree: where to store the tree; written on success only
 *
 * Allocates 64 bytes, and 64 bytes for each 32 GiB or part of them, and takes time in proportion.
 * A tree whose 1G blocks are always uniform needs no more.
 *
 * Context: Allocates, may sleep.
 * Return: 0; -EINVAL: @nr_pages, @init or @allocator is bad; -ENOMEM.
 */
GMS_API int gms_rtree_create(uint64_t nr_pages, enum gms_rtree_fill init,
			     const struct gms_allocator *allocator, struct gms_rtree **tree);

/**
 * gms_rtree_destroy() - free a set and all of its memory
 * @tree: the tree; NULL is allowed
 *
 * Context: No other thread may be using the tree. May sleep.
 */
GMS_API void gms_rtree_destroy(struct gms_rtree *tree);

/**
 * gms_rtree_set() - put a range into the set
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages, at least 1; the range must lie in the tree
 *
 * Prepares and commits in one call. On failure the set has not changed.
 *
 * Context: The writer of the range's blocks (W1). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_set(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_clear() - take a range out of the set
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages, at least 1; the range must lie in the tree
 *
 * Prepares and commits in one call. On failure the set has not changed.
 *
 * Context: The writer of the range's blocks (W1). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_clear(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages);

/**
 * gms_rtree_prepare() - allocate what it takes to set or clear a range
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages, at least 1; the range must lie in the tree
 * @reserve: filled in, for gms_rtree_commit(); NULL: the commit will not be reverted
 *
 * Once a range is prepared, its commit and its revert cannot fail, and do not allocate.
 *
 * What a range needs depends on its ends alone, and not on the set. An end inside a 1G block needs
 * a chunk of 6 KiB, which serves 32 GiB of the tree. An end inside a 2M block also needs a leaf
 * page of 4 KiB, which serves 128 MiB. A chunk or a leaf page that an earlier range needed is used
 * again. All of them stay until the tree is destroyed, so a range that was prepared once is
 * prepared for good. A part of it is prepared, too, if for each end of the part one of these
 * holds:
 *
 *  - it is an end of the range;
 *  - it lies inside a 2M block that is mixed;
 *  - it lies between two 2M blocks of a 1G block that is mixed, or between two 1G blocks.
 *
 * On failure the set has not changed, and there is nothing to release. A gms_rtree_release() of
 * the reserve is harmless then.
 *
 * Context: Any thread, without a lock (W2). Allocates, may sleep.
 * Return: 0; -EINVAL: the range is empty, wraps or passes the end; -ENOMEM.
 */
GMS_API int gms_rtree_prepare(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_is_prepared() - find out whether a range can be set or cleared without memory
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages
 *
 * Context: Any; lock-free.
 * Return: true if gms_rtree_prepare() of the range has succeeded, or would succeed without
 * allocating; false if not, or if the range is empty, wraps or passes the end.
 */
GMS_API bool gms_rtree_is_prepared(const struct gms_rtree *tree, gms_pgoff_t start,
				   uint64_t nr_pages);

/**
 * gms_rtree_commit() - set or clear a range that was prepared
 * @tree: the tree
 * @start: the first index; with a reserve, as given to gms_rtree_prepare()
 * @nr_pages: the length in pages; with a reserve, as given to gms_rtree_prepare()
 * @set: true: put the range into the set; false: take it out
 * @reserve: from gms_rtree_prepare(), for one commit; NULL: the commit will not be reverted
 *
 * Cannot fail. The range must be prepared. With a reserve, it must be the range that the reserve
 * was prepared for, and the reserve must not be in use by another commit. No other commit in a 1G
 * block of the range may be open to a revert (W1). If one of these is violated, the behaviour is
 * undefined; debug builds (GMS_DEBUG) trap.
 *
 * Context: The writer of the range's blocks (W1); may hold a spinlock. Neither allocates, frees
 * nor sleeps.
 */
GMS_API void gms_rtree_commit(struct gms_rtree *tree, gms_pgoff_t start, uint64_t nr_pages,
			      bool set, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_revert() - undo a commit, and release its reserve
 * @tree: the tree
 * @reserve: the reserve of the commit; not NULL
 *
 * Afterwards the set is what it was before the commit, to the bit, however fragmented it was. Does
 * nothing but release if @reserve was not committed.
 *
 * Context: The writer that committed (W1); may hold a spinlock. Neither allocates, frees nor
 * sleeps.
 */
GMS_API void gms_rtree_revert(struct gms_rtree *tree, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_release() - make a commit final, or drop a reserve
 * @tree: the tree
 * @reserve: a reserve after prepare, commit or revert; NULL is allowed
 *
 * From here on the commit can no longer be reverted, and others may commit in its blocks. No
 * memory is freed: what was prepared stays.
 *
 * Context: After a commit, the writer that committed (W1); else the thread that owns the reserve.
 * May hold a spinlock. Neither allocates, frees nor sleeps.
 */
GMS_API void gms_rtree_release(struct gms_rtree *tree, struct gms_rtree_reserve *reserve);

/**
 * gms_rtree_test() - find out whether an index is in the set
 * @tree: the tree
 * @index: the index
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: true if it is in the set; false if not, or past the end.
 */
GMS_API bool gms_rtree_test(const struct gms_rtree *tree, gms_pgoff_t index);

/**
 * gms_rtree_look() - read an index and the summaries of its blocks in one walk
 * @tree: the tree
 * @index: the index
 *
 * Because the three answers come from one walk, a uniform block and its page agree.
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the answers; past the end, false and GMS_RTREE_NONE.
 */
GMS_API struct gms_rtree_look gms_rtree_look(const struct gms_rtree *tree, gms_pgoff_t index);

/**
 * gms_rtree_fill() - read the summary of one block
 * @tree: the tree
 * @index: any index in the block
 * @order: the order of the block: 0, 9 or 18
 *
 * The summary of an incomplete last block is that of the pages that exist.
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the summary; GMS_RTREE_NONE past the end; GMS_RTREE_MIXED for another @order.
 */
GMS_API enum gms_rtree_fill gms_rtree_fill(const struct gms_rtree *tree, gms_pgoff_t index,
					   unsigned int order);

/**
 * gms_rtree_fill_range() - find the summary of any range
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages; pages past the end of the tree are ignored
 *
 * Walks no further than the first index that differs from the one at @start.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: the summary; GMS_RTREE_NONE for an empty range.
 */
GMS_API enum gms_rtree_fill gms_rtree_fill_range(const struct gms_rtree *tree, gms_pgoff_t start,
						 uint64_t nr_pages);

/**
 * gms_rtree_fill_mask() - find out which of 64 neighbouring 2M blocks have a summary
 * @tree: the tree
 * @index: any index in the 64 blocks: 128 MiB, naturally aligned
 * @fill: the summary to look for
 *
 * The summary of an incomplete last block is that of the pages that exist.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: a mask: bit i is set if the i-th block has a page in the tree, and its summary is @fill.
 */
GMS_API uint64_t gms_rtree_fill_mask(const struct gms_rtree *tree, gms_pgoff_t index,
				     enum gms_rtree_fill fill);

/**
 * gms_rtree_uniform_order() - find the largest uniform block at an index
 * @tree: the tree
 * @index: the index
 *
 * Context: Any; lock-free (R1 to R3).
 * Return: the order of the largest block at @index that is uniform and lies wholly in the tree:
 * 18, 9 or 0; 0 past the end.
 */
GMS_API unsigned int gms_rtree_uniform_order(const struct gms_rtree *tree, gms_pgoff_t index);

/**
 * gms_rtree_count() - count the indices of a range that are in the set
 * @tree: the tree
 * @start: the first index
 * @nr_pages: the length in pages; pages past the end of the tree are ignored
 *
 * Reads one byte for each uniform 1G block, 128 bytes of states for each mixed 1G block, and one
 * leaf for each mixed 2M block.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: the number of indices.
 */
GMS_API uint64_t gms_rtree_count(const struct gms_rtree *tree, gms_pgoff_t start,
				 uint64_t nr_pages);

/**
 * gms_rtree_next() - find the run of equal indices that begins at an index
 * @tree: the tree
 * @from: the first index of the run
 * @end: the first index after the range; pages past the end of the tree are ignored
 * @run: where to store the longest run from @from on, cut at @end; written if true is returned
 *
 * Runs in the set and runs not in the set alternate.
 *
 * Usage: visit all runs.
 *
 *	struct gms_rtree_run run;
 *
 *	for (at = 0; gms_rtree_next(tree, at, end, &run); at += run.nr_pages)
 *		... the run begins at run.start ...
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: true if there is an index in [@from, @end); else false.
 */
GMS_API bool gms_rtree_next(const struct gms_rtree *tree, gms_pgoff_t from, gms_pgoff_t end,
			    struct gms_rtree_run *run);

/**
 * gms_rtree_cursor_init() - begin a walk over the runs of a range
 * @cursor: the cursor, filled in; the tree must outlive it
 * @tree: the tree
 * @start: the first index
 * @end: the first index after the range; pages past the end of the tree are ignored
 *
 * An empty range has no runs.
 *
 * Context: Any; lock-free.
 */
GMS_API void gms_rtree_cursor_init(struct gms_rtree_cursor *cursor, const struct gms_rtree *tree,
				   gms_pgoff_t start, gms_pgoff_t end);

/**
 * gms_rtree_cursor_next() - find the next run of equal indices
 * @cursor: the cursor; used by one thread at a time
 * @run: where to store the longest run from the end of the last one, cut at the end of the range;
 *       written if true is returned
 *
 * Finds the runs that gms_rtree_next() in a loop finds, in less time: a cursor prefetches the next
 * leaves.
 *
 * Context: Any; lock-free (R1 to R4).
 * Return: true if there was another run; else false.
 */
GMS_API bool gms_rtree_cursor_next(struct gms_rtree_cursor *cursor, struct gms_rtree_run *run);

/**
 * gms_rtree_memory() - measure the memory that holds the set
 * @tree: the tree
 *
 * The answer is a function of the set alone: two trees of one size with the same indices give the
 * same answer, whatever their past. It is what gms_rtree_create() allocates, 192 bytes for each
 * mixed 1G block, and 64 bytes for each mixed 2M block. Walks over all 1G blocks.
 *
 * Context: Any; lock-free (R4).
 * Return: the number of bytes in use.
 */
GMS_API size_t gms_rtree_memory(const struct gms_rtree *tree);

/**
 * gms_rtree_pooled() - measure the memory that the tree keeps beyond gms_rtree_memory()
 * @tree: the tree
 *
 * What gms_rtree_prepare() allocates stays until the tree is destroyed, also if the set is
 * uniform again. The sum of gms_rtree_memory() and gms_rtree_pooled() is what the tree has
 * allocated. Whatever the set is, the sum is at most 1% more than a flat bitmap of the tree, whose
 * size is rounded up to 32 GiB.
 *
 * Context: Any; lock-free (R4).
 * Return: the number of bytes that are allocated and not counted by gms_rtree_memory().
 */
GMS_API size_t gms_rtree_pooled(const struct gms_rtree *tree);

/**
 * gms_rtree_nodes() - count the mixed blocks of the tree
 * @tree: the tree
 *
 * Walks over all 1G blocks.
 *
 * Context: Any; lock-free (R4).
 * Return: the number of mixed 1G blocks plus the number of mixed 2M blocks.
 */
GMS_API uint64_t gms_rtree_nodes(const struct gms_rtree *tree);

/**
 * gms_rtree_verify() - check every invariant by brute force
 * @tree: the tree
 * @reason: where to store what is wrong, a static string; NULL is allowed. Written if false is
 *          returned
 *
 * Context: No writer may run.
 * Return: true if the tree is sound; else false.
 */
GMS_API bool gms_rtree_verify(const struct gms_rtree *tree, const char **reason);

#ifdef __cplusplus
}
#endif
#endif /* GMEMSTATE_RTREE_H */
