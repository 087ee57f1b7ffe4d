// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * units.c - parses and writes sizes and counts
 *
 * Invariant: nothing depends on the locale. A table or an option means the same on every host.
 */
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char units_suffixes[] = "KMGTP";

int units_parse_size(const char *text, uint64_t *bytes)
{
	const char *at = text;
	uint64_t value = 0;
	unsigned int shift = 0;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned int digit = (unsigned int)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (*at) {
		char upper = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
		const char *suffix = strchr(units_suffixes, upper);

		if (!suffix || at[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - units_suffixes + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = value << shift;
	return 0;
}

const char *units_bytes(char *buf, uint64_t bytes)
{
	unsigned int unit = 0;
	uint64_t whole, rest;

	while (unit < sizeof(units_suffixes) - 1 && bytes >> (10 * (unit + 1)))
		unit++;
	whole = bytes >> (10 * unit);
	rest = bytes - (whole << (10 * unit));
	if (!unit) {
		snprintf(buf, UNITS_TEXT_SIZE, "%" PRIu64 " B", bytes);
	} else if (!rest) {
		snprintf(buf, UNITS_TEXT_SIZE, "%" PRIu64 " %ciB", whole, units_suffixes[unit - 1]);
	} else {
		/* The decimals are cut, not rounded: 1023.999 MiB must not become 1024.00 MiB. */
		if (unit > 1)
			rest >>= 10 * (unit - 1);
		snprintf(buf, UNITS_TEXT_SIZE, "%" PRIu64 ".%02u %ciB", whole,
			 (unsigned int)(rest * 100 >> 10), units_suffixes[unit - 1]);
	}
	return buf;
}

const char *units_count(char *buf, uint64_t count)
{
	char digits[UNITS_TEXT_SIZE];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	char *to = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

const char *units_time(char *buf, double us, int digits)
{
	static const struct {
		const char *name;
		double us;
	} units[] = {{"y", 31557600e6}, {"d", 86400e6}, {"h", 3600e6},
		     {"min", 60e6},     {"s", 1e6},     {"ms", 1e3}};
	unsigned int i = 0;

	while (i < sizeof(units) / sizeof(*units) - 1 && us < units[i].us)
		i++;
	snprintf(buf, UNITS_TEXT_SIZE, "%.*g %s", digits, us / units[i].us, units[i].name);
	return buf;
}
