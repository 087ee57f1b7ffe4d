// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hooks.c - what the engine calls: a conversion of the state becomes one of memory
 *
 *	unmap_host              to private: hide from the host
 *	invalidate_begin        slots that are given back from now on are kept for an undo
 *	apply    to private     hide from the host, where that was not done; show to the guest
 *	         to shared      show to the guest, show to the host
 *	undo                    the same with what was; what is in it is kept
 *	invalidate_end          it stands: punch out the side that nobody sees
 *	map_host                it did not come to that: show what the guest sees as shared
 *	repair                  as apply, whatever the records say: both sides may be seen
 *
 * An apply that fails takes back what it did. Where it cannot, it says that it did all of its
 * run, so that undo is called for it and tries again: that looks at the records, and does
 * what there is to do, which may be nothing.
 */
#include "guest.h"
#include "host.h"
#include "slots.h"

static int set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, enum gms_shareability to,
	       bool keep, gms_pgoff_t *failed)
{
	int err = 0;

	if (!gms_kvm_guest_room(kvm, start, end, to))
		return -ENOSPC;
	if (to == GMS_PRIVATE)
		err = gms_kvm_host_set(kvm, start, end, true);
	if (!err)
		err = gms_kvm_guest_set(kvm, start, end, to, keep, failed);
	if (!err && to == GMS_SHARED)
		err = gms_kvm_host_set(kvm, start, end, false);
	return err;
}

static int apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
		 gms_pgoff_t *failed)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_guest_prepare(kvm, start, end);
	if (err)
		goto unlock;
	/* in place *failed is the page that the kernel names; undo finds nothing to do before it */
	err = set(kvm, start, end, to, false, failed);
	if (err && set(kvm, start, end, gms_kvm_other(to), true, NULL))
		*failed = end;
unlock:
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability back_to)
{
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = set(kvm, start, start + nr_pages, back_to, true, NULL);
	if (err)
		gms_kvm_guest_doubt(kvm, start, start + nr_pages);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int repair(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_guest_prepare(kvm, start, end);
	if (!err)
		err = set(kvm, start, end, to, false, NULL);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_host_set(kvm, start, start + nr_pages, true);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int map_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_kvm *kvm = ctx;
	struct gms_rtree_run run;
	int err = 0;

	pthread_mutex_lock(&kvm->lock);
	for (gms_pgoff_t at = start; !err && gms_kvm_guest_next_shared(kvm, at, end, &run);
	     at = run.start + run.nr_pages)
		err = gms_kvm_host_set(kvm, run.start, run.start + run.nr_pages, false);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static void invalidate_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;

	(void)start;
	(void)nr_pages;
	pthread_mutex_lock(&kvm->lock);
	gms_kvm_txn_begin(kvm);
	pthread_mutex_unlock(&kvm->lock);
}

static void invalidate_end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;

	pthread_mutex_lock(&kvm->lock);
	gms_kvm_guest_clean(kvm, start, start + nr_pages);
	gms_kvm_txn_end(kvm);
	pthread_mutex_unlock(&kvm->lock);
}

const struct gms_backend_ops *gms_kvm_backend(void)
{
	static const struct gms_backend_ops ops = {
		.struct_size = sizeof(ops),
		.unmap_host = unmap_host,
		.invalidate_begin = invalidate_begin,
		.apply = apply,
		.undo = undo,
		.invalidate_end = invalidate_end,
		.map_host = map_host,
		.repair = repair,
	};

	return &ops;
}
