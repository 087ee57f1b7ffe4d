// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * units.c - parses and writes sizes and counts
 *
 * Invariant: nothing depends on the locale. A table or an option means the same on every host.
 */
#include "units.h"

#include <gmemstate/types.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How many digits after the point are read: as many as 64 bits hold, and one bit more. */
#define UNITS_FRACTION 18

static const char units_suffixes[] = "KMGTP";

/*
 * Reads a unit, after a blank or none: B, K or KiB, M, G, T, P. Returns its power of 2, 0 if there
 * is no unit, or -1 if the text is none.
 */
static int units_shift(const char *text)
{
	const char *suffix;

	text += *text == ' ' && text[1];
	if (!*text || !strcasecmp(text, "B"))
		return 0;
	suffix = memchr(units_suffixes, *text & ~('a' - 'A'), sizeof(units_suffixes) - 1);
	if (!suffix || (text[1] && strcasecmp(text + 1, "iB")))
		return -1;
	return 10 * (int)(suffix - units_suffixes + 1);
}

/* Reads digits in base 10 or 16. Returns the text behind them, or NULL if they are too many. */
static const char *units_digits(const char *text, unsigned int base, uint64_t *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;

	for (*value = 0; *text; text++) {
		digit = strchr(digits, *text >= 'A' ? *text | ('a' - 'A') : *text);
		if (!digit || digit - digits >= (int)base)
			break;
		if (*value > (UINT64_MAX - (uint64_t)(digit - digits)) / base)
			return NULL;
		*value = *value * base + (uint64_t)(digit - digits);
	}
	return text;
}

/*
 * Multiplies a decimal fraction, its digits without the point, by a power of 2. Returns 0; -EDOM:
 * the product is not a whole number, or the digits are more than fit in 64 bits.
 */
static int units_fraction(const char *digits, size_t nr, int shift, uint64_t *product)
{
	uint64_t rest = 0, whole = 1;

	while (nr && digits[nr - 1] == '0')
		nr--;
	if (nr > UNITS_FRACTION)
		return -EDOM;
	for (size_t i = 0; i < nr; i++) {
		rest = rest * 10 + (uint64_t)(digits[i] - '0');
		whole *= 10;
	}
	*product = 0;
	while (shift--) {
		rest *= 2;
		*product = *product * 2 + (rest >= whole);
		rest -= rest >= whole ? whole : 0;
	}
	return rest ? -EDOM : 0;
}

int units_parse_size(const char *text, uint64_t *bytes)
{
	const bool is_hex = *text == '0' && (text[1] | ('a' - 'A')) == 'x';
	const char *at, *fraction = "";
	uint64_t value, part;
	size_t nr = 0;
	int shift;

	text += is_hex ? 2 : 0;
	at = units_digits(text, is_hex ? 16 : 10, &value);
	if (at == text)
		return -EINVAL;
	if (!at)
		return -ERANGE;
	if (!is_hex && *at == '.') {
		fraction = at + 1;
		nr = strspn(fraction, "0123456789");
		if (!nr)
			return -EINVAL;
		at = fraction + nr;
	}
	shift = is_hex && *at ? -1 : units_shift(at);
	if (shift < 0)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	if (units_fraction(fraction, nr, shift, &part))
		return -EDOM;
	*bytes = (value << shift) + part;
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

const char *units_order(unsigned int order)
{
	switch (order) {
	case GMS_ORDER_1G:
		return "1G";
	case GMS_ORDER_2M:
		return "2M";
	default:
		return "4K";
	}
}

const char *units_time(char *buf, double us, int digits)
{
	static const struct {
		const char *name;
		double us;
	} units[] = {{"y", 31557600e6}, {"d", 86400e6}, {"h", 3600e6},
		     {"min", 60e6},     {"s", 1e6},     {"ms", 1e3}};
	double limit = 1, value;
	unsigned int i = 0;

	while (i < sizeof(units) / sizeof(*units) - 1 && us < units[i].us)
		i++;
	value = us / units[i].us;
	for (int digit = 0; digit < digits; digit++)
		limit *= 10;
	/* %g would write an exponent for a number that is longer or much smaller. */
	if (value >= 1e6)
		snprintf(buf, UNITS_TEXT_SIZE, "over 999999 %s", units[i].name);
	else if (value >= limit - .5)
		snprintf(buf, UNITS_TEXT_SIZE, "%.0f %s", value, units[i].name);
	else
		snprintf(buf, UNITS_TEXT_SIZE, "%.*g %s", digits, value < 1e-4 ? 0 : value,
			 units[i].name);
	return buf;
}
