// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * host.c - what the host sees, and punching
 *
 * The view is one range of addresses, at first a mapping of all of the shared memory (with
 * GMS_KVM_INIT_PRIVATE: of none). What is private is mapped over with memory that refuses: the
 * private guest_memfd where that can be mapped, as KVM answers a touch with SIGBUS, else an empty
 * memfd, as each touch is beyond its end. The offset in the file follows the index in both, so that
 * neighbours are one mapping to the kernel. Never unmapped in between: an address that were free
 * for a moment might be taken.
 *
 * The view is not cut like that in place, where the kernel does all this by itself; in a mapping of
 * the caller's; and where the shared memory is of hugetlbfs, which maps whole huge pages only.
 *
 * The window is where KVM looks for shared pages. By attributes, where the view is cut, it is a
 * mapping of its own, so that no vCPU meets a page that is just being mapped over. By memslots it
 * is the view: KVM does not look at the address there, but for its alignment.
 */
#include "host.h"

#include <string.h>

static int64_t grain_of(struct gms_kvm *kvm, int fd)
{
	return kvm->sys.grain ? kvm->sys.grain(kvm->sys.ctx, fd) : (int64_t)gms_kvm_bytes(1);
}

/* A mapping of all of a file's pages, at a multiple of 2M, or of 1G where it is that large. */
static int map_all(struct gms_kvm *kvm, const struct gms_kvm_file *file, unsigned char **mapped)
{
	const uint64_t size = gms_kvm_bytes(kvm->opts.nr_pages);
	const unsigned int order = kvm->opts.nr_pages >> GMS_ORDER_1G ? GMS_ORDER_1G : GMS_ORDER_2M;
	const bool reserved = kvm->sys.reserve;
	void *at = NULL;
	int err = 0;

	if (reserved)
		err = kvm->sys.reserve(kvm->sys.ctx, &at, size, gms_kvm_bytes(1ULL << order));
	if (err)
		return err;
	err = kvm->sys.map(kvm->sys.ctx, &at, size, file->fd, file->offset);
	if (!err)
		*mapped = at;
	else if (reserved)
		kvm->sys.unmap(kvm->sys.ctx, at, size);
	return err;
}

int gms_kvm_host_init(struct gms_kvm *kvm)
{
	const bool attributes = kvm->way == GMS_KVM_ATTRIBUTES;
	const struct gms_kvm_file *first = &kvm->shared_file;
	int64_t grain = (int64_t)gms_kvm_bytes(1);
	int err;

	if (kvm->opts.flags & GMS_KVM_HOST) {
		kvm->host = kvm->window = kvm->opts.host;
		return 0;
	}
	if (kvm->opts.flags & GMS_KVM_SHARED_FD)
		grain = grain_of(kvm, kvm->shared_file.fd);
	if (grain < 0)
		return (int)grain;
	/* a mapping of a part of a huge page would be made larger, over what is not ours */
	if (!grain || gms_kvm_bytes(kvm->opts.nr_pages) % (uint64_t)grain)
		return -EINVAL;
	kvm->cut = kvm->way != GMS_KVM_IN_PLACE && grain == (int64_t)gms_kvm_bytes(1);
	if (kvm->cut && kvm->opts.flags & GMS_KVM_INIT_PRIVATE)
		first = &kvm->refusing_file;
	err = map_all(kvm, first, &kvm->host);
	if (!err && attributes && kvm->cut)
		err = map_all(kvm, &kvm->shared_file, &kvm->window);
	else
		kvm->window = kvm->host;
	return err;
}

static int unmap(struct gms_kvm *kvm, unsigned char **mapped)
{
	int err = 0;

	if (*mapped)
		err = kvm->sys.unmap(kvm->sys.ctx, *mapped, gms_kvm_bytes(kvm->opts.nr_pages));
	if (!err)
		*mapped = NULL;
	return err;
}

int gms_kvm_host_fini(struct gms_kvm *kvm)
{
	int err;

	if (kvm->opts.flags & GMS_KVM_HOST)
		return 0;
	if (kvm->window == kvm->host)
		kvm->window = NULL;
	err = unmap(kvm, &kvm->window);
	return err ? err : unmap(kvm, &kvm->host);
}

/* ---- hiding and showing ---- */

static int map(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	const struct gms_kvm_file *file = hidden ? &kvm->refusing_file : &kvm->shared_file;
	void *at = kvm->host + gms_kvm_bytes(start);

	return kvm->sys.map(kvm->sys.ctx, &at, gms_kvm_bytes(end - start), file->fd,
			    file->offset + gms_kvm_bytes(start));
}

/* A kernel may unmap what was there before it finds that it cannot map; most look first. */
static bool intact(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	return !kvm->sys.look(kvm->sys.ctx, kvm->host + gms_kvm_bytes(start),
			      gms_kvm_bytes(end - start));
}

/* On failure the range is as it was, or all hidden; or torn, where that fails, too. */
static int set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	struct gms_rtree_reserve reserve;
	bool done;
	int err;

	err = gms_rtree_prepare(kvm->hidden, start, end - start, &reserve);
	if (err)
		return err;
	err = map(kvm, start, end, hidden);
	done = !err;
	if (err && !intact(kvm, start, end)) {
		hidden = true;
		done = !map(kvm, start, end, true);
		kvm->torn |= !done; /* whoever takes this back maps all of it */
	}
	if (done)
		gms_rtree_commit(kvm->hidden, start, end - start, hidden, &reserve);
	gms_rtree_release(kvm->hidden, &reserve);
	return err;
}

int gms_kvm_host_set(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	struct gms_rtree_run run;
	int err = 0;

	if (!kvm->cut)
		return 0;
	if (kvm->torn)
		return set(kvm, start, end, hidden);
	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->hidden, at, end, &run);
	     at += run.nr_pages)
		if (run.set != hidden)
			err = set(kvm, run.start, run.start + run.nr_pages, hidden);
	return err;
}

/* ---- punching ---- */

static int discard(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	unsigned char *at = kvm->host + gms_kvm_bytes(start);

	if (kvm->sys.discard)
		return kvm->sys.discard(kvm->sys.ctx, at, gms_kvm_bytes(end - start));
	memset(at, 0, gms_kvm_bytes(end - start));
	return 0;
}

int gms_kvm_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		  enum gms_shareability side)
{
	const struct gms_kvm_file *file =
		side == GMS_PRIVATE ? &kvm->private_file : &kvm->shared_file;

	if (side == GMS_SHARED && kvm->opts.flags & GMS_KVM_HOST)
		return discard(kvm, start, end);
	return kvm->sys.punch(kvm->sys.ctx, file->fd, file->offset + gms_kvm_bytes(start),
			      gms_kvm_bytes(end - start));
}
