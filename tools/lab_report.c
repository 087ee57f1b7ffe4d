// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_report.c - the policies beside each other
 *
 * One list of rows makes both the table and the JSON, so that neither says what the other
 * does not.
 */
#include "lab_report.h"

#include "json_pack.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>

enum kind { COUNT, BYTES, CYCLES };

/**
 * struct row - one number of each run
 * @key: in JSON
 * @text: in the table; of rows with a title above them: indented
 * @title: NULL, or a line above this row
 * @kind: how to write it
 * @value: of a result
 */
struct row {
	const char *key;
	const char *text;
	const char *title;
	enum kind kind;
	uint64_t (*value)(const struct lab_result *result);
};

#define VALUE(name, expression)                          \
	static uint64_t name(const struct lab_result *r) \
	{                                                \
		return (uint64_t)(expression);           \
	}
#define MAPPED(name, who, level)                                                \
	VALUE(name##_end, r->totals.mapped_pages[who][level] << GMS_PAGE_SHIFT) \
	VALUE(name##_average, r->average_pages[who][level] * (1 << GMS_PAGE_SHIFT))
#define CYCLES_OF(name, cause) VALUE(cycles_##name, r->totals.cycles[cause])

VALUE(split_folios, r->nr_split)
VALUE(splits_1g, r->stats.splits_1g)
VALUE(splits_2m, r->stats.splits_2m)
VALUE(merges_1g, r->stats.merges_1g)
VALUE(merges_2m, r->stats.merges_2m)
VALUE(splits_deferred, r->stats.splits_deferred)
VALUE(merges_refused, r->stats.merges_refused)
VALUE(pinned_retries, r->nr_pinned_retries)
VALUE(guest_faults, r->stats.faults_guest)
VALUE(host_faults, r->stats.faults_host)
VALUE(denied, r->nr_denied)
VALUE(refused, r->nr_refused)
VALUE(out_of_reach, r->nr_out_of_reach)
VALUE(ignored, r->nr_ignored)
MAPPED(guest_1g, LAB_GUEST, 2)
MAPPED(guest_2m, LAB_GUEST, 1)
MAPPED(guest_4k, LAB_GUEST, 0)
MAPPED(host_1g, LAB_HOST, 2)
MAPPED(host_2m, LAB_HOST, 1)
MAPPED(host_4k, LAB_HOST, 0)
VALUE(vmemmap_given_back, r->totals.vmemmap_given_back)
VALUE(vmemmap_bytes, r->totals.vmemmap_bytes)
CYCLES_OF(split, SIM_COST_SPLIT)
CYCLES_OF(merge, SIM_COST_MERGE)
CYCLES_OF(apply, SIM_COST_APPLY)
CYCLES_OF(prepare, SIM_COST_PREPARE)
CYCLES_OF(map, SIM_COST_MAP)
CYCLES_OF(zap, SIM_COST_ZAP)
CYCLES_OF(alloc, SIM_COST_ALLOC)
CYCLES_OF(free, SIM_COST_FREE)

/* clang-format off */
static const struct row rows[] = {
	{ "folios_split", "Folios split at least once", NULL, COUNT, split_folios },
	{ "splits_1g", "  of 1G", "Splits", COUNT, splits_1g },
	{ "splits_2m", "  of 2M", NULL, COUNT, splits_2m },
	{ "splits_deferred", "  put off: a page is pinned", NULL, COUNT, splits_deferred },
	{ "merges_1g", "  to 1G", "Merges", COUNT, merges_1g },
	{ "merges_2m", "  to 2M", NULL, COUNT, merges_2m },
	{ "merges_refused", "  refused", NULL, COUNT, merges_refused },
	{ "pinned_retries", "EAGAIN: pinned, made again", NULL, COUNT, pinned_retries },
	{ "guest_faults", "Faults of the guest", NULL, COUNT, guest_faults },
	{ "host_faults", "Faults of the host", NULL, COUNT, host_faults },
	{ "host_accesses_denied", "Host accesses to private", NULL, COUNT, denied },
	{ "refused", "Events refused", NULL, COUNT, refused },
	{ "out_of_reach", "Accesses out of reach", NULL, COUNT, out_of_reach },
	{ "ignored", "Events left out (free)", NULL, COUNT, ignored },
	{ "guest_1g_end_bytes", "  by 1G", "The guest maps, at the end", BYTES, guest_1g_end },
	{ "guest_2m_end_bytes", "  by 2M", NULL, BYTES, guest_2m_end },
	{ "guest_4k_end_bytes", "  by 4K", NULL, BYTES, guest_4k_end },
	{ "guest_1g_average_bytes", "  by 1G", "averaged over time", BYTES, guest_1g_average },
	{ "guest_2m_average_bytes", "  by 2M", NULL, BYTES, guest_2m_average },
	{ "guest_4k_average_bytes", "  by 4K", NULL, BYTES, guest_4k_average },
	{ "host_1g_end_bytes", "  by 1G", "The host maps, at the end", BYTES, host_1g_end },
	{ "host_2m_end_bytes", "  by 2M", NULL, BYTES, host_2m_end },
	{ "host_4k_end_bytes", "  by 4K", NULL, BYTES, host_4k_end },
	{ "host_1g_average_bytes", "  by 1G", "averaged over time", BYTES, host_1g_average },
	{ "host_2m_average_bytes", "  by 2M", NULL, BYTES, host_2m_average },
	{ "host_4k_average_bytes", "  by 4K", NULL, BYTES, host_4k_average },
	{ "vmemmap_given_back_bytes", "  that splits took", "Struct pages", BYTES,
	  vmemmap_given_back },
	{ "vmemmap_end_bytes", "  at the end", NULL, BYTES, vmemmap_bytes },
	{ "cycles_split", "  split", "Simulated cycles, millions", CYCLES, cycles_split },
	{ "cycles_merge", "  merge", NULL, CYCLES, cycles_merge },
	{ "cycles_apply", "  convert", NULL, CYCLES, cycles_apply },
	{ "cycles_prepare", "  prepare", NULL, CYCLES, cycles_prepare },
	{ "cycles_map", "  faults", NULL, CYCLES, cycles_map },
	{ "cycles_zap", "  zap", NULL, CYCLES, cycles_zap },
	{ "cycles_alloc", "  allocate and clear", NULL, CYCLES, cycles_alloc },
	{ "cycles_free", "  free", NULL, CYCLES, cycles_free },
};
/* clang-format on */

#define NR_ROWS (sizeof(rows) / sizeof(*rows))

const char *lab_backing_name(unsigned int order)
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

static void print_head(FILE *out, const struct lab_report *report)
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
		lab_backing_name(opts->folio_order), opts->pins_by_folio ? "folio" : "page",
		opts->punch ? "what the guest frees is punched out"
			    : "what the guest frees stays allocated");
	if (log->format != LOG_CSV)
		fputs("         (no accesses in the log: the guest uses all memory)\n", out);
	fputc('\n', out);
}

static void print_row(FILE *out, const struct lab_report *report, const struct row *row)
{
	if (row->title)
		fprintf(out, "%s\n", row->title);
	fprintf(out, "%-28s", row->text);
	for (unsigned int i = 0; i < report->nr_runs; i++) {
		uint64_t value = row->value(&report->results[i]);
		char text[UNITS_TEXT_SIZE];

		if (row->kind == BYTES)
			units_bytes(text, value);
		else if (row->kind == COUNT)
			units_count(text, value);
		else
			snprintf(text, sizeof(text), "%.2f", (double)value / 1e6);
		fprintf(out, "%17s", text);
	}
	fputc('\n', out);
}

void lab_report_table(FILE *out, const struct lab_report *report)
{
	print_head(out, report);
	fprintf(out, "%-28s", "Policy");
	for (unsigned int i = 0; i < report->nr_runs; i++)
		fprintf(out, "%17s", report->opts[i].policy->name);
	fputc('\n', out);
	for (size_t i = 0; i < NR_ROWS; i++)
		print_row(out, report, &rows[i]);
}

static json_t *pack_run(const struct lab_opts *opts, const struct lab_result *result)
{
	json_t *json = json_object();
	bool failed = !json;

	failed |= json_object_set_new(json, "policy", json_string(opts->policy->name));
	for (size_t i = 0; i < NR_ROWS; i++)
		failed |= json_object_set_new(json, rows[i].key,
					      json_integer(json_count(rows[i].value(result))));
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

int lab_report_json(FILE *out, const struct lab_report *report)
{
	const struct lab_opts *opts = &report->opts[0];
	json_t *json = json_pack_head(report->name, report->log, opts->nr_pages,
				      report->size_from_log, opts->init_private);
	json_t *runs = json_array();
	bool failed = !json || !runs;

	failed |= json_object_set_new(json, "log", json_pack_log(report->log));
	failed |= json_object_set_new(json, "backing",
				      json_string(lab_backing_name(opts->folio_order)));
	failed |= json_object_set_new(json, "pins",
				      json_string(opts->pins_by_folio ? "folio" : "page"));
	failed |= json_object_set_new(json, "punch", json_boolean(opts->punch));
	failed |= json_object_set_new(json, "folios",
				      json_integer(json_count(report->results[0].nr_folios)));
	for (unsigned int i = 0; i < report->nr_runs; i++)
		failed |= json_array_append_new(runs,
						pack_run(&report->opts[i], &report->results[i]));
	failed |= json_object_set_new(json, "policies", runs);
	failed |= json_object_set_new(json, "not_applied",
				      json_pack_refusals(&report->log->malformed));
	if (failed) {
		json_decref(json);
		return -ENOMEM;
	}
	return json_write(out, json);
}
