// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * host.c - what the host sees, and memory that nobody sees
 *
 * One range of addresses, at first a mapping of all of the shared memory. What is private
 * is mapped over with memory that refuses: the private guest_memfd where that can be mapped, as
 * KVM answers a touch with SIGBUS, else an empty memfd, as each touch is beyond its end. The
 * offset in the file is the index in both, so that neighbours are one mapping to the kernel.
 * Never unmapped in between: an address that were free for a moment might be taken.
 *
 * In place it is the guest_memfd, and the kernel does all this by itself.
 */
#include "kvm_priv.h"

int gms_kvm_host_init(struct gms_kvm *kvm)
{
	void *at = NULL;
	int err;

	err = kvm->sys.map(kvm->sys.ctx, &at, gms_kvm_bytes(kvm->opts.nr_pages), kvm->shared_fd, 0);
	if (!err)
		kvm->host = at;
	return err;
}

static int map(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	void *at = kvm->host + gms_kvm_bytes(start);

	return kvm->sys.map(kvm->sys.ctx, &at, gms_kvm_bytes(end - start),
			    hidden ? kvm->refusing_fd : kvm->shared_fd, gms_kvm_bytes(start));
}

/* A kernel may unmap what was there before it finds that it cannot map; most look first. */
static bool intact(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	return !kvm->sys.look(kvm->sys.ctx, kvm->host + gms_kvm_bytes(start),
			      gms_kvm_bytes(end - start));
}

static int set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	struct gms_rtree_reserve reserve;
	int err;

	err = gms_rtree_prepare(kvm->hidden, start, end - start, &reserve);
	if (err)
		return err;
	err = map(kvm, start, end, hidden);
	if (!err)
		gms_rtree_commit(kvm->hidden, start, end - start, hidden, &reserve);
	else if (!intact(kvm, start, end))
		kvm->torn = true; /* whoever takes this back maps all of it */
	gms_rtree_release(kvm->hidden, &reserve);
	return err;
}

int gms_kvm_host_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	struct gms_rtree_run run;
	int err = 0;

	if (kvm->way == GMS_KVM_IN_PLACE)
		return 0;
	if (kvm->torn)
		return set(kvm, start, end, hidden);
	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->hidden, at, end, &run);
	     at += run.nr_pages)
		if (run.set != hidden)
			err = set(kvm, run.start, run.start + run.nr_pages, hidden);
	return err;
}

int gms_kvm_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		  enum gms_shareability side)
{
	return kvm->sys.punch(kvm->sys.ctx, side == GMS_PRIVATE ? kvm->private_fd : kvm->shared_fd,
			      gms_kvm_bytes(start), gms_kvm_bytes(end - start));
}

/* A run of stale pages, all of them private or all of them shared. */
static void clean_run(struct gms_kvm *kvm, const struct gms_rtree_run *run)
{
	const gms_pgoff_t end = run->start + run->nr_pages;
	struct gms_rtree_reserve reserve;

	if (gms_rtree_prepare(kvm->stale, run->start, run->nr_pages, &reserve))
		return;
	if (!gms_kvm_punch(kvm, run->start, end, run->set ? GMS_SHARED : GMS_PRIVATE))
		gms_rtree_commit(kvm->stale, run->start, run->nr_pages, false, &reserve);
	gms_rtree_release(kvm->stale, &reserve);
}

void gms_kvm_host_clean(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	struct gms_rtree_run stale, run;

	if (kvm->way == GMS_KVM_IN_PLACE)
		return;
	for (; gms_rtree_next(kvm->stale, start, end, &stale); start += stale.nr_pages) {
		const gms_pgoff_t stale_end = stale.start + stale.nr_pages;

		for (gms_pgoff_t at = stale.start;
		     stale.set && gms_rtree_next(kvm->private, at, stale_end, &run);
		     at += run.nr_pages)
			clean_run(kvm, &run);
	}
}
