// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_convert.c - the thread that converts, and that makes its conversions fail
 *
 * Every other conversion is tried again and again: in the n-th try the n-th allocation of the call
 * fails. The last try is the first that has fewer allocations than that. A try that fails must
 * have changed nothing: the host and the guest look at its pages. A try may also succeed in spite
 * of the failure, because a merge was given up. Then the pages are converted back, if they were
 * all on one side, so that the later allocations have their turn.
 */
#include "load.h"

#include <errno.h>
#include <unistd.h>

#define MAX_BLOCKS 3
#define MAX_BUSY 20000 /* tries that are refused with EAGAIN */
#define MAX_NTH 5000
#define FAIL_EVERY 2 /* conversions; in the others no allocation fails */
#define LOOK_ALL 64 /* more pages than that are not all looked at after each failure ... */
#define LOOK_ALL_EVERY 64 /* ... but after each 64th */
#define PLANT_EVERY 16

struct range {
	uint64_t page, nr;
	enum side to;
};

struct converter {
	struct load *l;
	uint64_t rng;
	struct load_fail fail;
	struct range last;
	uint64_t made, failures; /* in this round */
};

static bool is_private(const struct load *l, uint64_t page)
{
	return atomic_load(&l->sides[page]) & LOAD_PRIVATE;
}

/*
 * Draws a range: pages up to three blocks, which are not aligned; or some pages; or whole blocks.
 * Every other range has the blocks of the one before, so that those become uniform again.
 */
static struct range draw_range(struct converter *c)
{
	struct load *l = c->l;
	struct range r = c->last;

	switch (load_draw(&c->rng, 8)) {
	case 0:
		r.nr = 1 + load_draw(&c->rng, BLOCK / 8);
		r.page = load_draw(&c->rng, l->nr_pages);
		break;
	case 1:
		r.nr = BLOCK * (1 + load_draw(&c->rng, MAX_BLOCKS));
		r.page = BLOCK * load_draw(&c->rng, l->options->blocks);
		break;
	case 2:
	case 3:
		r.nr = 1 + load_draw(&c->rng, MAX_BLOCKS * BLOCK);
		r.page = load_draw(&c->rng, l->nr_pages);
		break;
	default:
		r.nr = (r.page + r.nr + BLOCK - 1) / BLOCK * BLOCK;
		r.page = r.page / BLOCK * BLOCK;
		r.nr -= r.page;
	}
	if (r.nr > l->nr_pages - r.page)
		r.nr = l->nr_pages - r.page;
	r.to = is_private(l, r.page) ? SHARED : PRIVATE;
	c->last = r;
	return r;
}

static void model_begin(struct load *l, const struct range *r)
{
	for (uint64_t i = r->page; i < r->page + r->nr; i++)
		atomic_fetch_or(&l->sides[i], LOAD_MOVING);
}

static void model_end(struct load *l, const struct range *r, bool converted)
{
	for (uint64_t i = r->page; i < r->page + r->nr; i++) {
		uint32_t side = atomic_load(&l->sides[i]);

		if (converted)
			side = (side & ~LOAD_PRIVATE) | (r->to == PRIVATE ? LOAD_PRIVATE : 0);
		atomic_store(&l->sides[i], (side & ~LOAD_MOVING) + LOAD_COUNT);
	}
}

/* Tries once. @nth: 0: no failure. *injected: the allocation was made, and failed. */
static int convert_once(struct converter *c, const struct range *r, unsigned int nth,
			bool *injected)
{
	struct load *l = c->l;
	uint64_t at;
	int err;

	*injected = false;
	model_begin(l, r);
	load_fail_nth(&c->fail, nth);
	err = gmem_convert(l->g.fd, r->page, r->nr, r->to, &at);
	if (nth)
		*injected = load_fail_nth_end(&c->fail);
	model_end(l, r, !err);
	if (err == -EAGAIN && (at < r->page || at >= r->page + r->nr))
		load_mismatch(l, "pages %llu + %llu: EAGAIN names page %llu",
			      (unsigned long long)r->page, (unsigned long long)r->nr,
			      (unsigned long long)at);
	return err;
}

/* The same, and tries again while a page is in use for a moment. */
static int convert_settled(struct converter *c, const struct range *r, unsigned int nth,
			   bool *injected)
{
	int err;

	for (unsigned int i = 0; i < MAX_BUSY && !load_failed(c->l); i++) {
		err = convert_once(c, r, nth, injected);
		if (err != -EAGAIN)
			return err;
		atomic_fetch_add(&c->l->tally->busy, 1);
		usleep(100);
	}
	return -EAGAIN;
}

/* ---- looking at pages ---- */

static void look_at(struct load *l, uint64_t page, uint64_t nr)
{
	for (uint64_t i = page; i < page + nr; i++)
		load_host_touch(l, l->g.host, LOAD_HOSTS, i);
}

/* Looks at the pages of a conversion that failed, and at a page before and after them. */
static int look_after_failure(struct converter *c, const struct range *r)
{
	struct load *l = c->l;
	const uint64_t start = r->page ? r->page - 1 : 0;
	const uint64_t end = r->page + r->nr < l->nr_pages ? r->page + r->nr + 1 : l->nr_pages;
	const uint64_t nr = end - start;

	if (nr <= LOOK_ALL || !(c->failures % LOOK_ALL_EVERY)) {
		look_at(l, start, nr);
		return load_vcpus_check(l, start, nr);
	}
	look_at(l, start, LOOK_ALL / 4);
	look_at(l, end - LOOK_ALL / 4, LOOK_ALL / 4);
	for (unsigned int i = 0; i < LOOK_ALL / 2; i++)
		look_at(l, start + load_draw(&c->rng, nr), 1);
	return load_vcpus_check(l, start + load_draw(&c->rng, nr - LOOK_ALL), LOOK_ALL);
}

/* ---- a conversion, with failures ---- */

static bool is_uniform(const struct load *l, const struct range *r)
{
	for (uint64_t i = r->page; i < r->page + r->nr; i++)
		if (is_private(l, i) != is_private(l, r->page))
			return false;
	return true;
}

static int unexpected(struct load *l, const struct range *r, unsigned int nth, int err)
{
	load_mismatch(l, "pages %llu + %llu to %s, allocation %u %s: %d",
		      (unsigned long long)r->page, (unsigned long long)r->nr, side_name(r->to), nth,
		      nth ? "fails" : "(none fails)", err);
	return err;
}

/* Converts with no failure. Returns 0 or -errno. */
static int convert_plainly(struct converter *c, const struct range *r)
{
	bool injected;
	int err = convert_settled(c, r, 0, &injected);

	atomic_fetch_add(&c->l->tally->conversions, !err);
	return err && !load_failed(c->l) ? unexpected(c->l, r, 0, err) : err;
}

/* Handles a conversion that failed, as it has to. */
static int refused(struct converter *c, const struct range *r)
{
	struct load *l = c->l;

	c->failures++;
	atomic_fetch_add(&l->tally->refused, 1);
	if (l->options->plant == LOAD_HALF && !(c->failures % PLANT_EVERY))
		gmem_convert(l->g.fd, r->page + r->nr - 1, 1, r->to, NULL);
	return look_after_failure(c, r);
}

/* Converts with each allocation failing in turn. Returns 0 or -errno. */
static int convert_failing(struct converter *c, const struct range *r)
{
	const struct range back = {r->page, r->nr, r->to == SHARED ? PRIVATE : SHARED};
	const bool uniform = is_uniform(c->l, r);
	struct load *l = c->l;
	bool injected = true;

	for (unsigned int nth = 1; !load_failed(l) && nth < MAX_NTH; nth++) {
		int err = convert_settled(c, r, nth, &injected);

		if (load_failed(l))
			return 0;
		if (err == -ENOMEM && injected) {
			err = refused(c, r);
			if (err)
				return err;
			continue;
		}
		if (err)
			return unexpected(l, r, nth, err);
		atomic_fetch_add(&l->tally->conversions, 1);
		if (!injected)
			return 0;
		atomic_fetch_add(&l->tally->unharmed, 1);
		if (!uniform)
			return 0;
		err = convert_plainly(c, &back);
		if (err)
			return err;
	}
	return 0;
}

static int convert_something(struct converter *c)
{
	struct range r = draw_range(c);

	atomic_store(&c->l->focus, r.page);
	atomic_store(&c->l->focus_nr, r.nr);
	load_vcpus_focus(c->l, r.page, r.nr);
	return c->made++ % FAIL_EVERY ? convert_plainly(c, &r) : convert_failing(c, &r);
}

/* ---- the thread ---- */

/* Returns true if the round has what it needs. */
static bool is_enough(const struct converter *c)
{
	const struct load *l = c->l;
	const struct load_options *options = l->options;
	uint64_t splits = 0, merges = 0, each = (options->splits + options->rounds - 1);

	if (options->conversions)
		return c->made * options->rounds >= options->conversions;
	each /= options->rounds;
	return !gmem_counter(l->g.fd, "splits_2m", &splits) &&
	       !gmem_counter(l->g.fd, "merges_2m", &merges) && splits >= each && merges >= each;
}

int load_convert(struct load *l, uint64_t seed)
{
	struct converter c = {.l = l, .rng = seed, .last = {.nr = BLOCK}};
	int err = load_fail_open(&c.fail);

	while (!err && !load_failed(l) && !is_enough(&c)) {
		if (load_now() > l->deadline)
			err = -ETIME;
		else
			err = convert_something(&c);
		if (!(c.made % PLANT_EVERY))
			load_plant_now(l, &c.rng);
	}
	load_fail_close(&c.fail);
	return err;
}

int load_convert_all(struct load *l, enum side to)
{
	const struct range all = {0, l->nr_pages, to};
	struct converter c = {.l = l};
	int err = load_fail_open(&c.fail);

	if (!err)
		err = convert_plainly(&c, &all);
	load_fail_close(&c.fail);
	return err;
}
