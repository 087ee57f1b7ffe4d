/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * commands.h - the commands of the tool and their options, as tables
 *
 * The command line is read, the help is written, and the completions are tested from these tables
 * alone.
 */
#ifndef GMS_TOOL_COMMANDS_H
#define GMS_TOOL_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

enum command_id {
	COMMAND_REPLAY,
	COMMAND_REPORT,
	COMMAND_DUMP,
	COMMAND_GEN,
	COMMAND_COSTS,
	COMMAND_SELFTEST,
	COMMAND_HELP,
	COMMANDS_NR
};

/**
 * struct command - a command
 * @name: its name
 * @arguments: its arguments, for the first line of its help
 * @brief: what it does, in a few words
 * @takes: letters of the options that it takes
 * @lacks: the error if it is given no argument; NULL: it needs none
 * @argument: what an argument is, for errors; NULL: it takes none
 * @many: it takes several arguments
 */
struct command {
	const char *name;
	const char *arguments;
	const char *brief;
	const char *takes;
	const char *lacks;
	const char *argument;
	bool many;
};

/* By enum command_id. */
extern const struct command commands[COMMANDS_NR];

/**
 * struct command_option - an option
 * @name: its long name
 * @letter: names the option in struct command, and in the program; 'h' and 'V' are also its short
 *          name
 * @value: the name of its value; NULL: it has none
 * @words: the values that it takes, with a | between them; NULL: it takes others
 * @brief: what it does
 */
struct command_option {
	const char *name;
	char letter;
	const char *value;
	const char *words;
	const char *brief;
};

/* The options that every command takes. */
#define COMMANDS_ALWAYS "hV"

/* The options of replay that need --policy. */
#define COMMANDS_LAB "bntomrcau"

/* Ends in an option without a name. */
extern const struct command_option command_options[];

/**
 * commands_option() - return the option that has a letter
 * @letter: the letter; one of the options has it
 */
const struct command_option *commands_option(char letter);

/**
 * commands_find() - find a command by its name, or by the beginning of its name
 * @text: the name, in either case
 *
 * Return: the command; COMMANDS_NR: none has this name, or several names begin so.
 */
enum command_id commands_find(const char *text);

/**
 * commands_write() - write the names of the commands, with commas between them
 * @out: the stream to write to
 * @text: only names that begin so; "": all
 */
void commands_write(FILE *out, const char *text);

/**
 * commands_takes() - return true if a command takes an option
 * @id: the command
 * @letter: letter of the option
 */
bool commands_takes(enum command_id id, char letter);

#endif /* GMS_TOOL_COMMANDS_H */
