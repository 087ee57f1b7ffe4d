// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm.c - making the memory of a guest, and freeing it
 */
#include "kvm_priv.h"
#include "uapi.h"

#include <stdlib.h>
#include <string.h>

/* Slot numbers have 16 bits; above these is the address space. */
#define MAX_SLOTS (1U << 16)

static void *libc_alloc(void *ctx, size_t size, size_t align)
{
	void *ptr;

	(void)ctx;
	return posix_memalign(&ptr, align, size) ? NULL : ptr;
}

static void libc_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	(void)size;
	(void)align;
	free(ptr);
}

static const struct gms_allocator libc_allocator = {
	.struct_size = sizeof(libc_allocator),
	.alloc = libc_alloc,
	.free = libc_free,
};

static bool opts_ok(const struct gms_kvm_opts *opts)
{
	const unsigned char *bytes = (const unsigned char *)opts;

	if (opts->struct_size < sizeof(*opts))
		return false;
	for (size_t i = sizeof(*opts); i < opts->struct_size; i++)
		if (bytes[i])
			return false;
	return opts->way <= GMS_KVM_MEMSLOTS && opts->nr_pages && opts->nr_pages <= GMS_MAX_PAGES &&
	       opts->nr_slots && opts->nr_slots <= MAX_SLOTS &&
	       opts->first_slot <= MAX_SLOTS - opts->nr_slots &&
	       !opts->stop_vcpus == !opts->resume_vcpus;
}

static int pick(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		enum gms_kvm_way *way)
{
	const unsigned int ways = gms_kvm_ways_on(sys, opts->vm_fd);
	int max_slots;

	*way = opts->way ? opts->way : GMS_KVM_IN_PLACE;
	while (!opts->way && *way < GMS_KVM_MEMSLOTS && !(ways & 1U << *way))
		(*way)++;
	if (!(ways & 1U << *way))
		return -EOPNOTSUPP;
	max_slots = sys->ioctl(sys->ctx, opts->vm_fd, KVM_CHECK_EXTENSION,
			       (void *)(uintptr_t)KVM_CAP_NR_MEMSLOTS);
	if (max_slots > 0 && opts->first_slot + opts->nr_slots > (unsigned int)max_slots)
		return -EINVAL;
	return 0;
}

static int keep_fd(int *fd, int ret)
{
	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}

static int make_memory(struct gms_kvm *kvm)
{
	const uint64_t mmap = GUEST_MEMFD_FLAG_MMAP, shared = mmap | GUEST_MEMFD_FLAG_INIT_SHARED;
	const struct gms_kvm_sys *sys = &kvm->sys;
	const uint64_t nr_pages = kvm->opts.nr_pages;
	const int vm_fd = kvm->opts.vm_fd;
	int err;

	if (kvm->way == GMS_KVM_ATTRIBUTES) {
		err = keep_fd(&kvm->shared_fd,
			      sys->memfd(sys->ctx, "gmemstate-shared", gms_kvm_bytes(nr_pages)));
		if (!err)
			err = keep_fd(&kvm->private_fd,
				      gms_kvm_guest_memfd(sys, vm_fd, nr_pages, 0));
		if (!err)
			err = keep_fd(&kvm->refusing_fd,
				      sys->memfd(sys->ctx, "gmemstate-private", 0));
	} else {
		err = keep_fd(&kvm->shared_fd, gms_kvm_guest_memfd(sys, vm_fd, nr_pages, shared));
		if (!err && kvm->way == GMS_KVM_MEMSLOTS) {
			err = keep_fd(&kvm->private_fd,
				      gms_kvm_guest_memfd(sys, vm_fd, nr_pages, mmap));
			kvm->refusing_fd = kvm->private_fd;
		}
	}
	return err ? err : gms_kvm_host_init(kvm);
}

static int make_records(struct gms_kvm *kvm)
{
	const unsigned int nr_slots = kvm->opts.nr_slots;
	const struct gms_allocator *a = &kvm->allocator;
	struct gms_rtree **const trees[] = {&kvm->private, &kvm->hidden, &kvm->stale};
	int err = 0;

	kvm->slots = a->alloc(a->ctx, nr_slots * sizeof(*kvm->slots), sizeof(void *));
	kvm->free_ids = a->alloc(a->ctx, nr_slots * sizeof(*kvm->free_ids), sizeof(void *));
	if (!kvm->slots || !kvm->free_ids)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr_slots; i++)
		kvm->free_ids[i] = kvm->opts.first_slot + nr_slots - 1 - i;
	for (size_t i = 0; !err && i < sizeof(trees) / sizeof(trees[0]); i++)
		err = gms_rtree_create(kvm->opts.nr_pages, GMS_RTREE_NONE, a, trees[i]);
	return err;
}

static void close_fd(struct gms_kvm *kvm, int fd)
{
	if (fd >= 0)
		kvm->sys.close(kvm->sys.ctx, fd);
}

void gms_kvm_destroy(struct gms_kvm *kvm)
{
	struct gms_allocator a;

	if (!kvm)
		return;
	a = kvm->allocator;
	gms_kvm_maps_fini(kvm);
	if (kvm->host)
		kvm->sys.unmap(kvm->sys.ctx, kvm->host, gms_kvm_bytes(kvm->opts.nr_pages));
	if (kvm->refusing_fd != kvm->private_fd)
		close_fd(kvm, kvm->refusing_fd);
	close_fd(kvm, kvm->private_fd);
	close_fd(kvm, kvm->shared_fd);
	gms_rtree_destroy(kvm->stale);
	gms_rtree_destroy(kvm->hidden);
	gms_rtree_destroy(kvm->private);
	if (kvm->slots)
		a.free(a.ctx, kvm->slots, kvm->opts.nr_slots * sizeof(*kvm->slots), sizeof(void *));
	if (kvm->free_ids)
		a.free(a.ctx, kvm->free_ids, kvm->opts.nr_slots * sizeof(*kvm->free_ids),
		       sizeof(void *));
	pthread_mutex_destroy(&kvm->lock);
	a.free(a.ctx, kvm, sizeof(*kvm), sizeof(void *));
}

int gms_kvm_create_on(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		      const struct gms_allocator *allocator, struct gms_kvm **created)
{
	enum gms_kvm_way way;
	struct gms_kvm *kvm;
	int err;

	if (!opts_ok(opts))
		return -EINVAL;
	err = pick(opts, sys, &way);
	if (err)
		return err;
	kvm = allocator->alloc(allocator->ctx, sizeof(*kvm), sizeof(void *));
	if (!kvm)
		return -ENOMEM;
	memset(kvm, 0, sizeof(*kvm));
	kvm->sys = *sys;
	kvm->allocator = *allocator;
	kvm->opts = *opts;
	kvm->way = way;
	kvm->shared_fd = kvm->private_fd = kvm->refusing_fd = -1;
	pthread_mutex_init(&kvm->lock, NULL);
	err = make_records(kvm);
	if (!err)
		err = make_memory(kvm);
	if (err)
		gms_kvm_destroy(kvm);
	else
		*created = kvm;
	return err;
}

int gms_kvm_create(const struct gms_kvm_opts *opts, struct gms_kvm **kvm)
{
	return gms_kvm_create_on(opts, &gms_kvm_sys_linux, &libc_allocator, kvm);
}

enum gms_kvm_way gms_kvm_get_way(const struct gms_kvm *kvm)
{
	return kvm->way;
}

void *gms_kvm_host(const struct gms_kvm *kvm)
{
	return kvm->host;
}
