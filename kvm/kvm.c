// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kvm.c - creation and destruction of the memory of a guest
 *
 * Creation picks a mode, and then makes the files, the host's view and the records. If that fails,
 * all of them are freed: no memslot exists yet. Destruction deletes the memslots first, and stops
 * if one cannot be deleted: nothing that a memslot points to is unmapped, closed or freed.
 *
 * Both run alone, without gms_kvm.lock.
 */
#include "base/opts.h"
#include "host.h"
#include "maps.h"
#include "uapi.h"
#include "ways.h"

#include <stdlib.h>
#include <string.h>

/* KVM's slot numbers have 16 bits; the bits above select the address space. */
#define GMS_KVM_MAX_SLOTS (1U << 16)

#define GMS_KVM_ALL_FLAGS \
	(GMS_KVM_INIT_PRIVATE | GMS_KVM_GUEST_MEMFD | GMS_KVM_SHARED_FD | GMS_KVM_HOST)

static void *kvm_libc_alloc(void *ctx, size_t size, size_t align)
{
	void *ptr;

	(void)ctx;
	return posix_memalign(&ptr, align, size) ? NULL : ptr;
}

static void kvm_libc_free(void *ctx, void *ptr, size_t size, size_t align)
{
	(void)ctx;
	(void)size;
	(void)align;
	free(ptr);
}

static const struct gms_allocator kvm_libc_allocator = {
	.struct_size = sizeof(kvm_libc_allocator),
	.alloc = kvm_libc_alloc,
	.free = kvm_libc_free,
};

/*
 * Returns true if the memory can begin at @at, which is an offset or an address. Any value will do
 * if @flag is not set.
 */
static bool kvm_place_ok(const struct gms_kvm_opts *opts, unsigned int flag, uint64_t at)
{
	const uint64_t size = gms_kvm_bytes(opts->nr_pages);

	return !(opts->flags & flag) || (!(at & (gms_kvm_bytes(1) - 1)) && at <= INT64_MAX - size);
}

/* Returns NULL, or why the options are not valid. */
static const char *kvm_opts_why(const struct gms_kvm_opts *opts)
{
	const unsigned int both = GMS_KVM_SHARED_FD | GMS_KVM_HOST;

	if (opts->way > GMS_KVM_MEMSLOTS)
		return "way is unknown";
	if (opts->vm_fd < 0)
		return "vm_fd is not set";
	if (!opts->nr_pages || opts->nr_pages > GMS_MAX_PAGES)
		return "nr_pages is 0, or above 2^40";
	if (!opts->nr_slots)
		return "nr_slots is 0";
	if (opts->nr_slots > GMS_KVM_MAX_SLOTS ||
	    opts->first_slot > GMS_KVM_MAX_SLOTS - opts->nr_slots)
		return "the memslots pass the largest number";
	if (!opts->stop_vcpus != !opts->resume_vcpus)
		return "only one of stop_vcpus and resume_vcpus is set";
	if (opts->flags & ~GMS_KVM_ALL_FLAGS)
		return "a flag is unknown";
	if ((opts->flags & both) == both)
		return "GMS_KVM_SHARED_FD and GMS_KVM_HOST exclude each other";
	if (opts->flags & GMS_KVM_HOST && !opts->host)
		return "host is NULL";
	if (!kvm_place_ok(opts, GMS_KVM_GUEST_MEMFD, opts->guest_memfd_offset) ||
	    !kvm_place_ok(opts, GMS_KVM_SHARED_FD, opts->shared_offset) ||
	    !kvm_place_ok(opts, GMS_KVM_HOST, (uintptr_t)opts->host))
		return "an offset or host is no multiple of 4096, or too large";
	return NULL;
}

/* Returns the modes that support @flags, as a mask of bits 1 << mode. */
static unsigned int kvm_modes_with(unsigned int flags)
{
	if (flags & (GMS_KVM_SHARED_FD | GMS_KVM_HOST))
		return 1U << GMS_KVM_ATTRIBUTES;
	if (flags & GMS_KVM_GUEST_MEMFD)
		return 1U << GMS_KVM_IN_PLACE | 1U << GMS_KVM_ATTRIBUTES;
	return UINT32_MAX;
}

/*
 * Stores in *mode the mode that the options name, or else the first one that the VM offers and the
 * flags allow. Returns 0; -EINVAL: the options are bad; -EOPNOTSUPP: the VM offers no such mode.
 */
static int kvm_pick_mode(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
			 enum gms_kvm_way *mode)
{
	const unsigned int allowed = kvm_modes_with(opts->flags);
	unsigned int modes;
	int max_slots;

	if (opts->way && !(allowed & 1U << opts->way))
		return gms_kvm_because(-EINVAL, "the flags exclude this way");
	modes = gms_kvm_modes_on(sys, opts->vm_fd);
	if (!modes)
		return gms_kvm_because(-EOPNOTSUPP, "vm_fd is no VM, or KVM has no guest_memfd");
	modes &= allowed;
	*mode = opts->way ? opts->way : GMS_KVM_IN_PLACE;
	while (!opts->way && *mode < GMS_KVM_MEMSLOTS && !(modes & 1U << *mode))
		(*mode)++;
	if (!(modes & 1U << *mode))
		return gms_kvm_because(-EOPNOTSUPP, opts->way
							    ? "KVM does not offer this way"
							    : "KVM offers no way with these flags");
	max_slots = sys->ioctl(sys->ctx, opts->vm_fd, KVM_CHECK_EXTENSION,
			       (void *)(uintptr_t)KVM_CAP_NR_MEMSLOTS);
	if (max_slots > 0 && opts->first_slot + opts->nr_slots > (unsigned int)max_slots)
		return gms_kvm_because(-EINVAL, "KVM does not have so many memslots");
	return 0;
}

/* Stores an fd that the backend has opened. Returns 0; or @fd if it is an error. */
static int kvm_own_file(struct gms_kvm_file *file, int fd)
{
	if (fd < 0)
		return fd;
	file->fd = fd;
	return 0;
}

/* Stores an fd of the VMM, which the backend does not close. */
static void kvm_adopt_file(struct gms_kvm_file *file, int fd, uint64_t offset)
{
	*file = (struct gms_kvm_file) {.fd = fd, .offset = offset, .theirs = true};
}

static int kvm_make_guest_memfd(struct gms_kvm *kvm, struct gms_kvm_file *file, uint64_t flags)
{
	const struct gms_kvm_opts *opts = &kvm->opts;

	if (opts->flags & GMS_KVM_GUEST_MEMFD) {
		kvm_adopt_file(file, opts->guest_memfd, opts->guest_memfd_offset);
		return 0;
	}
	return kvm_own_file(file,
			    gms_kvm_guest_memfd(&kvm->sys, opts->vm_fd, opts->nr_pages, flags));
}

static int kvm_make_memfd(struct gms_kvm *kvm, struct gms_kvm_file *file, const char *name,
			  uint64_t nr_pages)
{
	return kvm_own_file(file, kvm->sys.memfd(kvm->sys.ctx, name, gms_kvm_bytes(nr_pages)));
}

/* Makes the files for conversion by attributes. */
static int kvm_make_attributes_files(struct gms_kvm *kvm)
{
	const struct gms_kvm_opts *opts = &kvm->opts;
	int err = 0;

	if (opts->flags & GMS_KVM_SHARED_FD)
		kvm_adopt_file(&kvm->shared_file, opts->shared_fd, opts->shared_offset);
	else if (!(opts->flags & GMS_KVM_HOST))
		err = kvm_make_memfd(kvm, &kvm->shared_file, "gmemstate-shared", opts->nr_pages);
	if (!err)
		err = kvm_make_guest_memfd(kvm, &kvm->private_file, 0);
	if (!err)
		err = kvm_make_memfd(kvm, &kvm->refusing_file, "gmemstate-private", 0);
	return err;
}

/* Makes the files, the host's view and KVM's window. */
static int kvm_make_memory(struct gms_kvm *kvm)
{
	const uint64_t mmap = GUEST_MEMFD_FLAG_MMAP, shared = mmap | GUEST_MEMFD_FLAG_INIT_SHARED;
	const bool private = kvm->opts.flags & GMS_KVM_INIT_PRIVATE;
	int err;

	switch (kvm->mode) {
	case GMS_KVM_IN_PLACE:
		err = kvm_make_guest_memfd(kvm, &kvm->shared_file, private ? mmap : shared);
		break;
	case GMS_KVM_ATTRIBUTES:
		err = kvm_make_attributes_files(kvm);
		break;
	default:
		err = kvm_make_guest_memfd(kvm, &kvm->shared_file, shared);
		if (!err)
			err = kvm_make_guest_memfd(kvm, &kvm->private_file, mmap);
		kvm->refusing_file = kvm->private_file;
		kvm->refusing_file.theirs = true; /* private_file closes the fd */
		break;
	}
	return err ? err : gms_kvm_host_init(kvm);
}

static int kvm_make_records(struct gms_kvm *kvm)
{
	const struct gms_kvm_opts *opts = &kvm->opts;
	const bool private = opts->flags & GMS_KVM_INIT_PRIVATE;
	/* the caller may have converted pages of its guest_memfd before */
	const bool unsure = kvm->mode == GMS_KVM_IN_PLACE && opts->flags & GMS_KVM_GUEST_MEMFD;
	const struct gms_allocator *a = &kvm->allocator;
	struct {
		struct gms_rtree **tree;
		bool all;
	} const records[] = {
		{&kvm->private, private},
		{&kvm->hidden, private && kvm->hides},
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

static void kvm_close_file(struct gms_kvm *kvm, const struct gms_kvm_file *file)
{
	if (file->fd >= 0 && !file->theirs)
		kvm->sys.close(kvm->sys.ctx, file->fd);
}

static void kvm_free(struct gms_kvm *kvm)
{
	const struct gms_allocator a = kvm->allocator;
	const unsigned int nr_slots = kvm->opts.nr_slots;

	kvm_close_file(kvm, &kvm->refusing_file);
	kvm_close_file(kvm, &kvm->private_file);
	kvm_close_file(kvm, &kvm->shared_file);
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
	gms_reason_set(NULL);
	err = gms_kvm_maps_fini(kvm);
	if (!err)
		err = gms_kvm_host_fini(kvm);
	if (!err)
		kvm_free(kvm);
	return err;
}

int gms_kvm_create_on(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		      const struct gms_allocator *allocator, struct gms_kvm **created)
{
	struct gms_kvm_opts copy;
	enum gms_kvm_way mode;
	const char *why = NULL;
	struct gms_kvm *kvm;
	int err;

	if (!gms_opts_copy(&copy, sizeof(copy), opts, GMS_OPTS_END(struct gms_kvm_opts, nr_slots)))
		why = GMS_WHY_STRUCT_SIZE;
	if (!why)
		why = kvm_opts_why(&copy);
	gms_reason_set(why);
	if (why)
		return -EINVAL;
	err = kvm_pick_mode(&copy, sys, &mode);
	if (err)
		return err;
	kvm = allocator->alloc(allocator->ctx, sizeof(*kvm), sizeof(void *));
	if (!kvm)
		return -ENOMEM;
	memset(kvm, 0, sizeof(*kvm));
	kvm->sys = *sys;
	kvm->allocator = *allocator;
	kvm->opts = copy;
	kvm->mode = mode;
	kvm->shared_file.fd = kvm->private_file.fd = kvm->refusing_file.fd = -1;
	pthread_mutex_init(&kvm->lock, NULL);
	err = kvm_make_memory(kvm);
	if (!err)
		err = kvm_make_records(kvm);
	if (!err) {
		*created = kvm;
		return 0;
	}
	gms_kvm_host_fini(kvm); /* if this fails, addresses stay mapped: no memslot points there */
	kvm_free(kvm);
	return err;
}

int gms_kvm_create(const struct gms_kvm_opts *opts, struct gms_kvm **kvm)
{
	return gms_kvm_create_on(opts, &gms_kvm_sys_linux, &kvm_libc_allocator, kvm);
}
