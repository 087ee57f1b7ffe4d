// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * study_text.c - writes a report as text, for a mail: see study.h
 *
 * Invariant: every figure comes from the JSON of the report. A line has at most TEXT_COLUMNS
 * columns. The first 20 lines say what the choices save, when uptime turns the order, what a
 * kernel can have today, and what is assumed.
 */
#include "study.h"

#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_COLUMNS 76
#define TEXT_LABEL 40
#define TEXT_CELL 9
/* The same in tables of the policies. There are STUDY_MAX_CASES columns. */
#define TEXT_WORDS 44
#define TEXT_FIGURE 8

static const char *text_string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static double text_number(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

/* Writes words, and breaks lines between them. Lines after the first one begin with @indent. */
static void text_wrap(FILE *out, const char *indent, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > TEXT_COLUMNS) {
			fprintf(out, "\n%s", indent);
			column = strlen(indent);
		} else if (column) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += len;
		text += len;
		text += *text == ' ';
	}
	fputc('\n', out);
}

/* Words that are collected, to be wrapped together. */
struct text_words {
	FILE *file;
	char *words;
	size_t size;
};

/* Begins to collect words. Returns the stream to write them to, or NULL without memory. */
static FILE *text_begin(struct text_words *text)
{
	*text = (struct text_words) {0};
	text->file = open_memstream(&text->words, &text->size);
	return text->file;
}

/* Writes the words that were collected, if there are any, wrapped. */
static void text_end(struct text_words *text, FILE *out)
{
	fclose(text->file);
	if (text->size)
		text_wrap(out, "  ", text->words);
	free(text->words);
}

static const json_t *text_find(const json_t *list, const char *key, const char *value)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (!strcmp(text_string(item, key), value))
			return item;
	}
	return NULL;
}

static void text_head(FILE *out, const json_t *cases, const char *title, int label, int cell)
{
	fprintf(out, "%-*s", label, title);
	for (size_t i = 1; i <= json_array_size(cases); i++)
		fprintf(out, "%*s[%zu]", cell - 3, "", i);
	fputc('\n', out);
}

/* ---- what comes first ---- */

static void text_cases(FILE *out, const json_t *cases)
{
	static const char *const hosts[][2] = {{"logged", "host as logged"},
					       {"nothing", "host touches nothing"},
					       {"all", "host touches all shared"}};
	struct text_words text;
	FILE *words = text_begin(&text);
	size_t i;
	json_t *item;

	if (!words)
		return;
	fputs("Cases:", words);
	json_array_foreach(cases, i, item) {
		char time[UNITS_TEXT_SIZE];
		const char *host = "";

		for (size_t h = 0; h < sizeof(hosts) / sizeof(*hosts); h++) {
			if (!strcmp(text_string(item, "host"), hosts[h][0]))
				host = hosts[h][1];
		}
		fprintf(words, "%s [%zu] %s, %s pages, %s, %s, %s", i ? ";" : "", i + 1,
			text_string(item, "name"), text_string(item, "backing"),
			text_string(item, "arch"), host,
			units_time(time, text_number(item, "log_us"), 2));
	}
	text_end(&text, out);
}

/* Stores what a choice saves, now and if a fault cost a tenth, or as much of it as fits. */
static void text_percents(char *text, size_t size, double now, double tenth)
{
	if (snprintf(text, size, "%.0f|%.0f%%", now, tenth) >= TEXT_CELL &&
	    snprintf(text, size, "%.0f|%.0f", now, tenth) >= TEXT_CELL)
		snprintf(text, size, "%.0f%%", now);
}

/* Writes what a choice saves, now and if the price of a fault were a tenth. */
static void text_saving(FILE *out, const json_t *cases, const char *key, const char *label)
{
	size_t i;
	json_t *item;

	fprintf(out, "%-*s", TEXT_LABEL, label);
	json_array_foreach(cases, i, item) {
		const json_t *savings = json_object_get(item, "savings");
		const json_t *now = json_object_get(savings, key);
		const json_t *tenth = json_object_get(json_object_get(savings, "fault_x0.1"), key);
		char text[TEXT_CELL * 4] = "-";

		if (json_is_real(now) && json_is_real(tenth))
			text_percents(text, sizeof(text), round(json_real_value(now) * 100) + 0.,
				      round(json_real_value(tenth) * 100) + 0.);
		fprintf(out, " %*s", TEXT_CELL - 1, text);
	}
	fputc('\n', out);
}

/* Writes from which uptime on it pays to merge. */
static void text_merging(FILE *out, const json_t *cases)
{
	size_t i;
	json_t *item;

	fprintf(out, "%-*s", TEXT_LABEL, "merging pays its work from an uptime of");
	json_array_foreach(cases, i, item) {
		const json_t *merging = json_object_get(item, "merging_pays");
		char time[UNITS_TEXT_SIZE];

		snprintf(time, sizeof(time), "%s", text_string(merging, "when"));
		if (!strcmp(time, "same"))
			snprintf(time, sizeof(time), "-");
		if (json_is_real(json_object_get(merging, "uptime_s")))
			units_time(time, text_number(merging, "uptime_s") * 1e6, 2);
		fprintf(out, " %*s", TEXT_CELL - 1, time);
	}
	fputc('\n', out);
}

/* Writes which policy leads with the other value of --rmp, in the long run. */
static void text_other_rmp(FILE *out, const json_t *cases)
{
	const json_t *first = json_object_get(json_array_get(cases, 0), "other_rmp");
	struct text_words text;
	FILE *words = text_begin(&text);
	size_t i;
	json_t *item;

	if (!words)
		return;
	fprintf(words, "With --rmp %s these cost least in the end:", text_string(first, "rmp"));
	json_array_foreach(cases, i, item) {
		const json_t *list = json_object_get(json_object_get(item, "other_rmp"), "leaders");
		const json_t *last = json_array_get(list, json_array_size(list) - 1);
		size_t k;
		json_t *name;

		json_array_foreach(json_object_get(last, "policies"), k, name)
			fprintf(words, "%s %s", k ? "," : i ? ";" : "", json_string_value(name));
		fprintf(words, " in [%zu]", i + 1);
	}
	text_end(&text, out);
}

/* Writes how far adaptive is from the better of the two policies between which it chooses. */
static void text_adaptive(FILE *out, const json_t *cases, const char *key, const char *label)
{
	size_t i;
	json_t *item;

	fprintf(out, "%-*s", TEXT_LABEL, label);
	json_array_foreach(cases, i, item)
		fprintf(out, "%*.2fx", TEXT_CELL - 1,
			text_number(json_object_get(item, "adaptive"), key));
	fputc('\n', out);
}

/* Writes how long adaptive holds the locks of a 1G at most, to merge in it. */
static void text_maintain(FILE *out, const json_t *cases)
{
	size_t i, policy;
	json_t *item, *row;

	fprintf(out, "%-*s", TEXT_LABEL, "adaptive: longest maintenance of 1G, ms");
	json_array_foreach(cases, i, item) {
		double ms = 0;

		json_array_foreach(json_object_get(item, "matrix"), policy, row)
			ms = fmax(ms, text_number(row, "maintain_ms"));
		fprintf(out, " %*.2f", TEXT_CELL - 1, ms);
	}
	fputc('\n', out);
}

static void text_assumed(FILE *out, const json_t *study)
{
	const json_t *costs = json_object_get(study, "costs");
	const json_t *model = json_object_get(study, "model");
	struct text_words text;
	FILE *words = text_begin(&text);

	text_wrap(out, "  ",
		  "Today a pin holds up its whole folio, as in all figures. HugeTLB's RFC is "
		  "eager-rfc; others need splits to 2M; lazy, adaptive at host faults, too.");
	if (!words)
		return;
	fprintf(words,
		"Assumed: rent, the cost of small mappings, of %.0f cycles/s for each 2M of "
		"private "
		"memory by 4K, %.0f for each 1G not by 1G; a split RMP entry %s; a pin ends after "
		"%g "
		"ms. Zeroing is left out. x|y: a fault as priced | at a tenth; x alone: no room "
		"for y.",
		text_number(json_object_get(costs, "rent_2m"), "value"),
		text_number(json_object_get(costs, "rent_1g"), "value"),
		strcmp(text_string(model, "rmp"), "sticky")
			? "is 2M again when its block is private"
			: "stays 4K until the guest accepts its block",
		text_number(model, "pin_ms"));
	text_end(&text, out);
}

/* ---- tables ---- */

/* A figure of each policy. With @scale it is in the first unit. Each unit is 1000 of the last. */
struct text_figure {
	const char *key;
	const char *title; /* with %s for the unit */
	const char *units[4];
	double scale;
	int digits;
};

/* Returns the first unit in which all values, without decimals, leave a blank between cells. */
static unsigned int text_unit(const json_t *cases, const struct text_figure *f, double *scale)
{
	const double most = pow(10, TEXT_FIGURE - 1) - .5;
	double max = 0;
	unsigned int unit = 0;
	size_t i, policy;
	json_t *item, *row;

	json_array_foreach(cases, i, item) {
		json_array_foreach(json_object_get(item, "matrix"), policy, row)
			max = fmax(max, text_number(row, f->key));
	}
	for (*scale = f->scale; max * *scale >= most && unit < 3 && f->units[unit + 1]; unit++)
		*scale /= 1000;
	return unit;
}

/* Writes a value with as many decimals as leave a blank before it, but at most @digits. */
static void text_value(FILE *out, double value, int digits)
{
	while (digits && value >= pow(10, TEXT_FIGURE - 2 - digits) - .01)
		digits--;
	fprintf(out, " %*.*f", TEXT_FIGURE - 1, digits, value);
}

/* Writes one figure of each policy, by case. */
static void text_figure(FILE *out, const json_t *cases, const struct text_figure *f)
{
	const json_t *first = json_object_get(json_array_get(cases, 0), "matrix");
	char title[TEXT_COLUMNS];
	double scale;
	size_t i, policy;
	json_t *item, *row;

	snprintf(title, sizeof(title), f->title, f->units[text_unit(cases, f, &scale)]);
	text_head(out, cases, title, TEXT_WORDS, TEXT_FIGURE);
	json_array_foreach(first, policy, row) {
		fprintf(out, "%-17s%-8s%-11s%-8s", text_string(row, "policy"),
			text_string(row, "when"), text_string(row, "what"),
			text_string(row, "steps"));
		json_array_foreach(cases, i, item) {
			const json_t *matrix = json_object_get(item, "matrix");

			text_value(out, text_number(json_array_get(matrix, policy), f->key) * scale,
				   f->digits);
		}
		fputc('\n', out);
	}
}

/* Returns the line of a matrix whose calls wait longest for pins by folio. */
static const json_t *text_waits_most(const json_t *matrix)
{
	const json_t *found = NULL;
	double best = -1;
	size_t i;
	json_t *row;

	json_array_foreach(matrix, i, row) {
		const double ms = text_number(json_object_get(row, "waits_by_folio"), "ms");

		if (ms > best) {
			found = row;
			best = ms;
		}
	}
	return found;
}

/* Writes, for each case, the policy whose calls wait longest. */
static void text_waits(FILE *out, const json_t *cases)
{
	bool any = false;
	size_t i;
	json_t *item;

	json_array_foreach(cases, i, item) {
		const json_t *row = text_waits_most(json_object_get(item, "matrix"));
		const json_t *folio = json_object_get(row, "waits_by_folio");
		const json_t *page = json_object_get(row, "waits_by_page");

		if (text_number(folio, "calls") <= 0)
			continue;
		if (!any)
			fputs("\nMost waits for pins: calls, ms; by folio | by page (a VMM that "
			      "counts them)\n",
			      out);
		fprintf(out, "[%zu] %-17s %6.0f, %10.1f | %6.0f, %10.1f\n", i + 1,
			text_string(row, "policy"), text_number(folio, "calls"),
			text_number(folio, "ms"), text_number(page, "calls"),
			text_number(page, "ms"));
		any = true;
	}
	if (!any)
		fputs("\nNo call waits for a pin.\n", out);
}

static void text_depends(FILE *out, const json_t *study)
{
	const json_t *verdict = json_object_get(study, "verdict");
	const json_t *list = json_object_get(verdict, "depends_on");
	struct text_words text;
	FILE *words = text_begin(&text);
	json_t *item;
	size_t i;

	if (!words)
		return;
	fputs(json_array_size(list)
		      ? "What costs least turns if one price is multiplied, at the end of "
			"the log or after a day:"
		      : "No price, times 0.1 or 10, changes which policy costs least.",
	      words);
	json_array_foreach(list, i, item)
		fprintf(words, "%s %s x%.2g (%s)", i ? "," : "", text_string(item, "cost"),
			text_number(item, "factor"), text_string(item, "then"));
	text_end(&text, out);
	words = text_begin(&text);
	if (!words)
		return;
	fputs("Not covered:", words);
	json_array_foreach(json_object_get(verdict, "does_not_cover"), i, item)
		fprintf(words, "%s %s", i ? ";" : "", json_string_value(item));
	text_end(&text, out);
}

/* Returns true if a price is a part of some cost. */
static bool text_is_charged(const json_t *study, const char *cost)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(study, "cases"), i, item) {
		if (text_find(json_object_get(item, "sensitivity"), "cost", cost))
			return true;
	}
	return !strcmp(cost, "clock_hz");
}

static void text_prices(FILE *out, const json_t *study)
{
	static const char *const kinds[] = {"published", "derived", "measured", "assumed"};
	const json_t *costs = json_object_get(study, "costs");
	const char *name;
	json_t *item;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *separator = "";
		struct text_words text;
		FILE *words = text_begin(&text);

		if (!words)
			return;
		json_object_foreach((json_t *)costs, name, item) {
			if (strcmp(text_string(item, "kind"), kinds[i]) ||
			    !text_is_charged(study, name))
				continue;
			if (!*separator)
				fprintf(words, "Prices, %s:", kinds[i]);
			fprintf(words, "%s %s %.10g", separator, name, text_number(item, "value"));
			separator = ",";
		}
		text_end(&text, out);
	}
}

#define TEXT_CYCLES                                             \
	{                                                       \
		"Million", "Billion", "Trillion", "Quadrillion" \
	}

static const struct text_figure text_figures[] = {
	{"work", "%s cycles of work, without rent", TEXT_CYCLES, 1e-6, 1},
	{"rent", "%s cycles of rent, until the end", TEXT_CYCLES, 1e-6, 1},
	{"stall_ms", "Longest stall of a conversion or a fault, %s", {"ms", "s"}, 1, 2},
};

void study_text(FILE *out, const json_t *study)
{
	const json_t *cases = json_object_get(study, "cases");
	const json_t *verdict = json_object_get(study, "verdict");

	fprintf(out, "When to split a huge page of a guest_memfd, and how far (%s)\n",
		text_string(study, "tool"));
	text_wrap(out, "", text_string(verdict, "sentence"));
	text_cases(out, cases);
	text_head(out, cases, "Each step to lazy saves, of what is left", TEXT_LABEL, TEXT_CELL);
	text_saving(out, cases, "staging", "staging: 1G to 2M, then 2M to 4K");
	text_saving(out, cases, "grain", "grain: 4K only where a 2M is mixed");
	text_saving(out, cases, "merges", "no merging: what is split stays split");
	text_saving(out, cases, "time", "time: at the host's touch, not at once");
	text_merging(out, cases);
	text_assumed(out, study);
	for (size_t i = 0; i < sizeof(text_figures) / sizeof(*text_figures); i++)
		text_figure(out, cases, &text_figures[i]);
	text_maintain(out, cases);
	fputs("Work and rent until the merges in the quiet behind the log are done\n", out);
	text_adaptive(out, cases, "told_the_rent", "adaptive / better of nonuniform and lazy");
	text_adaptive(out, cases, "told_ten_times", "the same, told ten times the rent");
	text_waits(out, cases);
	text_other_rmp(out, cases);
	text_depends(out, study);
	text_prices(out, study);
}
