/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.h - the command line
 */
#ifndef GMS_TOOL_OPTIONS_H
#define GMS_TOOL_OPTIONS_H

#include "commands.h"
#include "lab_report.h"

/* Exit status. */
enum tool_status { TOOL_APPLIED = 0, TOOL_SOME_REFUSED = 1, TOOL_UNUSABLE = 2 };

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
 * @save: name of the file to save the final state to; NULL: none
 * @has_arch: an option gives the architecture
 * @nr_vcpus: number of vCPUs of a workload; 0: it follows from the size
 * @seed: seed of a workload
 * @has_backing: an option gives the backing
 * @help: print help
 * @version: print the version
 * @name: the first argument: the name of a log, or of a workload; NULL: there is none
 * @names: all arguments; ends in NULL
 */
struct options {
	enum command_id command;
	bool json;
	bool text;
	bool init_given;
	bool init_private;
	enum log_format format;
	uint64_t nr_pages;
	struct lab_plan plan;
	struct costs costs;
	const char *save;
	bool has_arch;
	unsigned int nr_vcpus;
	uint64_t seed;
	bool has_backing;
	bool help;
	bool version;
	const char *name;
	char **names;
};

/**
 * options_error() - print an error to standard error
 * @format: as for printf()
 */
__attribute__((format(printf, 1, 2))) void options_error(const char *format, ...);

/**
 * options_note() - print to standard error what is no error
 * @format: as for printf()
 */
__attribute__((format(printf, 1, 2))) void options_note(const char *format, ...);

/**
 * options_read() - read the command line
 * @options: filled in; after a failure, too, the caller frees them with options_fini()
 * @argc: argument of main()
 * @argv: argument of main(); its order changes, and the options keep pointers to it
 *
 * Prints help, version and errors.
 *
 * Return: -1: the program goes on; else the exit status with which the program ends.
 */
int options_read(struct options *options, int argc, char **argv);

/**
 * options_fini() - free what options hold
 * @options: the options
 */
void options_fini(struct options *options);

#endif /* GMS_TOOL_OPTIONS_H */
