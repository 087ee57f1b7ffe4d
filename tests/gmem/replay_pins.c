// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * replay_pins.c - the pins of a replay: see replay_pins.h
 */
#define _GNU_SOURCE
#include "replay_pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lab.h"
#include "lib.h"

/* Bits of /proc/self/pagemap and of /proc/kpageflags. */
#define PAGEMAP_FRAME ((1ULL << 55) - 1)
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEFLAGS_COMPOUND (1ULL << 15 | 1ULL << 16)

/**
 * struct pin - a pin
 * @start: first page
 * @nr_pages: length in pages
 * @until_us: when it ends
 * @fd: the pipe
 * @frames: by 2M block, from that of @start on: the frame of the first pinned page in it
 */
struct pin {
	uint64_t start;
	uint64_t nr_pages;
	uint64_t until_us;
	int fd;
	uint64_t *frames;
};

int pins_init(struct pins *p, unsigned char *host)
{
	const struct rlimit files = {LAB_MAX_PINS + 64, LAB_MAX_PINS + 64};

	*p = (struct pins) {.host = host};
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	p->pageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	p->list = calloc(LAB_MAX_PINS, sizeof(*p->list));
	if (p->pagemap < 0 || p->pageflags < 0 || setrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	return p->list ? 0 : -ENOMEM;
}

static void pins_drop(struct pins *p, size_t i)
{
	const struct pin pin = p->list[i];

	memmove(&p->list[i], &p->list[i + 1], (--p->nr - i) * sizeof(*p->list));
	p->nr_pages -= pin.nr_pages;
	close(pin.fd);
	free(pin.frames);
}

void pins_fini(struct pins *p)
{
	while (p->nr)
		pins_drop(p, p->nr - 1);
	free(p->list);
	close(p->pagemap);
	close(p->pageflags);
}

static int read_word(int fd, uint64_t at, uint64_t *word)
{
	return pread(fd, word, sizeof(*word), (off_t)(at * sizeof(*word))) == sizeof(*word) ? 0
											    : -EIO;
}

/* Returns the first page of a pin in its 2M block number @i. */
static uint64_t pin_first_in(const struct pin *pin, uint64_t i)
{
	return i ? (pin->start / BLOCK + i) * BLOCK : pin->start;
}

static uint64_t pin_nr_blocks(const struct pin *pin)
{
	return (pin->start + pin->nr_pages - 1) / BLOCK - pin->start / BLOCK + 1;
}

/* Notes the frames of pages that are mapped. */
static int pin_find_frames(const struct pins *p, struct pin *pin)
{
	pin->frames = calloc(pin_nr_blocks(pin), sizeof(*pin->frames));
	if (!pin->frames)
		return -ENOMEM;
	for (uint64_t i = 0; i < pin_nr_blocks(pin); i++) {
		uint64_t entry;
		int err = read_word(p->pagemap, (uintptr_t)p->host / PAGE + pin_first_in(pin, i),
				    &entry);

		if (err)
			return err;
		if (!(entry & PAGEMAP_PRESENT) || !(entry & PAGEMAP_FRAME))
			return -ENXIO;
		pin->frames[i] = entry & PAGEMAP_FRAME;
	}
	return 0;
}

/* Puts the pages of a pin into a pipe. */
static int pin_splice(const struct pins *p, struct pin *pin)
{
	struct iovec left = {p->host + pin->start * PAGE, pin->nr_pages * PAGE};
	int fds[2], err = 0;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	pin->fd = fds[0];
	if (fcntl(fds[1], F_SETPIPE_SZ, (int)left.iov_len) < 0)
		err = -errno;
	while (!err && left.iov_len) {
		ssize_t spliced = vmsplice(fds[1], &left, 1, 0);

		if (spliced <= 0) {
			err = spliced ? -errno : -EIO;
			break;
		}
		left.iov_base = (unsigned char *)left.iov_base + spliced;
		left.iov_len -= (size_t)spliced;
	}
	close(fds[1]);
	return err;
}

int pins_add(struct pins *p, uint64_t start, uint64_t nr_pages, uint64_t until_us)
{
	struct pin pin = {.start = start, .nr_pages = nr_pages, .until_us = until_us, .fd = -1};
	int err;

	while (p->nr && (p->nr == LAB_MAX_PINS || p->nr_pages + nr_pages > LAB_MAX_PINNED))
		pins_drop(p, 0);
	err = pin_find_frames(p, &pin);
	if (!err)
		err = pin_splice(p, &pin);
	if (err) {
		free(pin.frames);
		if (pin.fd >= 0)
			close(pin.fd);
		return err;
	}
	p->list[p->nr++] = pin;
	p->nr_pages += nr_pages;
	return 0;
}

void pins_expire(struct pins *p, uint64_t now_us)
{
	while (p->nr && p->list[0].until_us <= now_us)
		pins_drop(p, 0);
}

/* Finds out if a pin is in the same folio of 2M as a page. */
static int pin_shares_folio(const struct pins *p, const struct pin *pin, uint64_t page,
			    bool *shares)
{
	const uint64_t i = page / BLOCK - pin->start / BLOCK;
	uint64_t flags;
	int err;

	if (page / BLOCK < pin->start / BLOCK || i >= pin_nr_blocks(pin))
		return 0;
	err = read_word(p->pageflags, pin->frames[i], &flags);
	*shares |= !err && flags & PAGEFLAGS_COMPOUND;
	return err;
}

int pins_drop_range(struct pins *p, uint64_t start, uint64_t nr_pages, uint64_t *until_us)
{
	*until_us = 0;
	for (size_t i = 0; i < p->nr;) {
		const struct pin *pin = &p->list[i];
		bool in_the_way =
			pin->start < start + nr_pages && start < pin->start + pin->nr_pages;
		int err = pin_shares_folio(p, pin, start, &in_the_way);

		if (!err)
			err = pin_shares_folio(p, pin, start + nr_pages - 1, &in_the_way);
		if (err)
			return err;
		if (!in_the_way) {
			i++;
			continue;
		}
		if (*until_us < pin->until_us)
			*until_us = pin->until_us;
		pins_drop(p, i);
	}
	return 0;
}
