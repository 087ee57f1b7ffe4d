/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.h - writes the result of a replay, or a snapshot, as text and as JSON
 *
 * The functions do not check the stream. The caller checks it with ferror().
 */
#ifndef GMS_TOOL_REPORT_H
#define GMS_TOOL_REPORT_H

#include "replay.h"
#include "snapshot.h"

/*
 * The fewest conversions whose speed is written. The time of fewer says more about the host than
 * about the library.
 */
#define REPORT_TIMED_CONVERSIONS 10000

/* How many lines that were not applied the table lists. Further ones are only counted. */
#define REPORT_REFUSALS 10

/**
 * report_table() - write the table of `gmemstate replay`
 * @out: the stream to write to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 */
void report_table(FILE *out, const char *name, const struct log *log, const struct replay *replay);

/**
 * report_json() - write the result as JSON, with all listed lines that were not applied
 * @out: the stream to write to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 *
 * Return: 0; -ENOMEM: the output is missing or incomplete.
 */
int report_json(FILE *out, const char *name, const struct log *log, const struct replay *replay);

/**
 * report_runs() - write the runs of the state, one on each line: start, end, pages, shareability
 * @out: the stream to write to
 * @replay: the replay
 */
void report_runs(FILE *out, const struct replay *replay);

/**
 * report_runs_json() - write the runs of the state as JSON
 * @out: the stream to write to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 *
 * Return: 0; -ENOMEM: the output is missing or incomplete.
 */
int report_runs_json(FILE *out, const char *name, const struct log *log,
		     const struct replay *replay);

/**
 * report_snapshot() - write a snapshot: a summary, in lines that begin with #, then its runs
 * @out: the stream to write to
 * @name: the file's name
 * @snapshot: the snapshot
 * @counts: the counts of its object
 *
 * The runs are written as by report_runs(). Behind them are the words quarantined, 4K or 2M (the
 * largest mapping that inhibits allow), and attrs= with the numbers of attributes.
 */
void report_snapshot(FILE *out, const char *name, const struct snapshot *snapshot,
		     const struct replay *counts);

/**
 * report_snapshot_json() - write a snapshot as JSON
 * @out: the stream to write to
 * @name: the file's name
 * @snapshot: the snapshot
 * @counts: the counts of its object
 *
 * Return: 0; -ENOMEM: the output is missing or incomplete.
 */
int report_snapshot_json(FILE *out, const char *name, const struct snapshot *snapshot,
			 const struct replay *counts);

#endif /* GMS_TOOL_REPORT_H */
