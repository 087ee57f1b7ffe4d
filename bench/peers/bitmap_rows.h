/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bitmap_rows.h - the rows of a peer whose pages are a flat bitmap
 *
 * Included once, at the end of the peer's file. The peer's object has @map and @nr_pages.
 */
static bench_noinline bool peer_test(peer_obj *o, uint64_t i)
{
	return bitmap_test(o->map, i);
}

struct peer_cursor {
	struct bitmap_cursor c;
};

static inline void peer_first(peer_obj *o, struct peer_cursor *c)
{
	c->c = (struct bitmap_cursor) {o->map, 0, o->nr_pages};
}

static bench_noinline bool peer_next(struct peer_cursor *c, struct bench_run *run)
{
	return bitmap_next_run(&c->c, run);
}

#include "rows.h"
