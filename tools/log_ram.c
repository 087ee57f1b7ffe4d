// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_ram.c - which part of the address space is the guest's memory: see log_ram.h
 */
#include "log_ram.h"

#include <gmemstate/order.h>

#include <string.h>

#define RAM_4G (4 * gms_order_pages(GMS_ORDER_1G))

const char *log_ram_from_name(enum log_ram_from from)
{
	static const char *const names[] = {
		[LOG_RAM_ALL] = "all of the object",
		[LOG_RAM_NOTES] = "the log's notes",
		[LOG_RAM_PRIVATE] = "made private, 64 MiB or more",
		[LOG_RAM_HOLE] = "without the hole below 4G",
	};

	return names[from];
}

/* Cuts ranges at the end of the object. Returns how many are left. */
static unsigned int ram_cut(struct log_ram *ram, unsigned int nr, uint64_t nr_pages)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (ram[i].start >= nr_pages)
			continue;
		ram[left] = ram[i];
		if (ram[left].end > nr_pages)
			ram[left].end = nr_pages;
		left++;
	}
	return left;
}

/*
 * Adds a range to ascending ranges, and joins those that touch it. Returns how many there are
 * then; 0: there is no room.
 */
static unsigned int ram_add(struct log_ram *ram, unsigned int nr, struct log_ram range)
{
	unsigned int first = 0, after;

	while (first < nr && ram[first].end < range.start)
		first++;
	for (after = first; after < nr && ram[after].start <= range.end; after++) {
		range.start = ram[after].start < range.start ? ram[after].start : range.start;
		range.end = ram[after].end > range.end ? ram[after].end : range.end;
	}
	if (after == first && nr == LOG_MAX_RAM)
		return 0;
	memmove(&ram[first + 1], &ram[after], (nr - after) * sizeof(*ram));
	ram[first] = range;
	return nr + 1 - (after - first);
}

static struct log_ram ram_of_event(const struct event *event)
{
	return (struct log_ram) {event->start, event->start + event->nr_pages};
}

/*
 * Adds up what the log makes private before it makes anything shared. If that is memory, adds what
 * is made private later in a piece that is as large: memory that is plugged.
 */
static unsigned int ram_made_private(const struct log *log, struct log_ram *ram)
{
	unsigned int nr = 0;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < log->nr_events && log->events[i].op == EVENT_TO_PRIVATE; i++) {
		nr = ram_add(ram, nr, ram_of_event(&log->events[i]));
		if (!nr)
			return 0;
	}
	for (unsigned int j = 0; j < nr; j++)
		sum += ram[j].end - ram[j].start;
	if (sum < LOG_RAM_MIN_PAGES)
		return 0;
	for (; nr && i < log->nr_events; i++) {
		if (log->events[i].op == EVENT_TO_PRIVATE &&
		    log->events[i].nr_pages >= LOG_RAM_MIN_PAGES)
			nr = ram_add(ram, nr, ram_of_event(&log->events[i]));
	}
	return nr;
}

/* Finds where the hole below 4G begins: RAM_4G if there is none. */
static gms_pgoff_t ram_find_hole(const struct log *log)
{
	gms_pgoff_t hole = 1, end;

	for (size_t i = 0; i < log->nr_events; i++) {
		end = log->events[i].start + log->events[i].nr_pages;
		if (log->events[i].start < RAM_4G && hole < end)
			hole = end;
	}
	return hole < RAM_4G ? gms_order_up(hole - 1, GMS_ORDER_1G) : RAM_4G;
}

enum log_ram_from log_find_ram(const struct log *log, uint64_t nr_pages, struct log_ram *ram,
			       unsigned int *nr)
{
	gms_pgoff_t hole;

	memcpy(ram, log->notes.ram, sizeof(log->notes.ram));
	*nr = ram_cut(ram, log->notes.nr_ram, nr_pages);
	if (*nr)
		return LOG_RAM_NOTES;
	*nr = ram_cut(ram, ram_made_private(log, ram), nr_pages);
	if (*nr)
		return LOG_RAM_PRIVATE;
	hole = ram_find_hole(log);
	if (nr_pages > RAM_4G && hole < RAM_4G) {
		ram[0] = (struct log_ram) {0, hole};
		ram[1] = (struct log_ram) {RAM_4G, nr_pages};
		*nr = 2;
		return LOG_RAM_HOLE;
	}
	ram[0] = (struct log_ram) {0, nr_pages};
	*nr = 1;
	return LOG_RAM_ALL;
}
