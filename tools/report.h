/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.h - writes the result of a replay, as a table and as JSON
 *
 * The functions do not check the stream. The caller checks it with ferror().
 */
#ifndef GMS_TOOL_REPORT_H
#define GMS_TOOL_REPORT_H

#include "replay.h"

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

#endif /* GMS_TOOL_REPORT_H */
