// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 05_listener.c - a device that maps shared memory, as VFIO does
 *
 * The listener pins and maps each granule that becomes shared, and unmaps and unpins each granule
 * that is withdrawn. So its own pins are gone when a conversion looks for pins. A pin of another
 * user refuses the conversion: the withdrawn granules are restored, and the call returns the index
 * of the pinned page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gmemstate/state.h>

#define NR_PAGES 4096ULL
#define GRANULE 512 /* the IOMMU maps 2M at a time */

struct device {
	struct gms_state *state;
	unsigned int budget; /* how many more mappings the device can make */
};

static int map(struct device *dev, const struct gms_run *run)
{
	int err;

	if (!dev->budget)
		return -ENOSPC;
	err = gms_pin(dev->state, run->start, run->nr_pages, NULL);
	if (err)
		return err;
	dev->budget--;
	printf("    device: maps   %4" PRIu64 " to %4" PRIu64 "\n", run->start,
	       run->start + run->nr_pages);
	return 0;
}

static void unmap(struct device *dev, const struct gms_run *run)
{
	printf("    device: unmaps %4" PRIu64 " to %4" PRIu64 "\n", run->start,
	       run->start + run->nr_pages);
	gms_unpin(dev->state, run->start, run->nr_pages);
	dev->budget++;
}

/* Maps or unmaps runs. After a failure the library undoes the first *done runs by another call. */
static int change(void *ctx, const struct gms_run *runs, size_t count, enum gms_shareability to,
		  size_t *done)
{
	struct device *dev = ctx;
	int err = 0;

	for (*done = 0; !err && *done < count; *done += !err) {
		if (to == GMS_SHARED)
			err = map(dev, &runs[*done]);
		else
			unmap(dev, &runs[*done]);
	}
	return err;
}

static void convert(struct gms_state *state, gms_pgoff_t start, uint64_t nr_pages,
		    enum gms_shareability to)
{
	gms_pgoff_t where = 0;
	int err;

	printf("  %" PRIu64 " pages from %" PRIu64 " to %s\n", nr_pages, start,
	       to == GMS_SHARED ? "shared" : "private");
	err = gms_convert(state, start, nr_pages, to, 0, &where);
	if (err)
		printf("    %s, at %" PRIu64 "\n", strerror(-err), where);
}

int main(void)
{
	/* Without GMS_LISTENER_CAN_SPLIT a run is one granule: VFIO cannot unmap a part of it. */
	const struct gms_listener_ops ops = {.struct_size = sizeof(ops), .change = change};
	struct gms_state_opts opts = GMS_STATE_OPTS_INIT;
	struct device dev = {.budget = 3};
	unsigned int id;
	int err;

	opts.nr_pages = NR_PAGES;
	opts.flags = GMS_INIT_PRIVATE;
	err = gms_state_create(&opts, &dev.state);
	if (err) {
		fprintf(stderr, "gms_state_create: %s\n", strerror(-err));
		return 1;
	}
	printf("The first 4M become shared, and a device is registered\n");
	convert(dev.state, 0, 1024, GMS_SHARED);
	err = gms_listener_register(dev.state, &ops, &dev, 0, NR_PAGES, GRANULE, &id);
	if (err) {
		fprintf(stderr, "gms_listener_register: %s\n", strerror(-err));
		gms_state_destroy(dev.state);
		return 1;
	}
	printf("A page becomes private: the device unpins and unmaps all of its granule\n");
	convert(dev.state, 700, 1, GMS_PRIVATE);
	convert(dev.state, 700, 1, GMS_SHARED);
	printf("Another user has a page pinned: the granules are restored\n");
	gms_pin(dev.state, 20, 1, NULL);
	convert(dev.state, 0, 600, GMS_PRIVATE);
	gms_unpin(dev.state, 20, 1);
	printf("The device can map one more granule, not two: the conversion fails as a whole\n");
	convert(dev.state, 1024, 1024, GMS_SHARED);
	printf("%" PRIu64 " pages are shared\n", gms_count(dev.state, 0, NR_PAGES, GMS_SHARED));
	printf("The device is unregistered\n");
	gms_listener_unregister(dev.state, id);
	gms_state_destroy(dev.state);
	return 0;
}
