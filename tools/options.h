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

enum options_command { OPTIONS_REPLAY, OPTIONS_DUMP, OPTIONS_GEN };

/**
 * struct options - the options of a run. They fit the command and each other
 * @command: the command
 * @json: print JSON
 * @init_private: every page is private at first
 * @format: format of the log
 * @nr_pages: size of the guest in pages; 0: the log gives the size
 * @policies: the policies to compare
 * @nr_policies: number of policies; 0: a replay without a policy
 * @folio_order: order of the backing's folios
 * @pins_by_folio: a pin counts for its whole folio
 * @punch: an event free punches a hole
 * @seed: seed of a workload
 * @name: name of the log, or of the workload
 * @context: popt's context, which owns the texts
 */
struct options {
	enum options_command command;
	bool json;
	bool init_private;
	enum log_format format;
	uint64_t nr_pages;
	const struct gms_policy_ops *policies[LAB_MAX_RUNS];
	unsigned int nr_policies;
	unsigned int folio_order;
	bool pins_by_folio;
	bool punch;
	uint64_t seed;
	const char *name;
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
