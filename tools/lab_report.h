/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_report.h - the policies beside each other: for people, and for programs
 */
#ifndef GMS_TOOL_LAB_REPORT_H
#define GMS_TOOL_LAB_REPORT_H

#include "lab.h"

/* The policies of the library. */
#define LAB_MAX_RUNS 4

/**
 * struct lab_report - one log, replayed under some policies
 * @name: the log's file name
 * @log: the log
 * @size_from_log: nobody gave the size
 * @opts: of each run; they differ in the policy only
 * @results: of each run
 * @nr_runs: how many
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
 * lab_report_table() - the table of `gmemstate replay --policy`: a column for each policy
 * @out: where to
 * @report: what to write
 */
void lab_report_table(FILE *out, const struct lab_report *report);

/**
 * lab_report_json() - the same as JSON
 * @out: where to
 * @report: what to write
 *
 * Return: 0; -ENOMEM: nothing, or not all, was written.
 */
int lab_report_json(FILE *out, const struct lab_report *report);

/**
 * lab_backing_name() - "4K", "2M" or "1G"
 * @order: 0, 9 or 18
 *
 * Return: a static string.
 */
const char *lab_backing_name(unsigned int order);

#endif /* GMS_TOOL_LAB_REPORT_H */
