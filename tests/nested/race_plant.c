// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_plant.c - mismatches made on purpose, which show that the race can fail
 */
#define _GNU_SOURCE
#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[RACE_NR_PLANTS] = {"nothing", "window", "deaf", "lost", "running"};

const char *race_plant_name(enum race_plant plant)
{
	return names[plant];
}

int race_plant_parse(const char *name, enum race_plant *plant)
{
	for (int i = RACE_WINDOW; i < RACE_NR_PLANTS; i++)
		if (!strcmp(name, names[i])) {
			*plant = (enum race_plant)i;
			return 0;
		}
	return -EINVAL;
}

static uint64_t shared_page(const struct race *r)
{
	uint64_t page = 0;

	while (page < r->options.pages && model_private(r, page))
		page++;
	return page;
}

/*
 * Returns the address in KVM's window of the shared memory's page at @offset: it is mapped there
 * and at gms_kvm_host(). NULL: there is no window.
 */
static unsigned char *find_window(const struct race *r, uint64_t offset)
{
	const unsigned char *host = gms_kvm_host(r->memory.kvm);
	const uint64_t size = (r->memory.start + r->memory.nr_pages) * PROBE_PAGE;
	unsigned long long start, end, from;
	unsigned char *window = NULL;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned char *at;

		if (!strstr(line, "gmemstate-shared") ||
		    sscanf(line, "%llx-%llx %*s %llx", &start, &end, &from) != 3)
			continue;
		at = (unsigned char *)start;
		if ((at < host || at >= host + size) && offset >= from &&
		    offset < from + (end - start))
			window = at + (offset - from);
	}
	if (maps)
		fclose(maps);
	return window;
}

/* Maps an empty file over a page of the window. Each touch of such a mapping is refused. */
static int plant_window(struct race *r)
{
	const uint64_t page = shared_page(r), offset = (r->memory.start + page) * PROBE_PAGE;
	unsigned char *at = find_window(r, offset);
	int err = 0, fd;

	if (page == r->options.pages || !at)
		return -ENOENT;
	fd = memfd_create("refusing", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (mmap(at, PROBE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED)
		err = -errno;
	close(fd);
	return err;
}

/* Discards a shared page, which was written when all pages were compared before. */
static int plant_lost(struct race *r)
{
	const uint64_t page = shared_page(r);

	if (page == r->options.pages)
		return -ENOENT;
	return madvise(r->memory.host + page * PROBE_PAGE, PROBE_PAGE, MADV_REMOVE) ? -errno : 0;
}

int race_plant_now(struct race *r)
{
	switch (r->options.plant) {
	case RACE_WINDOW:
		return plant_window(r);
	case RACE_DEAF:
		r->deaf = true;
		return 0;
	case RACE_LOST:
		return plant_lost(r);
	case RACE_RUNNING:
		r->never_stops = true;
		return 0;
	default:
		return 0;
	}
}
