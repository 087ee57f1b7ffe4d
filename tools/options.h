/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.h - the command line
 */
#ifndef GMS_TOOL_OPTIONS_H
#define GMS_TOOL_OPTIONS_H

#include "lab_report.h"

#include <popt.h>

/* Exit status. */
enum tool_status { TOOL_APPLIED = 0, TOOL_SOME_REFUSED = 1, TOOL_UNUSABLE = 2 };

enum options_command { OPTIONS_REPLAY, OPTIONS_DUMP, OPTIONS_GEN, OPTIONS_REPORT, OPTIONS_COSTS };

/**
 * struct options - the options of a run. They fit the command and each other
 * @command: the command
 * @json: print JSON
 * @text: print text
 * @init_given: the option --init says how the pages are at first; else the log may
 * @init_private: every page is private at first
 * @format: format of the log
 * @nr_pages: size of the guest in pages; 0: the log gives the size
 * @plan: the policies to compare, and the conditions; no policy: a replay without one
 * @costs: the prices, for @plan
 * @has_arch: an option gives the architecture
 * @nr_vcpus: number of vCPUs of a workload; 0: it follows from the size
 * @seed: seed of a workload
 * @has_backing: an option gives the backing
 * @name: name of the log, or of the workload; NULL for costs
 * @more: names of further logs of a report, ends in NULL; NULL: there are none
 * @context: popt's context, which owns the texts
 */
struct options {
	enum options_command command;
	bool json;
	bool text;
	bool init_given;
	bool init_private;
	enum log_format format;
	uint64_t nr_pages;
	struct lab_plan plan;
	struct costs costs;
	bool has_arch;
	unsigned int nr_vcpus;
	uint64_t seed;
	bool has_backing;
	const char *name;
	const char **more;
	poptContext context;
};

/**
 * options_error() - print an error to standard error
 * @format: as for printf()
 */
__attribute__((format(printf, 1, 2))) void options_error(const char *format, ...);

/**
 * options_read() - read the command line
 * @options: filled in; after a failure, too, the caller frees them with options_fini()
 * @argc: argument of main()
 * @argv: argument of main()
 *
 * Prints help, version and errors.
 *
 * Return: -1: the program goes on; else the exit status with which the program ends.
 */
int options_read(struct options *options, int argc, const char **argv);

/**
 * options_fini() - free what options hold
 * @options: the options
 */
void options_fini(struct options *options);

#endif /* GMS_TOOL_OPTIONS_H */
