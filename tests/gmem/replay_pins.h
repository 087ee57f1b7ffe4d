/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replay_pins.h - the pins of a replay
 *
 * A pin is a pipe that holds pages by vmsplice(). The simulated machine of the tool knows which
 * pins keep a conversion waiting: those that overlap the folios of its range. Here the kernel says
 * how large the folio of a pinned page is, by /proc/kpageflags.
 */
#ifndef REPLAY_PINS_H
#define REPLAY_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pin;

/**
 * struct pins - the pins, in the order in which they were made
 * @host: the mapping of all pages
 * @list: LAB_MAX_PINS places
 * @nr: number of pins
 * @nr_pages: number of pages of all pins
 * @pagemap: /proc/self/pagemap
 * @pageflags: /proc/kpageflags
 */
struct pins {
	unsigned char *host;
	struct pin *list;
	size_t nr;
	uint64_t nr_pages;
	int pagemap;
	int pageflags;
};

/* Returns 0 or -errno. pins_fini() has to follow, also after a failure. */
int pins_init(struct pins *pins, unsigned char *host);
void pins_fini(struct pins *pins);

/*
 * Pins pages that the host has touched, until a time. Drops the oldest pins if there are too many,
 * as the simulated machine does. Returns 0 or -errno.
 */
int pins_add(struct pins *pins, uint64_t start, uint64_t nr_pages, uint64_t until_us);

/* Drops the pins that have ended by now. */
void pins_expire(struct pins *pins, uint64_t now_us);

/*
 * Drops the pins that overlap the folios of a range. Stores in *until_us when the last of them
 * would have ended; 0: there was none. Returns 0 or -errno.
 */
int pins_drop_range(struct pins *pins, uint64_t start, uint64_t nr_pages, uint64_t *until_us);

#endif /* REPLAY_PINS_H */
