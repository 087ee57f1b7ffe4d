// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_fail.c - failures of allocations, by the kernel's fault injection
 *
 * Both kinds of allocations fail, slabs (failslab) and pages (fail_page_alloc), also those that
 * may wait. A thread is affected only if it wrote to its own files in /proc. The kernel counts all
 * failures in the files "times", which begin with a large number and go down.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMES 2000000000ULL

static const char *const folders[] = {
	"/sys/kernel/debug/failslab",
	"/sys/kernel/debug/fail_page_alloc",
};

#define NR_FOLDERS (sizeof(folders) / sizeof(folders[0]))

static int write_number(const char *folder, const char *name, uint64_t number)
{
	char path[128], text[32];
	int fd, length, err = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	length = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)length) != length)
		err = -errno;
	close(fd);
	return err;
}

int load_fail_init(uint64_t percent)
{
	const struct {
		const char *name;
		uint64_t value;
	} settings[] = {
		/* the filter before the probability: nobody else must fail */
		{"task-filter", 1}, {"ignore-gfp-wait", 0}, {"interval", 1},          {"space", 0},
		{"times", TIMES},   {"verbose", 0},         {"probability", percent},
	};
	int err = write_number(folders[1], "ignore-gfp-highmem", 0);

	if (!err)
		err = write_number(folders[1], "min-order", 0);
	for (unsigned int i = 0; !err && i < NR_FOLDERS; i++)
		for (unsigned int j = 0; !err && j < sizeof(settings) / sizeof(settings[0]); j++)
			err = write_number(folders[i], settings[j].name, settings[j].value);
	return err;
}

uint64_t load_fail_count(void)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < NR_FOLDERS; i++) {
		char path[128], text[32] = "";
		int fd;

		snprintf(path, sizeof(path), "%s/times", folders[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) > 0)
			count += TIMES - strtoull(text, NULL, 10);
		close(fd);
	}
	return count;
}

int load_fail_open(struct load_fail *f)
{
	f->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	f->it = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	return f->nth < 0 || f->it < 0 ? -errno : 0;
}

void load_fail_close(struct load_fail *f)
{
	close(f->nth);
	close(f->it);
}

void load_fail_nth(const struct load_fail *f, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(f->nth, text, (size_t)length, 0) != length)
		abort();
}

bool load_fail_nth_end(const struct load_fail *f)
{
	char text[16] = "";

	/* the kernel counts down to 0 */
	if (pread(f->nth, text, sizeof(text) - 1, 0) <= 0)
		abort();
	load_fail_nth(f, 0);
	return !strtoul(text, NULL, 10);
}

void load_fail_by_chance(const struct load_fail *f, bool on)
{
	if (pwrite(f->it, on ? "1" : "0", 1, 0) != 1)
		abort();
}
