/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab_report.h - writes runs side by side: as a matrix, as a list, and as JSON
 */
#ifndef GMS_TOOL_LAB_REPORT_H
#define GMS_TOOL_LAB_REPORT_H

#include "lab_runs.h"

#include <jansson.h>

/**
 * struct lab_report - the runs of one log
 * @name: the log's file name
 * @size_from_log: no size was given, so the size is log_nr_pages()
 * @runs: the runs
 */
struct lab_report {
	const char *name;
	bool size_from_log;
	struct lab_runs runs;
};

/**
 * lab_report_head() - write what was replayed, and what was assumed
 * @out: the stream to write to
 * @report: the runs
 */
void lab_report_head(FILE *out, const struct lab_report *report);

/**
 * lab_report_list() - write all numbers, with a column for each run
 * @out: the stream to write to
 * @report: the runs
 */
void lab_report_list(FILE *out, const struct lab_report *report);

/**
 * lab_matrix() - write the numbers that matter, with a line for each policy; then the uptimes at
 * which the order of the policies turns
 * @out: the stream to write to
 * @report: the runs of all policies
 */
void lab_matrix(FILE *out, const struct lab_report *report);

/**
 * lab_report_json() - write the runs as JSON
 * @out: the stream to write to
 * @report: the runs
 *
 * Return: 0; -ENOMEM: the output is missing or incomplete.
 */
int lab_report_json(FILE *out, const struct lab_report *report);

/**
 * lab_report_pack_run() - pack all numbers of a run
 * @run: the run
 * @max_refused: how many of the events that were refused to list at most
 *
 * Return: an object that the caller owns; NULL: out of memory.
 */
json_t *lab_report_pack_run(const struct lab_run *run, size_t max_refused);

/**
 * lab_report_pack_ram() - pack which part of the object is the guest's memory
 * @opts: options of a run
 *
 * Return: an object that the caller owns; NULL: out of memory.
 */
json_t *lab_report_pack_ram(const struct lab_opts *opts);

#endif /* GMS_TOOL_LAB_REPORT_H */
