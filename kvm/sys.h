/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sys.h - the system calls of the backend, in a table
 *
 * All files of kvm/ reach the kernel through struct gms_kvm_sys and in no other way. So a test can
 * make any call fail, and can stand in for a kernel that the machine does not have.
 *
 *  Y1  A call returns 0 or a result, or -errno. Only sys.c reads errno.
 *  Y2  A call that fails has changed nothing, with two exceptions. A failing @map may have
 *      unmapped its range; @look finds that out. A failing @ioctl that sets memory attributes may
 *      have set some of them.
 *
 * The table is constant, and the calls keep no state. No lock is needed.
 */
#ifndef GMS_KVM_SYS_H
#define GMS_KVM_SYS_H

#include <gmemstate/kvm.h>

/**
 * struct gms_kvm_sys - system calls
 * @ctx: passed to all calls
 * @ioctl: returns what ioctl() returns, or -errno. @arg is a number for KVM_CHECK_EXTENSION
 * @guest_memfd: KVM_CREATE_GUEST_MEMFD. Returns an fd that is closed on exec, or -errno
 * @map: mmap: readable, writable and shared, not inherited by a fork, not in a core dump. If
 *       *@addr is not NULL, maps there, and replaces what was mapped. Else the kernel picks the
 *       address, and *@addr receives it. Returns 0 or -errno
 * @unmap: munmap. Returns 0 or -errno
 * @look: msync, which checks mappings: returns 0 if all of the range is mapped, else -errno
 * @punch: fallocate, to punch a hole. Returns 0 or -errno
 * @memfd: memfd_create, with a size that is sealed. Returns the fd, or -errno
 * @close: close
 * @reserve: reserves addresses that begin at a multiple of @align, and stores the first in *@addr.
 *           A touch there raises SIGSEGV. Returns 0 or -errno. NULL: @map picks the address
 * @discard: fills a range of the caller's mapping with 0, and frees its memory where possible.
 *           Returns 0 or -errno. NULL: the backend uses memset()
 * @grain: returns the size in bytes of the smallest part of a file that can be mapped: 4096, or
 *         the huge page size on hugetlbfs; or -errno. NULL: 4096
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

/* The system calls of the running kernel. */
extern const struct gms_kvm_sys gms_kvm_sys_linux;

/* Does what gms_kvm_ways() does, with the table @sys. */
unsigned int gms_kvm_modes_on(const struct gms_kvm_sys *sys, int vm_fd);

/* Does what gms_kvm_create() does, with the table @sys and an allocator. */
int gms_kvm_create_on(const struct gms_kvm_opts *opts, const struct gms_kvm_sys *sys,
		      const struct gms_allocator *allocator, struct gms_kvm **kvm);

#endif /* GMS_KVM_SYS_H */
