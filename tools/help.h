/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * help.h - the help of the tool
 */
#ifndef GMS_TOOL_HELP_H
#define GMS_TOOL_HELP_H

#include <stdbool.h>
#include <stdio.h>

/* No line of the help is longer. */
#define HELP_COLUMNS 80

/**
 * help_overview() - write the list of the commands
 * @out: the stream to write to
 */
void help_overview(FILE *out);

/**
 * help_topic() - write the help on a command, or on a topic
 * @out: the stream to write to
 * @text: name of a command as for commands_find(), or of a topic: logs, policies
 *
 * Return: true; false: there is no such help, and nothing was written.
 */
bool help_topic(FILE *out, const char *text);

#endif /* GMS_TOOL_HELP_H */
