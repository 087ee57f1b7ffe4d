// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sys.c - the system calls of the running kernel: see sys.h
 */
#define _GNU_SOURCE
#include "sys.h"

#include "uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SYS_PAGE_SIZE (1ULL << GMS_PAGE_SHIFT)

static int sys_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	int ret;

	(void)ctx;
	ret = ioctl(fd, request, arg);
	return ret < 0 ? -errno : ret;
}

static int sys_guest_memfd(void *ctx, int vm_fd, uint64_t size, uint64_t flags)
{
	struct kvm_create_guest_memfd create = {.size = size, .flags = flags};
	const int fd = sys_ioctl(ctx, vm_fd, KVM_CREATE_GUEST_MEMFD, &create);
	int err;

	if (fd < 0 || !fcntl(fd, F_SETFD, FD_CLOEXEC))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int sys_map(void *ctx, void **addr, uint64_t size, int fd, uint64_t offset)
{
	void *at;

	(void)ctx;
	at = mmap(*addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | (*addr ? MAP_FIXED : 0), fd,
		  (off_t)offset);
	if (at == MAP_FAILED)
		return -errno;
	/* both are precautions: if they fail, the mapping is still usable */
	(void)madvise(at, size, MADV_DONTFORK);
	(void)madvise(at, size, MADV_DONTDUMP);
	*addr = at;
	return 0;
}

static int sys_reserve(void *ctx, void **addr, uint64_t size, uint64_t align)
{
	const uint64_t all = size + align;
	uint64_t head;
	char *at;

	(void)ctx;
	at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	head = -(uintptr_t)at & (align - 1);
	/* a surplus that cannot be unmapped costs addresses and no memory */
	if (head)
		(void)munmap(at, head);
	(void)munmap(at + head + size, align - head);
	*addr = at + head;
	return 0;
}

static int sys_unmap(void *ctx, void *addr, uint64_t size)
{
	(void)ctx;
	return munmap(addr, size) ? -errno : 0;
}

static int sys_look(void *ctx, void *addr, uint64_t size)
{
	(void)ctx;
	return msync(addr, size, MS_ASYNC) ? -errno : 0;
}

static int sys_punch(void *ctx, int fd, uint64_t offset, uint64_t size)
{
	int ret;

	(void)ctx;
	do
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				(off_t)size);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* Fills with 0 the pages that madvise() did not drop: mincore() says that they are present. */
static int sys_clear_present(unsigned char *at, uint64_t size)
{
	unsigned char present[1024];

	while (size) {
		const uint64_t most = sizeof(present) * SYS_PAGE_SIZE;
		const uint64_t part = size < most ? size : most;

		if (mincore(at, part, present))
			return -errno;
		for (uint64_t i = 0; i < part / SYS_PAGE_SIZE; i++)
			if (present[i] & 1)
				memset(at + i * SYS_PAGE_SIZE, 0, SYS_PAGE_SIZE);
		at += part;
		size -= part;
	}
	return 0;
}

static int sys_discard(void *ctx, void *addr, uint64_t size)
{
	(void)ctx;
	if (!madvise(addr, size, MADV_REMOVE)) /* works for shared mappings */
		return 0;
	if (madvise(addr, size, MADV_DONTNEED)) { /* fails for locked pages */
		memset(addr, 0, size);
		return 0;
	}
	return sys_clear_present(addr, size); /* hugetlbfs does not drop a part of a huge page */
}

static int sys_memfd(void *ctx, const char *name, uint64_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd, err;

	(void)ctx;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, seals)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int64_t sys_grain(void *ctx, int fd)
{
	struct statfs fs;

	(void)ctx;
	if (fstatfs(fd, &fs))
		return -errno;
	return fs.f_type == HUGETLBFS_MAGIC ? (int64_t)fs.f_bsize : (int64_t)SYS_PAGE_SIZE;
}

static void sys_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd);
}

const struct gms_kvm_sys gms_kvm_sys_linux = {
	.ioctl = sys_ioctl,
	.guest_memfd = sys_guest_memfd,
	.map = sys_map,
	.unmap = sys_unmap,
	.look = sys_look,
	.punch = sys_punch,
	.memfd = sys_memfd,
	.close = sys_close,
	.reserve = sys_reserve,
	.discard = sys_discard,
	.grain = sys_grain,
};
