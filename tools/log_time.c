// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * log_time.c - finds the time in the text that hosts write before an event: see log_time.h
 *
 * The search goes through the text once. At each place where a number or a name of a month may
 * begin, each form of a time is tried, and the text of the form that fits is skipped.
 */
#include "log_time.h"

#include "log_scan.h"

#include <string.h>

#define TIME_SECOND 1000000ULL
#define TIME_DAY (86400 * TIME_SECOND)

/* A year for times without one. It has a 29 February. */
#define TIME_ANY_YEAR 1972

/* Reads exactly @nr digits whose number is in [min, max]. */
static bool time_digits(struct scan *s, unsigned int nr, unsigned int min, unsigned int max,
			unsigned int *value)
{
	struct scan field = *s;
	uint64_t v;

	if ((size_t)(s->end - s->at) < nr)
		return false;
	field.end = field.at + nr;
	if (scan_digits(&field, 10, &v) != SCAN_OK || field.at != field.end || v < min || v > max)
		return false;
	s->at = field.at;
	*value = (unsigned int)v;
	return true;
}

/*
 * Reads the point or comma and the decimals of a number of units of @unit microseconds. Returns
 * the number of decimals; 0: there is no fraction, and nothing is skipped.
 */
static unsigned int time_fraction(struct scan *s, uint64_t unit, uint64_t *us)
{
	struct scan t = *s;
	unsigned int nr = 0;

	if (!scan_text(&t, ".") && !scan_text(&t, ","))
		return 0;
	for (*us = 0; t.at < t.end && scan_is_digit(*t.at); t.at++, nr++) {
		unit /= 10;
		*us += unit * (uint64_t)(*t.at - '0');
	}
	if (nr)
		s->at = t.at;
	return nr;
}

/* Reads "08:00:00", with a fraction or without one. May move @s even if it returns false. */
static bool time_of_day(struct scan *s, uint64_t *us)
{
	unsigned int hours, minutes, seconds;
	uint64_t fraction = 0;

	if (!time_digits(s, 2, 0, 23, &hours) || !scan_text(s, ":") ||
	    !time_digits(s, 2, 0, 59, &minutes) || !scan_text(s, ":") ||
	    !time_digits(s, 2, 0, 60, &seconds))
		return false;
	time_fraction(s, TIME_SECOND, &fraction);
	*us = (hours * 3600ULL + minutes * 60ULL + seconds) * TIME_SECOND + fraction;
	return true;
}

/* Returns the days from 1 January 1970 to a day of the Gregorian calendar, of 1970 or later. */
static uint64_t time_days(unsigned int year, unsigned int month, unsigned int day)
{
	static const unsigned int before[] = {0,   31,  59,  90,  120, 151,
					      181, 212, 243, 273, 304, 334};
	const unsigned int last = year - 1;
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	const uint64_t leap_days = last / 4 - last / 100 + last / 400 - (1969 / 4 - 1969 / 100 + 4);

	return 365ULL * (year - 1970) + leap_days + before[month - 1] + (leap && month > 2) + day -
	       1;
}

/* Reads "Z", "+0200" or "+02:00" if it is there, and takes the offset from the time. */
static void time_zone(struct scan *s, uint64_t *us)
{
	struct scan t = *s;
	unsigned int hours, minutes = 0;
	const bool east = scan_text(&t, "+");
	uint64_t offset;

	if (!east && !scan_text(&t, "-")) {
		scan_text(s, "Z");
		return;
	}
	if (!time_digits(&t, 2, 0, 23, &hours))
		return;
	scan_text(&t, ":");
	time_digits(&t, 2, 0, 59, &minutes);
	offset = (hours * 3600ULL + minutes * 60ULL) * TIME_SECOND;
	if (east && *us < offset)
		return;
	*us += east ? -offset : offset;
	*s = t;
}

static bool time_iso(struct scan *s, uint64_t *us)
{
	unsigned int year, month, day;
	struct scan t = *s;

	if (!time_digits(&t, 4, 1970, 9999, &year) || !scan_text(&t, "-") ||
	    !time_digits(&t, 2, 1, 12, &month) || !scan_text(&t, "-") ||
	    !time_digits(&t, 2, 1, 31, &day) ||
	    (!scan_text(&t, "T") && !scan_text(&t, " ") && !scan_text(&t, "t")) ||
	    !time_of_day(&t, us))
		return false;
	*us += time_days(year, month, day) * TIME_DAY;
	time_zone(&t, us);
	*s = t;
	return true;
}

static bool time_syslog(struct scan *s, uint64_t *us)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned int month = 0, day, year;
	struct scan t = *s, after;

	while (!scan_text(&t, (char[]) {months[3 * month], months[3 * month + 1],
					months[3 * month + 2], '\0'})) {
		if (++month == 12)
			return false;
	}
	if (!scan_text(&t, " "))
		return false;
	scan_blanks(&t);
	if ((!time_digits(&t, 2, 1, 31, &day) && !time_digits(&t, 1, 1, 9, &day)) ||
	    !scan_text(&t, " ") || !time_of_day(&t, us))
		return false;
	after = t;
	if (scan_text(&after, " ") && time_digits(&after, 4, 1970, 9999, &year) &&
	    (after.at == after.end || !scan_is_word(*after.at)))
		t = after;
	else
		year = TIME_ANY_YEAR;
	*us += time_days(year, month + 1, day) * TIME_DAY;
	*s = t;
	return true;
}

/* Reads the time after the @ of QEMU, or of qemu-trace-stap. */
static bool time_at(struct scan *s, uint64_t *us)
{
	struct scan t = *s;
	uint64_t number, fraction;

	if (!scan_text(&t, "@") || scan_digits(&t, 10, &number) != SCAN_OK)
		return false;
	if (!time_fraction(&t, TIME_SECOND, &fraction)) {
		*us = number / 1000;
	} else {
		if (number > UINT64_MAX / TIME_SECOND - 1 || !scan_text(&t, ":"))
			return false;
		*us = number * TIME_SECOND + fraction;
	}
	*s = t;
	return true;
}

/* Reads the time of the latency format: "13854023us :", "2us+:". */
static bool time_latency(struct scan *s, uint64_t *us)
{
	struct scan t = *s;

	if (scan_digits(&t, 10, us) != SCAN_OK || !scan_text(&t, "us"))
		return false;
	if (t.at < t.end && *t.at != ':' && !scan_is_word(*t.at))
		t.at++;
	scan_blanks(&t);
	if (!scan_text(&t, ":"))
		return false;
	*s = t;
	return true;
}

/* Returns true if @at is the first thing of the line, or stands in a bracket that opens before. */
static bool time_is_first(const char *text, const char *at, bool *bracket)
{
	while (at > text && scan_is_blank(at[-1]))
		at--;
	*bracket = at > text && at[-1] == '[';
	return at == text;
}

/* Reads seconds with decimals, or milliseconds with decimals. */
static bool time_seconds(struct scan *s, const char *text, uint64_t *us)
{
	struct scan t = *s, after;
	uint64_t number, fraction;
	unsigned int decimals;
	bool first, bracket;

	if (scan_digits(&t, 10, &number) != SCAN_OK || number > UINT64_MAX / TIME_SECOND - 1)
		return false;
	after = t;
	if (time_fraction(&after, 1000, &fraction) && scan_text(&after, "ms") &&
	    scan_text(&after, " (")) {
		*us = number * 1000 + fraction;
		*s = after;
		return true;
	}
	decimals = time_fraction(&t, TIME_SECOND, &fraction);
	first = time_is_first(text, s->at, &bracket);
	if (!decimals || t.at == t.end ||
	    !(*t.at == ':' || (bracket && *t.at == ']') ||
	      (first && decimals >= 6 && scan_is_blank(*t.at))))
		return false;
	*us = number * TIME_SECOND + fraction;
	*s = t;
	return true;
}

/* Reads the time at @s, if there is one. @text is where the line begins. */
static bool time_read(struct scan *s, const char *text, uint64_t *us)
{
	struct scan t = *s;

	if (*s->at == '@')
		return s->at > text && scan_is_digit(s->at[-1]) && time_at(s, us);
	if (s->at > text && (scan_is_word(s->at[-1]) || strchr(".-+@", s->at[-1])))
		return false;
	if (!scan_is_digit(*s->at))
		return *s->at >= 'A' && *s->at <= 'S' && time_syslog(s, us);
	if (time_iso(s, us) || time_latency(s, us) || time_seconds(s, text, us))
		return true;
	if (!time_of_day(&t, us))
		return false;
	*s = t;
	return true;
}

bool log_time(const char *text, const char *end, uint64_t *us)
{
	struct scan s = {text, end};
	bool found = false;

	while (s.at < s.end) {
		uint64_t here;

		if (time_read(&s, text, &here)) {
			*us = here;
			found = true;
		} else {
			s.at++;
		}
	}
	return found;
}
