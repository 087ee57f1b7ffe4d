// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm.c - making the memory of a guest, and freeing it
 */
#include "base/opts.h"
#include "host.h"
#include "maps.h"
#include "probe.h"
#include "uapi.h"

#include <stdlib.h>
#include <string.h>

/* Slot numbers have 16 bits; above these is the address space. */
#define MAX_SLOTS (1U << 16)

#define FLAGS (GMS_KVM_INIT_PRIVATE | GMS_KVM_GUEST_MEMFD | GMS_KVM_SHARED_FD | GMS_KVM_HOST)

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

static bool place_ok(const struct gms_kvm_opts *opts, unsigned int flag, uint64_t at)
{
	const uint64_t size = gms_kvm_bytes(opts->nr_pages);

	return !(opts->flags & flag) || (!(at & (gms_kvm_bytes(1) - 1)) && at <= INT64_MAX - size);
}

static bool opts_ok(const struct gms_kvm_opts *opts)
{
	const unsigned int both = GMS_KVM_SHARED_FD | GMS_KVM_HOST;

	return opts->way <= GMS_KVM_MEMSLOTS && opts->nr_pages && opts->nr_pages <= GMS_MAX_PAGES &&
	       opts->nr_slots && opts->nr_slots <= MAX_SLOTS &&
	       opts->first_slot <= MAX_SLOTS - opts->nr_slots &&
	       !opts->stop_vcpus == !opts->resume_vcpus && !(opts->flags & ~FLAGS) &&
	       (opts->flags & both) != both &&
	       place_ok(opts, GMS_KVM_GUEST_MEMFD, opts->guest_memfd_offset) &&
	       place_ok(opts, GMS_KVM_SHARED_FD, opts->shared_offset) &&
	       place_ok(opts, GMS_KVM_HOST, (uintptr_t)opts->host) &&
	       (opts->host || !(opts->flags & GMS_KVM_HOST));
}

/* The ways that can follow the flags: a set of bits, 1 << way. */
static unsigned int ways_of(unsigned int flags)
{
	if (flags & (GMS_KVM_SHARED_FD | GMS_KVM_HOST))
		return 1U << GMS_KVM_ATTRIBUTES;
	if (flags & GMS_KVM_GUEST_MEMFD)
		return 1U << GMS_KVM_IN_PLACE | 1U << GMS_KVM_ATTRIBUTES;
	return UINT32_MAX;
}

static int pick(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		enum gms_kvm_way *way)
{
	const unsigned int can = ways_of(opts->flags);
	unsigned int ways;
	int max_slots;

	if (opts->way && !(can & 1U << opts->way))
		return -EINVAL;
	ways = gms_kvm_ways_on(sys, opts->vm_fd) & can;
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

static int keep(struct gms_kvm_file *file, int fd)
{
	if (fd < 0)
		return fd;
	file->fd = fd;
	return 0;
}

static void adopt(struct gms_kvm_file *file, int fd, uint64_t offset)
{
	*file = (struct gms_kvm_file) {.fd = fd, .offset = offset, .theirs = true};
}

static int make_guest_memfd(struct gms_kvm *kvm, struct gms_kvm_file *file, uint64_t flags)
{
	const struct gms_kvm_opts *opts = &kvm->opts;

	if (opts->flags & GMS_KVM_GUEST_MEMFD) {
		adopt(file, opts->guest_memfd, opts->guest_memfd_offset);
		return 0;
	}
	return keep(file, gms_kvm_guest_memfd(&kvm->sys, opts->vm_fd, opts->nr_pages, flags));
}

static int make_memfd(struct gms_kvm *kvm, struct gms_kvm_file *file, const char *name,
		      uint64_t nr_pages)
{
	return keep(file, kvm->sys.memfd(kvm->sys.ctx, name, gms_kvm_bytes(nr_pages)));
}

/* By attributes. */
static int make_two_sides(struct gms_kvm *kvm)
{
	const struct gms_kvm_opts *opts = &kvm->opts;
	int err = 0;

	if (opts->flags & GMS_KVM_SHARED_FD)
		adopt(&kvm->shared_file, opts->shared_fd, opts->shared_offset);
	else if (!(opts->flags & GMS_KVM_HOST))
		err = make_memfd(kvm, &kvm->shared_file, "gmemstate-shared", opts->nr_pages);
	if (!err)
		err = make_guest_memfd(kvm, &kvm->private_file, 0);
	if (!err)
		err = make_memfd(kvm, &kvm->refusing_file, "gmemstate-private", 0);
	return err;
}

static int make_memory(struct gms_kvm *kvm)
{
	const uint64_t mmap = GUEST_MEMFD_FLAG_MMAP, shared = mmap | GUEST_MEMFD_FLAG_INIT_SHARED;
	const bool private = kvm->opts.flags & GMS_KVM_INIT_PRIVATE;
	int err;

	switch (kvm->way) {
	case GMS_KVM_IN_PLACE:
		err = make_guest_memfd(kvm, &kvm->shared_file, private ? mmap : shared);
		break;
	case GMS_KVM_ATTRIBUTES:
		err = make_two_sides(kvm);
		break;
	default:
		err = make_guest_memfd(kvm, &kvm->shared_file, shared);
		if (!err)
			err = make_guest_memfd(kvm, &kvm->private_file, mmap);
		kvm->refusing_file = kvm->private_file;
		kvm->refusing_file.theirs = true; /* closed once */
		break;
	}
	return err ? err : gms_kvm_host_init(kvm);
}

static int make_records(struct gms_kvm *kvm)
{
	const struct gms_kvm_opts *opts = &kvm->opts;
	const bool private = opts->flags & GMS_KVM_INIT_PRIVATE;
	/* nobody knows what a guest_memfd was told before */
	const bool unsure = kvm->way == GMS_KVM_IN_PLACE && opts->flags & GMS_KVM_GUEST_MEMFD;
	const struct gms_allocator *a = &kvm->allocator;
	struct {
		struct gms_rtree **tree;
		bool all;
	} const records[] = {
		{&kvm->private, private},
		{&kvm->hidden, private && kvm->cut},
		{&kvm->stale, false},
		{&kvm->unsure, unsure},
	};
	int err = 0;

	kvm->slots = a->alloc(a->ctx, opts->nr_slots * sizeof(*kvm->slots), sizeof(void *));
	kvm->free_ids = a->alloc(a->ctx, opts->nr_slots * sizeof(*kvm->free_ids), sizeof(void *));
	if (!kvm->slots || !kvm->free_ids)
		return -ENOMEM;
	for (unsigned int i = 0; i < opts->nr_slots; i++)
		kvm->free_ids[i] = opts->first_slot + opts->nr_slots - 1 - i;
	for (size_t i = 0; !err && i < sizeof(records) / sizeof(records[0]); i++)
		err = gms_rtree_create(opts->nr_pages,
				       records[i].all ? GMS_RTREE_ALL : GMS_RTREE_NONE, a,
				       records[i].tree);
	return err;
}

static void close_file(struct gms_kvm *kvm, const struct gms_kvm_file *file)
{
	if (file->fd >= 0 && !file->theirs)
		kvm->sys.close(kvm->sys.ctx, file->fd);
}

static void free_all(struct gms_kvm *kvm)
{
	const struct gms_allocator a = kvm->allocator;
	const unsigned int nr_slots = kvm->opts.nr_slots;

	close_file(kvm, &kvm->refusing_file);
	close_file(kvm, &kvm->private_file);
	close_file(kvm, &kvm->shared_file);
	gms_rtree_destroy(kvm->unsure);
	gms_rtree_destroy(kvm->stale);
	gms_rtree_destroy(kvm->hidden);
	gms_rtree_destroy(kvm->private);
	if (kvm->slots)
		a.free(a.ctx, kvm->slots, nr_slots * sizeof(*kvm->slots), sizeof(void *));
	if (kvm->free_ids)
		a.free(a.ctx, kvm->free_ids, nr_slots * sizeof(*kvm->free_ids), sizeof(void *));
	pthread_mutex_destroy(&kvm->lock);
	a.free(a.ctx, kvm, sizeof(*kvm), sizeof(void *));
}

int gms_kvm_destroy(struct gms_kvm *kvm)
{
	int err;

	if (!kvm)
		return 0;
	err = gms_kvm_maps_fini(kvm);
	if (!err)
		err = gms_kvm_host_fini(kvm);
	if (!err)
		free_all(kvm);
	return err;
}

int gms_kvm_create_on(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		      const struct gms_allocator *allocator, struct gms_kvm **created)
{
	struct gms_kvm_opts copy;
	enum gms_kvm_way way;
	struct gms_kvm *kvm;
	int err;

	if (!gms_opts_copy(&copy, sizeof(copy), opts,
			   GMS_OPTS_END(struct gms_kvm_opts, nr_slots)) ||
	    !opts_ok(&copy))
		return -EINVAL;
	err = pick(&copy, sys, &way);
	if (err)
		return err;
	kvm = allocator->alloc(allocator->ctx, sizeof(*kvm), sizeof(void *));
	if (!kvm)
		return -ENOMEM;
	memset(kvm, 0, sizeof(*kvm));
	kvm->sys = *sys;
	kvm->allocator = *allocator;
	kvm->opts = copy;
	kvm->way = way;
	kvm->shared_file.fd = kvm->private_file.fd = kvm->refusing_file.fd = -1;
	pthread_mutex_init(&kvm->lock, NULL);
	err = make_memory(kvm);
	if (!err)
		err = make_records(kvm);
	if (!err) {
		*created = kvm;
		return 0;
	}
	gms_kvm_host_fini(kvm); /* no memslot points there: where this fails, addresses are lost */
	free_all(kvm);
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
