/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log_scan.h - reads words and numbers from a line of a log
 *
 * Invariants:
 *  1. A line is hostile input, and may hold any byte. No function reads outside of [at, end).
 *  2. A function that returns false has moved nothing, unless its comment says otherwise.
 */
#ifndef GMS_TOOL_LOG_SCAN_H
#define GMS_TOOL_LOG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of a line that is not read yet: [at, end). */
struct scan {
	const char *at;
	const char *end;
};

enum scan_number { SCAN_OK, SCAN_MISSING, SCAN_TOO_LARGE };

static inline bool scan_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool scan_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool scan_is_word(char c)
{
	return scan_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Returns the whole line, without the blanks and the line end behind it. */
struct scan scan_line(const char *text, size_t len);

void scan_blanks(struct scan *s);

/* Skips @text, and returns true. Returns false if other text is there. */
bool scan_text(struct scan *s, const char *text);

/* Skips @word, and returns true. Returns false if other text is there, or a longer word. */
bool scan_word(struct scan *s, const char *word);

/* Reads the longest number in this base. Skips its digits even if it is too large. */
enum scan_number scan_digits(struct scan *s, unsigned int base, uint64_t *value);

/*
 * Reads a number that %#llx printed. The kernel prints 0x before every number; the C library,
 * which trace-cmd uses, prints 0x before every number but 0. Skips what it read even if it fails.
 */
enum scan_number scan_hex(struct scan *s, uint64_t *value);

/* Reads a number that is hexadecimal after 0x, else decimal. Skips it even if it is too large. */
enum scan_number scan_any(struct scan *s, uint64_t *value);

/*
 * Finds @name as a word with a '=' or ':' behind it, anywhere in @s, and reads the number after
 * that, as scan_any() does: "size=0x1000", "size: 4096", "{ size = 4096 }".
 */
enum scan_number scan_key(struct scan s, const char *name, uint64_t *value);

/* Finds @text in @s. Returns NULL if it is not there. */
const char *scan_find(const struct scan *s, const char *text);

#endif /* GMS_TOOL_LOG_SCAN_H */
