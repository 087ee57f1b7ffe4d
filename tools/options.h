/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.h - what the command is asked to do
 */
#ifndef GMS_TOOL_OPTIONS_H
#define GMS_TOOL_OPTIONS_H

#include "lab_report.h"

#include <popt.h>

/* Exit status. */
enum tool_status { TOOL_APPLIED = 0, TOOL_SOME_REFUSED = 1, TOOL_UNUSABLE = 2 };

enum options_command { OPTIONS_REPLAY, OPTIONS_DUMP, OPTIONS_GEN };

/**
 * struct options - read, and checked against each other
 * @command: what to do
 * @json: print JSON
 * @init_private: every page is private at first
 * @format: of the log
 * @nr_pages: size of the guest in pages; 0: as the log says
 * @policies: to compare
 * @nr_policies: how many; 0: none, the plain replay
 * @folio_order: of the backing
 * @pins_by_folio: a pin counts for its folio
 * @punch: what the guest frees is punched out
 * @seed: of a workload
 * @name: of the log, or of the workload
 * @context: popt's, which holds the texts
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
 * options_error() - say on standard error what is wrong
 * @format: as for printf()
 */
__attribute__((format(printf, 1, 2))) void options_error(const char *format, ...);

/**
 * options_read() - read the command line
 * @options: filled in; to be handed to options_fini(), whatever is returned
 * @argc: as given to main()
 * @argv: as given to main()
 *
 * Help and version are printed here, as is what is wrong.
 *
 * Return: an exit status where the program is to end here, else -1.
 */
int options_read(struct options *options, int argc, const char **argv);

/**
 * options_fini() - free what options hold
 * @options: the options
 */
void options_fini(struct options *options);

#endif /* GMS_TOOL_OPTIONS_H */
