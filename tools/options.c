// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * options.c - the command line
 *
 * Invariant: options_read() accepts a command line only if each option fits the command.
 */
#include "options.h"

#include "gen.h"
#include "help.h"
#include "term.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* getopt_long() returns this for the first option of the table, one more for the second one. */
#define OPTIONS_FIRST 256
#define OPTIONS_MAX 32

/* Prints the name of the program. */
static void options_begin(enum term_style style)
{
	fprintf(stderr, "%sgmemstate:%s ", term_style(stderr, style),
		term_style(stderr, TERM_PLAIN));
}

/* Prints a line to standard error. */
static void options_print(enum term_style style, const char *format, va_list args)
{
	options_begin(style);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void options_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	options_print(TERM_RED, format, args);
	va_end(args);
}

void options_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	options_print(TERM_YELLOW, format, args);
	va_end(args);
}

static bool options_set_size(struct options *options, const char *text)
{
	uint64_t bytes, start;
	int ret = units_parse_size(text, &bytes);

	if (ret == -EINVAL)
		options_error("--size %s: not a size such as 16G, 1.5GiB, 512M or 0x40000000",
			      text);
	else if (ret == -ERANGE || (!ret && bytes >> GMS_PAGE_SHIFT > GMS_MAX_PAGES))
		options_error("--size %s: more than the largest object, 4P", text);
	else if (ret || gms_range_from_bytes(0, bytes, &start, &options->nr_pages))
		options_error("--size %s: has to be a whole number of 4K pages, and not 0", text);
	else
		return true;
	return false;
}

/*
 * Finds a text among the words of an option. Prints an error, and returns false, if it is not
 * there.
 */
static bool options_choose(char letter, const char *text, unsigned int *chosen)
{
	const struct command_option *option = commands_option(letter);
	const char *word = option->words;

	for (*chosen = 0; *word; ++*chosen) {
		const size_t len = strcspn(word, "|");

		if (strlen(text) == len && !strncasecmp(text, word, len))
			return true;
		word += len;
		word += *word == '|';
	}
	options_begin(TERM_RED);
	fprintf(stderr, "--%s %s: none of ", option->name, text);
	for (word = option->words; *word; word++)
		fputs(*word == '|' ? ", " : (const char[]) {*word, '\0'}, stderr);
	fputc('\n', stderr);
	return false;
}

static bool options_set_policy(struct options *options, const char *text)
{
	unsigned int chosen;

	if (options->plan.policies) {
		options_error("--policy %s: one policy at a time, or all", text);
		return false;
	}
	if (!options_choose('p', text, &chosen))
		return false;
	options->plan.policies = chosen == POLICIES_NR ? (1U << POLICIES_NR) - 1 : 1U << chosen;
	return true;
}

static bool options_set_backing(struct options *options, const char *text)
{
	static const unsigned int orders[] = {GMS_ORDER_1G, GMS_ORDER_2M, GMS_ORDER_4K};
	unsigned int chosen;

	options->has_backing = options_choose('b', text, &chosen);
	if (options->has_backing)
		options->plan.opts.folio_order = orders[chosen];
	return options->has_backing;
}

static bool options_set_arch(struct options *options, const char *text)
{
	unsigned int chosen;

	options->has_arch = options_choose('a', text, &chosen);
	if (options->has_arch)
		options->plan.opts.arch = (enum costs_arch)chosen;
	return options->has_arch;
}

static bool options_set_init(struct options *options, const char *text)
{
	unsigned int chosen;

	if (!options_choose('i', text, &chosen))
		return false;
	options->init_given = chosen != 0;
	options->init_private = chosen == 2;
	return true;
}

/* Sets an option that is one of several words, and needs nothing else. */
static bool options_set_word(struct options *options, char letter, const char *text)
{
	unsigned int chosen;

	if (!options_choose(letter, text, &chosen))
		return false;
	switch (letter) {
	case 'f':
		options->format = (enum log_format)chosen;
		break;
	case 'n':
		options->plan.pins = (enum lab_pins_by)chosen;
		break;
	case 'o':
		options->plan.touched = chosen ? LAB_TOUCHED_ALL : LAB_TOUCHED_ACCESSED;
		break;
	default:
		options->plan.opts.rmp_sticky = chosen;
		break;
	}
	return true;
}

static bool options_set_pin_time(struct options *options, const char *text)
{
	char *end;
	const double ms = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(ms <= 1e9)) {
		options_error("--pin-time %s: not milliseconds from 0 to 1e9", text);
		return false;
	}
	options->plan.opts.pin_us = (uint64_t)(ms * 1000);
	return true;
}

static bool options_set_rent(struct options *options, const char *text)
{
	if (!costs_set_rent(&options->costs, text))
		return true;
	options_error("--rent %s: not two rents such as 150000,7500000 or 10%%,1%%", text);
	return false;
}

static bool options_set_costs(struct options *options, const char *text)
{
	FILE *file = fopen(text, "r");
	char error[160];
	int ret;

	if (!file) {
		options_error("--costs %s: %s", text, strerror(errno));
		return false;
	}
	ret = costs_read(&options->costs, file, error, sizeof(error));
	fclose(file);
	if (ret)
		options_error("--costs %s: %s", text, ret == -EINVAL ? error : strerror(-ret));
	return !ret;
}

/* Reads a number without a sign. */
static bool options_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool options_set_seed(struct options *options, const char *text)
{
	if (options_number(text, &options->seed))
		return true;
	options_error("--seed %s: not a number of 64 bits", text);
	return false;
}

static bool options_set_vcpus(struct options *options, const char *text)
{
	uint64_t nr;

	if (!options_number(text, &nr) || !nr || nr > GEN_MAX_VCPUS) {
		options_error("--vcpus %s: not a number from 1 to %d", text, GEN_MAX_VCPUS);
		return false;
	}
	options->nr_vcpus = (unsigned int)nr;
	return true;
}

static bool options_set_option(struct options *options, char letter, const char *text)
{
	switch (letter) {
	case 's':
		return options_set_size(options, text);
	case 'i':
		return options_set_init(options, text);
	case 'p':
		return options_set_policy(options, text);
	case 'b':
		return options_set_backing(options, text);
	case 'e':
		return options_set_seed(options, text);
	case 'a':
		return options_set_arch(options, text);
	case 't':
		return options_set_pin_time(options, text);
	case 'r':
		return options_set_rent(options, text);
	case 'c':
		return options_set_costs(options, text);
	case 'k':
		return options_set_vcpus(options, text);
	case 'u':
		options->plan.opts.punch = true;
		return true;
	case 'x':
		options->text = true;
		return true;
	case 'w':
		options->save = text;
		return true;
	case 'j':
		options->json = true;
		return true;
	case 'h':
		options->help = true;
		return true;
	case 'V':
		options->version = true;
		return true;
	default:
		return options_set_word(options, letter, text);
	}
}

/* Prints that no command, or more than one, has a name that begins so. */
static void options_refuse_command(const char *text)
{
	enum command_id id = 0;

	while (id < COMMANDS_NR && (!*text || strncasecmp(text, commands[id].name, strlen(text))))
		id++;
	if (id < COMMANDS_NR) {
		options_begin(TERM_RED);
		fprintf(stderr, "%s: which of ", text);
		commands_write(stderr, text);
		fputs("?\n", stderr);
		return;
	}
	options_begin(TERM_RED);
	fprintf(stderr, "%s: no such command; the commands are ", text);
	commands_write(stderr, "");
	fputc('\n', stderr);
}

/* Prints why getopt_long() took no option from the word before argv[optind]. */
static void options_refuse_option(int returned, char **argv)
{
	const char *text = argv[optind - 1];
	const char *separator = "which of ";
	const size_t len = strcspn(text + 2, "=");
	unsigned int nr = 0;

	if (optopt >= OPTIONS_FIRST) {
		options_error("--%s: %s", command_options[optopt - OPTIONS_FIRST].name,
			      returned == ':' ? "missing argument" : "takes no argument");
		return;
	}
	if (optopt) {
		options_error("-%c: no such option (see gmemstate help)", optopt);
		return;
	}
	options_begin(TERM_RED);
	fprintf(stderr, "%.*s: ", (int)len + 2, text);
	for (const struct command_option *option = command_options; option->name; option++) {
		if (strncmp(text + 2, option->name, len))
			continue;
		fprintf(stderr, "%s--%s", separator, option->name);
		separator = ", ";
		nr++;
	}
	fputs(nr ? "?\n" : "no such option (see gmemstate help)\n", stderr);
}

/*
 * Reads all options, in any place. Adds their letters to @given, which has room for each option
 * once. Then argv[optind] is the first argument.
 */
static bool options_read_options(struct options *options, int argc, char **argv, char *given)
{
	struct option table[OPTIONS_MAX] = {0};
	int got;

	for (int i = 0; command_options[i].name; i++)
		table[i] = (struct option) {
			.name = command_options[i].name,
			.has_arg = command_options[i].value ? required_argument : no_argument,
			.val = OPTIONS_FIRST + i,
		};
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":" COMMANDS_ALWAYS, table, NULL)) != -1) {
		char letter = (char)got;

		if (got == '?' || got == ':') {
			options_refuse_option(got, argv);
			return false;
		}
		if (got >= OPTIONS_FIRST)
			letter = command_options[got - OPTIONS_FIRST].letter;
		if (!options_set_option(options, letter, optarg))
			return false;
		if (!strchr(given, letter))
			given[strlen(given)] = letter;
	}
	return true;
}

/* Sets the command, and its arguments. */
static bool options_set_arguments(struct options *options, char **arguments)
{
	const struct command *command;

	if (!*arguments) {
		options_error("no command given (see gmemstate help)");
		return false;
	}
	options->command = commands_find(*arguments);
	if (options->command == COMMANDS_NR) {
		options_refuse_command(*arguments);
		return false;
	}
	command = &commands[options->command];
	options->names = ++arguments;
	options->name = *arguments;
	if (!*arguments && command->lacks) {
		options_error("%s: %s", command->name, command->lacks);
		return false;
	}
	if (*arguments && !command->argument) {
		options_error("%s: %s takes no argument", *arguments, command->name);
		return false;
	}
	if (*arguments && arguments[1] && !command->many) {
		options_error("%s: one %s at a time", arguments[1], command->argument);
		return false;
	}
	return true;
}

/* Returns true if the command takes every option of @given, their letters. */
static bool options_taken(const struct options *options, const char *given)
{
	for (; *given; given++) {
		const char *name = commands_option(*given)->name;

		if (!commands_takes(options->command, *given)) {
			options_error("--%s: not for %s (see gmemstate help %s)", name,
				      commands[options->command].name,
				      commands[options->command].name);
			return false;
		}
		if (options->command == COMMAND_REPLAY && !options->plan.policies &&
		    strchr(COMMANDS_LAB, *given)) {
			options_error("--%s: only with --policy", name);
			return false;
		}
	}
	return true;
}

/* Returns true if the options fit each other, and include what the command needs. */
static bool options_fit(const struct options *options)
{
	if (options->command == COMMAND_REPORT && options->has_backing &&
	    !options->plan.opts.folio_order) {
		options_error("--backing 4K: a report is about folios of 2M or 1G");
		return false;
	}
	if (options->text && options->json) {
		options_error("--text: not with --json");
		return false;
	}
	if (options->save && options->plan.policies) {
		options_error("--save: not with --policy");
		return false;
	}
	if (options->save && !strcmp(options->save, "-")) {
		options_error("--save -: has to be the name of a file");
		return false;
	}
	if (options->command == COMMAND_GEN && !options->nr_pages) {
		options_error("gen: no --size given");
		return false;
	}
	return true;
}

/* Prints help on what the command line names. Returns the exit status. */
static int options_print_help(const struct options *options, char **arguments)
{
	const char *text = options->help ? *arguments : options->name;

	if (!text) {
		help_overview(stdout);
		return TOOL_APPLIED;
	}
	if (help_topic(stdout, text))
		return TOOL_APPLIED;
	options_refuse_command(text);
	return TOOL_UNUSABLE;
}

int options_read(struct options *options, int argc, char **argv)
{
	char given[OPTIONS_MAX] = "";

	*options = (struct options) {
		.format = LOG_AUTO,
		.plan.opts = {.folio_order = GMS_ORDER_1G, .pin_us = LAB_PIN_US},
	};
	costs_init(&options->costs);
	options->plan.opts.costs = &options->costs;
	if (!options_read_options(options, argc, argv, given))
		return TOOL_UNUSABLE;
	if (options->version) {
		puts("gmemstate " GMS_VERSION);
		return TOOL_APPLIED;
	}
	if (options->help)
		return options_print_help(options, argv + optind);
	if (!options_set_arguments(options, argv + optind) || !options_taken(options, given) ||
	    !options_fit(options))
		return TOOL_UNUSABLE;
	if (options->command == COMMAND_HELP)
		return options_print_help(options, argv + optind);
	return -1;
}

void options_fini(struct options *options)
{
	costs_fini(&options->costs);
}
