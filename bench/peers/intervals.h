/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * intervals.h - peers: an ordered map of where runs begin, whichever map it is
 *
 * Before including it: p_map, PEER_NAME, PEER_SYMBOL. A key is the first page of a run,
 * its value what the run is; there is always one at 0, and neighbours differ. Keys are
 * mutable, so that moving a boundary, which does not change the order, costs neither an
 * erase nor an insert.
 */
#include <iterator>

#include "bench.h"

#define P_HAS_ORDER
#define P_HAS_RUNS
#define P_SIZE_MAX BENCH_16T

struct p_obj {
	p_map map;
	uint64_t nr_pages;
};

static bench_noinline p_obj *p_create(uint64_t nr_pages, bool set)
{
	p_obj *o = new p_obj;

	o->map.emplace(start_key {0}, set);
	o->nr_pages = nr_pages;
	return o;
}

static bench_noinline void p_destroy(p_obj *o)
{
	delete o;
}

static inline p_map::iterator run_at(p_obj *o, uint64_t i)
{
	return std::prev(o->map.upper_bound(start_key {i}));
}

/*
 * The boundaries in [start, end] go, up to two come. Those that come take over entries
 * of those that go; what is left over is erased, what is missing inserted.
 */
static inline void p_store(p_obj *o, uint64_t start, uint64_t nr, bool set)
{
	uint64_t end = start + nr;
	p_map::iterator at = o->map.lower_bound(start_key {start}), it = at;
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

static bench_noinline void p_set(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, true);
}

static bench_noinline void p_clear(p_obj *o, uint64_t start, uint64_t nr)
{
	p_store(o, start, nr, false);
}

static bench_noinline bool p_test(p_obj *o, uint64_t i)
{
	return run_at(o, i)->second;
}

static bench_noinline unsigned int p_order(p_obj *o, uint64_t i)
{
	p_map::iterator next = o->map.upper_bound(start_key {i});
	uint64_t end = next == o->map.end() ? o->nr_pages : next->first.at;
	uint64_t start = std::prev(next)->first.at;
	uint64_t at_1g = i & ~(BENCH_PAGES_1G - 1), at_2m = i & ~(BENCH_PAGES_2M - 1);

	if (start <= at_1g && at_1g + BENCH_PAGES_1G <= end)
		return BENCH_ORDER_1G;
	return start <= at_2m && at_2m + BENCH_PAGES_2M <= end ? BENCH_ORDER_2M : 0;
}

struct p_cursor {
	p_map::iterator it, stop;
	uint64_t nr_pages;
};

static inline void p_first(p_obj *o, struct p_cursor *c)
{
	c->it = o->map.begin();
	c->stop = o->map.end();
	c->nr_pages = o->nr_pages;
}

static bench_noinline bool p_next(struct p_cursor *c, struct bench_run *run)
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
