/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.h - write down what a replay came to: for people, and for programs
 *
 * Whether writing worked is the stream's to tell (ferror()), and the caller's to ask.
 */
#ifndef GMS_TOOL_REPORT_H
#define GMS_TOOL_REPORT_H

#include "replay.h"

/* Refused lines that the table names; the rest are counted. */
#define REPORT_REFUSALS 10

/**
 * report_table() - the table of `gmemstate replay`
 * @out: where to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 */
void report_table(FILE *out, const char *name, const struct log *log, const struct replay *replay);

/**
 * report_json() - the same as JSON, with all refused lines that are listed
 * @out: where to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 *
 * Return: 0; -ENOMEM: nothing, or not all, was written.
 */
int report_json(FILE *out, const char *name, const struct log *log, const struct replay *replay);

/**
 * report_runs() - the runs of the state, a line each: start, end, pages, shareability
 * @out: where to
 * @replay: the replay
 */
void report_runs(FILE *out, const struct replay *replay);

/**
 * report_runs_json() - the runs of the state as JSON
 * @out: where to
 * @name: the log's file name
 * @log: the log
 * @replay: the replay
 *
 * Return: 0; -ENOMEM: nothing, or not all, was written.
 */
int report_runs_json(FILE *out, const char *name, const struct log *log,
		     const struct replay *replay);

#endif /* GMS_TOOL_REPORT_H */
