// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * replay.c - applies the conversions of a log to a state object, and counts the result
 *
 * Cost. There is one call of the library for each conversion; then one for each 1G block, 512 more
 * for each mixed 1G block, and a walk over the runs. No cost is in proportion to the pages.
 */
#include "replay.h"

#include "clock.h"

#include <gmemstate/order.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many conversions are timed together. */
#define REPLAY_BATCH 256

static int replay_create(struct replay *replay, const struct log *log, uint64_t nr_pages)
{
	struct gms_state_opts opts = {.struct_size = sizeof(opts)};

	replay->size_from_log = !nr_pages;
	if (!nr_pages) {
		nr_pages = log_nr_pages(log);
		if (!nr_pages)
			return -ENODATA;
	}
	opts.nr_pages = nr_pages;
	opts.flags = replay->init_private ? GMS_INIT_PRIVATE : 0;
	return gms_state_create(&opts, &replay->state);
}

/* Returns the reason why the library refused an event. */
static const char *replay_reason(const struct replay *replay, const struct event *event, int error)
{
	const uint64_t nr_pages = gms_state_nr_pages(replay->state);

	if (error == -ENOMEM)
		return "out of memory";
	if (event->start >= nr_pages || event->nr_pages > nr_pages - event->start)
		return "the range ends past the object";
	return "the library refuses it as invalid";
}

/* Lists the malformed lines before line @line that are not listed yet. */
static int replay_add_malformed(struct replay *replay, const struct log_refusals *malformed,
				uint64_t line)
{
	int ret = 0;

	while (!ret && replay->nr_malformed < malformed->nr_listed &&
	       malformed->list[replay->nr_malformed].line < line)
		ret = log_refuse(&replay->refused, &malformed->list[replay->nr_malformed++]);
	return ret;
}

/* Lists a refused conversion, after the malformed lines that precede it. */
static int replay_reject(struct replay *replay, const struct log *log, const struct event *event,
			 int error)
{
	const struct log_refusal refusal = {
		.line = event->line,
		.reason = replay_reason(replay, event, error),
		.malformed = false,
	};
	int ret = replay_add_malformed(replay, &log->malformed, event->line);

	replay->nr_rejected++;
	return ret ? ret : log_refuse(&replay->refused, &refusal);
}

/* Finds the next conversions from event *at on, at most REPLAY_BATCH. Returns their number. */
static size_t replay_find_batch(const struct log *log, size_t *at, const struct event **batch)
{
	size_t nr = 0;

	for (; *at < log->nr_events && nr < REPLAY_BATCH; ++*at) {
		if (event_is_conversion(log->events[*at].op))
			batch[nr++] = &log->events[*at];
	}
	return nr;
}

static int replay_convert_batch(struct replay *replay, const struct log *log,
				const struct event *const *batch, size_t nr)
{
	const uint64_t start = clock_ns();

	for (size_t i = 0; i < nr; i++) {
		const struct event *event = batch[i];
		int ret = gms_convert(replay->state, event->start, event->nr_pages,
				      event_converts_to(event->op), 0, NULL);

		if (ret)
			ret = replay_reject(replay, log, event, ret);
		if (ret)
			return ret;
	}
	replay->nanoseconds += clock_ns() - start;
	replay->calls += nr;
	return 0;
}

/* Applies the conversions in batches, so that the time to find them is not measured. */
static int replay_convert(struct replay *replay, const struct log *log)
{
	const struct event *batch[REPLAY_BATCH];
	size_t at = 0, nr;
	int ret = 0;

	while (!ret && (nr = replay_find_batch(log, &at, batch)))
		ret = replay_convert_batch(replay, log, batch, nr);
	return ret;
}

static void replay_count_runs(struct replay *replay)
{
	const uint64_t nr_pages = gms_state_nr_pages(replay->state);
	struct gms_iter iter;
	struct gms_run run;

	gms_iter_init(&iter, replay->state, 0, nr_pages);
	while (gms_iter_next(&iter, &run)) {
		struct replay_pages *pages = &replay->pages[run.shareability];

		pages->nr_pages += run.nr_pages;
		pages->nr_runs++;
		if (pages->longest < run.nr_pages)
			pages->longest = run.nr_pages;
	}
}

/* Keeps the blocks with the most runs. Of blocks with equally many, the lowest comes first. */
static void replay_rank_block(struct replay *replay, const struct replay_block *block)
{
	unsigned int i = replay->nr_top;

	while (i && replay->top[i - 1].nr_runs < block->nr_runs)
		i--;
	if (i == REPLAY_TOP_BLOCKS)
		return;
	if (replay->nr_top < REPLAY_TOP_BLOCKS)
		replay->nr_top++;
	memmove(&replay->top[i + 1], &replay->top[i],
		(replay->nr_top - 1 - i) * sizeof(*replay->top));
	replay->top[i] = *block;
}

static void replay_count_mixed(struct replay *replay, gms_pgoff_t start, gms_pgoff_t end)
{
	struct replay_block block = {.start = start};
	struct gms_iter iter;
	struct gms_run run;

	gms_for_each_block(at, next, start, end, GMS_ORDER_2M) {
		enum gms_summary summary = gms_summary(replay->state, at, GMS_ORDER_2M);

		replay->blocks_2m[summary]++;
		block.nr_mixed_2m += summary == GMS_MIXED;
	}
	gms_iter_init(&iter, replay->state, start, end - start);
	while (gms_iter_next(&iter, &run)) {
		block.nr_runs++;
		if (run.shareability == GMS_SHARED)
			block.nr_shared += run.nr_pages;
		else
			block.nr_private += run.nr_pages;
	}
	replay_rank_block(replay, &block);
}

static void replay_count_blocks(struct replay *replay)
{
	const uint64_t nr_pages = gms_state_nr_pages(replay->state);

	gms_for_each_1g(start, end, 0, nr_pages) {
		enum gms_summary summary = gms_summary(replay->state, start, GMS_ORDER_1G);

		replay->blocks_1g[summary]++;
		if (summary == GMS_MIXED)
			replay_count_mixed(replay, start, end);
		else
			replay->blocks_2m[summary] +=
				gms_order_up(end - start - 1, GMS_ORDER_2M) >> GMS_ORDER_2M;
	}
}

void replay_count(struct replay *replay)
{
	replay->stats.struct_size = sizeof(replay->stats);
	gms_stats_read(replay->state, &replay->stats);
	replay_count_runs(replay);
	replay_count_blocks(replay);
}

int replay_run(struct replay *replay, const struct log *log, uint64_t nr_pages, bool init_private)
{
	int ret;

	memset(replay, 0, sizeof(*replay));
	replay->init_private = init_private;
	ret = replay_create(replay, log, nr_pages);
	if (!ret)
		ret = replay_convert(replay, log);
	if (!ret)
		ret = replay_add_malformed(replay, &log->malformed, UINT64_MAX);
	if (ret)
		return ret;
	/* The log may count more malformed lines than it lists. */
	replay->refused.total = log->malformed.total + replay->nr_rejected;
	replay_count(replay);
	return 0;
}

void replay_fini(struct replay *replay)
{
	gms_state_destroy(replay->state);
	free(replay->refused.list);
	memset(replay, 0, sizeof(*replay));
}
