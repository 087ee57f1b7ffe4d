// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * study_verdict.c - the verdict of a report, from the figures of its cases
 *
 * Invariants:
 *  1. The verdict follows from the JSON of the cases alone. No policy is named in this file, but
 *     for the question below.
 *  2. A policy that waits for the host's touch does not win by the silence of a log: if a log has
 *     no access of the host, and the two bounds have different leaders, the verdict says that it
 *     cannot be told.
 */
#include "study.h"

#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define VERDICT_CLOSE 3

static const char *verdict_string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static const char *verdict_leader(const json_t *item)
{
	return verdict_string(json_array_get(json_object_get(item, "leaders"), 0), "policy");
}

/* Returns the other bound of a case, or NULL if it has none. */
static const json_t *verdict_other_bound(const json_t *cases, const json_t *item)
{
	size_t i;
	json_t *other;

	json_array_foreach(cases, i, other)
	{
		if (other != item &&
		    !strcmp(verdict_string(other, "file"), verdict_string(item, "file")) &&
		    !strcmp(verdict_string(other, "name"), verdict_string(item, "name")) &&
		    (!strcmp(verdict_string(item, "host"), "nothing") ||
		     !strcmp(verdict_string(other, "host"), "nothing")))
			return other;
	}
	return NULL;
}

/* Appends text to a string. Returns the longer string, or NULL. Releases @text. */
static json_t *verdict_join(json_t *text, const char *separator, const char *more)
{
	json_t *longer =
		text ? json_sprintf("%s%s%s", json_string_value(text), separator, more) : NULL;

	json_decref(text);
	return longer;
}

/* Appends the policies that cost hardly more than the leader: VERDICT_CLOSE of them by name. */
static json_t *verdict_add_close(json_t *text, const json_t *item)
{
	const json_t *close = json_object_get(item, "within_5_percent");
	const char *separator = " (less than 5% behind: ";
	char more[UNITS_TEXT_SIZE];
	unsigned int nr = 0;
	size_t i;
	json_t *name;

	json_array_foreach(close, i, name)
	{
		if (!strcmp(json_string_value(name), verdict_leader(item)))
			continue;
		if (nr++ < VERDICT_CLOSE)
			text = verdict_join(text, separator, json_string_value(name));
		separator = ", ";
	}
	if (nr > VERDICT_CLOSE) {
		snprintf(more, sizeof(more), "%u", nr - VERDICT_CLOSE);
		text = verdict_join(text, " and ", more);
		text = verdict_join(text, " more", "");
	}
	return nr ? verdict_join(text, ")", "") : text;
}

/* Returns what a case shows: which policy costs least, and which one later. */
static json_t *verdict_phrase(const json_t *cases, const json_t *item)
{
	const json_t *leaders = json_object_get(item, "leaders");
	const json_t *other = verdict_other_bound(cases, item);
	const bool nothing = !strcmp(verdict_string(item, "host"), "nothing");
	json_t *text, *leader;
	size_t i;

	if (other && strcmp(verdict_leader(item), verdict_leader(other)))
		return json_sprintf(
			"nothing can be told, because the log has no access of the host (%s costs "
			"least if the host touches nothing, %s if it touches all that is shared)",
			verdict_leader(nothing ? item : other),
			verdict_leader(nothing ? other : item));
	text = json_sprintf("%s costs least", verdict_leader(item));
	text = verdict_add_close(text, item);
	json_array_foreach(leaders, i, leader)
	{
		char time[UNITS_TEXT_SIZE];

		if (!i)
			continue;
		units_time(time, json_real_value(json_object_get(leader, "from_s")) * 1e6, 2);
		text = verdict_join(text, ", and from an uptime of ", time);
		text = verdict_join(text, " on ", verdict_string(leader, "policy"));
	}
	return text;
}

/* Appends the names of all cases that have a phrase. Marks them as done. */
static json_t *verdict_add_cases(json_t *text, const json_t *cases, const json_t *phrases,
				 const char *phrase, unsigned int *done)
{
	const char *separator = " on ";
	const char *last = "";
	size_t i;
	json_t *item;

	json_array_foreach(cases, i, item)
	{
		const char *name = verdict_string(item, "name");

		if (strcmp(json_string_value(json_array_get(phrases, i)), phrase))
			continue;
		*done |= 1U << i;
		if (!strcmp(name, last))
			continue; /* the other bound of the same case */
		text = verdict_join(text, separator, name);
		separator = ", ";
		last = name;
	}
	return text;
}

static json_t *verdict_sentence(const json_t *cases)
{
	json_t *phrases = json_array(), *text = json_string("With these prices and rents");
	const char *separator = ", ";
	unsigned int done = 0;
	size_t i;
	json_t *item;

	json_array_foreach(cases, i, item)
		json_array_append_new(phrases, verdict_phrase(cases, item));
	if (json_array_size(phrases) != json_array_size(cases)) {
		json_decref(text);
		text = NULL;
	}
	for (i = 0; text && i < json_array_size(phrases); i++) {
		const char *phrase = json_string_value(json_array_get(phrases, i));

		if (done >> i & 1)
			continue;
		text = verdict_join(text, separator, phrase);
		text = verdict_add_cases(text, cases, phrases, phrase, &done);
		separator = "; ";
	}
	json_decref(phrases);
	return verdict_join(text, ".", "");
}

/* ---- what it depends on ---- */

/* Returns true if a price, times 0.1 or 10, makes another policy cost least. */
static bool verdict_turns(const json_t *item)
{
	const char *leader = verdict_string(item, "leader");

	return strcmp(leader, verdict_string(item, "leader_x0.1")) ||
	       strcmp(leader, verdict_string(item, "leader_x10"));
}

/* Adds a price to the list of those that turn the order, or moves its factor nearer to 1. */
static int verdict_note(json_t *list, const json_t *item)
{
	const double factor = json_real_value(json_object_get(item, "turns_at"));
	const char *cost = verdict_string(item, "cost");
	size_t i;
	json_t *known;

	if (factor <= 0)
		return 0;
	json_array_foreach(list, i, known)
	{
		const double old = json_real_value(json_object_get(known, "factor"));

		if (strcmp(verdict_string(known, "cost"), cost))
			continue;
		if (fabs(log(factor)) < fabs(log(old)))
			return json_object_set_new(known, "factor", json_real(factor));
		return 0;
	}
	return json_array_append_new(list, json_pack("{s:s, s:f}", "cost", cost, "factor", factor));
}

static json_t *verdict_depends(const json_t *cases)
{
	json_t *list = json_array();
	bool failed = !list;
	size_t i, j;
	json_t *item, *turn;

	json_array_foreach(cases, i, item)
	{
		json_array_foreach(json_object_get(item, "sensitivity"), j, turn)
		{
			if (verdict_turns(turn))
				failed |= verdict_note(list, turn) != 0;
		}
	}
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

int study_end(json_t *study)
{
	const json_t *cases = json_object_get(study, "cases");
	json_t *verdict = json_pack(
		"{s:o, s:o, s:[s, s, s]}", "sentence", verdict_sentence(cases), "depends_on",
		verdict_depends(cases), "does_not_cover", "what the log does not show",
		"page walks (the rents are assumed, and decide in the long run)",
		"contended locks, TLB shootdowns, memory bandwidth, firmware");

	return json_object_set_new(study, "verdict", verdict) ? -ENOMEM : 0;
}
