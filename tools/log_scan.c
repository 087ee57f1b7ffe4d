// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_scan.c - reads words and numbers from a line of a log: see log_scan.h
 */
#define _GNU_SOURCE /* memmem */
#include "log_scan.h"

#include <string.h>

struct scan scan_line(const char *text, size_t len)
{
	while (len &&
	       (scan_is_blank(text[len - 1]) || text[len - 1] == '\r' || text[len - 1] == '\n'))
		len--;
	return (struct scan) {text, text + len};
}

void scan_blanks(struct scan *s)
{
	while (s->at < s->end && scan_is_blank(*s->at))
		s->at++;
}

bool scan_text(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len))
		return false;
	s->at += len;
	return true;
}

bool scan_word(struct scan *s, const char *word)
{
	struct scan t = *s;

	if (!scan_text(&t, word) || (t.at < t.end && scan_is_word(*t.at)))
		return false;
	*s = t;
	return true;
}

static unsigned int scan_digit_value(char c)
{
	if (scan_is_digit(c))
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A' + 10);
	return 16;
}

enum scan_number scan_digits(struct scan *s, unsigned int base, uint64_t *value)
{
	const char *first = s->at;
	uint64_t v = 0;
	bool fits = true;

	for (; s->at < s->end; s->at++) {
		unsigned int digit = scan_digit_value(*s->at);

		if (digit >= base)
			break;
		if (v > (UINT64_MAX - digit) / base)
			fits = false;
		v = v * base + digit;
	}
	if (s->at == first)
		return SCAN_MISSING;
	if (!fits)
		return SCAN_TOO_LARGE;
	*value = v;
	return SCAN_OK;
}

enum scan_number scan_hex(struct scan *s, uint64_t *value)
{
	enum scan_number ret;

	if (scan_text(s, "0x") || scan_text(s, "0X"))
		return scan_digits(s, 16, value);
	ret = scan_digits(s, 16, value);
	return ret == SCAN_OK && *value ? SCAN_MISSING : ret;
}

enum scan_number scan_any(struct scan *s, uint64_t *value)
{
	return scan_digits(s, scan_text(s, "0x") || scan_text(s, "0X") ? 16 : 10, value);
}

const char *scan_find(const struct scan *s, const char *text)
{
	return memmem(s->at, (size_t)(s->end - s->at), text, strlen(text));
}

enum scan_number scan_key(struct scan s, const char *name, uint64_t *value)
{
	const char *from = s.at;

	while ((s.at = scan_find(&s, name))) {
		struct scan t = s;

		s.at++;
		if ((t.at > from && scan_is_word(t.at[-1])) || !scan_word(&t, name))
			continue;
		scan_blanks(&t);
		if (!scan_text(&t, "=") && !scan_text(&t, ":"))
			continue;
		scan_blanks(&t);
		return scan_any(&t, value);
	}
	return SCAN_MISSING;
}
