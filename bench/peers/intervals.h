/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * intervals.h - peers: an ordered map of the first pages of runs
 *
 * The includer defines peer_map, PEER_NAME and PEER_SYMBOL. A key is the first page of a run; its
 * value is true if the run is set. There is always a run at 0, and neighbours differ. Keys are
 * mutable: a boundary that moves keeps its place in the order, and costs no erase and no insert.
 */
#include <iterator>

#include "bench.h"

#define PEER_HAS_ORDER
#define PEER_HAS_RUNS
#define PEER_SIZE_MAX BENCH_16T

struct peer_obj {
	peer_map map;
	uint64_t nr_pages;
};

static bench_noinline peer_obj *peer_create(uint64_t nr_pages, bool set)
{
	peer_obj *o = new peer_obj;

	o->map.emplace(start_key {0}, set);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void peer_destroy(peer_obj *o)
{
	delete o;
}

static inline peer_map::iterator intervals_run_at(peer_obj *o, uint64_t i)
{
	return std::prev(o->map.upper_bound(start_key {i}));
}

/*
 * A store removes the boundaries in [start, end], and makes up to two new ones. New boundaries
 * reuse the entries of removed ones. Then entries are erased or inserted, as their number demands.
 */
static inline void peer_store(peer_obj *o, uint64_t start, uint64_t nr, bool set)
{
	uint64_t end = start + nr;
	peer_map::iterator at = o->map.lower_bound(start_key {start}), it = at;
	bool before = at == o->map.begin() ? !set : std::prev(at)->second;
	bool behind = before;
	bool need_start = before != set;
	bool need_end;
	size_t have = 0;

	for (; it != o->map.end() && it->first.at <= end; ++it, ++have)
		behind = it->second;
	need_end = end < o->nr_pages && behind != set;
	if (need_start && have) {
		at->first.at = start;
		at->second = set;
		++at, --have, need_start = false;
	}
	if (need_end && have && !need_start) {
		at->first.at = end;
		at->second = behind;
		++at, --have, need_end = false;
	}
	if (have)
		at = have == 1 ? o->map.erase(at) : o->map.erase(at, it);
	if (need_start)
		at = std::next(o->map.emplace_hint(at, start_key {start}, set));
	if (need_end)
		o->map.emplace_hint(at, start_key {end}, behind);
}

static bench_noinline void peer_set(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, true);
}

static bench_noinline void peer_clear(peer_obj *o, uint64_t start, uint64_t nr)
{
	peer_store(o, start, nr, false);
}

static bench_noinline bool peer_test(peer_obj *o, uint64_t i)
{
	return intervals_run_at(o, i)->second;
}

static bench_noinline unsigned int peer_order(peer_obj *o, uint64_t i)
{
	peer_map::iterator next = o->map.upper_bound(start_key {i});
	uint64_t end = next == o->map.end() ? o->nr_pages : next->first.at;
	uint64_t start = std::prev(next)->first.at;

	for (unsigned int order = GMS_ORDER_1G; order; order = gms_order_below(order))
		if (start <= gms_order_down(i, order) && gms_order_up(i, order) <= end)
			return order;
	return GMS_ORDER_4K;
}

struct peer_cursor {
	peer_map::iterator it, stop;
	uint64_t nr_pages;
};

static inline void peer_first(peer_obj *o, struct peer_cursor *c)
{
	c->it = o->map.begin();
	c->stop = o->map.end();
	c->nr_pages = o->nr_pages;
}

static bench_noinline bool peer_next(struct peer_cursor *c, struct bench_run *run)
{
	if (c->it == c->stop)
		return false;
	run->start = c->it->first.at;
	run->set = c->it->second;
	++c->it;
	run->nr_pages = (c->it == c->stop ? c->nr_pages : c->it->first.at) - run->start;
	return true;
}

#include "rows.h"
