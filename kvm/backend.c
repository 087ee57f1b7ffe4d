// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * backend.c - the hooks that the engine calls: they convert the memory as the state is converted
 *
 *	unmap_host		hides the range from the host, before a conversion to private
 *	invalidate_begin	begins to reserve freed slots for the undo (S4 of slots.h)
 *	apply	to private	hides the range from the host, then changes the guest's side
 *		to shared	changes the guest's side, then shows the range to the host
 *	undo			applies the former shareability, and keeps what the pages hold
 *	invalidate_end		punches the unused sides out: the conversion stands or was undone
 *	map_host		shows the shared pages to the host again, if nothing was converted
 *	repair			does what apply does, but the guest may see either side at first
 *
 * If apply fails, it undoes what it did. If it cannot do that, it reports all of its run as done.
 * Then the engine calls undo for all of the run, which is one more attempt. That attempt starts
 * from the records, so it does nothing for pages that are right already.
 *
 * Each hook takes gms_kvm.lock. The engine holds locks of the state object when it calls a hook.
 */
#include "guest.h"
#include "host.h"
#include "slots.h"

/* Makes the guest and the host see [start, end) as @to, in the order of K2. */
static int backend_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		       enum gms_shareability to, bool keep, gms_pgoff_t *failed)
{
	int err = 0;

	if (!gms_kvm_guest_fits(kvm, start, end, to))
		return gms_kvm_because(-ENOSPC, GMS_KVM_WHY_SLOTS);
	if (to == GMS_PRIVATE)
		err = gms_kvm_host_set(kvm, start, end, true);
	if (!err)
		err = gms_kvm_guest_set(kvm, start, end, to, keep, failed);
	if (!err && to == GMS_SHARED)
		err = gms_kvm_host_set(kvm, start, end, false);
	return err;
}

static int backend_apply(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to,
			 gms_pgoff_t *failed)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_guest_prepare(kvm, start, end);
	if (err)
		goto unlock;
	/*
	 * In place, this may set *failed to a pinned page. The engine then undoes the pages before
	 * it. That does nothing, because the second call has already changed them back.
	 */
	err = backend_set(kvm, start, end, to, false, failed);
	if (err && backend_set(kvm, start, end, gms_kvm_other(to), true, NULL))
		*failed = end;
unlock:
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int backend_undo(void *ctx, gms_pgoff_t start, uint64_t nr_pages,
			enum gms_shareability back_to)
{
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = backend_set(kvm, start, start + nr_pages, back_to, true, NULL);
	if (err)
		gms_kvm_guest_mark_unsure(kvm, start, start + nr_pages);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int backend_repair(void *ctx, gms_pgoff_t start, uint64_t nr_pages, enum gms_shareability to)
{
	const gms_pgoff_t end = start + nr_pages;
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_guest_prepare(kvm, start, end);
	if (!err)
		err = backend_set(kvm, start, end, to, false, NULL);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int backend_unmap_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;
	int err;

	pthread_mutex_lock(&kvm->lock);
	err = gms_kvm_host_set(kvm, start, start + nr_pages, true);
	pthread_mutex_unlock(&kvm->lock);
	return err;
}

static int backend_map_host(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
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

static void backend_invalidate_begin(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;

	(void)start;
	(void)nr_pages;
	pthread_mutex_lock(&kvm->lock);
	gms_kvm_txn_begin(kvm);
	pthread_mutex_unlock(&kvm->lock);
}

static void backend_invalidate_end(void *ctx, gms_pgoff_t start, uint64_t nr_pages)
{
	struct gms_kvm *kvm = ctx;

	pthread_mutex_lock(&kvm->lock);
	gms_kvm_guest_punch_stale(kvm, start, start + nr_pages);
	gms_kvm_txn_end(kvm);
	pthread_mutex_unlock(&kvm->lock);
}

const struct gms_backend_ops *gms_kvm_backend(void)
{
	static const struct gms_backend_ops ops = {
		.struct_size = sizeof(ops),
		.unmap_host = backend_unmap_host,
		.invalidate_begin = backend_invalidate_begin,
		.apply = backend_apply,
		.undo = backend_undo,
		.invalidate_end = backend_invalidate_end,
		.map_host = backend_map_host,
		.repair = backend_repair,
	};

	return &ops;
}
