// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lab_report.c - writes runs side by side, as a list and as JSON
 *
 * Invariant: the list and the JSON have the same numbers, because both are made from one list of
 * rows. The key of a row is never renamed.
 */
#include "lab_report.h"

#include "term.h"
#include "tool_json.h"
#include "units.h"

#include <inttypes.h>

/* Widths of the list: of all of it, of a row's text, and the most of a column. */
#define LAB_REPORT_COLUMNS 80
#define LAB_REPORT_LABEL 28
#define LAB_REPORT_CELL 17

enum lab_report_kind { LAB_REPORT_COUNT, LAB_REPORT_BYTES, LAB_REPORT_CYCLES };

/**
 * struct lab_report_row - one number of each run
 * @key: key in the JSON
 * @text: text in the table; indented if it belongs to a title
 * @title: a line of the table above the row; NULL: none
 * @kind: format of the number in the table
 * @value: reads the number from a result
 */
struct lab_report_row {
	const char *key;
	const char *text;
	const char *title;
	enum lab_report_kind kind;
	uint64_t (*value)(const struct lab_result *result);
};

/* Returns a number without its fraction. The largest number stands for all that are larger. */
static uint64_t lab_report_whole(double value)
{
	return value < 18446744073709549568. ? (uint64_t)value : UINT64_MAX;
}

/* Defines a function that reads one number from a result. */
#define LAB_REPORT_VALUE(name, expression)                            \
	static uint64_t lab_report_##name(const struct lab_result *r) \
	{                                                             \
		return lab_report_whole((double)(expression));        \
	}
#define LAB_REPORT_MAPPED(name, accessor, level)                                                \
	LAB_REPORT_VALUE(name##_end, r->totals.mapped_pages[accessor][level] << GMS_PAGE_SHIFT) \
	LAB_REPORT_VALUE(name##_average, r->average_pages[accessor][level] * (1 << GMS_PAGE_SHIFT))
#define LAB_REPORT_PART(id) (r->at_end.part[COSTS_##id])

/* Of the prices by architecture, only those of the run's own have parts. */
#define LAB_REPORT_PART_BY_ARCH(id)                                          \
	(LAB_REPORT_PART(id + COSTS_SNP) + LAB_REPORT_PART(id + COSTS_TDX) + \
	 LAB_REPORT_PART(id + COSTS_PKVM))

LAB_REPORT_VALUE(split_folios, r->nr_split)
LAB_REPORT_VALUE(splits_1g, r->stats.splits_1g)
LAB_REPORT_VALUE(splits_2m, r->stats.splits_2m)
LAB_REPORT_VALUE(merges_1g, r->stats.merges_1g)
LAB_REPORT_VALUE(merges_2m, r->stats.merges_2m)
LAB_REPORT_VALUE(splits_deferred, r->nr_put_off)
LAB_REPORT_VALUE(merges_refused, r->stats.merges_refused)
LAB_REPORT_VALUE(pinned_retries, r->nr_waits)
LAB_REPORT_VALUE(waited, r->waited_us)
LAB_REPORT_VALUE(guest_faults, r->stats.faults_guest)
LAB_REPORT_VALUE(host_faults, r->stats.faults_host)
LAB_REPORT_VALUE(denied, r->nr_denied)
LAB_REPORT_VALUE(refused, r->refused.total)
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
LAB_REPORT_VALUE(cycles_split, LAB_REPORT_PART(SPLIT_1G) + LAB_REPORT_PART(SPLIT_2M))
LAB_REPORT_VALUE(cycles_merge, LAB_REPORT_PART(MERGE_1G) + LAB_REPORT_PART(MERGE_2M))
LAB_REPORT_VALUE(cycles_apply, LAB_REPORT_PART(CONVERT) + LAB_REPORT_PART_BY_ARCH(APPLY))
LAB_REPORT_VALUE(cycles_prepare, LAB_REPORT_PART_BY_ARCH(PREPARE))
LAB_REPORT_VALUE(cycles_map, LAB_REPORT_PART(FAULT))
LAB_REPORT_VALUE(cycles_zap, LAB_REPORT_PART(ZAP))
LAB_REPORT_VALUE(cycles_alloc, LAB_REPORT_PART(ALLOC))
LAB_REPORT_VALUE(cycles_free, LAB_REPORT_PART(FREE))
LAB_REPORT_VALUE(cycles_work, lab_sum_work(&r->at_end))
LAB_REPORT_VALUE(cycles_rent, lab_sum_rent(&r->at_end))
LAB_REPORT_VALUE(rent_rate, r->rate[0] + r->rate[1])
LAB_REPORT_VALUE(stall_convert, r->stall_convert)
LAB_REPORT_VALUE(stall_fault, r->stall_fault)
LAB_REPORT_VALUE(stall_maintain, r->stall_maintain)

/* clang-format off */
#define LAB_REPORT_ROW(key, text, title, kind, name) \
	{ key, text, title, LAB_REPORT_##kind, lab_report_##name }

static const struct lab_report_row lab_report_rows[] = {
	LAB_REPORT_ROW("folios_split", "Folios split at least once", NULL, COUNT, split_folios),
	LAB_REPORT_ROW("splits_1g", "  of 1G", "Splits", COUNT, splits_1g),
	LAB_REPORT_ROW("splits_2m", "  of 2M", NULL, COUNT, splits_2m),
	LAB_REPORT_ROW("splits_deferred", "  folios put off for a pin", NULL,
		       COUNT, splits_deferred),
	LAB_REPORT_ROW("merges_1g", "  to 1G", "Merges", COUNT, merges_1g),
	LAB_REPORT_ROW("merges_2m", "  to 2M", NULL, COUNT, merges_2m),
	LAB_REPORT_ROW("merges_refused", "  refused", NULL, COUNT, merges_refused),
	LAB_REPORT_ROW("pinned_retries", "Calls that wait for a pin", NULL,
		       COUNT, pinned_retries),
	LAB_REPORT_ROW("waited_us", "  microseconds, in all", NULL, COUNT, waited),
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
	LAB_REPORT_ROW("cycles_alloc", "  allocate", NULL, CYCLES, cycles_alloc),
	LAB_REPORT_ROW("cycles_free", "  free", NULL, CYCLES, cycles_free),
	LAB_REPORT_ROW("cycles_work", "  all work", NULL, CYCLES, cycles_work),
	LAB_REPORT_ROW("cycles_rent", "  rent until the end", NULL, CYCLES, cycles_rent),
	LAB_REPORT_ROW("rent_per_second", "  rent in a second, later", NULL, CYCLES, rent_rate),
	LAB_REPORT_ROW("stall_convert_cycles", "  a conversion", "The longest stall, M cycles",
		       CYCLES, stall_convert),
	LAB_REPORT_ROW("stall_fault_cycles", "  a fault of the host", NULL, CYCLES, stall_fault),
	LAB_REPORT_ROW("stall_maintain_cycles", "  maintenance", NULL, CYCLES, stall_maintain),
};
/* clang-format on */

#define LAB_REPORT_NR_ROWS (sizeof(lab_report_rows) / sizeof(*lab_report_rows))

/* Returns what is touched in a run, in few words. */
static const char *lab_report_touched(const struct lab_report *report, const struct lab_run *run)
{
	if (run->opts.host_all)
		return "all shared";
	return report->runs.host_unknown ? "nothing" : "as logged";
}

static void lab_report_print_assumed(FILE *out, const struct lab_report *report)
{
	const struct lab_opts *opts = &report->runs.run[0].opts;
	const struct costs_item *item = opts->costs->item;

	if (report->runs.host_unknown)
		fputs("Host     The log has no access of the host. So each policy has two runs: "
		      "in\n"
		      "         one the host touches nothing, in the other all that is shared, at\n"
		      "         once.\n",
		      out);
	fprintf(out, "Guest    %s\n",
		opts->guest_all ? "assumed to use all memory, all the time"
				: "touches what the log says");
	fprintf(out, "Rents    %.0f cycles/s for 2M of private memory by 4K, %.0f for 1G by 2M\n",
		item[COSTS_RENT_2M].value, item[COSTS_RENT_1G].value);
}

void lab_report_head(FILE *out, const struct lab_report *report)
{
	const struct lab_run *run = &report->runs.run[0];
	const struct lab_opts *opts = &run->opts;
	const struct log *log = report->runs.log;
	char bytes[UNITS_TEXT_SIZE], count[UNITS_TEXT_SIZE];
	uint64_t nr_ram = 0;

	fprintf(out, "Log      %s, %s: ", report->name, log_format_name(log->format));
	fprintf(out, "%s conversions, ", units_count(count, log->nr_conversions));
	fprintf(out, "%s other events, ", units_count(count, log->nr_other_events));
	fprintf(out, "%s malformed\n", units_count(count, log->malformed.total));
	fprintf(out, "Object   %s, all %s at first%s%s\n",
		units_bytes(bytes, opts->nr_pages << GMS_PAGE_SHIFT),
		event_shareability_name(opts->init_private ? GMS_PRIVATE : GMS_SHARED),
		log->init_from == LOG_INIT_LOG ? ", as the log shows" : "",
		report->size_from_log
			? "\n         (size: how far the log reaches, rounded up to 1G)"
			: "");
	for (unsigned int i = 0; i < opts->nr_ram; i++)
		nr_ram += opts->ram[i].end - opts->ram[i].start;
	fprintf(out, "Memory   %s: %s\n", units_bytes(bytes, nr_ram << GMS_PAGE_SHIFT),
		log_ram_from_name(opts->ram_from));
	fprintf(out, "Backing  %s folios of %s; %s; a broken RMP entry %s; a pin lasts %.6g ms\n",
		units_count(count, run->result.nr_folios), units_order(opts->folio_order),
		costs_arch_name(opts->arch), opts->rmp_sticky ? "is sticky" : "heals",
		(double)opts->pin_us / 1000);
	fprintf(out, "Freed    %s\n",
		opts->punch ? "memory is punched out" : "memory stays allocated");
	lab_report_print_assumed(out, report);
	fputc('\n', out);
}

/* Returns how wide the column of a run may be, so that all have room. */
static int lab_report_width(const struct lab_report *report)
{
	const int width = (LAB_REPORT_COLUMNS - LAB_REPORT_LABEL) / (int)report->runs.nr;

	return width < LAB_REPORT_CELL ? width : LAB_REPORT_CELL;
}

static void lab_report_print_row(FILE *out, const struct lab_report *report,
				 const struct lab_report_row *row)
{
	if (row->title)
		fprintf(out, "%s%s%s\n", term_style(out, TERM_BOLD), row->title,
			term_style(out, TERM_PLAIN));
	fprintf(out, "%-*s", LAB_REPORT_LABEL, row->text);
	for (unsigned int i = 0; i < report->runs.nr; i++) {
		uint64_t value = row->value(&report->runs.run[i].result);
		char text[UNITS_TEXT_SIZE];

		if (row->kind == LAB_REPORT_BYTES)
			units_bytes(text, value);
		else if (row->kind == LAB_REPORT_COUNT)
			units_count(text, value);
		else
			snprintf(text, sizeof(text), "%.2f", (double)value / 1e6);
		fprintf(out, "%*s", lab_report_width(report), text);
	}
	fputc('\n', out);
}

void lab_report_list(FILE *out, const struct lab_report *report)
{
	const struct lab_runs *runs = &report->runs;
	const int width = lab_report_width(report);

	fprintf(out, "%s%-*s", term_style(out, TERM_BOLD), LAB_REPORT_LABEL, "Policy");
	for (unsigned int i = 0; i < runs->nr; i++)
		fprintf(out, "%*s", width,
			width < LAB_REPORT_CELL ? policies_words[runs->run[i].policy].brief
						: policies_words[runs->run[i].policy].name);
	fprintf(out, "%s\n%-*s", term_style(out, TERM_PLAIN), LAB_REPORT_LABEL, "Pins count by");
	for (unsigned int i = 0; i < runs->nr; i++)
		fprintf(out, "%*s", width, runs->run[i].opts.pins_by_folio ? "folio" : "page *");
	fprintf(out, "\n%-*s", LAB_REPORT_LABEL, "The host touches");
	for (unsigned int i = 0; i < runs->nr; i++)
		fprintf(out, "%*s", width, lab_report_touched(report, &runs->run[i]));
	fputc('\n', out);
	for (size_t i = 0; i < LAB_REPORT_NR_ROWS; i++)
		lab_report_print_row(out, report, &lab_report_rows[i]);
	fputs("\n* A kernel cannot have this today: it counts references by folio.\n", out);
}

json_t *lab_report_pack_run(const struct lab_run *run, size_t max_refused)
{
	json_t *json = json_object();
	bool failed = !json;

	failed |=
		json_object_set_new(json, "policy", json_string(policies_words[run->policy].name));
	failed |= json_object_set_new(json, "pins",
				      json_string(run->opts.pins_by_folio ? "folio" : "page"));
	failed |= json_object_set_new(json, "host_touches_all", json_boolean(run->opts.host_all));
	for (size_t i = 0; i < LAB_REPORT_NR_ROWS; i++)
		failed |= json_object_set_new(
			json, lab_report_rows[i].key,
			json_integer(tool_json_count(lab_report_rows[i].value(&run->result))));
	failed |= json_object_set_new(json, "refused_events",
				      tool_json_refusals(&run->result.refused, max_refused));
	if (!failed)
		return json;
	json_decref(json);
	return NULL;
}

json_t *lab_report_pack_ram(const struct lab_opts *opts)
{
	json_t *list = json_array();
	bool failed = !list;

	for (unsigned int i = 0; i < opts->nr_ram; i++) {
		const struct log_ram *ram = &opts->ram[i];

		failed |= json_array_append_new(
				  list, json_pack("{s:I, s:I}", "start_bytes",
						  tool_json_count(ram->start << GMS_PAGE_SHIFT),
						  "size_bytes",
						  tool_json_count((ram->end - ram->start)
								  << GMS_PAGE_SHIFT))) != 0;
	}
	if (!failed)
		return json_pack("{s:s, s:o}", "from", log_ram_from_name(opts->ram_from), "ranges",
				 list);
	json_decref(list);
	return NULL;
}

static const char *lab_report_pins(const struct lab_runs *runs)
{
	if (runs->run[0].opts.pins_by_folio != runs->run[runs->nr - 1].opts.pins_by_folio)
		return "both";
	return runs->run[0].opts.pins_by_folio ? "folio" : "page";
}

int lab_report_json(FILE *out, const struct lab_report *report)
{
	const struct lab_runs *runs = &report->runs;
	const struct lab_opts *opts = &runs->run[0].opts;
	const struct log *log = runs->log;
	struct tool_json_stream stream = {.out = out};

	tool_json_begin(&stream, NULL, '{');
	tool_json_put_members(&stream, tool_json_head(report->name, log, opts->nr_pages,
						      report->size_from_log, opts->init_private));
	tool_json_put(&stream, "log", tool_json_log(log));
	tool_json_put_members(
		&stream,
		json_pack("{s:s, s:s, s:o, s:s, s:s, s:I, s:b, s:b, s:b, s:I, s:o}", "backing",
			  units_order(opts->folio_order), "pins", lab_report_pins(runs), "memory",
			  lab_report_pack_ram(opts), "arch", costs_arch_name(opts->arch), "rmp",
			  opts->rmp_sticky ? "sticky" : "heals", "pin_us",
			  tool_json_count(opts->pin_us), "guest_uses_all", (int)opts->guest_all,
			  "host_unknown", (int)runs->host_unknown, "punch", (int)opts->punch,
			  "folios", tool_json_count(runs->run[0].result.nr_folios), "costs",
			  costs_json(opts->costs)));
	tool_json_begin(&stream, "policies", '[');
	for (unsigned int i = 0; i < runs->nr; i++)
		tool_json_put(&stream, NULL, lab_report_pack_run(&runs->run[i], SIZE_MAX));
	tool_json_end(&stream, ']');
	tool_json_put(&stream, "not_applied", tool_json_refusals(&log->malformed, SIZE_MAX));
	return tool_json_finish(&stream);
}
