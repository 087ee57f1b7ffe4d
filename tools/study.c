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

/* A cost that is above the least by less than this part of the work is called close. */
#define STUDY_CLOSE .05

/* How many refused events of a run are listed. A report keeps all of its runs. */
#define STUDY_REFUSED 10

/* How much of a file's name the name of a case has. */
#define STUDY_NAME 24

/* The uptimes at which the sensitivity is computed: 0 is the end of the log. */
static const struct {
	const char *name;
	double us;
} study_uptimes[] = {{"end of the log", 0}, {"1 day", 86400e6}};

/* The results of the policies in one case, with pins as a kernel counts them. */
struct study_case {
	const struct study_runs *runs;
	bool host_all;
	const struct lab_run *run[POLICIES_NR];
	const struct lab_result *result[POLICIES_NR];
	const struct lab_result *other_rmp[POLICIES_NR];
	const struct lab_result *told;
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
	const struct lab_runs *runs = &c->runs->report.runs;
	json_t *list = json_array();

	for (unsigned int i = 0; i < runs->nr; i++) {
		if (runs->run[i].opts.host_all == c->host_all)
			list = study_append(list,
					    lab_report_pack_run(&runs->run[i], STUDY_REFUSED));
	}
	return list;
}

static json_t *study_pack_waits(const struct study_case *c, enum policies_id id, bool by_folio)
{
	const struct lab_run *run = lab_runs_find(&c->runs->report.runs, id, by_folio, c->host_all);

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
				  "s:f, s:f, s:o, s:o}",
				  "policy", words->name, "when", words->when, "what", words->what,
				  "steps", words->steps, "merges_when", words->merges,
				  "folios_split", tool_json_count(r->nr_split), "splits",
				  tool_json_count(r->stats.splits_1g + r->stats.splits_2m),
				  "merges",
				  tool_json_count(r->stats.merges_1g + r->stats.merges_2m), "work",
				  lab_sum_work(&r->at_end), "rent", lab_sum_rent(&r->at_end),
				  "rent_per_second", r->rate[0] + r->rate[1], "stall_cycles", stall,
				  "stall_ms", stall / clock * 1e3, "maintain_ms",
				  r->stall_maintain / clock * 1e3, "waits_by_folio",
				  study_pack_waits(c, id, true), "waits_by_page",
				  study_pack_waits(c, id, false)));
	}
	return list;
}

/* Returns the work of a result, with the price of a fault multiplied by a factor. */
static double study_work(const struct lab_result *r, double fault)
{
	return lab_sum_work(&r->at_end) + (fault - 1) * r->at_end.part[COSTS_FAULT];
}

/* Returns which part of one work another one saves; null if there is none. */
static json_t *study_saving(const struct lab_result *from, const struct lab_result *to,
			    double fault)
{
	const double before = study_work(from, fault);

	return before > 0 ? json_real(1 - study_work(to, fault) / before) : json_null();
}

/*
 * Four steps lead from eager-rfc to lazy, and each of them changes one thing. With folios of 2M
 * there are no stages.
 */
static json_t *study_pack_steps(const struct study_case *c, double fault)
{
	const struct lab_result *rfc = c->result[POLICIES_EAGER_RFC];
	const struct lab_result *eager = c->result[POLICIES_EAGER];
	const struct lab_result *nonuniform = c->result[POLICIES_EAGER_NONUNIFORM];
	const struct lab_result *unmerged = c->result[POLICIES_EAGER_UNMERGED];
	const bool is_1g = c->run[0]->opts.folio_order == GMS_ORDER_1G;

	return json_pack("{s:o, s:o, s:o, s:o}", "staging",
			 is_1g ? study_saving(rfc, eager, fault) : json_null(), "grain",
			 study_saving(eager, nonuniform, fault), "merges",
			 study_saving(nonuniform, unmerged, fault), "time",
			 study_saving(unmerged, c->result[POLICIES_LAZY], fault));
}

static json_t *study_pack_savings(const struct study_case *c)
{
	json_t *json = study_pack_steps(c, 1);

	if (!json_object_set_new(json, "fault_x0.1", study_pack_steps(c, .1)))
		return json;
	json_decref(json);
	return NULL;
}

static const char *const study_evens[] = {[LAB_EVEN_NEVER] = "never",
					  [LAB_EVEN_ALWAYS] = "always",
					  [LAB_EVEN_FROM] = "from",
					  [LAB_EVEN_UNTIL] = "until",
					  [LAB_EVEN_SAME] = "same"};

/* Returns the uptime at which an order turns, in seconds; null if it does not. */
static json_t *study_pack_uptime(struct lab_even even)
{
	if (even.kind == LAB_EVEN_FROM || even.kind == LAB_EVEN_UNTIL)
		return json_real(even.us / 1e6);
	return json_null();
}

/*
 * Finds from which uptime on it pays that eager-nonuniform merges. 2M blocks is how many more of
 * them are left at 4K without merges.
 */
static json_t *study_pack_merging(const struct study_case *c)
{
	const struct lab_result *merged = c->result[POLICIES_EAGER_NONUNIFORM];
	const struct lab_result *unmerged = c->result[POLICIES_EAGER_UNMERGED];
	const struct lab_even even = lab_even(merged, unmerged);
	const double rent = c->run[0]->opts.costs->item[COSTS_RENT_2M].value;
	const double more = unmerged->rate[0] - merged->rate[0];

	return json_pack("{s:s, s:o, s:f}", "when", study_evens[even.kind], "uptime_s",
			 study_pack_uptime(even), "2m_blocks", rent > 0 ? more / rent : 0.);
}

static json_t *study_pack_evens(const struct study_case *c)
{
	json_t *list = json_array();

	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		for (enum policies_id other = 0; other < POLICIES_NR; other++) {
			const struct lab_even even = lab_even(c->result[id], c->result[other]);

			if (id != other)
				list = study_append(list,
						    json_pack("{s:s, s:s, s:s, s:o}", "policy",
							      study_name(id), "costs_less_than",
							      study_name(other), "when",
							      study_evens[even.kind], "uptime_s",
							      study_pack_uptime(even)));
		}
	}
	return list;
}

/* Lists the policies whose cost at an uptime is hardly above the least: see lab_is_close(). */
static json_t *study_pack_close(const struct lab_result *const *results, unsigned int least,
				double us, double part)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < POLICIES_NR; i++) {
		if (lab_is_close(results[i], results[least], us, part))
			list = study_append(list, json_string(study_name(i)));
	}
	return list;
}

/* Lists which policies cost least, over uptime. Policies that tie are together. */
static json_t *study_pack_leaders(const struct lab_result *const *results)
{
	struct lab_leader leaders[2 * POLICIES_NR];
	const unsigned int nr = lab_leaders(results, POLICIES_NR, leaders);
	json_t *list = json_array();

	for (unsigned int i = 0; i < nr; i++) {
		/* Where lines cross, two cost the same. So look in the middle of the time. */
		const double us = !i           ? leaders[i].us
				  : i + 1 < nr ? (leaders[i].us + leaders[i + 1].us) / 2
					       : leaders[i].us * 2;

		list = study_append(
			list, json_pack("{s:s, s:f, s:o}", "policy", study_name(leaders[i].run),
					"from_s", leaders[i].us / 1e6, "policies",
					study_pack_close(results, leaders[i].run, us, 0)));
	}
	return list;
}

/* Returns which policies cost least with the other value of --rmp. */
static json_t *study_pack_other_rmp(const struct study_case *c)
{
	const bool sticky = c->run[0]->opts.rmp_sticky;

	return json_pack("{s:s, s:o}", "rmp", sticky ? "heals" : "sticky", "leaders",
			 study_pack_leaders(c->other_rmp));
}

static json_t *study_pack_close_at_end(const struct study_case *c)
{
	struct lab_leader leaders[2 * POLICIES_NR];

	lab_leaders(c->result, POLICIES_NR, leaders);
	return study_pack_close(c->result, leaders[0].run, leaders[0].us, STUDY_CLOSE);
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
				list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "cost",
						costs_name(id), "uptime", study_uptimes[at].name,
						"leader", study_name(turn.leader[1]), "leader_x0.1",
						study_name(turn.leader[0]), "leader_x10",
						study_name(turn.leader[2]), "turns_at",
						turn.factor > 0 ? json_real(turn.factor)
								: json_string("none"),
						"then", study_name(turn.then)));
		}
	}
	return list;
}

/* Compares adaptive with the better of the two policies between which it learns to choose. */
static json_t *study_pack_adaptive(const struct study_case *c)
{
	const double us = (double)c->result[0]->settled.us;
	const double better = fmin(lab_cost_at(c->result[POLICIES_EAGER_NONUNIFORM], us),
				   lab_cost_at(c->result[POLICIES_LAZY], us));

	if (better <= 0)
		return json_null();
	return json_pack("{s:f, s:f}", "told_the_rent",
			 lab_cost_at(c->result[POLICIES_ADAPTIVE], us) / better, "told_ten_times",
			 lab_cost_at(c->told, us) / better);
}

/* ---- cases ---- */

/* Packs a short name. Bytes that a terminal may not print become '?'. */
static json_t *study_pack_name(const char *name)
{
	char copy[STUDY_NAME + 1];
	size_t i;

	for (i = 0; i < STUDY_NAME && name[i]; i++)
		copy[i] = name[i] < ' ' || name[i] > '~' ? '?' : name[i];
	copy[i] = '\0';
	return json_string(copy);
}

static json_t *study_pack_head(const struct study_case *c, const char *sha256)
{
	const struct lab_report *report = &c->runs->report;
	const struct lab_opts *opts = &c->run[0]->opts;
	const char *base = strrchr(report->name, '/');
	const char *backing = units_order(opts->folio_order);
	const char *host = !report->runs.host_unknown ? opts->host_all ? "all" : "logged"
			   : c->host_all              ? "all"
						      : "nothing";
	json_t *json = tool_json_head(report->name, report->runs.log, opts->nr_pages,
				      report->size_from_log, opts->init_private);

	base = base ? base + 1 : report->name;
	json_object_set_new(json, "name", study_pack_name(base));
	json_object_set_new(json, "sha256", sha256 ? json_string(sha256) : json_null());
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

static json_t *study_pack_case(const struct study_case *c, const char *sha256)
{
	json_t *json = study_pack_head(c, sha256);
	bool failed = !json;

	failed |= json_object_set_new(json, "runs", study_pack_runs(c));
	failed |= json_object_set_new(json, "matrix", study_pack_matrix(c));
	failed |= json_object_set_new(json, "savings", study_pack_savings(c));
	failed |= json_object_set_new(json, "break_even", study_pack_evens(c));
	failed |= json_object_set_new(json, "merging_pays", study_pack_merging(c));
	failed |= json_object_set_new(json, "leaders", study_pack_leaders(c->result));
	failed |= json_object_set_new(json, "within_5_percent", study_pack_close_at_end(c));
	failed |= json_object_set_new(json, "sensitivity", study_pack_sensitivity(c));
	failed |= json_object_set_new(json, "other_rmp", study_pack_other_rmp(c));
	failed |= json_object_set_new(json, "adaptive", study_pack_adaptive(c));
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

static struct study_case study_case(const struct study_runs *runs, bool host_all)
{
	struct study_case c = {.runs = runs, .host_all = host_all};

	for (enum policies_id id = 0; id < POLICIES_NR; id++) {
		c.run[id] = lab_runs_find(&runs->report.runs, id, true, host_all);
		c.result[id] = &c.run[id]->result;
		c.other_rmp[id] = &lab_runs_find(&runs->other_rmp, id, true, host_all)->result;
	}
	c.told = &lab_runs_find(&runs->told, POLICIES_ADAPTIVE, true, host_all)->result;
	return c;
}

int study_add(json_t *study, const struct study_runs *runs, const char *sha256)
{
	const struct lab_runs *all = &runs->report.runs;
	json_t *cases = json_object_get(study, "cases");

	for (int host_all = all->run[0].opts.host_all;
	     host_all <= all->run[all->nr - 1].opts.host_all; host_all++) {
		const struct study_case c = study_case(runs, host_all);

		if (json_array_size(cases) == STUDY_MAX_CASES)
			return -ENOSPC;
		if (json_array_append_new(cases, study_pack_case(&c, sha256)))
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
