// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_report.c - writes the results of policies side by side, as a table and as JSON
 *
 * Invariant: the table and the JSON have the same numbers, because both are made from one list of
 * rows. The key of a row is never renamed.
 */
#include "lab_report.h"

#include "tool_json.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>

enum lab_report_kind { LAB_REPORT_COUNT, LAB_REPORT_BYTES, LAB_REPORT_CYCLES };

/**
 * struct lab_report_row - one number for each policy that was replayed
 * @key: key in the JSON
 * @text: text in the table; indented if it belongs to a title
 * @title: a line of the table above the row; NULL: none
 * @kind: format of the number in the table
 * @value: reads the number from the result of one policy
 */
struct lab_report_row {
	const char *key;
	const char *text;
	const char *title;
	enum lab_report_kind kind;
	uint64_t (*value)(const struct lab_result *result);
};

/* Defines a function that reads one number from a result. */
#define LAB_REPORT_VALUE(name, expression)                            \
	static uint64_t lab_report_##name(const struct lab_result *r) \
	{                                                             \
		return (uint64_t)(expression);                        \
	}
#define LAB_REPORT_MAPPED(name, accessor, level)                                                \
	LAB_REPORT_VALUE(name##_end, r->totals.mapped_pages[accessor][level] << GMS_PAGE_SHIFT) \
	LAB_REPORT_VALUE(name##_average, r->average_pages[accessor][level] * (1 << GMS_PAGE_SHIFT))
#define LAB_REPORT_CYCLES_OF(name, cause) LAB_REPORT_VALUE(cycles_##name, r->totals.cycles[cause])

LAB_REPORT_VALUE(split_folios, r->nr_split)
LAB_REPORT_VALUE(splits_1g, r->stats.splits_1g)
LAB_REPORT_VALUE(splits_2m, r->stats.splits_2m)
LAB_REPORT_VALUE(merges_1g, r->stats.merges_1g)
LAB_REPORT_VALUE(merges_2m, r->stats.merges_2m)
LAB_REPORT_VALUE(splits_deferred, r->stats.splits_deferred)
LAB_REPORT_VALUE(merges_refused, r->stats.merges_refused)
LAB_REPORT_VALUE(pinned_retries, r->nr_pinned_retries)
LAB_REPORT_VALUE(guest_faults, r->stats.faults_guest)
LAB_REPORT_VALUE(host_faults, r->stats.faults_host)
LAB_REPORT_VALUE(denied, r->nr_denied)
LAB_REPORT_VALUE(refused, r->nr_refused)
LAB_REPORT_VALUE(out_of_reach, r->nr_out_of_reach)
LAB_REPORT_VALUE(ignored, r->nr_ignored)
LAB_REPORT_MAPPED(guest_1g, LAB_GUEST, 2)
LAB_REPORT_MAPPED(guest_2m, LAB_GUEST, 1)
LAB_REPORT_MAPPED(guest_4k, LAB_GUEST, 0)
LAB_REPORT_MAPPED(host_1g, LAB_HOST, 2)
LAB_REPORT_MAPPED(host_2m, LAB_HOST, 1)
LAB_REPORT_MAPPED(host_4k, LAB_HOST, 0)
LAB_REPORT_VALUE(vmemmap_given_back, r->totals.vmemmap_given_back)
LAB_REPORT_VALUE(vmemmap_bytes, r->totals.vmemmap_bytes)
LAB_REPORT_CYCLES_OF(split, SIM_COST_SPLIT)
LAB_REPORT_CYCLES_OF(merge, SIM_COST_MERGE)
LAB_REPORT_CYCLES_OF(apply, SIM_COST_APPLY)
LAB_REPORT_CYCLES_OF(prepare, SIM_COST_PREPARE)
LAB_REPORT_CYCLES_OF(map, SIM_COST_MAP)
LAB_REPORT_CYCLES_OF(zap, SIM_COST_ZAP)
LAB_REPORT_CYCLES_OF(alloc, SIM_COST_ALLOC)
LAB_REPORT_CYCLES_OF(free, SIM_COST_FREE)

/* clang-format off */
#define LAB_REPORT_ROW(key, text, title, kind, name) \
	{ key, text, title, LAB_REPORT_##kind, lab_report_##name }

static const struct lab_report_row lab_report_rows[] = {
	LAB_REPORT_ROW("folios_split", "Folios split at least once", NULL, COUNT, split_folios),
	LAB_REPORT_ROW("splits_1g", "  of 1G", "Splits", COUNT, splits_1g),
	LAB_REPORT_ROW("splits_2m", "  of 2M", NULL, COUNT, splits_2m),
	LAB_REPORT_ROW("splits_deferred", "  put off: a page is pinned", NULL,
		       COUNT, splits_deferred),
	LAB_REPORT_ROW("merges_1g", "  to 1G", "Merges", COUNT, merges_1g),
	LAB_REPORT_ROW("merges_2m", "  to 2M", NULL, COUNT, merges_2m),
	LAB_REPORT_ROW("merges_refused", "  refused", NULL, COUNT, merges_refused),
	LAB_REPORT_ROW("pinned_retries", "Calls repeated without pin", NULL,
		       COUNT, pinned_retries),
	LAB_REPORT_ROW("guest_faults", "Faults of the guest", NULL, COUNT, guest_faults),
	LAB_REPORT_ROW("host_faults", "Faults of the host", NULL, COUNT, host_faults),
	LAB_REPORT_ROW("host_accesses_denied", "Host accesses denied", NULL, COUNT, denied),
	LAB_REPORT_ROW("refused", "Events refused", NULL, COUNT, refused),
	LAB_REPORT_ROW("out_of_reach", "Accesses out of bounds", NULL, COUNT, out_of_reach),
	LAB_REPORT_ROW("ignored", "Events that do nothing", NULL, COUNT, ignored),
	LAB_REPORT_ROW("guest_1g_end_bytes", "  by 1G", "The guest maps, at the end",
		       BYTES, guest_1g_end),
	LAB_REPORT_ROW("guest_2m_end_bytes", "  by 2M", NULL, BYTES, guest_2m_end),
	LAB_REPORT_ROW("guest_4k_end_bytes", "  by 4K", NULL, BYTES, guest_4k_end),
	LAB_REPORT_ROW("guest_1g_average_bytes", "  by 1G", "averaged over time",
		       BYTES, guest_1g_average),
	LAB_REPORT_ROW("guest_2m_average_bytes", "  by 2M", NULL, BYTES, guest_2m_average),
	LAB_REPORT_ROW("guest_4k_average_bytes", "  by 4K", NULL, BYTES, guest_4k_average),
	LAB_REPORT_ROW("host_1g_end_bytes", "  by 1G", "The host maps, at the end",
		       BYTES, host_1g_end),
	LAB_REPORT_ROW("host_2m_end_bytes", "  by 2M", NULL, BYTES, host_2m_end),
	LAB_REPORT_ROW("host_4k_end_bytes", "  by 4K", NULL, BYTES, host_4k_end),
	LAB_REPORT_ROW("host_1g_average_bytes", "  by 1G", "averaged over time",
		       BYTES, host_1g_average),
	LAB_REPORT_ROW("host_2m_average_bytes", "  by 2M", NULL, BYTES, host_2m_average),
	LAB_REPORT_ROW("host_4k_average_bytes", "  by 4K", NULL, BYTES, host_4k_average),
	LAB_REPORT_ROW("vmemmap_given_back_bytes", "  restored for splits", "Struct pages",
		       BYTES, vmemmap_given_back),
	LAB_REPORT_ROW("vmemmap_end_bytes", "  at the end", NULL, BYTES, vmemmap_bytes),
	LAB_REPORT_ROW("cycles_split", "  split", "Simulated cycles, millions",
		       CYCLES, cycles_split),
	LAB_REPORT_ROW("cycles_merge", "  merge", NULL, CYCLES, cycles_merge),
	LAB_REPORT_ROW("cycles_apply", "  convert", NULL, CYCLES, cycles_apply),
	LAB_REPORT_ROW("cycles_prepare", "  prepare", NULL, CYCLES, cycles_prepare),
	LAB_REPORT_ROW("cycles_map", "  faults", NULL, CYCLES, cycles_map),
	LAB_REPORT_ROW("cycles_zap", "  zap", NULL, CYCLES, cycles_zap),
	LAB_REPORT_ROW("cycles_alloc", "  allocate and clear", NULL, CYCLES, cycles_alloc),
	LAB_REPORT_ROW("cycles_free", "  free", NULL, CYCLES, cycles_free),
};
/* clang-format on */

#define LAB_REPORT_NR_ROWS (sizeof(lab_report_rows) / sizeof(*lab_report_rows))

const char *lab_report_backing_name(unsigned int order)
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

static void lab_report_print_head(FILE *out, const struct lab_report *report)
{
	const struct lab_opts *opts = &report->opts[0];
	const struct log *log = report->log;
	char bytes[UNITS_TEXT_SIZE], count[UNITS_TEXT_SIZE];

	fprintf(out, "Log      %s, %s: ", report->name, log_format_name(log->format));
	fprintf(out, "%s conversions, ", units_count(count, log->nr_conversions));
	fprintf(out, "%s other events, ", units_count(count, log->nr_other_events));
	fprintf(out, "%s malformed\n", units_count(count, log->malformed.total));
	fprintf(out, "Object   %s, all %s at first%s\n",
		units_bytes(bytes, opts->nr_pages << GMS_PAGE_SHIFT),
		event_shareability_name(opts->init_private ? GMS_PRIVATE : GMS_SHARED),
		report->size_from_log
			? "\n         (size: how far the log reaches, rounded up to 1G)"
			: "");
	fprintf(out, "Backing  %s folios of %s; pins count by %s; %s\n",
		units_count(count, report->results[0].nr_folios),
		lab_report_backing_name(opts->folio_order), opts->pins_by_folio ? "folio" : "page",
		opts->punch ? "what the guest frees is punched out"
			    : "what the guest frees stays allocated");
	if (log->format != LOG_CSV)
		fputs("         (no accesses in the log: the guest is assumed to use all memory)\n",
		      out);
	fputc('\n', out);
}

static void lab_report_print_row(FILE *out, const struct lab_report *report,
				 const struct lab_report_row *row)
{
	if (row->title)
		fprintf(out, "%s\n", row->title);
	fprintf(out, "%-28s", row->text);
	for (unsigned int i = 0; i < report->nr_runs; i++) {
		uint64_t value = row->value(&report->results[i]);
		char text[UNITS_TEXT_SIZE];

		if (row->kind == LAB_REPORT_BYTES)
			units_bytes(text, value);
		else if (row->kind == LAB_REPORT_COUNT)
			units_count(text, value);
		else
			snprintf(text, sizeof(text), "%.2f", (double)value / 1e6);
		fprintf(out, "%17s", text);
	}
	fputc('\n', out);
}

void lab_report_table(FILE *out, const struct lab_report *report)
{
	lab_report_print_head(out, report);
	fprintf(out, "%-28s", "Policy");
	for (unsigned int i = 0; i < report->nr_runs; i++)
		fprintf(out, "%17s", report->opts[i].policy->name);
	fputc('\n', out);
	for (size_t i = 0; i < LAB_REPORT_NR_ROWS; i++)
		lab_report_print_row(out, report, &lab_report_rows[i]);
}

static json_t *lab_report_pack_run(const struct lab_opts *opts, const struct lab_result *result)
{
	json_t *json = json_object();
	bool failed = !json;

	failed |= json_object_set_new(json, "policy", json_string(opts->policy->name));
	for (size_t i = 0; i < LAB_REPORT_NR_ROWS; i++)
		failed |= json_object_set_new(
			json, lab_report_rows[i].key,
			json_integer(tool_json_count(lab_report_rows[i].value(result))));
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

int lab_report_json(FILE *out, const struct lab_report *report)
{
	const struct lab_opts *opts = &report->opts[0];
	json_t *json = tool_json_head(report->name, report->log, opts->nr_pages,
				      report->size_from_log, opts->init_private);
	json_t *runs = json_array();
	bool failed = !json || !runs;

	failed |= json_object_set_new(json, "log", tool_json_log(report->log));
	failed |= json_object_set_new(json, "backing",
				      json_string(lab_report_backing_name(opts->folio_order)));
	failed |= json_object_set_new(json, "pins",
				      json_string(opts->pins_by_folio ? "folio" : "page"));
	failed |= json_object_set_new(json, "punch", json_boolean(opts->punch));
	failed |= json_object_set_new(json, "folios",
				      json_integer(tool_json_count(report->results[0].nr_folios)));
	for (unsigned int i = 0; i < report->nr_runs; i++)
		failed |= json_array_append_new(
			runs, lab_report_pack_run(&report->opts[i], &report->results[i]));
	failed |= json_object_set_new(json, "policies", runs);
	failed |= json_object_set_new(json, "not_applied",
				      tool_json_refusals(&report->log->malformed));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return tool_json_write(out, json);
}
