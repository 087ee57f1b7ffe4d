/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replay.h - applies the conversions of a log to a state object, and counts the result
 */
#ifndef GMS_TOOL_REPLAY_H
#define GMS_TOOL_REPLAY_H

#include "log.h"

#include <gmemstate/state.h>

/* How many of the most fragmented 1G blocks are listed. */
#define REPLAY_TOP_BLOCKS 8

/**
 * struct replay_pages - the pages of one shareability
 * @nr_pages: number of pages
 * @nr_runs: number of runs
 * @longest: length of the longest run in pages
 */
struct replay_pages {
	uint64_t nr_pages;
	uint64_t nr_runs;
	uint64_t longest;
};

/**
 * struct replay_block - one mixed 1G block
 * @start: index of its first page
 * @nr_runs: runs in the block, including those that cross its edges
 * @nr_mixed_2m: mixed 2M blocks in the block
 * @nr_shared: shared pages in the block
 * @nr_private: private pages in the block
 */
struct replay_block {
	gms_pgoff_t start;
	uint64_t nr_runs;
	uint64_t nr_mixed_2m;
	uint64_t nr_shared;
	uint64_t nr_private;
};

/**
 * struct replay - an applied log
 * @state: the object
 * @size_from_log: no size was given, so the size is log_nr_pages()
 * @init_private: every page was private at first
 * @nr_rejected: conversions that the library refused
 * @nr_malformed: malformed lines in @refused
 * @refused: malformed lines and refused conversions, in the order of their lines
 * @calls: number of calls of gms_convert()
 * @nanoseconds: time that all calls took together
 * @stats: the object's counters after the last call
 * @pages: by enum gms_shareability
 * @blocks_2m: number of 2M blocks by enum gms_summary
 * @blocks_1g: number of 1G blocks by enum gms_summary
 * @top: the mixed 1G blocks with the most runs, the most fragmented first
 * @nr_top: number of blocks in @top
 */
struct replay {
	struct gms_state *state;
	bool size_from_log;
	bool init_private;
	uint64_t nr_rejected;
	size_t nr_malformed;
	struct log_refusals refused;
	uint64_t calls;
	uint64_t nanoseconds;
	struct gms_stats stats;
	struct replay_pages pages[2];
	uint64_t blocks_2m[3];
	uint64_t blocks_1g[3];
	struct replay_block top[REPLAY_TOP_BLOCKS];
	unsigned int nr_top;
};

/**
 * replay_run() - apply a log
 * @replay: filled in; after a failure, too, the caller frees it with replay_fini()
 * @log: the log
 * @nr_pages: size of the object in pages; 0: log_nr_pages()
 * @init_private: true: every page is private at first; false: shared
 *
 * A conversion that the library refuses is listed, and the replay goes on.
 *
 * Return: 0; -ENODATA: @nr_pages is 0 and the log gives no size; -ENOMEM; -EINVAL: the library
 * makes no object of that size.
 */
int replay_run(struct replay *replay, const struct log *log, uint64_t nr_pages, bool init_private);

/**
 * replay_count() - count the pages, the runs and the blocks of the object
 * @replay: has the object, and zeroed counts
 */
void replay_count(struct replay *replay);

/**
 * replay_fini() - free what a replay holds
 * @replay: the replay
 */
void replay_fini(struct replay *replay);

#endif /* GMS_TOOL_REPLAY_H */
