// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * host.c - the host's view of the memory, KVM's window, and punching
 *
 * The view begins as one mapping of all of shared_file, or, with GMS_KVM_INIT_PRIVATE, of all of
 * refusing_file. A private page is hidden by a mapping of refusing_file in its place:
 *
 *	view	| shared_file | refusing_file |    shared_file    | refusing_file |
 *	index	0             10              20                  30
 *
 * By memslots, refusing_file is the private guest_memfd: KVM answers a touch with SIGBUS. By
 * attributes a guest_memfd cannot be mapped, so refusing_file is an empty memfd: each touch is
 * beyond its end. In both files the offset follows the index, so the kernel merges neighbouring
 * mappings of one file.
 *
 * Pages are not hidden like this, and kvm->hides is not set, in three cases: in place, where the
 * kernel itself refuses the host; in a mapping of the VMM, which must not be replaced; and in
 * hugetlbfs, which maps whole huge pages only.
 *
 * The window is the address at which KVM looks for shared pages. By attributes, if the view hides
 * pages, the window is a second mapping: so no vCPU faults on a page while the view's mapping of
 * the page is being replaced. In all other cases the window is the view. By memslots, KVM looks
 * only at its alignment.
 */
#include "host.h"

#include <gmemstate/order.h>

#include <string.h>

/* Returns the size in bytes of the smallest part of a file that can be mapped; or -errno. */
static int64_t host_grain(struct gms_kvm *kvm, int fd)
{
	return kvm->sys.grain ? kvm->sys.grain(kvm->sys.ctx, fd) : (int64_t)gms_kvm_bytes(1);
}

/* Maps all pages of a file at a multiple of 2M, or of 1G if the memory is 1G or more. */
static int host_map_all(struct gms_kvm *kvm, const struct gms_kvm_file *file,
			unsigned char **mapped)
{
	const uint64_t size = gms_kvm_bytes(kvm->opts.nr_pages);
	const bool large = kvm->opts.nr_pages >= gms_order_pages(GMS_ORDER_1G);
	const uint64_t align = gms_order_pages(large ? GMS_ORDER_1G : GMS_ORDER_2M);
	const bool reserved = kvm->sys.reserve;
	void *at = NULL;
	int err = 0;

	if (reserved)
		err = kvm->sys.reserve(kvm->sys.ctx, &at, size, gms_kvm_bytes(align));
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
	const bool attributes = kvm->mode == GMS_KVM_ATTRIBUTES;
	const struct gms_kvm_file *first = &kvm->shared_file;
	int64_t grain = (int64_t)gms_kvm_bytes(1);
	int err;

	if (kvm->opts.flags & GMS_KVM_HOST) {
		kvm->host = kvm->window = kvm->opts.host;
		return 0;
	}
	if (kvm->opts.flags & GMS_KVM_SHARED_FD)
		grain = host_grain(kvm, kvm->shared_file.fd);
	if (grain < 0)
		return (int)grain;
	/* the kernel would extend the mapping to whole huge pages, over another mapping */
	if (!grain || gms_kvm_bytes(kvm->opts.nr_pages) % (uint64_t)grain)
		return gms_kvm_because(-EINVAL, "the size is no multiple of the file's page size");
	kvm->hides = kvm->mode != GMS_KVM_IN_PLACE && grain == (int64_t)gms_kvm_bytes(1);
	if (kvm->hides && kvm->opts.flags & GMS_KVM_INIT_PRIVATE)
		first = &kvm->refusing_file;
	err = host_map_all(kvm, first, &kvm->host);
	if (!err && attributes && kvm->hides)
		err = host_map_all(kvm, &kvm->shared_file, &kvm->window);
	else
		kvm->window = kvm->host;
	return err;
}

static int host_unmap(struct gms_kvm *kvm, unsigned char **mapped)
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
	err = host_unmap(kvm, &kvm->window);
	return err ? err : host_unmap(kvm, &kvm->host);
}

/* ---- hiding and showing ---- */

/* Replaces the mapping of [start, end) in the view. Records nothing. */
static int host_remap(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	const struct gms_kvm_file *file = hidden ? &kvm->refusing_file : &kvm->shared_file;
	void *at = kvm->host + gms_kvm_bytes(start);
	const int err = kvm->sys.map(kvm->sys.ctx, &at, gms_kvm_bytes(end - start), file->fd,
				     file->offset + gms_kvm_bytes(start));

	return err ? gms_kvm_because(err, "mmap() of the host's view failed: vm.max_map_count?")
		   : 0;
}

/* Returns true if all of [start, end) is mapped. A failing mmap() may have unmapped its range. */
static bool host_is_mapped(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	return !kvm->sys.look(kvm->sys.ctx, kvm->host + gms_kvm_bytes(start),
			      gms_kvm_bytes(end - start));
}

/*
 * Hides or shows one run. Returns 0 or -errno. After a failure the run is as before; or, if its
 * mapping was lost, it is hidden; or, if hiding it failed, too, kvm->torn is set.
 */
static int host_set_run(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end, bool hidden)
{
	struct gms_rtree_reserve reserve;
	bool done;
	int err;

	err = gms_rtree_prepare(kvm->hidden, start, end - start, &reserve);
	if (err)
		return err;
	err = host_remap(kvm, start, end, hidden);
	done = !err;
	if (err && !host_is_mapped(kvm, start, end)) {
		hidden = true;
		done = !host_remap(kvm, start, end, true);
		kvm->torn |= !done;
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

	if (!kvm->hides)
		return 0;
	if (kvm->torn) /* hidden may be wrong: map all of the range */
		return host_set_run(kvm, start, end, hidden);
	for (gms_pgoff_t at = start; !err && gms_rtree_next(kvm->hidden, at, end, &run);
	     at += run.nr_pages)
		if (run.set != hidden)
			err = host_set_run(kvm, run.start, run.start + run.nr_pages, hidden);
	return err;
}

/* ---- punching ---- */

/* Fills [start, end) of the VMM's mapping with 0. */
static int host_discard(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end)
{
	unsigned char *at = kvm->host + gms_kvm_bytes(start);

	if (kvm->sys.discard)
		return kvm->sys.discard(kvm->sys.ctx, at, gms_kvm_bytes(end - start));
	memset(at, 0, gms_kvm_bytes(end - start));
	return 0;
}

int gms_kvm_host_punch(struct gms_kvm *kvm, gms_pgoff_t start, gms_pgoff_t end,
		       enum gms_shareability side)
{
	const struct gms_kvm_file *file =
		side == GMS_PRIVATE ? &kvm->private_file : &kvm->shared_file;

	if (side == GMS_SHARED && kvm->opts.flags & GMS_KVM_HOST)
		return host_discard(kvm, start, end);
	return kvm->sys.punch(kvm->sys.ctx, file->fd, file->offset + gms_kvm_bytes(start),
			      gms_kvm_bytes(end - start));
}

void *gms_kvm_host(const struct gms_kvm *kvm)
{
	return kvm->host;
}
