// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins_direct.c - I/O with O_DIRECT on a block device that is slow
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"
#include "pins.h"

#define CONFIGFS "/sys/kernel/config"
#define ITEM CONFIGFS "/nullb/gmem0"
#define DEVICE "/dev/gmem0"
#define INFLIGHT "/sys/block/gmem0/inflight"
#define DEVICE_MB "16"
#define DEVICE_PAGES (16ULL << 8)

uint64_t pins_direct_ms = 2000;

static int set_attribute(const char *name, const char *value)
{
	char path[128];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), ITEM "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = write(fd, value, strlen(value));
	close(fd);
	return length == (ssize_t)strlen(value) ? 0 : -EIO;
}

/* Makes the device if it does not exist. Returns 0 or -errno. */
static int make_device(void)
{
	char takes_ns[32];
	const char *const attributes[][2] = {
		{"size", DEVICE_MB}, {"blocksize", "4096"},         {"memory_backed", "1"},
		{"queue_mode", "2"}, {"hw_queue_depth", "64"},      {"submit_queues", "1"},
		{"irqmode", "2"},    {"completion_nsec", takes_ns}, {"power", "1"},
	};
	const struct timespec a_while = {.tv_nsec = 10000000};
	int err = 0;

	if (!access(DEVICE, F_OK))
		return 0;
	if (access(CONFIGFS "/nullb", F_OK) && mount("configfs", CONFIGFS, "configfs", 0, NULL))
		return -EOPNOTSUPP;
	if (mkdir(ITEM, 0755))
		return errno == ENOENT || errno == EPERM ? -EOPNOTSUPP : -errno;
	snprintf(takes_ns, sizeof(takes_ns), "%llu", (unsigned long long)pins_direct_ms * 1000000);
	for (size_t i = 0; !err && i < sizeof(attributes) / sizeof(attributes[0]); i++)
		err = set_attribute(attributes[i][0], attributes[i][1]);
	for (int i = 0; !err && i < 100 && access(DEVICE, F_OK); i++)
		nanosleep(&a_while, NULL);
	return err;
}

static int open_device(struct pin *pin)
{
	static uint64_t next;
	int err = make_device();

	if (err)
		return err;
	pin->fds[0] = open(DEVICE, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (pin->fds[0] < 0)
		return -errno;
	next = (next + PIN_MAX) % DEVICE_PAGES;
	pin->offset = next * PAGE;
	return 0;
}

static int all_done(ssize_t length, size_t size)
{
	return length == (ssize_t)size ? 0 : length < 0 ? -errno : -EIO;
}

static void *write_thread(void *arg)
{
	struct pin *pin = arg;
	const size_t size = pin->nr_pages * PAGE;

	pin->err = all_done(pwrite(pin->fds[0], pin->at, size, (off_t)pin->offset), size);
	atomic_store(&pin->done, true);
	return NULL;
}

static void *read_thread(void *arg)
{
	struct pin *pin = arg;
	const size_t size = pin->nr_pages * PAGE;

	pin->err = all_done(pread(pin->fds[0], pin->at, size, (off_t)pin->offset), size);
	atomic_store(&pin->done, true);
	return NULL;
}

/* Returns how many requests the device has. */
static unsigned int requests(void)
{
	unsigned int reads = 0, writes = 0;
	FILE *file = fopen(INFLIGHT, "re");

	if (!file)
		return 0;
	if (fscanf(file, "%u %u", &reads, &writes) != 2)
		reads = writes = 0;
	fclose(file);
	return reads + writes;
}

static bool direct_holds(const struct pin *pin)
{
	return !atomic_load(&pin->done);
}

/*
 * Starts the I/O, and returns when the device has it. One I/O is in flight at a time. If a test
 * has failed, its I/O ends first.
 */
static int direct_start(struct pin *pin, void *(*thread)(void *pin))
{
	const struct timespec a_while = {.tv_nsec = 1000000};
	int err;

	while (requests())
		nanosleep(&a_while, NULL);
	atomic_store(&pin->done, false);
	err = -pthread_create(&pin->thread, NULL, thread, pin);
	if (!err) {
		while (direct_holds(pin) && !requests())
			nanosleep(&a_while, NULL);
		if (direct_holds(pin))
			return 0;
		pthread_join(pin->thread, NULL);
		err = pin->err ? pin->err : -ETIME;
	}
	close(pin->fds[0]);
	return err;
}

static int direct_write_take(struct pin *pin, unsigned char *at, uint64_t nr_pages)
{
	int err = open_device(pin);

	pin->at = at;
	pin->nr_pages = nr_pages;
	return err ? err : direct_start(pin, write_thread);
}

/* Writes what the pages hold to the device, spoils the pages, and reads them again. */
static int direct_read_take(struct pin *pin, unsigned char *at, uint64_t nr_pages)
{
	int err = open_device(pin);

	pin->at = at;
	pin->nr_pages = nr_pages;
	if (err)
		return err;
	write_thread(pin);
	if (pin->err) {
		close(pin->fds[0]);
		return pin->err;
	}
	memset(at, 0xee, nr_pages * PAGE);
	return direct_start(pin, read_thread);
}

/* The holder's copy is what the device has. */
static int direct_release(struct pin *pin, unsigned char *copy)
{
	const size_t size = pin->nr_pages * PAGE;
	void *aligned = NULL;
	int err;

	pthread_join(pin->thread, NULL);
	err = pin->err;
	if (!err && copy) {
		err = -posix_memalign(&aligned, PAGE, size);
		if (!err)
			err = all_done(pread(pin->fds[0], aligned, size, (off_t)pin->offset), size);
		if (!err)
			memcpy(copy, aligned, size);
		free(aligned);
	}
	close(pin->fds[0]);
	return err;
}

const struct pin_kind pin_direct_write = {
	.name = "O_DIRECT write",
	.take = direct_write_take,
	.holds = direct_holds,
	.release = direct_release,
	.slow = true,
};

const struct pin_kind pin_direct_read = {
	.name = "O_DIRECT read",
	.take = direct_read_take,
	.holds = direct_holds,
	.release = direct_release,
	.slow = true,
};
