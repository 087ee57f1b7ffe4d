// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins_hold.c - pages in a pipe, and buffers that are registered with io_uring
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib.h"
#include "pins.h"

/* Writes or reads all bytes. Returns 0 or -errno. */
static int read_all(int fd, unsigned char *to, size_t size)
{
	while (size) {
		ssize_t length = read(fd, to, size);

		if (length <= 0)
			return length ? -errno : -EIO;
		to += length;
		size -= (size_t)length;
	}
	return 0;
}

static bool holds_until_release(const struct pin *pin)
{
	(void)pin;
	return true;
}

/* ---- a pipe that has pages instead of copies ---- */

static int vmsplice_take(struct pin *pin, unsigned char *at, uint64_t nr_pages)
{
	const struct iovec iov = {.iov_base = at, .iov_len = nr_pages * PAGE};
	ssize_t length;
	int err = 0;

	if (pipe(pin->fds))
		return -errno;
	length = vmsplice(pin->fds[1], &iov, 1, 0);
	if (length < 0)
		err = -errno;
	else if ((size_t)length != iov.iov_len)
		err = -EIO;
	if (err) {
		close(pin->fds[0]);
		close(pin->fds[1]);
	}
	return err;
}

static int vmsplice_release(struct pin *pin, unsigned char *copy)
{
	int err = copy ? read_all(pin->fds[0], copy, pin->nr_pages * PAGE) : 0;

	close(pin->fds[0]);
	close(pin->fds[1]);
	return err;
}

const struct pin_kind pin_vmsplice = {
	.name = "vmsplice",
	.take = vmsplice_take,
	.holds = holds_until_release,
	.release = vmsplice_release,
	.live = true,
};

/* ---- a registered buffer ---- */

static int ring_setup(struct io_uring_params *params)
{
	int fd = (int)syscall(__NR_io_uring_setup, 1, params);

	return fd < 0 ? -errno : fd;
}

static int ring_register(int ring, unsigned int what, const struct iovec *iov, unsigned int nr)
{
	return syscall(__NR_io_uring_register, ring, what, iov, nr) < 0 ? -errno : 0;
}

/* Makes one request, and waits for it. Returns the result of the request, or -errno. */
static int ring_do(int ring, const struct io_uring_params *p, const struct io_uring_sqe *request)
{
	const size_t sq_size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	const size_t cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	const int prot = PROT_READ | PROT_WRITE;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqe;
	uint32_t head;
	int result = -errno;

	sq = mmap(NULL, sq_size, prot, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_size, prot, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), prot, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -ENOMEM; /* the test fails: nothing needs to be undone */
	*sqe = *request;
	*(uint32_t *)(sq + p->sq_off.array) = 0;
	__atomic_fetch_add((uint32_t *)(sq + p->sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
		result = -errno;
	} else {
		head = *(uint32_t *)(cq + p->cq_off.head);
		head &= *(uint32_t *)(cq + p->cq_off.ring_mask);
		result = ((struct io_uring_cqe *)(cq + p->cq_off.cqes))[head].res;
		__atomic_fetch_add((uint32_t *)(cq + p->cq_off.head), 1, __ATOMIC_RELEASE);
	}
	munmap(sq, sq_size);
	munmap(cq, cq_size);
	munmap(sqe, sizeof(*sqe));
	return result;
}

/* The ring's parameters. One ring has requests at a time. */
static struct io_uring_params ring_params;

static int uring_take(struct pin *pin, unsigned char *at, uint64_t nr_pages)
{
	const struct iovec iov = {.iov_base = at, .iov_len = nr_pages * PAGE};
	int err;

	memset(&ring_params, 0, sizeof(ring_params));
	pin->fds[0] = ring_setup(&ring_params);
	if (pin->fds[0] < 0)
		return pin->fds[0] == -ENOSYS ? -EOPNOTSUPP : pin->fds[0];
	err = ring_register(pin->fds[0], IORING_REGISTER_BUFFERS, &iov, 1);
	if (err)
		close(pin->fds[0]);
	return err;
}

/* Copies the registered pages to a file, without the mapping. */
static int uring_copy(const struct pin *pin, unsigned char *copy)
{
	const int size = (int)(pin->nr_pages * PAGE);
	int fd = memfd_create("copy", MFD_CLOEXEC), result;
	const struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE_FIXED,
		.fd = fd,
		.addr = (uintptr_t)pin->at,
		.len = (uint32_t)size,
		.buf_index = 0,
	};

	if (fd < 0)
		return -errno;
	result = ring_do(pin->fds[0], &ring_params, &request);
	if (result == size)
		result = (int)pread(fd, copy, (size_t)size, 0);
	close(fd);
	return result == size ? 0 : result < 0 ? result : -EIO;
}

static int uring_release(struct pin *pin, unsigned char *copy)
{
	int err = copy ? uring_copy(pin, copy) : 0;
	int unregistered = ring_register(pin->fds[0], IORING_UNREGISTER_BUFFERS, NULL, 0);

	close(pin->fds[0]);
	return err ? err : unregistered;
}

const struct pin_kind pin_uring = {
	.name = "io_uring",
	.take = uring_take,
	.holds = holds_until_release,
	.release = uring_release,
	.live = true,
};
