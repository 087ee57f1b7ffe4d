// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * study.c - builds the report: see study.h
 */
#include "study.h"

#include "tool_json.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Costs that differ by less than this are called close: prices are not known that well. */
#define STUDY_CLOSE 1.05

/* The uptimes at which the sensitivity is computed: 0 is the end of the log. */
static const struct {
	const char *name;
	double us;
} study_uptimes[] = {{"end of the log", 0}, {"1 day", 86400e6}};

/* The results of the policies in one case, with pins as a kernel counts them. */
struct study_case {
	const struct lab_report *report;
	bool host_all;
	const struct lab_run *run[POLICIES_NR];
	const struct lab_result *result[POLICIES_NR];
};

static const char *study_name(unsigned int policy)
{
	return policies_words[policy].name;
}

/* Adds an item to a list. Returns the list, or NULL if there is no memory for the item. */
static json_t *study_append(json_t *list, json_t *item)
{
	if (!json_array_append_new(list, item))
		return list;
	json_decref(list);
	return NULL;
}

/* ---- parts of a case ---- */

static json_t *study_pack_runs(const struct study_case *c)
{
	const struct lab_runs *runs = &c->report->runs;
	json_t *list = json_array();

	for (unsigned int i = 0; i < runs->nr; i++) {
		if (runs->run[i].opts.host_all == c->host_all)
			list = study_append(list, lab_report_pack_run(&runs->run[i]));
	}
	return list;
}

static json_t *study_pack_waits(const struct study_case *c, enum policies_id id, bool by_folio)
{
	const struct lab_run *run = lab_runs_find(&c->report->runs, id, by_folio, c->host_all);

	return json_pack("{s:I, s:f}", "calls", tool_json_count(run->result.nr_waits), "ms",
			 (double)run->result.waited_us / 1000);
}

static json_t *study_pack_matrix(const struct study_case *c)
{
	json_t *list = json_array();

	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		const struct policies_words *words = &policies_words[id];
		const struct lab_result *r = c->result[id];
		const double stall = lab_result_stall(r);
		const double clock = c->run[id]->opts.costs->item[COSTS_CLOCK].value;

		list = study_append(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, "
				  "s:f, s:o, s:o}",
				  "policy", words->name, "when", words->when, "what", words->what,
				  "steps", words->steps, "merges_when", words->merges,
				  "folios_split", tool_json_count(r->nr_split), "splits",
				  tool_json_count(r->stats.splits_1g + r->stats.splits_2m),
				  "merges",
				  tool_json_count(r->stats.merges_1g + r->stats.merges_2m), "work",
				  lab_sum_work(&r->at_end), "rent", lab_sum_rent(&r->at_end),
				  "rent_per_second", r->rate[0] + r->rate[1], "stall_cycles", stall,
				  "stall_ms", stall / clock * 1e3, "waits_by_folio",
				  study_pack_waits(c, id, true), "waits_by_page",
				  study_pack_waits(c, id, false)));
	}
	return list;
}

/* Returns which part of the work of @from the policy @to saves. */
static json_t *study_saving(const struct study_case *c, enum policies_id from, enum policies_id to)
{
	const double before = lab_sum_work(&c->result[from]->at_end);
	const double after = lab_sum_work(&c->result[to]->at_end);

	return before > 0 ? json_real(1 - after / before) : json_null();
}

/*
 * Grain is compared between policies that both go to 4K in stages. With folios of 2M there are no
 * stages, and eager does what eager-rfc does.
 */
static json_t *study_pack_savings(const struct study_case *c)
{
	const bool is_1g = c->run[0]->opts.folio_order == GMS_ORDER_1G;

	return json_pack("{s:o, s:o, s:o}", "grain",
			 study_saving(c, POLICIES_EAGER, POLICIES_EAGER_NONUNIFORM), "staging",
			 is_1g ? study_saving(c, POLICIES_EAGER_RFC, POLICIES_EAGER) : json_null(),
			 "time", study_saving(c, POLICIES_EAGER_RFC, POLICIES_LAZY_4K));
}

static json_t *study_pack_evens(const struct study_case *c)
{
	static const char *const kinds[] = {[LAB_EVEN_NEVER] = "never",
					    [LAB_EVEN_ALWAYS] = "always",
					    [LAB_EVEN_FROM] = "from",
					    [LAB_EVEN_UNTIL] = "until",
					    [LAB_EVEN_SAME] = "same"};
	json_t *list = json_array();

	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		for (enum policies_id other = 0; other < POLICIES_NR; other++) {
			const struct lab_even even = lab_even(c->result[id], c->result[other]);
			const bool turns =
				even.kind == LAB_EVEN_FROM || even.kind == LAB_EVEN_UNTIL;

			if (id != other)
				list = study_append(
					list,
					json_pack("{s:s, s:s, s:s, s:o}", "policy", study_name(id),
						  "costs_less_than", study_name(other), "when",
						  kinds[even.kind], "uptime_s",
						  turns ? json_real(even.us / 1e6) : json_null()));
		}
	}
	return list;
}

static json_t *study_pack_leaders(const struct study_case *c)
{
	struct lab_leader leaders[2 * POLICIES_NR];
	const unsigned int nr = lab_leaders(c->result, POLICIES_NR, leaders);
	json_t *list = json_array();

	for (unsigned int i = 0; i < nr; i++)
		list = study_append(list,
				    json_pack("{s:s, s:f}", "policy", study_name(leaders[i].run),
					      "from_s", leaders[i].us / 1e6));
	return list;
}

/* Lists the policies that cost at most STUDY_CLOSE times the least, at the end of the log. */
static json_t *study_pack_close(const struct study_case *c)
{
	const double us = (double)c->result[0]->at_end.us;
	double least = INFINITY;
	json_t *list = json_array();

	for (unsigned int i = 0; i < POLICIES_NR; i++)
		least = fmin(least, lab_cost_at(c->result[i], us));
	for (unsigned int i = 0; i < POLICIES_NR; i++) {
		if (lab_cost_at(c->result[i], us) <= least * STUDY_CLOSE)
			list = study_append(list, json_string(study_name(i)));
	}
	return list;
}

/* Returns true if a price is charged in a case. */
static bool study_is_charged(const struct study_case *c, enum costs_id id)
{
	for (unsigned int i = 0; i < POLICIES_NR; i++) {
		if (c->result[i]->at_end.part[id] > 0)
			return true;
	}
	return false;
}

static json_t *study_pack_sensitivity(const struct study_case *c)
{
	json_t *list = json_array();

	for (size_t at = 0; at < sizeof(study_uptimes) / sizeof(*study_uptimes); at++) {
		const double end = (double)c->result[0]->at_end.us;
		const double us = study_uptimes[at].us > end ? study_uptimes[at].us : end;

		for (enum costs_id id = 0; id < COSTS_NR; id++) {
			const struct lab_turn turn = lab_turn(c->result, POLICIES_NR, id, us);

			if (!study_is_charged(c, id))
				continue;
			list = study_append(
				list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "cost",
						costs_name(id), "uptime", study_uptimes[at].name,
						"leader", study_name(turn.leader[1]), "leader_x0.1",
						study_name(turn.leader[0]), "leader_x10",
						study_name(turn.leader[2]), "turns_at",
						turn.factor > 0 ? json_real(turn.factor)
								: json_string("none")));
		}
	}
	return list;
}

/* Compares adaptive with the better of the two policies between which it learns to choose. */
static json_t *study_pack_adaptive(const struct study_case *c, const struct lab_runs *told)
{
	const struct lab_run *run = NULL;
	double us = (double)c->result[0]->settled.us, better;

	for (unsigned int i = 0; i < told->nr; i++) {
		if (told->run[i].opts.host_all == c->host_all)
			run = &told->run[i];
	}
	better = fmin(lab_cost_at(c->result[POLICIES_EAGER_NONUNIFORM], us),
		      lab_cost_at(c->result[POLICIES_LAZY], us));
	if (!run || better <= 0)
		return json_null();
	return json_pack("{s:f, s:f}", "told_the_rent",
			 lab_cost_at(c->result[POLICIES_ADAPTIVE], us) / better, "told_ten_times",
			 lab_cost_at(&run->result, us) / better);
}

/* ---- cases ---- */

static json_t *study_pack_head(const struct study_case *c, const char *sha256)
{
	const struct lab_report *report = c->report;
	const struct lab_opts *opts = &c->run[0]->opts;
	const char *base = strrchr(report->name, '/');
	const char *backing = lab_report_backing_name(opts->folio_order);
	const char *host = !report->runs.bounds ? opts->host_all ? "all" : "logged"
			   : c->host_all        ? "all"
						: "nothing";
	json_t *json = tool_json_head(report->name, report->runs.log, opts->nr_pages,
				      report->size_from_log, opts->init_private);

	base = base ? base + 1 : report->name;
	json_object_set_new(json, "name", json_sprintf("%.12s %s", base, backing));
	json_object_set_new(json, "sha256", json_string(sha256));
	json_object_set_new(json, "log", tool_json_log(report->runs.log));
	json_object_set_new(json, "memory", lab_report_pack_ram(opts));
	json_object_set_new(json, "arch", json_string(costs_arch_name(opts->arch)));
	json_object_set_new(json, "backing", json_string(backing));
	json_object_set_new(json, "folios", json_integer(tool_json_count(c->result[0]->nr_folios)));
	json_object_set_new(json, "host", json_string(host));
	json_object_set_new(json, "guest_uses_all", json_boolean(opts->guest_all));
	json_object_set_new(json, "log_us", json_integer(tool_json_count(c->result[0]->at_end.us)));
	return json;
}

static json_t *study_pack_case(const struct study_case *c, const char *sha256,
			       const struct lab_runs *told)
{
	json_t *json = study_pack_head(c, sha256);
	bool failed = !json;

	failed |= json_object_set_new(json, "runs", study_pack_runs(c));
	failed |= json_object_set_new(json, "matrix", study_pack_matrix(c));
	failed |= json_object_set_new(json, "savings", study_pack_savings(c));
	failed |= json_object_set_new(json, "break_even", study_pack_evens(c));
	failed |= json_object_set_new(json, "leaders", study_pack_leaders(c));
	failed |= json_object_set_new(json, "within_5_percent", study_pack_close(c));
	failed |= json_object_set_new(json, "sensitivity", study_pack_sensitivity(c));
	failed |= json_object_set_new(json, "adaptive", study_pack_adaptive(c, told));
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

int study_add(json_t *study, const struct lab_report *report, const char *sha256,
	      const struct lab_runs *told)
{
	const struct lab_runs *runs = &report->runs;
	json_t *cases = json_object_get(study, "cases");

	for (int host_all = runs->run[0].opts.host_all;
	     host_all <= runs->run[runs->nr - 1].opts.host_all; host_all++) {
		struct study_case c = {.report = report, .host_all = host_all};

		for (enum policies_id id = 0; id < POLICIES_NR; id++) {
			c.run[id] = lab_runs_find(runs, id, true, host_all);
			c.result[id] = &c.run[id]->result;
		}
		if (json_array_size(cases) == STUDY_MAX_CASES)
			return -ENOSPC;
		if (json_array_append_new(cases, study_pack_case(&c, sha256, told)))
			return -ENOMEM;
	}
	return 0;
}

json_t *study_new(const struct lab_plan *plan)
{
	const struct lab_opts *opts = &plan->opts;

	return json_pack("{s:s, s:s, s:{s:s, s:b, s:f, s:s}, s:o, s:[]}", "schema", STUDY_SCHEMA,
			 "tool", "gmemstate " GMS_VERSION, "model", "rmp",
			 opts->rmp_sticky ? "sticky" : "heals", "punch", (int)opts->punch, "pin_ms",
			 (double)opts->pin_us / 1000, "pins", "folio", "costs",
			 costs_json(opts->costs), "cases");
}
