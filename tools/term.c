// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * term.c - colour and progress, which are for terminals only: see term.h
 */
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_is_live(FILE *out)
{
	const char *term = getenv("TERM");
	const int fd = fileno(out); /* -1: the stream is memory */

	return fd >= 0 && isatty(fd) && term && *term && strcmp(term, "dumb");
}

const char *term_style(FILE *out, enum term_style style)
{
	static const char *const styles[] = {
		[TERM_PLAIN] = "\033[0m",    [TERM_BOLD] = "\033[1m",    [TERM_RED] = "\033[1;31m",
		[TERM_GREEN] = "\033[1;32m", [TERM_YELLOW] = "\033[33m",
	};
	const char *no_color = getenv("NO_COLOR");

	return (no_color && *no_color) || !term_is_live(out) ? "" : styles[style];
}
