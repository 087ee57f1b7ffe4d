// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * study_verdict.c - the verdict of a report, from the figures of its cases
 *
 * Invariants:
 *  1. The verdict follows from the JSON of the cases alone. No policy is named in this file, but
 *     for the question below.
 *  2. A policy that waits for the host's touch does not win by the silence of a log: if a log has
 *     no access of the host, and no policy is among the best both if the host touches nothing and
 *     if it touches all that is shared, the verdict says that nothing can be told.
 */
#include "study.h"

#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* How many policies that are close are named. */
#define VERDICT_CLOSE 2

static const char *verdict_string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

/* Returns true if a list of texts has a text. */
static bool verdict_has(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (!strcmp(json_string_value(item), text))
			return true;
	}
	return false;
}

/* Returns the policies that cost least at the end of the log: more than one if they tie. */
static const json_t *verdict_leaders(const json_t *item)
{
	return json_object_get(json_array_get(json_object_get(item, "leaders"), 0), "policies");
}

/* Returns the other bound of a case, or NULL if it has none. */
static const json_t *verdict_other_bound(const json_t *cases, const json_t *item)
{
	size_t i;
	json_t *other;

	json_array_foreach(cases, i, other) {
		if (other != item &&
		    !strcmp(verdict_string(other, "file"), verdict_string(item, "file")) &&
		    !strcmp(verdict_string(other, "backing"), verdict_string(item, "backing")) &&
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

/* Appends the texts of a list, with commas, and "and" before the last one. */
static json_t *verdict_add_list(json_t *text, const json_t *list)
{
	const size_t nr = json_array_size(list);
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
		text = verdict_join(text,
				    !i           ? ""
				    : i + 1 < nr ? ", "
						 : " and ",
				    json_string_value(item));
	return text;
}

/* Appends the policies that cost hardly more than the leaders: VERDICT_CLOSE of them by name. */
static json_t *verdict_add_close(json_t *text, const json_t *item)
{
	const char *separator = " (within 5%: ";
	char more[UNITS_TEXT_SIZE];
	unsigned int nr = 0;
	size_t i;
	json_t *name;

	json_array_foreach(json_object_get(item, "within_5_percent"), i, name) {
		if (verdict_has(verdict_leaders(item), json_string_value(name)))
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

/* Returns what two cases of one log show, in which the host touches nothing, or all. */
static json_t *verdict_unknown_host(const json_t *nothing, const json_t *all)
{
	const json_t *other = json_object_get(all, "within_5_percent");
	json_t *both = json_array(), *text = json_string("");
	size_t i;
	json_t *name;

	json_array_foreach(json_object_get(nothing, "within_5_percent"), i, name) {
		if (verdict_has(other, json_string_value(name)))
			json_array_append(both, name);
	}
	if (json_array_size(both) == json_array_size(json_object_get(all, "matrix"))) {
		text = verdict_join(text, "all cost the same, or hardly more", "");
	} else if (json_array_size(both)) {
		text = verdict_add_list(text, both);
		text = verdict_join(text,
				    json_array_size(both) == 1 ? " costs least or less than 5% more"
							       : " cost least or less than 5% more",
				    ", whatever the host touches (the log does not say)");
	} else {
		text = verdict_join(text,
				    "nothing can be told, because the log has no access of "
				    "the host: ",
				    "");
		text = verdict_add_list(text, verdict_leaders(nothing));
		text = verdict_join(text, " if it touches nothing, ", "");
		text = verdict_add_list(text, verdict_leaders(all));
		text = verdict_join(text, " if it touches all that is shared", "");
	}
	json_decref(both);
	return text;
}

/* Returns what a case shows: which policies cost least, and which ones later. */
static json_t *verdict_phrase(const json_t *cases, const json_t *item)
{
	const json_t *other = verdict_other_bound(cases, item);
	const bool nothing = !strcmp(verdict_string(item, "host"), "nothing");
	json_t *text, *leader;
	size_t i;

	if (other)
		return verdict_unknown_host(nothing ? item : other, nothing ? other : item);
	if (json_array_size(verdict_leaders(item)) ==
	    json_array_size(json_object_get(item, "matrix")))
		return json_string("all policies cost the same");
	text = verdict_add_list(json_string(""), verdict_leaders(item));
	text = verdict_join(text, json_array_size(verdict_leaders(item)) > 1 ? " cost" : " costs",
			    " least");
	text = verdict_add_close(text, item);
	json_array_foreach(json_object_get(item, "leaders"), i, leader) {
		char time[UNITS_TEXT_SIZE];

		if (!i)
			continue;
		units_time(time, json_real_value(json_object_get(leader, "from_s")) * 1e6, 2);
		text = verdict_join(text, ", and from an uptime of ", time);
		text = verdict_join(text, " on ", "");
		text = verdict_add_list(text, json_object_get(leader, "policies"));
	}
	return text;
}

/* Appends the numbers of all cases that have a phrase. Marks them as done. */
static json_t *verdict_add_cases(json_t *text, const json_t *cases, const json_t *phrases,
				 const char *phrase, unsigned int *done)
{
	const char *separator = " in ";
	char number[UNITS_TEXT_SIZE];

	for (size_t i = 0; i < json_array_size(cases); i++) {
		if (strcmp(json_string_value(json_array_get(phrases, i)), phrase))
			continue;
		*done |= 1U << i;
		snprintf(number, sizeof(number), "[%zu]", i + 1);
		text = verdict_join(text, separator, number);
		separator = ", ";
	}
	return text;
}

static json_t *verdict_sentence(const json_t *cases)
{
	json_t *phrases = json_array(),
	       *text = json_string("By work and rent until the end of the log");
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
		text = verdict_join(text, separator, phrase ? phrase : "");
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
	json_array_foreach(list, i, known) {
		const double old = json_real_value(json_object_get(known, "factor"));

		if (strcmp(verdict_string(known, "cost"), cost))
			continue;
		if (fabs(log(factor)) < fabs(log(old)))
			return json_object_set_new(known, "factor", json_real(factor)) |
			       json_object_set(known, "then", json_object_get(item, "then"));
		return 0;
	}
	return json_array_append_new(list,
				     json_pack("{s:s, s:f, s:O}", "cost", cost, "factor", factor,
					       "then", json_object_get(item, "then")));
}

static json_t *verdict_depends(const json_t *cases)
{
	json_t *list = json_array();
	bool failed = !list;
	size_t i, j;
	json_t *item, *turn;

	json_array_foreach(cases, i, item) {
		json_array_foreach(json_object_get(item, "sensitivity"), j, turn) {
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
	json_t *verdict = json_pack("{s:o, s:o, s:[s, s, s]}", "sentence", verdict_sentence(cases),
				    "depends_on", verdict_depends(cases), "does_not_cover",
				    "what the log does not show, or a guest that goes on",
				    "page walks, large shared mappings",
				    "contention, TLB shootdowns, bandwidth, firmware");

	return json_object_set_new(study, "verdict", verdict) ? -ENOMEM : 0;
}
