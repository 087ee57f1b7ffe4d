// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sys.c - the system calls themselves: see sys.h
 */
#define _GNU_SOURCE
#include "sys.h"

#include "uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int linux_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	int ret;

	(void)ctx;
	ret = ioctl(fd, request, arg);
	return ret < 0 ? -errno : ret;
}

static int linux_guest_memfd(void *ctx, int vm_fd, uint64_t size, uint64_t flags)
{
	struct kvm_create_guest_memfd create = {.size = size, .flags = flags};
	const int fd = linux_ioctl(ctx, vm_fd, KVM_CREATE_GUEST_MEMFD, &create);
	int err;

	if (fd < 0 || !fcntl(fd, F_SETFD, FD_CLOEXEC))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int linux_map(void *ctx, void **addr, uint64_t size, int fd, uint64_t offset)
{
	void *at;

	(void)ctx;
	at = mmap(*addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | (*addr ? MAP_FIXED : 0), fd,
		  (off_t)offset);
	if (at == MAP_FAILED)
		return -errno;
	*addr = at;
	return 0;
}

static int linux_unmap(void *ctx, void *addr, uint64_t size)
{
	(void)ctx;
	return munmap(addr, size) ? -errno : 0;
}

static int linux_look(void *ctx, void *addr, uint64_t size)
{
	(void)ctx;
	return msync(addr, size, MS_ASYNC) ? -errno : 0;
}

static int linux_punch(void *ctx, int fd, uint64_t offset, uint64_t size)
{
	int ret;

	(void)ctx;
	do
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				(off_t)size);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int linux_memfd(void *ctx, const char *name, uint64_t size)
{
	int fd, err;

	(void)ctx;
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void linux_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd);
}

const struct gms_kvm_sys gms_kvm_sys_linux = {
	.ioctl = linux_ioctl,
	.guest_memfd = linux_guest_memfd,
	.map = linux_map,
	.unmap = linux_unmap,
	.look = linux_look,
	.punch = linux_punch,
	.memfd = linux_memfd,
	.close = linux_close,
};
