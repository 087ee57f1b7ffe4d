/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * term.h - colour and progress, which are for terminals only
 */
#ifndef GMS_TOOL_TERM_H
#define GMS_TOOL_TERM_H

#include <stdbool.h>
#include <stdio.h>

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_RED, TERM_GREEN, TERM_YELLOW };

/**
 * term_is_live() - find out if a stream is a terminal that can write a line anew
 * @out: the stream
 *
 * Return: true if it is a terminal, and TERM is not dumb.
 */
bool term_is_live(FILE *out);

/**
 * term_style() - return what begins a style
 * @out: the stream that the style is for
 * @style: the style; TERM_PLAIN ends all others
 *
 * Return: the bytes to write; "": the stream is no terminal, or NO_COLOR is in the environment and
 * not empty (https://no-color.org).
 */
const char *term_style(FILE *out, enum term_style style);

#endif /* GMS_TOOL_TERM_H */
