/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_report.h - writes the results of policies side by side, as a table and as JSON
 */
#ifndef GMS_TOOL_LAB_REPORT_H
#define GMS_TOOL_LAB_REPORT_H

#include "lab.h"

/* The number of policies that the library has. */
#define LAB_MAX_RUNS 4

/**
 * struct lab_report - one log, replayed under one or more policies
 * @name: the log's file name
 * @log: the log
 * @size_from_log: no size was given, so the size is log_nr_pages()
 * @opts: options of each run; only the policy differs
 * @results: result of each run
 * @nr_runs: number of runs
 */
struct lab_report {
	const char *name;
	const struct log *log;
	bool size_from_log;
	struct lab_opts opts[LAB_MAX_RUNS];
	struct lab_result results[LAB_MAX_RUNS];
	unsigned int nr_runs;
};

/**
 * lab_report_table() - write the table of `gmemstate replay --policy`, a column for each policy
 * @out: the stream to write to
 * @report: the results
 */
void lab_report_table(FILE *out, const struct lab_report *report);

/**
 * lab_report_json() - write the results as JSON
 * @out: the stream to write to
 * @report: the results
 *
 * Return: 0; -ENOMEM: the output is missing or incomplete.
 */
int lab_report_json(FILE *out, const struct lab_report *report);

/**
 * lab_report_backing_name() - return the name of a folio size
 * @order: 0, 9 or 18
 *
 * Return: "4K", "2M" or "1G".
 */
const char *lab_report_backing_name(unsigned int order);

#endif /* GMS_TOOL_LAB_REPORT_H */
