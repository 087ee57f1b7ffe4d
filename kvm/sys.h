/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sys.h - the only door to the kernel
 *
 * Every system call of the backend goes through this table, so that a test can make any of
 * them fail, or stand in for a kernel that this machine does not have.
 */
#ifndef GMS_KVM_SYS_H
#define GMS_KVM_SYS_H

#include <gmemstate/kvm.h>

/**
 * struct gms_kvm_sys - system calls
 * @ctx: passed to all
 * @ioctl: what the call returns, or -errno. @arg is a number for KVM_CHECK_EXTENSION
 * @guest_memfd: KVM_CREATE_GUEST_MEMFD, and closed on exec, which KVM does not see to. The fd, or
 *               -errno
 * @map: mmap, readable, writable and shared, not inherited by a fork and not in a core dump; at
 *       *@addr, over what is there, where that is not NULL; else anywhere, and *@addr is written. 0
 *       or -errno
 * @unmap: munmap. 0 or -errno
 * @look: msync, which does nothing but look whether all of a range is mapped. 0 or -errno
 * @punch: fallocate, to punch a hole. 0 or -errno
 * @memfd: memfd_create, and a size that nobody can change. The fd, or -errno
 * @close: close
 * @reserve: takes addresses from a multiple of @align on: *@addr. Nothing is mapped there that can
 *           be touched. 0 or -errno. NULL: @map picks an address
 * @discard: makes all of a range of the caller's mapping hold 0, and frees it where that can be.
 *           0 or -errno. NULL: memset
 * @grain: size in bytes of the parts of a file that can be mapped by themselves: 4096, but for
 *         hugetlbfs; or -errno. NULL: 4096
 */
struct gms_kvm_sys {
	void *ctx;
	int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg);
	int (*guest_memfd)(void *ctx, int vm_fd, uint64_t size, uint64_t flags);
	int (*map)(void *ctx, void **addr, uint64_t size, int fd, uint64_t offset);
	int (*unmap)(void *ctx, void *addr, uint64_t size);
	int (*look)(void *ctx, void *addr, uint64_t size);
	int (*punch)(void *ctx, int fd, uint64_t offset, uint64_t size);
	int (*memfd)(void *ctx, const char *name, uint64_t size);
	void (*close)(void *ctx, int fd);
	int (*reserve)(void *ctx, void **addr, uint64_t size, uint64_t align);
	int (*discard)(void *ctx, void *addr, uint64_t size);
	int64_t (*grain)(void *ctx, int fd);
};

/* The kernel's own. */
extern const struct gms_kvm_sys gms_kvm_sys_linux;

/* gms_kvm_ways() and gms_kvm_create() on another kernel, and with memory from elsewhere. */
unsigned int gms_kvm_ways_on(const struct gms_kvm_sys *sys, int vm_fd);
int gms_kvm_create_on(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		      const struct gms_allocator *allocator, struct gms_kvm **kvm);

#endif /* GMS_KVM_SYS_H */
