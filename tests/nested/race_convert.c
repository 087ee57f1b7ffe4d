// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * race_convert.c - conversions at the same time, and what the library has to answer
 *
 * Each converter has an open request while it is in gms_convert(). If no other request overlapped
 * it, its pages are judged: all of them are converted, or those before the page that stopped the
 * conversion. If another one overlapped it, only its answer is judged: -EAGAIN needs a pinned
 * page, and -EIO needs a hook that failed. In place a reference to any page of a folio is as good
 * as a pin of the page that is named.
 */
#include "race.h"

#include <gmemstate/order.h>

#include <errno.h>

uint64_t race_draw(uint64_t *rng, uint64_t below)
{
	*rng ^= *rng >> 12;
	*rng ^= *rng << 25;
	*rng ^= *rng >> 27;
	return (*rng * 0x2545f4914f6cdd1dULL >> 11) % below;
}

uint64_t race_seed(struct race *r)
{
	return (r->options.seed + 1) * 0x9e3779b97f4a7c15ULL ^ (++r->seeds * 0xbf58476d1ce4e5b9ULL);
}

uint64_t draw_contested(struct race *r, uint64_t *rng, unsigned int converter)
{
	unsigned int first = (unsigned int)race_draw(rng, RACE_CONVERTERS), other = first;
	uint64_t at, nr_pages;

	for (unsigned int i = 1; i < RACE_CONVERTERS; i++) {
		if (other != converter && atomic_load(&r->requests[other].open))
			break;
		other = (first + i) % RACE_CONVERTERS;
	}
	at = atomic_load(&r->requests[other].at);
	/* the number may be that of a later request, which does no harm */
	nr_pages = atomic_load(&r->requests[other].nr_pages);
	if (!nr_pages)
		return race_draw(rng, r->options.pages);
	return (at + race_draw(rng, nr_pages)) % r->options.pages;
}

struct wish draw_wish(struct race *r, uint64_t *rng, unsigned int converter)
{
	uint64_t kind = race_draw(rng, 10), max = r->options.pages;
	struct wish wish = {
		.at = race_draw(rng, 3) ? race_draw(rng, max) : draw_contested(r, rng, converter),
		.to = race_draw(rng, 2) ? GMS_PRIVATE : GMS_SHARED,
	};

	if (kind < 5) {
		wish.nr_pages = 1 + race_draw(rng, 8);
	} else if (kind < 9) {
		wish.nr_pages = 1 + race_draw(rng, 200);
	} else {
		wish.at = gms_order_down(wish.at, MODEL_MAX_WISH_ORDER);
		wish.nr_pages = MODEL_MAX_WISH;
	}
	if (wish.nr_pages > max - wish.at)
		wish.nr_pages = max - wish.at;
	return wish;
}

static bool overlap(const struct request *request, uint64_t at, uint64_t nr_pages)
{
	return request->open && at < request->at + request->nr_pages && request->at < at + nr_pages;
}

static void open_request(struct race *r, struct request *mine, const struct wish *wish)
{
	pthread_mutex_lock(&r->lock);
	mine->overlapped = false;
	for (unsigned int i = 0; i < RACE_CONVERTERS; i++) {
		struct request *other = &r->requests[i];

		if (other != mine && overlap(other, wish->at, wish->nr_pages))
			other->overlapped = mine->overlapped = true;
	}
	atomic_store(&mine->at, wish->at);
	atomic_store(&mine->nr_pages, wish->nr_pages);
	mine->open = true;
	pthread_mutex_unlock(&r->lock);
}

/* Closes a request, and checks its first @done pages unless another request overlapped it. */
static void close_request(struct race *r, struct request *mine, const struct wish *wish,
			  uint64_t done)
{
	uint64_t wrong = done;
	bool overlapped;

	pthread_mutex_lock(&r->lock);
	overlapped = mine->overlapped;
	for (uint64_t i = 0; !overlapped && i < done && wrong == done; i++)
		if (model_private(r, wish->at + i) != (wish->to == GMS_PRIVATE) ||
		    gms_is_private(r->memory.state, r->memory.start + wish->at + i) !=
			    (wish->to == GMS_PRIVATE))
			wrong = i;
	mine->open = false;
	pthread_mutex_unlock(&r->lock);
	atomic_fetch_add(&r->tally.overlapped, overlapped);
	if (wrong < done)
		race_mismatch(r, "page %llu: converted, and it is not %s",
			      (unsigned long long)(wish->at + wrong),
			      wish->to == GMS_PRIVATE ? "private" : "shared");
}

static bool was_pinned(const struct race *r, uint64_t page, uint64_t since)
{
	return atomic_load(&r->pins[page]) || atomic_load(&r->unpinned[page]) >= since;
}

/* Returns true if the page, or a page that may be in the same folio, was pinned. */
static bool folio_was_pinned(const struct race *r, uint64_t page, uint64_t since)
{
	const uint64_t nr_pages = gms_order_pages(r->memory.folio_order);
	const gms_pgoff_t index = r->memory.start + page;
	const gms_pgoff_t first = gms_order_down(index, r->memory.folio_order);

	for (gms_pgoff_t i = first; i < first + nr_pages; i++)
		if (i >= r->memory.start && i < r->memory.start + r->memory.nr_pages &&
		    was_pinned(r, i - r->memory.start, since))
			return true;
	return false;
}

/* Returns true if the library may return @err and stop at @stopped. */
static bool answer_ok(const struct race *r, const struct wish *wish, int err, uint64_t stopped,
		      uint64_t since, bool apply_failed)
{
	if (!err)
		return !apply_failed;
	if (stopped < wish->at || stopped >= wish->at + wish->nr_pages)
		return false;
	if (err == -EAGAIN)
		return wish->to == GMS_PRIVATE && folio_was_pinned(r, stopped, since);
	return err == -EIO && apply_failed;
}

static void count(struct race *r, unsigned int converter, int err)
{
	atomic_fetch_add(&r->tally.conversions, 1);
	atomic_fetch_add(&r->tally.asked, converter != RACE_BALLOON);
	atomic_fetch_add(&r->tally.pinned, err == -EAGAIN);
	atomic_fetch_add(&r->tally.failed, err == -EIO);
}

void race_convert(struct race *r, uint64_t *rng, unsigned int converter, const struct wish *wish)
{
	unsigned int fail = race_draw(rng, 16) ? 0 : 1 + (unsigned int)race_draw(rng, 3);
	unsigned int flags = race_draw(rng, 4) ? 0 : GMS_CONVERT_RESUMABLE;
	struct request *mine = &r->requests[converter];
	uint64_t since = atomic_load(&r->clock), done = wish->nr_pages;
	gms_pgoff_t stopped = 0;
	bool apply_failed;
	int err;

	if (atomic_fetch_sub(&r->left, 1) <= 0)
		return;
	/* The host may have taken a reference to what became shared: that could not be undone. */
	if (r->in_place && wish->to == GMS_SHARED)
		fail = 0;
	open_request(r, mine, wish);
	model_begin(wish, fail);
	err = gms_convert(r->memory.state, r->memory.start + wish->at, wish->nr_pages, wish->to,
			  flags, &stopped);
	apply_failed = model_end(r);
	stopped -= r->memory.start;
	if (!answer_ok(r, wish, err, stopped, since, apply_failed))
		race_mismatch(r, "pages %llu + %llu to %s: gms_convert() returns %d at %llu",
			      (unsigned long long)wish->at, (unsigned long long)wish->nr_pages,
			      wish->to == GMS_PRIVATE ? "private" : "shared", err,
			      (unsigned long long)stopped);
	else if (err)
		done = flags & GMS_CONVERT_RESUMABLE ? stopped - wish->at : 0;
	close_request(r, mine, wish, done);
	count(r, converter, err);
}
