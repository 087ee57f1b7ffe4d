// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sizes.c - a set of pages in blocks of 4K, 2M or 1G
 */
#include "sizes.h"

#include <string.h>

int sizes_init(struct sizes *sizes, uint64_t nr_pages)
{
	memset(sizes, 0, sizeof(*sizes));
	for (int l = 0; l < SIZES_NR_LEVELS; l++) {
		int ret = gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &sizes->at_least[l]);

		if (ret)
			return ret;
	}
	return 0;
}

void sizes_fini(struct sizes *sizes)
{
	for (int l = 0; l < SIZES_NR_LEVELS; l++)
		gms_rtree_destroy(sizes->at_least[l]);
}

int sizes_set(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level)
{
	uint64_t larger = 0; /* pages of the range that were in blocks above level l */

	for (int l = SIZES_NR_LEVELS - 1; l >= 0; l--) {
		struct gms_rtree *set = sizes->at_least[l];
		uint64_t nr = gms_rtree_count(set, start, nr_pages);
		uint64_t wanted = l <= level ? nr_pages : 0;
		int ret = 0;

		if (nr != wanted && wanted)
			ret = gms_rtree_set(set, start, nr_pages);
		else if (nr != wanted)
			ret = gms_rtree_clear(set, start, nr_pages);
		if (ret)
			return ret;
		sizes->nr_pages[l] -= nr - larger;
		larger = nr;
	}
	if (level != SIZES_LEVEL_NONE)
		sizes->nr_pages[level] += nr_pages;
	return 0;
}

int sizes_level(const struct sizes *sizes, gms_pgoff_t index)
{
	int level = SIZES_NR_LEVELS - 1;

	while (level >= 0 && !gms_rtree_test(sizes->at_least[level], index))
		level--;
	return level;
}

bool sizes_next(const struct sizes *sizes, gms_pgoff_t from, gms_pgoff_t end, struct sizes_run *run)
{
	run->level = SIZES_LEVEL_NONE;
	for (int l = 0; l < SIZES_NR_LEVELS; l++) {
		struct gms_rtree_run r;

		if (!gms_rtree_next(sizes->at_least[l], from, end, &r))
			return false;
		run->start = from;
		run->nr_pages = r.nr_pages;
		end = from + r.nr_pages;
		if (!r.set)
			break;
		run->level = l;
	}
	return true;
}

bool sizes_all(const struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int level)
{
	struct sizes_run run;

	return sizes_next(sizes, start, start + nr_pages, &run) && run.level == level &&
	       run.nr_pages == nr_pages;
}

int sizes_drop(struct sizes *sizes, gms_pgoff_t start, uint64_t nr_pages, int min_level,
	       uint64_t *nr_blocks)
{
	const gms_pgoff_t end = start + nr_pages;
	struct sizes_run run;

	for (gms_pgoff_t at = start; sizes_next(sizes, at, end, &run); at += run.nr_pages) {
		gms_pgoff_t blocks_start, blocks_end;
		unsigned int order;
		int ret;

		if (run.level == SIZES_LEVEL_NONE || run.level < min_level)
			continue;
		order = sizes_level_order(run.level);
		blocks_start = gms_order_down(run.start, order);
		blocks_end = gms_order_up(run.start + run.nr_pages - 1, order);
		ret = sizes_set(sizes, blocks_start, blocks_end - blocks_start, SIZES_LEVEL_NONE);
		if (ret)
			return ret;
		*nr_blocks += (blocks_end - blocks_start) >> order;
	}
	return 0;
}
