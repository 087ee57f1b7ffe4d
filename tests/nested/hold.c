// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hold.c - references by vmsplice(), and folios by /proc/kpageflags
 */
#define _GNU_SOURCE
#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)
#define KPF_HEAD (1ULL << 15)
#define KPF_TAIL (1ULL << 16)
#define BLOCK 512 /* pages of 2M */

int hold_take(struct hold *hold, unsigned char *page)
{
	struct iovec part = {.iov_base = page, .iov_len = PROBE_PAGE};
	ssize_t got;
	int err;

	if (pipe2(hold->ends, O_CLOEXEC))
		return -errno;
	got = vmsplice(hold->ends[1], &part, 1, 0);
	if (got == (ssize_t)PROBE_PAGE)
		return 0;
	err = got < 0 ? -errno : -EIO;
	hold_drop(hold);
	return err;
}

int hold_read(struct hold *hold, void *copy)
{
	ssize_t got = read(hold->ends[0], copy, PROBE_PAGE);
	int err = got < 0 ? -errno : got == (ssize_t)PROBE_PAGE ? 0 : -EIO;

	hold_drop(hold);
	return err;
}

void hold_drop(struct hold *hold)
{
	close(hold->ends[0]);
	close(hold->ends[1]);
}

/* Reads entries of 8 bytes of a file that has one for each page. */
static int read_entries(const char *path, uint64_t first, uint64_t *entries, size_t nr)
{
	const size_t size = nr * sizeof(*entries);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = pread(fd, entries, size, (off_t)(first * sizeof(*entries)));
	if (got != (ssize_t)size)
		err = got < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

int hold_folio(const unsigned char *page, uint64_t *before, uint64_t *from)
{
	uint64_t entry, pfn, i, flags[BLOCK];
	int err = read_entries("/proc/self/pagemap", (uintptr_t)page / PROBE_PAGE, &entry, 1);

	if (err)
		return err;
	pfn = entry & PAGEMAP_PFN;
	if (!(entry & PAGEMAP_PRESENT) || !pfn)
		return -EACCES;
	err = read_entries("/proc/kpageflags", pfn / BLOCK * BLOCK, flags, BLOCK);
	if (err)
		return err;
	*before = 0;
	*from = 1;
	if (!(flags[pfn % BLOCK] & (KPF_HEAD | KPF_TAIL)))
		return 0;
	for (i = pfn % BLOCK; i && !(flags[i] & KPF_HEAD); i--)
		++*before;
	for (i = pfn % BLOCK + 1; i < BLOCK && flags[i] & KPF_TAIL; i++)
		++*from;
	return 0;
}
