/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xarray.h - an XArray with an entry for each private page, as KVM keeps memory attributes
 *
 * A store does what KVM_SET_MEMORY_ATTRIBUTES does to its array: nothing if the range has the
 * attribute already; else it reserves an entry for each page, so that no store fails, and then
 * stores each.
 */
#ifndef BENCH_XARRAY_H
#define BENCH_XARRAY_H

#include <linux/sched.h>
#include <linux/xarray.h>

#define XARRAY_PRIVATE xa_mk_value(8)

/* Returns true if each page of [start, end) has the entry. */
static inline bool xarray_range_has(struct xarray *xa, unsigned long start, unsigned long end,
				    void *want)
{
	XA_STATE(xas, xa, start);
	unsigned long index;
	bool has = true;
	void *entry;

	if (end == start + 1)
		return xa_load(xa, start) == want;
	rcu_read_lock();
	for (index = start; has && index < end; index++) {
		do {
			entry = want ? xas_next(&xas) : xas_next_entry(&xas, end - 1);
		} while (xas_retry(&xas, entry));
		if (!entry) {
			has = !want;
			break;
		}
		has = want && xas.xa_index == index && entry == want;
	}
	rcu_read_unlock();
	return has;
}

static inline int xarray_reserve(struct xarray *xa, unsigned long start, unsigned long end)
{
	unsigned long index;
	int err = 0;

	for (index = start; index < end && !err; index++) {
		err = xa_reserve(xa, index, GFP_KERNEL_ACCOUNT);
		cond_resched();
	}
	return err;
}

static inline int xarray_store(struct xarray *xa, unsigned long start, unsigned long end,
			       void *entry)
{
	unsigned long index;
	int err = 0;

	for (index = start; index < end && !err; index++) {
		err = xa_err(xa_store(xa, index, entry, GFP_KERNEL_ACCOUNT));
		cond_resched();
	}
	return err;
}

#endif /* BENCH_XARRAY_H */
