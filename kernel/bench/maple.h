/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maple.h - a maple tree with one entry for each run of pages of one shareability
 *
 * As in the series for guest_memfd (v13), shared pages have an entry, too, and a store joins its
 * range with neighbours that have the same entry. For that it descends from the root again, as the
 * series does. The series allocates before it stores; to store
 * with mas_store_gfp() is faster, so that is done here.
 */
#ifndef BENCH_MAPLE_H
#define BENCH_MAPLE_H

#include <linux/maple_tree.h>
#include <linux/xarray.h>

#define MAPLE_SHARED xa_mk_value(0)
#define MAPLE_PRIVATE xa_mk_value(8)

/* The caller holds the lock of the tree. */
static inline int maple_store_locked(struct maple_tree *tree, unsigned long start,
				     unsigned long last, bool private)
{
	MA_STATE(mas, tree, start, start);
	void *const entry = private ? MAPLE_PRIVATE : MAPLE_SHARED;

	if (mas_walk(&mas) == entry && mas.last >= last)
		return 0;
	if (start) {
		mas_set(&mas, start - 1);
		if (mas_walk(&mas) == entry)
			start = mas.index;
	}
	mas_set(&mas, last + 1);
	if (mas_walk(&mas) == entry)
		last = mas.last;
	mas_set_range(&mas, start, last);
	return mas_store_gfp(&mas, entry, GFP_KERNEL_ACCOUNT);
}

#endif /* BENCH_MAPLE_H */
