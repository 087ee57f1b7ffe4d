// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_init.c - infers from a log if its guest started private: see log.h
 */
#include "log.h"

#include <gmemstate/order.h>
#include <gmemstate/rtree.h>

/*
 * A guest accepts at most 128 MiB at a time (SNP: 64 entries of 2M). A host makes all of a memslot
 * private; the lowest one may be smaller.
 */
#define INIT_STATED_PAGES (1ULL << (GMS_ORDER_1G - 2))

/*
 * @seen: pages that an event has converted
 * @nr_pages: size of the object
 * @top: end of the highest page that the log ever makes private
 * @nr_private: number of pages that the log ever makes private
 * @nr_found: how many of these were not converted before
 * @is_stated: one of the events that found them is of a host that makes RAM private, not of a
 *             guest that accepts a part of it
 * @above: line of the first sign at or above @top; 0: none
 */
struct init_search {
	struct gms_rtree *seen;
	uint64_t nr_pages;
	gms_pgoff_t top;
	uint64_t nr_private;
	uint64_t nr_found;
	bool is_stated;
	uint64_t above;
};

static bool init_is_in_object(const struct init_search *search, const struct event *event)
{
	return event_is_conversion(event->op) && event->start < search->nr_pages &&
	       event->nr_pages <= search->nr_pages - event->start;
}

/* Finds out how many pages the log ever makes private, and where they end. Leaves @seen empty. */
static int init_find_private(struct init_search *search, const struct log *log)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < log->nr_events; i++) {
		const struct event *event = &log->events[i];
		const gms_pgoff_t end = event->start + event->nr_pages;

		if (!init_is_in_object(search, event) ||
		    event_converts_to(event->op) != GMS_PRIVATE)
			continue;
		if (search->top < end)
			search->top = end;
		ret = gms_rtree_set(search->seen, event->start, event->nr_pages);
	}
	search->nr_private = gms_rtree_count(search->seen, 0, search->nr_pages);
	return ret ? ret : gms_rtree_clear(search->seen, 0, search->nr_pages);
}

/* Returns true for a range of a PC that is never RAM: 640K to 1M, or the 32M below 4G. */
static bool init_is_window(const struct event *event)
{
	static const gms_pgoff_t windows[][2] = {{0xa0, 0x100}, {0xfe000, 0x100000}};

	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		if (event->start >= windows[i][0] &&
		    event->start + event->nr_pages <= windows[i][1])
			return true;
	}
	return false;
}

/* Returns true if the host made most of it private, and found that unconverted. */
static bool init_was_made_private(const struct init_search *search)
{
	return search->is_stated && search->nr_found > search->nr_private / 2;
}

/* Takes the next conversion. Returns true if it shows that the guest started private. */
static bool init_is_sign(struct init_search *search, const struct event *event)
{
	const uint64_t nr_seen = gms_rtree_count(search->seen, event->start, event->nr_pages);

	if (nr_seen == event->nr_pages)
		return false;
	if (event->op == EVENT_ACCEPT)
		return true;
	if (event->op == EVENT_TO_PRIVATE) {
		search->nr_found += event->nr_pages - nr_seen;
		search->is_stated |= !event->start || event->nr_pages >= INIT_STATED_PAGES;
		return false;
	}
	if (event->nr_pages == search->nr_pages || init_is_window(event))
		return false;
	if (event->start < search->top)
		return !init_was_made_private(search);
	if (!search->above)
		search->above = event->line;
	return false;
}

int log_find_private_start(const struct log *log, uint64_t nr_pages, uint64_t *line)
{
	struct init_search search = {.nr_pages = nr_pages};
	int ret = gms_rtree_create(nr_pages, GMS_RTREE_NONE, NULL, &search.seen);

	*line = 0;
	if (ret)
		return ret;
	ret = init_find_private(&search, log);
	for (size_t i = 0; !ret && !*line && i < log->nr_events; i++) {
		const struct event *event = &log->events[i];

		if (!init_is_in_object(&search, event))
			continue;
		if (init_is_sign(&search, event))
			*line = event->line;
		else
			ret = gms_rtree_set(search.seen, event->start, event->nr_pages);
	}
	if (!*line && !init_was_made_private(&search))
		*line = search.above;
	gms_rtree_destroy(search.seen);
	return ret;
}
